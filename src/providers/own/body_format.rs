//! Format of a body in which a provider puts its proof.

use http::request::Parts;

#[cfg(feature = "multipart")]
use crate::providers::own::multipart;
use crate::{
    outcome::rejection::Rejection,
    parse::headers::{optional, required},
};

/// Format of the body.
pub(crate) enum Format {
    Form,
    Json,
    #[cfg(feature = "multipart")]
    Multipart(String),
}

/// Rejects a media type other than JSON, and a charset in which a handler would read other text. A
/// handler that reads a form would take other fields than the signed ones from the same bytes.
pub(crate) fn check_json(head: &Parts) -> Result<(), Rejection> {
    check_type(head, &[b"application/json"])
}

/// Rejects a media type other than XML, and a charset in which a handler would read other text.
#[cfg(feature = "xml")]
pub(crate) fn check_xml(head: &Parts) -> Result<(), Rejection> {
    check_type(head, &[b"text/xml", b"application/xml"])
}

/// Rejects a media type that is none of these, unless there is none.
fn check_type(head: &Parts, types: &[&[u8]]) -> Result<(), Rejection> {
    // Each reads ASCII as UTF-8 does, so no markup appears in it.
    const CHARSETS: [&[u8]; 3] = [b"utf-8", b"us-ascii", b"iso-8859-1"];

    let Some(value) = optional(head, "content-type")? else { return Ok(()) };
    let is_one_of =
        |names: &[&[u8]], name: &[u8]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let is_of_type = is_one_of(types, parts.next().unwrap_or_default());
    let is_read_alike = parts.all(|parameter| {
        let mut pair = parameter.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
        let [name, value] = [(); 2].map(|()| pair.next().unwrap_or_default());
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        !name.eq_ignore_ascii_case(b"charset") || is_one_of(&CHARSETS, quoted.unwrap_or(value))
    });
    if is_of_type && is_read_alike { Ok(()) } else { Err(Rejection::malformed("content-type")) }
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
