//! Percent-encoding of URLs and forms.

/// Decodes percent-encoded text with `+` for a space. An invalid escape is copied unchanged.
pub(crate) fn decode(encoded: &[u8], out: &mut Vec<u8>) {
    decode_until(encoded, |_| false, out);
}

/// Decodes up to the first byte that `is_end` accepts, and returns the rest from that byte on.
pub(crate) fn decode_until<'a>(
    encoded: &'a [u8],
    is_end: impl Fn(u8) -> bool,
    out: &mut Vec<u8>,
) -> &'a [u8] {
    let mut rest = encoded;
    loop {
        // Copy all bytes before the next escape in one step.
        let plain = rest.iter().position(|byte| matches!(byte, b'+' | b'%') || is_end(*byte));
        let (plain, escape) = rest.split_at(plain.unwrap_or(rest.len()));
        out.extend_from_slice(plain);
        let (byte, len) = match escape {
            [b'+', ..] => (b' ', 1),
            [b'%', high, low, ..] => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            [b'%', ..] => (b'%', 1),
            _ => return escape,
        };
        out.push(byte);
        rest = &escape[len..];
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
