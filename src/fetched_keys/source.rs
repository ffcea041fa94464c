//! Providers with fetched keys, as sources of a layer.

use std::{
    fmt,
    future::{Future, Ready, ready},
    net::IpAddr,
    pin::Pin,
    str,
    sync::Arc,
    task::{self, Poll},
};

use http::request::Parts;

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        key_set::{KeySet, NamedKey},
        request::KeyUrl,
        resolver::{Answer, Resolved, Resolver},
    },
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::headers::required,
    verifier::{
        context::Context,
        defaults::VerifierDefaults,
        sensitive::SensitiveParts,
        source::{
            LayerContext, NoLookUpByBody, Source, VerifierByHead, client_address,
            sealed::{Engine, Sealed},
        },
        verifier::Verifier,
    },
};

/// Maximum length of a key's ID in bytes: IDs are kept in a cache.
const MAX_ID: usize = 256;

/// A provider whose public keys are fetched, as a source of a layer; see the [module](super).
///
/// Clones share the cache of keys.
#[must_use]
pub struct FetchedKeys<V>(Arc<Inner<V>>);

struct Inner<V> {
    rules: KeyRules<V>,
    resolver: Arc<Resolver<KeySet<V>>>,
}

/// Rules of a provider for its keys.
pub(crate) struct KeyRules<V> {
    /// Verifier without a key. It decides on requests that no key can make authentic.
    pub(crate) keyless: V,
    /// Header with the ID of the key.
    pub(crate) header: &'static str,
    /// Returns `true` if an ID has the provider's form. It is checked before anything is built of
    /// the ID.
    pub(crate) is_id: fn(&str) -> bool,
    pub(crate) url: KeyUrl,
    /// Reads the keys of a document.
    pub(crate) read: fn(&[u8]) -> Result<Vec<NamedKey>, &'static str>,
    pub(crate) make: fn(Vec<PublicKey>) -> Result<V, ConfigError>,
}

impl<V: Verifier + Clone + Send + Sync + 'static> FetchedKeys<V> {
    pub(crate) fn new(fetcher: &KeyFetcher, rules: KeyRules<V>) -> Result<Self, ConfigError> {
        let (read, make) = (rules.read, rules.make);
        let resolver = Resolver::new(
            rules.keyless.defaults().provider(),
            fetcher.checked()?,
            Box::new(move |request, document| {
                let keys = KeySet::new(read(document)?, make)?;
                match request.key_id() {
                    Some(id) if keys.get(id).is_none() => Err("it is the key with another ID"),
                    _ => Ok(keys),
                }
            }),
        );
        Ok(Self(Arc::new(Inner { rules, resolver: Arc::new(resolver) })))
    }

    /// Returns `true` if the request is rejected or answered whatever the key, so that no key need
    /// be fetched.
    fn needs_no_key(&self, request: &Context<'_>) -> bool {
        let keyless = &self.0.rules.keyless;
        keyless.challenge(request).is_some() || keyless.begin(request).is_err()
    }

    fn look_up(&self, head: &Parts, address: Option<IpAddr>) -> KeyLookUp<V> {
        let Inner { rules, resolver } = &*self.0;
        let id = match rules.key_id(head) {
            Ok(id) => id,
            Err(rejection) => return KeyLookUp::now(Err(rejection)),
        };
        let request = rules.url.request(id);
        let has_key = |id: &str, keys: &KeySet<V>| keys.get(id).is_some();
        match resolver.ask(&request, &|keys| has_key(id, keys), address) {
            Answer::Now(resolved) => KeyLookUp::now(rules.verifier(id, resolved)),
            Answer::Later(flight) => {
                let (this, id, resolver) = (self.clone(), id.to_owned(), Arc::clone(resolver));
                KeyLookUp::later(async move {
                    let has_key = |keys: &KeySet<V>| has_key(&id, keys);
                    let resolved = resolver.wait(flight, request, has_key, address).await;
                    this.0.rules.verifier(&id, resolved)
                })
            }
        }
    }
}

impl<V: Clone> KeyRules<V> {
    fn key_id<'a>(&self, head: &'a Parts) -> Result<&'a str, Rejection> {
        let id = required(head, self.header)?;
        let id = str::from_utf8(id).ok().filter(|id| id.len() <= MAX_ID && (self.is_id)(id));
        id.ok_or(Rejection::malformed(self.header))
    }

    fn verifier(&self, id: &str, resolved: Resolved<KeySet<V>>) -> Result<V, Rejection> {
        let verifier = resolved?.and_then(|keys| keys.get(id).cloned());
        let unknown = || Rejection::new(RejectionKind::UnknownKey).in_header(self.header);
        verifier.ok_or_else(unknown)
    }
}

impl<V> Sealed for FetchedKeys<V> {}

impl<V: Verifier + Clone + Send + Sync + 'static> Source for FetchedKeys<V> {}

impl<V: Verifier + Clone + Send + Sync + 'static> Engine for FetchedKeys<V> {
    type Verifier = V;
    type HeadLookUp = VerifierByHead<KeyLookUp<V>>;
    type BodyLookUp = NoLookUpByBody<V>;

    fn look_up_by_head(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::HeadLookUp {
        let head = request.head();
        VerifierByHead::new(if self.needs_no_key(request) {
            KeyLookUp::now(Ok(self.0.rules.keyless.clone()))
        } else {
            self.look_up(head, client_address(head, layer.client_ip))
        })
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        self.0.rules.keyless.defaults()
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        self.0.rules.keyless.sensitive_parts()
    }
}

impl<V> Clone for FetchedKeys<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> fmt::Debug for FetchedKeys<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FetchedKeys").field(&self.0.resolver).finish()
    }
}

/// Lookup of a key: immediately from the cache, or after a fetch.
pub struct KeyLookUp<V>(Way<V>);

enum Way<V> {
    Now(Ready<Result<V, Rejection>>),
    Later(Pin<Box<dyn Future<Output = Result<V, Rejection>> + Send>>),
}

impl<V> KeyLookUp<V> {
    fn now(found: Result<V, Rejection>) -> Self {
        Self(Way::Now(ready(found)))
    }

    fn later(waiting: impl Future<Output = Result<V, Rejection>> + Send + 'static) -> Self {
        Self(Way::Later(Box::pin(waiting)))
    }
}

impl<V> Future for KeyLookUp<V> {
    type Output = Result<V, Rejection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Way::Now(found) => Pin::new(found).poll(cx),
            Way::Later(waiting) => waiting.as_mut().poll(cx),
        }
    }
}

impl<V> fmt::Debug for KeyLookUp<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLookUp").finish_non_exhaustive()
    }
}
