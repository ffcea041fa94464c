//! Strict readers of a request head.

use http::{HeaderName, HeaderValue, Uri, Version, header, request::Parts};

use crate::outcome::{field::Field, kind::RejectionKind, rejection::Rejection};

/// Longest header value that takes part in verification, in bytes.
const MAX_HEADER: usize = 8 << 10;

/// Returns the value of a header that must occur exactly once and not be empty, without the
/// whitespace around it.
pub(crate) fn required<'a>(head: &'a Parts, name: &'static str) -> Result<&'a [u8], Rejection> {
    match optional(head, name)? {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(Rejection::missing(name)),
    }
}

/// Returns the values of a header that may occur several times but must not be empty, without the
/// whitespace around them.
pub(crate) fn lines<'a>(
    head: &'a Parts,
    name: &'static str,
) -> impl Iterator<Item = Result<&'a [u8], Rejection>> {
    head.headers.get_all(name).iter().map(|value| trim(value.as_bytes())).map(move |value| {
        if value.is_empty() || value.len() > MAX_HEADER {
            return Err(Rejection::malformed(name));
        }
        Ok(value)
    })
}

/// Returns the value of a parameter of the query that must occur exactly once and not be empty. It
/// is not decoded.
pub(crate) fn raw_parameter<'a>(
    head: &'a Parts,
    name: &'static str,
) -> Result<&'a [u8], Rejection> {
    let because = |kind| Rejection::new(kind).with_field(Field::query(name));
    let query = head.uri.query().unwrap_or_default();
    let value = |pair: &'a str| pair.strip_prefix(name)?.strip_prefix('=');
    let mut values = query.split('&').filter_map(value);
    match (values.next(), values.next()) {
        (Some(value), None) if value.len() > MAX_HEADER => Err(because(RejectionKind::Malformed)),
        (Some(value), None) if !value.is_empty() => Ok(value.as_bytes()),
        (_, None) => Err(because(RejectionKind::Missing)),
        // The layer cannot know which of two values the sender meant.
        (_, Some(_)) => Err(because(RejectionKind::Repeated)),
    }
}

/// Returns the value of a header that may occur once, without the whitespace around it.
pub(crate) fn optional<'a>(
    head: &'a Parts,
    name: &'static str,
) -> Result<Option<&'a [u8]>, Rejection> {
    match single(head, name) {
        Ok(value) => Ok(value.map(|value| trim(value.as_bytes()))),
        Err(kind) => Err(Rejection::new(kind).in_header(name)),
    }
}

/// Returns the first value of a header if it is text. It is for facts about a request, and no reader
/// for verification: the header may be repeated.
#[cfg(feature = "explain")]
pub(crate) fn text<'a>(headers: &'a http::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the value of a header whose name was configured, by the rules of [`required`].
pub(crate) fn required_named<'a>(
    head: &'a Parts,
    name: &HeaderName,
) -> Result<&'a [u8], Rejection> {
    let kind = match single(head, name.as_str()) {
        Ok(value) => match value.map(|value| trim(value.as_bytes())) {
            Some(value) if !value.is_empty() => return Ok(value),
            _ => RejectionKind::Missing,
        },
        Err(kind) => kind,
    };
    Err(Rejection::new(kind).in_header(name.to_string()))
}

/// Returns the credentials after this scheme in `Authorization`.
pub(crate) fn credentials<'a>(head: &'a Parts, scheme: &str) -> Result<&'a [u8], Rejection> {
    let value = required(head, "authorization")?;
    after_scheme(value, scheme).ok_or(Rejection::malformed("authorization"))
}

/// Returns what follows this scheme in a value of `Authorization`.
pub(crate) fn after_scheme<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    value
        .split_at_checked(scheme.len())
        .filter(|(name, _)| name.eq_ignore_ascii_case(scheme.as_bytes()))
        .and_then(|(_, rest)| rest.strip_prefix(b" "))
        .map(<[u8]>::trim_ascii_start)
}

/// Returns whether the body is a form.
pub(crate) fn is_form(head: &Parts) -> Result<bool, Rejection> {
    is_of_type(head, b"application/x-www-form-urlencoded")
}

/// Returns whether the body is JSON.
pub(crate) fn is_json(head: &Parts) -> Result<bool, Rejection> {
    is_of_type(head, b"application/json")
}

fn is_of_type(head: &Parts, name: &[u8]) -> Result<bool, Rejection> {
    let content_type = optional(head, "content-type")?.unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    Ok(media_type.trim_ascii().eq_ignore_ascii_case(name))
}

/// Checks that `chunked` is the only transfer coding.
///
/// Servers remove `chunked` from a body and leave other codings on, for a layer below to undo. The
/// handler would then get other bytes than the verified ones.
pub(crate) fn check_transfer_encoding(head: &Parts) -> Result<(), Rejection> {
    let mut codings = values(head, header::TRANSFER_ENCODING);
    if codings.all(|coding| trim(coding.as_bytes()).eq_ignore_ascii_case(b"chunked")) {
        return Ok(());
    }
    Err(Rejection::new(RejectionKind::BodyUnreadable).in_header("transfer-encoding"))
}

/// Returns whether the sender waits for `100 Continue` before it sends the body. In HTTP/1.0 the
/// expectation has no meaning (RFC 9110, section 10.1.1).
pub(crate) fn awaits_continue(head: &Parts) -> bool {
    let mut expected = values(head, header::EXPECT);
    head.version >= Version::HTTP_11
        && expected.any(|value| trim(value.as_bytes()).eq_ignore_ascii_case(b"100-continue"))
}

/// Returns the values of a header. Comparing a few names is cheaper than hashing one.
fn values(head: &Parts, name: HeaderName) -> impl Iterator<Item = &HeaderValue> {
    head.headers.iter().filter(move |(found, _)| **found == name).map(|(_, value)| value)
}

/// Returns whether `connection: close` has a meaning for the sender.
pub(crate) fn is_http1(head: &Parts) -> bool {
    head.version <= Version::HTTP_11
}

fn single<'a>(head: &'a Parts, name: &str) -> Result<Option<&'a HeaderValue>, RejectionKind> {
    let mut values =
        head.headers.iter().filter(|(found, _)| found.as_str() == name).map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        // The layer cannot know which of two values a proxy or the sender meant.
        return Err(RejectionKind::Repeated);
    }
    if first.is_some_and(|value| value.len() > MAX_HEADER) {
        return Err(RejectionKind::Malformed);
    }
    Ok(first)
}

/// Removes the spaces and tabs around a header's value, which are not part of it (RFC 9110, section
/// 5.5).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Returns the URI of the request as received. axum's `Router::nest` cuts it for the services
/// below.
pub(crate) fn original_uri(head: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = head.extensions.get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    &head.uri
}

/// Checks a header name at compile time.
///
/// # Panics
///
/// Panics if no header can have this name, because the name is empty or not in lower case.
pub(crate) const fn checked_name(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "header name is empty");
    let mut at = 0;
    while at < bytes.len() {
        assert!(
            matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'),
            "header name is not in lower case"
        );
        at += 1;
    }
    name
}
