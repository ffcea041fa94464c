//! Why a request was refused, and what the sender is told.

use std::{
    borrow::Cow,
    error::Error,
    fmt,
    num::NonZeroI64,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};

use crate::{
    error::ConfigError,
    observe::redact::signed_url,
    outcome::field::{Field, Named},
    verifier::verifier::VerifierDefaults,
};

/// A refused request and why.
///
/// The sender learns nothing from it but the status. The layer leaves it in the **response's**
/// extensions on every refusal, so that layers above can log and count it:
///
/// ```
/// use tower_webhook::Rejection;
///
/// fn log<B>(response: &http::Response<B>) {
///     if let Some(rejection) = response.extensions().get::<Rejection>() {
///         eprintln!("webhook refused: {rejection}");
///     }
/// }
/// # log(&http::Response::new(()));
/// ```
///
/// It never holds the secret, the computed tag, the received signature or the body.
#[derive(Clone)]
pub struct Rejection {
    kind: RejectionKind,
    status: Option<StatusCode>,
    provider: &'static str,
    www_authenticate: &'static str,
    tenant: Option<Arc<str>>,
    /// There is no such tenant, or nobody knows. Its id is kept all the same: to drop it sooner than a known tenant's
    /// would take other steps.
    is_nobody: bool,
    field: Option<Named>,
    details: Option<Arc<Details>>,
    /// Of a mismatch, how many secrets were tried; of a time that is off, its age in milliseconds, negative where it
    /// is ahead. One field, because rejections are moved a lot.
    measure: Option<NonZeroI64>,
}

/// What few rejections have, behind a pointer, because rejections are moved a lot.
#[derive(Clone, Default)]
struct Details {
    source: Option<Arc<dyn Error + Send + Sync>>,
    /// As the verifier has it. It is shown without its secrets.
    signed_url: Option<Box<str>>,
    /// Nor is its path shown.
    has_secret_url: bool,
}

/// What was wrong with a request.
///
/// [`is_authentication_failure`](Self::is_authentication_failure) tells the verdicts on a signature, which all get one answer,
/// from the failures that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The body did not arrive within the deadline: 408.
    BodyTimeout,
    /// The body is longer than the limit: 413.
    BodyTooLarge,
    /// The body broke off, or could not be read: 400.
    BodyUnreadable,
    /// The server's own clock cannot be right, so no signed time can be judged: 503.
    ClockUnreliable,
    /// An ownership challenge without the right token.
    ChallengeFailed,
    /// An ownership challenge with a part missing or out of form: 400.
    ChallengeMalformed,
    /// An ownership challenge that nobody here has asked for: 404.
    ChallengeUnexpected,
    /// A header, or a field of one, is out of form.
    Malformed,
    /// A header that the scheme needs is absent or empty.
    Missing,
    /// The bodies of unverified requests use up the [byte
    /// budget](crate::SignatureLayer::byte_budget): 503.
    Overloaded,
    /// A header that must be there once is there more than once, or headers of two families are
    /// mixed.
    Repeated,
    /// No signature in the request was made with one of the secrets over what was received.
    SignatureMismatch,
    /// The signed time is further ahead than the tolerance allows.
    TimestampInFuture,
    /// The signed time is longer ago than the tolerance allows.
    TimestampStale,
    /// A body that the signature does not cover.
    BodyNotSigned,
    /// The look-up knows no secret for this request.
    UnknownTenant,
    /// The URL that the provider signed could not be told from this request.
    UrlUnresolved,
    /// The verifier panicked: 500.
    VerifierPanicked,
    /// The verifier itself failed, for example because the secret store is down: 503.
    VerifierUnavailable,
}

