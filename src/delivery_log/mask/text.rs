//! Masking of a text in one pass.
//!
//! A match may begin at nearly every character, and the characters that decide it are up to 64
//! characters ahead. The scan therefore remembers the ends of the runs that it has examined. It
//! reads no part of a text more than a few times, whatever the text is.

use crate::delivery_log::{
    mask::mask::Mask,
    redact_json::{self, REDACTED},
};

impl Mask {
    /// Masks a payload: the strings of a JSON document, or a text. The rest of the document stays
    /// as received.
    #[must_use]
    pub fn apply(&self, payload: &[u8]) -> Vec<u8> {
        match redact_json::document(payload) {
            Some(json) => self.json(json).into_bytes(),
            None if !self.fields.is_empty() => REDACTED.into(),
            None => self.text(&String::from_utf8_lossy(payload)).into_bytes(),
        }
    }

    fn json(&self, json: &str) -> String {
        let is_hidden = |name: &str| self.fields.contains(&name.to_lowercase());
        redact_json::rewrite(json, &is_hidden, &|text| self.text(text))
    }

    /// Masks a text: the phone numbers, e-mail addresses, secrets and card numbers that the mask
    /// covers.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        masked(self, text)
    }
}

/// Parts of names whose values are secrets in `name=value`.
const SECRETS: [&str; 4] = ["token", "secret", "password", "auth"];

/// Maximum length of a name, a local part and a number, in characters.
const MAX_PART: usize = 64;

/// The `@` of an address in a form. Its letters could also belong to a name.
const ESCAPED_AT: &[u8] = b"%40";

/// Maximum number of digits in a card number.
const MAX_DIGITS: usize = 19;

pub(crate) fn masked(mask: &Mask, text: &str) -> String {
    let mut scan = Scan::new(mask, text);
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let end = if scan.is_inside(at, first) { None } else { scan.mask_at(at, first) };
        at = end.unwrap_or(at + first.len_utf8());
    }
    scan.into_masked()
}

struct Scan<'a> {
    mask: &'a Mask,
    text: &'a str,
    masked: String,
    /// End of the text that is already in `masked`.
    copied: usize,
    name: Name,
    local: Local,
    escaped: EscapedAt,
}

/// Run of characters that names consist of.
#[derive(Default)]
struct Name {
    end: usize,
    /// Names that begin here or later in the run are short enough.
    first: usize,
    /// Last position at which a name may begin and still contain one of [`SECRETS`]. `None` unless
    /// a value follows the run.
    last: Option<usize>,
}

/// Run of characters that local parts consist of.
#[derive(Default)]
struct Local {
    end: usize,
    /// `None` unless an `@` follows the run.
    address: Option<Address>,
}

/// Part of an address that does not depend on the beginning of its local part.
#[derive(Clone, Copy)]
struct Address {
    /// Local parts that begin here or later are short enough.
    first: usize,
    /// End of the domain, or `None` if it is not a domain.
    end: Option<usize>,
}

/// Next `%40` in a run of local characters.
#[derive(Default)]
struct EscapedAt {
    /// End of the run that was searched.
    run_end: usize,
    /// `None` if there is no other in the run.
    at: Option<usize>,
    address: Option<Address>,
}

impl<'a> Scan<'a> {
    fn new(mask: &'a Mask, text: &'a str) -> Self {
        Self {
            mask,
            text,
            masked: String::with_capacity(text.len()),
            copied: 0,
            name: Name::default(),
            local: Local::default(),
            escaped: EscapedAt::default(),
        }
    }

    /// Returns `true` in the middle of a word, where no match begins. Chinese and Japanese put no
    /// space before a number or a name in Latin letters.
    fn is_inside(&self, at: usize, first: char) -> bool {
        // A replacement does not end in a letter.
        let before = self.text.get(self.copied..at).unwrap_or_default();
        let last = before.chars().next_back();
        last.is_some_and(|last| last.is_alphanumeric() && (last.is_ascii() || !first.is_ascii()))
            && !ends_in_escape(before)
    }

