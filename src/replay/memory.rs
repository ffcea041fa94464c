//! Claims in this process's memory.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, hash_map},
    fmt,
    future::{Ready, ready},
    hash::{BuildHasher, Hasher, RandomState},
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

/// Claims in this process's memory, bounded and expiring.
///
/// Clones share it. It is for one process, and forgets with it: what was handled before a restart
/// is handled again when it comes again within the verifier's tolerance. With several processes, or
/// where restarts matter, keep claims in Redis.
///
/// What has expired is forgotten once half of its room is used: a clock that is set back makes
/// deliveries acceptable again. When it is full of deliveries that are still to be remembered, the one that would be forgotten
/// next is forgotten at once, and the layer [tells so](crate::observe::EventKind::Evicted). A claim
/// is never evicted: when all there is are claims, further ones fail, which the layer answers with
/// 503.
#[derive(Clone)]
pub struct MemoryReplayStore(Arc<Inner>);

struct Inner {
    shards: Box<[Mutex<Shard>]>,
    max: usize,
    clock: Clock,
    created: SystemTime,
    /// By the [steady](steady) clock.
    started: Duration,
}

/// Enough for many cores; few enough that each holds its share of the deliveries.
const SHARDS: usize = 16;

/// The most that a delivery takes: its entry in a map that has just been grown and in its
/// predecessor, and its place in the order of expiry.
const BYTES_PER_DELIVERY: usize = 256;

/// Half of a [`ReplayKey`], so that an entry is half a cache line. Two deliveries with the same 128
/// bits of a SHA-256 would have to be looked for among 2^64 that were signed.
type Key = [u64; 2];

fn half(key: &ReplayKey) -> Key {
    let word = |at| key.as_ref()[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    [word(0), word(8)]
}

struct Shard {
    max: usize,
    entries: HashMap<Key, Entry, KeyHasher>,
    /// What has been handled, in the order in which it may be forgotten. An entry that was claimed
    /// again after its time leaves its old place behind, which is skipped.
    order: BinaryHeap<Reverse<(Nanos, Key)>>,
    in_flight: usize,
    evicted: u64,
}

/// Since the store was made: enough for 584 years.
type Nanos = u64;

#[derive(Clone, Copy)]
struct Entry {
    until: Nanos,
    /// The number of a token, all of which are this process's. `None` once the delivery has been
    /// handled.
    owner: Option<NonZeroU64>,
}

impl Entry {
    fn is_kept(&self, now: Now) -> bool {
        self.until > if self.owner.is_some() { now.steady } else { now.earliest }
    }
}

impl MemoryReplayStore {
    /// Remembers at most so many deliveries, in at most 256 bytes each. A store for fewer than one
    /// is one for one.
    #[must_use]
    pub fn new(max_deliveries: usize) -> Self {
        Self::with(max_deliveries.max(1), Clock::default())
    }

    /// Remembers deliveries in at most so many bytes.
    #[must_use]
    pub fn with_max_bytes(bytes: usize) -> Self {
        Self::new(bytes / BYTES_PER_DELIVERY)
    }

    /// Sets the clock, in place of the system's: for tests, and for targets without one. The store is empty afterwards.
    #[must_use]
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        Self::with(self.0.max, clock.into())
    }

    fn with(max: usize, clock: Clock) -> Self {
        // A small store is one piece, so that it is full only when it is full.
        let shards = if max < 1024 * SHARDS { 1 } else { SHARDS };
        Self(Arc::new(Inner {
            shards: (0..shards).map(|_| Mutex::new(Shard::new(max / shards))).collect(),
            max,
            created: clock.now(),
            started: steady(),
            clock,
        }))
    }

    /// The most deliveries that it remembers.
    #[must_use]
    pub fn max_deliveries(&self) -> usize {
        self.0.max
    }

    /// How many deliveries are claimed, and neither committed nor released yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.shards.iter().map(|shard| lock(shard).in_flight).sum()
    }

    /// How many deliveries it holds: claims, and what is remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.shards.iter().map(|shard| lock(shard).entries.len()).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, [first, _]: Key) -> MutexGuard<'_, Shard> {
        // One of 16 or one.
        lock(&self.0.shards[usize::from(first as u8) % self.0.shards.len()])
    }
}

fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Nothing in here panics half-way; and to stop for good would be worse.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn now(&self) -> Now {
        let by_clock = self.clock.now().duration_since(self.created);
        let by_clock = nanos(by_clock.unwrap_or_default());
        // A clock that was set is the only one.
        let steady = if self.clock.is_system() {
            nanos(steady().saturating_sub(self.started))
        } else {
            by_clock
        };
        Now { steady, earliest: steady.min(by_clock), latest: steady.max(by_clock) }
    }
}

/// The time by two clocks: the one that verifiers judge by, which can be set back, and one that no
/// correction moves.
#[derive(Clone, Copy)]
struct Now {
    /// For claims: a handler takes as long whatever the time is.
    steady: Nanos,
    /// For what has been handled: it is forgotten once both clocks say so, or a clock that is set
    /// back would make it acceptable again.
    earliest: Nanos,
    latest: Nanos,
}

impl ReplayStore for MemoryReplayStore {
    type Claim = Ready<Result<Claim, StoreError>>;
    type Settle = Ready<Result<Settled, StoreError>>;

    fn claim(&self, key: &ReplayKey, token: ClaimToken, lease: Duration) -> Self::Claim {
        let (key, now) = (half(key), self.0.now());
        let until = now.steady.saturating_add(nanos(lease));
        ready(self.shard(key).claim(key, token.number, now, until))
    }

    fn commit(&self, key: &ReplayKey, token: ClaimToken, retention: Duration) -> Self::Settle {
        let (key, now) = (half(key), self.0.now());
        let until = now.latest.saturating_add(nanos(retention));
        ready(Ok(self.shard(key).commit(key, token.number, now, until)))
    }

    fn release(&self, key: &ReplayKey, token: ClaimToken) -> Self::Settle {
        let key = half(key);
        ready(Ok(self.shard(key).release(key, token.number, self.0.now())))
    }

    /// The work was done when the future was made.
    fn settle_in_background(&self, _: Self::Settle) {}
}

impl Shard {
    fn new(max: usize) -> Self {
        // Little, so that no request of a quiet service pays for growth.
        let room = max.min(1024);
        Self {
            max,
            entries: HashMap::with_capacity_and_hasher(room, KeyHasher::new()),
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
                // A claim whose lease has run out may have lost its place. That the delivery has
                // been handled is kept even where there is no room: the next claim makes some.
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

    /// A few at a time, so that no request pays for all: each claim adds at most one. While there is
    /// room what has expired stays, because a clock that is set back makes it count again.
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

    /// Takes the next place out of the order, and forgets the delivery that it is of.
    ///
    /// `Some(None)` when that has been claimed again, or handled again, since.
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
            // What is left are claims. Those whose lease has run out are of futures that were
            // leaked, and were never dropped.
            self.entries.retain(|_, entry| entry.until > now.steady);
            self.in_flight = self.entries.len();
            if self.entries.len() >= self.max {
                return Err(StoreError::new("it is full of deliveries that are being handled"));
            }
        }
        Ok(())
    }
}

/// Keys are hashes already. What is still needed is a secret factor, or whoever can sign could look
/// for deliveries whose keys fall into one place of the map.
#[derive(Clone, Copy)]
struct KeyHasher {
    secret: [u64; 2],
    folded: u64,
}

impl KeyHasher {
    fn new() -> Self {
        let random = RandomState::new();
        Self { secret: [random.hash_one(0), random.hash_one(1) | 1], folded: 0 }
    }
}

impl BuildHasher for KeyHasher {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for KeyHasher {
    /// The second word is enough, and the first has chosen the shard.
    fn write(&mut self, key: &[u8]) {
        let word = key.last_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
        let [mask, factor] = self.secret;
        let product = u128::from(word ^ mask) * u128::from(factor);
        self.folded = (product ^ product >> 64) as u64;
    }

    /// The number of words, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.folded
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
