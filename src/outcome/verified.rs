//! Proof of a successful verification.

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
    replay_key::{EVENT_ID, Identity, ReplayKey, Scope},
};

/// Proof of a verified request, with the provider, tenant and matching secret.
///
/// The layer puts it into the request's extensions. A handler that extracts it works only behind
/// the layer: without the layer, axum's `Extension<Verified>` responds with
/// `500 Internal Server Error`. With the feature `axum`, [`axum::Signed`](crate::axum::Signed)
/// extracts it together with the body.
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
    key_index: u32,
    pub(crate) signed_at: Option<SystemTime>,
    pub(crate) valid_for: Option<Duration>,
    pub(crate) delivery_id: Option<HeaderValue>,
    pub(crate) delivery_id_is_signed: bool,
    pub(crate) has_unique_content: bool,
    tenant: Option<Arc<str>>,
    /// Replaces the tenant in the replay key if the store may find the tenant by several spellings.
    pub(crate) replay_name: Option<Arc<[u8; 32]>>,
    identity: Option<Identity>,
    /// Provider of the identity, if it is that of another verifier, which accepts the delivery for
    /// longer.
    replay_provider: Option<&'static str>,
    pub(crate) body_is_signed: bool,
    /// Position of the event ID in the provider's bodies.
    pub(crate) event_id: Option<EventId>,
    /// Body as the layer received it. It shares its memory with the request's body.
    body: Option<Bytes>,
}

impl Verified {
    /// Creates a `Verified` for a custom verifier with this provider name.
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

    /// Sets the index of the secret that matched: 0 for the first, which is the current one.
    #[must_use]
    pub const fn with_key_index(mut self, index: usize) -> Self {
        self.set_key_index(index);
        self
    }

