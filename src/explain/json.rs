//! JSON bodies, written again in the styles of senders.
//!
//! A proxy that parses a body and writes it again keeps the tokens. The spacing, the escapes and the
//! final newline are those of the proxy. Numbers keep the text that was received.

use std::str::Chars;

pub(crate) mod style;
#[cfg(test)]
mod tests;

/// Maximum depth of nested objects and arrays.
const MAX_DEPTH: usize = 64;

/// Maximum length of a text, in bytes.
const MAX_LEN: usize = 1 << 20;

/// Maximum number of tokens, including commas and colons.
const MAX_TOKENS: usize = 100_000;

/// A JSON text, split into tokens.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    tokens: Vec<Token<'a>>,
    /// Number of steps by which all lines are indented.
    steps: usize,
}

#[derive(Clone, Copy, Debug)]
enum Token<'a> {
    /// `{` or `[` of a container that is not empty.
    Open(u8),
    Close(u8),
    Comma,
    Colon,
    /// A number, a word, an empty container, or a string that all writers write the same.
    Same(&'a str),
    /// Content of another string, as received.
    String(&'a str),
}

impl<'a> Json<'a> {
    /// Parses a body. Returns `None` if it is not one object or array in UTF-8, is longer than 1 MiB,
    /// is nested deeper than 64, or has more than 100,000 tokens.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        if body.len() > MAX_LEN {
            return None;
        }
        let json = Self { tokens: Vec::new(), steps: 0 };
        let mut parser = Parser { rest: std::str::from_utf8(body).ok()?, json };
        if !matches!(parser.peek()?, b'{' | b'[') {
            return None;
        }
        parser.value(0)?;
        parser.peek().is_none().then_some(parser.json)
    }

    /// Returns `true` if the keys of each object are in alphabetical order, and an object has at
    /// least 3 members.
    pub(crate) fn is_sorted(&self) -> bool {
        // Number of members and last key of each open container.
        let mut open: Vec<(usize, &str)> = Vec::new();
        let (mut is_long, mut last) = (false, "");
        for token in &self.tokens {
            match (*token, open.last_mut()) {
                (Token::Open(_), _) => open.push((0, "")),
                (Token::Close(_), _) => drop(open.pop()),
                (Token::Same(text), _) => last = text.trim_matches('"'),
                (Token::String(content), _) => last = content,
                (Token::Colon, Some((count, key))) => {
                    if units(key).gt(units(last)) {
                        return false;
                    }
                    (*count, *key) = (*count + 1, last);
                    is_long |= *count > 2;
                }
                _ => {}
            }
        }
        is_long
    }

    /// Returns `true` if there are integers of 17 or more digits, and each ends in `0` and is the
    /// text that JavaScript writes for the 64-bit float next to it.
    pub(crate) fn has_rounded_number(&self) -> bool {
        let mut long = self.tokens.iter().filter_map(|token| match token {
            Token::Same(text) => is_rounded(text),
            _ => None,
        });
        long.next().is_some_and(|first| first && long.all(|next| next))
    }
}

struct Parser<'a> {
    rest: &'a str,
    json: Json<'a>,
}

impl<'a> Parser<'a> {
    /// Returns the next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.bytes().next()
    }

    fn push(&mut self, token: Token<'a>) -> Option<()> {
        self.json.tokens.push(token);
        (self.json.tokens.len() <= MAX_TOKENS).then_some(())
    }

    /// Takes bytes from the rest.
    fn take(&mut self, len: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => self.container(depth + 1, b'{', b'}', "{}"),
            b'[' => self.container(depth + 1, b'[', b']', "[]"),
            b'"' => self.string(),
            _ => {
                let len = self.rest.find([',', ']', '}', ' ', '\t', '\r', '\n'])?;
                let text = self.take(len)?;
                let is_valid = matches!(text, "true" | "false" | "null") || is_number(text);
                if is_valid { self.push(Token::Same(text)) } else { None }
            }
        }
    }

    fn container(&mut self, depth: usize, open: u8, close: u8, empty: &'static str) -> Option<()> {
        self.take(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        if self.peek()? == close {
            self.take(1)?;
            return self.push(Token::Same(empty));
        }
        self.push(Token::Open(open))?;
        loop {
            self.json.steps += depth;
            if open == b'{' {
                (self.peek()? == b'"').then_some(())?;
                self.string()?;
                (self.peek()? == b':').then_some(())?;
                self.take(1)?;
                self.push(Token::Colon)?;
            }
            self.value(depth)?;
            let next = self.peek()?;
            self.take(1)?;
            match next {
                b',' => self.push(Token::Comma)?,
                _ if next == close => return self.push(Token::Close(close)),
                _ => return None,
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        let bytes = self.rest.as_bytes();
        let (mut at, mut is_same) = (1, true);
        loop {
            match *bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    is_same = false;
                    let digits = match *bytes.get(at + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
                        b'u' => 4,
                        _ => return None,
                    };
                    at += 2;
                    let end = at + digits;
                    bytes.get(at..end)?.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                    at = end;
                }
                ..b' ' => return None,
                byte => {
                    is_same &= byte.is_ascii_alphanumeric() || b" -_.:,".contains(&byte);
                    at += 1;
                }
            }
        }
        let text = self.take(at + 1)?;
        let content = text.get(1..at)?;
        self.push(if is_same { Token::Same(text) } else { Token::String(content) })
    }
}

/// Returns `true` if the text is a number.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (text, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(integer)
        && (integer == "0" || !integer.starts_with('0'))
        && digits(fraction)
        && digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
}

/// Returns whether an integer of 17 or more digits is rounded, or `None` for another text.
fn is_rounded(text: &str) -> Option<bool> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() < 17 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // JavaScript writes an exponent from 22 digits on.
    let is_short = digits.len() < 22 && digits.ends_with('0');
    Some(is_short && digits.parse::<f64>().is_ok_and(|float| float.to_string() == digits))
}

/// Returns the code points of a string with escapes. Half a surrogate pair is one of them.
fn units(content: &str) -> impl Iterator<Item = u32> {
    let mut chars = content.chars();
    std::iter::from_fn(move || match chars.next()? {
        '\\' => Some(match chars.next()? {
            'b' => 0x08,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'u' => {
                let high = hex(&mut chars)?;
                let mut after = chars.clone();
                let is_pair = (0xd800..0xdc00).contains(&high)
                    && after.next() == Some('\\')
                    && after.next() == Some('u');
                match hex(&mut after) {
                    Some(low @ 0xdc00..0xe000) if is_pair => {
                        chars = after;
                        0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                    }
                    _ => high,
                }
            }
            other => u32::from(other),
        }),
        char => Some(u32::from(char)),
    })
}

fn hex(chars: &mut Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + chars.next()?.to_digit(16)?))
}
