//! What decides on a request: the [`Verifier`] trait, and verifiers made of functions and of
//! other verifiers.

pub(crate) mod challenge;
pub(crate) mod combine;
pub(crate) mod context;
pub(crate) mod first_contact;
pub(crate) mod make;
pub(crate) mod outcome;
pub(crate) mod requires;
pub(crate) mod sensitive;
pub(crate) mod source;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod verifier;

pub use self::{
    challenge::{WithChallenge, with_challenge},
    combine::{AllOf, AnyOf, all_of, any_of},
    make::MakeVerifier,
    verifier::{ForTenant, Verifier, VerifierDefaults, VerifierFn, verifier_fn, verify, verify_at},
};
pub use crate::{outcome::field::Field, parse::timestamp::Clock};
