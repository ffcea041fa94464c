//! Redaction of secrets and signatures in a body before it is stored.

use std::{cmp::Reverse, fmt::Write as _};

use bytes::Bytes;
use http::header::CONTENT_TYPE;

use crate::{
    delivery_log::redact_json::{self, REDACTED},
    observe::event::Event,
    outcome::redact::percent::decode,
    panic::catch_panic,
    verifier::sensitive::SensitiveParts,
};

/// Maximum depth of JSON within strings of JSON.
const MAX_DEPTH: usize = 8;

/// Sensitive parts of a body, and the format of the body.
#[derive(Debug)]
pub(crate) struct SensitiveFields {
    parts: SensitiveParts,
    /// Pieces of a secret URL, which a body may repeat.
    pieces: Vec<String>,
    is_form: bool,
}

impl SensitiveFields {
    /// Creates the sensitive parts for the body of an event. Returns `None` if there is nothing to
    /// redact.
    pub(crate) fn of(event: &Event<'_>) -> Option<Self> {
        let mut pieces = Vec::new();
        let attempt = event.attempt();
        if attempt.has_secret_url() {
            let add = &mut |piece: &str| pieces.push(piece.to_owned());
            attempt.sensitive_parts().each_url_piece(&attempt.uri, add);
        }
        let parts = event.sensitive_parts();
        if pieces.is_empty() && !parts.has_fields() {
            return None;
        }
        // Longest first, because a piece may be part of another.
        pieces.sort_by_key(|piece| Reverse(piece.len()));
        let media_type = event.headers().and_then(|headers| headers.get(CONTENT_TYPE));
        let media_type = media_type.map(|value| value.as_bytes().to_ascii_lowercase());
        let is_form = media_type.is_some_and(|value| {
            value.trim_ascii_start().starts_with(b"application/x-www-form-urlencoded")
        });
        Some(Self { parts: parts.clone(), pieces, is_form })
    }

    /// Redacts the fields in a JSON document or a form. Redacts any other body as a whole, because
    /// no field can be found in it by name.
    pub(crate) fn hide(&self, body: &Bytes) -> Bytes {
        let hidden = catch_panic(|| {
            let hidden = self.without_fields(body)?;
            let holds = |piece: &&String| hidden.contains(&***piece);
            let pieces: Vec<_> = self.pieces.iter().filter(holds).collect();
            Some(pieces.into_iter().fold(hidden, |text, piece| text.replace(&**piece, REDACTED)))
        });
        match hidden {
            Ok(Some(hidden)) => hidden.into(),
            _ => Bytes::from_static(REDACTED.as_bytes()),
        }
    }

    fn without_fields(&self, body: &[u8]) -> Option<String> {
        if !self.parts.has_fields() {
            return Some(String::from_utf8_lossy(body).into_owned());
        }
        let text = std::str::from_utf8(body).ok().map(beginning);
        let is_document = text.is_some_and(|text| text.starts_with(['{', '[', '"']));
        if is_document {
            // A form that begins like JSON, or JSON that only another parser accepts, is redacted
            // as a whole.
            return redact_json::document(body)
                .filter(|_| !self.is_form || !text.is_some_and(is_string))
                .map(|json| self.in_json(json, 0));
        }
        // A document that begins differently is a number or a literal, and has no fields.
        let number = redact_json::document(body).map(str::to_owned);
        number.or_else(|| self.is_form.then(|| self.in_form(body)))
    }

    fn in_json(&self, json: &str, depth: usize) -> String {
        redact_json::rewrite(json, &|name| self.parts.has_field(name), &|text| {
            self.in_text(text, depth)
        })
    }

    /// Redacts the fields in a string, which may hold JSON or a form: Slack sends JSON in a
    /// parameter of a form.
    fn in_text(&self, text: &str, depth: usize) -> String {
        if !self.is_mentioned(text) {
            return text.to_owned();
        }
        if !beginning(text).starts_with(['{', '[', '"']) {
            return self.in_assignments(text);
        }
        match redact_json::document(text.as_bytes()) {
            Some(json) if depth < MAX_DEPTH => self.in_json(json, depth + 1),
            _ => REDACTED.to_owned(),
        }
    }

    /// Returns `true` if the text contains the name of a field, or escapes that may encode one.
    fn is_mentioned(&self, text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        let is_escaped = beginning(text).starts_with(['{', '[', '"']) && lower.contains("\\u");
        is_escaped || self.parts.fields().any(|name| lower.contains(&name.to_ascii_lowercase()))
    }

    /// Redacts the value in `name=value`, anywhere in the text.
    fn in_assignments(&self, text: &str) -> String {
        let is_name = |char: char| char.is_alphanumeric() || "_-.%".contains(char);
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('=') {
            let (before, value) = rest.split_at(at);
            let start = before.rfind(|char| !is_name(char)).map_or(0, |at| {
                at + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
            });
            let name = decoded(before.get(start..).unwrap_or_default().as_bytes());
            out.push_str(before);
            out.push('=');
            let value = value.get(1..).unwrap_or_default();
            let ends = |char: char| char.is_whitespace() || "&;,\"'<>".contains(char);
            let len = value.find(ends).unwrap_or(value.len());
            if self.parts.has_field(&name) && len > 0 {
                out.push_str(REDACTED);
                rest = value.get(len..).unwrap_or_default();
            } else {
                rest = value;
            }
        }
        out.push_str(rest);
        out
    }

