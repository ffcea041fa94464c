//! Text of challenges, and the responses that repeat it.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::parse::json::text_field;

/// Function that returns the HMAC-SHA256 of a token under the first secret.
pub(crate) type SignToken<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// Maximum length of a challenge that is answered, in bytes.
pub(crate) const MAX_CHALLENGE: usize = 256;

/// Returns the challenge as text if it has an acceptable length and is UTF-8.
pub(crate) fn text(challenge: &[u8]) -> Option<&str> {
    let is_in_form = (1..=MAX_CHALLENGE).contains(&challenge.len());
    std::str::from_utf8(challenge).ok().filter(|_| is_in_form)
}

/// Returns `true` if the challenge is a token, whose HMAC may be sent. A JSON object or array is
/// never a token.
pub(crate) fn is_token(text: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    (1..=MAX_CHALLENGE).contains(&text.len()) && text.iter().all(is_allowed)
}

/// Returns whether a top-level field of a short body has this text. Challenges are short and events
/// are long, so most bodies are not parsed.
///
/// A body that has neither the text nor an escaped letter is not parsed either: parsing takes
/// several times as long as the search.
pub(crate) fn has_short_field(body: &[u8], name: &str, value: &str) -> bool {
    body.len() <= 4096
        && body.starts_with(b"{")
        && str::from_utf8(body).is_ok_and(|body| body.contains(value) || body.contains("\\u"))
        && text_field(body, name).is_some_and(|text| text == value)
}

/// Returns a response with text from the request, as plain text so that no browser runs it.
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
