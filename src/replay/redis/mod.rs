//! Claims in Redis, for several processes.

mod ask;
mod connection;
mod errors;
mod store;

pub use self::{ask::RedisFuture, store::RedisStore};
