//! State of a verification by a declared scheme.

use std::fmt;

use crate::{
    crypto::mac::Mac,
    parse::tolerance::SignedTime,
    scheme::{asymmetric::Content, candidates::Received},
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
}

impl SchemeState {
    pub(crate) fn before_body(&mut self, bytes: &[u8]) {
        match &mut self.signed {
            Signed::Keyed(_) => self.body(bytes),
            Signed::Plain(content) => content.before_body(bytes),
            Signed::Finished => {}
        }
    }

    pub(crate) fn body(&mut self, chunk: &[u8]) {
        match &mut self.signed {
            Signed::Keyed(mac) => {
                mac.update(chunk);
                self.rest.iter_mut().for_each(|mac| mac.update(chunk));
            }
            Signed::Plain(content) => content.body(chunk),
            Signed::Finished => {}
        }
    }
}

impl fmt::Debug for SchemeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemeState").finish_non_exhaustive()
    }
}