impl RejectionKind {
    /// A stable name for logs and metrics, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyUnreadable => "body_unreadable",
            Self::ClockUnreliable => "clock_suspect",
            Self::ChallengeFailed => "handshake_failed",
            Self::ChallengeMalformed => "handshake_malformed",
            Self::ChallengeUnexpected => "handshake_unexpected",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::Overloaded => "overload",
            Self::Repeated => "repeated",
            Self::SignatureMismatch => "signature_mismatch",
            Self::TimestampInFuture => "timestamp_in_future",
            Self::TimestampStale => "timestamp_stale",
            Self::BodyNotSigned => "uncovered",
            Self::UnknownTenant => "unknown_tenant",
            Self::UrlUnresolved => "unknown_url",
            Self::VerifierPanicked => "verifier_panicked",
            Self::VerifierUnavailable => "verifier_unavailable",
        }
    }

    /// Whether this is a verdict on the request's authenticity. All verdicts get the same answer,
    /// so that an attacker cannot tell them apart.
    #[must_use]
    pub const fn is_authentication_failure(self) -> bool {
        self.own_status().is_none()
    }

    /// The status of a failure that is no verdict: 4xx only where the request itself is at fault,
    /// 5xx where we could not decide, because senders give up on a 4xx and come again after a 503.
    const fn own_status(self) -> Option<StatusCode> {
        match self {
            Self::BodyTimeout => Some(StatusCode::REQUEST_TIMEOUT),
            Self::BodyTooLarge => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::BodyUnreadable | Self::ChallengeMalformed => Some(StatusCode::BAD_REQUEST),
            Self::ChallengeUnexpected => Some(StatusCode::NOT_FOUND),
            Self::ClockUnreliable | Self::Overloaded | Self::VerifierUnavailable => {
                Some(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::VerifierPanicked => Some(StatusCode::INTERNAL_SERVER_ERROR),
            Self::ChallengeFailed
            | Self::Malformed
            | Self::Missing
            | Self::Repeated
            | Self::SignatureMismatch
            | Self::TimestampInFuture
            | Self::TimestampStale
            | Self::BodyNotSigned
            | Self::UnknownTenant
            | Self::UrlUnresolved => None,
        }
    }

    /// Whether the body was not there whole or could not be held, so that there is nothing to hand
    /// on.
    pub(crate) const fn is_of_body(self) -> bool {
        matches!(
            self,
            Self::BodyTimeout | Self::BodyTooLarge | Self::BodyUnreadable | Self::Overloaded
        )
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::BodyTimeout => "the body did not arrive in time",
            Self::BodyTooLarge => "the body is over the limit",
            Self::BodyUnreadable => "the body could not be read",
            Self::ClockUnreliable => "the server's clock cannot be right",
            Self::ChallengeFailed => "the challenge does not carry the right token",
            Self::ChallengeMalformed => "the challenge is incomplete or out of form",
            Self::ChallengeUnexpected => "nobody here has asked for this challenge",
            Self::Malformed => "out of form",
            Self::Missing => "missing or empty",
            Self::Overloaded => "too many bodies are being received",
            Self::Repeated => "there more than once",
            Self::SignatureMismatch => "no signature matches",
            Self::TimestampInFuture => "the signed time is in the future",
            Self::TimestampStale => "the signed time is too long ago",
            Self::BodyNotSigned => "the signature does not cover the body",
            Self::UnknownTenant => "no secret is known for this request",
            Self::UrlUnresolved => "the signed URL cannot be told",
            Self::VerifierPanicked => "the verifier panicked",
            Self::VerifierUnavailable => "the verifier is unavailable",
        }
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Rejection {
    /// A rejection of this kind. The status follows from the kind and from the provider.
    #[must_use]
    pub const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            status: None,
            provider: "",
            www_authenticate: "",
            tenant: None,
            is_nobody: false,
            field: None,
            details: None,
            measure: None,
        }
    }

    /// No signature matches: what a verifier's last line returns.
    #[must_use]
    pub const fn mismatch() -> Self {
        Self::new(RejectionKind::SignatureMismatch)
    }

    /// The named header is absent or empty.
    #[must_use]
    pub fn missing(header: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RejectionKind::Missing).in_header(header)
    }

    /// The named header is out of form.
    #[must_use]
    pub fn malformed(header: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RejectionKind::Malformed).in_header(header)
    }

    /// The look-up knows no secret for this request. Answered like a bad signature, so that the
    /// endpoint does not tell which tenants exist.
    #[must_use]
    pub const fn unknown_tenant() -> Self {
        Self::new(RejectionKind::UnknownTenant)
    }

    /// The verifier itself failed: answered with 503, because a genuine sender must come again.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(RejectionKind::VerifierUnavailable).with_source(source)
    }

    /// Names the header or field at fault. Give it only names that the server knows itself, never
    /// text from the request.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<Field>) -> Self {
        self.field = Some(Named::Other(field.into()));
        self
    }

    pub(crate) fn in_header(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(Named::Header(name.into()));
        self
    }

    /// The part is out of form.
    pub(crate) fn malformed_in(field: Field) -> Self {
        Self::new(RejectionKind::Malformed).with_field(field)
    }

    /// The part is absent or empty.
    pub(crate) fn missing_in(field: Field) -> Self {
        Self::new(RejectionKind::Missing).with_field(field)
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.details().source = Some(Arc::from(source.into()));
        self
    }

    /// Says of a [mismatch](Self::mismatch) which URL the verifier takes for the one that the sender signed, where the
    /// signature covers one: it is the first thing to compare with the sender's settings.
    #[must_use]
    pub fn with_signed_url(mut self, url: impl Into<Box<str>>) -> Self {
        self.details().signed_url = Some(url.into());
        self
    }

    fn cause(&self) -> Option<&Arc<dyn Error + Send + Sync>> {
        self.details.as_ref()?.source.as_ref()
    }

    fn details(&mut self) -> &mut Details {
        Arc::make_mut(self.details.get_or_insert_default())
    }

    /// Says of a [mismatch](Self::mismatch) how many secrets or public keys were tried, none of which made the
    /// signature.
    #[must_use]
    pub const fn with_secrets_tried(mut self, count: usize) -> Self {
        #[expect(clippy::cast_possible_wrap, reason = "nobody has so many")]
        let count = count as i64;
        self.measure = NonZeroI64::new(count);
        self
    }

    pub(crate) const fn with_age_millis(mut self, age: i64) -> Self {
        self.measure = NonZeroI64::new(age);
        self
    }

    /// Names the tenant whose secrets were tried; of [`unknown_tenant`](Self::unknown_tenant), the id that was looked up
    /// in vain.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self.is_nobody = false;
        self
    }

    #[cfg(feature = "tenants")]
    pub(crate) fn looked_up(mut self, tenant: Arc<str>, is_nobody: bool) -> Self {
        self.tenant = Some(tenant);
        self.is_nobody = is_nobody;
        self
    }

    /// Whatever the decoy's verdict was, there is no such tenant. A known tenant's goes through the
    /// same steps, so that it takes as long.
    #[cfg(feature = "tenants")]
    pub(crate) fn judged(mut self) -> Self {
        // A failure that is no verdict is told to the known ones too.
        let is_unknown = self.is_nobody && self.kind.is_authentication_failure();
        self.kind = if is_unknown { RejectionKind::UnknownTenant } else { self.kind };
        self.field = self.field.filter(|_| !is_unknown);
        if is_unknown && self.details.is_some() {
            // The URL stays, which is shown of a mismatch alone: to leave it out would take less time.
            self.details().source = None;
        }
        self.measure = self.measure.filter(|_| !is_unknown);
        self
    }

    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns the header or field at fault, where there is one.
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        self.field.as_ref().and_then(Named::field)
    }

    /// Its name, for those who write it down.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "the log asks for it"))]
    pub(crate) fn field_name(&self) -> Option<&str> {
        self.field.as_ref().map(Named::name)
    }

    /// Returns how many secrets or public keys were tried, none of which made the signature.
    #[must_use]
    pub fn secrets_tried(&self) -> Option<usize> {
        let is_meant = self.kind == RejectionKind::SignatureMismatch;
        usize::try_from(self.measure.filter(|_| is_meant)?.get()).ok()
    }

    /// Returns how many milliseconds ago the request was signed, where that is why it was refused. It is negative
    /// where the signed time is ahead of the clock.
    #[must_use]
    pub fn age_millis(&self) -> Option<i64> {
        use RejectionKind::{TimestampInFuture, TimestampStale};
        let is_meant = matches!(self.kind, TimestampInFuture | TimestampStale);
        self.measure.filter(|_| is_meant).map(NonZeroI64::get)
    }

    /// Returns the URL that the verifier took for the signed one, where no signature matched. It is without user
    /// information and without the values of its parameters; without its path, too, where that is a secret. Text is escaped and
    /// cut after 256 bytes.
    #[must_use]
    pub fn signed_url(&self) -> Option<String> {
        self.signed_url_of(false)
    }

    /// Whether a URL is named. It is not redacted for that: an unknown tenant's is redacted once, too.
    #[cfg(feature = "tracing")]
    pub(crate) fn has_signed_url(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.signed_url.is_some())
    }

    /// The same, of a request whose URL is known to be secret, or not.
    pub(crate) fn signed_url_of(&self, has_secret_url: bool) -> Option<String> {
        let details = self.details.as_ref()?;
        let has_secret_url = has_secret_url || details.has_secret_url;
        // An unknown tenant's is made, too, so that it takes as long.
        let url = signed_url(details.signed_url.as_ref()?, has_secret_url);
        Some(url).filter(|_| self.kind == RejectionKind::SignatureMismatch)
    }

    /// The provider whose verifier refused, or `""` before the layer has filled it in.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// The tenant that the look-up named, and no more than that: the request is not proven to be
    /// that tenant's.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref().filter(|_| self.is_tenant_known())
    }

    /// Returns the id that was looked up, where no tenant was found by it. It is the sender's text: escape it before you
    /// write it down, and keep nothing by it without a bound.
    #[must_use]
    pub fn claimed_tenant(&self) -> Option<&str> {
        let is_meant = |id: &&str| !id.is_empty() && !self.is_tenant_known();
        self.tenant.as_deref().filter(is_meant)
    }

    fn is_tenant_known(&self) -> bool {
        !self.is_nobody && self.kind != RejectionKind::UnknownTenant
    }

    /// The status that the layer answers with: 403 for a verdict unless the provider or the layer
    /// sets another; fixed by the kind otherwise.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.own_status().or(self.status).unwrap_or(StatusCode::FORBIDDEN)
    }

    /// Names the provider, unless it has been named.
    pub(crate) const fn with_provider(mut self, provider: &'static str) -> Self {
        if self.provider.is_empty() {
            self.provider = provider;
        }
        self
    }

    /// Takes from the verifier's defaults what the response needs, unless it is known.
    pub(crate) fn of_verifier(mut self, defaults: &VerifierDefaults) -> Self {
        if self.www_authenticate.is_empty() {
            self.www_authenticate = defaults.www_authenticate;
        }
        self = self.with_secret_url(defaults.has_secret_url());
        self.with_provider(defaults.provider)
    }

    /// Hides the path of the signed URL where the request's URL is secret.
    pub(crate) fn with_secret_url(mut self, has_secret_url: bool) -> Self {
        if has_secret_url && self.details.is_some() {
            self.details().has_secret_url = true;
        }
        self
    }

    pub(crate) fn attributed(mut self, defaults: &VerifierDefaults) -> Self {
        self.status = Some(defaults.status);
        self.of_verifier(defaults)
    }

    /// With the challenge of the first verifier that had one: all refusals of a layer ask alike.
    pub(crate) fn with_shared_challenge(mut self, first: &OnceLock<&'static str>) -> Self {
        self.www_authenticate = match self.www_authenticate {
            "" => first.get().copied().unwrap_or_default(),
            own => first.get_or_init(|| own),
        };
        self
    }

    /// A 401 without a challenge leaves a sender that waits for one without a way in (RFC 9110,
    /// section 15.5.2).
    pub(crate) fn add_challenge(&self, response: &mut Response<Bytes>) {
        if response.status() == StatusCode::UNAUTHORIZED
            && let Ok(challenge) = HeaderValue::from_str(self.www_authenticate)
            && !challenge.is_empty()
        {
            response.headers_mut().entry(header::WWW_AUTHENTICATE).or_insert(challenge);
        }
    }
}

