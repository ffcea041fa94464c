//! What was proven about a request.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderValue, request::Parts};
use sha2::{Digest, Sha256};

use crate::outcome::{
    event_id::EventId,
    rejection::Rejection,
    replay_key::{EVENT_ID, Identity, MAX_IDENTITY, ReplayKey, Scope},
};

/// Proof that a request is genuine, and what is known from it.
///
/// The layer puts it into the request's extensions. A handler that asks for it proves that the
/// layer is there: without it, axum's `Extension<Verified>` answers 500.
///
/// ```
/// use axum::{Extension, Router, routing::post};
/// use tower_webhook::Verified;
///
/// async fn handler(Extension(verified): Extension<Verified>) -> String {
///     format!("genuine, from {}", verified.provider())
/// }
/// # let _: Router = Router::new().route("/", post(handler));
/// ```
#[derive(Clone)]
pub struct Verified {
    provider: &'static str,
    key_index: usize,
    signed_at: Option<SystemTime>,
    valid_for: Option<Duration>,
    delivery_id: Option<HeaderValue>,
    delivery_id_is_signed: bool,
    has_unique_content: bool,
    tenant: Option<Arc<str>>,
    /// In the replay key in the tenant's place, where a store may find it by other spellings.
    pub(crate) replay_name: Option<Arc<[u8; 32]>>,
    identity: Option<Identity>,
    /// Whose identity it is, where another verifier accepts the delivery for longer.
    replay_provider: Option<&'static str>,
    body_is_signed: bool,
    event_id: Option<EventId>,
    /// As the layer received it. It shares its memory with the request's body.
    body: Option<Bytes>,
}

impl Verified {
    /// Proof by a verifier of your own, under its name.
    #[must_use]
    pub const fn new(provider: &'static str) -> Self {
        Self {
            provider,
            key_index: 0,
            signed_at: None,
            valid_for: None,
            delivery_id: None,
            delivery_id_is_signed: false,
            has_unique_content: false,
            tenant: None,
            replay_name: None,
            identity: None,
            replay_provider: None,
            body_is_signed: false,
            event_id: None,
            body: None,
        }
    }

    /// Which secret matched: 0 for the first, which is the current one.
    #[must_use]
    pub const fn with_key_index(mut self, index: usize) -> Self {
        self.key_index = index;
        self
    }

    /// When the provider says it signed. Only a time that the signature covers belongs here.
    #[must_use]
    pub const fn with_signed_at(mut self, time: SystemTime) -> Self {
        self.signed_at = Some(time);
        self
    }

    /// For how long the verifier would accept the same bytes again.
    #[must_use]
    pub const fn with_valid_for(mut self, time: Duration) -> Self {
        self.valid_for = Some(time);
        self
    }

    /// Takes the delivery's id from this header, where it is there.
    pub(crate) fn with_unsigned_id(self, head: &Parts, name: &'static str) -> Self {
        match head.headers.get(name) {
            Some(id) => self.with_delivery_id(id.clone(), false),
            None => self,
        }
    }

    /// The delivery's id, and whether the signature covers it.
    #[must_use]
    pub fn with_delivery_id(mut self, id: HeaderValue, is_signed: bool) -> Self {
        self.delivery_id = Some(id);
        self.delivery_id_is_signed = is_signed;
        self
    }

    /// Says that what is signed holds something of each delivery's own beside the time: an id in the
    /// body, or a nonce. With a signed time no two deliveries are then signed alike.
    #[must_use]
    pub const fn with_unique_content(mut self) -> Self {
        self.has_unique_content = true;
        self
    }

    /// Says that the signature covers every byte of the body, so that what the body says is proven, too: a replay guard
    /// may then know the delivery [by an id in it](crate::replay::ReplayLayer::event_id).
    #[must_use]
    pub const fn with_signed_body(mut self) -> Self {
        self.body_is_signed = true;
        self
    }

    /// Says where the provider's bodies have the id of their event.
    pub(crate) const fn with_event_id(mut self, id: Option<EventId>) -> Self {
        self.event_id = id;
        self
    }

    /// Returns where the body has the id of its event.
    pub(crate) const fn event_id(&self) -> Option<EventId> {
        self.event_id
    }

