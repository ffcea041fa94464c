//! Signed content in the form that a public key verifies.

use std::borrow::Cow;

use aws_lc_rs::digest::{self, Digest};

use crate::crypto::mac::Algorithm;

/// Signed content that is still arriving.
pub(crate) struct Content {
    sha256: digest::Context,
    /// The parts before the body, for the algorithm that does not sign a hash.
    before: Option<Vec<u8>>,
}

/// Signed content, complete.
pub(crate) struct Message<'a> {
    pub(crate) sha256: Digest,
    pub(crate) whole: Option<Cow<'a, [u8]>>,
}

impl Content {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self {
            sha256: digest::Context::new(&digest::SHA256),
            before: (algorithm == Algorithm::Ed25519).then(Vec::new),
        }
    }

    pub(crate) fn before_body(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(before) = &mut self.before {
            before.extend_from_slice(bytes);
        }
    }

    pub(crate) fn body(&mut self, chunk: &[u8]) {
        self.sha256.update(chunk);
    }

    pub(crate) fn finish<'a>(mut self, body: &'a [u8], after_body: &[u8]) -> Message<'a> {
        self.sha256.update(after_body);
        let whole = self.before.map(|before| {
            if before.is_empty() && after_body.is_empty() {
                return Cow::Borrowed(body);
            }
            Cow::Owned([&before, body, after_body].concat())
        });
        Message { sha256: self.sha256.finish(), whole }
    }
}

impl Message<'_> {
    /// Returns the message that consists of this message's SHA-256.
    pub(crate) fn digested(self) -> Self {
        let digest = self.sha256.as_ref();
        let whole = self.whole.as_ref().map(|_| Cow::Owned(digest.to_vec()));
        Self { sha256: digest::digest(&digest::SHA256, digest), whole }
    }
}
