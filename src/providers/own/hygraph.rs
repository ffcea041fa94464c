//! Hygraph webhooks.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::request::Parts;

#[cfg(feature = "explain")]
use crate::{crypto::secret::Secret, providers::own::variants::probe_secrets};
use crate::{
    crypto::{
        mac::{KeyMatch, Mac, Tag},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::{
        encoding::Encoding,
        headers::required,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::Tolerance,
    },
    providers::{macros::registered, other_credentials, policy::DeliveryPolicy},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const HEADER: &str = "gcms-signature";

/// Number of bytes that are escaped at a time.
const CHUNK: usize = 1024;

/// Hygraph (GraphCMS) webhooks: HMAC-SHA256 of body, environment and time.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Hygraph};
///
/// let layer = SignatureLayer::new(Hygraph::new("made-up-secret")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `gcms-signature: sign=<base64>, env=<environment>, t=<milliseconds>` |
/// | algorithm | HMAC-SHA256; the key is the secret string |
/// | signed content | `{"Body":<body>,"EnvironmentName":<environment>,"TimeStamp":<milliseconds>}`, with body and environment as JSON strings, written as JavaScript does |
/// | tolerance | 24 hours back, 5 minutes ahead |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - The three parts of the header are in this order.
/// - The body must be UTF-8: JavaScript replaces other bytes.
/// - Hygraph's own verifier checks no time. The tolerance is this long because it is not known
///   whether a retry carries the first attempt's time.
///
/// # Secret
///
/// You choose it when you create the webhook.
/// ([Hygraph](https://github.com/hygraph/hygraph-utils/blob/d130b4a3a6ce490b8da9c2506729b056f1d3bf66/README.md))
///
/// # Evidence
///
/// Vendor's source: hygraph/hygraph-utils @d130b4a `index.js`.
///
#[doc = crate::providers::macros::page!(Hygraph)]
#[derive(Clone, Debug)]
pub struct Hygraph {
    keys: Arc<Vec<Mac>>,
    #[cfg(feature = "explain")]
    secrets: Arc<Vec<Secret>>,
    tolerance: Tolerance,
}

registered! {
    Hygraph = "hygraph";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries();
    signature: "HMAC-SHA256 of body, environment and time";
    "hygraph": Secret timed, p => Hygraph::new(p.secrets);
}

impl Hygraph {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[HEADER]);

    /// Creates a verifier with these secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let secrets = other_credentials::checked(secrets, 0, Self::DEFAULTS.provider())?;
        Ok(Self {
            keys: Arc::new(secrets.iter().map(|key| Mac::hmac_sha256(key.expose())).collect()),
            #[cfg(feature = "explain")]
            secrets: Arc::new(secrets),
            tolerance: Self::POLICY.tolerance(),
        })
    }

    /// Sets how far the signed time may be off, instead of the default (see above).
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }
}

/// State of a verification, from the head to the end of the body.
#[doc(hidden)]
pub struct HygraphState(Vec<Mac>);

