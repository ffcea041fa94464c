//! The store of claims.

use std::{
    collections::hash_map::RandomState,
    error::Error,
    fmt,
    future::Future,
    hash::BuildHasher,
    num::NonZeroU64,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    outcome::replay_key::ReplayKey,
    parse::clock::{Clock, HAS_NO_SYSTEM},
};

/// Store for the claims of a [`ReplayLayer`](super::ReplayLayer).
///
/// Each method is atomic: of two concurrent claims of one key, one is granted. A store bounds the
/// time that its futures take, because the layer waits for them.
///
/// A future does its work when it is created or when it is polled. If it is dropped half-way, the
/// work may or may not have been done.
pub trait ReplayStore: Clone {
    /// Future of a claim.
    type Claim: Future<Output = Result<Claim, StoreError>>;
    /// Future of a commit or a release.
    type Settle: Future<Output = Result<Settled, StoreError>>;

    /// Claims the delivery for the owner of this token, for the time of the lease.
    ///
    /// A claim that is neither committed nor released within its lease is void, and the next one is
    /// granted.
    fn claim(&self, key: &ReplayKey, token: ClaimToken, lease: Duration) -> Self::Claim;

    /// Records that the delivery has been handled, for the time of the retention.
    ///
    /// The commit takes effect even if another owner holds the claim by now: the handler has
    /// succeeded even if its lease has expired. The future then returns [`Settled::Lost`].
    fn commit(&self, key: &ReplayKey, token: ClaimToken, retention: Duration) -> Self::Settle;

    /// Releases the claim, so that the next one is granted.
    ///
    /// A release affects neither the claim of another owner nor a delivery that has been handled.
    fn release(&self, key: &ReplayKey, token: ClaimToken) -> Self::Settle;

    /// Runs this future to its end in the background, because its request was dropped.
    fn settle_in_background(&self, settle: Self::Settle);
}

/// Result of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The delivery has been handled.
    Completed,
    /// The claim is granted to the caller.
    Granted {
        /// Number of handled deliveries that the store evicted before they expired, to make room.
        evicted: u64,
    },
    /// Another owner holds the claim.
    InFlight,
}

/// Result of a commit or a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// The caller held the claim until now.
    Held,
    /// The lease had expired.
    ///
    /// Another owner may have claimed the delivery since.
    Lost,
}

/// Token that distinguishes the owner of a claim from all others, in all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken {
    process: u64,
    /// Never zero, so that the absence of a token takes no space.
    pub(crate) number: NonZeroU64,
}

impl ClaimToken {
    /// Creates a token that no other process has, and that this process has not used before.
    ///
    /// `wasm32-unknown-unknown` has neither randomness nor process IDs, so tokens of different
    /// instances can be equal there.
    #[must_use]
    pub fn unique() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // The standard library seeds it from the system's randomness. Uniqueness suffices: an
        // attacker who can write to the store needs no token.
        let process = PROCESS.get_or_init(|| {
            // To read the process ID on a target without a system ends the program.
            let id = if HAS_NO_SYSTEM { 0 } else { std::process::id() };
            RandomState::new().hash_one((id, Clock::system().now()))
        });
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { process: *process, number: NonZeroU64::MIN.saturating_add(count) }
    }

    /// Returns the bytes that identify the token in a store outside of this process.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.process) << 64 | u128::from(self.number.get())).to_be_bytes()
    }
}

/// Error returned when a replay store cannot respond.
///
/// The layer leaves it in the extensions of its `503 Service Unavailable` response.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<dyn Error + Send + Sync>);

impl StoreError {
    /// Creates an error with this source.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into().into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replay store unavailable: {}", self.0)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
