//! What stands for `public.rs` without the feature `asymmetric`: a type without values for
//! its keys, so that the code that handles them needs no `cfg` and is never run.

use http::request::Parts;

use super::{Algorithm, Scheme, mac::Tag, reader::VisitCandidate};
use crate::Rejection;

#[derive(Clone)]
pub(super) enum PublicKeys {}

pub(super) struct Content;

impl PublicKeys {
    pub(super) const fn len(&self) -> usize {
        match *self {}
    }

    pub(super) fn oldest(&self) -> &[u8] {
        match *self {}
    }

    pub(super) fn content(&self, _: Algorithm) -> Content {
        match *self {}
    }

    pub(super) fn match_content(
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
    pub(super) fn before_body(&mut self, _: &[u8]) {}

    pub(super) fn body(&mut self, _: &[u8]) {}
}

/// Every tag of an HMAC has its algorithm's length.
pub(super) fn each_candidate(
    _: &Scheme,
    _: &Parts,
    _: &mut VisitCandidate<'_>,
) -> Result<(), Rejection> {
    Err(Rejection::mismatch())
}
