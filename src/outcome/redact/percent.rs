//! Percent-encoding of URLs and forms.

/// Decodes percent-encoded text with `+` for a space. An invalid escape is copied unchanged.
pub(crate) fn decode(encoded: &[u8], out: &mut Vec<u8>) {
    let mut rest = encoded;
    while let Some(plain) = rest.iter().position(|byte| matches!(byte, b'%' | b'+')) {
        // All bytes before the escape are copied in one step.
        let (plain, at_escape) = rest.split_at(plain);
        out.extend_from_slice(plain);
        let (byte, len) = escape(at_escape);
        out.push(byte);
        rest = &at_escape[len..];
    }
    out.extend_from_slice(rest);
}

/// Returns the byte of the escape with which this text begins, and the escape's length.
pub(crate) fn escape(text: &[u8]) -> (u8, usize) {
    match text {
        [b'+', ..] => (b' ', 1),
        [b'%', high, low, ..] => match (nibble(*high), nibble(*low)) {
            (Some(high), Some(low)) => (high << 4 | low, 3),
            _ => (b'%', 1),
        },
        _ => (b'%', 1),
    }
}

/// Returns the value of a hex digit.
pub(crate) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
