//! A plain hash of a message that contains the secret.

use std::fmt;

#[cfg(feature = "md5")]
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater};

use crate::crypto::{
    mac::{Algorithm, Tag},
    secret::Secret,
};

/// Plain hash of a message with the secret in it, and possibly the beginning of the message.
///
/// It is a type of its own, because it is no MAC. If the secret stands before all text of the
/// sender, anyone who has a hash can compute that of a longer message.
#[derive(Clone)]
pub(crate) struct SecretHash {
    secret: Secret,
    hash: Hash,
}

#[derive(Clone)]
enum Hash {
    #[cfg(feature = "md5")]
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hash {
    fn new(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::PlainSha1 => Some(Self::Sha1(Sha1::new())),
            Algorithm::PlainSha256 => Some(Self::Sha256(Sha256::new())),
            _ => None,
        }
    }
}

impl SecretHash {
    /// Creates a hash, or returns `None` for an algorithm that is no plain hash.
    pub(crate) fn new(algorithm: Algorithm, secret: Secret) -> Option<Self> {
        Some(Self { secret, hash: Hash::new(algorithm)? })
    }

    #[cfg(feature = "md5")]
    pub(crate) fn md5(secret: Secret) -> Self {
        Self { secret, hash: Hash::Md5(Md5::new()) }
    }

    pub(crate) fn sha1(secret: Secret) -> Self {
        Self { secret, hash: Hash::Sha1(Sha1::new()) }
    }

    pub(crate) fn sha512(secret: Secret) -> Self {
        Self { secret, hash: Hash::Sha512(Sha512::new()) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.hash {
            #[cfg(feature = "md5")]
            Hash::Md5(hash) => hash.update(bytes),
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
            Hash::Sha512(hash) => hash.update(bytes),
        }
    }

    /// Adds the secret, in its place in the message.
    pub(crate) fn update_with_secret(&mut self) {
        match &mut self.hash {
            #[cfg(feature = "md5")]
            Hash::Md5(hash) => hash.update(self.secret.expose()),
            Hash::Sha1(hash) => hash.update(self.secret.expose()),
            Hash::Sha256(hash) => hash.update(self.secret.expose()),
            Hash::Sha512(hash) => hash.update(self.secret.expose()),
        }
    }

    /// Returns the hash of the parts and the secret, in the order of their bytes.
    ///
    /// The hash is computed with the secret in each place, because the place depends on the secret.
    pub(crate) fn finalize_sorted(self, parts: &[&[u8]]) -> Tag {
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        let is_after = |part: &&[u8]| !is_less(self.secret.expose(), part);
        let place = parts.iter().map(|part| is_after(part).unwrap_u8()).sum::<u8>();
        let mut found = Tag::empty();
        for at in 0..=parts.len() {
            let mut hash = self.clone();
            let (before, after) = parts.split_at(at);
            before.iter().for_each(|part| hash.update(part));
            hash.update_with_secret();
            after.iter().for_each(|part| hash.update(part));
            let is_place = u8::try_from(at).unwrap_or(u8::MAX).ct_eq(&place);
            found.conditional_assign(&hash.finalize(), is_place);
        }
        found
    }

    #[cfg(feature = "sign")]
    pub(crate) fn secret(&self) -> &[u8] {
        self.secret.expose()
    }

    pub(crate) fn finalize(self) -> Tag {
        match self.hash {
            #[cfg(feature = "md5")]
            Hash::Md5(hash) => Tag::new(&hash.finalize()),
            Hash::Sha1(hash) => Tag::new(&hash.finalize()),
            Hash::Sha256(hash) => Tag::new(&hash.finalize()),
            Hash::Sha512(hash) => Tag::new(&hash.finalize()),
        }
    }
}

/// Returns whether the secret comes before a text.
///
/// The sender chooses the text, so the time must not depend on the place of the first difference.
fn is_less(secret: &[u8], text: &[u8]) -> Choice {
    let (mut is_less, mut is_equal) = (Choice::from(0), Choice::from(1));
    for (byte, other) in secret.iter().zip(text) {
        is_less |= is_equal & other.ct_gt(byte);
        is_equal &= byte.ct_eq(other);
    }
    let is_shorter = Choice::from(u8::from(secret.len() < text.len()));
    is_less | is_equal & is_shorter
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_sorted_as_bytes_are() {
        for secret in ["a", "ab", "b", "bc", "B", "1"] {
            for text in ["", "a", "ab", "abc", "b", "B", "0", "~", "\u{ff}"] {
                let is = is_less(secret.as_bytes(), text.as_bytes());
                assert_eq!(bool::from(is), secret.as_bytes() < text.as_bytes(), "{secret} {text}");
            }
        }
    }
}
