//! Claims in Redis, for several processes.

// Without it `SignatureLayer` has no body deadline, although there is a timer.
#[cfg(not(feature = "tokio"))]
compile_error!("the feature `redis` turns on the feature `tokio`");

mod ask;
mod connection;
mod errors;
mod store;

pub use self::{ask::RedisFuture, store::RedisStore};
