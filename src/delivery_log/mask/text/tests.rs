//! Comparison of the scan with a plain implementation, which reads the text again at each
//! character.

use proptest::prelude::*;

use crate::delivery_log::{
    mask::{
        mask::Mask,
        text::{MAX_PART, SECRETS, ends_in_escape, is_card_number, masked},
    },
    redact_json::REDACTED,
};

/// Pieces of text whose order matters.
const PIECES: [&str; 49] = [
    " ",
    "  ",
    ".",
    "..",
    "-",
    "(",
    ")",
    "+",
    "++",
    "[",
    "]",
    "_",
    "@",
    "@@",
    "%40",
    "%4",
    "%",
    "%2B",
    "40",
    "=",
    "&",
    ";",
    ",",
    "\"",
    "<",
    "0",
    "1",
    "12",
    "4155550100",
    "14155550100",
    "4111111111111111",
    "4111 1111 1111 1111",
    "token",
    "TOKEN",
    "auth",
    "pass",
    "word",
    "secret",
    "token=x",
    "a",
    "b.c",
    "a@b.example",
    "a%40b.example",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "................................",
    "é",
    "电",
    "ßßßßßßßßßßßßßßßßßßßßßßßßßßßßßß",
    "\u{2003}",
];

fn masks() -> impl Iterator<Item = Mask> {
    (0..16).map(|bits| Mask {
        phone_numbers: bits & 1 != 0,
        emails: bits & 2 != 0,
        secrets: bits & 4 != 0,
        card_numbers: bits & 8 != 0,
        ..Mask::new()
    })
}

fn agrees(text: &str) -> Result<(), TestCaseError> {
    for mask in masks() {
        prop_assert_eq!(masked(&mask, text), plain(&mask, text), "{:?} of {:?}", mask, text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pieces_are_masked_as_the_plain_way_masks_them(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24),
    ) {
        agrees(&pieces.concat())?;
    }

    #[test]
    fn characters_are_masked_as_the_plain_way_masks_them(
        text in "[0-9a-c@%40+.()_=&é电 -]{0,200}", repeated in 1..4_usize,
    ) {
        agrees(&text.repeat(repeated))?;
    }

    #[test]
    fn runs_are_masked_as_the_plain_way_masks_them(
        runs in prop::collection::vec((prop::sample::select(&PIECES[..]), 1..40_usize), 0..5),
    ) {
        agrees(&runs.into_iter().map(|(piece, count)| piece.repeat(count)).collect::<String>())?;
    }
}

#[test]
fn parts_count_up_to_64_characters() {
    for piece in ["a", ".", "é", "1", "+", "%", "_."] {
        for count in [20, 50, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66] {
            let run = piece.repeat(count);
            for text in [
                format!("{run}@b.example"),
                format!("{run}%40b.example"),
                format!("{run}%40b%40c.example@d.example"),
                format!("{run}token=x"),
                format!("token{run}=x"),
                format!(" {run} 14155550100"),
            ] {
                agrees(&text).unwrap();
            }
        }
    }
}

fn plain(mask: &Mask, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        // Chinese and Japanese put no space before a number or a name in Latin letters.
        let is_inside = !ends_in_escape(&out)
            && out.chars().next_back().is_some_and(|last| {
                last.is_alphanumeric() && (last.is_ascii() || !first.is_ascii())
            });
        let found = if is_inside {
            None
        } else {
            let secret = || mask.secrets.then(|| secret(rest)).flatten();
            let email = || mask.emails.then(|| email(rest)).flatten();
            secret().or_else(email).or_else(|| digits(mask, rest))
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

fn digits(mask: &Mask, text: &str) -> Option<(String, usize)> {
    let is_part = |char: &char| char.is_ascii_digit() || " .-()+".contains(*char);
    let mut len = text.chars().take(MAX_PART).take_while(is_part).count();
    if let Some(at) = text.get(1..len)?.find('+') {
        len = at + 1; // The `+` begins another number.
    } else if len == MAX_PART {
        // Characters beyond the limit could belong to the last number.
        len = text.get(..len)?.rfind(' ').unwrap_or(len);
    }
    let run = text.get(..len)?.trim_end_matches(|char: char| !char.is_ascii_digit());
    if !run.starts_with(|char: char| char.is_ascii_digit() || char == '+') {
        return None;
    }
    let masked = number(mask, run).unwrap_or_else(|| {
        // Several numbers in a row are checked one by one.
        let numbers = run.split(' ').map(|part| number(mask, part).unwrap_or(part.to_owned()));
        numbers.collect::<Vec<_>>().join(" ")
    });
    // Skipped as a whole, so that the end of a number is not taken for a number of its own.
    (!run.is_empty()).then_some((masked, run.len()))
}

fn number(mask: &Mask, text: &str) -> Option<String> {
    let digits: Vec<_> = text.bytes().filter(u8::is_ascii_digit).collect();
    if mask.card_numbers && (13..=19).contains(&digits.len()) && is_card_number(&digits) {
        return Some(REDACTED.to_owned());
    }
    if mask.phone_numbers && (10..=15).contains(&digits.len()) {
        let plus = if text.starts_with('+') { "+" } else { "" };
        let first: String = digits.iter().take(3).map(|digit| char::from(*digit)).collect();
        return Some(format!("{plus}{first}***"));
    }
    None
}

/// Returns the replacement of `name=value` at the beginning, and its length in the text.
fn secret(text: &str) -> Option<(String, usize)> {
    let is_name = |char: char| char.is_ascii_alphanumeric() || "_-.[]".contains(char);
    // Limited to the length of a name. Otherwise a long text would be read again from each of its
    // words.
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

/// Returns the replacement of an e-mail address at the beginning, and its length in the text.
fn email(text: &str) -> Option<(String, usize)> {
    let is_local = |char: char| char.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(char);
    let is_domain = |char: char| char.is_alphanumeric() || ".-".contains(char);
    let local = text.chars().take(MAX_PART).take_while(|char| is_local(*char));
    let mut local = local.map(char::len_utf8).sum();
    // A form writes the sign as an escape, whose letters could belong to a name.
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
