//! A keyed MAC, and the tag that it computes.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
#[cfg(feature = "md5")]
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{error::MAX_SECRETS, outcome::rejection::Rejection, parse::encoding::MAX_TAG};

/// Algorithm of a signature.
///
/// The scheme fixes it. It is never taken from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-1. It is still sound as a MAC, although SHA-1 is broken as a hash.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Plain SHA-1 of a content with the secret in it. It is not an HMAC.
    PlainSha1,
    /// Plain SHA-256 of a content with the secret in it. It is not an HMAC.
    PlainSha256,
    /// Ed25519, over the signed content itself.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    Ed25519,
    /// ECDSA over P-256 with SHA-256, and the signature in DER.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    EcdsaP256Sha256,
    /// ECDSA over P-521 with SHA-512. Only detached JSON Web Signatures (ES512) use it; a scheme cannot.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    EcdsaP521Sha512,
    /// RSA with SHA-256 and PKCS #1 v1.5 padding.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    RsaPkcs1Sha256,
}

impl Algorithm {
    /// Returns the length of a signature in bytes, or the maximum if the length varies.
    pub(crate) const fn tag_len(self) -> usize {
        match self {
            Self::HmacSha1 | Self::PlainSha1 => 20,
            Self::HmacSha256 | Self::PlainSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
            #[cfg(feature = "asymmetric")]
            Self::Ed25519 => 64,
            #[cfg(feature = "asymmetric")]
            Self::EcdsaP521Sha512 => 132,
            // Two numbers of up to 33 bytes.
            #[cfg(feature = "asymmetric")]
            Self::EcdsaP256Sha256 => 72,
            #[cfg(feature = "asymmetric")]
            Self::RsaPkcs1Sha256 => crate::parse::encoding::MAX_SIGNATURE,
        }
    }

    /// Returns `true` if every signature is [`tag_len`](Self::tag_len) bytes long.
    pub(crate) const fn has_fixed_len(self) -> bool {
        match self {
            #[cfg(feature = "asymmetric")]
            Self::EcdsaP256Sha256 | Self::EcdsaP521Sha512 | Self::RsaPkcs1Sha256 => false,
            _ => true,
        }
    }

    /// Returns `true` for a hash that is not an HMAC.
    pub(crate) const fn is_plain_hash(self) -> bool {
        matches!(self, Self::PlainSha1 | Self::PlainSha256)
    }

    /// Returns `true` if a public key verifies the signature.
    #[cfg(feature = "asymmetric")]
    pub(crate) const fn takes_public_key(self) -> bool {
        matches!(
            self,
            Self::Ed25519 | Self::EcdsaP256Sha256 | Self::EcdsaP521Sha512 | Self::RsaPkcs1Sha256
        )
    }
}

/// A MAC with its key, and possibly the beginning of a message. It is wiped when dropped.
///
/// The two variants with states of twice the size are boxed: few providers use them, and all others
/// would move that size with each request.
pub(crate) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
    #[cfg(feature = "md5")]
    Md5(Hmac<Md5>),
}

impl Mac {
    /// Creates a MAC, or returns `None` for an algorithm that is no HMAC.
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::HmacSha1 => Self::hmac_sha1(key),
            Algorithm::HmacSha256 => Self::hmac_sha256(key),
            Algorithm::HmacSha384 => Self::Sha384(Box::new(keyed(key))),
            Algorithm::HmacSha512 => Self::hmac_sha512(key),
            _ => return None,
        })
    }

    pub(crate) fn hmac_sha1(key: &[u8]) -> Self {
        Self::Sha1(keyed(key))
    }

    pub(crate) fn hmac_sha256(key: &[u8]) -> Self {
        Self::Sha256(keyed(key))
    }

    pub(crate) fn hmac_sha512(key: &[u8]) -> Self {
        Self::Sha512(Box::new(keyed(key)))
    }

    #[cfg(feature = "md5")]
    pub(crate) fn hmac_md5(key: &[u8]) -> Self {
        Self::Md5(keyed(key))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(mac) => mac.update(bytes),
            Self::Sha256(mac) => mac.update(bytes),
            Self::Sha384(mac) => mac.update(bytes),
            Self::Sha512(mac) => mac.update(bytes),
            #[cfg(feature = "md5")]
            Self::Md5(mac) => mac.update(bytes),
        }
    }

    pub(crate) fn finalize(self) -> Tag {
        let mut tag = Tag::empty();
        self.finalize_into(&mut tag);
        tag
    }

    /// Writes the tag where it stays.
    pub(crate) fn finalize_into(self, tag: &mut Tag) {
        match self {
            Self::Sha1(mac) => tag.set(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => tag.set(&mac.finalize().into_bytes()),
            Self::Sha384(mac) => tag.set(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => tag.set(&mac.finalize().into_bytes()),
            #[cfg(feature = "md5")]
            Self::Md5(mac) => tag.set(&mac.finalize().into_bytes()),
        }
    }
}

#[expect(clippy::expect_used, reason = "the error exists for MACs with keys of one length")]
fn keyed<M: KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).expect("HMAC accepts keys of any length")
}

