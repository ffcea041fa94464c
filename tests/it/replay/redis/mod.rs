//! When `RedisStore` leaves a connection or a node, without a Redis: the server is the test's own.

mod cluster;
mod errors;
mod replaced;
mod server;

use std::time::Duration;

use tower_webhook::{
    Verified,
    replay::{Claim, ClaimToken, RedisStore, ReplayKey, ReplayStore, StoreError},
};

const LEASE: Duration = Duration::from_secs(60);
const GRANTED: Claim = Claim::Granted { evicted: 0 };

fn key(name: &str) -> ReplayKey {
    Verified::new("test").with_replay_material(name.as_bytes()).replay_key().unwrap()
}

async fn claim(store: &RedisStore, name: &str) -> Result<Claim, StoreError> {
    store.claim(&key(name), ClaimToken::unique(), LEASE).await
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
