//! Access Worldpay webhooks.

use std::{fmt, mem, sync::Arc};

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use subtle::Choice;

#[cfg(feature = "explain")]
use crate::outcome::{cause::Cause, explanation::Finding};
#[cfg(feature = "explain")]
use crate::providers::own::variants::probe_secrets;
use crate::{
    crypto::{
        mac::{KeyMatch, Mac},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::{encoding, headers::required},
    providers::{
        macros::{of_pairs, registered},
        other_credentials,
        own::keyring,
        policy::DeliveryPolicy,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const HEADER: &str = "event-signature";

/// Maximum number of signatures in one request.
const MAX_SIGNATURES: usize = 16;

/// Worldpay webhooks (Access Worldpay): HMAC-SHA256 of the body, with the key of an ID.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Worldpay};
///
/// let layer = SignatureLayer::new(Worldpay::new("1", "made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `event-signature: <key ID>/SHA256/<hex>[,<key ID>/SHA256/<hex>]` |
/// | algorithm | HMAC-SHA256; the key is the shared secret |
/// | signed content | the body |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | `eventId` in the body |
/// | challenge | none |
///
/// The key ID selects the secret. Signatures with other IDs or hashes are skipped.
///
/// # Evidence
///
/// Vendor's documentation: <https://docs.worldpay.com/access/products/events/signature>.
///
#[doc = crate::providers::macros::page!(Worldpay)]
#[derive(Clone)]
pub struct Worldpay(Arc<Vec<Key>>);

registered! {
    Worldpay = "worldpay";
    policy: DeliveryPolicy::UNKNOWN
        .demands(StatusCode::BAD_REQUEST, "https://docs.worldpay.com/access/products/events/signature");
    signature: "HMAC-SHA256 of the body, with the key of an ID";
    "worldpay": KeyIdAndSecret, p => of_pairs!(Worldpay, key, KeyIdAndSecret, p);
}

#[derive(Clone)]
struct Key {
    id: String,
    mac: Mac,
    #[cfg(feature = "explain")]
    secret: crate::crypto::secret::Secret,
}

impl Worldpay {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[HEADER]);

    /// Creates a verifier with this key ID, a number, and its secrets.
    ///
    /// A request without a signature of this key is rejected before its body is read.
    ///
    /// # Errors
    ///
    /// Returns an error if the ID is empty or contains a character that the header cannot carry, if
    /// a secret is invalid (see [`Secret::new`](crate::crypto::secret::Secret::new)) or not in the provider's
    /// format, or if there are none or more than 16.
    pub fn new(id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self(Arc::default()).key(id, secrets)
    }

    /// Adds a key, or secrets of a key that was added before.
    ///
    /// [`Verified::key_index`] counts the secrets of all keys in the order in which they were
    /// added.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`new`](Self::new), and if all keys together have more
    /// than 16 secrets.
    pub fn key(mut self, id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        keyring::check(id)?;
        if id.contains(['/', ',']) {
            return Err(ConfigError::IdInvalid {
                why: "it contains `/` or `,`, which separate the parts of the header",
            });
        }
        let keys = Arc::make_mut(&mut self.0);
        let secrets = other_credentials::checked(secrets, keys.len(), Self::DEFAULTS.provider())?;
        keys.extend(secrets.iter().map(|secret| Key {
            id: id.to_owned(),
            mac: Mac::hmac_sha256(secret.expose()),
            #[cfg(feature = "explain")]
            secret: secret.clone(),
        }));
        Ok(self)
    }

    /// Calls `visit` with each signature and the index of each key that it names. Returns whether
    /// any signature can be parsed.
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
            // A signature that cannot be parsed does not invalidate the others.
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

/// State of a verification, from the head to the end of the body.
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
        // Always use the tag of the oldest key, so that neither a replay without one of two
        // signatures nor a rotation makes a new delivery.
        let verified = match tags.last() {
            Some(tag) => verified.with_replay_material(tag.as_bytes()),
            None => verified,
        };
        Ok(verified.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        // The IDs of the request, from the beginnings of its signatures.
        let value = required(probe.head(), HEADER).unwrap_or_default();
        let ids = value.split(|byte| *byte == b',').filter_map(|item| {
            str::from_utf8(item.split(|byte| *byte == b'/').next()?).ok().map(str::to_owned)
        });
        for id in ids.take(MAX_SIGNATURES) {
            for key in self.0.iter().filter(|key| key.id != id) {
                let finding = Finding::proven(Cause::KeyId).for_operator();
                let detail = format!("the secret is configured under the ID {:?}", key.id);
                let variant = Self(Arc::new(vec![Key { id: id.clone(), ..key.clone() }]));
                probe.verifier(finding.with_detail(detail), &variant);
            }
        }
        for key in self.0.iter() {
            let credentials = other_credentials::of(Self::DEFAULTS.provider());
            let verifier = |secret: crate::crypto::secret::Secret| {
                let mac = Mac::hmac_sha256(secret.expose());
                Self(Arc::new(vec![Key { id: key.id.clone(), mac, secret }]))
            };
            probe_secrets(probe, std::slice::from_ref(&key.secret), credentials, verifier);
        }
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
        let Key { id, mut mac, .. } = self.0.first().cloned().ok_or(Rejection::mismatch())?;
        mac.update(body);
        let hex = encoding::Encoding::Hex.encode(mac.finalize().as_bytes());
        let header = http::HeaderName::from_static(HEADER);
        let value = format!("{id}/SHA256/{hex}");
        crate::providers::own::shared_token::put(head, &header, value.as_bytes())?;
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
