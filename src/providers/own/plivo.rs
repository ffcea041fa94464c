//! Plivo webhooks.

use bytes::Bytes;
use http::{Method, request::Parts};

use crate::{
    crypto::{mac::Algorithm, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        form::Form,
        headers::{is_form, required},
        url::split_query,
    },
    providers::{
        macros::registered,
        own::form_signature::{FormSignature, Rules, SignedForm},
        policy::DeliveryPolicy,
    },
    scheme::public_url::PublicUrl,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const HEADER: &str = "x-plivo-signature-v3";
const NONCE: &str = "x-plivo-signature-v3-nonce";
const HEADER_V2: &str = "x-plivo-signature-v2";
const NONCE_V2: &str = "x-plivo-signature-v2-nonce";

const V3: Rules = Rules {
    provider: "plivo",
    algorithm: Algorithm::HmacSha256,
    header: HEADER,
    is_list: true,
    content: content_v3,
};

const V2: Rules = Rules { header: HEADER_V2, is_list: false, content: content_v2, ..V3 };

/// Plivo webhooks: HMAC-SHA256 of URL, parameters and nonce.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::Plivo};
///
/// let url = PublicUrl::base("https://example.com")?;
/// let layer = SignatureLayer::new(Plivo::new("made-up-auth-token", url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-plivo-signature-v3: <base64>[,<base64>]`, `x-plivo-signature-v3-nonce` |
/// | algorithm | HMAC-SHA256; the key is the auth token |
/// | signed content | `<URL>.<nonce>`, `<URL>?<query>.<nonce>`, `<URL>?<form>.<nonce>` or `<URL>?<query>.<form>.<nonce>`; the URL without its query; query and form decoded and sorted |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | none known |
/// | challenge | none |
///
/// - The parameters of the query are joined as `name=value` with `&`, those of the form without any
///   delimiter. The signature therefore covers neither the method, nor where a name or a value ends,
///   nor whether a parameter is in the query or in the form.
///   [`body_is_signed`](crate::Verified::body_is_signed) is `false`. Anyone who has a signed request
///   can move text between them. Accept one method, use only parameters that you know, and fetch what
///   matters by its ID.
/// - A body that is neither a form nor empty is rejected.
/// - The nonce must consist of letters, digits, `-` and `_`: a nonce with a `.` could hold a part of
///   the form.
/// - If Plivo has a URL without a path, such as `https://example.com`, use [`PublicUrl::fixed`]: a
///   request always has a path.
///
/// # Version 2
///
/// Version 2 signs the URL without its query, and a nonce: it covers no parameter and no body. A
/// request with version 2 alone is accepted after [`accept_v2`](Self::accept_v2), and proves only
/// that Plivo has sent some request to that path. Nothing separates the path from the nonce, so the
/// nonce must consist of digits, and the path must not end with one unless the URL is
/// [fixed](PublicUrl::fixed).
///
/// # Secret
///
/// The auth token of the account or subaccount that owns the call or message.
/// ([Plivo](https://github.com/plivo/plivo-python/blob/aede04fc72d60ba3170b8347f252a4179b1dee4d/plivo/utils/signature_v3.py))
///
/// # Settings
///
/// Create the [`PublicUrl`] from the URL that Plivo has, with its query.
/// ([Plivo](https://github.com/plivo/plivo-python/blob/aede04fc72d60ba3170b8347f252a4179b1dee4d/plivo/utils/signature_v3.py))
///
/// # Not covered
///
/// `X-Plivo-Signature-Ma-V3`, the signature by the token of the main account.
///
/// # Evidence
///
/// Vendor's source: `plivo/utils/signature_v3.py` in plivo/plivo-python @aede04f. Public vector for
/// version 2: `tests/resources/test_signature.py` @a0cd323.
///
#[doc = crate::providers::macros::page!(Plivo)]
#[derive(Clone, Debug)]
pub struct Plivo {
    signature: FormSignature,
    accepts_v2: bool,
}

registered! {
    Plivo = "plivo";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "HMAC-SHA256 of URL, form and nonce";
    "plivo": Secret url, p => Plivo::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

impl Plivo {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[HEADER, HEADER_V2]);

    /// Creates a verifier with these auth tokens, the current one first, for webhooks that Plivo
    /// sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(auth_tokens: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        let signature = FormSignature::new(V3, auth_tokens, url)?;
        Ok(Self { signature, accepts_v2: false })
    }

    /// Also accepts requests that have version 2 of the signature and not version 3.
    ///
    /// Version 2 covers [neither parameters nor body](Self#version-2).
    #[must_use]
    pub const fn accept_v2(mut self) -> Self {
        self.accepts_v2 = true;
        self
    }

    /// Returns the rules for this request. Version 3 decides wherever it is present.
    fn rules(&self, head: &Parts) -> Rules {
        let is_v2 = self.accepts_v2
            && !head.headers.contains_key(HEADER)
            && head.headers.contains_key(HEADER_V2);
        if is_v2 { V2 } else { V3 }
    }
}

