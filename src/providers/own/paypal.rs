//! PayPal webhooks.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    crypto::{
        mac::Algorithm,
        public_key::{IntoPublicKeys, PublicKey},
    },
    error::{ConfigError, MAX_SECRETS},
    outcome::{rejection::Rejection, verified::Verified},
    parse::{
        headers::required,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::{SignedTime, Tolerance},
    },
    providers::{
        macros::registered,
        policy::{DAY, DeliveryPolicy},
    },
    scheme::asymmetric::PublicKeys,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const ALGORITHM: &str = "paypal-auth-algo";
const ID: &str = "paypal-transmission-id";
const SIGNATURE: &str = "paypal-transmission-sig";
const TIME: &str = "paypal-transmission-time";
pub(crate) const URL: &str = "paypal-cert-url";

/// PayPal webhooks: RSA of ID, time, webhook ID and a checksum of the body, with the key of a
/// certificate.
///
/// ```no_run
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::PayPal};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let source = PayPal::with_fetched_keys(["4JH86294D6297924G"], &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `paypal-transmission-sig: <base64>`, `paypal-transmission-id`, `paypal-transmission-time`, `paypal-cert-url`, `paypal-auth-algo: SHA256withRSA` |
/// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is that of the certificate |
/// | signed content | `<transmission ID>\|<time>\|<webhook ID>\|<CRC-32 of the body in decimal>` |
/// | proves | that PayPal sent this transmission to your webhook; **the body only against accidents** |
/// | tolerance | 3 days and 7 hours back, because PayPal retries for 3 days, and 5 minutes ahead |
/// | delivery ID | `paypal-transmission-id`, **signed**; the vendor does not say whether a retry has the same |
/// | challenge | none |
///
/// - **A CRC-32 is no hash.** Anyone who has one authentic request can compute another body with the
///   same checksum, and send it within the tolerance.
///   [`body_is_signed`](crate::Verified::body_is_signed) is `false`. Use
///   [replay protection](crate::replay), and fetch the payment from PayPal's API before you deliver
///   something for it. PayPal's API can also
///   [verify a request](https://developer.paypal.com/api/rest/webhooks/rest), which proves the body.
/// - **PayPal signs for all merchants with the same keys**, so a request to another webhook is
///   rejected.
/// - The certificate is fetched only from `https://api.paypal.com/v1/notifications/certs/` and
///   `https://api.sandbox.paypal.com/v1/notifications/certs/`. It must lead to an authority of
///   Mozilla's list, or to one of [yours](crate::fetched_keys::KeyFetcher::root_certificates), must
///   not have expired, and must be for `messageverificationcerts….paypal.com`. Revocation is not
///   checked.
/// - Requests of PayPal's simulator are signed for the webhook ID `WEBHOOK_ID`. Pass it as a further one
///   in tests, and never in production: anyone can have the simulator send a request to your URL.
///   ([PayPal](https://developer.paypal.com/api/rest/webhooks/simulator.md))
///
/// # Settings
///
/// The webhook ID is shown beside the URL of the webhook in the app's settings, and the API returns
/// it when you create the webhook. It is not the ID of an event (`WH-…`).
/// ([PayPal](https://developer.paypal.com/api/rest/webhooks/rest))
///
/// # Evidence
///
/// Vendor vector: `test/unit_tests/notifications_test.py` in paypal/PayPal-Python-SDK @0d704e7, with
/// the certificate that paypal/PayPal-node-SDK @965a132 recorded in `test/mocks/notification.js`.
///
#[doc = crate::providers::macros::page!(PayPal)]
#[derive(Clone, Debug)]
pub struct PayPal(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    webhook_ids: Vec<String>,
    keys: Vec<PublicKey>,
    tolerance: Tolerance,
}

registered! {
    PayPal = "paypal";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(3 * DAY, "https://developer.paypal.com/api/rest/webhooks/rest");
    signature: "RSA of ID, time, webhook ID and the body's CRC-32";
}

impl PayPal {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[SIGNATURE]);

    /// Creates a verifier for requests to the webhooks with these IDs, with these public keys: for
    /// tests. PayPal changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no webhook ID or more than 16, if an ID has a character other than
    /// a letter, a digit and `_`, if a key is not one of RSA, or if there are no keys or more than 16.
    pub fn new<T: Into<String>>(
        webhook_ids: impl IntoIterator<Item = T>,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::of_webhooks(webhook_ids)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn of_webhooks<T: Into<String>>(
        webhook_ids: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let webhook_ids: Vec<String> = webhook_ids.into_iter().map(Into::into).collect();
        let is_id = |id: &String| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            !id.is_empty() && id.bytes().all(is_allowed)
        };
        if webhook_ids.is_empty() || webhook_ids.len() > MAX_SECRETS {
            return Err(ConfigError::IdInvalid { why: "pass 1 to 16 webhook IDs" });
        }
        if !webhook_ids.iter().all(is_id) {
            return Err(ConfigError::IdInvalid {
                why: "a webhook ID has only letters and digits, such as `4JH86294D6297924G`; \
                      an ID with `WH-` is that of an event",
            });
        }
        let tolerance = Self::POLICY.tolerance();
        Ok(Self(Arc::new(Inner { webhook_ids, keys: Vec::new(), tolerance })))
    }

    pub(crate) fn with_keys(mut self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.0).keys = PublicKeys::checked(&[Algorithm::RsaPkcs1Sha256], keys)?;
        Ok(self)
    }

    /// Sets how far the signed time can be off, instead of the provider's default (see above).
    #[must_use]
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        Arc::make_mut(&mut self.0).tolerance = tolerance;
        self
    }
}