    #[inline]
    pub(crate) const fn set_key_index(&mut self, index: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "larger ones are excluded")]
        let index = if index < u32::MAX as usize { index as u32 } else { u32::MAX };
        self.key_index = index;
    }

    #[inline]
    pub(crate) const fn set_provider(&mut self, provider: &'static str) {
        self.provider = provider;
    }

    /// Sets when the provider says it signed the request. Use only a time that the signature
    /// covers.
    #[must_use]
    pub const fn with_signed_at(mut self, time: SystemTime) -> Self {
        self.signed_at = Some(time);
        self
    }

    /// Sets how long the verifier would accept the same bytes again; see
    /// [`valid_for`](Self::valid_for).
    #[must_use]
    pub const fn with_valid_for(mut self, time: Duration) -> Self {
        self.valid_for = Some(time);
        self
    }

    /// Takes the delivery's ID from this header, if it is present.
    pub(crate) fn with_unsigned_id(self, head: &Parts, name: &'static str) -> Self {
        match head.headers.get(name) {
            Some(id) => self.with_delivery_id(id.clone(), false),
            None => self,
        }
    }

    /// Sets the delivery's ID, and whether the signature covers it.
    #[must_use]
    pub fn with_delivery_id(mut self, id: HeaderValue, is_signed: bool) -> Self {
        self.delivery_id = Some(id);
        self.delivery_id_is_signed = is_signed;
        self
    }

    /// Declares that the signed content has a part, other than the time, that is unique to each
    /// delivery: an ID in the body, or a nonce. Together with a signed time, no two deliveries then
    /// have the same signed content.
    #[must_use]
    pub const fn with_unique_content(mut self) -> Self {
        self.has_unique_content = true;
        self
    }

    /// Declares that the signature covers every byte of the body. The replay guard may then
    /// identify the delivery [by an ID in the body](crate::replay::ReplayLayer::event_id).
    #[must_use]
    pub const fn with_signed_body(mut self) -> Self {
        self.body_is_signed = true;
        self
    }

    #[inline]
    pub(crate) fn set_body(&mut self, body: Bytes) {
        self.body = Some(body);
    }

    /// Returns the body that the layer has verified.
    pub(crate) const fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Sets the tenant whose secret matched.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self.replay_name = None;
        self
    }

    /// Sets the bytes that [`replay_key`](Self::replay_key) is made of: the decoded tag or a signed
    /// ID. Use only bytes that an attacker who replays the request cannot change.
    #[must_use]
    pub fn with_replay_material(mut self, authenticated: &[u8]) -> Self {
        self.set_identity(authenticated);
        self
    }

    pub(crate) fn set_identity(&mut self, authenticated: &[u8]) {
        self.identity = Some(Identity::new(authenticated));
    }

    /// Returns the provider's name.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Returns the index of the secret that matched: 0 for the first, which is the current one.
    ///
    /// You can remove an old secret once no delivery has used it for a long time.
    #[must_use]
    pub const fn key_index(&self) -> usize {
        self.key_index as usize
    }

    /// Returns when the provider signed the request, if the signature covers a time.
    #[must_use]
    pub const fn signed_at(&self) -> Option<SystemTime> {
        self.signed_at
    }

    /// Returns how long the verifier would accept the same bytes again, if it checks a signed time.
    ///
    /// The time counts from the check of the head, before the body arrived. A store of seen
    /// deliveries must keep them for longer.
    #[must_use]
    pub const fn valid_for(&self) -> Option<Duration> {
        self.valid_for
    }

    /// Returns `true` if any two authentic deliveries differ in their signed content, because the
    /// provider signs an ID with each, or a time and [unique content](Self::with_unique_content).
    ///
    /// Otherwise, authentic deliveries can be identical, and no [`replay_key`](Self::replay_key)
    /// can distinguish them from a replay. Deliveries of the same second have the same time.
    #[must_use]
    pub const fn has_unique_replay_key(&self) -> bool {
        let has_unique_content = self.has_unique_content && self.signed_at.is_some();
        let has_unique_replay_key = self.delivery_id_is_signed || has_unique_content;
        self.identity.is_some() && (has_unique_replay_key || self.replay_provider.is_some())
    }

    /// Combines the proofs of two verifiers that both accept this delivery, if one of them is
    /// enough. The replay guard must recognise the delivery for as long as either verifier accepts
    /// it. The replay key is therefore that of the verifier that accepts it for longer.
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

    /// Adds facts from a further proof of the same request: the tenant if this proof names none,
    /// and the identity of the delivery if this proof has no unique one. The delivery is accepted
    /// again only while both verifiers accept it.
    pub(crate) fn or_identity_of(mut self, other: &Self) -> Self {
        self.body_is_signed |= other.body_is_signed;
        self.valid_for = [self.valid_for, other.valid_for].into_iter().flatten().min();
        if !self.has_unique_replay_key()
            && (other.has_unique_replay_key() || self.identity.is_none())
        {
            self.identity.clone_from(&other.identity);
            // The same ID from another provider or tenant is another delivery.
            let is_same = self.provider == other.replay_provider.unwrap_or(other.provider)
                && self.tenant.as_ref().is_none_or(|tenant| other.tenant.as_ref() == Some(tenant));
            self.replay_provider = other.replay_provider;
            if let (false, Some(key)) = (is_same, other.replay_key()) {
                self.set_identity(&key.0);
                // The identity remains unique, under the provider of this proof.
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

    /// Returns the delivery's ID as the provider sent it. Most are in a header and **not signed**: see
    /// [`delivery_id_is_signed`](Self::delivery_id_is_signed).
    ///
    /// This crate's providers take an ID from the body only if it is signed, such as that of a token.
    #[must_use]
    pub const fn delivery_id(&self) -> Option<&HeaderValue> {
        self.delivery_id.as_ref()
    }

    /// Returns `true` if the signature covers the delivery's ID.
    ///
    /// An attacker who replays a captured request can change an unsigned ID, so it must not decide
    /// whether a delivery was seen before.
    #[must_use]
    pub const fn delivery_id_is_signed(&self) -> bool {
        self.delivery_id_is_signed
    }

    /// Returns `true` if the signature covers every byte of the body.
    #[must_use]
    pub const fn body_is_signed(&self) -> bool {
        self.body_is_signed
    }

    /// Returns the tenant whose secret matched, if the lookup named one.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Returns the key that distinguishes this signed delivery of this tenant from every other, or
    /// `None` if the verifier set no [replay material](Self::with_replay_material).
    ///
    /// Two authentic deliveries with the same signed content have the same key. Take care with a
    /// scheme that signs only the body, because authentic bodies can be identical.
    #[must_use]
    pub fn replay_key(&self) -> Option<ReplayKey> {
        self.hash_identity(Sha256::new_with_prefix(b"tower-webhook replay key 1\0"))
    }

    /// Returns the replay key within a scope; see [`Scope`].
    pub(crate) fn scoped_replay_key(&self, scope: &Scope) -> Option<ReplayKey> {
        self.hash_identity(scope.0.clone())
    }

    /// Returns the key of the event with this ID within a scope, regardless of the delivery's
    /// signature.
    pub(crate) fn scoped_event_key(&self, scope: &Scope, id: &str) -> ReplayKey {
        let mut hash = scope.0.clone();
        hash.update(self.provider);
        // No other identity has this length.
        hash.update([0, EVENT_ID]);
        hash.update(Sha256::digest(id));
        self.hash_tenant(&mut hash);
        ReplayKey(hash.finalize().into())
    }

    /// Adds the tenant to the hash, so that one tenant's ID is not taken for another's.
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
        hash.update([0, identity.len()]);
        hash.update(identity.as_bytes());
        self.hash_tenant(&mut hash);
        Some(ReplayKey(hash.finalize().into()))
    }
}

/// Marker of a request that is **not** proven authentic and was forwarded nevertheless, because the
/// layer is in [report-only mode](crate::SignatureLayer::dangerously_report_only).
///
/// The layer puts it into the request's extensions instead of [`Verified`], never beside it.
#[derive(Clone, Debug)]
pub struct Unverified {
    rejection: Rejection,
}

impl Unverified {
    pub(crate) const fn new(rejection: Rejection) -> Self {
        Self { rejection }
    }

    /// Returns the reason why the request would have been rejected.
    #[must_use]
    pub const fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl fmt::Debug for Verified {
    /// Leaves out the bytes of the replay key, which may be a signature.
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
