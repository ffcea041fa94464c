//! Braintree webhooks.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, request::Parts};
use sha1::{Digest, Sha1};
use subtle::Choice;

#[cfg(feature = "explain")]
use crate::{crypto::secret::Secret, providers::own::variants::probe_secrets};
use crate::{
    crypto::{
        mac::{KeyMatch, Mac, Tag},
        secrets::{IntoSecrets, Secrets},
    },
    error::{ConfigError, MAX_SECRETS},
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{encoding::Encoding, form::Form, headers::is_form},
    providers::{
        macros::{of_pairs, registered},
        other_credentials,
        own::keyring,
        policy::DeliveryPolicy,
    },
    scheme::signature_format::MAX_CANDIDATES,
    verifier::{
        challenge::{challenge::Challenge, response::echo},
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        verifier::Verifier,
    },
};

const SIGNATURE: &str = "bt_signature";
const PAYLOAD: &str = "bt_payload";
const CHALLENGE: &str = "bt_challenge";

/// Braintree webhooks: HMAC-SHA1 of one parameter of a form.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Braintree};
///
/// let layer = SignatureLayer::new(Braintree::new("made-up-public-key", "made-up-private-key")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the form has `bt_signature=<public key>\|<hex>`, several joined by `&`, and `bt_payload` |
/// | algorithm | HMAC-SHA1; the key is the SHA-1 of the private key's text |
/// | signed content | `bt_payload`, decoded from the form, or with one more line feed |
/// | proves | that Braintree signed `bt_payload`; **nothing about other parameters** |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | an unsigned GET with `bt_challenge`: the response is `<public key>\|<hex>` |
///
/// - The public key selects the private key. Use [`key`](Self::key) for others, such as those of a
///   rotation. Signatures by other public keys are skipped.
/// - `bt_payload` is base64 of XML. It may have the characters of base64 and line feeds, and no
///   others.
/// - Anyone can have a challenge signed. A challenge has 20 to 32 digits `0-9a-f`, and a payload of
///   this form is rejected, also with line feeds behind it: it would be signed.
/// - No GET with `bt_challenge` reaches the handler.
/// - The signature is in the body. The layer therefore reads the whole body, up to the body limit,
///   before anything is known about the sender.
///
/// # Secret
///
/// The public key and the private key of an API key pair, in the Control Panel.
/// [`by_name`](crate::providers::by_name) takes them as one string, `<public key>:<private key>`.
/// ([Braintree](https://github.com/braintree/braintree_python/blob/80b03f49e8923e30bdaeeace2acacfcfa7a517cb/braintree/webhook_notification_gateway.py))
///
/// # Evidence
///
/// Vendor vector: braintree/braintree_python @80b03f4 `braintree/webhook_notification_gateway.py`
/// and its tests.
///
#[doc = crate::providers::macros::page!(Braintree)]
#[derive(Clone, Debug)]
pub struct Braintree(Arc<Vec<Key>>);

registered! {
    Braintree = "braintree";
    policy: DeliveryPolicy::UNKNOWN.leaves_body_open();
    signature: "HMAC-SHA1 of one parameter of a form";
    "braintree": KeyIdAndSecret, p => of_pairs!(Braintree, key, KeyIdAndSecret, p);
}

#[derive(Clone, Debug)]
struct Key {
    public: String,
    mac: Mac,
    #[cfg(feature = "explain")]
    secret: Secret,
}

impl Braintree {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        .with_sensitive_fields(&[SIGNATURE])
        .with_challenge(Challenge::Query(CHALLENGE));

    /// Creates a verifier with this public key and its private keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if the public key is empty or contains a character other than visible
    /// ASCII, or `|` or `&`, if a private key is invalid (see
    /// [`Secret::new`](crate::Secret::new)), or if there are none or more than 16.
    pub fn new(public_key: &str, private_keys: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self(Arc::default()).key(public_key, private_keys)
    }

    /// Adds a public key and its private keys.
    ///
    /// [`Verified::key_index`](crate::Verified::key_index) counts all private keys in the order in
    /// which they were added. The first one responds to challenges.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`new`](Self::new), and if there are more than 16
    /// private keys altogether.
    pub fn key(
        mut self,
        public_key: &str,
        private_keys: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        keyring::check(public_key)?;
        if public_key.contains(['|', '&']) {
            return Err(ConfigError::IdInvalid { why: "it contains `|` or `&`" });
        }
        let keys = Arc::make_mut(&mut self.0);
        let secrets: Secrets = private_keys.into_secrets()?;
        let provider = Self::DEFAULTS.provider();
        for secret in other_credentials::checked(secrets, keys.len(), provider)? {
            keys.push(Key {
                public: public_key.to_owned(),
                mac: Mac::hmac_sha1(&Sha1::digest(secret.expose())),
                #[cfg(feature = "explain")]
                secret,
            });
        }
        Ok(self)
    }

