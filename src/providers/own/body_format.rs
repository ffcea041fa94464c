//! Format of a body in which a provider puts its proof.

use http::request::Parts;

#[cfg(feature = "multipart")]
use crate::providers::own::multipart;
use crate::{
    outcome::rejection::Rejection,
    parse::headers::{is_json, optional, required},
};

/// Format of the body.
pub(crate) enum Format {
    Form,
    Json,
    #[cfg(feature = "multipart")]
    Multipart(String),
}

/// Rejects a media type other than JSON. A handler that reads a form would take other fields than the
/// signed ones from the same bytes.
pub(crate) fn check_json(head: &Parts) -> Result<(), Rejection> {
    match optional(head, "content-type")?.is_none() || is_json(head)? {
        true => Ok(()),
        false => Err(Rejection::malformed("content-type")),
    }
}

/// Returns the format that the head names.
pub(crate) fn format(head: &Parts) -> Result<Format, Rejection> {
    let value = required(head, "content-type")?;
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |name: &[u8]| media_type.eq_ignore_ascii_case(name);
    if is(b"application/json") {
        Ok(Format::Json)
    } else if is(b"application/x-www-form-urlencoded") {
        Ok(Format::Form)
    } else if is(b"multipart/form-data") {
        multipart_format(value)
    } else {
        Err(Rejection::malformed("content-type"))
    }
}

#[cfg(feature = "multipart")]
fn multipart_format(content_type: &[u8]) -> Result<Format, Rejection> {
    let boundary = multipart::boundary(content_type).ok_or(Rejection::malformed("content-type"))?;
    Ok(Format::Multipart(boundary))
}

#[cfg(not(feature = "multipart"))]
fn multipart_format(_: &[u8]) -> Result<Format, Rejection> {
    // The log shows this text, so it names the fix.
    Err(Rejection::malformed("content-type: multipart/form-data needs the feature `multipart`"))
}
