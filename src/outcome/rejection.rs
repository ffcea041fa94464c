//! Why a request was refused, and what the sender is told.

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
    pub(crate) kind: RejectionKind,
    status: Option<StatusCode>,
    provider: &'static str,
    www_authenticate: &'static str,
    tenant: Option<Arc<str>>,
    /// There is no such tenant, or nobody knows. Its id is kept all the same: to drop it sooner than a known tenant's
    /// would take other steps.
    is_tenant_claimed: bool,
    pub(crate) field: Option<Named>,
    pub(crate) details: Option<Arc<Details>>,
    /// Of a mismatch, how many secrets were tried; of a time that is off, its age in milliseconds, negative where it
    /// is ahead. One field, because rejections are moved a lot.
    pub(crate) measure: Option<NonZeroI64>,
}

/// What few rejections have, behind a pointer, because rejections are moved a lot.
#[derive(Clone, Default)]
pub(crate) struct Details {
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
    /// As the verifier has it. It is shown without its secrets.
    signed_url: Option<Box<str>>,
    /// Nor is its path shown.
    has_secret_url: bool,
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
            is_tenant_claimed: false,
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
        self.is_tenant_claimed = false;
        self
    }

    /// Names the tenant that the request claims to be for, where nobody knows whether there is such a tenant: a
    /// look-up failed, for example. It is told as [`claimed_tenant`](Self::claimed_tenant).
    #[must_use]
    pub fn with_claimed_tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self.is_tenant_claimed = true;
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

    /// Returns its name, for those who write it down.
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

    /// Returns the URL as the verifier has it, with its secrets.
    pub(crate) fn raw_signed_url(&self) -> Option<&str> {
        self.details.as_ref()?.signed_url.as_deref()
    }

    /// The same, of a request whose URL is known to be secret, or not.
    pub(crate) fn signed_url_of(&self, has_secret_url: bool) -> Option<String> {
        let has_secret_url =
            has_secret_url || self.details.as_ref().is_some_and(|details| details.has_secret_url);
        // An unknown tenant's is made, too, so that it takes as long.
        let url = signed_url(self.raw_signed_url()?, has_secret_url);
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
        !self.is_tenant_claimed && self.kind != RejectionKind::UnknownTenant
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

    /// Sets the `WWW-Authenticate` of a 401, unless it is known.
    pub(crate) const fn with_www_authenticate(mut self, challenge: &'static str) -> Self {
        if self.www_authenticate.is_empty() {
            self.www_authenticate = challenge;
        }
        self
    }

    /// Sets the status of a verdict.
    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Hides the path of the signed URL where the request's URL is secret.
    pub(crate) fn with_secret_url(mut self, has_secret_url: bool) -> Self {
        if has_secret_url && self.details.is_some() {
            self.details().has_secret_url = true;
        }
        self
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
