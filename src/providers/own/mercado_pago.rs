//! Mercado Pago webhooks.

use bytes::Bytes;
use http::{HeaderValue, request::Parts};

use crate::{
    crypto::{
        mac::{Mac, Tag},
        secret::Secret,
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        form::Form,
        headers::optional,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::{Times, Tolerance},
    },
    providers::{
        macros::registered,
        own::content_keys::{ContentKeys, Key, timed_signatures},
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::signature_format::SignatureFormat,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const HEADER: &str = "x-signature";
const REQUEST_ID: &str = "x-request-id";
const DATA_ID: &str = "data.id";

const FORMAT: SignatureFormat = SignatureFormat::pairs("ts", "v1").spaced();

/// Mercado Pago webhooks: HMAC-SHA256 of an ID, a request ID and the time, which does not cover the
/// body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::MercadoPago};
///
/// let layer = SignatureLayer::new(MercadoPago::new("made-up-secret-signature")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-signature: ts=<time>,v1=<hex>`, `x-request-id` |
/// | algorithm | HMAC-SHA256; the key is the secret signature |
/// | signed content | `id:<data.id>;request-id:<x-request-id>;ts:<time>;`, with `data.id` of the query; absent parts are left out |
/// | proves | that Mercado Pago signed this ID, request ID and time; **nothing about the body** |
/// | tolerance | 5 minutes both ways; the time is in seconds or in milliseconds |
/// | delivery ID | `x-request-id`, **signed**, if it is there |
/// | challenge | none |
///
/// - Anyone who sees one request can send any other body with its signature, until the time is too
///   old. Take the ID from `data.id` of the query, and fetch the payment or order that it names. The
///   method, the path and the other parameters are not signed either.
/// - The vendor's documentation signs `data.id` in small letters, its SDKs as received. Both are
///   accepted, so the case of `data.id` is not proven if the signed one is in small letters.
/// - `data.id` and `x-request-id` must not contain `;`, and `data.id` must not occur twice.
/// - It is unknown whether a retry has a new time. If retries are rejected as too old, set another
///   [`tolerance`](Self::tolerance), and add a [`ReplayLayer`](crate::replay::ReplayLayer).
///
/// # Secret
///
/// *Your integrations* → the application → *Webhooks* → the secret signature.
/// ([Mercado Pago](https://www.mercadopago.com.mx/developers/en/docs/checkout-pro-orders/notifications))
///
/// # Settings
///
/// A proxy must not replace `X-Request-Id`.
///
/// # Not covered
///
/// Notifications of QR codes, which Mercado Pago does not sign.
/// ([Mercado Pago](https://github.com/mercadopago/sdk-nodejs/blob/4339894c44239eca11a6a8df0997c0095100fb57/src/utils/webhook/index.ts))
///
/// # Evidence
///
/// Vendor's source: `src/utils/webhook/index.ts` in mercadopago/sdk-nodejs @4339894. Its tests have
/// the time in both units.
///
#[doc = crate::providers::macros::page!(MercadoPago)]
#[derive(Clone, Debug)]
pub struct MercadoPago {
    keys: ContentKeys,
    tolerance: Tolerance,
}

registered! {
    MercadoPago = "mercado_pago" as "Mercado Pago";
    policy: DeliveryPolicy::UNKNOWN
        .unknown_retries()
        .window(5 * MINUTE, "https://github.com/mercadopago/sdk-nodejs/blob/4339894c44239eca11a6a8df0997c0095100fb57/src/utils/webhook/index.ts")
        .leaves_body_open();
    signature: "HMAC-SHA256 of an ID, a request ID and the time, **not** of the body";
    "mercado_pago": Secret timed, p => MercadoPago::new(p.secrets);
}

impl MercadoPago {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[HEADER]);

    /// Creates a verifier with these secret signatures, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let mac = |secret: &Secret| Key::Mac(Mac::hmac_sha256(secret.expose()));
        let keys = ContentKeys::new(Self::DEFAULTS.provider(), mac, secrets)?;
        Ok(Self { keys, tolerance: Self::POLICY.tolerance() })
    }

    /// Sets how far the signed time may be off, instead of 5 minutes.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = tolerance;
        self
    }
}

