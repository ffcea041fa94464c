//! JSON Web Tokens (RFC 7519) in the compact serialization of RFC 7515.

use jsonwebtoken::{Header, dangerous::insecure_decode_claims, decode_header};
use serde_json::value::RawValue;
use subtle::Choice;

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::PublicKey;
use crate::{
    crypto::mac::{Algorithm, Mac},
    parse::encoding::{Encoding, MAX_SIGNATURE},
};

/// Maximum length of a header in base64url. Apple's has about 5,000 bytes, with three certificates.
const MAX_HEADER: usize = 16 * 1024;

/// A token, with a signature that may be invalid.
///
/// `jsonwebtoken` reads the token. It does not verify it: its verification takes the time from the
/// system and the algorithms from the whole program, and it panics if the program has two
/// implementations of them.
pub(crate) struct Jwt<'a> {
    header: Header,
    text: &'a [u8],
    /// The part of the token that is signed.
    message: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Jwt<'a> {
    /// Reads a token. Returns `None` if it is malformed or names an unknown algorithm, such as
    /// `none`.
    pub(crate) fn read(text: &'a [u8]) -> Option<Self> {
        // A body can be a token, too. `decode_header` builds a tree of what it does not know, which
        // takes far more memory than its text.
        text.iter().position(|byte| *byte == b'.').filter(|len| *len <= MAX_HEADER)?;
        let header = decode_header(text).ok()?;
        let dot = text.iter().rposition(|byte| *byte == b'.')?;
        Some(Self { header, text, message: &text[..dot], signature: &text[dot + 1..] })
    }

    /// Returns the algorithm that the token names, if this crate has it.
    pub(crate) const fn algorithm(&self) -> Option<Algorithm> {
        match self.header.alg {
            jsonwebtoken::Algorithm::HS256 => Some(Algorithm::HmacSha256),
            jsonwebtoken::Algorithm::HS384 => Some(Algorithm::HmacSha384),
            jsonwebtoken::Algorithm::HS512 => Some(Algorithm::HmacSha512),
            #[cfg(feature = "asymmetric")]
            jsonwebtoken::Algorithm::ES256 => Some(Algorithm::EcdsaP256Sha256),
            #[cfg(feature = "asymmetric")]
            jsonwebtoken::Algorithm::EdDSA => Some(Algorithm::Ed25519),
            #[cfg(feature = "asymmetric")]
            jsonwebtoken::Algorithm::RS256 => Some(Algorithm::RsaPkcs1Sha256),
            _ => None,
        }
    }

    /// Returns the ID of the key that the token names, if it names one.
    #[cfg(feature = "fetched-keys")]
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Returns the certificates that the token names in `x5c`, in base64.
    #[cfg(feature = "certificates")]
    pub(crate) fn certificates(&self) -> Option<&[String]> {
        self.header.x5c.as_deref()
    }

    /// Returns `true` if the token has no `typ`, or one of these. `application/` may be before it (RFC
    /// 7515, section 4.1.9).
    pub(crate) fn has_type_of(&self, allowed: &[&str]) -> bool {
        self.header.typ.as_deref().is_none_or(|named| {
            let named = named.strip_prefix("application/").unwrap_or(named);
            allowed.iter().any(|known| named.eq_ignore_ascii_case(known))
        })
    }

    /// Returns `true` if the token has extensions that its receiver must know. None is known here
    /// (RFC 7515, section 4.1.11).
    pub(crate) const fn has_extensions(&self) -> bool {
        self.header.crit.is_some()
    }

    /// Returns the signed part of the token.
    pub(crate) const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// Returns the decoded signature, if it is as long as those of this algorithm can be.
    pub(crate) fn decode_signature<'b>(
        &self,
        algorithm: Algorithm,
        buffer: &'b mut [u8; MAX_SIGNATURE + 2],
    ) -> Option<&'b [u8]> {
        let len = match algorithm {
            // Two numbers of 32 bytes (RFC 7518, section 3.4), and not DER.
            #[cfg(feature = "asymmetric")]
            Algorithm::EcdsaP256Sha256 => 64,
            _ => algorithm.tag_len(),
        };
        if len == 64 || algorithm.has_fixed_len() {
            Encoding::Base64Url.decode(self.signature, &mut buffer[..len])?;
            return Some(&buffer[..len]);
        }
        Encoding::Base64Url.decode_up_to(len, self.signature, buffer)
    }

    /// Returns whether the token has this signature under the key of a MAC.
    pub(crate) fn is_signed_by(&self, mac: &Mac, signature: &[u8]) -> Choice {
        let mut mac = mac.clone();
        mac.update(self.message);
        mac.finalize().matches(signature)
    }

    /// Returns `true` if the token has this signature by a public key.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn is_signed_by_public(&self, key: &PublicKey, signature: &[u8]) -> bool {
        key.verifies_jws(self.message, signature)
    }

    /// Returns the claims as JSON. Trust them only if the token's signature is valid.
    pub(crate) fn claims(&self) -> Option<Box<RawValue>> {
        insecure_decode_claims(self.text).ok()
    }
}

/// Returns a token with these claims.
#[cfg(feature = "sign")]
pub(crate) fn signed(mac: &Mac, claims: &str) -> String {
    let name = match mac {
        Mac::Sha384(_) => "HS384",
        Mac::Sha512(_) => "HS512",
        _ => "HS256",
    };
    let message = message(&format!(r#"{{"alg":"{name}","typ":"JWT"}}"#), claims);
    let mut mac = mac.clone();
    mac.update(message.as_bytes());
    format!("{message}.{}", Encoding::Base64Url.encode(mac.finalize().as_bytes()))
}

/// Returns the signed part of a token.
#[cfg(feature = "sign")]
pub(crate) fn message(header: &str, claims: &str) -> String {
    let encoded = |text: &str| Encoding::Base64Url.encode(text.as_bytes());
    format!("{}.{}", encoded(header), encoded(claims))
}
