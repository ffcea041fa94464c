//! Strict decoding: one spelling for each byte string, but for the case of hex digits.

use crate::outcome::redact::percent::nibble;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

/// Longest tag: SHA-512.
pub(crate) const MAX_TAG: usize = 64;

/// Longest signature by a private key: RSA with 8192 bits.
pub(crate) const MAX_SIGNATURE: usize = 1024;

const UNPADDED: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Base64 of a public key, which senders show padded or not.
#[cfg(feature = "asymmetric")]
pub(crate) const BASE64_KEY: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, UNPADDED);

/// Decodes the base64 of the operator's own secret into `out`, and returns its length or what is wrong
/// with the text.
///
/// Texts that people cut, or made of random letters, lack the padding or have bits to spare in the last
/// letter. Here nobody gains by a second spelling, as the sender of a signature would (T-33). A short
/// secret could as well have lost a letter, and has to be written to the bit.
pub(crate) fn decode_secret(text: &str, out: &mut [u8]) -> Result<usize, &'static str> {
    const LENIENT: GeneralPurpose =
        GeneralPurpose::new(&alphabet::STANDARD, UNPADDED.with_decode_allow_trailing_bits(true));
    const SHORTEST: usize = 16;
    if let Ok(len) = general_purpose::STANDARD.decode_slice(text, out) {
        return Ok(len);
    }
    let len = LENIENT.decode_slice(text, out).map_err(|_| base64_flaw(text))?;
    if len < SHORTEST {
        return Err("its padding or its last letters are missing, and it is too short to go \
                    without them");
    }
    Ok(len)
}

/// Says what is wrong with a text that is not base64, for whoever pasted it.
pub(crate) fn base64_flaw(text: &str) -> &'static str {
    let data = text.trim_end_matches('=');
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if let Some(flaw) = flaw(text) {
        flaw
    } else if data.contains(['-', '_']) {
        "it has `-` or `_`, which the URL-safe alphabet has in place of `+` and `/`"
    } else if data.contains('=') {
        "it has `=` before its end"
    } else if !data.bytes().all(is_letter) {
        "it has a character that base64 does not have"
    } else if data.len() % 4 == 1 {
        "a letter is missing or too many"
    } else {
        "paste it as the provider shows it"
    }
}

/// Says what is wrong with a text that is not hexadecimal, for whoever pasted it.
pub(crate) fn hex_flaw(text: &str) -> &'static str {
    if let Some(flaw) = flaw(text) {
        flaw
    } else if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "it has a character that is no hexadecimal digit"
    } else if text.len() % 2 == 1 {
        "a digit is missing or too many"
    } else {
        "paste it as the provider shows it"
    }
}

/// Says what a text that cannot be decoded begins with, and the way out.
const BEGINNINGS: [(&str, &str); 14] = [
    (
        "-----BEGIN",
        "it is a PEM block (`-----BEGIN`); `PublicKey::from_pem` reads that of a public key",
    ),
    ("v1,whsec_", "it begins with `v1,`; paste what follows, `whsec_…`"),
    ("v1,", "it begins with `v1,`; leave that out"),
    (
        "whsec_",
        "it begins with `whsec_`, as a secret of Standard Webhooks does: `Secret::from_whsec` reads it",
    ),
    ("whpk_", "it begins with `whpk_`, as a public key does: `PublicKey::from_whpk` reads it"),
    (
        "whsk_",
        "it begins with `whsk_`, as the sender's private key does; use the public one, `whpk_…`",
    ),
    ("sk_", "it begins with `sk_`, as an API key does; use the endpoint's signing secret"),
    ("pk_", "it begins with `pk_`, as an API key does; use the endpoint's signing secret"),
    ("rk_", "it begins with `rk_`, as an API key does; use the endpoint's signing secret"),
    ("sha256=", "it begins with `sha256=`, as a signature does; use the secret"),
    ("base64:", "it begins with `base64:`; leave that out"),
    ("0x", "it begins with `0x`; leave that out"),
    ("\"", "there are quotation marks round it; leave them out"),
    ("'", "there are quotation marks round it; leave them out"),
];

fn flaw(text: &str) -> Option<&'static str> {
    let begins = |(beginning, _): &&(&str, &str)| text.trim_start().starts_with(beginning);
    if let Some((_, flaw)) = BEGINNINGS.iter().find(begins) {
        Some(flaw)
    } else if text.contains(['\n', '\r']) {
        Some("there is a line break in it; remove it")
    } else if text.contains(char::is_whitespace) {
        Some("there is white space in it; leave that out")
    } else if text.contains(['|', ',', ';']) {
        Some("there seem to be several in it; give each of them alone")
    } else {
        None
    }
}

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
