//! The public key of a provider with an asymmetric scheme.

use std::{fmt, str::FromStr, sync::Arc};

use aws_lc_rs::{
    digest::{Digest, SHA256},
    encoding::{AsDer, PublicKeyX509Der},
    rsa::PublicEncryptingKey,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::Engine as _;
use sha1::{Digest as _, Sha1};

use crate::{
    crypto::{
        mac::Algorithm,
        message::Message,
        pem::{pem, pem_flaw},
    },
    error::ConfigError,
    parse::encoding,
};

/// A provider's public key: Ed25519, ECDSA over P-256 or P-521, or RSA of 2048 to 8192 bits.
///
/// A key includes its algorithm, and [`Scheme::verifier`] rejects a key of another algorithm. A
/// public key is not a [`Secret`](crate::Secret), and neither type is accepted instead of the
/// other: if a public key could serve as the secret of an HMAC, anyone could sign with it.
///
/// ```
/// use tower_webhook::PublicKey;
///
/// let key = PublicKey::from_whpk("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=")?;
/// assert!(PublicKey::from_hex("00").is_err());
/// # let _ = key;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// [`Scheme::verifier`]: crate::Scheme::verifier
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// Conversion into the public keys of a verifier: one key, or several in an array or a `Vec`, the
/// current one first.
///
/// Parse a string first, as in `text.parse::<PublicKey>()?`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be converted into public keys",
    note = "pass a `PublicKey`, or an array or a `Vec` of them; parse a string: `text.parse::<PublicKey>()?`"
)]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub trait IntoPublicKeys {
    /// Returns the keys.
    fn into_public_keys(self) -> Vec<PublicKey>;
}

impl IntoPublicKeys for PublicKey {
    fn into_public_keys(self) -> Vec<PublicKey> {
        vec![self]
    }
}

impl<const N: usize> IntoPublicKeys for [PublicKey; N] {
    fn into_public_keys(self) -> Vec<PublicKey> {
        self.into()
    }
}

impl IntoPublicKeys for Vec<PublicKey> {
    fn into_public_keys(self) -> Vec<PublicKey> {
        self
    }
}

/// The bytes before the key itself in a SubjectPublicKeyInfo: RFC 8410, and RFC 5480 with an
/// uncompressed point.
pub(crate) const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
pub(crate) const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 3, 1, 7, 3, 0x42, 0,
];
pub(crate) const P521_SPKI: [u8; 25] = [
    0x30, 0x81, 0x9b, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0,
    0x23, 3, 0x81, 0x86, 0,
];

impl PublicKey {
    /// Parses an Ed25519 key of 32 bytes from hexadecimal, as Discord shows it.
    ///
    /// # Errors
    ///
    /// Returns an error if the string is not 64 hexadecimal digits, or if anyone can sign for the
    /// key.
    pub fn from_hex(text: &str) -> Result<Self, ConfigError> {
        let mut bytes = [0; 32];
        encoding::decode_hex(text.as_bytes(), &mut bytes).ok_or_else(|| invalid(hex_flaw(text)))?;
        Self::ed25519(&bytes)
    }

    /// Parses an Ed25519 key of 32 bytes from base64, as Telnyx shows it.
    ///
    /// # Errors
    ///
    /// Returns an error if the string is not canonical base64 of 32 bytes, or if anyone can sign
    /// for the key.
    pub fn from_base64(text: &str) -> Result<Self, ConfigError> {
        Self::ed25519(&base64(text)?)
    }

    /// Parses an Ed25519 key as Standard Webhooks writes it: base64 after `whpk_`. The prefix may
    /// be missing.
    ///
    /// # Errors
    ///
    /// See [`from_base64`](Self::from_base64).
    pub fn from_whpk(text: &str) -> Result<Self, ConfigError> {
        Self::from_base64(text.strip_prefix("whpk_").unwrap_or(text))
    }

    /// Parses a key of any of these algorithms from the base64 of its SubjectPublicKeyInfo, as
    /// SendGrid shows it: a PEM block on one line, without its first and last line.
    ///
    /// # Errors
    ///
    /// Returns an error if the string is not canonical base64, is not exactly one key, or if the
    /// key is too weak.
    pub fn from_spki_base64(text: &str) -> Result<Self, ConfigError> {
        Self::spki(&base64(text)?)
    }

    /// Parses a key of any of these algorithms from one PEM block,
    /// `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    ///
    /// Returns an error if the string is not exactly one PEM block with this label, and in the same
    /// cases as [`from_spki_base64`](Self::from_spki_base64).
    pub fn from_pem(text: &str) -> Result<Self, ConfigError> {
        let der = pem(text, "PUBLIC KEY").ok_or_else(|| invalid(pem_flaw(text)))?;
        Self::spki(&der)
    }

