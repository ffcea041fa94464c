//! Strict reader of one field of a JSON object, or of the items of an array, for times, tokens and
//! challenges that a provider puts inside the body.
//!
//! A name that occurs twice is an error: this reader and the handler could take different values.

use crate::outcome::redact::percent::nibble;
use std::borrow::Cow;

/// Maximum nesting, the same as in `serde_json`.
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
    Ok(found)
}

/// Visits each member of the top-level object, until `visit` returns an error.
pub(crate) fn members<'a>(
    json: &'a [u8],
    visit: &mut dyn FnMut(Cow<'a, str>, Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut reader = Reader::new(json)?;
    reader.expect(b'{')?;
    if !reader.eat(b'}') {
        loop {
            reader.space();
            let name = reader.string()?;
            reader.expect(b':')?;
            visit(name, reader.value()?)?;
            if reader.eat(b'}') {
                break;
            }
            reader.expect(b',')?;
        }
    }
    reader.end()
}

/// Visits each value of the array, one at a time. A list of them would take many times the memory
/// of the sender's text.
pub(crate) fn items<'a>(json: &'a [u8], visit: &mut dyn FnMut(Value<'a>)) -> Result<(), Malformed> {
    let mut reader = Reader::new(json)?;
    reader.expect(b'[')?;
    if !reader.eat(b']') {
        loop {
            visit(reader.value()?);
            if reader.eat(b']') {
                break;
            }
            reader.expect(b',')?;
        }
    }
    reader.end()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// `false` after a text that is not Unicode.
    is_unicode: bool,
}

impl<'a> Reader<'a> {
    fn new(json: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(json).map_err(|_| Malformed)?;
        Ok(Self { text, at: 0, is_unicode: true })
    }

    fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(Malformed) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.eat(byte) { Ok(()) } else { Err(Malformed) }
    }

    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        self.space();
        match self.peek() {
            Some(b'"') => {
                self.is_unicode = true;
                let text = self.string()?;
                Ok(if self.is_unicode { Value::Text(text) } else { Value::Other })
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(bracket @ (b'{' | b'[')) => {
                let start = self.at;
                self.skip_nested()?;
                let text = &self.text[start..self.at];
                Ok(if bracket == b'{' { Value::Object(text) } else { Value::Array(text) })
            }
            Some(b't') => self.keyword().map(|()| Value::True),
            _ => self.keyword().map(|()| Value::Other),
        }
    }

    fn keyword(&mut self) -> Result<(), Malformed> {
        let rest = &self.text[self.at..];
        let word = ["true", "false", "null"];
        let word = word.iter().find(|word| rest.starts_with(**word)).ok_or(Malformed)?;
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading = self.at;
        if self.digits()? > 1 && self.text.as_bytes()[leading] == b'0' {
            return Err(Malformed);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<usize, Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start { Ok(self.at - start) } else { Err(Malformed) }
    }

    /// Skips an object or array without recursion, so that its depth costs no stack.
    fn skip_nested(&mut self) -> Result<(), Malformed> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            // A value begins here.
            self.space();
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.at += 1;
                    if open.len() == MAX_DEPTH {
                        return Err(Malformed);
                    }
                    open.push(bracket + 2); // `}` and `]` are two after their partners.
                    if !self.eat(bracket + 2) {
                        self.key(bracket + 2)?;
                        continue;
                    }
                    open.pop();
                }
                _ => {
                    self.value()?;
                }
            }
            // A value has ended here.
            loop {
                let Some(&close) = open.last() else {
                    return Ok(());
                };
                if self.eat(b',') {
                    self.key(close)?;
                    break;
                }
                self.expect(close)?;
                open.pop();
            }
        }
    }

    /// Skips the name before a value, if the value is in an object.
    fn key(&mut self, close: u8) -> Result<(), Malformed> {
        if close == b'}' {
            self.space();
            self.string()?;
            self.expect(b':')?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        self.at += 1;
        let mut start = self.at;
        let mut unescaped = String::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    let tail = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(if unescaped.is_empty() {
                        Cow::Borrowed(tail)
                    } else {
                        unescaped.push_str(tail);
                        Cow::Owned(unescaped)
                    });
                }
                Some(b'\\') => {
                    unescaped.push_str(&self.text[start..self.at]);
                    self.at += 1;
                    unescaped.push(self.escape()?);
                    start = self.at;
                }
                Some(0x20..) => self.at += 1,
                _ => return Err(Malformed),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let escaped = self.peek().ok_or(Malformed)?;
        self.at += 1;
        Ok(match escaped {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                let after = self.at;
                let is_high = (0xd800..0xdc00).contains(&first);
                let second = if is_high && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    Some(self.hex4()?)
                } else {
                    None
                };
                let mut decoded = char::decode_utf16([first].into_iter().chain(second));
                match (decoded.next(), decoded.next()) {
                    (Some(Ok(char)), None) => char,
                    _ => {
                        // Half of a pair. The escape after it is read on its own.
                        self.at = after;
                        self.is_unicode = false;
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            _ => return Err(Malformed),
        })
    }

    fn hex4(&mut self) -> Result<u16, Malformed> {
        let bytes = self.text.as_bytes();
        let digits = bytes.get(self.at..self.at + 4).ok_or(Malformed)?;
        self.at += 4;
        digits.iter().try_fold(0, |value, digit| {
            let digit = nibble(*digit).ok_or(Malformed)?;
            Ok(value << 4 | u16::from(digit))
        })
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
