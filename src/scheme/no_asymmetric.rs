//! Replacement for `asymmetric.rs` without the feature `asymmetric`.
//!
//! Its type for public keys has no values, so the code that handles them needs no `cfg` and never
//! runs.

use http::request::Parts;

use crate::{
    crypto::mac::{Algorithm, Tag},
    outcome::rejection::Rejection,
    scheme::declaration::Scheme,
};

#[derive(Clone)]
pub(crate) enum PublicKeys {}

pub(crate) struct Content;

impl PublicKeys {
    pub(crate) const fn len(&self) -> usize {
        match *self {}
    }

    pub(crate) fn oldest(&self) -> &[u8] {
        match *self {}
    }

    pub(crate) fn content(&self, _: Algorithm) -> Content {
        match *self {}
    }

    pub(crate) fn match_content(
        &self,
        _: &Scheme,
        _: &Parts,
        _: Content,
        _: &[u8],
        _: &[u8],
    ) -> Result<(usize, Tag), Rejection> {
        match *self {}
    }
}

impl Content {
    pub(crate) fn before_body(&mut self, _: &[u8]) {}

    pub(crate) fn body(&mut self, _: &[u8]) {}
}