    /// Masks the match that begins here, and returns its end.
    fn mask_at(&mut self, at: usize, first: char) -> Option<usize> {
        if self.mask.secrets
            && is_name(first)
            && let Some((name_end, end)) = self.secret(at)
        {
            // The name and the `=` stay.
            self.replace(name_end + 1, end, REDACTED);
            return Some(end);
        }
        if self.mask.emails
            && is_local(first)
            && let Some(end) = self.email(at)
        {
            self.replace(at, end, REDACTED);
            return Some(end);
        }
        self.numbers(at, first)
    }

    fn replace(&mut self, start: usize, end: usize, replacement: &str) {
        self.masked.push_str(self.text.get(self.copied..start).unwrap_or_default());
        self.masked.push_str(replacement);
        self.copied = end;
    }

    fn into_masked(mut self) -> String {
        self.masked.push_str(self.text.get(self.copied..).unwrap_or_default());
        self.masked
    }

    /// Returns the ends of the name and of the value, if `name=value` begins here.
    fn secret(&mut self, at: usize) -> Option<(usize, usize)> {
        if at >= self.name.end {
            self.name = Name::at(self.text, at);
        }
        let Name { end, first, last } = self.name;
        if at < first || at > last? {
            return None;
        }
        let value = self.text.get(end + 1..)?;
        Some((end, end + 1 + value.find(ends_value).unwrap_or(value.len())))
    }

    /// Returns the end of an e-mail address that begins here.
    fn email(&mut self, at: usize) -> Option<usize> {
        if at >= self.local.end {
            self.local = Local::at(self.text, at);
        }
        match self.local.address {
            Some(address) if at >= address.first => address.end,
            _ => {
                let (sign, address) = self.escaped_at(at)?;
                (at < sign && at >= address.first).then_some(address.end)?
            }
        }
    }

    /// Returns the next `%40` in the run of local characters.
    fn escaped_at(&mut self, at: usize) -> Option<(usize, Address)> {
        let end = self.local.end;
        if self.escaped.run_end != end || self.escaped.at.is_some_and(|sign| sign < at) {
            let run = self.text.as_bytes().get(at..end)?;
            let found = run.windows(ESCAPED_AT.len()).position(|bytes| bytes == ESCAPED_AT);
            let sign = found.map(|found| at + found);
            // Here the sign counts as part of the local part.
            let address = sign.map(|sign| Address::around(self.text, at, sign + 3, sign + 3));
            self.escaped = EscapedAt { run_end: end, at: sign, address };
        }
        Some((self.escaped.at?, self.escaped.address?))
    }

    /// Masks the numbers that begin here, and returns their end. Numbers are skipped as a whole
    /// even if none is masked, so that the end of one is not taken for a number of its own.
    fn numbers(&mut self, at: usize, first: char) -> Option<usize> {
        if !first.is_ascii_digit() && first != '+' {
            return None;
        }
        let end = at + numbers_len(self.text.get(at..)?);
        let run = self.text.get(at..end).filter(|run| !run.is_empty())?;
        match self.number(run) {
            Some(masked) => self.replace(at, end, &masked),
            None => {
                // Several numbers in a row are checked one by one.
                let mut start = at;
                for part in run.split(' ') {
                    let end = start + part.len();
                    if let Some(masked) = self.number(part) {
                        self.replace(start, end, &masked);
                    }
                    start = end + 1;
                }
            }
        }
        Some(end)
    }

    /// Returns the replacement of a number, or `None` if the number stays.
    fn number(&self, text: &str) -> Option<String> {
        let mut digits = [0; MAX_DIGITS];
        let mut count = 0;
        for digit in text.bytes().filter(u8::is_ascii_digit) {
            // A longer run is neither a card number nor a phone number.
            *digits.get_mut(count)? = digit;
            count += 1;
        }
        let digits = digits.get(..count)?;
        if self.mask.card_numbers && count >= 13 && is_card_number(digits) {
            return Some(REDACTED.to_owned());
        }
        if self.mask.phone_numbers && (10..=15).contains(&count) {
            let plus = if text.starts_with('+') { "+" } else { "" };
            let first: String = digits.iter().take(3).map(|digit| char::from(*digit)).collect();
            return Some(format!("{plus}{first}***"));
        }
        None
    }
}

