//! Comparison of the tags of all secrets with all candidate signatures.

use std::{iter, mem};

use http::request::Parts;

use crate::{
    crypto::mac::{KeyMatch, KeyMatches, Mac, Tag},
    outcome::rejection::Rejection,
    scheme::{
        candidates::Received,
        state::{SchemeState, Signed},
        verifier::Inner,
    },
};

impl Inner {
    /// Returns the index of the first secret that made a signature, and writes the tag under the
    /// oldest secret.
    ///
    /// A rotation does not change that tag until the oldest secret is removed. Every tag is compared
    /// with every candidate.
    pub(crate) fn match_tags(
        &self,
        state: &mut SchemeState,
        head: &Parts,
        oldest: &mut Tag,
    ) -> Result<usize, Rejection> {
        let Signed::Keyed(first) = mem::replace(&mut state.signed, Signed::Finished) else {
            return Err(Rejection::mismatch());
        };
        let rest = mem::take(&mut state.rest);
        let Received::One(candidate) = &state.received else {
            return self.match_several((first, rest), head, oldest);
        };
        let candidate = &candidate[..self.scheme.algorithm.tag_len()];
        let mut matched = KeyMatch::new();
        first.finalize_into(oldest);
        matched.add(0, oldest.matches(candidate));
        for (index, mac) in rest.into_iter().enumerate() {
            mac.finalize_into(oldest);
            matched.add(1 + index, oldest.matches(candidate));
        }
        matched.accepted()
    }

    /// Does the same for candidates that are read again. Each is decoded once for all secrets.
    fn match_several(
        &self,
        (first, rest): (Mac, Vec<Mac>),
        head: &Parts,
        oldest: &mut Tag,
    ) -> Result<usize, Rejection> {
        let tags: Vec<_> = iter::once(first).chain(rest).map(Mac::finalize).collect();
        self.match_each(&tags, head, oldest)
    }

    /// Compares the tags of all secrets with each candidate.
    pub(crate) fn match_each(
        &self,
        tags: &[Tag],
        head: &Parts,
        oldest: &mut Tag,
    ) -> Result<usize, Rejection> {
        let mut matches = KeyMatches::of_keys(tags.len());
        self.scheme.each_candidate(head, &mut |candidate| {
            if let Some(candidate) = candidate {
                matches.add(tags, candidate);
            }
            Ok(())
        })?;
        *oldest = tags.last().copied().unwrap_or(Tag::empty());
        matches.accepted()
    }
}
