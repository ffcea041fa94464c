//! Delivery log in PostgreSQL.

pub(crate) mod error;
pub(crate) mod find;
pub(crate) mod lane;
pub(crate) mod store;
