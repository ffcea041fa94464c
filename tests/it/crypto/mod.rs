//! Secrets and keys.

#[cfg(all(feature = "asymmetric", feature = "sign"))]
pub(crate) mod private_keys;
pub(crate) mod secrets;
pub(crate) mod wycheproof;
