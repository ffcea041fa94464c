//! Form-encoded text, decoded by the WHATWG URL standard: `+` is a space, `%41` is a byte, and text
//! that is not a valid escape is kept unchanged.
//!
//! The splitter is ours: `form_urlencoded` replaces bytes that are not UTF-8, so different forms
//! would have the same signed content.

use crate::outcome::{kind::RejectionKind, redact::percent::decode_until};

/// Maximum number of parameters, more than any provider sends.
const MAX_PARAMETERS: usize = 4096;

/// Decoded names and values, all in one buffer.
#[derive(Debug)]
pub(crate) struct Form {
    text: Vec<u8>,
    /// The start of each name, the start of its value, and the end of the value.
    parameters: Vec<[usize; 3]>,
}

impl Form {
    /// Parses a form. Returns `None` if there are too many parameters.
    ///
    /// Blank values are kept, and a name without `=` has a blank value.
    pub(crate) fn parse(encoded: &[u8]) -> Option<Self> {
        let mut form = Self {
            text: Vec::with_capacity(encoded.len()),
            // Parameters are seldom shorter than 16 bytes, so the list seldom grows.
            parameters: Vec::with_capacity((encoded.len() / 16 + 1).min(MAX_PARAMETERS)),
        };
        let mut rest = encoded;
        while let [first, after @ ..] = rest {
            if *first == b'&' {
                rest = after;
                continue;
            }
            if form.parameters.len() == MAX_PARAMETERS {
                return None;
            }
            let start = form.text.len();
            rest = decode_until(rest, |byte| matches!(byte, b'&' | b'='), &mut form.text);
            let middle = form.text.len();
            if let [b'=', value @ ..] = rest {
                rest = decode_until(value, |byte| byte == b'&', &mut form.text);
            }
            form.parameters.push([start, middle, form.text.len()]);
        }
        Some(form)
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
        let pair = |&[start, middle, end]: &[usize; 3]| {
            (&self.text[start..middle], &self.text[middle..end])
        };
        self.parameters.sort_unstable_by(|a, b| pair(a).cmp(&pair(b)));
        self.parameters.dedup_by(|a, b| pair(a) == pair(b));
    }

    /// Returns the decoded names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.parameters
            .iter()
            .map(|&[start, middle, end]| (&self.text[start..middle], &self.text[middle..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
