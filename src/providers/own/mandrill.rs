//! Mandrill webhooks.

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    crypto::{mac::Algorithm, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::{form::Form, headers::is_form},
    providers::{
        macros::registered,
        own::form_signature::{FormSignature, Rules, SignedForm},
        policy::DeliveryPolicy,
    },
    scheme::public_url::PublicUrl,
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, verifier::Verifier,
    },
};

const HEADER: &str = "x-mandrill-signature";
/// The only parameter of Mandrill's forms.
const PARAMETER: &str = "mandrill_events";

const RULES: Rules = Rules {
    provider: "mandrill",
    algorithm: Algorithm::HmacSha1,
    header: HEADER,
    is_list: false,
    content,
};

/// Mandrill (Mailchimp Transactional) webhooks: HMAC-SHA1 of URL and form.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::Mandrill};
///
/// let url = PublicUrl::fixed("https://example.com/mandrill")?;
/// let layer = SignatureLayer::new(Mandrill::new("made-up-webhook-key", url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-mandrill-signature: <base64>` |
/// | algorithm | HMAC-SHA1; the key is the webhook's key |
/// | signed content | `<URL>mandrill_events<value>`, the value decoded |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | an unsigned HEAD: the response is an empty 200 |
///
/// - The body must be a form with the parameter `mandrill_events` and no other. The name of the
///   parameter must not occur in the part of the URL that a request brings along: it would be unclear
///   where the URL ends.
/// - The events are JSON in that parameter.
///
/// # Secret
///
/// The webhook's key. Each webhook has its own.
/// ([django-anymail](https://github.com/anymail/django-anymail/blob/0a07e84680e51f2e9d3d382c9fc2d1e560ef0232/anymail/webhooks/mandrill.py))
///
/// # Settings
///
/// Create the [`PublicUrl`] from the URL that Mandrill has, with its user and password if it has
/// them: Mandrill signs them, too.
/// ([django-anymail](https://github.com/anymail/django-anymail/blob/0a07e84680e51f2e9d3d382c9fc2d1e560ef0232/anymail/webhooks/mandrill.py))
///
/// # Evidence
///
/// Receivers: anymail/django-anymail @0a07e84 `anymail/webhooks/mandrill.py`.
///
#[doc = crate::providers::macros::page!(Mandrill)]
#[derive(Clone, Debug)]
pub struct Mandrill(FormSignature);

registered! {
    Mandrill = "mandrill";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "HMAC-SHA1 of URL and form";
    "mandrill": Secret url, p => Mandrill::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

impl Mandrill {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[HEADER]).with_challenge(Challenge::Head);

    /// Creates a verifier with these webhook keys, the current one first, for webhooks that
    /// Mandrill sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(keys: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        FormSignature::new(RULES, keys, url).map(Self)
    }
}

/// Rejects a body that is not a form.
fn check_type(head: &Parts) -> Result<(), Rejection> {
    if is_form(head)? { Ok(()) } else { Err(Rejection::malformed_in(Field::Body)) }
}

/// Returns the signed content: the URL, and the name and the value of the only parameter.
fn content(request: &SignedForm<'_>) -> Result<Vec<u8>, Rejection> {
    let malformed = || Rejection::malformed_in(Field::Body);
    check_type(request.head)?;
    let form = Form::parse(request.body).ok_or_else(malformed)?;
    let mut parameters = form.iter();
    // Another parameter could have any part of the name or the value.
    let value = match (parameters.next(), parameters.next()) {
        (Some((name, value)), None) if name == PARAMETER.as_bytes() => value,
        _ => return Err(malformed()),
    };
    if request.received.contains(PARAMETER) {
        return Err(Rejection::malformed_in(Field::Url));
    }
    Ok([request.url.as_bytes(), PARAMETER.as_bytes(), value].concat())
}

impl Verifier for Mandrill {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        self.0.begin(RULES, request.head())?;
        check_type(request.head())
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        Ok(self.0.finish(RULES, request.head(), body)?.with_signed_body().into())
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        Challenge::Head.before_verification(request.head(), None)
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.0.probe(probe, Self);
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Mandrill {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        self.0.sign(RULES, head, body).map(|()| None)
    }
}