    /// Returns the key in the form of its algorithm.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.key.as_ref()
    }

    fn ed25519(bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() != 32 {
            return Err(invalid(
                "expected 32 bytes for an Ed25519 key; \
                 use `from_spki_base64` or `from_pem` for other forms",
            ));
        }
        if is_of_small_order(bytes) {
            return Err(invalid(
                "anyone can sign for this key, as for 32 zero bytes; \
                 use the key that the provider shows",
            ));
        }
        Self::new(Algorithm::Ed25519, &ED25519, bytes)
    }

    pub(crate) fn spki(der: &[u8]) -> Result<Self, ConfigError> {
        if let Some(key) = der.strip_prefix(&ED25519_SPKI) {
            Self::ed25519(key)
        } else if let Some(point @ [4, ..]) = der.strip_prefix(&P256_SPKI) {
            Self::new(Algorithm::EcdsaP256Sha256, &ECDSA_P256_SHA256_ASN1, point)
        } else if let Some(point @ [4, ..]) = der.strip_prefix(&P521_SPKI) {
            Self::new(Algorithm::EcdsaP521Sha512, &ECDSA_P521_SHA512_ASN1, point)
        } else if is_rsa(der) {
            Self::new(Algorithm::RsaPkcs1Sha256, &RSA_PKCS1_2048_8192_SHA256, der)
        } else {
            Err(invalid(
                "expected a SubjectPublicKeyInfo of Ed25519, of P-256 or P-521 with an uncompressed \
                 point, or of RSA with 2048 to 8192 bits",
            ))
        }
    }

    fn new(
        algorithm: Algorithm,
        verification: &'static dyn VerificationAlgorithm,
        bytes: &[u8],
    ) -> Result<Self, ConfigError> {
        let key = ParsedPublicKey::new(verification, bytes)
            .map_err(|_| invalid("its bytes are not a valid key of its algorithm"))?;
        Ok(Self(Arc::new(Inner { algorithm, key })))
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    pub(crate) fn verifies(&self, message: &Message<'_>, signature: &[u8]) -> bool {
        let key = &self.0.key;
        match &message.whole {
            Some(whole) => key.verify_sig(whole, signature).is_ok(),
            None => key.verify_digest_sig(&message.sha256, signature).is_ok(),
        }
    }

    /// Returns `true` if this is the signature of a content in the form of RFC 7518: that of ECDSA has
    /// two numbers of 32 bytes.
    #[cfg(feature = "jwt")]
    pub(crate) fn verifies_jws(&self, content: &[u8], signature: &[u8]) -> bool {
        match self.algorithm() {
            Algorithm::EcdsaP256Sha256 => {
                let key = UnparsedPublicKey::new(
                    &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED,
                    self.as_bytes(),
                );
                key.verify(content, signature).is_ok()
            }
            _ => self.0.key.verify_sig(content, signature).is_ok(),
        }
    }

    /// Returns `true` if this is an RSA signature of a content by its SHA-256.
    pub(crate) fn verifies_rsa_sha256(&self, content: &[u8], signature: &[u8]) -> bool {
        self.algorithm() == Algorithm::RsaPkcs1Sha256
            && self.0.key.verify_sig(content, signature).is_ok()
    }

    /// Returns `true` if this is an RSA signature of a content by its SHA-1.
    pub(crate) fn verifies_rsa_sha1(&self, content: &[u8], signature: &[u8]) -> bool {
        let algorithm = &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
        let key = UnparsedPublicKey::new(algorithm, self.as_bytes());
        self.algorithm() == Algorithm::RsaPkcs1Sha256 && key.verify(content, signature).is_ok()
    }

    /// Returns `true` if this is an ECDSA signature of a content by its SHA-1.
    ///
    /// ECDSA signs a number. The number of a SHA-1 digest is that of 32 bytes which begin with
    /// zeros, and the library, which has no ECDSA with SHA-1, takes them for a SHA-256 digest.
    pub(crate) fn verifies_sha1(&self, content: &[u8], signature: &[u8]) -> bool {
        let digest =
            padded_sha1(content).filter(|_| self.algorithm() == Algorithm::EcdsaP256Sha256);
        digest.is_some_and(|digest| self.0.key.verify_digest_sig(&digest, signature).is_ok())
    }
}

