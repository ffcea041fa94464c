//! Challenges that are answered before verification.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, request::Parts};

use crate::{
    outcome::kind::RejectionKind,
    parse::{encoding::Encoding, form::Form, headers::optional},
    verifier::challenge::response::{SignToken, echo, is_token, json_answer, text},
};

/// Challenge that is answered before verification; see [`Challenge`](crate::scheme::Challenge).
#[derive(Clone, Copy)]
pub(crate) enum Unsigned {
    CrcToken,
    Head,
    Header(&'static str),
    HeaderToJson { header: &'static str, field: &'static str },
    PostQuery(&'static str),
    Query(&'static str),
    WebHookOrigins(&'static [&'static str]),
}

const CRC_TOKEN: &str = "crc_token";
const ORIGIN: &str = "webhook-request-origin";

impl Unsigned {
    /// Returns the only method of this challenge, so that a request with another method cannot
    /// bypass verification.
    const fn method(self) -> Method {
        match self {
            Self::Head => Method::HEAD,
            Self::PostQuery(_) => Method::POST,
            Self::WebHookOrigins(_) => Method::OPTIONS,
            Self::CrcToken | Self::Header(_) | Self::HeaderToJson { .. } | Self::Query(_) => {
                Method::GET
            }
        }
    }

    /// Returns `true` if a request with this head is this challenge.
    pub(crate) fn matches(self, head: &Parts) -> bool {
        let has = |name: &str| head.headers.contains_key(name);
        let has_parameter = |name| with_parameter(head, name, |_| ()).is_some();
        head.method == self.method()
            && match self {
                Self::Head => true,
                Self::Header(name) | Self::HeaderToJson { header: name, .. } => has(name),
                Self::PostQuery(name) | Self::Query(name) => has_parameter(name),
                Self::CrcToken => has_parameter(CRC_TOKEN),
                Self::WebHookOrigins(_) => has(ORIGIN),
            }
    }

    /// Returns the response to this challenge.
    ///
    /// # Errors
    ///
    /// Returns the kind of the rejection if the challenge is malformed, or its origin is not
    /// allowed.
    pub(crate) fn answer(
        self,
        head: &Parts,
        sign: Option<SignToken<'_>>,
    ) -> Result<Response<Bytes>, RejectionKind> {
        let echoed = |challenge: &[u8]| text(challenge).map(|text| echo(text.as_bytes()));
        let answer = match self {
            Self::Head => Some(Response::default()),
            Self::Header(name) => header(head, name).and_then(echoed),
            Self::HeaderToJson { header: name, field } => {
                let value = header(head, name).and_then(text);
                let value = value.filter(|text| is_token(text.as_bytes()));
                value.map(|value| json_answer(&format!(r#"{{"{field}":"{value}"}}"#)))
            }
            Self::PostQuery(name) | Self::Query(name) => {
                with_parameter(head, name, echoed).flatten()
            }
            Self::CrcToken => with_parameter(head, CRC_TOKEN, |token| {
                let token = Some(token).filter(|token| is_token(token))?;
                let tag = Encoding::Base64.encode(&sign?(token));
                Some(json_answer(&format!(r#"{{"response_token":"sha256={tag}"}}"#)))
            })
            .flatten(),
            Self::WebHookOrigins(origins) => return allow_origin(head, origins),
        };
        answer.ok_or(RejectionKind::ChallengeMalformed)
    }
}

/// Returns the value of the header; `None` if it is repeated, because either value could be meant.
fn header<'a>(head: &'a Parts, name: &'static str) -> Option<&'a [u8]> {
    optional(head, name).ok().flatten()
}

fn with_parameter<T>(head: &Parts, name: &str, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let form = Form::parse(head.uri.query()?.as_bytes())?;
    form.first(name).map(take)
}

fn allow_origin(head: &Parts, origins: &[&'static str]) -> Result<Response<Bytes>, RejectionKind> {
    let origin = header(head, ORIGIN).ok_or(RejectionKind::ChallengeMalformed)?;
    let allowed = origins.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(origin));
    let allowed = allowed.ok_or(RejectionKind::ChallengeUnexpected)?;
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    // Send the configured origin, not the received one.
    let allowed = HeaderValue::from_str(allowed).map_err(|_| RejectionKind::ChallengeMalformed)?;
    headers.insert("webhook-allowed-origin", allowed);
    if head.headers.contains_key("webhook-request-rate") {
        headers.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    }
    Ok(response)
}
