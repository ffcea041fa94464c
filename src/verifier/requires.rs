//! Headers without which a request is refused before its verifier is looked up.

use std::sync::Arc;

use http::{HeaderName, request::Parts};

use crate::{
    outcome::rejection::Rejection, parse::headers::required_named,
    verifier::sensitive::SensitiveParts,
};

/// The headers that a request must carry before its verifier is looked up.
///
/// A look-up costs a call of your store, and until it has been made nobody has looked for a
/// signature. Name the header in which the provider sends it: a request without it is then refused
/// from the head: it costs no look-up, and no byte of its body is kept.
///
/// ```
/// use http::HeaderName;
/// use tower_webhook::layer::Requires;
///
/// let one = Requires::header(HeaderName::from_static("x-hub-signature-256"));
/// let either = Requires::any_header(["webhook-signature", "svix-signature"].map(HeaderName::from_static));
/// # let _ = (one, either);
/// ```
///
/// A header says nothing about the signature in it, which the verifier checks.
#[derive(Clone, Debug)]
#[must_use]
pub struct Requires(Headers);

#[derive(Clone, Debug)]
enum Headers {
    None,
    One(HeaderName),
    /// The first one, and the others.
    Any(HeaderName, Arc<[HeaderName]>),
}

impl Requires {
    /// Requires this header, exactly once and not empty.
    pub const fn header(name: HeaderName) -> Self {
        Self(Headers::One(name))
    }

    /// Requires at least one of these headers, exactly once and not empty. A request without any is
    /// refused for the first one's sake. An empty list does not compile.
    pub fn any_header<const N: usize>(names: [HeaderName; N]) -> Self {
        const { assert!(N > 0, "name at least one header") }
        Self(Headers::Any(names[0].clone(), names.into_iter().skip(1).collect()))
    }

    /// Requires no header: for providers whose proof stands in the body or in the URL.
    ///
    /// Every request of a stranger then costs a look-up, and behind a look-up by the body its body
    /// is read as well.
    pub const fn nothing() -> Self {
        Self(Headers::None)
    }

    /// Refuses a request without the headers.
    pub(crate) fn check(&self, head: &Parts) -> Result<(), Rejection> {
        let has = |name| required_named(head, name).map(drop);
        match &self.0 {
            Headers::None => Ok(()),
            Headers::One(name) => has(name),
            Headers::Any(first, others) => has(first).or_else(|rejection| {
                if others.iter().any(|name| has(name).is_ok()) { Ok(()) } else { Err(rejection) }
            }),
        }
    }

    /// They are where signatures stand, whichever verifier is looked up.
    pub(crate) fn sensitive_parts(&self) -> SensitiveParts {
        let parts = SensitiveParts::none();
        match &self.0 {
            Headers::None => parts,
            Headers::One(name) => parts.header(name.clone()),
            Headers::Any(first, others) => {
                others.iter().cloned().fold(parts.header(first.clone()), SensitiveParts::header)
            }
        }
    }
}
