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

/// Rejects a media type other than XML, and a charset other than UTF-8. A handler that reads another
/// format, or another charset, would take other fields from the same bytes.
#[cfg(feature = "xml")]
pub(crate) fn check_xml(head: &Parts) -> Result<(), Rejection> {
    let Some(value) = optional(head, "content-type")? else { return Ok(()) };
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let media_type = parts.next().unwrap_or_default();
    let is_xml = [&b"text/xml"[..], b"application/xml"]
        .iter()
        .any(|name| media_type.eq_ignore_ascii_case(name));
    let is_utf8 = |parameter: &[u8]| {
        let name = parameter.get(..8).filter(|name| name.eq_ignore_ascii_case(b"charset="));
        name.is_none() || parameter[8..].trim_ascii().eq_ignore_ascii_case(b"utf-8")
    };
    if is_xml && parts.all(is_utf8) { Ok(()) } else { Err(Rejection::malformed("content-type")) }
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
