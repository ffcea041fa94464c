//! Signed content of the detached signatures of a provider.

use http::{HeaderName, request::Parts};

use crate::{
    crypto::jws::{DetachedJws, JwsAlgorithm},
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        headers::required,
        json::Value,
        timestamp::{Timestamp, TimestampFormat},
    },
    verifier::defaults::VerifierDefaults,
};

/// Place, algorithms and payload of a provider's signatures.
pub(crate) struct Rules {
    pub(crate) defaults: VerifierDefaults,
    pub(crate) header: &'static str,
    pub(crate) algorithms: &'static [JwsAlgorithm],
    pub(crate) payload: Payload,
    pub(crate) time: Option<Time>,
    /// Extensions that the receiver knows.
    pub(crate) extensions: &'static [&'static str],
    /// Header with the ID of the key, if it is not in the signature.
    #[cfg(feature = "sign")]
    pub(crate) key_id: Option<&'static str>,
    /// Header with the delivery's ID, which is not signed.
    pub(crate) delivery_id: Option<&'static str>,
}

/// Content of a signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    Body,
    /// `<time>.<body in base64url>`.
    TimeAndBody,
    /// TrueLayer's: method, path, the headers that the signature names, and the body.
    Request,
}

/// Place of the time.
#[derive(Clone, Copy)]
pub(crate) enum Time {
    /// A signed parameter of the signature, in seconds.
    Parameter(&'static str),
    /// A header of the payload, in milliseconds.
    Header(&'static str),
    /// A header in the format of RFC 3339, if the signature names it.
    Named(&'static str),
}

impl Time {
    /// Returns the time of a request, or `None` if it is not signed and not needed.
    pub(crate) fn of(
        self,
        jws: &DetachedJws<'_>,
        head: &Parts,
        is_needed: bool,
    ) -> Result<Option<Timestamp>, Rejection> {
        match self {
            Self::Parameter(name) => match jws.parameter(name).map_err(|_| malformed(name))? {
                Some(Value::Number(text)) => {
                    let time = Timestamp::parse(text.as_bytes(), TimestampFormat::UnixSeconds);
                    time.map(Some).ok_or_else(|| malformed(name))
                }
                Some(_) => Err(malformed(name)),
                None => Err(Rejection::missing_in(Field::jwt(name))),
            },
            Self::Header(name) => {
                let time = Timestamp::parse(required(head, name)?, TimestampFormat::UnixMillis);
                time.map(Some).ok_or(Rejection::malformed(name))
            }
            Self::Named(name) => {
                if !named_headers(jws)?.iter().any(|(_, known)| known.as_str() == name) {
                    return if is_needed { Err(malformed(HEADERS)) } else { Ok(None) };
                }
                let time = Timestamp::parse(required(head, name)?, TimestampFormat::Rfc3339);
                time.map(Some).ok_or(Rejection::malformed(name))
            }
        }
    }

    /// Returns the rejection of a time, with its place.
    pub(crate) fn locate(self, why: Rejection) -> Rejection {
        match self {
            Self::Parameter(name) => why.with_field(Field::jwt(name)),
            Self::Header(name) | Self::Named(name) => why.in_header(name),
        }
    }
}

/// Parameter with the names of TrueLayer's signed headers.
const HEADERS: &str = "tl_headers";

/// Returns the headers that a signature of TrueLayer names, as it writes them and as they are compared.
///
/// A header that is named twice is malformed, because two readers could take it once or twice.
fn named_headers(jws: &DetachedJws<'_>) -> Result<Vec<(String, HeaderName)>, Rejection> {
    let list = match jws.parameter(HEADERS).map_err(|_| malformed(HEADERS))? {
        Some(Value::Text(list)) => list,
        Some(_) => return Err(malformed(HEADERS)),
        None => return Err(Rejection::missing_in(Field::jwt(HEADERS))),
    };
    let mut headers: Vec<(String, HeaderName)> = Vec::new();
    for name in list.split(',').filter(|name| !name.is_empty()) {
        let known = name.parse::<HeaderName>().map_err(|_| malformed(HEADERS))?;
        if headers.len() == MAX_HEADERS || headers.iter().any(|(_, other)| *other == known) {
            return Err(malformed(HEADERS));
        }
        headers.push((name.to_owned(), known));
    }
    Ok(headers)
}

/// Maximum number of headers in a signature.
const MAX_HEADERS: usize = 16;

/// Returns the beginnings of the payload that TrueLayer may have signed: with the path of this URL, and with
/// or without a slash at its end.
pub(crate) fn beginnings(
    jws: &DetachedJws<'_>,
    head: &Parts,
    url: &str,
) -> Result<Vec<Vec<u8>>, Rejection> {
    let mut headers = Vec::new();
    for (written, name) in named_headers(jws)? {
        let value = one_value(head, &name)?;
        headers.extend([written.as_bytes(), b": ", value, b"\n"].concat());
    }
    let path = path_of(url);
    let bare = path.strip_suffix('/').unwrap_or(path);
    let other = if bare == path { format!("{path}/") } else { bare.to_owned() };
    let beginning = |path: &str| {
        [head.method.as_str().as_bytes(), b" ", path.as_bytes(), b"\n", &headers].concat()
    };
    Ok(vec![beginning(path), beginning(&other)])
}

/// Returns the path of a URL, or of a target without scheme and host, without its query.
fn path_of(url: &str) -> &str {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
    // A path can have `://`, too.
    let rest = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
    let rest = rest.map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// Returns the value of a header that must occur once.
fn one_value<'a>(head: &'a Parts, name: &HeaderName) -> Result<&'a [u8], Rejection> {
    let mut values = head.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        (None, _) => Err(Rejection::missing_in(Field::Header(name.clone()))),
        (Some(_), Some(_)) => {
            let twice = Rejection::new(RejectionKind::Repeated);
            Err(twice.with_field(Field::Header(name.clone())))
        }
    }
}

pub(crate) fn malformed(name: &'static str) -> Rejection {
    Rejection::malformed_in(Field::jwt(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_that_of_the_url() {
        for (url, path) in [
            ("https://example.com/hook", "/hook"),
            ("https://example.com/hook/?a=/b", "/hook/"),
            ("https://example.com", "/"),
            ("https://example.com?a=/b", "/"),
            ("/hook?a=b://c/d", "/hook"),
            ("/a://b/c", "/a://b/c"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }
}
