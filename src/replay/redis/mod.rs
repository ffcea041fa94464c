//! A replay store in Redis.

pub(crate) mod address;
pub(crate) mod ask;
pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod errors;
pub(crate) mod servers;
pub(crate) mod slots;
pub(crate) mod store;
