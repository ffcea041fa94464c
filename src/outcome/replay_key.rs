//! Identity of a delivery, and the replay key that is made of it.

use std::num::NonZeroU8;

use sha2::{Digest, Sha256};

/// Authenticated bytes that identify a delivery: a signed ID, or the tag itself.
#[derive(Clone)]
pub(crate) struct Identity {
    bytes: [u8; MAX_IDENTITY],
    /// The length and one, so that `Option<Identity>` is not larger. [`HASHED`] is not a length.
    mark: NonZeroU8,
}

/// Mark of an identity that is a hash, because the bytes are too long.
const HASHED: NonZeroU8 = NonZeroU8::MAX;

/// Maximum length of an identity that is kept unhashed, in bytes: the longest tag, of HMAC-SHA512.
pub(crate) const MAX_IDENTITY: usize = 64;

/// Value that replaces an identity's length for an event ID from the body.
pub(crate) const EVENT_ID: u8 = u8::MAX - 1;

impl Identity {
    pub(crate) fn new(authenticated: &[u8]) -> Self {
        let mut bytes = [0; MAX_IDENTITY];
        let mark = match bytes.get_mut(..authenticated.len()) {
            Some(start) => {
                start.copy_from_slice(authenticated);
                u8::try_from(authenticated.len() + 1).ok().and_then(NonZeroU8::new)
            }
            None => {
                bytes[..32].copy_from_slice(&Sha256::digest(authenticated));
                None
            }
        };
        Self { bytes, mark: mark.unwrap_or(HASHED) }
    }

    /// Returns the byte that the replay key has for the length: 255, no other identity's length, for
    /// a hash.
    pub(crate) const fn len(&self) -> u8 {
        match self.mark {
            HASHED => u8::MAX,
            mark => mark.get() - 1,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len().into()).unwrap_or(&self.bytes[..32])
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
