//! One binary, so that the suite is linked once.
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed test says where")]

mod adversarial;
mod code;
mod crypto;
#[cfg(feature = "delivery-log-sqlite")]
mod delivery_log;
mod docs;
mod examples;
#[cfg(feature = "explain")]
mod explain;
#[cfg(feature = "fetched-keys")]
mod fetched_keys;
mod frameworks;
mod genuine;
mod layer;
mod net;
mod observe;
mod outcome;
mod providers;
mod replay;
mod scheme;
#[cfg(all(feature = "delivery-log", feature = "sign"))]
mod simulation;
mod support;
mod tenants;
mod verifier;
