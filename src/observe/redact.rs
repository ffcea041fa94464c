//! Text from a request, made fit to be written down.

use http::Uri;

use crate::parse::form::decode;

/// Longest text from a request that an event shows, in bytes.
const MAX_TEXT: usize = 256;

/// Longest text that is searched for secrets, in bytes. Servers take headers of some kilobytes.
pub(crate) const MAX_SEARCHED: usize = 8 << 10;

pub(crate) const REDACTED: &str = "[redacted]";

/// Parts of names whose values are secrets, or as good as one.
const PARTS: [&str; 21] = [
    "assertion",
    "auth",
    "bearer",
    "cookie",
    "crc",
    "credential",
    "creds",
    "csrf",
    "hmac",
    "jws",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "saml",
    "secret",
    "session",
    "signature",
    "token",
];

/// Whole words, since these are parts of many others.
const WORDS: [&str; 10] =
    ["mac", "otp", "pass", "passcode", "pin", "pw", "sas", "sig", "sign", "totp"];

/// What makes a `code` a secret.
const CODES: [&str; 18] = [
    "access",
    "activation",
    "confirmation",
    "device",
    "invite",
    "login",
    "magic",
    "mfa",
    "oob",
    "otp",
    "pass",
    "pin",
    "recovery",
    "reset",
    "security",
    "sms",
    "verification",
    "verif",
];

/// Ends of names that are written as one word.
const ENDS: [&str; 5] = ["otp", "pass", "passw", "pin", "pswd"];

/// Times that a text may be written in escapes within escapes.
const MAX_ESCAPES: usize = 4;

/// Returns whether what a header, parameter or field of this name holds must not be written down:
/// tokens, passwords, keys, cookies and signatures.
///
/// ```
/// use tower_webhook::observe::is_sensitive;
///
/// assert!(is_sensitive("X-Hub-Signature-256") && is_sensitive("hub.verify_token"));
/// assert!(is_sensitive("clientState") && is_sensitive("smsOtp"));
/// assert!(!is_sensitive("x-request-id") && !is_sensitive("country_code"));
/// ```
#[must_use]
pub fn is_sensitive(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower == "x-trello-webhook" || PARTS.iter().any(|part| lower.contains(part)) {
        return true;
    }
    // However it is punctuated, and numbered: `client_state`, `code[0]`.
    let flat: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let flat = flat.trim_end_matches(|char: char| char.is_ascii_digit());
    let words = words(name);
    let is_code = flat.contains("code")
        && (words.iter().all(|word| matches!(&**word, "code" | "x" | ""))
            || flat == "code"
            || flat.contains("codeverifier")
            || CODES.iter().any(|kind| flat.contains(kind)));
    is_code
        || matches!(flat, "clientstate" | "verifhash")
        || ENDS.iter().any(|end| flat.ends_with(end))
        || words.iter().any(|word| WORDS.contains(&&**word))
}

/// The words of `smsOtp`, `sms_otp` or `sms-otp`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for char in name.chars() {
        if !char.is_ascii_alphanumeric() || was_lower && char.is_ascii_uppercase() {
            words.push(String::new());
        }
        if char.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(char.to_ascii_lowercase());
        }
        was_lower = char.is_ascii_lowercase() || char.is_ascii_digit();
    }
    words
}

/// Returns whether a text names a secret and holds its value: `token=abc` anywhere in it, or a
/// user's password in a URL, also where it is written in escapes.
pub(crate) fn holds_secret(text: &[u8]) -> bool {
    if text.len() > MAX_SEARCHED {
        return true;
    }
    let mut text = text.to_vec();
    for _ in 0..MAX_ESCAPES {
        if has_secret_pair(&text) || has_secret_member(&text) || has_password(&text) {
            return true;
        }
        let decoded = decoded(&text);
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    // Whoever escapes so often hides something.
    true
}

fn has_secret_pair(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.%[]=:-".contains(byte);
    text.split(|byte| !is_part(byte)).any(|piece| {
        // Each name that has a value after it: `a=b=token=c`.
        let mut names = piece.split(|byte| b"=:".contains(byte)).peekable();
        while let Some(name) = names.next() {
            let has_value = names.peek().is_some_and(|value| !value.is_empty());
            if has_value && is_sensitive(&String::from_utf8_lossy(name)) {
                return true;
            }
        }
        false
    })
}

/// `{"token":"abc"}`.
fn has_secret_member(text: &[u8]) -> bool {
    // Perhaps in a text of its own, where each quotation mark has a backslash before it.
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\\').collect();
    let mut strings = text.split(|byte| *byte == b'"').skip(1).peekable();
    while let Some(name) = strings.next() {
        let is_name = strings.peek().is_some_and(|next| next.trim_ascii_start().starts_with(b":"));
        if is_name && is_sensitive(&String::from_utf8_lossy(name)) {
            return true;
        }
    }
    false
}

/// `https://user:password@host`.
fn has_password(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.windows(3).position(|window| window == b"://") {
        rest = rest.get(at + 3..).unwrap_or_default();
        let end = rest.iter().position(|byte| b"/?# ".contains(byte)).unwrap_or(rest.len());
        if rest.get(..end).is_some_and(|authority| authority.contains(&b'@')) {
            return true;
        }
    }
    false
}

/// Printable ASCII, so that no text forges a line, moves a cursor or turns the reading direction
/// (T-44), of at most 256 bytes.
pub(crate) fn text(bytes: &[u8]) -> String {
    // No byte becomes less than one.
    let bytes = bytes.get(..=MAX_TEXT).unwrap_or(bytes);
    // Nearly all text needs no escapes.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(is_plain) => cut(text.to_owned()),
        // An apostrophe ends no value of a log.
        _ => cut(bytes.escape_ascii().to_string().replace("\\'", "'")),
    }
}

