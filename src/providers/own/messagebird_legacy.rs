//! Webhooks of the MessageBird API, signed by its older scheme.

use std::fmt::Write as _;

use bytes::Bytes;
use http::request::Parts;
use sha2::{Digest, Sha256};

use crate::{
    crypto::{mac::Mac, secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        encoding::Encoding,
        form::Form,
        headers::required,
        timestamp::TimestampFormat,
        tolerance::{Times, Tolerance},
    },
    providers::{
        macros::registered,
        own::content_keys::{ContentKeys, Key, signature, signed_time},
        policy::DeliveryPolicy,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const SIGNATURE: &str = "messagebird-signature";
const TIME: &str = "messagebird-request-timestamp";

/// Webhooks of the MessageBird API: HMAC-SHA256 of time, sorted query and the body's digest.
///
/// MessageBird has replaced this scheme with a JWT. [`Bird`](crate::providers::Bird) is the newer platform: its
/// headers have the same names, and it signs the URL in place of the query.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::MessageBirdLegacy};
///
/// let layer = SignatureLayer::new(MessageBirdLegacy::new("made-up-signing-key")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `messagebird-signature: <base64>`, `messagebird-request-timestamp: <seconds>` |
/// | algorithm | HMAC-SHA256; the key is the signing key |
/// | signed content | `<time>\n<query>\n<SHA-256 digest of the body>`, the query sorted by name |
/// | tolerance | 100 seconds back, 5 minutes ahead |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - The vendor's SDKs differ in the escapes of the query: that for Java seems to leave them as received, the
///   others write them again. Both texts are tried.
/// - A parameter that occurs twice is rejected.
/// - The signature covers neither the method nor the path.
///
/// # Secret
///
/// The signing key of the account, in the developer settings of the dashboard.
/// ([MessageBird](https://github.com/messagebird/go-rest-api/blob/e0a41ed5af761d3bf62a0cafb918cd90b5834d02/signature/signature.go))
///
/// # Not covered
///
/// `MessageBird-Signature-JWT`, the newer signature.
///
/// # Evidence
///
/// Vendor vector: `signature/signature_test.go` in messagebird/go-rest-api @e0a41ed. The tolerance is
/// that of `lib/signature.js` in messagebird/messagebird-nodejs @2d8b7de, which has no limit ahead;
/// the SDK for Go accepts 2.5 seconds both ways.
///
#[doc = crate::providers::macros::page!(MessageBirdLegacy)]
#[derive(Clone, Debug)]
pub struct MessageBirdLegacy {
    keys: ContentKeys,
    tolerance: Tolerance,
}

registered! {
    MessageBirdLegacy = "messagebird_legacy" as "MessageBird, legacy";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries()
        .window(100, "https://github.com/messagebird/messagebird-nodejs/blob/2d8b7de16c6c4c24829bc009dfa29c59a68ab189/lib/signature.js");
    signature: "HMAC-SHA256 of time, query and the body's digest";
    "messagebird_legacy": Secret timed, p => MessageBirdLegacy::new(p.secrets);
}

impl MessageBirdLegacy {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[SIGNATURE]);

    /// Creates a verifier with these signing keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(signing_keys: impl IntoSecrets) -> Result<Self, ConfigError> {
        let mac = |secret: &Secret| Key::Mac(Mac::hmac_sha256(secret.expose()));
        let keys = ContentKeys::new(Self::DEFAULTS.provider(), mac, signing_keys)?;
        Ok(Self { keys, tolerance: Self::POLICY.tolerance() })
    }

    /// Sets how far the signed time may be off, instead of the provider's default (see above).
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }
}

/// Returns the signed content with the query as received, and with its escapes written again. The
/// second one is the same for each way to write the query.
fn contents(head: &Parts, body: &[u8]) -> Result<[Vec<u8>; 2], Rejection> {
    let query = head.uri.query().unwrap_or_default();
    let malformed = |kind| Rejection::new(kind).with_field(Field::query(""));
    let mut form = Form::parse(query.as_bytes()).ok_or(malformed(RejectionKind::Malformed))?;
    form.sort();
    let (mut written, mut before) = (String::new(), None);
    for (name, value) in form.iter() {
        // The handler may take either one of two values.
        if before.replace(name) == Some(name) {
            return Err(malformed(RejectionKind::Repeated));
        }
        let and = if written.is_empty() { "" } else { "&" };
        written.extend([and, &escaped(name), "=", &escaped(value)]);
    }
    let mut received: Vec<_> = query.split('&').collect();
    received.sort_by_key(|pair| pair.split('=').next());
    // `Bird` signs its URL in this place, with the same headers and perhaps the same key.
    let scheme =
        received.first().and_then(|first| first.split_once("://")).map(|(scheme, _)| scheme);
    if scheme
        .is_some_and(|scheme| ["http", "https"].iter().any(|it| scheme.eq_ignore_ascii_case(it)))
    {
        return Err(malformed(RejectionKind::Malformed));
    }
    let (time, digest) = (required(head, TIME)?, Sha256::digest(body));
    let content = |query: &str| [time, b"\n", query.as_bytes(), b"\n", &*digest].concat();
    Ok([content(&received.join("&")), content(&written)])
}

/// Escapes a text for a query as the vendor's SDK for Go does.
fn escaped(text: &[u8]) -> String {
    let mut escaped = String::new();
    for &byte in text {
        match byte {
            b' ' => escaped.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                escaped.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}

impl Verifier for MessageBirdLegacy {
    type State = Times;

    fn begin(&self, request: &Context<'_>) -> Result<Times, Rejection> {
        signature(request.head(), SIGNATURE, Encoding::Base64)?;
        signed_time(request, TIME, TimestampFormat::UnixSeconds, self.tolerance)
    }

    fn finish(
        &self,
        times: &mut Times,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let head = request.head();
        let signature = signature(head, SIGNATURE, Encoding::Base64)?;
        let [received, written] = contents(head, body)?;
        let verified =
            self.keys.verify_timed(&[&[&received], &[&written]], &[signature], *times)?;
        Ok(verified.with_signed_body().into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.keys.probe(probe, |keys| Self { keys, ..self.clone() });
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for MessageBirdLegacy {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use crate::providers::own::shared_token::put;

        let time = TimestampFormat::UnixSeconds.write(with.time());
        put(head, &http::HeaderName::from_static(TIME), time.as_bytes())?;
        let [_, content] = contents(head, body)?;
        let signature = Encoding::Base64.encode(self.keys.tag(&[&content])?.as_bytes());
        put(head, &http::HeaderName::from_static(SIGNATURE), signature.as_bytes())?;
        Ok(None)
    }
}