    pub(crate) fn set_body(&mut self, body: Bytes) {
        self.body = Some(body);
    }

    /// Returns the body that the layer has verified.
    pub(crate) const fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// The tenant whose secret matched.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self.replay_name = None;
        self
    }

    /// The bytes that [`replay_key`](Self::replay_key) is made of: the decoded tag or a signed id.
    /// Give it nothing that a replayer could change.
    #[must_use]
    pub fn with_replay_material(mut self, authenticated: &[u8]) -> Self {
        self.set_identity(authenticated);
        self
    }

    pub(crate) fn set_identity(&mut self, authenticated: &[u8]) {
        let mut bytes = [0; MAX_IDENTITY];
        // What does not fit is hashed; no tag is 65 bytes long, so the two cannot meet.
        let len = if authenticated.len() <= MAX_IDENTITY {
            bytes[..authenticated.len()].copy_from_slice(authenticated);
            authenticated.len()
        } else {
            bytes[..32].copy_from_slice(&Sha256::digest(authenticated));
            usize::from(u8::MAX)
        };
        self.identity = Some(Identity { bytes, len: u8::try_from(len).unwrap_or(u8::MAX) });
    }

    /// The provider's name.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Which secret matched: 0 for the first, which is the current one. When the last delivery
    /// with an old secret is long ago, that secret can go.
    #[must_use]
    pub const fn key_index(&self) -> usize {
        self.key_index
    }

    /// When the provider signed, where the signature covers a time.
    #[must_use]
    pub const fn signed_at(&self) -> Option<SystemTime> {
        self.signed_at
    }

    /// For how long after its verdict the verifier would accept the same bytes again, where it
    /// judges a signed time. Whoever remembers deliveries must remember them for longer.
    #[must_use]
    pub const fn valid_for(&self) -> Option<Duration> {
        self.valid_for
    }

    /// Whether any two genuine deliveries differ in what is signed: an id is signed with each, or a
    /// time and [something of its own](Self::with_unique_content). Elsewhere identical genuine deliveries
    /// exist, and no [`replay_key`](Self::replay_key) can tell them from a replay: a time alone is
    /// the same for all deliveries of one second.
    #[must_use]
    pub const fn has_unique_replay_key(&self) -> bool {
        let has_unique_content = self.has_unique_content && self.signed_at.is_some();
        let has_unique_replay_key = self.delivery_id_is_signed || has_unique_content;
        self.identity.is_some() && (has_unique_replay_key || self.replay_provider.is_some())
    }

    /// Of two verifiers that both accept this delivery, and one of which is enough. Once this one does
    /// not any more, the other one does, and a replay guard must know the delivery then: by the key of
    /// the one that accepts it longer.
    pub(crate) fn or_longer_of(mut self, other: &Self) -> Self {
        self.body_is_signed |= other.body_is_signed;
        let is_longer = match (self.valid_for, other.valid_for) {
            (Some(own), Some(others)) => others > own,
            (own, others) => own.is_some() && others.is_none(),
        };
        if !is_longer {
            return self;
        }
        let is_same = self.replay_key() == other.replay_key();
        if !is_same && self.tenant == other.tenant && other.has_unique_replay_key() {
            self.identity.clone_from(&other.identity);
            self.replay_name.clone_from(&other.replay_name);
            self.replay_provider = Some(other.replay_provider.unwrap_or(other.provider));
            self.valid_for = other.valid_for;
        } else if is_same {
            self.valid_for = other.valid_for;
        }
        self
    }

    /// What a further proof of the same request tells: the tenant where this one names none, and
    /// what tells the delivery from others where this one does not. It is accepted again for as long as
    /// both verifiers do.
    pub(crate) fn or_identity_of(mut self, other: &Self) -> Self {
        self.body_is_signed |= other.body_is_signed;
        self.valid_for = [self.valid_for, other.valid_for].into_iter().flatten().min();
        if !self.has_unique_replay_key()
            && (other.has_unique_replay_key() || self.identity.is_none())
        {
            self.identity.clone_from(&other.identity);
            // The same id is another delivery of another provider or tenant.
            let is_same = self.provider == other.replay_provider.unwrap_or(other.provider)
                && self.tenant.as_ref().is_none_or(|tenant| other.tenant.as_ref() == Some(tenant));
            self.replay_provider = other.replay_provider;
            if let (false, Some(key)) = (is_same, other.replay_key()) {
                self.set_identity(&key.0);
                // It stays unique, under this one's name.
                self.replay_provider = other.replay_provider.map(|_| self.provider);
            }
            self.signed_at = other.signed_at;
            self.delivery_id.clone_from(&other.delivery_id);
            self.delivery_id_is_signed = other.delivery_id_is_signed;
            self.has_unique_content = other.has_unique_content;
        }
        if self.tenant.is_none() {
            self.tenant.clone_from(&other.tenant);
            self.replay_name.clone_from(&other.replay_name);
        }
        self
    }

    /// The delivery's id as the provider sent it. Most are **not signed**: see
    /// [`delivery_id_is_signed`](Self::delivery_id_is_signed).
    #[must_use]
    pub const fn delivery_id(&self) -> Option<&HeaderValue> {
        self.delivery_id.as_ref()
    }

    /// Whether the signature covers the delivery's id. An unsigned one can be changed by whoever
    /// replays a captured request, so it must not decide whether a delivery was seen before.
    #[must_use]
    pub const fn delivery_id_is_signed(&self) -> bool {
        self.delivery_id_is_signed
    }

    /// Returns whether the signature covers every byte of the body.
    #[must_use]
    pub const fn body_is_signed(&self) -> bool {
        self.body_is_signed
    }

    /// The tenant whose secret matched, where the look-up named one.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Tells this signed delivery of this tenant from every other. Two genuine deliveries with the same signed
    /// content have the same key, so a scheme that signs only the body needs care: identical
    /// genuine bodies exist.
    #[must_use]
    pub fn replay_key(&self) -> Option<ReplayKey> {
        self.hash_identity(Sha256::new_with_prefix(b"tower-webhook replay key 1\0"))
    }

    /// The replay key within a scope; see [`Scope`].
    pub(crate) fn scoped_replay_key(&self, scope: &Scope) -> Option<ReplayKey> {
        self.hash_identity(scope.0.clone())
    }

    /// The key of the event with this id within a scope, whatever signature the delivery has.
    pub(crate) fn scoped_event_key(&self, scope: &Scope, id: &str) -> ReplayKey {
        let mut hash = scope.0.clone();
        hash.update(self.provider);
        // No other identity has this length.
        hash.update([0, EVENT_ID]);
        hash.update(Sha256::digest(id));
        self.hash_tenant(&mut hash);
        ReplayKey(hash.finalize().into())
    }

    /// One tenant's id must not pass for another's.
    fn hash_tenant(&self, hash: &mut Sha256) {
        match (&self.replay_name, &self.tenant) {
            (Some(name), _) => hash.update(**name),
            (None, Some(tenant)) => hash.update(&**tenant),
            (None, None) => {}
        }
    }

    fn hash_identity(&self, mut hash: Sha256) -> Option<ReplayKey> {
        let identity = self.identity.as_ref()?;
        hash.update(self.replay_provider.unwrap_or(self.provider));
        hash.update([0, identity.len]);
        hash.update(identity.as_bytes());
        self.hash_tenant(&mut hash);
        Some(ReplayKey(hash.finalize().into()))
    }
}

/// The mark of a request that is **not** proven genuine and was let through all the same, because
/// the layer [only reports](crate::SignatureLayer::dangerously_report_only).
///
/// It stands in the request's extensions in the place of [`Verified`], never beside it.
#[derive(Clone, Debug)]
pub struct Unverified {
    rejection: Rejection,
}

impl Unverified {
    pub(crate) const fn new(rejection: Rejection) -> Self {
        Self { rejection }
    }

    /// Why the request would have been refused.
    #[must_use]
    pub const fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl fmt::Debug for Verified {
    /// Without the bytes of the replay key, which may be a signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("provider", &self.provider)
            .field("key_index", &self.key_index)
            .field("signed_at", &self.signed_at)
            .field("valid_for", &self.valid_for)
            .field("delivery_id", &self.delivery_id)
            .field("delivery_id_is_signed", &self.delivery_id_is_signed)
            .field("has_unique_content", &self.has_unique_content)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