/// `uri` without user information and without the values of sensitive parameters; of a secret one
/// neither the path nor any value.
pub(crate) fn url(uri: &Uri, is_secret: bool) -> String {
    let mut url = if is_secret { format!("/{REDACTED}") } else { path(uri.path()) };
    if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
        let authority = authority.as_str();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        url.insert_str(0, &format!("{scheme}://{}", text(host.as_bytes())));
    }
    let Some(query) = uri.query() else { return cut(url) };
    url.push('?');
    // Some servers take `;` for `&`.
    let has_value: fn(&str) -> bool = if is_secret { |_| true } else { |_| false };
    push_parts(&mut url, query, &['&', ';'], has_value);
    cut(url)
}

/// Longest URL that is looked at, in bytes: whoever makes it longer must not make the answer slower.
const MAX_SIGNED_URL: usize = 1 << 10;

/// A URL that a sender signed, without user information and without the values of all parameters; of a secret one
/// without the path, too. It may begin with its path.
pub(crate) fn signed_url(url: &str, is_secret: bool) -> String {
    let is_end = |at: &usize| url.is_char_boundary(*at);
    let end = (0..=MAX_SIGNED_URL.min(url.len())).rev().find(is_end).unwrap_or_default();
    let url = url.get(..end).unwrap_or_default();
    let is_scheme = |at: &usize| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        url.get(..*at).is_some_and(|scheme| scheme.bytes().all(is_part))
    };
    // A `://` further on is part of path or query.
    let (scheme, rest) = url.split_at(url.find("://").filter(is_scheme).map_or(0, |at| at + 3));
    let end = rest.find(['/', '?', '#', ';', '\\']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    // A password with a `/` or a `?` ends after what looks like host and port.
    let is_in_path = path.contains('@');
    let is_cut = is_in_path || authority.contains(':') && rest.contains('@');
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let mut shown = text(scheme.as_bytes());
    shown.push_str(&match authority {
        "" => String::new(),
        _ if is_cut || !crate::scheme::public_url::is_host(host) => REDACTED.into(),
        _ => text(host.as_bytes()),
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

/// Pieces between separators, without values where they may have one.
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

/// The path without the values of its parameters, as in `/hook;token=abc`.
fn path(path: &str) -> String {
    if !path.contains(['=', '%']) {
        return text(path.as_bytes());
    }
    let mut shown = String::new();
    push_parts(&mut shown, path, &['/', ';'], |_| false);
    cut(shown)
}

fn push_pair(url: &mut String, pair: &str, is_secret: bool) {
    match pair.split_once('=') {
        Some((name, _))
            // A name may be written in escapes, and a value may be a URL with parameters.
            if is_secret || is_sensitive_name(name) || holds_secret(pair.as_bytes()) =>
        {
            // `Q0FOQVJZ==` is no name, nor is what hides a pair in escapes.
            let is_no_name = is_secret && (name.contains('%') || pair.ends_with('='))
                || holds_secret(name.as_bytes());
            let name = if is_no_name { REDACTED } else { name };
            url.push_str(&text(name.as_bytes()));
            url.push('=');
            url.push_str(REDACTED);
        }
        None if is_secret && !pair.is_empty() || holds_secret(pair.as_bytes()) => {
            url.push_str(REDACTED);
        }
        _ => url.push_str(&text(pair.as_bytes())),
    }
}

/// However its parts are punctuated.
fn is_sensitive_name(name: &str) -> bool {
    is_sensitive(&String::from_utf8_lossy(&decoded(name.as_bytes())))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    decode(text, &mut bytes);
    bytes
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
    fn names_of_tags_are_sensitive() {
        for name in [
            "X-Shopify-Hmac-Sha256",
            "PAYPAL-TRANSMISSION-SIG",
            "X-Airtable-Content-MAC",
            "X-Trello-Webhook",
            "sig",
            "verif-hash",
            "code",
            "clientState",
            "verification_code",
            "pass",
            "userPass",
            "pin",
            "otp",
            "smsOtp",
            "sas",
            "bearer",
            "client_assertion",
            "SAMLResponse",
            "client_state",
            "client-state",
            "code[]",
            "code1",
            "x-code",
            "oobCode",
            "sms_code",
            "magic_code",
            "code_verifier",
            "otpcode",
            "accesscode",
            "smsotp",
            "userpass",
            "userpin",
            "pincode",
            "pswd",
            "creds",
            "csrf",
            "jws",
        ] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in [
            "design",
            "machine",
            "paypal-transmission-id",
            "x-signed-up",
            "country_code",
            "shipping",
            "passenger",
            "encode",
            "verify",
            "",
        ] {
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
        assert_eq!(text(br#""'\"#), r#"\"'\\"#);
    }
}
