//! Providers with fetched keys, as sources of a layer.

#![expect(unnameable_types, reason = "only the engine uses what is behind `Source`")]

use std::{
    borrow::Cow,
    fmt,
    future::{Future, Ready, ready},
    net::IpAddr,
    pin::Pin,
    str,
    sync::Arc,
    task::{self, Poll},
};

use bytes::Bytes;
use http::request::Parts;

use crate::{
    error::ConfigError,
    fetched_keys::{
        asked::Millis,
        fetcher::{KeyFetcher, Settings},
        key_set::{KeySet, MakeOfKeys, ReadKeys},
        request::KeyUrl,
        resolver::{Answer, Resolved, Resolver},
    },
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::{clock::Clock, headers::required},
    verifier::{
        context::Context,
        defaults::VerifierDefaults,
        sensitive::SensitiveParts,
        source::{
            FoundByHead, LayerContext, LookUpByBody, Source, client_address,
            sealed::{Engine, Sealed},
        },
        verifier::Verifier,
    },
};

/// Maximum length of a key's ID in bytes: IDs are kept in a cache.
pub(crate) const MAX_ID: usize = 256;

/// A provider whose public keys are fetched, as a source of a layer; see the [module](super).
///
/// Clones share the cache of keys.
#[must_use]
pub struct FetchedKeys<V>(Arc<Inner<V>>);

#[derive(Clone)]
struct Inner<V> {
    rules: KeyRules<V>,
    resolver: Arc<Resolver<KeySet<V>>>,
}

/// Rules of a provider for its keys.
#[derive(Clone)]
pub(crate) struct KeyRules<V> {
    /// Verifier without a key. It decides on requests that no key can make authentic.
    pub(crate) keyless: V,
    pub(crate) name: KeyName,
    /// Set if the body names the key instead.
    pub(crate) in_body: Option<IdOfBody<V>>,
    pub(crate) url: KeyUrl,
    pub(crate) read: ReadKeys,
    pub(crate) make: MakeOfKeys<V>,
}

/// Function that returns the ID of the key that a body names, by the settings of a verifier without
/// keys. It rejects what no key can make authentic.
pub(crate) type IdOfBody<V> = fn(&V, &Context<'_>, &Bytes) -> Result<String, Rejection>;

/// Place of a key's ID in a request.
#[derive(Clone, Copy)]
pub(crate) enum KeyName {
    /// By an ID in this header. The function returns `true` if an ID has the provider's form. It is
    /// checked before anything is built of the ID.
    Header(&'static str, fn(&str) -> bool),
    /// By an ID inside of this header. The function returns it if it has the provider's form.
    Inside(&'static str, fn(&[u8]) -> Option<String>),
    /// In the body.
    InBody,
    /// Not at all: each key of the document is tried.
    Unnamed,
}

impl<V: Verifier + Clone + Send + Sync + 'static> FetchedKeys<V> {
    pub(crate) fn new(fetcher: &KeyFetcher, rules: KeyRules<V>) -> Result<Self, ConfigError> {
        Ok(Self::with_settings(fetcher.checked()?, rules))
    }

    fn with_settings(settings: Arc<Settings>, rules: KeyRules<V>) -> Self {
        let (read, make, name) = (Arc::clone(&rules.read), Arc::clone(&rules.make), rules.name);
        let of_fetcher = Arc::clone(&settings);
        let resolver = Resolver::new(
            rules.keyless.defaults().provider(),
            settings,
            Box::new(move |request, document| {
                let mut keys = read(document, &of_fetcher)?;
                if matches!(name, KeyName::Unnamed) {
                    keys.iter_mut().for_each(|key| key.id = None);
                }
                let keys = KeySet::new(keys, request.key_id().unwrap_or_default(), &make)?;
                match request.key_id() {
                    Some(id) if !keys.has(id) => Err("it is the key with another ID".into()),
                    _ => Ok(keys),
                }
            }),
        );
        Self(Arc::new(Inner { rules, resolver: Arc::new(resolver) }))
    }

    /// Changes the settings of the verifiers, such as their tolerance. The result has a cache of its
    /// own.
    ///
    /// ```
    /// use tower_webhook::{fetched_keys::KeyFetcher, providers::FalAi, scheme::Tolerance};
    ///
    /// # fn fetcher() -> KeyFetcher {
    /// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
    /// # }
    /// let fetcher: KeyFetcher = fetcher();
    /// let source = FalAi::with_fetched_keys(&fetcher)?
    ///     .map_verifier(|fal| fal.tolerance(Tolerance::seconds(60)));
    /// # let _ = source;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    pub fn map_verifier(self, change: impl Fn(V) -> V + Send + Sync + 'static) -> Self {
        let Inner { mut rules, resolver } = Arc::unwrap_or_clone(self.0);
        rules.keyless = change(rules.keyless);
        let make = rules.make;
        rules.make = Arc::new(move |keys| make(keys).map(&change));
        Self::with_settings(resolver.settings(), rules)
    }

    /// Returns `true` if the request is rejected or answered whatever the key, so that no key need
    /// be fetched.
    fn needs_no_key(&self, request: &Context<'_>) -> bool {
        let keyless = &self.0.rules.keyless;
        keyless.challenge(request).is_some() || keyless.begin(request).is_err()
    }

    fn look_up(
        &self,
        id: Result<Cow<'_, str>, Rejection>,
        address: Option<IpAddr>,
    ) -> KeyLookUp<V> {
        let Inner { rules, resolver } = &*self.0;
        let id = match id {
            Ok(id) => id,
            Err(rejection) => return KeyLookUp::now(Err(rejection)),
        };
        let request = rules.url.request(&id);
        let now = resolver.now();
        let has_key = move |id: &str, keys: &KeySet<V>| keys.get(id, now).is_some();
        match resolver.ask(&request, &|keys| has_key(&id, keys), address) {
            Answer::Now(resolved) => KeyLookUp::now(rules.verifier(&id, resolved, now)),
            Answer::Later(flight) => {
                let (this, resolver) = (self.clone(), Arc::clone(resolver));
                let id = id.into_owned();
                KeyLookUp::later(async move {
                    let has_key = |keys: &KeySet<V>| has_key(&id, keys);
                    let resolved = resolver.wait(flight, request, has_key, address).await;
                    this.0.rules.verifier(&id, resolved, now)
                })
            }
        }
    }
}

impl<V: Clone> KeyRules<V> {
    /// Returns the ID of the request's key. It is empty if keys have no IDs.
    fn key_id<'a>(&self, head: &'a Parts) -> Result<Cow<'a, str>, Rejection> {
        let (header, id) = match self.name {
            KeyName::Header(header, is_id) => {
                let id = str::from_utf8(required(head, header)?).ok().filter(|id| is_id(id));
                (header, id.map(Cow::Borrowed))
            }
            KeyName::Inside(header, id) => (header, id(required(head, header)?).map(Cow::Owned)),
            KeyName::InBody | KeyName::Unnamed => return Ok(Cow::Borrowed("")),
        };
        id.filter(|id| id.len() <= MAX_ID).ok_or(Rejection::malformed(header))
    }

    fn verifier(
        &self,
        id: &str,
        resolved: Resolved<KeySet<V>>,
        now: Millis,
    ) -> Result<V, Rejection> {
        let verifier = resolved?.and_then(|keys| keys.get(id, now).cloned());
        verifier.ok_or_else(|| {
            let unknown = Rejection::new(RejectionKind::UnknownKey);
            match self.name {
                KeyName::Header(header, _) | KeyName::Inside(header, _) => {
                    unknown.in_header(header)
                }
                KeyName::InBody | KeyName::Unnamed => unknown,
            }
        })
    }
}