impl Clone for Mac {
    /// Inlined, because a MAC is cloned for each request, to where it stays.
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Self::Sha1(mac) => Self::Sha1(mac.clone()),
            Self::Sha256(mac) => Self::Sha256(mac.clone()),
            Self::Sha384(mac) => Self::Sha384(mac.clone()),
            Self::Sha512(mac) => Self::Sha512(mac.clone()),
            #[cfg(feature = "md5")]
            Self::Md5(mac) => Self::Md5(mac.clone()),
        }
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac([redacted])")
    }
}

/// A computed tag.
///
/// It has no `PartialEq`: a comparison that is not in constant time would reveal to a forger how
/// many of its bytes are right.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    bytes: [u8; MAX_TAG],
    len: usize,
}

impl Tag {
    pub(crate) const fn empty() -> Self {
        Self { bytes: [0; MAX_TAG], len: 0 }
    }

    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut tag = Self::empty();
        tag.set(bytes);
        tag
    }

    #[inline]
    fn set(&mut self, tag: &[u8]) {
        self.bytes[..tag.len()].copy_from_slice(tag);
        self.len = tag.len();
    }

    /// Becomes the other tag, of the same algorithm, if `choice` is true, in constant time.
    pub(crate) fn conditional_assign(&mut self, other: &Self, choice: Choice) {
        for (own, other) in self.bytes.iter_mut().zip(&other.bytes) {
            own.conditional_assign(other, choice);
        }
        self.len = other.len;
    }

    /// Compares in constant time. A candidate of another length never matches.
    pub(crate) fn matches(&self, candidate: &[u8]) -> Choice {
        let (ours, theirs) = (self.as_bytes(), candidate);
        if ours.len() != theirs.len() {
            return Choice::from(0);
        }
        // Compares words: there are eight times as many bytes. Only a tag of SHA-1 has a rest.
        let ((ours, our_rest), (theirs, their_rest)) = (ours.as_chunks(), theirs.as_chunks());
        let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
        ours.iter().zip(theirs).fold(our_rest.ct_eq(their_rest), |is_same, (ours, theirs)| {
            is_same & word(ours).ct_eq(&word(theirs))
        })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The result of trying several keys.
///
/// It is collected without an early exit, so that the time taken does not reveal which key or
/// signature matched.
#[derive(Debug)]
pub(crate) struct KeyMatch {
    matched: Choice,
    key_index: u32,
    tried: usize,
}

impl KeyMatch {
    pub(crate) fn new() -> Self {
        Self { matched: Choice::from(0), key_index: 0, tried: 0 }
    }

    pub(crate) fn add(&mut self, key_index: usize, is_match: Choice) {
        let index = u32::try_from(key_index).unwrap_or(u32::MAX);
        self.key_index.conditional_assign(&index, is_match & !self.matched);
        self.matched |= is_match;
        self.tried += 1;
    }

    /// Returns the index of the first key that matched, or a rejection with the number of keys that
    /// were tried.
    pub(crate) fn accepted(self) -> Result<usize, Rejection> {
        if bool::from(self.matched) {
            Ok(usize::try_from(self.key_index).unwrap_or(usize::MAX))
        } else {
            Err(Rejection::mismatch().with_secrets_tried(self.tried))
        }
    }
}

/// The result of trying several keys with several signatures. Every tag is compared with every
/// signature.
pub(crate) struct KeyMatches {
    of_keys: [Choice; MAX_SECRETS],
    count: usize,
}

impl KeyMatches {
    /// Creates the result for so many keys, of which none has matched yet.
    pub(crate) fn of_keys(count: usize) -> Self {
        Self { of_keys: [Choice::from(0); MAX_SECRETS], count }
    }

    /// Compares a signature with the tags of all keys.
    pub(crate) fn add(&mut self, tags: &[Tag], signature: &[u8]) {
        for (is_match, tag) in self.of_keys.iter_mut().zip(tags) {
            *is_match |= tag.matches(signature);
        }
    }

    /// Returns the same as [`KeyMatch::accepted`].
    pub(crate) fn accepted(self) -> Result<usize, Rejection> {
        let mut matched = KeyMatch::new();
        for (index, is_match) in self.of_keys.into_iter().take(self.count).enumerate() {
            matched.add(index, is_match);
        }
        matched.accepted()
    }
}
