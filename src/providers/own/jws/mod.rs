//! Providers that sign with a detached JSON Web Signature.

pub(crate) mod fireblocks;
pub(crate) mod neon_auth;
pub(crate) mod open_banking;
pub(crate) mod rules;
#[cfg(feature = "sign")]
mod sign;
pub(crate) mod truelayer;
pub(crate) mod verifier;