impl<V> Sealed for FetchedKeys<V> {}

impl<V: Verifier + Clone + Send + Sync + 'static> Source for FetchedKeys<V> {}

impl<V: Verifier + Clone + Send + Sync + 'static> Engine for FetchedKeys<V> {
    type Verifier = V;
    type HeadLookUp = KeyByHead<V>;
    type BodyLookUp = KeyByBody<V>;

    fn look_up_by_head(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::HeadLookUp {
        let (head, rules) = (request.head(), &self.0.rules);
        if self.needs_no_key(request) {
            return KeyByHead::Key(KeyLookUp::now(Ok(rules.keyless.clone())));
        }
        let address = client_address(head, layer.client_ip);
        match rules.in_body {
            None => KeyByHead::Key(self.look_up(rules.key_id(head), address)),
            Some(id) => {
                let (source, clock) = (self.clone(), request.clock().clone());
                KeyByHead::Body(Some(KeyByBody { source, id, address, clock }))
            }
        }
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

/// Lookup by the head, which ends with the body's part if the body names the key.
pub enum KeyByHead<V> {
    Key(KeyLookUp<V>),
    Body(Option<KeyByBody<V>>),
}

impl<V> Future for KeyByHead<V> {
    type Output = Result<FoundByHead<V, KeyByBody<V>>, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Key(key) => Pin::new(key).poll(cx).map_ok(FoundByHead::Verifier),
            Self::Body(by_body) => Poll::Ready(match by_body.take() {
                Some(by_body) => Ok(FoundByHead::NeedsBody(by_body)),
                None => Err(Rejection::unavailable("the lookup was polled after its end")),
            }),
        }
    }
}

/// Lookup of a key that the body names.
pub struct KeyByBody<V> {
    source: FetchedKeys<V>,
    id: IdOfBody<V>,
    address: Option<IpAddr>,
    clock: Clock,
}

impl<V: Verifier + Clone + Send + Sync + 'static> LookUpByBody for KeyByBody<V> {
    type Verifier = V;
    type Future = KeyLookUp<V>;

    fn look_up(&self, head: &Parts, body: &Bytes) -> KeyLookUp<V> {
        let keyless = &self.source.0.rules.keyless;
        let id = (self.id)(keyless, &Context::new(head).at(&self.clock), body);
        self.source.look_up(id.map(Cow::Owned), self.address)
    }
}

impl<V> fmt::Debug for KeyByHead<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyByHead").finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for KeyByBody<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyByBody").finish_non_exhaustive()
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