/// Parses a key in any of the forms above, for keys that come from a configuration.
///
/// The form follows from the length and the characters of the string. The key's algorithm is still
/// checked against the provider's.
impl FromStr for PublicKey {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        if text.trim_start().starts_with("-----") {
            return Self::from_pem(text);
        }
        // As base64 this would be 48 bytes, and no key has that length.
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Self::from_hex(text);
        }
        let bytes = base64(text.strip_prefix("whpk_").unwrap_or(text))?;
        if bytes.len() == 32 { Self::ed25519(&bytes) } else { Self::spki(&bytes) }
    }
}

/// Returns whether this is a SubjectPublicKeyInfo of RSA and nothing more.
///
/// The parser checks the size, but not the bytes after the key, so the key is encoded again and
/// compared.
fn is_rsa(der: &[u8]) -> bool {
    let Ok(key) = PublicEncryptingKey::from_der(der) else { return false };
    AsDer::<PublicKeyX509Der<'_>>::as_der(&key).is_ok_and(|again| again.as_ref() == der)
}

/// Returns the SHA-1 of a content in the place of its SHA-256.
pub(crate) fn padded_sha1(content: &[u8]) -> Option<Digest> {
    let mut padded = [0; 32];
    padded[12..].copy_from_slice(&Sha1::digest(content));
    Digest::import_less_safe(&padded, &SHA256).ok()
}

fn hex_flaw(text: &str) -> &'static str {
    if text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "expected 64 hexadecimal digits; use the constructor for the form of the key"
    } else {
        encoding::hex_flaw(text)
    }
}

const fn invalid(why: &'static str) -> ConfigError {
    ConfigError::PublicKeyInvalid { why }
}

fn base64(text: &str) -> Result<Vec<u8>, ConfigError> {
    encoding::BASE64_KEY.decode(text).map_err(|_| invalid(encoding::base64_flaw(text)))
}

/// Returns whether this is one of the few points for which a signature can be made without a
/// private key.
///
/// The library accepts them, as RFC 8032 does, and 32 zero bytes are one of them.
fn is_of_small_order(key: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
           \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
        *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\
           \x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    ];
    // The last bit is the sign of x, and the rest is y. Points of small order have y = 0, 1, -1 or
    // one of the two values above, and p may be added to 0 and 1.
    let [first, middle @ .., last] = key else { return true };
    let last = last & 0x7f;
    let is_near_0 = *first <= 1 && middle.iter().all(|byte| *byte == 0) && last == 0;
    let is_near_p = *first >= 0xec && middle.iter().all(|byte| *byte == 0xff) && last == 0x7f;
    is_near_0
        || is_near_p
        || ORDER_8.iter().any(|point| point[..31] == key[..31] && point[31] == last)
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.0.algorithm).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_points_of_small_order_are_recognised() {
        let key = |first, middle, last| {
            let mut key = [middle; 32];
            (key[0], key[31]) = (first, last);
            key
        };
        for (key, expected) in [
            (key(0, 0, 0), true),
            (key(1, 0, 0), true),
            (key(1, 0, 0x80), true),
            (key(2, 0, 0), false),
            (key(1, 0, 1), false),
            (key(1, 1, 0), false),
            (key(2, 1, 0), false),
            (key(2, 0, 1), false),
            (key(0xec, 0xff, 0x7f), true),
            (key(0xee, 0xff, 0xff), true),
            (key(0xeb, 0xff, 0x7f), false),
            (key(0xec, 0xff, 0x7e), false),
            (key(0xec, 0xfe, 0x7f), false),
            (key(0xeb, 0xff, 0x7e), false),
            (key(0xeb, 0xfe, 0x7f), false),
        ] {
            assert_eq!(is_of_small_order(&key), expected, "{key:02x?}");
        }
        let mut of_order_8 = *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
            \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05";
        assert!(is_of_small_order(&of_order_8));
        of_order_8[31] ^= 0x80;
        assert!(is_of_small_order(&of_order_8));
        of_order_8[31] ^= 1;
        assert!(!is_of_small_order(&of_order_8));
        of_order_8[31] ^= 1;
        of_order_8[0] ^= 1;
        assert!(!is_of_small_order(&of_order_8));
    }

    #[test]
    fn base64_that_could_be_hexadecimal_is_base64() {
        // About half of all strings of 32 bytes are a point.
        let keys = (b'0'..=b'9').map(|digit| {
            let text = char::from(digit).to_string().repeat(42) + "A";
            text.parse::<PublicKey>().is_ok()
        });
        assert!(keys.into_iter().any(|is_key| is_key));
    }
}
