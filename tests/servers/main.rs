//! Tests that need a server beside the suite: PostgreSQL. `cargo test` leaves them out;
//! `cargo test --all-features --test servers` runs them, and needs PostgreSQL's programs.
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed test says where")]
#![allow(dead_code, unused_imports, reason = "what the two suites share serves more in the other")]

mod cluster;
#[path = "../it/log"]
mod log {
    pub(crate) mod contract;
    pub(crate) mod helpers;
    pub(crate) mod kills;

    pub(crate) use helpers::*;
}
#[path = "../it/net.rs"]
mod net;
mod postgres;
#[path = "../it/support.rs"]
mod support;