/// The signature header.
struct Signature<'a> {
    tags: Vec<Tag>,
    time: &'a [u8],
}

impl<'a> Signature<'a> {
    fn read(head: &'a Parts) -> Result<Self, Rejection> {
        timed_signatures(head, HEADER, FORMAT).map(|(time, tags)| Self { tags, time })
    }

    /// Returns the time, whose unit is known by its length.
    fn timestamp(&self) -> Result<Timestamp, Rejection> {
        let format = match self.time.len() {
            10 => TimestampFormat::UnixSeconds,
            13 => TimestampFormat::UnixMillis,
            _ => return Err(Rejection::malformed(HEADER)),
        };
        Timestamp::parse(self.time, format).ok_or(Rejection::malformed(HEADER))
    }
}

/// Returns the signed content with the ID as received and in small letters.
fn contents(head: &Parts, time: &[u8]) -> Result<[Vec<u8>; 2], Rejection> {
    let malformed = || Rejection::malformed_in(Field::query(DATA_ID));
    let query = head.uri.query().unwrap_or_default();
    let form = Form::parse(query.as_bytes()).ok_or_else(malformed)?;
    let id = match form.only(DATA_ID) {
        Ok(id) => Some(id),
        Err(RejectionKind::Missing) => None,
        Err(kind) => return Err(Rejection::new(kind).with_field(Field::query(DATA_ID))),
    };
    let request_id = optional(head, REQUEST_ID)?.filter(|id| !id.is_empty());
    // An ID with a semicolon could hold another part of the content.
    let has_end = |id: &[u8]| id.contains(&b';');
    if id.is_some_and(has_end) {
        return Err(malformed());
    }
    if request_id.is_some_and(has_end) {
        return Err(Rejection::malformed(REQUEST_ID));
    }
    let content = |id: Option<Vec<u8>>| {
        let id = id.map(|id| [b"id:", &*id, b";"].concat()).unwrap_or_default();
        let request_id = request_id.map(|id| [b"request-id:", id, b";"].concat());
        [&*id, &request_id.unwrap_or_default(), b"ts:", time, b";"].concat()
    };
    Ok([content(id.map(<[u8]>::to_vec)), content(id.map(<[u8]>::to_ascii_lowercase))])
}

impl Verifier for MercadoPago {
    type State = Times;

    fn begin(&self, request: &Context<'_>) -> Result<Times, Rejection> {
        let signature = Signature::read(request.head())?;
        contents(request.head(), signature.time)?;
        let time = self.tolerance.judge(signature.timestamp()?, request.clock());
        Ok(time.map_err(|why| why.in_header(HEADER))?.times())
    }

    fn finish(
        &self,
        times: &mut Times,
        request: &Context<'_>,
        _: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let head = request.head();
        let signature = Signature::read(head)?;
        let [received, lower] = contents(head, signature.time)?;
        // The text in small letters last: its case can be changed without another signature.
        let verified =
            self.keys.verify_timed(&[&[&received], &[&lower]], &signature.tags, *times)?;
        let id = optional(head, REQUEST_ID)?.filter(|id| !id.is_empty());
        Ok(match id.map(HeaderValue::from_bytes) {
            Some(Ok(id)) => verified.with_delivery_id(id, true).into(),
            _ => verified.into(),
        })
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
impl crate::sign::sign::Sign for MercadoPago {
    fn sign(
        &self,
        head: &mut Parts,
        _: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let time = TimestampFormat::UnixMillis.write(with.time());
        let [_, content] = contents(head, time.as_bytes())?;
        let tag =
            crate::parse::encoding::Encoding::Hex.encode(self.keys.tag(&[&content])?.as_bytes());
        let header = http::HeaderName::from_static(HEADER);
        let value = format!("ts={time},v1={tag}");
        crate::providers::own::shared_token::put(head, &header, value.as_bytes())?;
        Ok(None)
    }
}
