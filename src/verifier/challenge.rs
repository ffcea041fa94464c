//! Answers to ownership challenges, as part of a declared scheme.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header, request::Parts};
use subtle::Choice;

use crate::{
    crypto::{mac::Mac, secret::Secret},
    error::ConfigError,
    outcome::rejection::{Rejection, RejectionKind},
    parse::{
        encoding::Encoding,
        form::Form,
        headers::optional,
        json::{self, Value},
    },
    verifier::{
        context::Context,
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::{Verifier, VerifierDefaults},
    },
};

/// Longest challenge that is answered, in bytes.
pub(crate) const MAX_CHALLENGE: usize = 256;

/// How a provider asks whether an endpoint is its customer's, and what it wants to hear.
///
/// The handler sees no challenge. Challenges are at most 256 bytes long; what is recognised as one
/// and is out of form is answered with 400. Text goes back as `text/plain` with `nosniff`, so that
/// no browser runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// Unsigned: a GET with `crc_token` in the query is answered with
    /// `{"response_token":"sha256=<base64>"}`, its HMAC-SHA256 under the first secret. X asks so,
    /// every day.
    ///
    /// Whoever asks is told the HMAC of a token of his choice. So that this is never a request's
    /// signature, a token is made of letters, digits and `-._~+/=` only, and a body made of
    /// nothing else is refused where the scheme signs the body alone. A scheme that signs more must
    /// have a literal that is in no token.
    CrcToken,
    /// Verified: a POST with `aeg-event-type: SubscriptionValidation` is answered with
    /// `{"validationResponse":"<code>"}`, the code being the text `data.validationCode` of the first
    /// event in the body. Azure Event Grid asks so. A code is of the form that
    /// [`CrcToken`](Self::CrcToken) says of tokens.
    EventGrid,
    /// Unsigned: a GET with this header is answered with its value. Worldline asks so.
    Header(&'static str),
    /// Unsigned: a GET with `header` is answered with `{"<field>":"<value>"}`. Okta asks so. For the
    /// value holds what [`CrcToken`](Self::CrcToken) says of tokens.
    HeaderToJson {
        /// Where the challenge stands.
        header: &'static str,
        /// The answer's field.
        field: &'static str,
    },
    /// Unsigned: a HEAD is answered with an empty 200, which tells and proves nothing. Trello and
    /// Intercom ask so.
    Head,
    /// Signed: a POST with `"event":"endpoint.url_validation"` and the text `payload.plainToken` is
    /// answered with `{"plainToken":…,"encryptedToken":"<hex>"}`, the second being the HMAC-SHA256
    /// of the first under the first secret. Zoom asks so, every three days. For the token holds
    /// what [`CrcToken`](Self::CrcToken) says.
    PlainToken,
    /// Unsigned: a POST with this parameter in the query is answered with its value; the body is not
    /// read, and no such POST reaches the handler. Microsoft Graph asks so, with `validationToken`.
    PostQuery(&'static str),
    /// Unsigned: a GET with this parameter in the query is answered with its value. Dropbox and
    /// Nylas ask so.
    Query(&'static str),
    /// Signed: a POST on which `header` has this `value` is answered with the text in the body's
    /// `field`. Twitch asks so.
    SignedField {
        /// Tells a challenge from other requests.
        header: &'static str,
        /// The header's value on a challenge.
        value: &'static str,
        /// The field of the JSON body in which the challenge stands.
        field: &'static str,
    },
    /// Signed: a POST whose body's `field` is this `value` is answered with the text in `header`.
    /// Front asks so.
    SignedHeader {
        /// Where the challenge stands.
        header: &'static str,
        /// The field of the JSON body that tells a challenge from other requests.
        field: &'static str,
        /// The field's text on a challenge.
        value: &'static str,
    },
    /// Unsigned: an OPTIONS with `WebHook-Request-Origin` is answered with `WebHook-Allowed-Origin`
    /// where the origin is one of these, whatever its case, and with 404 otherwise. Senders of
    /// CloudEvents ask so: `eventgrid.azure.net` for Azure Event Grid. The answer only tells a sender
    /// that it may deliver here; whether a delivery is genuine is verified as ever.
    WebHookOrigins(&'static [&'static str]),
}

impl Challenge {
    /// Whether the answer needs a secret, and is an HMAC-SHA256 under it.
    pub(crate) const fn is_keyed(self) -> bool {
        matches!(self, Self::CrcToken | Self::PlainToken)
    }

    /// Returns whether a request with this head asks so, without a signature.
    pub(crate) fn is_asked(self, head: &Parts) -> bool {
        let has = |name: &str| head.headers.contains_key(name);
        let has_parameter = |name| {
            let form = head.uri.query().and_then(|query| Form::parse(query.as_bytes()));
            form.is_some_and(|form| form.first(name).is_some())
        };
        match self {
            Self::Head => head.method == Method::HEAD,
            Self::PostQuery(name) => head.method == Method::POST && has_parameter(name),
            Self::Query(name) => head.method == Method::GET && has_parameter(name),
            Self::CrcToken => head.method == Method::GET && has_parameter("crc_token"),
            Self::Header(header) | Self::HeaderToJson { header, .. } => {
                head.method == Method::GET && has(header)
            }
            Self::WebHookOrigins(_) => {
                head.method == Method::OPTIONS && has("webhook-request-origin")
            }
            Self::EventGrid
            | Self::PlainToken
            | Self::SignedField { .. }
            | Self::SignedHeader { .. } => false,
        }
    }

    /// The answer to an unsigned challenge; `None` for every other request, which is verified.
    pub(crate) fn before_verification(
        self,
        head: &Parts,
        key: Option<&Mac>,
    ) -> Option<Result<Response<Bytes>, Rejection>> {
        // One method each, so that no other gets round verification (T-43).
        match self {
            Self::Head => (head.method == Method::HEAD).then(|| Ok(Response::default())),
            Self::PostQuery(_) if head.method != Method::POST => None,
            Self::CrcToken | Self::Header(_) | Self::HeaderToJson { .. } | Self::Query(_)
                if head.method != Method::GET =>
            {
                None
            }
            Self::Header(name) => answer_header(head, name, &|challenge| {
                text(challenge).map(|text| echo(text.as_bytes()))
            }),
            Self::HeaderToJson { header, field } => answer_header(head, header, &|challenge| {
                let value = text(challenge).filter(|text| is_token(text.as_bytes()))?;
                Some(json_answer(&format!(r#"{{"{field}":"{value}"}}"#)))
            }),
            Self::PostQuery(name) | Self::Query(name) => {
                let answer = |challenge: &[u8]| text(challenge).map(|text| echo(text.as_bytes()));
                answer_query(head, name, &answer)
            }
            Self::CrcToken => {
                let key = key?;
                let answer = |token: &[u8]| {
                    let token = Some(token).filter(|token| is_token(token))?;
                    let tag = tag_of(key, token, Encoding::Base64);
                    Some(json_answer(&format!(r#"{{"response_token":"sha256={tag}"}}"#)))
                };
                answer_query(head, "crc_token", &answer)
            }
            Self::WebHookOrigins(origins) => (head.method == Method::OPTIONS)
                .then(|| allow_origin(head, origins))
                .and_then(Result::transpose),
            Self::EventGrid
            | Self::PlainToken
            | Self::SignedField { .. }
            | Self::SignedHeader { .. } => None,
        }
    }

    /// The answer to a signed challenge; `None` for every other request, which is the handler's.
    ///
    /// It is asked for after verification only. The header of `SignedField` is not signed, but
    /// whoever changes it on a captured request learns what that request's sender wrote, and
    /// keeps the request from the handler, which he could do by not sending it.
    pub(crate) fn after_verification(
        self,
        head: &Parts,
        body: &[u8],
        key: Option<&Mac>,
    ) -> Option<Result<Response<Bytes>, Rejection>> {
        if head.method != Method::POST {
            return None;
        }
        match self {
            Self::PlainToken => {
                let key = key?;
                if short_field(body, "event")? != "endpoint.url_validation" {
                    return None;
                }
                let token = match json::field(body, "payload") {
                    Ok(Some(Value::Object(payload))) => {
                        text_field(payload.as_bytes(), "plainToken")
                    }
                    _ => None,
                };
                // Whoever knows a secret that is being rolled out is accepted too, so even here this
                // must not sign what its sender likes. Nothing in a token needs escaping.
                let Some(token) = token.filter(|token| is_token(token.as_bytes())) else {
                    return Some(Err(malformed()));
                };
                let tag = tag_of(key, token.as_bytes(), Encoding::Hex);
                let json = format!(r#"{{"plainToken":"{token}","encryptedToken":"{tag}"}}"#);
                Some(Ok(json_answer(&json)))
            }
            Self::EventGrid => {
                let mut kinds = head.headers.get_all("aeg-event-type").iter();
                if !kinds.any(|kind| kind == "SubscriptionValidation") {
                    return None;
                }
                let code = validation_code(body).filter(|code| is_token(code.as_bytes()));
                let answer = |code| json_answer(&format!(r#"{{"validationResponse":"{code}"}}"#));
                Some(code.map(answer).ok_or_else(malformed))
            }
            Self::SignedField { header, value, field } => {
                if !head.headers.get_all(header).iter().any(|found| found == value) {
                    return None;
                }
                let challenge = text_field(body, field);
                let challenge = challenge.as_deref().and_then(|found| text(found.as_bytes()));
                Some(challenge.map(|text| echo(text.as_bytes())).ok_or_else(malformed))
            }
            Self::SignedHeader { header, field, value } => {
                if !head.headers.contains_key(header) || short_field(body, field)? != value {
                    return None;
                }
                let challenge = optional(head, header).ok().flatten().and_then(text);
                Some(challenge.map(|text| echo(text.as_bytes())).ok_or_else(malformed))
            }
            _ => None,
        }
    }
}

fn answer_header(
    head: &Parts,
    name: &'static str,
    answer: &dyn Fn(&[u8]) -> Option<Response<Bytes>>,
) -> Option<Result<Response<Bytes>, Rejection>> {
    // Not where it is there twice: which of them was meant is not ours to guess.
    let answer = optional(head, name).map(|challenge| challenge.map(answer)).transpose()?;
    Some(answer.ok().flatten().ok_or(malformed()))
}

fn answer_query(
    head: &Parts,
    name: &str,
    answer: &dyn Fn(&[u8]) -> Option<Response<Bytes>>,
) -> Option<Result<Response<Bytes>, Rejection>> {
    let form = Form::parse(head.uri.query()?.as_bytes())?;
    let answer = answer(form.first(name)?);
    Some(answer.ok_or(malformed()))
}

/// `None` for an OPTIONS of another sort.
fn allow_origin(
    head: &Parts,
    origins: &[&'static str],
) -> Result<Option<Response<Bytes>>, Rejection> {
    let origin = optional(head, "webhook-request-origin").map_err(|_| malformed())?;
    let Some(origin) = origin else { return Ok(None) };
    let allowed = origins.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(origin));
    let allowed = allowed.ok_or(Rejection::new(RejectionKind::ChallengeUnexpected))?;
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    // What was configured, not what was sent.
    let allowed = HeaderValue::from_str(allowed).map_err(|_| malformed())?;
    headers.insert("webhook-allowed-origin", allowed);
    if head.headers.contains_key("webhook-request-rate") {
        headers.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    }
    Ok(Some(response))
}

/// `data.validationCode` of an array's first event.
fn validation_code(body: &[u8]) -> Option<String> {
    let mut first = None;
    json::items(body, &mut |event| {
        first.get_or_insert(event);
    })
    .ok()?;
    let Some(Value::Object(event)) = first else { return None };
    match json::field(event.as_bytes(), "data") {
        Ok(Some(Value::Object(data))) => {
            text_field(data.as_bytes(), "validationCode").map(Cow::into_owned)
        }
        _ => None,
    }
}

/// The challenge of a GET with `hub.mode=subscribe`, one of these tokens as `hub.verify_token`, and
/// `hub.challenge`.
pub(crate) fn subscription(head: &Parts, tokens: &[Secret]) -> Result<String, Rejection> {
    let query = head.uri.query().unwrap_or_default();
    let form = Form::parse(query.as_bytes()).ok_or_else(malformed)?;
    let part = |name| form.first(name).filter(|value| !value.is_empty()).ok_or_else(malformed);
    let mode = part("hub.mode")?;
    let (token, challenge) = (part("hub.verify_token")?, part("hub.challenge")?);
    let mut is_known = Choice::from(0);
    for known in tokens {
        is_known |= known.ct_matches(token);
    }
    if !(bool::from(is_known) && mode == b"subscribe") {
        return Err(Rejection::new(RejectionKind::ChallengeFailed));
    }
    text(challenge).map(str::to_owned).ok_or_else(malformed)
}

/// A challenge that may be answered.
pub(crate) fn text(challenge: &[u8]) -> Option<&str> {
    let is_in_form = (1..=MAX_CHALLENGE).contains(&challenge.len());
    std::str::from_utf8(challenge).ok().filter(|_| is_in_form)
}

/// A challenge that may be answered with its HMAC: never a JSON object or array.
pub(crate) fn is_token(text: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    (1..=MAX_CHALLENGE).contains(&text.len()) && text.iter().all(is_allowed)
}

pub(crate) fn text_field<'a>(body: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    json::field(body, name).ok().flatten().and_then(Value::into_text)
}

/// As [`text_field`]. Events are long, challenges are not: most bodies are not even parsed.
pub(crate) fn short_field<'a>(body: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    if body.len() <= 4096 && body.starts_with(b"{") { text_field(body, name) } else { None }
}

fn tag_of(key: &Mac, text: &[u8], encoding: Encoding) -> String {
    let mut mac = key.clone();
    mac.update(text);
    encoding.encode(mac.finalize().as_bytes())
}

/// Text from the request as plain text, so that no browser runs it (T-43).
pub(crate) fn echo(text: &[u8]) -> Response<Bytes> {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer(Bytes::copy_from_slice(text), plain)
}

pub(crate) fn json_answer(json: &str) -> Response<Bytes> {
    answer(Bytes::copy_from_slice(json.as_bytes()), HeaderValue::from_static("application/json"))
}

fn answer(body: Bytes, content_type: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// A signed challenge that is out of form: no challenge falls through to the handler.
pub(crate) const fn malformed() -> Rejection {
    Rejection::new(RejectionKind::ChallengeMalformed)
}

/// A verifier that also answers a challenge; see [`with_challenge`].
#[derive(Clone, Debug)]
pub struct WithChallenge<V> {
    verifier: V,
    challenge: Challenge,
}

/// Answers this challenge beside those that the verifier answers itself: for verifiers that are not
/// a declared scheme, and for senders with more than one challenge.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer,
///     providers::SharedToken,
///     scheme::Challenge,
///     verifier::with_challenge,
/// };
///
/// let token = SharedToken::in_query("code", "the secret in the endpoint's URL")?;
/// let event_grid = with_challenge(token, Challenge::EventGrid)?;
/// let cloud_events = Challenge::WebHookOrigins(&["eventgrid.azure.net"]);
/// let layer = SignatureLayer::new(with_challenge(event_grid, cloud_events)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// # Errors
///
/// When the answer needs the secret: only a scheme has it, see [`Scheme::challenge`].
///
/// [`Scheme::challenge`]: crate::Scheme::challenge
pub fn with_challenge<V: Verifier>(
    verifier: V,
    challenge: Challenge,
) -> Result<WithChallenge<V>, ConfigError> {
    if challenge.is_keyed() {
        let why = "the answer to the challenge needs the secret; use `Scheme::challenge`";
        return Err(ConfigError::SchemeInvalid { why });
    }
    Ok(WithChallenge { verifier, challenge })
}

impl<V: Verifier> Verifier for WithChallenge<V> {
    type State = V::State;

    fn begin(&self, request: &Context<'_>) -> Result<V::State, Rejection> {
        self.verifier.begin(request)
    }

    fn update(&self, state: &mut V::State, chunk: &[u8]) {
        self.verifier.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut V::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let outcome = self.verifier.finish(state, request, body)?;
        outcome.or_reply(|| self.challenge.after_verification(request.head(), body, None))
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let own = self.verifier.challenge(request);
        own.or_else(|| self.challenge.before_verification(request.head(), None))
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        self.verifier.first_contact(request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.verifier.defaults().with_challenge(self.challenge)
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.verifier.sensitive_parts()
    }
}
