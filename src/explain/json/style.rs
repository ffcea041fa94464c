//! Spacing and escapes of the writers of JSON.

use std::{collections::BTreeSet, fmt};

use crate::explain::json::{Json, Token, units};

/// Maximum number of steps by which all lines together may be indented.
const MAX_STEPS: usize = 1 << 20;

/// A way to write JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    spacing: &'static Spacing,
    escapes: &'static Escapes,
    newline: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Spacing {
    comma: &'static str,
    colon: &'static str,
    /// End of a line.
    line: &'static str,
    /// A step of indentation.
    step: &'static str,
    words: &'static str,
}

/// The characters that a writer escapes. Each stands for its [`class`].
#[derive(Debug, PartialEq, Eq)]
struct Escapes {
    /// Those with lower-case letters in the escape, or without letters.
    lower: &'static str,
    /// Those with upper-case letters in the escape.
    upper: &'static str,
    words: &'static str,
}

/// Class of a control character whose escape has a letter.
const CONTROL: char = '\u{1f}';

/// Class of half a surrogate pair.
const LONE: char = '\u{fffd}';

const COMPACT: &Spacing = &Spacing::new(",", ":", "", "", "without white space");
const SPACED: &Spacing = &Spacing::new(", ", ": ", "", "", "with a space after `,` and `:`");
const COLON: &Spacing = &Spacing::new(",", ": ", "", "", "with a space after `:`");
const INDENT_2: &Spacing = &Spacing::new(",", ": ", "\n", "  ", "indented by 2 spaces");
const INDENT_4: &Spacing = &Spacing::new(",", ": ", "\n", "    ", "indented by 4 spaces");
const TAB: &Spacing = &Spacing::new(",", ": ", "\n", "\t", "indented by a tab");
const CRLF_2: &Spacing =
    &Spacing::new(",", ": ", "\r\n", "  ", "indented by 2 spaces with CRLF line ends");
const CRLF_4: &Spacing =
    &Spacing::new(",", ": ", "\r\n", "    ", "indented by 4 spaces with CRLF line ends");

const SPACINGS: [&Spacing; 8] = [COMPACT, SPACED, COLON, INDENT_2, INDENT_4, TAB, CRLF_2, CRLF_4];

/// For a text without a character that writers treat differently.
const SAME: &Escapes = &Escapes::new("", "", "");
const RAW: &Escapes = &Escapes::new("", "", "with only the necessary escapes");
/// Python's `ensure_ascii`.
const ASCII: &Escapes =
    &Escapes::new("\u{7f}é’𝄞\u{2028}", "", r"non-ASCII as `\u00e9` in lower case");
/// PHP's `json_encode`.
const PHP: &Escapes =
    &Escapes::new("/é’𝄞\u{2028}", "", r"non-ASCII as `\u00e9` in lower case, `/` escaped");
/// PHP with `JSON_UNESCAPED_UNICODE`.
const PHP_RAW: &Escapes = &Escapes::new("/\u{2028}", "", "`/` escaped");
/// Meta, as [a receiver found out][1].
///
/// [1]: https://github.com/watson-developer-cloud/conversation-connector/blob/d865fc377d7115f945d0e8b8ec2c055f06923bc8/channels/facebook/receive/index.js
const META: &Escapes = &Escapes::new(
    "/@%é’𝄞\u{2028}",
    "<",
    r"non-ASCII as `\u00e9` in lower case, `/`, `<`, `@` and `%` escaped",
);
/// Go and Rails.
const HTML: &Escapes = &Escapes::new("<>&\u{2028}", "", r"`<`, `>` and `&` as `\u003c`");
/// Java's Gson.
const GSON: &Escapes =
    &Escapes::new("<>&='\u{2028}", "", r"`<`, `>`, `&`, `=` and `'` as `\u003c`");
/// .NET's `System.Text.Json`.
const DOT_NET: &Escapes = &Escapes::new(
    "&'\"`’\u{2028}",
    "<>+\u{7f}é𝄞\u{1f}\u{fffd}",
    "non-ASCII and `<>&'+\"` as `\\u00E9` in upper case",
);
/// Java's Jackson, if it writes bytes.
const JACKSON: &Escapes =
    &Escapes::new("", "𝄞\u{1f}\u{fffd}", r"emoji as `\uD83D\uDE00` in upper case");
