//! The signed content but for the body, as the template says.

use http::request::Parts;

use super::{Part, Scheme};
use crate::{PublicUrl, Rejection, RejectionKind, head::required};

/// Which parts of the template.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Side {
    AfterBody,
    BeforeBody,
}

impl Scheme {
    /// Calls `sink` with the bytes of each part on this side of the body.
    pub(crate) fn each_part(
        &self,
        side: Side,
        head: &Parts,
        url: Option<&PublicUrl>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        let mut side_now = Side::BeforeBody;
        for (at, part) in self.template.iter().enumerate() {
            if *part == Part::Body {
                side_now = Side::AfterBody;
                continue;
            }
            if side_now != side {
                continue;
            }
            match *part {
                Part::Body => {}
                Part::Header(name) => {
                    let value = required(head, name)?;
                    self.check_end(side, at, value).ok_or(Rejection::malformed(name))?;
                    sink(value);
                }
                Part::Id => {
                    let name = self.delivery_id.unwrap_or_default();
                    let value = required(head, name)?;
                    self.check_end(side, at, value).ok_or(Rejection::malformed(name))?;
                    sink(value);
                }
                Part::Literal(text) => sink(text.as_bytes()),
                Part::Method => sink(head.method.as_str().as_bytes()),
                Part::Time => sink(self.time_text(head)?.unwrap_or_default()),
                Part::Url => {
                    let url = url.ok_or(Rejection::new(RejectionKind::UnknownUrl))?;
                    sink(url.resolve(head)?.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// `None` when it cannot be told where this value ends: `a.b` + `.` + `c` and `a` + `.` +
    /// `b.c` would be signed alike (T-32).
    ///
    /// The body can hold any literal. So a part before it ends where the literal after the part
    /// first occurs, and a part after it begins where the literal before the part last occurs.
    fn check_end(&self, side: Side, at: usize, value: &[u8]) -> Option<()> {
        let neighbour = match side {
            Side::BeforeBody => at + 1,
            Side::AfterBody => at.checked_sub(1)?,
        };
        let literal = match self.template.get(neighbour) {
            Some(Part::Literal(literal)) => literal.as_bytes(),
            _ => return Some(()),
        };
        let is_ambiguous = match (literal, side) {
            ([], _) => false,
            ([byte], _) => value.contains(byte),
            (_, Side::BeforeBody) => (0..value.len())
                .any(|at| value[at..].iter().chain(literal).take(literal.len()).eq(literal)),
            (_, Side::AfterBody) => (1..=value.len())
                .any(|at| literal.iter().chain(value).skip(at).take(literal.len()).eq(literal)),
        };
        (!is_ambiguous).then_some(())
    }
}
