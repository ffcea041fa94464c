//! A replay store in memory.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, hash_map},
    fmt,
    future::{Ready, ready},
    mem,
    num::NonZeroU64,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    outcome::replay_key::ReplayKey,
    parse::clock::{Clock, steady},
    replay::store::{Claim, ClaimToken, ReplayStore, Settled, StoreError},
};

/// Replay store in the memory of one process, with a bounded size and expiry.
///
/// Clones share the store. It is per-process and does not survive a restart: a delivery that was
/// handled before the restart is handled again if it is repeated within the verifier's tolerance.
/// With several processes, or if restarts matter, use a store in Redis.
///
/// The store removes expired deliveries only once half of its capacity is used, because a clock
/// that is set back makes them acceptable again. If it is full of unexpired deliveries, it evicts
/// the one that expires next, and the layer [reports the
/// eviction](crate::observe::EventKind::Evicted). It never evicts a claim: if it is full of claims,
/// further claims fail, and the layer responds with `503 Service Unavailable`.
#[derive(Clone)]
pub struct MemoryReplayStore(Arc<Inner>);

struct Inner {
    deliveries: Mutex<Deliveries>,
    max: usize,
    clock: Clock,
    created: SystemTime,
    /// Creation time by the [steady](steady) clock.
    started: Duration,
}

/// Maximum size of a delivery: its entry in a map that has just grown and in the previous map, and
/// its place in the order of expiry.
const BYTES_PER_DELIVERY: usize = 256;

/// First half of a [`ReplayKey`], so that an entry takes half a cache line.
///
/// To find two deliveries with the same 128 bits of a SHA-256 hash, an attacker would have to
/// search among 2^64 signed ones.
type Key = [u64; 2];

fn first_half(key: &ReplayKey) -> Key {
    let word = |at| key.as_ref()[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    [word(0), word(8)]
}

struct Deliveries {
    max: usize,
    entries: HashMap<Key, Entry>,
    /// Handled deliveries in the order of expiry.
    ///
    /// An entry that is claimed again after it has expired leaves an obsolete place behind, which
    /// is skipped.
    order: BinaryHeap<Reverse<(Nanos, Key)>>,
    in_flight: usize,
    evicted: u64,
}

/// Nanoseconds since the store was created: enough for 584 years.
type Nanos = u64;

#[derive(Clone, Copy)]
struct Entry {
    until: Nanos,
    /// Number of the claim's token; all tokens are from this process.
    ///
    /// `None` once the delivery has been handled.
    owner: Option<NonZeroU64>,
}

impl Entry {
    fn is_kept(&self, now: Now) -> bool {
        self.until > if self.owner.is_some() { now.steady } else { now.earliest }
    }
}

impl MemoryReplayStore {
    /// Creates a store for up to `max_deliveries` deliveries (at least 1), of at most 256 bytes
    /// each.
    #[must_use]
    pub fn new(max_deliveries: usize) -> Self {
        Self::with(max_deliveries.max(1), Clock::default())
    }

    /// Creates a store for the deliveries that fit into this number of bytes (at least one).
    #[must_use]
    pub fn with_max_bytes(bytes: usize) -> Self {
        Self::new(bytes / BYTES_PER_DELIVERY)
    }

    /// Sets the clock to use instead of the system clock, for tests and for targets without one.
    ///
    /// Empties the store.
    #[must_use]
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        Self::with(self.0.max, clock.into())
    }

    fn with(max: usize, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            deliveries: Mutex::new(Deliveries::new(max)),
            max,
            created: clock.now(),
            started: steady(),
            clock,
        }))
    }

    /// Returns the maximum number of deliveries in the store.
    #[must_use]
    pub fn max_deliveries(&self) -> usize {
        self.0.max
    }

    /// Returns the number of deliveries that are claimed, and neither committed nor released yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// Returns the number of deliveries in the store, both claimed and handled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Returns `true` if the store is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Locks the deliveries, even if the lock is poisoned: no code panics while it holds the lock,
    /// and to fail for good would be worse.
    fn lock(&self) -> MutexGuard<'_, Deliveries> {
        self.0.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Inner {
    fn now(&self) -> Now {
        let by_clock = self.clock.now().duration_since(self.created);
        let by_clock = nanos(by_clock.unwrap_or_default());
        // A clock that was set replaces both.
        let steady = if self.clock.is_system() {
            nanos(steady().saturating_sub(self.started))
        } else {
            by_clock
        };
        Now { steady, earliest: steady.min(by_clock), latest: steady.max(by_clock) }
    }
}

/// Time by two clocks: the one that verifiers use, which can be set back, and a monotonic one.
#[derive(Clone, Copy)]
struct Now {
    /// For claims: the duration of a handler does not depend on the time of day.
    steady: Nanos,
    /// For handled deliveries: they expire once both clocks agree.
    ///
    /// Otherwise a clock that is set back would make them acceptable again.
    earliest: Nanos,
    latest: Nanos,
}

impl ReplayStore for MemoryReplayStore {
    type Claim = Ready<Result<Claim, StoreError>>;
    type Settle = Ready<Result<Settled, StoreError>>;

