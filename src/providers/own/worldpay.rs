use std::{fmt, mem, sync::Arc};

use bytes::Bytes;
use http::request::Parts;
use subtle::Choice;

use crate::{
    crypto::{
        mac::{KeyMatch, Mac},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::{encoding, headers::required},
    providers::{apply, other_credentials, own::keyring},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const HEADER: &str = "event-signature";

/// Most signatures in one request.
const MAX_SIGNATURES: usize = 16;

/// Worldpay (Access Worldpay).
///
/// | | |
/// |---|---|
/// | header | `Event-Signature: <key id>/SHA256/<hex>[,<key id>/SHA256/<hex>]`; each key id picks its secret, and signatures with other ids or hashes are skipped |
/// | algorithm | HMAC-SHA256; key: the shared secret as it is |
/// | signed content | the body |
/// | freshness | none: a captured request can be sent again |
/// | delivery id | in the body (`eventId`) |
/// | challenge | none |
/// | status | 400, which Worldpay documents (<https://docs.worldpay.com/access/products/events/signature>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's documentation: <https://docs.worldpay.com/access/products/events/signature> |
#[derive(Clone)]
pub struct Worldpay(Arc<Vec<Key>>);

#[derive(Clone)]
struct Key {
    id: String,
    mac: Mac,
}

impl Worldpay {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults =
        apply::defaults("worldpay").with_sensitive_headers(&[HEADER]);

    /// Creates a verifier with the key of this id, a number, and its secrets. A request without a
    /// signature by it is refused before its body is read.
    ///
    /// # Errors
    ///
    /// When the id is empty or cannot stand in the header, as [`Secret::new`](crate::Secret::new), and when
    /// there are none or more than 16.
    pub fn new(id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self(Arc::default()).key(id, secrets)
    }

    /// Accepts a further key, or further secrets of one that was named before. [`Verified::key_index`]
    /// counts the secrets of all keys in the order in which they were given.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and when there are more than 16 secrets of all keys.
    pub fn key(mut self, id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        keyring::check(id)?;
        if id.contains(['/', ',']) {
            return Err(ConfigError::IdInvalid { why: "it has a `/` or `,`, as no key id has" });
        }
        let keys = Arc::make_mut(&mut self.0);
        let secrets = other_credentials::checked(secrets, keys.len(), Self::DEFAULTS.provider())?;
        keys.extend(
            secrets
                .iter()
                .map(|secret| Key { id: id.to_owned(), mac: Mac::hmac_sha256(secret.expose()) }),
        );
        Ok(self)
    }

    /// Calls `visit` with the index of each key that a signature names, and the signature. Tells
    /// whether there is any that can be read.
    fn each_signature(
        &self,
        head: &Parts,
        visit: &mut dyn FnMut(usize, &[u8; 32]),
    ) -> Result<bool, Rejection> {
        let value = required(head, HEADER)?;
        let mut is_readable = false;
        for (count, item) in value.split(|byte| *byte == b',').enumerate() {
            if count == MAX_SIGNATURES {
                return Err(Rejection::malformed(HEADER));
            }
            let mut parts = item.split(|byte| *byte == b'/');
            let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
            // One that cannot be read is no reason to lose the good one beside it.
            let [Some(id), Some(b"SHA256"), Some(hex), None] = parts else { continue };
            let mut signature = [0; 32];
            let Some(()) = encoding::decode_hex(hex, &mut signature) else { continue };
            is_readable = true;
            for (index, key) in self.0.iter().enumerate() {
                if key.id.as_bytes() == id {
                    visit(index, &signature);
                }
            }
        }
        Ok(is_readable)
    }
}

/// Carried from the head to the end of the body.
#[doc(hidden)]
pub struct WorldpayState(Vec<Mac>);

impl Verifier for Worldpay {
    type State = WorldpayState;

    fn begin(&self, request: &Context<'_>) -> Result<WorldpayState, Rejection> {
        let mut is_named = false;
        if !self.each_signature(request.head(), &mut |_, _| is_named = true)? {
            return Err(Rejection::malformed(HEADER));
        }
        if !is_named {
            return Err(Rejection::mismatch().in_header(HEADER));
        }
        Ok(WorldpayState(self.0.iter().map(|key| key.mac.clone()).collect()))
    }

    fn update(&self, state: &mut WorldpayState, chunk: &[u8]) {
        state.0.iter_mut().for_each(|mac| mac.update(chunk));
    }

    fn finish(
        &self,
        state: &mut WorldpayState,
        request: &Context<'_>,
        _: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let tags: Vec<_> = mem::take(&mut state.0).into_iter().map(Mac::finalize).collect();
        let mut matches = vec![Choice::from(0); tags.len()];
        self.each_signature(request.head(), &mut |index, signature| {
            if let (Some(tag), Some(is_match)) = (tags.get(index), matches.get_mut(index)) {
                *is_match |= tag.matches(signature);
            }
        })?;
        let mut matched = KeyMatch::new();
        for (index, is_match) in matches.into_iter().enumerate() {
            matched.add(index, is_match);
        }
        let key_index = matched.accepted()?;
        let verified =
            Verified::new(Self::DEFAULTS.provider()).with_key_index(key_index).with_signed_body();
        // Always the tag under the oldest key: whoever leaves out one of two signatures must not make
        // a new delivery, nor must a rotation.
        let verified = match tags.last() {
            Some(tag) => verified.with_replay_material(tag.as_bytes()),
            None => verified,
        };
        Ok(verified.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Worldpay {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let Key { id, mut mac } = self.0.first().cloned().ok_or(Rejection::mismatch())?;
        mac.update(body);
        let hex = encoding::Encoding::Hex.encode(mac.finalize().as_bytes());
        let malformed = |_| Rejection::malformed(HEADER);
        let value = http::HeaderValue::try_from(format!("{id}/SHA256/{hex}")).map_err(malformed)?;
        head.headers.insert(HEADER, value);
        Ok(None)
    }
}

impl fmt::Debug for Worldpay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worldpay").field("keys", &self.0.len()).finish()
    }
}

impl fmt::Debug for WorldpayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldpayState").finish_non_exhaustive()
    }
}
