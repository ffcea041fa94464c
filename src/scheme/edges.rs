//! Checks that the end of each component of the signed content can be found.

use crate::{
    parse::timestamp::TimestampFormat,
    scheme::{
        component::is_open,
        declaration::Scheme,
        signed_content::{Neighbour, Side},
    },
};

impl Scheme {
    /// Returns `true` if this text cannot be split between the timestamp and a component next to
    /// it.
    ///
    /// Where a neighbour is not a literal and could be digits, a number of seconds or milliseconds
    /// must have as many digits as all timestamps of the present.
    pub(crate) fn has_fixed_length(&self, at: usize, text: &[u8]) -> bool {
        let len = match self.time {
            Some((_, TimestampFormat::UnixSeconds)) => 10,
            Some((_, TimestampFormat::UnixMillis)) => 13,
            _ => return true,
        };
        let before = at.checked_sub(1).and_then(|before| self.signed_content.get(before));
        text.len() == len || !is_open(before) && !is_open(self.signed_content.get(at + 1))
    }

    /// Checks a URL like [`check_end`](Self::check_end).
    ///
    /// A URL after the body begins with its scheme, so a literal in the URL could be the end of the
    /// body only if another URL follows the literal.
    pub(crate) fn check_url(&self, side: Side, at: usize, target: &str) -> Option<()> {
        let (Side::AfterBody, Neighbour::Literal(literal)) = (side, self.neighbour(side, at))
        else {
            return self.check_end(side, at, target.as_bytes());
        };
        let mut ends =
            (0..target.len()).filter_map(|at| target.as_bytes().get(at..)?.strip_prefix(literal));
        // The scheme can be in capitals, because a base keeps its case.
        let is = |rest: &[u8], scheme: &[u8]| {
            rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let is_ambiguous = ends.any(|rest| is(rest, b"http") || is(rest, b"ws"));
        (!is_ambiguous).then_some(())
    }

    /// Checks that the end of this value is unambiguous, and returns `None` otherwise.
    ///
    /// `a.b` + `.` + `c` and `a` + `.` + `b.c` would have the same signature. The body can contain
    /// any literal, so a component before it ends at the first occurrence of the literal after the
    /// component. A component after the body begins at the last occurrence of the literal before
    /// it.
    pub(crate) fn check_end(&self, side: Side, at: usize, value: &[u8]) -> Option<()> {
        let literal = match self.neighbour(side, at) {
            Neighbour::Literal(literal) => literal,
            Neighbour::Body => return value.iter().all(is_url_byte).then_some(()),
            Neighbour::End => return Some(()),
        };
        let is_ambiguous = match (literal, side) {
            ([byte], _) => value.contains(byte),
            (_, Side::BeforeBody) => (0..value.len())
                .any(|at| value[at..].iter().chain(literal).take(literal.len()).eq(literal)),
            (_, Side::AfterBody) => (1..=value.len())
                .any(|at| literal.iter().chain(value).skip(at).take(literal.len()).eq(literal)),
        };
        (!is_ambiguous).then_some(())
    }
}

impl Scheme {
    /// Returns `true` if the edge of a body could be a part of the component next to it.
    ///
    /// `from_edge` yields the bytes of the body from that edge. The edge is ambiguous if its first
    /// byte is one that a URL has. For a provider that takes any body, a document must follow as
    /// well.
    pub(crate) fn is_cut<'a>(&self, from_edge: impl Iterator<Item = &'a u8> + Clone) -> bool {
        if !from_edge.clone().next().is_some_and(is_url_byte) {
            return false;
        }
        let mut after_url = from_edge.skip_while(|byte| is_url_byte(byte));
        let next = after_url.find(|byte| !b"\t\r\n".contains(byte));
        !self.takes_any_body || next.is_some_and(|byte| b"{}[]<>\"".contains(byte))
    }
}

/// Returns `true` if a URL can have this byte unescaped. Brackets are left out: only the address of
/// a host has them.
fn is_url_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(byte)
}
