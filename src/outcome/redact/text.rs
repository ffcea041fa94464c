//! Escaping and truncation of text, and the search for secrets in it.

use crate::outcome::redact::{names::is_sensitive, percent::decode};

/// Maximum length of text from a request that an event shows, in bytes.
pub(crate) const MAX_TEXT: usize = 256;

/// Maximum length of text that is searched for secrets, in bytes. Servers accept headers of a few
/// kilobytes.
pub(crate) const MAX_SEARCHED: usize = 8 << 10;

pub(crate) const REDACTED: &str = "[redacted]";

/// Maximum depth of nested escapes that is searched.
const MAX_ESCAPES: usize = 4;

/// Returns `true` if the text names a secret and holds its value: `token=abc` anywhere in it, or a
/// user's password in a URL, even if percent-encoded. Text that is too long to search, or too
/// deeply escaped, counts as secret.
pub(crate) fn holds_secret(text: &[u8]) -> bool {
    if text.len() > MAX_SEARCHED {
        return true;
    }
    // A value follows `=` or `:`, which may be escaped with `%`. Most text has none of them.
    if !text.iter().any(|byte| matches!(byte, b'=' | b':' | b'%')) {
        return false;
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
    // Text that is escaped so often hides something.
    true
}

fn has_secret_pair(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.%[]=:-".contains(byte);
    text.split(|byte| !is_part(byte)).any(|piece| {
        // Check each name that has a value after it: `a=b=token=c`.
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

/// Returns `true` if the text has a member such as `{"token":"abc"}`.
fn has_secret_member(text: &[u8]) -> bool {
    // The JSON may be in a string, which has a backslash before each quotation mark.
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

/// Returns `true` if the text has a URL such as `https://user:password@host`.
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

/// Returns the text as printable ASCII of at most 256 bytes, so that it cannot forge a line, move a
/// cursor or change the reading direction.
pub(crate) fn escape(bytes: &[u8]) -> String {
    // Each byte becomes at least one character, so the rest would be cut.
    let bytes = bytes.get(..=MAX_TEXT).unwrap_or(bytes);
    // Nearly all text needs no escapes.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(is_plain) => cut(text.to_owned()),
        // An apostrophe does not end a value in a log.
        _ => cut(bytes.escape_ascii().to_string().replace("\\'", "'")),
    }
}

pub(crate) fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    decode(text, &mut bytes);
    bytes
}

pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        // The text is ASCII at this point.
        text.truncate(MAX_TEXT - 3);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_cut() {
        assert_eq!(escape(b"a\r\nb\x1b[2J\xe2\x80\xae"), r"a\r\nb\x1b[2J\xe2\x80\xae");
        let long = escape(&[b'a'; 1000]);
        assert_eq!(long.len(), 256);
        assert!(long.ends_with("a..."));
        // Text that just fits is not cut.
        assert_eq!(escape(&[b'a'; 256]), "a".repeat(256));
        assert_eq!(escape(br#""'\"#), r#"\"'\\"#);
    }
}
