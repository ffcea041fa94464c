//! Identity of a delivery, and the replay key that is made of it.

use sha2::{Digest, Sha256};

/// Authenticated bytes that identify a delivery: a signed ID, or the tag itself.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) bytes: [u8; MAX_IDENTITY],
    pub(crate) len: u8,
}

/// Maximum length of an identity that is kept unhashed, in bytes: the longest tag, of HMAC-SHA512.
pub(crate) const MAX_IDENTITY: usize = 64;

/// Value that replaces an identity's length for an event ID from the body.
pub(crate) const EVENT_ID: u8 = u8::MAX - 1;

impl Identity {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        // The length of a hashed identity is a marker.
        self.bytes.get(..self.len.into()).unwrap_or(&self.bytes[..32])
    }
}

/// Prefix that separates the deliveries of endpoints that share a store. It is hashed once.
#[derive(Clone)]
pub(crate) struct Scope(pub(crate) Sha256);

impl Scope {
    pub(crate) fn new(name: &str) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&Sha256::digest(name));
        block[32..].copy_from_slice(b"tower-webhook scoped replay key\0");
        // The prefix fills one block, so that no part of it is hashed for each request.
        Self(Sha256::new_with_prefix(block))
    }
}

/// Key that distinguishes one signed delivery from every other: a hash of authenticated bytes.
///
/// It is made of the decoded tag or of a signed delivery ID, never of a header's text, so that
/// another spelling of the same signature is not a new delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayKey(pub(crate) [u8; 32]);

impl AsRef<[u8]> for ReplayKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
