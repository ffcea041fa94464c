//! State of a verification by a declared scheme.

use std::{fmt, mem};

use crate::{
    crypto::{mac::Mac, secret_hash::SecretHash},
    parse::tolerance::SignedTime,
    scheme::{
        asymmetric::Content, candidates::Received, component::BodyDigest, signed_content::Piece,
    },
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
    /// The plain hashes with all secrets.
    Hashed(Vec<SecretHash>),
    /// The body's digest is signed in place of the body. Boxed for the same reason.
    Digested(Box<Digested>),
}

/// Signed content before the body, and the digest of the body.
pub(crate) struct Digested {
    before: Signed,
    body: BodyDigest,
}

impl SchemeState {
    pub(crate) fn before_body(&mut self, bytes: &[u8]) {
        match &mut self.signed {
            Signed::Keyed(_) | Signed::Hashed(_) => self.body(bytes),
            Signed::Plain(content) => content.before_body(bytes),
            Signed::Finished | Signed::Digested(_) => {}
        }
    }

    /// Adds a piece of the content of plain hashes.
    pub(crate) fn piece(&mut self, piece: Piece<'_>) {
        match (&mut self.signed, piece) {
            (Signed::Hashed(hashes), Piece::Secret) => {
                hashes.iter_mut().for_each(SecretHash::update_with_secret);
            }
            (_, Piece::Bytes(bytes)) => self.before_body(bytes),
            (_, Piece::Secret) => {}
        }
    }

    /// Hashes the body from now on, so that its digest is signed.
    #[cold]
    pub(crate) fn digest_body(&mut self, body: BodyDigest) {
        let before = mem::replace(&mut self.signed, Signed::Finished);
        self.signed = Signed::Digested(Box::new(Digested { before, body }));
    }

    /// Adds the digest of the body in its place. Returns `true` if there is one.
    #[inline]
    pub(crate) fn end_of_body(&mut self) -> bool {
        matches!(self.signed, Signed::Digested(_)) && self.add_digest()
    }

    #[cold]
    fn add_digest(&mut self) -> bool {
        if let Signed::Digested(digested) = mem::replace(&mut self.signed, Signed::Finished) {
            self.signed = digested.before;
            digested.body.finish(|bytes| self.before_body(bytes));
        }
        true
    }

    #[inline]
    pub(crate) fn body(&mut self, chunk: &[u8]) {
        match &mut self.signed {
            Signed::Keyed(mac) => {
                mac.update(chunk);
                self.rest.iter_mut().for_each(|mac| mac.update(chunk));
            }
            _ => self.other_body(chunk),
        }
    }

    /// Adds a chunk to what is not a MAC.
    #[inline(never)]
    fn other_body(&mut self, chunk: &[u8]) {
        match &mut self.signed {
            Signed::Plain(content) => content.body(chunk),
            Signed::Hashed(hashes) => hashes.iter_mut().for_each(|hash| hash.update(chunk)),
            Signed::Digested(digested) => digested.body.update(chunk),
            Signed::Finished | Signed::Keyed(_) => {}
        }
    }
}

impl fmt::Debug for SchemeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemeState").finish_non_exhaustive()
    }
}
