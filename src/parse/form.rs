//! Form-encoded text, decoded by the WHATWG URL standard: `+` is a space, `%41` is a byte, and text
//! that is not a valid escape is kept unchanged.
//!
//! The splitter is ours: `form_urlencoded` replaces bytes that are not UTF-8, so different forms
//! would have the same signed content.

use std::mem;

use crate::outcome::{kind::RejectionKind, redact::percent::escape};

/// Maximum number of parameters, more than any provider sends.
const MAX_PARAMETERS: usize = 4096;

/// Names and values of a form. Only those with escapes are decoded, all into one buffer.
#[derive(Debug)]
pub(crate) struct Form<'a> {
    encoded: &'a [u8],
    decoded: Vec<u8>,
    parameters: Vec<Parameter>,
}

#[derive(Debug)]
struct Parameter {
    /// First eight bytes of the name as a number. Most names differ in them, and numbers are compared
    /// at once.
    start_of_name: u64,
    name: Place,
    value: Place,
}

/// Place of a text: in the encoded bytes or, counted from their end, in the decoded ones.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
}

impl<'a> Form<'a> {
    /// Parses a form. Returns `None` if there are too many parameters, or more than 1 GiB of text.
    ///
    /// Blank values are kept, and a name without `=` has a blank value.
    pub(crate) fn parse(encoded: &'a [u8]) -> Option<Self> {
        if encoded.len() > 1 << 30 {
            return None;
        }
        // Parameters are seldom shorter than 16 bytes, so the list seldom grows.
        let parameters = Vec::with_capacity((encoded.len() / 16 + 1).min(MAX_PARAMETERS));
        let mut form = Self { encoded, decoded: Vec::new(), parameters };
        let mut start = 0;
        let mut name = None;
        let mut piece = Piece::at(start);
        let mut visit = |at: usize| {
            match encoded.get(at) {
                Some(b'%' | b'+') => form.escape(&mut piece, at),
                // Further equals signs are part of the value.
                Some(b'=') if name.is_some() => {}
                Some(b'=') => {
                    name = Some(form.end(&piece, at));
                    piece = Piece::at(at + 1);
                }
                _ => {
                    if at > start {
                        let text = form.end(&piece, at);
                        let blank = Place { start: text.end, ..text };
                        let (name, value) = name.take().map_or((text, blank), |it| (it, text));
                        form.push(name, value)?;
                    }
                    start = at + 1;
                    piece = Piece::at(start);
                }
            }
            Some(())
        };
        each_special(encoded, &mut visit)?;
        visit(encoded.len())?;
        Some(form)
    }

    /// Decodes a piece up to its escape at this position, and the escape.
    fn escape(&mut self, piece: &mut Piece, at: usize) {
        let Self { encoded, decoded, .. } = self;
        if decoded.capacity() == 0 {
            // Decoding does not lengthen a text.
            decoded.reserve_exact(encoded.len() - piece.start);
        }
        piece.decoded.get_or_insert(decoded.len());
        decoded.extend_from_slice(&encoded[piece.start..at]);
        let (byte, len) = escape(&encoded[at..]);
        decoded.push(byte);
        piece.start = at + len;
    }

    /// Ends a piece, and returns its place.
    fn end(&mut self, piece: &Piece, end: usize) -> Place {
        let Self { encoded, decoded, .. } = self;
        let place = match piece.decoded {
            Some(start) => {
                decoded.extend_from_slice(&encoded[piece.start..end]);
                [encoded.len() + start, encoded.len() + decoded.len()]
            }
            None => [piece.start, end],
        };
        // The form is short enough for both of its texts.
        let [start, end] = place.map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        Place { start, end }
    }

    /// Adds a parameter. Returns `None` if there are too many.
    fn push(&mut self, name: Place, value: Place) -> Option<()> {
        let start_of_name = start(self.text(name));
        self.parameters.push(Parameter { start_of_name, name, value });
        (self.parameters.len() <= MAX_PARAMETERS).then_some(())
    }

    fn text(&self, place: Place) -> &[u8] {
        let [start, end] = [place.start, place.end].map(|at| at as usize);
        let encoded = self.encoded.len();
        let text = match start.checked_sub(encoded) {
            Some(start) => self.decoded.get(start..end - encoded),
            None => self.encoded.get(start..end),
        };
        text.unwrap_or_default()
    }

    /// Returns the value of the first parameter with this name.
    pub(crate) fn first(&self, name: &str) -> Option<&[u8]> {
        let mut parameters = self.iter();
        parameters.find(|(n, _)| *n == name.as_bytes()).map(|(_, value)| value)
    }

    /// Returns the value of the parameter with this name, which must occur exactly once and not be
    /// blank.
    ///
    /// The handler may take either one of two values.
    pub(crate) fn only(&self, name: &str) -> Result<&[u8], RejectionKind> {
        let mut values = self.iter().filter(|(n, _)| *n == name.as_bytes());
        match (values.next(), values.next()) {
            (Some((_, value)), None) if !value.is_empty() => Ok(value),
            (_, None) => Err(RejectionKind::Missing),
            (_, Some(_)) => Err(RejectionKind::Repeated),
        }
    }

