//! The exchange of a token that a provider sends once, unsigned, and that an operator must see.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{self, Poll, Waker},
};

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    crypto::secret::Secret,
    providers::{
        catalogue::{messaging::SalesforceMarketingCloud, productivity::Notion},
        support::VERIFICATION_KEY,
    },
    verifier::{
        context::Context,
        defaults::VerifierDefaults,
        first_contact::{ContactField, FirstContact},
        sensitive::SensitiveParts,
        source::{
            LayerContext, Source,
            sealed::{Engine, Sealed},
        },
        verify::verify,
    },
};

/// The open exchanges, each for one token at one place.
///
/// A first contact is **not proven**: anyone who reaches the URL can send a token. An exchange is
/// therefore open only while a [`TokenReceipt`] waits for it, takes one token, and never changes a
/// secret. The receipt returns the token. It becomes a secret when you have confirmed it with the
/// provider and store it.
///
/// Clones share the exchanges. A clone costs one reference count.
#[derive(Clone, Default)]
pub struct TokenExchange(Arc<Mutex<HashMap<String, Arc<Place>>>>);

/// The place at which one token is handed over.
#[derive(Default)]
struct Place(Mutex<Handover>);

#[derive(Default)]
enum Handover {
    #[default]
    Open,
    Waiting(Waker),
    Taken(Secret),
    Over,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TokenExchange {
    /// Creates a set of exchanges in which none is open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the exchange at a place, such as the path of the webhook's URL. The receipt gets the
    /// next token that is sent there.
    ///
    /// Returns `None` while another receipt waits at this place.
    #[must_use = "the exchange is closed when the receipt is dropped"]
    pub fn open(&self, place: impl Into<String>) -> Option<TokenReceipt> {
        let name = place.into();
        match lock(&self.0).entry(name.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(entry) => {
                let place = Arc::clone(entry.insert(Arc::default()));
                Some(TokenReceipt { exchange: self.clone(), name, place })
            }
        }
    }

    /// Hands the token over. Returns `false` if no receipt waits.
    fn hand_over(&self, place: &str, token: Secret) -> bool {
        // Remove the place first: of two tokens at the same time, only one is handed over.
        let Some(place) = lock(&self.0).remove(place) else { return false };
        let before = mem::replace(&mut *lock(&place.0), Handover::Taken(token));
        if let Handover::Waiting(waker) = before {
            waker.wake();
        }
        true
    }
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExchange").field("open", &lock(&self.0).len()).finish()
    }
}

/// Future that waits for the token of one exchange.
///
/// The exchange is open until the token arrives or the receipt is dropped. Put a time limit around
/// the receipt. Polling it after it has returned the token panics.
#[must_use = "futures do nothing unless you `.await` them"]
pub struct TokenReceipt {
    exchange: TokenExchange,
    name: String,
    place: Arc<Place>,
}

impl Future for TokenReceipt {
    type Output = Secret;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Secret> {
        let mut handover = lock(&self.place.0);
        match mem::replace(&mut *handover, Handover::Over) {
            Handover::Taken(token) => Poll::Ready(token),
            Handover::Open | Handover::Waiting(_) => {
                *handover = Handover::Waiting(cx.waker().clone());
                Poll::Pending
            }
            Handover::Over => panic!("`TokenReceipt` polled after completion"),
        }
    }
}

impl Drop for TokenReceipt {
    fn drop(&mut self) {
        let mut open = lock(&self.exchange.0);
        // Another receipt may already wait at this place.
        if open.get(&self.name).is_some_and(|place| Arc::ptr_eq(place, &self.place)) {
            open.remove(&self.name);
        }
    }
}

impl fmt::Debug for TokenReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReceipt").field("place", &self.name).finish_non_exhaustive()
    }
}

/// Notion's first request to a new webhook.
const VERIFICATION_TOKEN: FirstContact =
    FirstContact::json(&[("verification_token", ContactField::Token)]);

/// The parts of the exchange that depend on the provider.
#[derive(Clone, Copy)]
struct Exchanged {
    contacts: &'static [FirstContact],
    /// The field that has the token.
    field: &'static str,
    /// Returns `true` if the request has no signature, or one that the provider made with the
    /// token.
    is_in_order: fn(&Secret, &Parts, &Bytes) -> bool,
    sensitive: fn() -> SensitiveParts,
}

/// Source of verifiers with a token exchange before it; see [`Notion::with_token_exchange`].
#[derive(Clone)]
#[must_use]
pub struct WithTokenExchange<M, F> {
    source: M,
    exchange: TokenExchange,
    place: F,
    exchanged: Exchanged,
}

