//! Strict reader of one field of a JSON object, or of the items of an array, for times, tokens and
//! challenges that a provider puts inside the body.
//!
//! `serde_json` parses. Four rules are ours: a name that occurs twice is an error, because this
//! reader and the handler could take different values; numbers stay text; the text must be UTF-8,
//! and nest at most 128 deep, also where `serde_json` skips a value.

use std::{borrow::Cow, fmt};

use serde_core::{
    Deserializer as _,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};

/// Maximum nesting of a value, the same as in `serde_json`.
const MAX_DEPTH: usize = 128;

/// Error returned when the text is not one JSON object or array, or names a field twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    /// The text of an array.
    Array(&'a str),
    /// The text of an object.
    Object(&'a str),
    True,
    /// `false`, `null`, or a text with half of a surrogate pair, which is not Unicode. Senders
    /// write half a pair where they cut a text apart (RFC 8259, section 8.2).
    Other,
}

impl<'a> Value<'a> {
    /// Reads the value from its text, which is valid JSON.
    pub(crate) fn of(json: &'a RawValue) -> Self {
        let text = json.get();
        match text.as_bytes().first() {
            Some(b'"') => string(text).map_or(Self::Other, Self::Text),
            Some(b'-' | b'0'..=b'9') => Self::Number(text),
            Some(b'[') => Self::Array(text),
            Some(b'{') => Self::Object(text),
            Some(b't') => Self::True,
            _ => Self::Other,
        }
    }

    pub(crate) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Returns the value of the top-level object's field `name`, or `None` if there is no field of this
/// name.
pub(crate) fn field<'a>(json: &'a [u8], name: &str) -> Result<Option<Value<'a>>, Malformed> {
    let mut found = None;
    members(json, &mut |member, value| {
        let is_twice = member == name && found.replace(value).is_some();
        if is_twice { Err(Malformed) } else { Ok(()) }
    })?;
    Ok(found.map(Value::of))
}

/// Visits each member of the top-level object, until `visit` returns an error.
pub(crate) fn members<'a>(json: &'a [u8], visit: Visit<'_, 'a>) -> Result<(), Malformed> {
    let mut deserializer = Deserializer::from_str(checked(json)?);
    deserializer.deserialize_map(Members(visit)).map_err(|_| Malformed)?;
    deserializer.end().map_err(|_| Malformed)
}

/// Visits each value of the array, one at a time. A list of them would take many times the memory
/// of the sender's text.
pub(crate) fn items<'a>(json: &'a [u8], visit: &mut dyn FnMut(Value<'a>)) -> Result<(), Malformed> {
    let mut deserializer = Deserializer::from_str(checked(json)?);
    deserializer.deserialize_seq(Items(visit)).map_err(|_| Malformed)?;
    deserializer.end().map_err(|_| Malformed)
}

/// Returns the text, if it is UTF-8 and does not nest too deep.
fn checked(json: &[u8]) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(json).map_err(|_| Malformed)?;
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            b'[' | b'{' if !is_string => depth += 1,
            b']' | b'}' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        // The object or the array around the values counts as well.
        if depth > MAX_DEPTH + 1 {
            return Err(Malformed);
        }
    }
    Ok(text)
}

type Visit<'v, 'a> = &'v mut dyn FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), Malformed>;

struct Members<'v, 'a>(Visit<'v, 'a>);

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            // A name with half of a surrogate pair is the name of no field that is asked for.
            let name = string(name.get()).unwrap_or(Cow::Borrowed("\u{fffd}"));
            (self.0)(name, value).map_err(|_| M::Error::custom("rejected"))?;
        }
        Ok(())
    }
}

struct Items<'v, 'a>(&'v mut dyn FnMut(Value<'a>));

impl<'a> Visitor<'a> for Items<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<(), S::Error> {
        while let Some(value) = seq.next_element::<&RawValue>()? {
            (self.0)(Value::of(value));
        }
        Ok(())
    }
}

/// Returns the content of a string literal, or `None` if it has half of a surrogate pair.
fn string(literal: &str) -> Option<Cow<'_, str>> {
    match literal.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        _ => serde_json::from_str(literal).ok().map(Cow::Owned),
    }
}

/// Returns the text of a top-level field.
pub(crate) fn text_field<'a>(json: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    field(json, name).ok().flatten().and_then(Value::into_text)
}

/// Returns the text or number of a field of a JSON object, for lookups and IDs.
///
/// Returns `None` if the field is missing, occurs twice, or is neither a text nor a number, and if
/// the body is not a JSON object.
///
/// ```
/// use tower_webhook::replay::json_field;
///
/// assert_eq!(json_field(br#"{"account":"acme","id":7}"#, "account").as_deref(), Some("acme"));
/// assert_eq!(json_field(br#"{"account":"acme","id":7}"#, "id").as_deref(), Some("7"));
/// ```
#[must_use]
pub fn json_field(body: &[u8], name: &str) -> Option<String> {
    scalar(field(body, name).ok()??)
}

/// Returns the text or number at a path such as `data.id`.
pub(crate) fn json_path(body: &[u8], path: &str) -> Option<String> {
    match path.split_once('.') {
        None => json_field(body, path),
        Some((name, rest)) => match field(body, name).ok()?? {
            Value::Object(object) => json_path(object.as_bytes(), rest),
            _ => None,
        },
    }
}

fn scalar(value: Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.into_owned()),
        Value::Number(number) => Some(number.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