/// A secret that was looked up and cannot be used: our fault, so the sender is asked to come again.
impl From<ConfigError> for Rejection {
    fn from(error: ConfigError) -> Self {
        Self::unavailable(error)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind)
            .field("provider", &self.provider)
            .field("tenant", &self.tenant())
            .field("field", &self.field.as_ref().map(Named::name))
            .field("source", &self.cause())
            .field("measure", &self.measure)
            .field("signed_url", &self.signed_url())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.provider.is_empty() {
            write!(f, "{}: ", self.provider)?;
        }
        if let Some(field) = &self.field {
            write!(f, "{}: ", field.name())?;
        }
        f.write_str(self.kind.describe())?;
        if let Some(millis) = self.age_millis() {
            let (age, side) = (millis.unsigned_abs(), if millis < 0 { "ahead" } else { "ago" });
            write!(f, ": {}.{:03} s {side}", age / 1000, age % 1000)?;
        }
        match self.secrets_tried() {
            Some(1) => f.write_str(": 1 secret tried")?,
            Some(count) => write!(f, ": {count} secrets tried")?,
            None => {}
        }
        match self.signed_url() {
            Some(url) => write!(f, " with the URL {url}"),
            None => Ok(()),
        }
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().map(|source| &**source as &(dyn Error + 'static))
    }
}

/// The default answer: the rejection's status and no body, the same for every verdict.
///
/// A 503 asks the sender to come again in five seconds. A 401 has the verifier's `WWW-Authenticate`
/// (see [`VerifierDefaults::with_www_authenticate`](crate::verifier::VerifierDefaults::with_www_authenticate)).
#[must_use]
pub fn default_response(rejection: &Rejection) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = rejection.status();
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    rejection.add_challenge(&mut response);
    response
}