/// Jackson with `ESCAPE_NON_ASCII`.
const JACKSON_ASCII: &Escapes =
    &Escapes::new("’\u{2028}", "é𝄞\u{1f}\u{fffd}", r"non-ASCII as `\u00E9` in upper case");
/// Go with `SetEscapeHTML(false)`.
const LINES: &Escapes = &Escapes::new("\u{2028}", "", "U+2028 and U+2029 escaped");

/// The writers, with the spacings that they can have.
const WRITERS: &[(&Escapes, &[&Spacing])] = &[
    (RAW, &SPACINGS),
    (ASCII, &[COMPACT, SPACED, COLON, INDENT_2, INDENT_4, TAB]),
    (PHP_RAW, &[COMPACT, INDENT_4]),
    (PHP, &[COMPACT, SPACED, COLON, INDENT_2, INDENT_4, TAB]),
    (JACKSON, &[COMPACT]),
    (HTML, &[COMPACT, INDENT_2, INDENT_4, TAB]),
    (DOT_NET, &[COMPACT, INDENT_2, CRLF_2]),
    (META, &[COMPACT]),
    (GSON, &[COMPACT, INDENT_2]),
    (JACKSON_ASCII, &[COMPACT, INDENT_2, INDENT_4]),
    (LINES, &[COMPACT, INDENT_2, INDENT_4, TAB]),
];

const LIKELIEST: &[(&Spacing, &Escapes, bool)] = &[
    (COMPACT, RAW, false),
    (COMPACT, ASCII, false),
    (SPACED, ASCII, false),
    (SPACED, RAW, false),
    (INDENT_2, RAW, false),
    (INDENT_4, RAW, false),
    (COMPACT, PHP, false),
    (COMPACT, HTML, false),
    (COMPACT, JACKSON, false),
    (COMPACT, DOT_NET, false),
    (COMPACT, META, false),
    (COMPACT, RAW, true),
    (COMPACT, HTML, true),
    (INDENT_2, RAW, true),
];

impl Json<'_> {
    /// Returns the styles in which the text can be written, likeliest first. No two of them write
    /// the same bytes.
    pub(crate) fn styles(&self) -> impl Iterator<Item = Style> + use<> {
        let others = [false, true].into_iter().flat_map(|newline| {
            let writers = WRITERS.iter();
            writers.flat_map(move |(escapes, spacings)| {
                spacings.iter().map(move |spacing| (*spacing, *escapes, newline))
            })
        });
        let has = |found: fn(&Token<'_>) -> bool| self.tokens.iter().any(found);
        let has_comma = has(|token| matches!(token, Token::Comma));
        let has_colon = has(|token| matches!(token, Token::Colon));
        let has_line = self.tokens.len() > 1;
        let is_same = |first: &Spacing, other: &Spacing| {
            (!has_comma || first.comma == other.comma)
                && (!has_colon || first.colon == other.colon)
                && (!has_line || (first.line, first.step) == (other.line, other.step))
        };
        let classes = self.classes();
        let mut styles: Vec<Style> = Vec::new();
        for (spacing, escapes, newline) in LIKELIEST.iter().copied().chain(others) {
            let spacing = SPACINGS.iter().find(|first| is_same(first, spacing)).unwrap_or(&spacing);
            let style = Style { spacing, escapes: escapes.first(&classes), newline };
            let is_long = self.steps > MAX_STEPS && !spacing.line.is_empty();
            if !is_long && !styles.contains(&style) {
                styles.push(style);
            }
        }
        styles.into_iter()
    }

    /// Writes the text in a style.
    pub(crate) fn write(&self, style: Style) -> Vec<u8> {
        let Spacing { comma, colon, line, step, .. } = *style.spacing;
        let mut out = String::new();
        let mut depth = 0_usize;
        for token in &self.tokens {
            match *token {
                Token::Open(byte) => {
                    out.push(char::from(byte));
                    depth += 1;
                }
                Token::Close(byte) => {
                    depth = depth.saturating_sub(1);
                    write_line(&mut out, line, step, depth);
                    out.push(char::from(byte));
                }
                Token::Comma => out.push_str(comma),
                Token::Colon => out.push_str(colon),
                Token::Same(text) => out.push_str(text),
                Token::String(content) => write_string(&mut out, content, style.escapes),
            }
            if matches!(token, Token::Open(_) | Token::Comma) {
                write_line(&mut out, line, step, depth);
            }
        }
        if style.newline {
            out.push_str(if line.is_empty() { "\n" } else { line });
        }
        out.into_bytes()
    }

    /// Returns the classes of characters in the text that writers treat differently.
    fn classes(&self) -> BTreeSet<char> {
        let strings = self.tokens.iter().filter_map(|token| match token {
            Token::String(content) => Some(*content),
            _ => None,
        });
        let mut classes: BTreeSet<char> = strings.flat_map(units).filter_map(class).collect();
        classes.retain(|class| {
            WRITERS.iter().any(|(other, _)| other.case(*class) != RAW.case(*class))
        });
        classes
    }
}

