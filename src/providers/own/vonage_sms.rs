//! Vonage SMS callbacks.

use bytes::Bytes;
use http::{Method, request::Parts};

#[cfg(feature = "md5")]
use crate::crypto::secret_hash::SecretHash;
use crate::{
    crypto::{
        mac::{Algorithm, Mac, Tag},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        encoding::{Encoding, MAX_TAG},
        form::Form,
        headers::{is_form, is_json},
        json::{self, Value},
        timestamp::{Timestamp, TimestampFormat},
        tolerance::Tolerance,
    },
    providers::{
        macros::registered,
        own::content_keys::{ContentKeys, Key, KeyOf},
        policy::{DAY, DeliveryPolicy},
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

pub(crate) const SIGNATURE: &str = "sig";
pub(crate) const TIME: &str = "timestamp";

const RETRIES: &str = "https://api.support.vonage.com/hc/en-us/articles/360028543292-How-long-does-Vonage-retry-inbound-messages-for-the-SMS-Messages-and-Dispatch-APIs";

/// Maximum number of parameters. Vonage sends about twenty.
const MAX_PARAMETERS: usize = 1024;

/// Vonage's SMS callbacks (formerly Nexmo): a hash of all parameters, in a parameter.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::VonageSms};
///
/// let layer = SignatureLayer::new(VonageSms::hmac_sha256("made-up-signature-secret")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: `sig=<hex>` is a parameter of the query (GET) or of the body (POST) |
/// | algorithm | of the account's settings: MD5 of the content and the secret, Vonage's default, which needs the feature `md5`; or HMAC with MD5 (feature `md5`), SHA-1, SHA-256 or SHA-512 |
/// | signed content | `&<name>=<value>` of each parameter except `sig`, decoded, sorted by name; `&` and `=` in a value are `_` |
/// | tolerance | 26 hours and 24 minutes back, 5 minutes ahead, by the signed parameter `timestamp` in seconds |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - A GET has its parameters in the query, and no body. A POST has them in a form or in a flat JSON
///   object of strings, and only those are signed: **the query of a POST is not**.
/// - The signature covers neither the method nor the URL, nor whether a character of a value is `&`,
///   `=` or `_`. [`body_is_signed`](crate::Verified::body_is_signed) is `false`. Use the parameters as
///   the layer has read them: once decoded, each name once.
/// - A request is rejected if a name occurs twice, or if a name contains `&` or `=`.
///
/// # MD5
///
/// MD5 is broken as a hash: two texts with the same MD5 are found in seconds. For a signature that
/// covers another text, a forger would need a second text for a given MD5, which nobody can find. But
/// anyone who determines a part of a message that Vonage signs can look for two texts of that part
/// with one signature. Nothing can be appended to a signed text, because the secret is behind it.
/// Choose HMAC with SHA-256 or SHA-512 in the account's settings.
///
/// # Secret
///
/// The signature secret of the account, in the API settings of the dashboard. It is not the API
/// secret. ([Vonage](https://developer.vonage.com/en/getting-started/concepts/signing-messages))
///
/// # Settings
///
/// The dashboard also has the algorithm. Callbacks are signed only after Vonage's support has enabled
/// it. ([Vonage](https://developer.vonage.com/en/getting-started/concepts/signing-messages))
///
/// | constructor | algorithm in the dashboard | [by name](crate::providers::by_name) |
/// |---|---|---|
/// | `new` (feature `md5`) | MD5 hash | `vonage_sms` |
/// | `hmac_md5` (feature `md5`) | MD5 HMAC | `vonage_sms_hmac_md5` |
/// | [`hmac_sha1`](Self::hmac_sha1) | SHA1 HMAC | `vonage_sms_hmac_sha1` |
/// | [`hmac_sha256`](Self::hmac_sha256) | SHA-256 HMAC | `vonage_sms_hmac_sha256` |
/// | [`hmac_sha512`](Self::hmac_sha512) | SHA-512 HMAC | `vonage_sms_hmac_sha512` |
///
/// # Not covered
///
/// Webhooks of the Messages, Voice and Verify APIs: they have a JWT in `Authorization`.
///
/// # Evidence
///
/// Vendor vector: `tests/test_signature.py` in Vonage/vonage-python-sdk @38f9b6e; `packages/sms/lib/sms.ts` in
/// Vonage/vonage-node-sdk @1039e35. The vendor names no tolerance.
///
#[doc = crate::providers::macros::page!(VonageSms)]
#[derive(Clone, Debug)]
pub struct VonageSms {
    pub(crate) keys: ContentKeys,
    algorithm: &'static SmsAlgorithm,
    tolerance: Tolerance,
}

registered! {
    VonageSms = "vonage_sms" as "Vonage SMS";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(DAY, RETRIES)
        .gives_up(Some(429), RETRIES);
    signature: "MD5 or HMAC of all parameters";
    #[cfg(feature = "md5")]
    "vonage_sms": Secret timed, p => VonageSms::new(p.secrets);
    #[cfg(feature = "md5")]
    "vonage_sms_hmac_md5": Secret timed, p => VonageSms::hmac_md5(p.secrets);
    "vonage_sms_hmac_sha1": Secret timed, p => VonageSms::hmac_sha1(p.secrets);
    "vonage_sms_hmac_sha256": Secret timed, p => VonageSms::hmac_sha256(p.secrets);
    "vonage_sms_hmac_sha512": Secret timed, p => VonageSms::hmac_sha512(p.secrets);
}

/// An algorithm of the account's settings.
#[derive(Debug)]
struct SmsAlgorithm {
    #[cfg_attr(not(feature = "explain"), allow(dead_code, reason = "explanations name it"))]
    name: &'static str,
    tag_len: usize,
    key: KeyOf,
}

#[cfg(feature = "md5")]
static MD5: SmsAlgorithm = SmsAlgorithm {
    name: "the MD5 hash",
    tag_len: 16,
    key: |secret| Key::HashBefore(SecretHash::md5(secret.clone())),
};
#[cfg(feature = "md5")]
static HMAC_MD5: SmsAlgorithm = SmsAlgorithm {
    name: "HMAC with MD5",
    tag_len: 16,
    key: |secret| Key::Mac(Mac::hmac_md5(secret.expose())),
};
static HMAC_SHA1: SmsAlgorithm = SmsAlgorithm {
    name: "HMAC with SHA-1",
    tag_len: Algorithm::HmacSha1.tag_len(),
    key: |secret| Key::Mac(Mac::hmac_sha1(secret.expose())),
};
static HMAC_SHA256: SmsAlgorithm = SmsAlgorithm {
    name: "HMAC with SHA-256",
    tag_len: Algorithm::HmacSha256.tag_len(),
    key: |secret| Key::Mac(Mac::hmac_sha256(secret.expose())),
};
static HMAC_SHA512: SmsAlgorithm = SmsAlgorithm {
    name: "HMAC with SHA-512",
    tag_len: Algorithm::HmacSha512.tag_len(),
    key: |secret| Key::Mac(Mac::hmac_sha512(secret.expose())),
};

impl VonageSms {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_secret_url().with_sensitive_fields(&[SIGNATURE]);

    /// Creates a verifier of the MD5 hash with these signature secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    #[cfg(feature = "md5")]
    #[cfg_attr(docsrs, doc(cfg(feature = "md5")))]
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(&MD5, secrets)
    }

    /// Creates a verifier of HMAC with MD5.
    ///
    /// # Errors
    ///
    /// See [`hmac_sha256`](Self::hmac_sha256).
    #[cfg(feature = "md5")]
    #[cfg_attr(docsrs, doc(cfg(feature = "md5")))]
    pub fn hmac_md5(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(&HMAC_MD5, secrets)
    }

    /// Creates a verifier of HMAC with SHA-1.
    ///
    /// # Errors
    ///
    /// See [`hmac_sha256`](Self::hmac_sha256).
    pub fn hmac_sha1(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(&HMAC_SHA1, secrets)
    }

    /// Creates a verifier of HMAC with SHA-256 with these signature secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn hmac_sha256(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(&HMAC_SHA256, secrets)
    }

    /// Creates a verifier of HMAC with SHA-512.
    ///
    /// # Errors
    ///
    /// See [`hmac_sha256`](Self::hmac_sha256).
    pub fn hmac_sha512(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::with(&HMAC_SHA512, secrets)
    }

    fn with(
        algorithm: &'static SmsAlgorithm,
        secrets: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        let keys = ContentKeys::new(Self::DEFAULTS.provider(), algorithm.key, secrets)?;
        Ok(Self { keys, algorithm, tolerance: Self::POLICY.tolerance() })
    }

    /// Sets how far the signed time may be off, instead of the provider's default (see above).
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }
}

