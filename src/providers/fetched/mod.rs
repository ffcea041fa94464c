//! Providers whose public keys are fetched.

pub(crate) mod circle;
pub(crate) mod ebay;
pub(crate) mod github;
pub(crate) mod key_sets;
pub(crate) mod keyless;
#[cfg(feature = "certificates")]
pub(crate) mod sns;
