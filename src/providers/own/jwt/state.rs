//! State of a verification of a token.

use std::{fmt, mem};

use sha2::{Digest, Sha256};

use crate::outcome::verified::Verified;

/// State of a verification: the proof of the token, and the hash of the body.
#[doc(hidden)]
pub struct JwtState {
    /// `false` if there was no key to verify the token with, or no token yet.
    pub(crate) is_proven: bool,
    pub(crate) proof: Verified,
    pub(crate) hash: Sha256,
    pub(crate) claimed: Option<[u8; 32]>,
    /// Expected texts of the body, by their paths.
    pub(crate) body_fields: Vec<(&'static str, String)>,
}

impl JwtState {
    /// Creates the state before the body is there, if the token is in it.
    pub(crate) fn unread() -> Self {
        Self {
            is_proven: false,
            proof: Verified::new(""),
            hash: Sha256::new(),
            claimed: None,
            body_fields: Vec::new(),
        }
    }

    pub(crate) fn take_proof(&mut self) -> Verified {
        mem::replace(&mut self.proof, Verified::new(""))
    }
}

impl fmt::Debug for JwtState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtState").field("proof", &self.proof).finish_non_exhaustive()
    }
}