/// Place of the parameters.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Form,
    Json,
    Query,
}

impl Place {
    pub(crate) fn of(head: &Parts) -> Result<Self, Rejection> {
        match head.method {
            Method::GET => Ok(Self::Query),
            Method::POST if is_form(head)? => Ok(Self::Form),
            Method::POST if is_json(head)? => Ok(Self::Json),
            Method::POST => Err(Rejection::malformed("content-type")),
            _ => Err(Rejection::malformed_in(Field::Method)),
        }
    }

    fn field(self, name: &'static str) -> Field {
        match self {
            Self::Form => Field::form(name),
            Self::Json => Field::json(name),
            Self::Query => Field::query(name),
        }
    }

    /// Returns all parameters.
    pub(crate) fn parameters(self, head: &Parts, body: &[u8]) -> Result<Parameters, Rejection> {
        let text = match self {
            Self::Json => return in_json(body),
            Self::Form => body,
            Self::Query if !body.is_empty() => {
                return Err(Rejection::new(RejectionKind::BodyNotSigned).with_field(Field::Body));
            }
            Self::Query => head.uri.query().unwrap_or_default().as_bytes(),
        };
        let form = Form::parse(text).ok_or(Rejection::malformed_in(self.field("")))?;
        Ok(form.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
    }
}

/// Decoded names and values.
pub(crate) type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

fn in_json(body: &[u8]) -> Result<Parameters, Rejection> {
    let mut parameters = Vec::new();
    let read = json::members(body, &mut |name, value| {
        // Another type of value has no text of its own.
        let value = Value::of(value).into_text().ok_or(json::Malformed)?;
        parameters.push((name.into_owned().into_bytes(), value.into_owned().into_bytes()));
        if parameters.len() > MAX_PARAMETERS { Err(json::Malformed) } else { Ok(()) }
    });
    read.map_err(|_| Rejection::malformed_in(Field::Body))?;
    Ok(parameters)
}

/// The signed content, and the two parameters that the verifier reads.
pub(crate) struct Signed {
    pub(crate) content: Vec<u8>,
    signature: Option<Vec<u8>>,
    time: Option<Vec<u8>>,
}

impl Signed {
    pub(crate) fn read(place: Place, mut parameters: Parameters) -> Result<Self, Rejection> {
        parameters.sort();
        let (mut content, mut signature, mut time) = (Vec::new(), None, None);
        let mut before: Option<&[u8]> = None;
        for (name, value) in &parameters {
            // The handler may take either one of two values.
            if before.replace(name).is_some_and(|before| before == name) {
                return Err(Rejection::new(RejectionKind::Repeated).with_field(place.field("")));
            }
            // Such a name could hold a whole parameter.
            if name.iter().any(|byte| b"&=".contains(byte)) {
                return Err(Rejection::malformed_in(place.field("")));
            }
            if name == SIGNATURE.as_bytes() {
                signature = Some(value.clone());
                continue;
            }
            if name == TIME.as_bytes() {
                time = Some(value.clone());
            }
            content.extend([b"&", &**name, b"="].concat());
            content
                .extend(value.iter().map(|byte| if b"&=".contains(byte) { b'_' } else { *byte }));
        }
        Ok(Self { content, signature, time })
    }
}

impl Verifier for VonageSms {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        Place::of(request.head()).map(drop)
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let head = request.head();
        let place = Place::of(head)?;
        let signed = Signed::read(place, place.parameters(head, body)?)?;
        let text = signed.signature.filter(|text| !text.is_empty());
        let text = text.ok_or(Rejection::missing_in(place.field(SIGNATURE)))?;
        let mut signature = [0; MAX_TAG];
        let signature = &mut signature[..self.algorithm.tag_len];
        let decoded = Encoding::Hex.decode(&text, signature);
        decoded.ok_or(Rejection::malformed_in(place.field(SIGNATURE)))?;
        let mut verified = self.keys.verify(&[&[&signed.content]], &[Tag::new(signature)])?;
        let time = signed.time.ok_or(Rejection::missing_in(place.field(TIME)))?;
        let time = Timestamp::parse(&time, TimestampFormat::UnixSeconds);
        let time = time.ok_or(Rejection::malformed_in(place.field(TIME)))?;
        let time = self.tolerance.judge(time, request.clock());
        time.map_err(|why| why.with_field(place.field(TIME)))?.record(&mut verified);
        Ok(verified.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.probe_algorithms(probe);
        self.keys.probe(probe, |keys| Self { keys, ..self.clone() });
    }
}

#[cfg(feature = "explain")]
impl VonageSms {
    /// Tries the other algorithms of the account's settings.
    fn probe_algorithms(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        use crate::outcome::{cause::Cause, explanation::Finding};

        let others = [
            #[cfg(feature = "md5")]
            &MD5,
            #[cfg(feature = "md5")]
            &HMAC_MD5,
            &HMAC_SHA1,
            &HMAC_SHA256,
            &HMAC_SHA512,
        ];
        for algorithm in others {
            if !std::ptr::eq(algorithm, self.algorithm) {
                let finding = Finding::proven(Cause::Algorithm);
                let finding = finding.with_detail(format!("it is {}", algorithm.name));
                let keys = self.keys.with_key(algorithm.key);
                probe.verifier(finding, &Self { keys, algorithm, ..self.clone() });
            }
        }
    }
}
