//! Delivery log in SQLite.

pub(crate) mod connect;
pub(crate) mod error;
pub(crate) mod find;
pub(crate) mod lane;
#[cfg(test)]
pub(crate) mod plan_tests;
pub(crate) mod store;
