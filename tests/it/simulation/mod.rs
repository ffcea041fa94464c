//! Ten thousand deliveries a second over many nodes, with faults, on a virtual clock.
//!
//! The layers are real. Nodes, their network, the shards of a Redis Cluster and the senders are
//! simulated, in one thread, on a clock that advances only while nothing can run. One seed decides
//! everything, and the same seed gives the same report.
//!
//! `scripts/simulation` runs ten virtual minutes, and the suite two seconds. `SIMULATION_SEED` chooses
//! another seed.

mod chance;
mod cluster;
mod faults;
mod handler;
mod ledger;
mod node;
mod provider;
mod report;
mod rows;
mod shared;
mod store;
mod tests;
mod world;
