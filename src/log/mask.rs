//! Personal data and secrets, masked before a payload is kept.

use super::json::{self, REDACTED};

/// Fields of chat messages that hold what people wrote, and who they are.
pub const MESSAGE_FIELDS: [&str; 12] = [
    "text",
    "caption",
    "contact",
    "contactArray",
    "jpegThumbnail",
    "filename",
    "matchedText",
    "title",
    "description",
    "topic",
    "pushName",
    "fullName",
];

/// Parts of names whose values are secrets in `name=value`.
const SECRETS: [&str; 4] = ["token", "secret", "password", "auth"];

/// Longest name, local part and number in characters.
const MAX_PART: usize = 64;

/// Masks personal data and secrets in payloads, and in any text.
///
/// It masks rather too much than too little: a date with its hour has as many digits as a phone
/// number.
///
/// ```
/// use tower_webhook::log::Mask;
///
/// let mask = Mask::new().phone_numbers().emails().secrets();
/// assert_eq!(
///     mask.text("from +14155550100, a.b@example.com, token=abc&x=1"),
///     "from +141***, [REDACTED], token=[REDACTED]&x=1"
/// );
/// let mask = Mask::new().fields(["text"]);
/// assert_eq!(mask.apply(br#"{"a": [{"text": {"b": 1}}]}"#), br#"{"a": [{"text": "[REDACTED]"}]}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Mask {
    fields: Vec<String>,
    phone_numbers: bool,
    emails: bool,
    secrets: bool,
    card_numbers: bool,
}

impl Mask {
    /// Masks nothing.
    pub const fn new() -> Self {
        Self {
            fields: Vec::new(),
            phone_numbers: false,
            emails: false,
            secrets: false,
            card_numbers: false,
        }
    }

    /// Masks whatever is below these names in JSON, at any depth, in either case. A payload that
    /// is no JSON is then masked whole, because nothing in it can be found by name.
    pub fn fields<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.fields.extend(names.into_iter().map(|name| name.as_ref().to_lowercase()));
        self
    }

    /// Masks 10 to 15 digits, with `+`, blanks, points, hyphens and brackets, but for the first
    /// three. Numbers in JSON stay, because times look the same.
    pub fn phone_numbers(mut self) -> Self {
        self.phone_numbers = true;
        self
    }

    /// Masks e-mail addresses.
    pub fn emails(mut self) -> Self {
        self.emails = true;
        self
    }

    /// Masks the value in `name=value` where the name holds `token`, `secret`, `password` or
    /// `auth`.
    pub fn secrets(mut self) -> Self {
        self.secrets = true;
        self
    }

    /// Masks 13 to 19 digits that are a card number by their check digit.
    pub fn card_numbers(mut self) -> Self {
        self.card_numbers = true;
        self
    }

    /// Masks a payload: the strings of a JSON document, or a text. All else of the document stays
    /// as it is written.
    #[must_use]
    pub fn apply(&self, payload: &[u8]) -> Vec<u8> {
        match json::document(payload) {
            Some(json) => self.json(json).into_bytes(),
            None if !self.fields.is_empty() => REDACTED.into(),
            None => self.text(&String::from_utf8_lossy(payload)).into_bytes(),
        }
    }

    fn json(&self, json: &str) -> String {
        let is_hidden = |name: &str| self.fields.contains(&name.to_lowercase());
        json::rewrite(json, &is_hidden, &|text| self.text(text))
    }

    /// Masks a text: phone numbers, e-mail addresses, secrets and card numbers, where they were
    /// asked for.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            // Chinese and Japanese put no blank before a number or a name in Latin letters.
            let is_inside = !ends_in_escape(&out)
                && out.chars().next_back().is_some_and(|last| {
                    last.is_alphanumeric() && (last.is_ascii() || !first.is_ascii())
                });
            let found = if is_inside {
                None
            } else {
                let secret = || self.secrets.then(|| secret(rest)).flatten();
                let email = || self.emails.then(|| email(rest)).flatten();
                secret().or_else(email).or_else(|| self.digits(rest))
            };
            let len = match found {
                Some((replacement, len)) => {
                    out.push_str(&replacement);
                    len
                }
                None => {
                    out.push(first);
                    first.len_utf8()
                }
            };
            rest = rest.get(len..).unwrap_or_default();
        }
        out
    }

    fn digits(&self, text: &str) -> Option<(String, usize)> {
        let is_part = |char: &char| char.is_ascii_digit() || " .-()+".contains(*char);
        let mut len = text.chars().take(MAX_PART).take_while(is_part).count();
        if let Some(at) = text.get(1..len)?.find('+') {
            len = at + 1; // It begins another number.
        } else if len == MAX_PART {
            // What is beyond could belong to the last number.
            len = text.get(..len)?.rfind(' ').unwrap_or(len);
        }
        let run = text.get(..len)?.trim_end_matches(|char: char| !char.is_ascii_digit());
        if !run.starts_with(|char: char| char.is_ascii_digit() || char == '+') {
            return None;
        }
        let masked = self.number(run).unwrap_or_else(|| {
            // Several numbers in a row, of which each counts.
            let numbers = run.split(' ').map(|part| self.number(part).unwrap_or(part.to_owned()));
            numbers.collect::<Vec<_>>().join(" ")
        });
        // Whole: its end must not pass for a number of its own.
        (!run.is_empty()).then_some((masked, run.len()))
    }

    fn number(&self, text: &str) -> Option<String> {
        let digits: Vec<_> = text.bytes().filter(u8::is_ascii_digit).collect();
        if self.card_numbers && (13..=19).contains(&digits.len()) && is_card_number(&digits) {
            return Some(REDACTED.to_owned());
        }
        if self.phone_numbers && (10..=15).contains(&digits.len()) {
            let plus = if text.starts_with('+') { "+" } else { "" };
            let first: String = digits.iter().take(3).map(|digit| char::from(*digit)).collect();
            return Some(format!("{plus}{first}***"));
        }
        None
    }
}

