//! Declared schemes.

#[cfg(feature = "asymmetric")]
pub(crate) mod asymmetric;
pub(crate) mod declaration;
pub(crate) mod families;
#[cfg(feature = "sign")]
pub(crate) mod places;
#[cfg(feature = "sign")]
pub(crate) mod plain_hashes;
