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