/// A form writes `+` before a number as `%2B`, whose end is no letter of a word.
fn ends_in_escape(text: &str) -> bool {
    matches!(text.as_bytes(), [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

/// `name=value` at the beginning.
fn secret(text: &str) -> Option<(String, usize)> {
    let is_name = |char: char| char.is_ascii_alphanumeric() || "_-.[]".contains(char);
    // Not beyond a name's length, or a long text would be read again from each of its words.
    let len = text.chars().take(MAX_PART).take_while(|char| is_name(*char)).count();
    let (name, rest) = text.split_at_checked(len)?;
    let value = rest.strip_prefix('=')?;
    let lower = name.to_ascii_lowercase();
    if !SECRETS.iter().any(|secret| lower.contains(secret)) {
        return None;
    }
    let len = value.find(|char: char| char.is_whitespace() || "&;,\"'<>".contains(char));
    let len = len.unwrap_or(value.len());
    (len > 0).then(|| (format!("{name}={REDACTED}"), name.len() + 1 + len))
}

/// An e-mail address at the beginning.
fn email(text: &str) -> Option<(String, usize)> {
    let is_local = |char: char| char.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(char);
    let is_domain = |char: char| char.is_alphanumeric() || ".-".contains(char);
    let local = text.chars().take(MAX_PART).take_while(|char| is_local(*char));
    let mut local = local.map(char::len_utf8).sum();
    // A form writes the sign as an escape, which could be letters of a name.
    let rest = match text.get(local..)?.strip_prefix('@') {
        Some(rest) => rest,
        None => {
            let at = text.get(..local)?.find("%40")?;
            local = at;
            text.get(at + 3..)?
        }
    };
    let domain = rest.split(|char| !is_domain(char)).next()?.trim_end_matches(['.', '-']);
    let is_address = local > 0 && domain.split('.').filter(|label| !label.is_empty()).count() > 1;
    let end = text.len() - rest.len() + domain.len();
    is_address.then(|| (REDACTED.to_owned(), end))
}

/// By the check digit that all card numbers have.
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