impl Name {
    fn at(text: &str, at: usize) -> Self {
        let rest = text.get(at..).unwrap_or_default();
        let end = at + rest.find(|char| !is_name(char)).unwrap_or(rest.len());
        let mut value = text.get(end..).unwrap_or_default().chars();
        let has_value = value.next() == Some('=') && value.next().is_some_and(|c| !ends_value(c));
        let first = end.saturating_sub(MAX_PART).max(at);
        let last = if has_value { last_secret(text, first, end) } else { None };
        Self { end, first, last }
    }
}

impl Local {
    fn at(text: &str, at: usize) -> Self {
        let rest = text.get(at..).unwrap_or_default();
        let end = at + rest.find(|char| !is_local(char)).unwrap_or(rest.len());
        let is_followed = text.get(end..).is_some_and(|rest| rest.starts_with('@'));
        Self { end, address: is_followed.then(|| Address::around(text, at, end, end + 1)) }
    }
}

impl Address {
    /// Creates the address with a local part that ends at `end` and a domain that begins at
    /// `domain`. The run of the local part begins at `start`.
    fn around(text: &str, start: usize, end: usize, domain: usize) -> Self {
        let run = text.get(start..end).unwrap_or_default();
        let last = run.char_indices().rev().take(MAX_PART).last();
        let first = start + last.map_or(0, |(at, _)| at);
        let rest = text.get(domain..).unwrap_or_default();
        Self { first, end: domain_len(rest).map(|len| domain + len) }
    }
}

/// Returns the last position of one of [`SECRETS`] in a name.
fn last_secret(text: &str, start: usize, end: usize) -> Option<usize> {
    let name = text.as_bytes().get(start..end)?;
    let holds = |part: &[u8]| SECRETS.iter().any(|secret| begins_with(part, secret.as_bytes()));
    (0..name.len()).rev().find(|at| name.get(*at..).is_some_and(holds)).map(|at| start + at)
}

/// Returns `true` if the text begins with the word, in upper or lower case.
fn begins_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.' | '[' | ']')
}

fn ends_value(char: char) -> bool {
    char.is_whitespace() || matches!(char, '&' | ';' | ',' | '"' | '\'' | '<' | '>')
}

fn is_local(char: char) -> bool {
    matches!(
        char,
        '!' | '#'
            | '$'
            | '%'
            | '&'
            | '\''
            | '*'
            | '+'
            | '/'
            | '='
            | '?'
            | '^'
            | '_'
            | '`'
            | '{'
            | '|'
            | '}'
            | '~'
            | '.'
            | '-'
    ) || char.is_alphanumeric()
}

fn is_domain(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '.' | '-')
}

/// Returns `true` if the text ends in an escape. A form writes `+` before a number as `%2B`, whose
/// end is not a letter of a word.
fn ends_in_escape(text: &str) -> bool {
    matches!(text.as_bytes(), [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

/// Returns the length of the domain at the beginning of the text. A domain has at least two labels.
fn domain_len(text: &str) -> Option<usize> {
    let len = text.find(|char| !is_domain(char)).unwrap_or(text.len());
    let domain = text.get(..len)?.trim_end_matches(['.', '-']);
    let labels = domain.split('.').filter(|label| !label.is_empty()).count();
    (labels > 1).then_some(domain.len())
}

/// Returns the length of the numbers at the beginning of the text, up to the last digit.
fn numbers_len(text: &str) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b' ' | b'.' | b'-' | b'(' | b')' | b'+');
    let part = text.bytes().take(MAX_PART).take_while(is_part).enumerate();
    // A second `+` begins another number.
    let mut len = part.take_while(|(at, byte)| *at == 0 || *byte != b'+').count();
    let bytes = text.as_bytes();
    if len == MAX_PART {
        // Characters beyond the limit could belong to the last number.
        let blank = bytes.iter().take(len).rposition(|byte| *byte == b' ');
        len = blank.unwrap_or(len);
    }
    let last = bytes.iter().take(len).rposition(u8::is_ascii_digit);
    last.map_or(0, |last| last + 1)
}

/// Returns `true` if the check digit is valid, which all card numbers have.
fn is_card_number(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            match (at % 2, digit * 2) {
                (0, _) => digit,
                (_, double) if double > 9 => double - 9,
                (_, double) => double,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests;
