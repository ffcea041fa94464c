//! Redaction of URLs.

use crate::outcome::redact::{
    names::is_sensitive,
    text::{MAX_TEXT, REDACTED, cut, decoded, escape, holds_secret},
};
use std::net::Ipv6Addr;

use http::Uri;

/// Returns the URL without user information and without the values of sensitive parameters. A
/// secret URL also loses its path and the values of all parameters.
pub(crate) fn url(uri: &Uri, is_secret: bool) -> String {
    let mut url = if is_secret { format!("/{REDACTED}") } else { path(uri.path()) };
    if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
        let authority = authority.as_str();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        url.insert_str(0, &format!("{scheme}://{}", escape(host.as_bytes())));
    }
    let Some(query) = uri.query() else { return cut(url) };
    url.push('?');
    // Some servers accept `;` instead of `&`.
    let has_value: fn(&str) -> bool = if is_secret { |_| true } else { |_| false };
    push_parts(&mut url, query, &['&', ';'], has_value);
    cut(url)
}

/// Maximum length of a URL that is processed, in bytes, so that a longer one does not slow the
/// response down.
const MAX_SIGNED_URL: usize = 1 << 10;

/// Returns a URL that a sender signed, without user information and without the values of all
/// parameters. A secret URL also loses its path. The URL may begin with its path.
pub(crate) fn signed_url(url: &str, is_secret: bool) -> String {
    let is_end = |at: &usize| url.is_char_boundary(*at);
    let end = (0..=MAX_SIGNED_URL.min(url.len())).rev().find(is_end).unwrap_or_default();
    let url = url.get(..end).unwrap_or_default();
    let is_scheme = |at: &usize| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        url.get(..*at).is_some_and(|scheme| scheme.bytes().all(is_part))
    };
    // A later `://` is part of the path or the query.
    let (scheme, rest) = url.split_at(url.find("://").filter(is_scheme).map_or(0, |at| at + 3));
    let end = rest.find(['/', '?', '#', ';', '\\']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    // A password with a `/` or a `?` ends after an apparent host and port.
    let is_in_path = path.contains('@');
    let is_cut = is_in_path || authority.contains(':') && rest.contains('@');
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let mut shown = escape(scheme.as_bytes());
    shown.push_str(&match authority {
        "" => String::new(),
        _ if is_cut || !is_host(host) => REDACTED.into(),
        _ => escape(host.as_bytes()),
    });
    if is_secret || is_in_path {
        shown.push_str(&format!("/{REDACTED}"));
    } else {
        push_parts(&mut shown, path, &['/', ';', '#'], |piece| piece.contains('='));
    }
    if let Some(query) = query {
        shown.push('?');
        push_parts(&mut shown, query, &['&', ';'], |_| true);
    }
    cut(shown)
}

/// Appends the pieces between separators. Redacts the value of a piece if `has_value` returns
/// `true` for it, or if it holds a secret.
fn push_parts(shown: &mut String, text: &str, separators: &[char], has_value: fn(&str) -> bool) {
    for part in text.split_inclusive(separators) {
        let piece = part.trim_end_matches(separators);
        push_pair(shown, piece, has_value(piece));
        shown.push_str(part.get(piece.len()..).unwrap_or_default());
        if shown.len() > MAX_TEXT {
            break;
        }
    }
}

/// Returns the path without the values of its sensitive parameters, as in `/hook;token=abc`.
fn path(path: &str) -> String {
    if !path.contains(['=', '%']) {
        return escape(path.as_bytes());
    }
    let mut shown = String::new();
    push_parts(&mut shown, path, &['/', ';'], |_| false);
    cut(shown)
}

fn push_pair(url: &mut String, pair: &str, is_secret: bool) {
    match pair.split_once('=') {
        Some((name, _))
            // A name may be percent-encoded, and a value may be a URL with parameters.
            if is_secret || is_sensitive_name(name) || holds_secret(pair.as_bytes()) =>
        {
            // `Q0FOQVJZ==` is not a name, and a percent-encoded name may hide a pair.
            let is_no_name = is_secret && (name.contains('%') || pair.ends_with('='))
                || holds_secret(name.as_bytes());
            let name = if is_no_name { REDACTED } else { name };
            url.push_str(&escape(name.as_bytes()));
            url.push('=');
            url.push_str(REDACTED);
        }
        None if is_secret && !pair.is_empty() || holds_secret(pair.as_bytes()) => {
            url.push_str(REDACTED);
        }
        _ => url.push_str(&escape(pair.as_bytes())),
    }
}

/// Returns `true` if the name, percent-decoded, is sensitive.
fn is_sensitive_name(name: &str) -> bool {
    is_sensitive(&String::from_utf8_lossy(&decoded(name.as_bytes())))
}

