//! Reading a request's head strictly.

use http::{HeaderName, HeaderValue, Uri, Version, header, request::Parts};

use crate::outcome::{kind::RejectionKind, rejection::Rejection};

/// Longest header value that takes part in verification, in bytes.
const MAX_HEADER: usize = 8 << 10;

/// The value of a header that must be there exactly once and not be empty (T-08, T-10), without
/// the white space around it.
pub(crate) fn required<'a>(head: &'a Parts, name: &'static str) -> Result<&'a [u8], Rejection> {
    match optional(head, name)? {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(Rejection::missing(name)),
    }
}

/// The value of a header that may be there once, without the white space around it.
pub(crate) fn optional<'a>(
    head: &'a Parts,
    name: &'static str,
) -> Result<Option<&'a [u8]>, Rejection> {
    match single(head, name) {
        Ok(value) => Ok(value.map(|value| trim(value.as_bytes()))),
        Err(kind) => Err(Rejection::new(kind).in_header(name)),
    }
}

/// As [`required`], for a name that was configured.
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

/// What follows this scheme in `Authorization`.
pub(crate) fn credentials<'a>(head: &'a Parts, scheme: &str) -> Result<&'a [u8], Rejection> {
    required(head, "authorization")?
        .split_at_checked(scheme.len())
        .filter(|(name, _)| name.eq_ignore_ascii_case(scheme.as_bytes()))
        .and_then(|(_, rest)| rest.strip_prefix(b" "))
        .map(<[u8]>::trim_ascii_start)
        .ok_or(Rejection::malformed("authorization"))
}

/// Servers take `chunked` off a body and leave other codings on, for somebody below to undo: then
/// what was verified would not be what is handled.
pub(crate) fn check_transfer_encoding(head: &Parts) -> Result<(), Rejection> {
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    if codings.all(|coding| trim(coding.as_bytes()).eq_ignore_ascii_case(b"chunked")) {
        return Ok(());
    }
    Err(Rejection::new(RejectionKind::BodyUnreadable).in_header("transfer-encoding"))
}

/// Returns whether the sender waits for `100 Continue` before it sends the body. In HTTP/1.0 the
/// expectation has no meaning (RFC 9110, 10.1.1).
pub(crate) fn awaits_continue(head: &Parts) -> bool {
    let mut expected = head.headers.get_all(header::EXPECT).iter();
    head.version >= Version::HTTP_11
        && expected.any(|value| trim(value.as_bytes()).eq_ignore_ascii_case(b"100-continue"))
}

/// Returns whether `connection: close` has a meaning for the sender.
pub(crate) fn is_http1(head: &Parts) -> bool {
    head.version <= Version::HTTP_11
}

fn single<'a>(head: &'a Parts, name: &str) -> Result<Option<&'a HeaderValue>, RejectionKind> {
    // A few comparisons of lengths are cheaper than to parse and to hash the name for each look-up.
    let mut values =
        head.headers.iter().filter(|(found, _)| found.as_str() == name).map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        // Which of two values a proxy or the sender meant is not ours to guess (T-10).
        return Err(RejectionKind::Repeated);
    }
    if first.is_some_and(|value| value.len() > MAX_HEADER) {
        return Err(RejectionKind::Malformed);
    }
    Ok(first)
}

/// Without the spaces and tabs around it: they are not part of a header's value (RFC 9110, 5.5).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The URI that was received. `Router::nest` of axum cuts it for those below.
pub(crate) fn original_uri(head: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = head.extensions.get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    &head.uri
}

/// Stops at a name under which no header is ever found.
pub(crate) const fn checked_name(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "a header's name is empty");
    let mut at = 0;
    while at < bytes.len() {
        assert!(
            matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'),
            "a header's name must be lower-case"
        );
        at += 1;
    }
    name
}
