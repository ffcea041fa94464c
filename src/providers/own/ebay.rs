//! eBay notifications.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Response};
use sha2::{Digest, Sha256};

use crate::{
    crypto::{
        mac::Algorithm,
        public_key::{IntoPublicKeys, PublicKey},
        secret::Secret,
    },
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        encoding::{self, Encoding},
        form::Form,
        headers::required,
        json::{Value, field, json_path},
    },
    providers::{macros::registered, policy::DeliveryPolicy},
    scheme::asymmetric::PublicKeys,
    verifier::{
        challenge::{
            challenge::Challenge,
            response::{is_token, json_answer},
        },
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        verifier::Verifier,
    },
};

pub(crate) const SIGNATURE: &str = "x-ebay-signature";
const CHALLENGE: &str = "challenge_code";

/// eBay notifications, such as those of account deletions: ECDSA of the body by its SHA-1.
///
/// ```
/// use tower_webhook::{PublicKey, Secret, SignatureLayer, providers::EBay};
///
/// let key = PublicKey::from_spki_base64(
///     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZhhxXKtR+TOvtDbgTPCkSof02qgB\
///      B7IsYOyf76ilExJ/upAa/vKIKheOoCyOpcLmi4t0b4uepb7LLjmMr90FUg==",
/// )?;
/// let token = Secret::new("made-up-verification-token-of-32-characters")?;
/// let ebay = EBay::new(key)?.verification_token(token, "https://example.com/ebay");
/// let layer = SignatureLayer::new(ebay);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-ebay-signature`: base64 of `{"alg":"ecdsa","kid":"<ID>","signature":"<base64>","digest":"SHA1"}` |
/// | algorithm | ECDSA P-256 with SHA-1, in DER; the key is that of eBay's API, [`PublicKey::from_spki_base64`](crate::PublicKey::from_spki_base64) |
/// | signed content | the body |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | `notification.notificationId` in the body |
/// | challenge | an unsigned GET with `challenge_code`, with [`verification_token`](Self::verification_token) |
///
/// - `kid` names the key. Use `EBay::with_fetched_keys` (feature `fetched-keys`), which fetches it.
///   `EBay::new` tries the keys that you pin, and ignores `kid`.
/// - **SHA-1 is broken**: whoever can make eBay sign a text of their own choice could prepare two
///   texts with one signature. No other forgery is known. eBay offers no other digest, and other
///   values of `alg` and `digest` are rejected.
/// - eBay signs for all applications with the same keys: an authentic notification to another
///   application is accepted here, too.
///
/// # Secret
///
/// The verification token of the challenge. You choose it, with 32 to 80 letters, digits, `_` and
/// `-`, and enter it with the endpoint under *Alerts & Notifications* in the developer portal.
/// ([eBay](https://developer.ebay.com/marketplace-account-deletion))
///
/// # Evidence
///
/// Vendor vector: `test/test.json` in eBay/event-notification-nodejs-sdk @5e8f66e, and for the
/// challenge the tests of eBay/event-notification-dotnet-sdk.
///
#[doc = crate::providers::macros::page!(EBay)]
#[derive(Clone, Debug)]
pub struct EBay(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    keys: Vec<PublicKey>,
    challenge: Option<Answer>,
}

/// Parts of the response to a challenge.
#[derive(Clone, Debug)]
struct Answer {
    token: Secret,
    endpoint: String,
}

registered! {
    EBay = "ebay" as "eBay";
    policy: DeliveryPolicy::UNKNOWN
        .known_by("notification.notificationId", "https://developer.ebay.com/marketplace-account-deletion")
        .demands(http::StatusCode::PRECONDITION_FAILED, "https://developer.ebay.com/marketplace-account-deletion");
    signature: "ECDSA P-256 with SHA-1 of the body";
    "ebay": PublicKey, p => EBay::new(p.public_keys()?);
}

impl EBay {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        .with_sensitive_headers(&[SIGNATURE])
        .with_challenge(Challenge::Query(CHALLENGE));

    /// Creates a verifier with these public keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not one of ECDSA with P-256, or if there are none or more than
    /// 16.
    pub fn new(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        let keys = PublicKeys::checked(&[Algorithm::EcdsaP256Sha256], keys.into_public_keys())?;
        Ok(Self(Arc::new(Inner { keys, challenge: None })))
    }

    /// Creates a verifier that waits for its keys, and accepts no request.
    #[cfg(feature = "fetched-keys")]
    pub(crate) fn without_keys() -> Self {
        Self(Arc::new(Inner { keys: Vec::new(), challenge: None }))
    }