/// The content type of a gRPC request, which only HTTP/2 carries. Elsewhere a sender could choose
/// HTTP 200 for its refusal by a header.
pub(crate) fn grpc_content_type(version: Version, headers: &HeaderMap) -> Option<&HeaderValue> {
    let content_type = headers.get(header::CONTENT_TYPE)?;
    let (media_type, rest) = content_type.as_bytes().split_at_checked(16)?;
    let is_grpc = media_type.eq_ignore_ascii_case(b"application/grpc")
        && matches!(rest, [] | [b'+' | b';', ..] | [b'-', b'w', b'e', b'b', ..]);
    (is_grpc && version >= Version::HTTP_2).then_some(content_type)
}

/// The answer to a gRPC request: HTTP 200 and a `grpc-status` in the headers ("trailers only"),
/// under the content type that the request used. A verdict is 7 (permission denied) or, where the
/// provider wants 401, 16 (unauthenticated).
pub(crate) fn grpc_response(rejection: &Rejection, content_type: HeaderValue) -> Response<Bytes> {
    let code = match rejection.status() {
        StatusCode::UNAUTHORIZED => "16",
        StatusCode::PAYLOAD_TOO_LARGE => "8",
        StatusCode::REQUEST_TIMEOUT => "4",
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => "13",
        StatusCode::SERVICE_UNAVAILABLE => "14",
        status if status.is_success() => "0",
        _ => "7",
    };
    grpc_status(code, content_type)
}

pub(crate) fn grpc_status(code: &'static str, content_type: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert("grpc-status", HeaderValue::from_static(code));
    response
}
