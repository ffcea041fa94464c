//! Challenges that are answered after verification.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    parse::{
        encoding::Encoding,
        headers::optional,
        json::{self, Value, text_field},
    },
    verifier::challenge::response::{
        SignToken, echo, has_short_field, is_token, json_answer, text,
    },
};

/// Challenge that is answered after verification; see [`Challenge`](crate::scheme::Challenge).
#[derive(Clone, Copy)]
pub(crate) enum Signed {
    EventGrid,
    Field { header: &'static str, value: &'static str, field: &'static str },
    Header { header: &'static str, field: &'static str, value: &'static str },
    PlainToken,
}

impl Signed {
    /// Returns `true` if a POST with this head and body is this challenge.
    pub(crate) fn matches(self, head: &Parts, body: &[u8]) -> bool {
        let has = |name: &str, wanted| head.headers.get_all(name).iter().any(|it| it == wanted);
        let is = |field, wanted| has_short_field(body, field, wanted);
        match self {
            Self::EventGrid => has("aeg-event-type", "SubscriptionValidation"),
            Self::Field { header, value, .. } => has(header, value),
            Self::Header { header, field, value } => {
                head.headers.contains_key(header) && is(field, value)
            }
            Self::PlainToken => is("event", "endpoint.url_validation"),
        }
    }

    /// Returns the response to this challenge, or `None` if it is malformed.
    pub(crate) fn answer(
        self,
        head: &Parts,
        body: &[u8],
        sign: Option<SignToken<'_>>,
    ) -> Option<Response<Bytes>> {
        match self {
            Self::EventGrid => {
                let code = validation_code(body).filter(|code| is_token(code.as_bytes()))?;
                Some(json_answer(&format!(r#"{{"validationResponse":"{code}"}}"#)))
            }
            Self::Field { field, .. } => {
                let challenge = text_field(body, field)?;
                text(challenge.as_bytes()).map(|text| echo(text.as_bytes()))
            }
            Self::Header { header, .. } => {
                let challenge = optional(head, header).ok().flatten()?;
                text(challenge).map(|text| echo(text.as_bytes()))
            }
            Self::PlainToken => {
                let Ok(Some(Value::Object(payload))) = json::field(body, "payload") else {
                    return None;
                };
                // A sender that knows any one of the secrets of a rotation is accepted, so even
                // here the layer must not sign arbitrary text. Nothing in a token needs escaping.
                let token = text_field(payload.as_bytes(), "plainToken")?;
                let token = Some(token).filter(|token| is_token(token.as_bytes()))?;
                let tag = Encoding::Hex.encode(&sign?(token.as_bytes()));
                let json = format!(r#"{{"plainToken":"{token}","encryptedToken":"{tag}"}}"#);
                Some(json_answer(&json))
            }
        }
    }
}

/// Returns `data.validationCode` of the first event in an array.
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
