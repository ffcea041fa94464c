//! Text from a request, made fit to be written down.

use http::Uri;

use crate::form::decode;

/// Longest text from a request that an event shows, in bytes.
const MAX_TEXT: usize = 256;

const REDACTED: &str = "[redacted]";

/// Parts of names whose values are secrets, or as good as one.
const SENSITIVE: [&str; 15] = [
    "auth",
    "cookie",
    "credential",
    "crc",
    "hmac",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
];

/// Whether what a header, parameter or field of this name holds must not be written down: tokens,
/// passwords, keys, cookies and signatures.
///
/// ```
/// use tower_webhook::observe::is_sensitive;
///
/// assert!(is_sensitive("X-Hub-Signature-256") && is_sensitive("hub.verify_token"));
/// assert!(!is_sensitive("x-request-id"));
/// ```
#[must_use]
pub fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Whole words: these are parts of many others.
    let is_word = |word| matches!(word, "mac" | "sig" | "sign");
    // Trello's tag.
    name == "x-trello-webhook"
        || name.split(|char: char| !char.is_ascii_alphanumeric()).any(is_word)
        || SENSITIVE.iter().any(|part| name.contains(part))
}

/// Printable ASCII, so that no text forges a line, moves a cursor or turns the reading direction
/// (T-44), of at most 256 bytes.
pub(crate) fn text(bytes: &[u8]) -> String {
    // Nearly all text needs no escapes.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\');
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(is_plain) => cut(text.to_owned()),
        _ => cut(bytes.escape_ascii().map(char::from).collect()),
    }
}

/// `uri` without user information and without the values of sensitive parameters; of a secret one
/// neither the path nor any value.
pub(super) fn url(uri: &Uri, is_secret: bool) -> String {
    let mut url = if is_secret { format!("/{REDACTED}") } else { text(uri.path().as_bytes()) };
    if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
        let authority = authority.as_str();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        url.insert_str(0, &format!("{scheme}://{}", text(host.as_bytes())));
    }
    for (i, parameter) in uri.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        url.push(if i == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            // A name may be written in escapes.
            Some((name, _)) if is_secret || is_sensitive(&decoded(name)) => {
                url.push_str(&text(name.as_bytes()));
                url.push('=');
                url.push_str(REDACTED);
            }
            None if is_secret => url.push_str(REDACTED),
            _ => url.push_str(&text(parameter.as_bytes())),
        }
        if url.len() > MAX_TEXT {
            break;
        }
    }
    cut(url)
}

fn decoded(name: &str) -> String {
    let mut bytes = Vec::new();
    decode(name.as_bytes(), &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        // It is ASCII by now.
        text.truncate(MAX_TEXT - 3);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("*", "*"),
        ] {
            assert_eq!(url(&uri.parse().unwrap(), false), expected);
        }
        let uri = "https://a.example/hook/the-secret?code=the-secret&the-secret".parse().unwrap();
        let expected = "https://a.example/[redacted]?code=[redacted]&[redacted]";
        assert_eq!(url(&uri, true), expected);
    }

    #[test]
    fn names_of_tags_are_sensitive() {
        for name in [
            "X-Shopify-Hmac-Sha256",
            "PAYPAL-TRANSMISSION-SIG",
            "X-Airtable-Content-MAC",
            "X-Trello-Webhook",
            "sig",
        ] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["design", "machine", "paypal-transmission-id", "x-signed-up"] {
            assert!(!is_sensitive(name), "{name}");
        }
    }

    #[test]
    fn text_is_escaped_and_cut() {
        assert_eq!(text(b"a\r\nb\x1b[2J\xe2\x80\xae"), r"a\r\nb\x1b[2J\xe2\x80\xae");
        let long = text(&[b'a'; 1000]);
        assert_eq!(long.len(), 256);
        assert!(long.ends_with("a..."));
        let uri: Uri = format!("/{}?token=t", "b".repeat(5000)).parse().unwrap();
        assert!(url(&uri, false).len() <= 256);
        let uri: Uri = format!("/?{}token=t", "a=1&".repeat(300)).parse().unwrap();
        let url = url(&uri, false);
        assert!(url.len() <= 256 && !url.contains("=t"));
        // What just fits is whole, and says so if more follows.
        assert_eq!(text(&[b'a'; 256]), "a".repeat(256));
        let fits = format!("/?{}", "a".repeat(254));
        assert_eq!(super::url(&fits.parse().unwrap(), false), fits);
        let more = super::url(&format!("{fits}&b").parse().unwrap(), false);
        assert_eq!(more, format!("{}...", &fits[..253]));
        assert_eq!(text(br#""'\"#), r#"\"\'\\"#);
    }
}
