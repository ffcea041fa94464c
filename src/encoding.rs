//! Strict decoding: one spelling for each byte string, but for the case of hex digits.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

/// Longest tag: SHA-512.
pub(crate) const MAX_TAG: usize = 64;

/// Longest signature by a private key: RSA with 8192 bits.
#[cfg(feature = "asymmetric")]
pub(crate) const MAX_SIGNATURE: usize = 1024;

/// Base64 of a secret, which senders show padded or not.
pub(crate) const BASE64_KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// Standard base64 with padding, canonical.
    Base64,
    /// Base64 in the URL-safe alphabet without padding, canonical.
    Base64Url,
    /// Hexadecimal, in either case.
    Hex,
}

impl Encoding {
    /// The canonical text, lower-case where there is a choice.
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Base64 => general_purpose::STANDARD.encode(bytes),
            Self::Base64Url => general_purpose::URL_SAFE_NO_PAD.encode(bytes),
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Decodes a signature of exactly `out.len()` bytes. Another length, another alphabet, white
    /// space, a sign, missing padding or stray trailing bits give `None`: a lenient decoder gives
    /// one signature many spellings (T-33).
    pub(crate) fn decode(self, text: &[u8], out: &mut [u8]) -> Option<()> {
        let engine = match self {
            Self::Hex => return decode_hex(text, out),
            Self::Base64 => &general_purpose::STANDARD,
            Self::Base64Url => &general_purpose::URL_SAFE_NO_PAD,
        };
        let mut buffer = [0; MAX_TAG + 2];
        // The text's length is checked first, so that nothing long is decoded.
        if text.len() > MAX_TAG.div_ceil(3) * 4 {
            return None;
        }
        let len = engine.decode_slice(text, &mut buffer).ok()?;
        if len != out.len() {
            return None;
        }
        out.copy_from_slice(&buffer[..len]);
        Some(())
    }

    /// Decodes a signature of one to `max` bytes, as strictly, for algorithms whose signatures
    /// have no one length.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn decode_up_to<'a>(
        self,
        max: usize,
        text: &[u8],
        buffer: &'a mut [u8; MAX_SIGNATURE + 2],
    ) -> Option<&'a [u8]> {
        let engine = match self {
            Self::Hex => {
                let out = buffer[..max].get_mut(..text.len() / 2).filter(|out| !out.is_empty())?;
                decode_hex(text, out)?;
                return Some(out);
            }
            Self::Base64 => &general_purpose::STANDARD,
            Self::Base64Url => &general_purpose::URL_SAFE_NO_PAD,
        };
        if text.len() > max.div_ceil(3) * 4 {
            return None;
        }
        let len = engine.decode_slice(text, buffer).ok()?;
        if (1..=max).contains(&len) { Some(&buffer[..len]) } else { None }
    }
}

pub(crate) fn decode_hex(text: &[u8], out: &mut [u8]) -> Option<()> {
    if text.len() != out.len() * 2 {
        return None;
    }
    let mut seen = 0;
    for (byte, [high, low]) in out.iter_mut().zip(text.as_chunks().0) {
        let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen <= 0xf).then_some(())
}

/// The value of each hex digit, and [`u8::MAX`] for every other byte.
const NIBBLES: [u8; 256] = {
    let mut table = [u8::MAX; 256];
    let mut byte = 0u8;
    while byte < u8::MAX {
        if let Some(value) = nibble(byte) {
            table[byte as usize] = value;
        }
        byte += 1;
    }
    table
};

pub(crate) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
