//! Rejections, and the status of their responses.

use std::{
    borrow::Cow,
    error::Error,
    fmt,
    num::NonZeroI64,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    error::ConfigError,
    outcome::{
        field::{Field, Named},
        kind::RejectionKind,
        redact::url::signed_url,
    },
};

/// A rejected request, and the reason.
///
/// Guide: [rejections](crate::guide::rejections).
///
/// The sender learns only the status. The layer puts the rejection into the **response's**
/// extensions, so that layers above can log and count it:
///
/// ```
/// use tower_webhook::Rejection;
///
/// fn log<B>(response: &http::Response<B>) {
///     if let Some(rejection) = response.extensions().get::<Rejection>() {
///         eprintln!("webhook rejected: {rejection}");
///     }
/// }
/// # log(&http::Response::new(()));
/// ```
///
/// It never holds the secret, the computed tag, the received signature or the body.
#[derive(Clone)]
pub struct Rejection {
    pub(crate) kind: RejectionKind,
    status: Option<StatusCode>,
    provider: &'static str,
    www_authenticate: &'static str,
    pub(crate) tenant: Option<Arc<str>>,
    /// Set if the tenant is unknown, or may be. The rejection keeps its ID nevertheless, because
    /// dropping it sooner than the ID of a known tenant would take different steps.
    is_tenant_claimed: bool,
    pub(crate) field: Option<Named>,
    pub(crate) details: Option<Arc<Details>>,
    /// Number of secrets tried for a mismatch. For a timestamp outside the tolerance, its age in
    /// milliseconds, negative if it is in the future. One field, because rejections are moved
    /// often.
    pub(crate) measure: Option<NonZeroI64>,
}

/// Details that few rejections have, behind a pointer because rejections are moved often.
#[derive(Clone, Default)]
pub(crate) struct Details {
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
    /// URL as the verifier has it. Its secrets are redacted before it is shown.
    signed_url: Option<Box<str>>,
    /// Set if the path of the URL is also secret.
    has_secret_url: bool,
}

