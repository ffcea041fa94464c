//! Providers whose public keys are fetched.

pub(crate) mod circle;
pub(crate) mod github;
pub(crate) mod keyless;