    fn claim(&self, key: &ReplayKey, token: ClaimToken, lease: Duration) -> Self::Claim {
        let (key, now) = (first_half(key), self.0.now());
        let until = now.steady.saturating_add(nanos(lease));
        ready(self.lock().claim(key, token.number, now, until))
    }

    fn commit(&self, key: &ReplayKey, token: ClaimToken, retention: Duration) -> Self::Settle {
        let (key, now) = (first_half(key), self.0.now());
        let until = now.latest.saturating_add(nanos(retention));
        ready(Ok(self.lock().commit(key, token.number, now, until)))
    }

    fn release(&self, key: &ReplayKey, token: ClaimToken) -> Self::Settle {
        let key = first_half(key);
        ready(Ok(self.lock().release(key, token.number, self.0.now())))
    }

    /// Does nothing: the work was done when the future was created.
    fn settle_in_background(&self, _: Self::Settle) {}
}

impl Deliveries {
    fn new(max: usize) -> Self {
        // A small allocation up front, so that no request of a quiet service pays for growth.
        let room = max.min(1024);
        Self {
            max,
            entries: HashMap::with_capacity(room),
            order: BinaryHeap::with_capacity(room),
            in_flight: 0,
            evicted: 0,
        }
    }

    fn claim(
        &mut self,
        key: Key,
        owner: NonZeroU64,
        now: Now,
        until: Nanos,
    ) -> Result<Claim, StoreError> {
        self.forget_expired(now);
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            self.make_room(now)?;
        }
        let granted = Entry { until, owner: Some(owner) };
        match self.entries.entry(key) {
            hash_map::Entry::Vacant(place) => {
                place.insert(granted);
                self.in_flight += 1;
            }
            hash_map::Entry::Occupied(mut place) => {
                let entry = place.get_mut();
                if entry.is_kept(now) {
                    return Ok(entry.owner.map_or(Claim::Completed, |_| Claim::InFlight));
                }
                self.in_flight += usize::from(entry.owner.is_none());
                *entry = granted;
            }
        }
        Ok(Claim::Granted { evicted: mem::take(&mut self.evicted) })
    }

    fn commit(&mut self, key: Key, owner: NonZeroU64, now: Now, until: Nanos) -> Settled {
        self.order.push(Reverse((until, key)));
        let handled = Entry { until, owner: None };
        let before = match self.entries.get_mut(&key) {
            Some(entry) => mem::replace(entry, handled),
            None => {
                // A claim whose lease has expired may have been removed. Record the success even if
                // the store is full: the next claim makes room.
                self.entries.insert(key, handled);
                return Settled::Lost;
            }
        };
        self.in_flight -= usize::from(before.owner.is_some());
        let is_held = before.owner == Some(owner) && before.is_kept(now);
        if is_held { Settled::Held } else { Settled::Lost }
    }

    fn release(&mut self, key: Key, owner: NonZeroU64, now: Now) -> Settled {
        match self.entries.get(&key).copied() {
            Some(Entry { owner: Some(holder), until }) if holder == owner => {
                self.entries.remove(&key);
                self.in_flight -= 1;
                if until > now.steady { Settled::Held } else { Settled::Lost }
            }
            _ => Settled::Lost,
        }
    }

    /// Removes a few expired deliveries at a time, so that no request pays for all: each claim adds
    /// at most one.
    ///
    /// While there is room, expired deliveries stay, because a clock that is set back makes them
    /// acceptable again.
    fn forget_expired(&mut self, now: Now) {
        if self.entries.len() <= self.max / 2 {
            return;
        }
        for _ in 0..8 {
            match self.order.peek() {
                Some(Reverse((until, _))) if *until <= now.earliest => self.forget_next(),
                _ => return,
            };
        }
    }

    /// Takes the next place out of the order, and removes its delivery.
    ///
    /// Returns `Some(None)` if the delivery has been claimed or handled again since, and `None` if
    /// there is no place.
    fn forget_next(&mut self) -> Option<Option<Nanos>> {
        let Reverse((until, key)) = self.order.pop()?;
        let entry = self.entries.get(&key);
        if entry.is_none_or(|entry| entry.owner.is_some() || entry.until != until) {
            return Some(None);
        }
        self.entries.remove(&key);
        Some(Some(until))
    }

    fn make_room(&mut self, now: Now) -> Result<(), StoreError> {
        while self.entries.len() >= self.max {
            if let Some(forgotten) = self.forget_next() {
                self.evicted += u64::from(forgotten.is_some_and(|until| until > now.earliest));
                continue;
            }
            // Only claims are left. Those with an expired lease belong to futures that were leaked,
            // not dropped.
            self.entries.retain(|_, entry| entry.until > now.steady);
            self.in_flight = self.entries.len();
            if self.entries.len() >= self.max {
                return Err(StoreError::new("full of deliveries that are being handled"));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryReplayStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayStore")
            .field("max_deliveries", &self.0.max)
            .field("clock", &self.0.clock)
            .finish_non_exhaustive()
    }
}
