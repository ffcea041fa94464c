//! A replay store in Redis.

pub(crate) mod ask;
pub(crate) mod connection;
pub(crate) mod errors;
pub(crate) mod store;
