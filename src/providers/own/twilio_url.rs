//! The forms of a URL that Twilio may have signed.

use std::iter;

use subtle::ConstantTimeEq;

use crate::{
    outcome::{field::Field, rejection::Rejection},
    parse::{
        encoding,
        url::{SplitUrl, split_query},
    },
};

/// The optional forms that are tried.
pub(crate) struct SignedUrls {
    /// Tries the other form of apostrophes in the query.
    pub(crate) legacy_query: bool,
    /// Tries a slash at the end of a WebSocket's path.
    pub(crate) trailing_slash: bool,
}

/// The forms of one URL. The URL is edited as text, so that path, query and case stay as received.
pub(crate) struct UrlForms<'a> {
    scheme: &'a str,
    /// User information with its `@`, or nothing.
    user: &'a str,
    host: &'a str,
    ports: [&'a str; 2],
    /// Path and query.
    rest: &'a str,
    /// Their optional forms.
    other_rests: Vec<String>,
}

impl SignedUrls {
    /// Returns the forms of this URL.
    pub(crate) fn of<'a>(&self, url: &'a str) -> UrlForms<'a> {
        let SplitUrl { scheme, user, host, port, rest } = SplitUrl::of(url);
        let is_encrypted =
            ["https://", "wss://"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let other_port = match (port, is_encrypted) {
            ("", true) => ":443",
            ("", false) => ":80",
            _ => "",
        };
        let (ports, other_rests) = ([port, other_port], self.other_rests(scheme, rest));
        UrlForms { scheme, user, host, ports, rest, other_rests }
    }

    /// Returns the optional forms of path and query.
    fn other_rests(&self, scheme: &str, rest: &str) -> Vec<String> {
        let mut rests = Vec::new();
        // At most one more, however a sender mixes them, because each costs a hash of the body.
        if let (true, Some((path, query))) = (self.legacy_query, rest.split_once('?')) {
            if query.contains('\'') {
                rests.push(format!("{path}?{}", query.replace('\'', "%27")));
            } else if query.contains("%27") {
                rests.push(format!("{path}?{}", query.replace("%27", "'")));
            }
        }
        let is_web_socket = scheme.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("ws"));
        if self.trailing_slash && is_web_socket {
            let (path, query) = split_query(rest);
            rests.push(format!("{path}/{query}"));
        }
        rests
    }
}

impl UrlForms<'_> {
    /// Returns each form in pieces, the likeliest first: with and without user information, with
    /// and without the port.
    pub(crate) fn iter(&self) -> impl Iterator<Item = [&str; 5]> {
        let Self { scheme, user, host, ports, rest, other_rests } = self;
        let rests = iter::once(*rest).chain(other_rests.iter().map(String::as_str));
        let users = [Some(*user), (!user.is_empty()).then_some("")];
        rests.flat_map(move |rest| {
            ports.iter().flat_map(move |port| {
                users.into_iter().flatten().map(move |user| [*scheme, user, *host, *port, rest])
            })
        })
    }
}

/// Returns `bodySHA256` of the URL's query, which Twilio may write twice.
///
/// # Errors
///
/// Returns an error if a value is not a hash, or if two values differ: either one could be the hash
/// of the body.
pub(crate) fn body_hash(url: &str) -> Result<Option<[u8; 32]>, Rejection> {
    let malformed = || Rejection::malformed_in(Field::query("bodySHA256"));
    let (_, query) = url.split_once('?').unwrap_or_default();
    let mut found = None;
    for text in query.split('&').filter_map(|part| part.strip_prefix("bodySHA256=")) {
        let mut bytes = [0; 32];
        encoding::decode_hex(text.as_bytes(), &mut bytes).ok_or_else(malformed)?;
        if found.replace(bytes).is_some_and(|other| !bool::from(other.ct_eq(&bytes))) {
            return Err(malformed());
        }
    }
    Ok(found)
}