    /// Returns the index of the private key that signed the payload.
    fn key_index(&self, signatures: &[u8], payload: &[u8]) -> Result<usize, Rejection> {
        let malformed = || Rejection::malformed_in(Field::form(SIGNATURE));
        let tags = |key: &Key| {
            let mut mac = key.mac.clone();
            mac.update(payload);
            let plain = mac.clone().finalize();
            mac.update(b"\n");
            [plain, mac.finalize()]
        };
        let tags: Vec<[Tag; 2]> = self.0.iter().map(tags).collect();
        let mut matches = [None; MAX_SECRETS];
        let (mut count, mut is_readable) = (0, false);
        for pair in signatures.split(|byte| *byte == b'&') {
            count += 1;
            let Some(bar) = pair.iter().position(|byte| *byte == b'|') else { continue };
            let mut candidate = [0; 20];
            if count > MAX_CANDIDATES {
                return Err(malformed());
            }
            if Encoding::Hex.decode(&pair[bar + 1..], &mut candidate).is_none() {
                continue;
            }
            is_readable = true;
            for ((key, tags), is_match) in self.0.iter().zip(&tags).zip(&mut matches) {
                if key.public.as_bytes() == &pair[..bar] {
                    let [plain, longer] = tags;
                    let is_it = plain.matches(&candidate) | longer.matches(&candidate);
                    *is_match = Some(is_match.unwrap_or(Choice::from(0)) | is_it);
                }
            }
        }
        if !is_readable {
            return Err(malformed());
        }
        let mut matched = KeyMatch::new();
        for (index, is_match) in matches.into_iter().enumerate() {
            if let Some(is_match) = is_match {
                matched.add(index, is_match);
            }
        }
        matched.accepted().map_err(|why| why.with_field(Field::form(SIGNATURE)))
    }
}

/// Returns `true` for a text that the layer would sign as a challenge.
fn is_challenge(text: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (20..=32).contains(&text.len()) && text.iter().all(is_digit)
}

/// Returns the payload without the line feeds at its end.
fn trimmed(payload: &[u8]) -> &[u8] {
    let end = payload.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
    &payload[..end]
}

/// Rejects a payload that could be the text of a challenge, which anyone can have signed. Verifiers
/// of the vendor sign a challenge with a line feed behind it, too.
fn check_payload(payload: &[u8]) -> Result<(), Rejection> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\n".contains(byte);
    if payload.iter().all(is_allowed) && !is_challenge(trimmed(payload)) {
        Ok(())
    } else {
        Err(Rejection::malformed_in(Field::form(PAYLOAD)))
    }
}

/// Rejects a body that is not a form.
fn check_type(head: &Parts) -> Result<(), Rejection> {
    if is_form(head)? { Ok(()) } else { Err(Rejection::malformed_in(Field::Body)) }
}

impl Verifier for Braintree {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        check_type(request.head())
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        check_type(request.head())?;
        let form = Form::parse(body).ok_or(Rejection::malformed_in(Field::Body))?;
        let only = |name| {
            form.only(name).map_err(|kind| Rejection::new(kind).with_field(Field::form(name)))
        };
        let [signatures, payload] = [only(SIGNATURE)?, only(PAYLOAD)?];
        check_payload(payload)?;
        let key_index = self.key_index(signatures, payload)?;
        // A payload is valid with and without its last line feed.
        let verified = Verified::new(Self::DEFAULTS.provider()).with_key_index(key_index);
        Ok(verified.with_replay_material(trimmed(payload)).into())
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let head = request.head();
        // Only GET, so that no other method bypasses verification.
        if head.method != Method::GET {
            return None;
        }
        let form = Form::parse(head.uri.query()?.as_bytes())?;
        form.first(CHALLENGE)?;
        let key = self.0.first()?;
        let challenge = form.only(CHALLENGE).ok().filter(|challenge| is_challenge(challenge));
        Some(match challenge {
            None => Err(Rejection::new(RejectionKind::ChallengeMalformed)),
            Some(challenge) => {
                let mut mac = key.mac.clone();
                mac.update(challenge);
                let hex = Encoding::Hex.encode(mac.finalize().as_bytes());
                Ok(echo(format!("{}|{hex}", key.public).as_bytes()))
            }
        })
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let credentials = other_credentials::of(Self::DEFAULTS.provider());
        for key in self.0.iter() {
            probe_secrets(probe, std::slice::from_ref(&key.secret), credentials, |secret| {
                let mac = Mac::hmac_sha1(&Sha1::digest(secret.expose()));
                Self(Arc::new(vec![Key { public: key.public.clone(), mac, secret }]))
            });
        }
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Braintree {
    /// Adds `bt_signature` to a form with `bt_payload`.
    fn sign(
        &self,
        _: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let form = Form::parse(body).ok_or(Rejection::malformed_in(Field::Body))?;
        let payload = form.only(PAYLOAD).map_err(Rejection::new)?;
        check_payload(payload)?;
        let key = self.0.first().ok_or(Rejection::mismatch())?;
        let mut mac = key.mac.clone();
        mac.update(payload);
        let hex = Encoding::Hex.encode(mac.finalize().as_bytes());
        let public: String = key.public.bytes().map(|byte| format!("%{byte:02X}")).collect();
        Ok(Some([format!("{SIGNATURE}={public}%7C{hex}&").as_bytes(), body].concat().into()))
    }
}
