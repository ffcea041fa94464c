//! What tells one delivery from another.

use sha2::{Digest, Sha256};

/// Bytes that the signature vouches for: a signed id, or the tag itself.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) bytes: [u8; MAX_IDENTITY],
    pub(crate) len: u8,
}

/// Longest identity that is kept as it is, in bytes: the longest tag, of HMAC-SHA512.
pub(crate) const MAX_IDENTITY: usize = 64;

/// In the place of an identity's length: an event's id in the body.
pub(crate) const EVENT_ID: u8 = u8::MAX - 1;

impl Identity {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        // What was hashed has a length of its own.
        self.bytes.get(..self.len.into()).unwrap_or(&self.bytes[..32])
    }
}

/// Keeps the deliveries of endpoints apart that share a store. It is hashed once.
#[derive(Clone)]
pub(crate) struct Scope(pub(crate) Sha256);

impl Scope {
    pub(crate) fn new(name: &str) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&Sha256::digest(name));
        block[32..].copy_from_slice(b"tower-webhook scoped replay key\0");
        // One whole block, so that nothing of it is left for each request to hash.
        Self(Sha256::new_with_prefix(block))
    }
}

/// Tells one signed delivery from every other: a hash of bytes that the signature vouches for.
///
/// It is made of the decoded tag or of a signed delivery id, never of a header's text, so that
/// writing the same signature another way does not make a new delivery of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayKey(pub(crate) [u8; 32]);

impl AsRef<[u8]> for ReplayKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
