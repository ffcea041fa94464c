//! The log of every delivery: what becomes a row, queries, queue, durable mode, masking, and what
//! happens when SQLite fails or the process is killed.

#[cfg(feature = "explain")]
mod causes;
mod contract;
mod durable;
#[cfg(feature = "explain")]
pub(crate) mod explained;
mod faults;
pub(crate) mod helpers;
mod kills;
mod mask;
mod queue;
mod recipes;
mod rows;
mod scripted;
#[cfg(all(
    feature = "asymmetric",
    feature = "metrics",
    feature = "sign",
    feature = "tenants",
    feature = "tracing"
))]
mod sensitive;
mod storage;

use helpers::*;
use scripted::{Mode, Scripted};