/// Returns the nonce.
fn nonce<'a>(head: &'a Parts, name: &'static str) -> Result<&'a [u8], Rejection> {
    let nonce = required(head, name)?;
    // Otherwise the nonce could hold the text of parameters that are no longer there, or of a path.
    let is_plain = |byte: &u8| match name {
        NONCE => byte.is_ascii_alphanumeric() || b"-_".contains(byte),
        _ => byte.is_ascii_digit(),
    };
    if nonce.iter().all(is_plain) { Ok(nonce) } else { Err(Rejection::malformed(name)) }
}

/// Returns the content of version 3.
fn content_v3(request: &SignedForm<'_>) -> Result<Vec<u8>, Rejection> {
    let head = request.head;
    let (base, query) = split_query(request.url);
    let query = query.strip_prefix('?').unwrap_or_default();
    let mut query = Form::parse(query.as_bytes()).ok_or(Rejection::malformed_in(Field::Url))?;
    query.sort();
    let is_read_only = head.method == Method::GET || head.method == Method::HEAD;
    if !request.body.is_empty() && (is_read_only || !is_form(head)?) {
        return Err(Rejection::new(RejectionKind::BodyNotSigned).with_field(Field::Body));
    }
    let mut form = Form::parse(request.body).ok_or(Rejection::malformed_in(Field::Body))?;
    form.sort();
    let (has_query, has_form) = (query.iter().next().is_some(), form.iter().next().is_some());
    let mut content = base.as_bytes().to_vec();
    if has_query || has_form {
        content.push(b'?');
    }
    for (at, (name, value)) in query.iter().enumerate() {
        if at > 0 {
            content.push(b'&');
        }
        content.extend([name, b"=", value].concat());
    }
    if has_query && has_form {
        content.push(b'.');
    }
    content.extend(form.joined());
    content.push(b'.');
    content.extend(nonce(head, NONCE)?);
    Ok(content)
}

/// Returns the content of version 2.
fn content_v2(request: &SignedForm<'_>) -> Result<Vec<u8>, Rejection> {
    let (base, _) = split_query(request.url);
    // The end of the path could be the beginning of the nonce.
    if !request.received.is_empty() && base.ends_with(|char: char| char.is_ascii_digit()) {
        return Err(Rejection::malformed_in(Field::Url));
    }
    Ok([base.as_bytes(), nonce(request.head, NONCE_V2)?].concat())
}

impl Verifier for Plivo {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        let rules = self.rules(request.head());
        nonce(request.head(), if rules.header == HEADER { NONCE } else { NONCE_V2 })?;
        self.signature.begin(rules, request.head())
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let rules = self.rules(request.head());
        Ok(self.signature.finish(rules, request.head(), body)?.into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let accepts_v2 = self.accepts_v2;
        self.signature.probe(probe, |signature| Self { signature, accepts_v2 });
        if !self.accepts_v2 {
            let finding = crate::outcome::explanation::Finding::proven(
                crate::outcome::cause::Cause::Algorithm,
            );
            let finding = finding.with_detail("it is version 2, which is not accepted");
            probe.verifier(finding, &self.clone().accept_v2());
        }
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Plivo {
    /// Signs by version 3. A request without a nonce gets one.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let nonce = http::HeaderValue::from_static("12345");
        head.headers.entry(NONCE).or_insert(nonce);
        self.signature.sign(V3, head, body).map(|()| None)
    }
}
