//! Redaction of values in JSON documents. All other text of a document stays as received.
//!
//! `serde_json` decides what is a document, and reads each string. The walk over the text is ours,
//! because a parsed document has neither the positions nor the spelling of its values.

use serde_json::Value;

/// Replacement for a redacted value.
pub(crate) const REDACTED: &str = "[REDACTED]";

/// Returns the payload as text, if it is a JSON document.
pub(crate) fn document(payload: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(payload).ok()?;
    serde_json::from_str::<Value>(text).is_ok().then_some(text)
}

/// Redacts every value below a name for which `is_hidden` returns `true`, and replaces each other
/// string by the result of `text`. The JSON must be a valid [`document`].
pub(crate) fn rewrite(
    json: &str,
    is_hidden: &dyn Fn(&str) -> bool,
    text: &dyn Fn(&str) -> String,
) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('"') {
        let (before, string) = rest.split_at(at);
        out.push_str(before);
        let (literal, after) = string.split_at(string_len(string));
        let colon = after.trim_start();
        rest = after;
        // The literal may contain escapes.
        let content = serde_json::from_str::<String>(literal).unwrap_or_default();
        if let Some(value) = colon.strip_prefix(':') {
            out.push_str(literal);
            if is_hidden(&content) {
                let value = value.trim_start();
                let (between, _) = after.split_at(after.len() - value.len());
                out.push_str(between);
                out.push('"');
                out.push_str(REDACTED);
                out.push('"');
                rest = value.get(value_len(value)..).unwrap_or_default();
            }
        } else {
            let changed = text(&content);
            if changed == content {
                out.push_str(literal);
            } else {
                out.push_str(&Value::from(changed).to_string());
            }
        }
    }
    out.push_str(rest);
    out
}

/// Returns the length of the string literal at the beginning of the text, including its quotes.
fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of the value at the beginning of valid JSON.
fn value_len(json: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(rest) = json.get(at..)
        && let Some(byte) = rest.bytes().next()
    {
        match byte {
            b'"' => {
                at += string_len(rest);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    json.len()
}