    /// Sorts the parameters by the bytes of name and value, and removes repeated pairs.
    pub(crate) fn sort_and_dedup(&mut self) {
        self.sort();
        let mut parameters = mem::take(&mut self.parameters);
        let pair = |it: &Parameter| (self.text(it.name), self.text(it.value));
        parameters.dedup_by(|a, b| a.start_of_name == b.start_of_name && pair(a) == pair(b));
        self.parameters = parameters;
    }

    /// Sorts the parameters by the bytes of name and value.
    pub(crate) fn sort(&mut self) {
        let mut parameters = mem::take(&mut self.parameters);
        let pair = |it: &Parameter| (self.text(it.name), self.text(it.value));
        parameters.sort_unstable_by(|a, b| {
            a.start_of_name.cmp(&b.start_of_name).then_with(|| pair(a).cmp(&pair(b)))
        });
        self.parameters = parameters;
    }

    /// Returns the names and values in their order, without delimiters.
    pub(crate) fn joined(&self) -> Vec<u8> {
        let mut joined = Vec::with_capacity(self.encoded.len());
        for (name, value) in self.iter() {
            joined.extend_from_slice(name);
            joined.extend_from_slice(value);
        }
        joined
    }

    /// Returns the decoded names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.parameters.iter().map(|it| (self.text(it.name), self.text(it.value)))
    }
}

/// A name or value that is being read.
struct Piece {
    /// Start of the text that has not been decoded.
    start: usize,
    /// Start of the decoded text, if the piece has an escape.
    decoded: Option<usize>,
}

impl Piece {
    const fn at(start: usize) -> Self {
        Self { start, decoded: None }
    }
}

/// Calls `visit` with the position of each byte that is not plain text.
///
/// The compiler compares a vector of bytes at once, and a word shows eight results: a loop over the
/// bytes of each name and value takes longer, because the processor cannot predict its end.
fn each_special(text: &[u8], mut visit: impl FnMut(usize) -> Option<()>) -> Option<()> {
    const BLOCK: usize = 64;
    for (block, bytes) in text.chunks(BLOCK).enumerate() {
        let mut marks = [0; BLOCK];
        for (mark, byte) in marks.iter_mut().zip(bytes) {
            *mark = u8::from(matches!(byte, b'&' | b'=' | b'%' | b'+'));
        }
        for (word, marks) in marks.as_chunks().0.iter().enumerate() {
            let mut marks = u64::from_le_bytes(*marks);
            while marks != 0 {
                visit(block * BLOCK + word * 8 + marks.trailing_zeros() as usize / 8)?;
                marks &= marks - 1;
            }
        }
    }
    Some(())
}

/// Returns the first eight bytes of a text as a number, in the order of the texts: a text that ends
/// sooner is filled up with the lowest byte.
fn start(text: &[u8]) -> u64 {
    let start = match text.first_chunk() {
        Some(start) => *start,
        None => {
            let mut start = [0; 8];
            start[..text.len()].copy_from_slice(text);
            start
        }
    };
    u64::from_be_bytes(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::redact::percent::decode;

    #[test]
    fn decodes_as_the_url_standard_does() {
        for (encoded, expected) in [
            ("", vec![]),
            ("a=1&b=2", vec![("a", "1"), ("b", "2")]),
            ("a&b=&=c&&", vec![("a", ""), ("b", ""), ("", "c")]),
            ("a=1=2", vec![("a", "1=2")]),
            ("a+b=c%20d%2B", vec![("a b", "c d+")]),
            ("a=%00%zz%4&b=%", vec![("a", "\0%zz%4"), ("b", "%")]),
            ("%61=%C3%A9", vec![("a", "é")]),
        ] {
            let form = Form::parse(encoded.as_bytes()).unwrap();
            let found: Vec<_> = form.iter().collect();
            let expected: Vec<_> =
                expected.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            assert_eq!(found, expected, "{encoded}");
        }
    }

    #[test]
    fn a_flood_of_parameters_is_refused() {
        assert!(Form::parse("a&".repeat(MAX_PARAMETERS).as_bytes()).is_some());
        assert!(Form::parse("a&".repeat(MAX_PARAMETERS + 1).as_bytes()).is_none());
        assert!(Form::parse("&".repeat(1 << 20).as_bytes()).is_some());
    }

    /// The order and the pairs of a form do not depend on where its texts lie: decoded or not, at the
    /// edge of a block, or with names that begin alike.
    #[test]
    fn pairs_are_those_of_a_simple_parser() {
        let pieces = ["a", "=", "&", "%41", "+", "%", "longer-name", "longer-n%61me", "%2", "\0"];
        for seed in 0..2_000_usize {
            let mut text = "x".repeat(seed % 70);
            let mut state = seed;
            for _ in 0..seed % 23 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[(state >> 33) % pieces.len()]);
            }
            let decoded = |text: &str| {
                let mut out = Vec::new();
                decode(text.as_bytes(), &mut out);
                out
            };
            let pairs = text.split('&').filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let mut expected: Vec<_> =
                pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
            let mut form = Form::parse(text.as_bytes()).unwrap();
            let found = |form: &Form<'_>| -> Vec<_> {
                form.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
            };
            assert_eq!(found(&form), expected, "{text}");
            form.sort_and_dedup();
            expected.sort();
            expected.dedup();
            assert_eq!(found(&form), expected, "{text}");
            let joined: Vec<u8> = expected.into_iter().flat_map(|(n, v)| [n, v].concat()).collect();
            assert_eq!(form.joined(), joined, "{text}");
        }
    }
}
