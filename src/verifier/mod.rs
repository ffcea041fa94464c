//! The [`Verifier`] trait, and verifiers made of functions and of other verifiers.
//!
//! Guide: [custom verifiers](crate::guide::custom_verifiers).
//!
//! [`verifier_fn`] creates a verifier from a function. [`any_of`] and [`all_of`] combine two
//! verifiers: either or both must accept. [`with_challenge`] adds a challenge to a verifier.
//! Implement the trait to reject a request by its head, or to hash the body as it arrives.

pub(crate) mod challenge;
pub(crate) mod closure;
pub(crate) mod combine;
pub(crate) mod context;
pub(crate) mod defaults;
pub(crate) mod delegate;
pub(crate) mod first_contact;
pub(crate) mod function;
pub(crate) mod make;
pub(crate) mod outcome;
#[cfg(feature = "explain")]
pub(crate) mod probe;
pub(crate) mod requires;
pub(crate) mod sensitive;
pub(crate) mod source;
pub(crate) mod tenant;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod verifier;
pub(crate) mod verify;

pub use self::{
    challenge::with_challenge::{WithChallenge, with_challenge},
    combine::{AllOf, AnyOf, all_of, any_of},
    defaults::VerifierDefaults,
    function::{VerifierFn, verifier_fn},
    make::MakeVerifier,
    tenant::ForTenant,
    verifier::Verifier,
    verify::{verify, verify_at, verify_with, verify_with_at},
};
pub use crate::{outcome::field::Field, parse::clock::Clock};
