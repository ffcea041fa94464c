//! Strict decoding. Each byte string has one spelling, apart from the case of hexadecimal digits.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

/// Length of the longest tag, in bytes: SHA-512.
pub(crate) const MAX_TAG: usize = 64;

/// Length of the longest signature by a private key, in bytes: RSA with 8192 bits.
pub(crate) const MAX_SIGNATURE: usize = 1024;

const UNPADDED: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Base64 of a public key, which providers show with or without padding.
#[cfg(feature = "asymmetric")]
pub(crate) const BASE64_KEY: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, UNPADDED);

/// Base64 of a number of a JSON Web Key. RFC 7518 has no padding there, and some senders have it.
#[cfg(feature = "fetched-keys")]
pub(crate) const BASE64URL_KEY: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, UNPADDED);

/// Decodes the base64 of the user's own secret into `out`. Returns its length, or the problem with
/// the string.
///
/// A string that was cut, or made of random characters, lacks the padding or has unused bits in its
/// last character. It is accepted: a second spelling of the user's own secret helps no attacker,
/// whereas a second spelling of a signature would. A short secret could also have lost a character,
/// and has to be complete to the bit.
pub(crate) fn decode_secret(text: &str, out: &mut [u8]) -> Result<usize, &'static str> {
    const LENIENT: GeneralPurpose =
        GeneralPurpose::new(&alphabet::STANDARD, UNPADDED.with_decode_allow_trailing_bits(true));
    const SHORTEST: usize = 16;
    if let Ok(len) = general_purpose::STANDARD.decode_slice(text, out) {
        return Ok(len);
    }
    let len = LENIENT.decode_slice(text, out).map_err(|_| base64_flaw(text))?;
    if len < SHORTEST {
        return Err("its padding or last characters are missing; a short secret needs them");
    }
    Ok(len)
}

/// Describes the problem with a string that is not base64, for the person who pasted it.
pub(crate) fn base64_flaw(text: &str) -> &'static str {
    let data = text.trim_end_matches('=');
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if let Some(flaw) = flaw(text) {
        flaw
    } else if data.contains(['-', '_']) {
        "it contains `-` or `_` of the URL-safe alphabet; expected `+` and `/`"
    } else if data.contains('=') {
        "it contains `=` before its end"
    } else if !data.bytes().all(is_letter) {
        "it contains a character that is not base64"
    } else if data.len() % 4 == 1 {
        "it has one character too few or too many"
    } else {
        "paste it as the provider shows it"
    }
}

/// Describes the problem with a string that is not hexadecimal, for the person who pasted it.
pub(crate) fn hex_flaw(text: &str) -> &'static str {
    if let Some(flaw) = flaw(text) {
        flaw
    } else if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "it contains a character that is not a hexadecimal digit"
    } else if text.len() % 2 == 1 {
        "it has one digit too few or too many"
    } else {
        "paste it as the provider shows it"
    }
}

/// Beginnings of strings that cannot be decoded, each with the problem and its fix.
const BEGINNINGS: [(&str, &str); 14] = [
    ("-----BEGIN", "it is a PEM block (`-----BEGIN`); use `PublicKey::from_pem` for a public key"),
    ("v1,whsec_", "it begins with `v1,`; use only the text after it, `whsec_…`"),
    ("v1,", "it begins with `v1,`; remove that prefix"),
    (
        "whsec_",
        "it begins with `whsec_` like a secret of Standard Webhooks; use `Secret::from_whsec`",
    ),
    ("whpk_", "it begins with `whpk_` like a public key; use `PublicKey::from_whpk`"),
    ("whsk_", "it begins with `whsk_` like the sender's private key; use the public key, `whpk_…`"),
    ("sk_", "it begins with `sk_` like an API key; use the endpoint's signing secret"),
    ("pk_", "it begins with `pk_` like an API key; use the endpoint's signing secret"),
    ("rk_", "it begins with `rk_` like an API key; use the endpoint's signing secret"),
    ("sha256=", "it begins with `sha256=` like a signature; use the secret"),
    ("base64:", "it begins with `base64:`; remove that prefix"),
    ("0x", "it begins with `0x`; remove that prefix"),
    ("\"", "it begins with a quotation mark; remove the quotation marks"),
    ("'", "it begins with a quotation mark; remove the quotation marks"),
];

fn flaw(text: &str) -> Option<&'static str> {
    let begins = |(beginning, _): &&(&str, &str)| text.trim_start().starts_with(beginning);
    if let Some((_, flaw)) = BEGINNINGS.iter().find(begins) {
        Some(flaw)
    } else if text.contains(['\n', '\r']) {
        Some("it contains a line break; remove it")
    } else if text.contains(char::is_whitespace) {
        Some("it contains white space; remove it")
    } else if text.contains(['|', ',', ';']) {
        Some("it seems to contain several values; pass each of them separately")
    } else {
        None
    }
}

/// Encoding of a signature.
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
    /// Returns the canonical text, in lower case if there is a choice.
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Base64 => general_purpose::STANDARD.encode(bytes),
            Self::Base64Url => general_purpose::URL_SAFE_NO_PAD.encode(bytes),
            Self::Hex => base16ct::lower::encode_string(bytes),
        }
    }

    /// Decodes a signature of exactly `out.len()` bytes.
    ///
    /// Another length, another alphabet, whitespace, a sign, missing padding or stray trailing bits
    /// give `None`: a lenient decoder gives one signature many spellings.
    pub(crate) fn decode(self, text: &[u8], out: &mut [u8]) -> Option<()> {
        let engine = match self {
            Self::Hex => return decode_hex(text, out),
            Self::Base64 => &general_purpose::STANDARD,
            Self::Base64Url => &general_purpose::URL_SAFE_NO_PAD,
        };
        let mut buffer = [0; MAX_TAG + 2];
        // The length of the text is checked first, so that no long text is decoded.
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

    /// Decodes a signature of one to `max` bytes equally strictly, for algorithms whose signatures
    /// vary in length.
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

/// Decodes hexadecimal digits of exactly `out.len()` bytes, in constant time.
pub(crate) fn decode_hex(text: &[u8], out: &mut [u8]) -> Option<()> {
    (text.len() == out.len() * 2).then(|| base16ct::mixed::decode(text, out).ok())?.map(|_| ())
}