    /// Responds to challenges with this verification token, for the endpoint with this URL.
    ///
    /// Pass the URL as you entered it at eBay, to the letter. The response is
    /// `{"challengeResponse":"<hex>"}`, with the SHA-256 of code, token and URL. Anyone can obtain it
    /// for a code of their choice, so choose a token at random.
    #[must_use]
    pub fn verification_token(mut self, token: Secret, endpoint: &str) -> Self {
        let endpoint = endpoint.to_owned();
        Arc::make_mut(&mut self.0).challenge = Some(Answer { token, endpoint });
        self
    }
}

/// The header of a notification.
struct Header {
    #[cfg_attr(not(feature = "fetched-keys"), expect(dead_code, reason = "all keys are tried"))]
    kid: String,
    signature: Vec<u8>,
}

impl Header {
    /// Reads a header, or returns `None` if it does not have eBay's form.
    fn read(value: &[u8]) -> Option<Self> {
        let json = STANDARD.decode(value).ok()?;
        let text = |name| field(&json, name).ok().flatten().and_then(Value::into_text);
        // The header names the algorithm, and does not choose it.
        let is = |name, wanted: &str| text(name).is_some_and(|it| it.eq_ignore_ascii_case(wanted));
        if !is("alg", "ecdsa") || !is("digest", "sha1") {
            return None;
        }
        let signature = encoding::BASE64_KEY.decode(&*text("signature")?).ok()?;
        Some(Self { kid: text("kid")?.into_owned(), signature })
    }
}

/// Returns the ID of the key in a header, or `None` if the header is malformed. It is a UUID.
#[cfg(feature = "fetched-keys")]
pub(crate) fn key_id(header: &[u8]) -> Option<String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    Header::read(header)
        .map(|header| header.kid)
        .filter(|kid| (1..=64).contains(&kid.len()) && kid.bytes().all(is_allowed))
}

impl Verifier for EBay {
    /// The signature.
    type State = Vec<u8>;

    fn begin(&self, request: &Context<'_>) -> Result<Vec<u8>, Rejection> {
        let header = Header::read(required(request.head(), SIGNATURE)?);
        header.map(|header| header.signature).ok_or(Rejection::malformed(SIGNATURE))
    }

    fn finish(
        &self,
        signature: &mut Vec<u8>,
        _: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let keys = &self.0.keys;
        let index = keys.iter().position(|key| key.verifies_sha1(body, signature));
        let index = index.ok_or(Rejection::mismatch().with_secrets_tried(keys.len()))?;
        // The content identifies the delivery: ECDSA has several signatures of it.
        let mut verified = Verified::new(Self::DEFAULTS.provider())
            .with_key_index(index)
            .with_replay_material(&Sha256::digest(body))
            .with_signed_body();
        verified.event_id = Self::POLICY.event();
        let has_id = Self::POLICY.event().is_some_and(|id| json_path(body, id.path).is_some());
        Ok(if has_id { verified.with_unique_content() } else { verified }.into())
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let (head, answer) = (request.head(), self.0.challenge.as_ref()?);
        // Only GET, so that no other method bypasses verification.
        if head.method != Method::GET {
            return None;
        }
        let form = Form::parse(head.uri.query()?.as_bytes())?;
        form.first(CHALLENGE)?;
        let code = form.only(CHALLENGE).ok().filter(|code| is_token(code));
        Some(match code {
            None => Err(Rejection::new(RejectionKind::ChallengeMalformed)),
            Some(code) => {
                let parts = [code, answer.token.expose(), answer.endpoint.as_bytes()].concat();
                let hash = Encoding::Hex.encode(&Sha256::digest(parts));
                Ok(json_answer(&format!(r#"{{"challengeResponse":"{hash}"}}"#)))
            }
        })
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for EBay {
    /// Adds `x-ebay-signature`. The ID of the key is a made-up one.
    fn sign(
        &self,
        head: &mut http::request::Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use crate::sign::sign::no_private_key;

        let signature = with.signature_with_sha1(body).ok_or_else(no_private_key)?;
        let signature = STANDARD.encode(signature);
        let json = format!(
            r#"{{"alg":"ecdsa","kid":"00000000-0000-4000-8000-000000000000","signature":"{signature}","digest":"SHA1"}}"#
        );
        let value = http::HeaderValue::try_from(STANDARD.encode(json));
        head.headers.insert(SIGNATURE, value.map_err(|_| Rejection::malformed(SIGNATURE))?);
        Ok(None)
    }
}