/// Returns `true` if the text is a host, with or without a port.
///
/// No provider can send to anything else, so other text is a mistake that would reject every
/// authentic request. A name may be in any script and have underscores.
pub(crate) fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (None, port),
        Some(_) => return false,
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (Some(host), port)
        }
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port != 0)
        }
        None => port.is_empty(),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'))
    };
    // A name may end with the dot of the DNS root.
    is_port
        && host.is_none_or(|host| host.strip_suffix('.').unwrap_or(host).split('.').all(is_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_urls_lose_all_values() {
        for (url, expected) in [
            ("https://a.example/sms", "https://a.example/sms"),
            ("wss://a.example:8443", "wss://a.example:8443"),
            (
                "https://u:pass@a.example/x?a=1&b=2;c",
                "https://a.example/x?a=[redacted]&b=[redacted];[redacted]",
            ),
            ("/sms?to=1", "/sms?to=[redacted]"),
            ("a.example/hook", "a.example/hook"),
            ("https://a.example#access_token=t", "https://a.example#access_token=[redacted]"),
            ("https://a.example;token=t", "https://a.example;token=[redacted]"),
            ("token=t", "[redacted]"),
            ("x=t://h/x", "[redacted]//h/x"),
            ("/a?next=https://u:p@h/x", "/a?next=[redacted]"),
            ("https://a.example/x?to=a@b.example", "https://a.example/x?to=[redacted]"),
            ("https://user:12?secret@host/hook", "https://[redacted]?[redacted]"),
            ("https://user:12/secret@host/hook", "https://[redacted]/[redacted]"),
            ("https:///u:secret@h/x", "https:///[redacted]"),
            (
                "https://a.example/h;user=t/x#id=t",
                "https://a.example/h;user=[redacted]/x#id=[redacted]",
            ),
            ("/h?Q0FOQVJZ==", "/h?[redacted]=[redacted]"),
            ("/h?x%26user%3Dt=1", "/h?[redacted]=[redacted]"),
            ("https://bücher.example/é", "https://b\\xc3\\xbccher.example/\\xc3\\xa9"),
            ("https://a.exa\nmple/x", "https://[redacted]/x"),
            ("/a\u{202e}b\n", "/a\\xe2\\x80\\xaeb\\n"),
            ("", ""),
        ] {
            assert_eq!(signed_url(url, false), expected, "{url}");
        }
        assert_eq!(
            signed_url("https://a.example/secret?a=1", true),
            "https://a.example/[redacted]?a=[redacted]"
        );
        assert_eq!(signed_url("/secret", true), "/[redacted]");
        let long = format!("https://a.example/{}é", "x".repeat(5000));
        assert_eq!(signed_url(&long, false).len(), MAX_TEXT);
    }

    #[test]
    fn urls_lose_their_secrets() {
        for (uri, expected) in [
            ("/hooks/7?a=1&b", "/hooks/7?a=1&b"),
            (
                "/h?hub.verify_token=t&hub.mode=subscribe",
                "/h?hub.verify_token=[redacted]&hub.mode=subscribe",
            ),
            ("/h?%74oken=t", "/h?%74oken=[redacted]"),
            ("/h?API_KEY=t&X-Signature=u", "/h?API_KEY=[redacted]&X-Signature=[redacted]"),
            ("https://user:pass@a.example:8443/h", "https://a.example:8443/h"),
            ("/h?token", "/h?token"),
            ("/h?token!=t&my(token)=t", "/h?token!=[redacted]&my(token)=[redacted]"),
            ("/h?a=1;token=t;b=2", "/h?a=1;token=[redacted];b=2"),
            ("/h;token=t/x?a=1", "/h;token=[redacted]/x?a=1"),
            ("/h%3Btoken=t", "/h%3Btoken=[redacted]"),
            ("/h?%2574oken=t", "/h?%2574oken=[redacted]"),
            ("/h?next=https://b.example/me@home", "/h?next=https://b.example/me@home"),
            ("/h?a=token=&b=me@home", "/h?a=token=&b=me@home"),
            ("/h?u=(code=t", "/h?u=[redacted]"),
            ("/h?u=a|code=t", "/h?u=[redacted]"),
            ("/h?a=b=c=code=t", "/h?a=[redacted]"),
            ("/h?state=token:t", "/h?state=[redacted]"),
            ("/h?state=%7B%5C%22code%5C%22:%5C%22t%5C%22%7D", "/h?state=[redacted]"),
            ("/h?token%3Dt", "/h?[redacted]"),
            ("/h?next=https://b.example/?token=t", "/h?next=[redacted]"),
            ("/h?next=https%3A%2F%2Fb.example%2F%3Fsig%3Dt&a=1", "/h?next=[redacted]&a=1"),
            ("/h?next=https%253A%252F%252Fb.example%252F%253Fsig%253Dt", "/h?next=[redacted]"),
            ("/h?next=https%3A%2F%2Fme:pass%40b.example", "/h?next=[redacted]"),
            ("/h?state=%7B%22token%22:%22t%22%7D", "/h?state=[redacted]"),
            ("/h?next=https://b.example/?a=1&b=100%", "/h?next=https://b.example/?a=1&b=100%"),
            (
                "/h?code=t&clientState=t&pin=t",
                "/h?code=[redacted]&clientState=[redacted]&pin=[redacted]",
            ),
            (
                "/a=b/c%20d?country_code=DE&status_code=1",
                "/a=b/c%20d?country_code=DE&status_code=1",
            ),
            ("*", "*"),
        ] {
            assert_eq!(url(&uri.parse().unwrap(), false), expected);
        }
        let uri = "https://a.example/hook/the-secret?code=the-secret&the-secret".parse().unwrap();
        let expected = "https://a.example/[redacted]?code=[redacted]&[redacted]";
        assert_eq!(url(&uri, true), expected);
    }

    #[test]
    fn long_urls_are_cut() {
        let uri: Uri = format!("/{}?token=t", "b".repeat(5000)).parse().unwrap();
        assert!(url(&uri, false).len() <= 256);
        let uri: Uri = format!("/?{}token=t", "a=1&".repeat(300)).parse().unwrap();
        let url = url(&uri, false);
        assert!(url.len() <= 256 && !url.contains("=t"));
        let fits = format!("/?{}", "a".repeat(254));
        assert_eq!(super::url(&fits.parse().unwrap(), false), fits);
        let more = super::url(&format!("{fits}&b").parse().unwrap(), false);
        assert_eq!(more, format!("{}...", &fits[..253]));
    }
}
