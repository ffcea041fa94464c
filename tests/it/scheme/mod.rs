//! Declared schemes.

#[cfg(feature = "asymmetric")]
pub(crate) mod asymmetric;
pub(crate) mod declaration;
pub(crate) mod families;
pub(crate) mod places;
pub(crate) mod plain_hashes;