impl Notion {
    /// Creates a source of verifiers that hands over the `verification_token` while an exchange is
    /// open. Notion sends this token once, to a new webhook.
    ///
    /// `place` takes the request head and returns the place of the exchange, or `None` if there is
    /// none. The request with the token is a POST of at most 1 KiB that has only this field, and
    /// has no signature or one made with this token. The layer responds with `200 OK`, and the
    /// handler does not see the request. While no exchange is open at this place, the request is
    /// verified like every other, and rejected. `source` verifies every other request: it is a
    /// verifier, or a lookup that has no secret yet.
    ///
    /// **The token is not proven to be Notion's.** Paste it into Notion's form, and store it as the
    /// secret when Notion has accepted it.
    ///
    /// ```
    /// use std::future::ready;
    /// use tower_webhook::{
    ///     Rejection, SignatureLayer,
    ///     layer::ByHead,
    ///     providers::{Notion, TokenExchange},
    /// };
    ///
    /// # async fn run() -> Option<()> {
    /// let exchange = TokenExchange::new();
    /// // Put your lookup of the stored secret here.
    /// let look_up = ByHead::new(|_| ready(Err::<Notion, _>(Rejection::unknown_tenant())));
    /// let source = Notion::with_token_exchange(look_up, exchange.clone(), |head| {
    ///     Some(head.uri.path().to_owned())
    /// });
    /// let layer = SignatureLayer::new(source).defaults(Notion::DEFAULTS);
    /// # let _ = layer;
    ///
    /// // Before you create the webhook in Notion's settings:
    /// let receipt = exchange.open("/webhooks/notion")?;
    /// let token = receipt.await; // show it
    /// # Some(())
    /// # }
    /// ```
    pub const fn with_token_exchange<M, F>(
        source: M,
        exchange: TokenExchange,
        place: F,
    ) -> WithTokenExchange<M, F>
    where
        M: Source,
        F: Fn(&Parts) -> Option<String>,
    {
        let exchanged = Exchanged {
            contacts: &[VERIFICATION_TOKEN],
            field: "verification_token",
            is_in_order: |token, head, body| {
                !head.headers.contains_key("x-notion-signature")
                    || Self::new(token.clone()).is_ok_and(|own| verify(&own, head, body).is_ok())
            },
            sensitive: || Self::SCHEME.sensitive_parts(),
        };
        WithTokenExchange { source, exchange, place, exchanged }
    }
}

impl SalesforceMarketingCloud {
    /// Creates a source of verifiers that hands over the `verificationKey` of a new callback while
    /// an exchange is open. Send the key back to `ens-verify`.
    ///
    /// The request with the key gets `200 OK` in any case; see [the type's page](Self). See
    /// [`Notion::with_token_exchange`] for the parameters.
    pub const fn with_token_exchange<M, F>(
        source: M,
        exchange: TokenExchange,
        place: F,
    ) -> WithTokenExchange<M, F>
    where
        M: Source,
        F: Fn(&Parts) -> Option<String>,
    {
        let exchanged = Exchanged {
            contacts: &[VERIFICATION_KEY],
            field: "verificationKey",
            is_in_order: |_, head, _| !head.headers.contains_key("x-sfmc-ens-signature"),
            sensitive: || Self::SCHEME.sensitive_parts(),
        };
        WithTokenExchange { source, exchange, place, exchanged }
    }
}

impl<M, F> Sealed for WithTokenExchange<M, F> {}

impl<M, F> Source for WithTokenExchange<M, F>
where
    M: Source,
    F: Fn(&Parts) -> Option<String>,
{
}

impl<M, F> Engine for WithTokenExchange<M, F>
where
    M: Source,
    F: Fn(&Parts) -> Option<String>,
{
    type Verifier = M::Verifier;
    type HeadLookUp = M::HeadLookUp;
    type BodyLookUp = M::BodyLookUp;

    fn look_up_by_head(&self, request: &Context<'_>, layer: &LayerContext<'_>) -> Self::HeadLookUp {
        self.source.look_up_by_head(request, layer)
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        self.source.first_contact(request, body)
    }

    fn shared_defaults(&self) -> VerifierDefaults {
        self.source.shared_defaults().with_exchange(self.exchanged.contacts)
    }

    fn shared_sensitive_parts(&self) -> SensitiveParts {
        self.source.shared_sensitive_parts().and((self.exchanged.sensitive)())
    }

    fn takes_token(&self, head: &Parts, body: &Bytes) -> bool {
        let Exchanged { contacts, field, is_in_order, .. } = self.exchanged;
        let found = contacts.iter().find_map(|contact| contact.token(head, body, field));
        let token = found.and_then(|token| Secret::new(token).ok());
        let (Some(token), Some(place)) = (token, (self.place)(head)) else { return false };
        is_in_order(&token, head, body) && self.exchange.hand_over(&place, token)
    }
}

impl<M: fmt::Debug, F> fmt::Debug for WithTokenExchange<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithTokenExchange")
            .field("source", &self.source)
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}