impl Rejection {
    /// Creates a rejection of this kind. Its status follows from the kind and the provider.
    #[must_use]
    pub const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            status: None,
            provider: "",
            www_authenticate: "",
            tenant: None,
            is_tenant_claimed: false,
            field: None,
            details: None,
            measure: None,
        }
    }

    /// Creates the rejection of a request on which no signature matches.
    #[must_use]
    pub const fn mismatch() -> Self {
        Self::new(RejectionKind::SignatureMismatch)
    }

    /// Creates the rejection of a request in which this header is missing or empty.
    #[must_use]
    pub fn missing(header: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RejectionKind::Missing).in_header(header)
    }

    /// Creates the rejection of a request in which this header is malformed.
    #[must_use]
    pub fn malformed(header: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RejectionKind::Malformed).in_header(header)
    }

    /// Creates the rejection of a request for which the lookup found no secret.
    ///
    /// The response is that of an invalid signature, so that the endpoint does not reveal which
    /// tenants exist.
    #[must_use]
    pub const fn unknown_tenant() -> Self {
        Self::new(RejectionKind::UnknownTenant)
    }

    /// Creates the rejection of a request that the verifier could not check.
    ///
    /// The response is `503 Service Unavailable`, so that an authentic sender retries.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(RejectionKind::VerifierUnavailable).with_source(source)
    }

    /// Sets the header or field at fault. Use only names that the server itself knows, never text
    /// from the request.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<Field>) -> Self {
        self.field = Some(Named::Other(field.into()));
        self
    }

    pub(crate) fn in_header(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(Named::Header(name.into()));
        self
    }

    /// Creates the rejection of a request in which this part is malformed.
    pub(crate) fn malformed_in(field: Field) -> Self {
        Self::new(RejectionKind::Malformed).with_field(field)
    }

    /// Creates the rejection of a request in which this part is missing or empty.
    pub(crate) fn missing_in(field: Field) -> Self {
        Self::new(RejectionKind::Missing).with_field(field)
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.details().source = Some(Arc::from(source.into()));
        self
    }

    /// Sets the URL of a [mismatch](Self::mismatch) that the verifier expected the signature to
    /// cover.
    ///
    /// It is the first thing to compare with the sender's settings.
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

    /// Sets how many secrets or public keys were tried for a [mismatch](Self::mismatch).
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

    /// Sets the tenant whose secrets were tried. For [`unknown_tenant`](Self::unknown_tenant), sets
    /// the ID for which the lookup found nothing.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self.is_tenant_claimed = false;
        self
    }

    /// Sets the tenant that the request claims to be for, if it is not known whether that tenant
    /// exists, for example because a lookup failed. [`claimed_tenant`](Self::claimed_tenant)
    /// returns it.
    #[must_use]
    pub fn with_claimed_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self.is_tenant_claimed = true;
        self
    }

    /// Returns the reason for the rejection.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns the header or field at fault, if there is one.
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        self.field.as_ref().and_then(Named::field)
    }

    /// Returns the name of the header or field at fault, for logs.
    pub(crate) fn field_name(&self) -> Option<&str> {
        self.field.as_ref().map(Named::name)
    }

    /// Returns how many secrets or public keys were tried, if no signature matched.
    #[must_use]
    pub fn secrets_tried(&self) -> Option<usize> {
        let is_meant = self.kind == RejectionKind::SignatureMismatch;
        usize::try_from(self.measure.filter(|_| is_meant)?.get()).ok()
    }

    /// Returns the age of the signed timestamp in milliseconds, for
    /// [`TimestampStale`](RejectionKind::TimestampStale) and
    /// [`TimestampInFuture`](RejectionKind::TimestampInFuture). The age is negative if the
    /// timestamp is ahead of the clock.
    #[must_use]
    pub fn age_millis(&self) -> Option<i64> {
        use RejectionKind::{TimestampInFuture, TimestampStale};
        let is_meant = matches!(self.kind, TimestampInFuture | TimestampStale);
        self.measure.filter(|_| is_meant).map(NonZeroI64::get)
    }

    /// Returns the URL that the verifier expected the signature to cover, if no signature matched.
    ///
    /// It has no user information and no parameter values. If the path is secret, it has no path
    /// either. Text is escaped and cut after 256 bytes.
    #[must_use]
    pub fn signed_url(&self) -> Option<String> {
        self.signed_url_of(false)
    }

    /// Returns the URL as the verifier has it, with its secrets.
    pub(crate) fn raw_signed_url(&self) -> Option<&str> {
        self.details.as_ref()?.signed_url.as_deref()
    }

    /// Returns the signed URL, without its path if `has_secret_url` is set.
    pub(crate) fn signed_url_of(&self, has_secret_url: bool) -> Option<String> {
        let has_secret_url =
            has_secret_url || self.details.as_ref().is_some_and(|details| details.has_secret_url);
        // The URL is also built for an unknown tenant, so that it takes as long.
        let url = signed_url(self.raw_signed_url()?, has_secret_url);
        Some(url).filter(|_| self.kind == RejectionKind::SignatureMismatch)
    }

    /// Returns the provider whose verifier rejected the request, or `""` before the layer has set
    /// it.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Returns the tenant that the lookup named. The request is not proven to be from that tenant.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref().filter(|_| self.is_tenant_known())
    }

    /// Returns the ID that was looked up, if no tenant was found by it.
    ///
    /// It is text from the sender: escape it before you log it, and bound any data that you keep
    /// for each ID.
    #[must_use]
    pub fn claimed_tenant(&self) -> Option<&str> {
        let is_meant = |id: &&str| !id.is_empty() && !self.is_tenant_known();
        self.tenant.as_deref().filter(is_meant)
    }

    fn is_tenant_known(&self) -> bool {
        !self.is_tenant_claimed && self.kind != RejectionKind::UnknownTenant
    }

    /// Returns the status of the response: `403 Forbidden` for an authentication failure, unless
    /// the provider or the layer sets another. For other kinds, the kind determines the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.own_status().or(self.status).unwrap_or(StatusCode::FORBIDDEN)
    }

    /// Sets the provider, unless it is set.
    pub(crate) const fn with_provider(mut self, provider: &'static str) -> Self {
        if self.provider.is_empty() {
            self.provider = provider;
        }
        self
    }

    /// Sets the `WWW-Authenticate` value of a 401 response, unless it is set.
    pub(crate) const fn with_www_authenticate(mut self, challenge: &'static str) -> Self {
        if self.www_authenticate.is_empty() {
            self.www_authenticate = challenge;
        }
        self
    }

    /// Sets the status of an authentication failure.
    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Hides the path of the signed URL if the request's URL is secret.
    pub(crate) fn with_secret_url(mut self, has_secret_url: impl FnOnce() -> bool) -> Self {
        // Few rejections have a URL to hide.
        if self.details.is_some() && has_secret_url() {
            self.details().has_secret_url = true;
        }
        self
    }

    /// Sets the `WWW-Authenticate` value of the first verifier of a layer that had one, so that all
    /// rejections of the layer ask for the same credentials.
    pub(crate) fn with_shared_challenge(mut self, first: &OnceLock<&'static str>) -> Self {
        self.www_authenticate = match self.www_authenticate {
            "" => first.get().copied().unwrap_or_default(),
            own => first.get_or_init(|| own),
        };
        self
    }

    /// Adds `WWW-Authenticate` to a 401 response. A sender that waits for it cannot authenticate
    /// without it (RFC 9110, section 15.5.2).
    pub(crate) fn add_challenge(&self, response: &mut Response<Bytes>) {
        if response.status() == StatusCode::UNAUTHORIZED
            && let Ok(challenge) = HeaderValue::from_str(self.www_authenticate)
            && !challenge.is_empty()
        {
            response.headers_mut().entry(header::WWW_AUTHENTICATE).or_insert(challenge);
        }
    }
}

/// Converts the error of a secret that was looked up and is invalid. The server is at fault, so the
/// sender is asked to retry.
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
            .field("field", &self.field_name())
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
        if let Some(field) = self.field_name() {
            write!(f, "{field}: ")?;
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
