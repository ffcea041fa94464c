//! Delivery log in SQLite.

pub(crate) mod connect;
pub(crate) mod error;
pub(crate) mod find;
pub(crate) mod lane;
#[cfg(test)]
pub(crate) mod plans;
pub(crate) mod store;
