//! Text of challenges, and the responses that repeat it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::parse::json::text_field;

/// Makes the HMAC-SHA256 of a token under the first secret.
pub(crate) type SignToken<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// Longest challenge that is answered, in bytes.
pub(crate) const MAX_CHALLENGE: usize = 256;

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

/// As [`text_field`]. Events are long, challenges are not: most bodies are not even parsed.
pub(crate) fn short_field<'a>(body: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    if body.len() <= 4096 && body.starts_with(b"{") { text_field(body, name) } else { None }
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
