//! Which verifier decides on a request: always the same one, or one looked up for it.

use std::future::{Future, Ready, ready};

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    outcome::rejection::Rejection,
    verifier::{
        context::Context, defaults::VerifierDefaults, sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// Makes the verifier for one request, for example with the secret of the tenant that the path
/// names.
///
/// Every [`Verifier`] that is `Clone` is one: it makes clones of itself, without a box and without
/// waiting. A closure needs no type of its own: see
/// [`SignatureLayer::by_head`](crate::SignatureLayer::by_head).
#[diagnostic::on_unimplemented(
    message = "`{Self}` neither is nor makes a webhook verifier",
    label = "not a `Verifier + Clone`, and not a `MakeVerifier`",
    note = "use a provider such as `Meta::new(secret)`, a declared `Scheme`'s `verifier(secret)`, \
            `verifier_fn(…)`, `SignatureLayer::by_head(…)` for look-ups, or implement `Verifier`",
    note = "a verifier that is not `Clone` can be put into an `Arc`"
)]
pub trait MakeVerifier {
    /// What is made.
    type Verifier: Verifier;
    /// Makes it.
    type Future: Future<Output = Result<Self::Verifier, Rejection>>;

    /// Makes the verifier for the request with this head.
    fn make_verifier(&self, head: &Parts) -> Self::Future;

    /// The provider's name, the status of refusals and the body limit, for every request alike: a
    /// status that depended on the tenant would tell which tenants exist.
    fn defaults(&self) -> VerifierDefaults {
        VerifierDefaults::DEFAULT
    }

    /// Answers an unsigned request that is no delivery, before a verifier is made; see
    /// [`Verifier::first_contact`].
    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let _ = (request, body);
        None
    }

    /// Returns the parts of every request that may hold a secret or a signature, whichever verifier
    /// is made: by default those that the defaults name. Those of the verifier are added once it is made.
    fn sensitive_parts(&self) -> SensitiveParts {
        self.defaults().sensitive_parts()
    }
}

impl<V: Verifier + Clone> MakeVerifier for V {
    type Verifier = V;
    type Future = Ready<Result<V, Rejection>>;

    fn make_verifier(&self, _: &Parts) -> Self::Future {
        ready(Ok(self.clone()))
    }

    fn first_contact(&self, request: &Context<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        Verifier::first_contact(self, request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        Verifier::defaults(self)
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        Verifier::sensitive_parts(self)
    }
}
