//! Secrets and signatures that stand in a body, hidden before it is stored.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};

use super::json::{self, REDACTED};
use crate::{SensitiveParts, form::decode, verdict::contained};

/// Deepest JSON within texts of JSON.
const MAX_DEPTH: usize = 8;

/// The fields of a body that must not be stored, and how the body is written.
#[derive(Debug)]
pub(super) struct SensitiveFields {
    parts: SensitiveParts,
    is_form: bool,
}

impl SensitiveFields {
    /// None where a request has no such fields.
    pub(super) fn of(parts: &SensitiveParts, headers: Option<&HeaderMap>) -> Option<Self> {
        let media_type = headers.and_then(|headers| headers.get(CONTENT_TYPE));
        let media_type = media_type.map(|value| value.as_bytes().to_ascii_lowercase());
        let is_form = media_type.is_some_and(|value| {
            value.trim_ascii_start().starts_with(b"application/x-www-form-urlencoded")
        });
        parts.has_fields().then(|| Self { parts: parts.clone(), is_form })
    }

    /// Hides the fields in a JSON document or a form, and otherwise the whole body, because nothing
    /// in it can be found by name.
    pub(super) fn hide(&self, body: &Bytes) -> Bytes {
        let hidden = contained(|| match json::document(body) {
            Some(json) => Some(self.in_json(json, 0)),
            None if self.is_form => Some(self.in_form(body)),
            None => None,
        });
        match hidden {
            Ok(Some(hidden)) => hidden.into(),
            _ => Bytes::from_static(REDACTED.as_bytes()),
        }
    }

    fn in_json(&self, json: &str, depth: usize) -> String {
        json::rewrite(json, &|name| self.parts.has_field(name), &|text| self.in_text(text, depth))
    }

    /// A text may hold JSON: Slack sends one in a parameter of a form.
    fn in_text(&self, text: &str, depth: usize) -> String {
        if !text.trim_start().starts_with(['{', '[']) || json::document(text.as_bytes()).is_none() {
            return text.to_owned();
        }
        if depth == MAX_DEPTH { REDACTED.to_owned() } else { self.in_json(text, depth + 1) }
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
            // `signature[token]` is below `signature`.
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
        let hidden = SensitiveFields { parts, is_form }.hide(&Bytes::from(body.to_owned()));
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
            (r#"{"a":"{\"token\":\"t\"}"}"#, r#"{"a":"{\"token\":\"[REDACTED]\"}"}"#),
            (
                r#"{"a":"{no JSON, token=t","b":"token"}"#,
                r#"{"a":"{no JSON, token=t","b":"token"}"#,
            ),
            ("token=t", "[REDACTED]"),
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
            (r#"{"token":1}"#, r#"{"token":"[REDACTED]"}"#),
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