/// Returns the URL of a certificate, if PayPal can have one there. Everything is compared as a whole:
/// no port, no user information, no query and no other path.
pub(crate) fn certificate_url(header: &[u8]) -> Option<String> {
    let url = str::from_utf8(header).ok()?;
    let (host, name) = url.strip_prefix("https://")?.split_once("/v1/notifications/certs/")?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_certificate = matches!(host, "api.paypal.com" | "api.sandbox.paypal.com")
        && (1..=100).contains(&name.len())
        && name.bytes().all(is_allowed);
    is_certificate.then(|| url.to_owned())
}

/// State of a verification.
#[doc(hidden)]
#[derive(Debug)]
pub struct PayPalState {
    /// The signed content before the webhook ID.
    start: String,
    id: HeaderValue,
    time: SignedTime,
    signature: Vec<u8>,
    checksum: crc32fast::Hasher,
}

/// Returns the text of a header that is a part of the signed content.
fn part<'a>(head: &'a Parts, name: &'static str) -> Result<&'a str, Rejection> {
    // The separator would make two contents one text.
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'|';
    let text = str::from_utf8(required(head, name)?).ok();
    let text = text.filter(|text| text.bytes().all(is_allowed));
    text.ok_or(Rejection::malformed(name))
}

impl Verifier for PayPal {
    type State = PayPalState;

    fn begin(&self, request: &Context<'_>) -> Result<PayPalState, Rejection> {
        let head = request.head();
        // The header names the algorithm, and does not choose it.
        if !required(head, ALGORITHM)?.eq_ignore_ascii_case(b"SHA256withRSA") {
            return Err(Rejection::malformed(ALGORITHM));
        }
        let signature = STANDARD.decode(required(head, SIGNATURE)?);
        let signature = signature.map_err(|_| Rejection::malformed(SIGNATURE))?;
        let (id, time) = (part(head, ID)?, part(head, TIME)?);
        let start = format!("{id}|{time}|");
        let time = Timestamp::parse(time.as_bytes(), TimestampFormat::Rfc3339);
        let time = time.ok_or(Rejection::malformed(TIME))?;
        let time = self.0.tolerance.judge(time, request.clock());
        let time = time.map_err(|why| why.in_header(TIME))?;
        let id = HeaderValue::try_from(id).map_err(|_| Rejection::malformed(ID))?;
        Ok(PayPalState { start, id, time, signature, checksum: crc32fast::Hasher::new() })
    }

    fn update(&self, state: &mut PayPalState, chunk: &[u8]) {
        state.checksum.update(chunk);
    }

    fn finish(
        &self,
        state: &mut PayPalState,
        _: &Context<'_>,
        _: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let checksum = state.checksum.clone().finalize();
        let Inner { webhook_ids, keys, .. } = &*self.0;
        for webhook_id in webhook_ids {
            let content = format!("{}{webhook_id}|{checksum}", state.start);
            let is_signer =
                |key: &PublicKey| key.verifies_rsa_sha256(content.as_bytes(), &state.signature);
            if let Some(index) = keys.iter().position(is_signer) {
                let mut verified = Verified::new(Self::DEFAULTS.provider())
                    .with_key_index(index)
                    .with_delivery_id(state.id.clone(), true)
                    .with_replay_material(&Sha256::digest(&content))
                    .with_unique_content();
                state.time.record(&mut verified);
                return Ok(verified.into());
            }
        }
        Err(Rejection::mismatch().with_secrets_tried(keys.len()))
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for PayPal {
    /// Adds the headers for the first webhook ID. The ID of the transmission and the URL of the
    /// certificate are made-up ones.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        use crate::{parse::encoding::Encoding, sign::sign::no_private_key};

        let time = TimestampFormat::Rfc3339.write(with.time());
        let id = Encoding::Hex.encode(&Sha256::digest([body, time.as_bytes()].concat())[..16]);
        let webhook_id = self.0.webhook_ids.first().map_or("", String::as_str);
        let content = format!("{id}|{time}|{webhook_id}|{}", crc32fast::hash(body));
        let signature = with.signature(Algorithm::RsaPkcs1Sha256, content.as_bytes());
        let signature = STANDARD.encode(signature.ok_or_else(no_private_key)?);
        for (name, value) in [
            (ALGORITHM, "SHA256withRSA"),
            (ID, &id),
            (SIGNATURE, &signature),
            (TIME, &time),
            (URL, "https://api.paypal.com/v1/notifications/certs/CERT-00000000-00000000-00000000"),
        ] {
            let value = HeaderValue::try_from(value).map_err(|_| Rejection::malformed(name))?;
            head.headers.insert(name, value);
        }
        Ok(None)
    }
}
