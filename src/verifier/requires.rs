//! Headers that a request must carry before its verifier is looked up.

use std::sync::Arc;

use http::{HeaderName, request::Parts};

use crate::{
    outcome::rejection::Rejection, parse::headers::required_named,
    verifier::sensitive::SensitiveParts,
};

/// Headers that a request must carry before its verifier is looked up.
///
/// A lookup costs a call to your store, and precedes every check of a signature. Name the header in
/// which the provider sends the signature. A request without it is then rejected by its head: it
/// costs no lookup, and no byte of its body is kept.
///
/// ```
/// use http::HeaderName;
/// use tower_webhook::layer::Requires;
///
/// let one = Requires::header(HeaderName::from_static("x-hub-signature-256"));
/// let either = Requires::any_header(
///     ["webhook-signature", "svix-signature"].map(HeaderName::from_static),
/// );
/// # let _ = (one, either);
/// ```
///
/// The header proves nothing: the verifier checks the signature in it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Requires(Headers);

#[derive(Clone, Debug)]
enum Headers {
    None,
    One(HeaderName),
    /// The first header, and the others.
    Any(HeaderName, Arc<[HeaderName]>),
}

impl Requires {
    /// Requires this header, exactly once and not empty.
    pub const fn header(name: HeaderName) -> Self {
        Self(Headers::One(name))
    }

    /// Requires at least one of these headers, exactly once and not empty.
    ///
    /// If there is none, the rejection names the first one. An empty list does not compile.
    pub fn any_header<const N: usize>(names: [HeaderName; N]) -> Self {
        const { assert!(N > 0, "name at least one header") }
        Self(Headers::Any(names[0].clone(), names.into_iter().skip(1).collect()))
    }

    /// Requires no header, for providers whose proof is in the body or in the URL.
    ///
    /// Every unsolicited request then costs a lookup. If the lookup uses the body, the layer also
    /// reads the body of every such request.
    pub const fn nothing() -> Self {
        Self(Headers::None)
    }

    /// Checks that a request has the headers.
    ///
    /// # Errors
    ///
    /// Returns a [`Rejection`] that names the header at fault.
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

    /// Returns the headers as sensitive parts: they carry signatures, regardless of the verifier.
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