impl Spacing {
    const fn new(
        comma: &'static str,
        colon: &'static str,
        line: &'static str,
        step: &'static str,
        words: &'static str,
    ) -> Self {
        Self { comma, colon, line, step, words }
    }
}

impl Escapes {
    const fn new(lower: &'static str, upper: &'static str, words: &'static str) -> Self {
        Self { lower, upper, words }
    }

    /// Returns the first escapes that write the same bytes for characters of these classes.
    fn first(&'static self, classes: &BTreeSet<char>) -> &'static Self {
        if classes.is_empty() {
            return SAME;
        }
        let mut all = WRITERS.iter().map(|(escapes, _)| *escapes);
        all.find(|first| classes.iter().all(|class| first.case(*class) == self.case(*class)))
            .unwrap_or(self)
    }

    /// Returns how the characters of a class are escaped: `Some(true)` in upper case, `Some(false)`
    /// in lower case, `None` if they are not.
    fn case(&self, class: char) -> Option<bool> {
        let is_upper = self.upper.contains(class);
        let is_escaped = is_upper || matches!(class, CONTROL | LONE) || self.lower.contains(class);
        is_escaped.then_some(is_upper)
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spacing.words)?;
        if !self.escapes.words.is_empty() {
            write!(f, ", {}", self.escapes.words)?;
        }
        f.write_str(if self.newline { ", with a final newline" } else { "" })
    }
}

fn write_line(out: &mut String, line: &str, step: &str, depth: usize) {
    out.push_str(line);
    out.extend(std::iter::repeat_n(step, depth));
}

fn write_string(out: &mut String, content: &str, escapes: &Escapes) {
    out.push('"');
    for unit in units(content) {
        let case = class(unit).and_then(|class| escapes.case(class));
        let short = match (unit, case) {
            (0x08, _) => r"\b",
            (0x09, _) => r"\t",
            (0x0a, _) => r"\n",
            (0x0c, _) => r"\f",
            (0x0d, _) => r"\r",
            (0x22, None) => r#"\""#,
            (0x2f, Some(_)) => r"\/",
            (0x5c, _) => r"\\",
            _ => "",
        };
        out.push_str(short);
        let is_upper = case == Some(true);
        match char::from_u32(unit) {
            _ if !short.is_empty() => {}
            Some(char) if case.is_none() && unit >= 0x20 => out.push(char),
            Some(char) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write_escape(out, u32::from(*unit), is_upper);
                }
            }
            None => write_escape(out, unit, is_upper),
        }
    }
    out.push('"');
}

fn write_escape(out: &mut String, unit: u32, is_upper: bool) {
    out.push_str(r"\u");
    for shift in [12, 8, 4, 0] {
        let digit = char::from_digit((unit >> shift) & 0xf, 16).unwrap_or_default();
        out.push(if is_upper { digit.to_ascii_uppercase() } else { digit });
    }
}

/// Returns the character that stands for all that writers treat like this one. Returns `None` if
/// all writers write it the same.
fn class(unit: u32) -> Option<char> {
    let has_letter = || [12, 8, 4, 0].iter().any(|shift| (unit >> shift) & 0xf > 9);
    match unit {
        0x08 | 0x09 | 0x0a | 0x0c | 0x0d => None,
        ..0x20 => has_letter().then_some(CONTROL),
        0x20..0x80 => char::from_u32(unit).filter(|char| !char.is_ascii_alphanumeric()),
        0x2028 | 0x2029 => Some('\u{2028}'),
        0xd800..0xe000 => Some(LONE),
        0x1_0000.. => Some('𝄞'),
        _ => Some(if has_letter() { 'é' } else { '’' }),
    }
}
