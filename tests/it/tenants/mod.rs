//! Lookups in a store of tenants.

#[cfg(feature = "tenants")]
pub(crate) mod cache;
#[cfg(feature = "tenants")]
pub(crate) mod limits;
#[cfg(feature = "tenants")]
pub(crate) mod lookup;
#[cfg(feature = "tenants")]
pub(crate) mod names;
