//! Where claims are kept.

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

/// Keeps the claims of a [`ReplayLayer`](super::ReplayLayer).
///
/// Each method is atomic: of two claims of one key that come at the same time, one is granted. A
/// store bounds the time that its futures take; the layer waits for them.
///
/// A future does its work when it is made or when it is polled. One that is dropped half-way may or
/// may not have done it.
pub trait ReplayStore: Clone {
    /// Claims.
    type Claim: Future<Output = Result<Claim, StoreError>>;
    /// Commits or releases.
    type Settle: Future<Output = Result<Settled, StoreError>>;

    /// Claims the delivery for the owner of this token, for so long. A claim that was neither
    /// committed nor released within its lease is void, and the next one is granted.
    fn claim(&self, key: &ReplayKey, token: ClaimToken, lease: Duration) -> Self::Claim;

    /// Remembers for so long that the delivery has been handled.
    ///
    /// This holds whoever has the claim by now: that the handler succeeded stays true when its
    /// lease has run out. [`Settled::Lost`] says that it had.
    fn commit(&self, key: &ReplayKey, token: ClaimToken, retention: Duration) -> Self::Settle;

    /// Gives the claim up, so that the next one is granted. It takes nothing from another owner,
    /// and nothing from a delivery that has been handled.
    fn release(&self, key: &ReplayKey, token: ClaimToken) -> Self::Settle;

    /// Runs this future to its end, although nobody waits for it: the request was dropped.
    fn settle_in_background(&self, settle: Self::Settle);
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The delivery has been handled.
    Completed,
    /// It is the caller's.
    Granted {
        /// How many handled deliveries the store forgot before their time, to make room.
        evicted: u64,
    },
    /// It is another's.
    InFlight,
}

/// What a commit or a release found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// The claim was the caller's until now.
    Held,
    /// The lease had run out; another may have claimed the delivery since.
    Lost,
}

/// Tells the owner of a claim from all others, in all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken {
    process: u64,
    /// Never zero, so that the absence of a token takes no room.
    pub(crate) number: NonZeroU64,
}

impl ClaimToken {
    /// One that no other process has, nor this one had before. `wasm32-unknown-unknown` has neither randomness nor process
    /// ids, so there it is not known from another instance's.
    #[must_use]
    pub fn unique() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // The standard library seeds it from the system's randomness. Uniqueness is all that is
        // needed: whoever could write to the store needs no token.
        let process = PROCESS.get_or_init(|| {
            // To ask for an id without a system ends the program.
            let id = if HAS_NO_SYSTEM { 0 } else { std::process::id() };
            RandomState::new().hash_one((id, Clock::system().now()))
        });
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { process: *process, number: NonZeroU64::MIN.saturating_add(count) }
    }

    /// What a store outside of this process knows it by.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.process) << 64 | u128::from(self.number.get())).to_be_bytes()
    }
}

/// A store could not answer. The layer leaves it in the extensions of its 503.
#[derive(Clone, Debug)]
pub struct StoreError(Arc<dyn Error + Send + Sync>);

impl StoreError {
    /// For this reason.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into().into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the replay store cannot answer: {}", self.0)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
