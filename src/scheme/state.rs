//! State of a verification by a declared scheme.

use std::{fmt, mem};

use sha2::{Digest, Sha256};

use crate::{
    crypto::mac::Mac,
    parse::{encoding::Encoding, tolerance::SignedTime},
    scheme::{asymmetric::Content, candidates::Received, component::DigestEncoding},
};

/// State of a verification, from the head to the end of the body.
#[doc(hidden)]
pub struct SchemeState {
    pub(crate) signed: Signed,
    /// The MACs of further secrets.
    pub(crate) rest: Vec<Mac>,
    pub(crate) received: Received,
    pub(crate) time: Option<SignedTime>,
}

/// Signed content that has been read so far.
pub(crate) enum Signed {
    Finished,
    /// The MAC of the first secret.
    Keyed(Mac),
    /// Boxed, because the states of all other schemes would carry its size.
    Plain(Box<Content>),
    /// The body's digest is signed in place of the body. Boxed for the same reason.
    Digested(Box<Digested>),
}

/// Signed content before the body, and the digest of the body.
pub(crate) struct Digested {
    before: Signed,
    sha256: Sha256,
    form: DigestEncoding,
}

/// Calls `visit` with a digest in this form.
pub(crate) fn written(digest: &[u8], form: DigestEncoding, visit: impl FnOnce(&[u8])) {
    match form {
        DigestEncoding::Base64 => visit(Encoding::Base64.encode(digest).as_bytes()),
        DigestEncoding::Hex => visit(Encoding::Hex.encode(digest).as_bytes()),
        DigestEncoding::Raw => visit(digest),
    }
}

impl SchemeState {
    pub(crate) fn before_body(&mut self, bytes: &[u8]) {
        match &mut self.signed {
            Signed::Keyed(_) => self.body(bytes),
            Signed::Plain(content) => content.before_body(bytes),
            Signed::Finished | Signed::Digested(_) => {}
        }
    }

    /// Hashes the body from now on, so that its digest is signed.
    #[cold]
    pub(crate) fn digest_body(&mut self, form: DigestEncoding) {
        let before = mem::replace(&mut self.signed, Signed::Finished);
        let digested = Digested { before, sha256: Sha256::new(), form };
        self.signed = Signed::Digested(Box::new(digested));
    }

    /// Adds the digest of the body in its place. Returns `true` if there is one.
    pub(crate) fn end_of_body(&mut self) -> bool {
        if !matches!(self.signed, Signed::Digested(_)) {
            return false;
        }
        if let Signed::Digested(digested) = mem::replace(&mut self.signed, Signed::Finished) {
            let Digested { before, sha256, form } = *digested;
            self.signed = before;
            written(&sha256.finalize(), form, |bytes| self.before_body(bytes));
        }
        true
    }

    pub(crate) fn body(&mut self, chunk: &[u8]) {
        match &mut self.signed {
            Signed::Keyed(mac) => {
                mac.update(chunk);
                self.rest.iter_mut().for_each(|mac| mac.update(chunk));
            }
            Signed::Plain(content) => content.body(chunk),
            Signed::Digested(digested) => digested.sha256.update(chunk),
            Signed::Finished => {}
        }
    }
}

impl fmt::Debug for SchemeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemeState").finish_non_exhaustive()
    }
}