    fn in_form(&self, body: &[u8]) -> String {
        let mut out = String::with_capacity(body.len());
        for (at, pair) in body.split(|byte| *byte == b'&').enumerate() {
            if at > 0 {
                out.push('&');
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next());
            out.push_str(&String::from_utf8_lossy(name));
            let Some(value) = value else { continue };
            out.push('=');
            let (name, text) = (decoded(name), decoded(value));
            // `signature[token]` is a field of `signature`.
            if self.parts.has_field(name.split('[').next().unwrap_or_default()) {
                out.push_str(REDACTED);
                continue;
            }
            let hidden = self.in_text(&text, 0);
            if hidden == text {
                out.push_str(&String::from_utf8_lossy(value));
            } else {
                encode(&hidden, &mut out);
            }
        }
        out
    }
}

/// Returns the text without whitespace and byte order marks in front of a document.
fn beginning(text: &str) -> &str {
    text.trim_start_matches(|char: char| char.is_whitespace() || char == '\u{feff}')
}

fn is_string(document: &str) -> bool {
    document.starts_with('"')
}

fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    decode(text, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._*[]".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(body: &str, is_form: bool) -> String {
        let parts = SensitiveParts::none().field("token").field("signature");
        let hidden = SensitiveFields { parts, pieces: vec!["secret-path".to_owned()], is_form }
            .hide(&Bytes::from(body.to_owned()));
        String::from_utf8(hidden.to_vec()).unwrap()
    }

    #[test]
    fn all_else_stays_as_it_is_written() {
        for (body, expected) in [
            (
                r#"{ "a" : [1, "x\/y"] , "Token":{"b":["c"]} }"#,
                r#"{ "a" : [1, "x\/y"] , "Token":"[REDACTED]" }"#,
            ),
            (
                r#"[{"signature":1.5e3},{"token":null}]"#,
                r#"[{"signature":"[REDACTED]"},{"token":"[REDACTED]"}]"#,
            ),
            (r#""token""#, r#""token""#),
            ("7", "7"),
            (r#"{"a":"{\"token\":\"t\"}"}"#, r#"{"a":"{\"token\":\"[REDACTED]\"}"}"#),
            (
                r#"{"a":"x=1&token=t&y=2, Token=u"}"#,
                r#"{"a":"x=1&token=[REDACTED]&y=2, Token=[REDACTED]"}"#,
            ),
            (r#"{"a":"mytoken=t, a=b","b":"[1] two"}"#, r#"{"a":"mytoken=t, a=b","b":"[1] two"}"#),
            // Text that is not JSON here may be JSON to another parser.
            (r#"{"a":"{no JSON, token=t","b":"{no JSON"}"#, r#"{"a":"[REDACTED]","b":"{no JSON"}"#),
            (r#"{"a":"{\"token\":\"t\",\"n\":1e999}"}"#, r#"{"a":"[REDACTED]"}"#),
            (r#"{"a":"{\"t\\u006fken\":\"t\",\"n\":1e999}"}"#, r#"{"a":"[REDACTED]"}"#),
            (r#"{"token":"t","n":1e999}"#, "[REDACTED]"),
            ("\u{feff}{\"token\":1}", "[REDACTED]"),
            ("token=t", "[REDACTED]"),
            // A string in a string.
            (
                r#"{"a":"\"{\\\"token\\\":1}\""}"#,
                r#"{"a":"\"{\\\"token\\\":\\\"[REDACTED]\\\"}\""}"#,
            ),
            // A piece of a secret URL.
            (
                r#"{"callback":"https://a.example/secret-path/x"}"#,
                r#"{"callback":"https://a.example/[REDACTED]/x"}"#,
            ),
        ] {
            assert_eq!(hidden(body, false), expected);
        }
        for (body, expected) in [
            ("a=1&token=t&b=%7Bx&&c&token&d=", "a=1&token=[REDACTED]&b=%7Bx&&c&token&d="),
            ("%74oken=t&signature[token]=u", "%74oken=[REDACTED]&signature[token]=[REDACTED]"),
            (
                "p=%5B%7B%22token%22%3A1%7D%5D&q=a+b",
                "p=[%7B%22token%22%3A%22[REDACTED]%22%7D]&q=a+b",
            ),
            ("a=token%3Dt%26b%3D1&c=2", "a=token%3D[REDACTED]%26b%3D1&c=2"),
            (r#"{"token":1}"#, r#"{"token":"[REDACTED]"}"#),
            (r#"{"token":1,"n":1e999}"#, "[REDACTED]"),
            (r#""a=1&token=t&b=""#, "[REDACTED]"),
        ] {
            assert_eq!(hidden(body, true), expected);
        }
    }

    #[test]
    fn texts_within_texts_are_searched_to_a_depth() {
        let mut body = r#"{"token":"secret"}"#.to_owned();
        for depth in 0..10 {
            let hidden = hidden(&body, false);
            assert!(hidden.contains("[REDACTED]") && !hidden.contains("secret"), "{hidden}");
            assert_eq!(hidden.contains("token"), depth <= MAX_DEPTH, "{depth}: {hidden}");
            body = serde_json::json!({ "a": body }).to_string();
        }
    }
}