impl HygraphState {
    fn new(keys: &[Mac]) -> Self {
        let mut state = Self(keys.to_vec());
        state.add(br#"{"Body":""#);
        state
    }

    fn add(&mut self, bytes: &[u8]) {
        for mac in &mut self.0 {
            mac.update(bytes);
        }
    }

    /// Adds text as it stands in a JSON string of JavaScript. Only ASCII is escaped, so a chunk may
    /// end inside a character.
    ///
    /// The escapes are hashed many at a time: a stranger's body can consist of nothing else.
    fn add_escaped(&mut self, text: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut escaped = Vec::new();
        for chunk in text.chunks(CHUNK) {
            if !chunk.iter().any(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\')) {
                self.add(chunk);
                continue;
            }
            escaped.clear();
            for &byte in chunk {
                match byte {
                    b'"' | b'\\' => escaped.extend([b'\\', byte]),
                    0x08 => escaped.extend(b"\\b"),
                    b'\t' => escaped.extend(b"\\t"),
                    b'\n' => escaped.extend(b"\\n"),
                    0x0c => escaped.extend(b"\\f"),
                    b'\r' => escaped.extend(b"\\r"),
                    0..=0x1f => {
                        escaped.extend(b"\\u00");
                        escaped.extend([byte >> 4, byte & 15].map(|it| DIGITS[usize::from(it)]));
                    }
                    _ => escaped.push(byte),
                }
            }
            self.add(&escaped);
        }
    }

    /// Adds what follows the body, and returns the tag under each secret.
    fn tags(&mut self, environment: &[u8], time: &[u8]) -> Vec<Tag> {
        self.add(br#"","EnvironmentName":""#);
        self.add_escaped(environment);
        self.add(br#"","TimeStamp":"#);
        self.add(time);
        self.add(b"}");
        std::mem::take(&mut self.0).into_iter().map(Mac::finalize).collect()
    }
}

impl fmt::Debug for HygraphState {
    /// Writes the type without its hashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HygraphState").finish_non_exhaustive()
    }
}

/// Parts of the header.
struct Signature<'a> {
    tag: [u8; 32],
    environment: &'a [u8],
    digits: &'a [u8],
    time: Timestamp,
}

fn signature(head: &Parts) -> Result<Signature<'_>, Rejection> {
    let parts = |value: &'_ [u8]| -> Option<_> {
        let text = str::from_utf8(value).ok()?;
        let (sign, rest) = text.strip_prefix("sign=")?.split_once(", env=")?;
        let (environment, digits) = rest.split_once(", t=")?;
        // Hygraph's verifier splits the header at these two characters.
        if environment.contains(", ") {
            return None;
        }
        let mut tag = [0; 32];
        Encoding::Base64.decode(sign.as_bytes(), &mut tag)?;
        let time = Timestamp::parse(digits.as_bytes(), TimestampFormat::UnixMillis)?;
        // In this order, the places are those of the value.
        let start = text.len() - digits.len();
        let before = start - ", t=".len() - environment.len();
        Some((tag, before..before + environment.len(), start..text.len(), time))
    };
    let value = required(head, HEADER)?;
    let (tag, environment, digits, time) = parts(value).ok_or(Rejection::malformed(HEADER))?;
    Ok(Signature { tag, environment: &value[environment], digits: &value[digits], time })
}

impl Verifier for Hygraph {
    type State = HygraphState;

    fn begin(&self, request: &Context<'_>) -> Result<HygraphState, Rejection> {
        let time = signature(request.head())?.time;
        self.tolerance.judge(time, request.clock()).map_err(|why| why.in_header(HEADER))?;
        Ok(HygraphState::new(&self.keys))
    }

    fn update(&self, state: &mut HygraphState, chunk: &[u8]) {
        state.add_escaped(chunk);
    }

    fn finish(
        &self,
        state: &mut HygraphState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let signature = signature(request.head())?;
        let time = self.tolerance.judge(signature.time, request.clock());
        let time = time.map_err(|why| why.in_header(HEADER))?;
        if str::from_utf8(body).is_err() {
            return Err(Rejection::malformed_in(Field::Body));
        }
        let tags = state.tags(signature.environment, signature.digits);
        let mut matched = KeyMatch::new();
        for (index, tag) in tags.iter().enumerate() {
            matched.add(index, tag.matches(&signature.tag));
        }
        let key_index = matched.accepted()?;
        // A rotation does not change the tag under the oldest secret.
        let oldest = tags.last().ok_or(Rejection::mismatch())?;
        let verified = Verified::new(Self::DEFAULTS.provider()).with_key_index(key_index);
        let mut verified = verified.with_replay_material(oldest.as_bytes()).with_signed_body();
        time.record(&mut verified);
        Ok(verified.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let credentials = other_credentials::of(Self::DEFAULTS.provider());
        probe_secrets(probe, &self.secrets, credentials, |key| Self {
            keys: Arc::new(vec![Mac::hmac_sha256(key.expose())]),
            ..self.clone()
        });
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Hygraph {
    /// Signs for the environment `master`.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let time = TimestampFormat::UnixMillis.write(with.time());
        let mut state = HygraphState::new(&self.keys);
        state.add_escaped(body);
        let tags = state.tags(b"master", time.as_bytes());
        let tag = Encoding::Base64.encode(tags.first().ok_or(Rejection::mismatch())?.as_bytes());
        let value = format!("sign={tag}, env=master, t={time}");
        let name = http::HeaderName::from_static(HEADER);
        crate::providers::own::shared_token::put(head, &name, value.as_bytes()).map(|()| None)
    }
}
