//! Tests against real servers, PostgreSQL, Redis and nginx, which they start and stop themselves. They
//! are no part of `cargo test`, which needs nothing but Rust; `cargo test --all-features --test servers`
//! runs them, and needs the programs of all three.
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed test says where")]
#![allow(dead_code, unused_imports, reason = "what the two suites share serves more in the other")]

mod cluster;
#[path = "../it/delivery_log"]
mod delivery_log {
    pub(crate) mod contract;
    #[cfg(feature = "explain")]
    pub(crate) mod explained;
    pub(crate) mod helpers;
    pub(crate) mod kills;
    pub(crate) mod recipes;

    pub(crate) use helpers::*;
}
mod explain;
#[path = "../it/net.rs"]
mod net;
mod nginx;
mod postgres;
mod postgres_partition_drops;
mod postgres_partitions;
mod postgres_storage;
mod redis;
#[path = "../it/support.rs"]
mod support;
