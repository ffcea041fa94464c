//! The replay guard's store in memory, held to a plain list.

#![no_main]

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    Verified,
    replay::{Claim, ClaimToken, MemoryReplayStore, ReplayKey, ReplayStore, Settled},
};
use tower_webhook_fuzz::NOW;

#[derive(Arbitrary, Debug)]
struct Input {
    capacity: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Claim { key: u8, owner: u8, lease: u8 },
    Commit { key: u8, owner: u8, retention: u8 },
    Release { key: u8, owner: u8 },
    Time(u8),
}

/// One delivery: until when, and whose claim it is if it has not been handled.
struct Entry {
    key: ReplayKey,
    until: u64,
    owner: Option<ClaimToken>,
}

struct Model {
    entries: Vec<Entry>,
    /// When what was handled may be forgotten, in that order. What was claimed or handled again
    /// since has an old place here.
    places: Vec<(u64, ReplayKey)>,
    max: usize,
    now: u64,
    evicted: u64,
}

impl Model {
    fn find(&mut self, key: ReplayKey) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    /// Takes the first place, and what it is of.
    fn forget(&mut self) -> Option<Entry> {
        let (until, key) = self.places.remove(0);
        let is_it = |entry: &Entry| entry.key == key && entry.owner.is_none();
        let at = self.entries.iter().position(|entry| is_it(entry) && entry.until == until)?;
        Some(self.entries.remove(at))
    }

    /// `None` when there is no room.
    fn claim(&mut self, key: ReplayKey, owner: ClaimToken, lease: u64) -> Option<Claim> {
        let (now, until) = (self.now, self.now + lease);
        // While there is room, what has expired stays.
        let tries = if self.entries.len() <= self.max / 2 { 0 } else { 8 };
        for _ in 0..tries {
            if self.places.first().is_some_and(|(until, _)| *until <= now) {
                self.forget();
            }
        }
        if let Some(entry) = self.find(key) {
            if entry.until > now {
                return Some(if entry.owner.is_some() {
                    Claim::InFlight
                } else {
                    Claim::Completed
                });
            }
            (entry.until, entry.owner) = (until, Some(owner));
        } else {
            while self.entries.len() >= self.max {
                if self.places.is_empty() {
                    self.entries.retain(|entry| entry.until > now);
                    (self.entries.len() < self.max).then_some(())?;
                } else if self.forget().is_some_and(|entry| entry.until > now) {
                    self.evicted += 1;
                }
            }
            self.entries.push(Entry { key, until, owner: Some(owner) });
        }
        Some(Claim::Granted { evicted: std::mem::take(&mut self.evicted) })
    }

    fn commit(&mut self, key: ReplayKey, owner: ClaimToken, retention: u64) -> Settled {
        let (now, until) = (self.now, self.now + retention);
        self.places.push((until, key));
        self.places.sort();
        let Some(entry) = self.find(key) else {
            self.entries.push(Entry { key, until, owner: None });
            return Settled::Lost;
        };
        let is_held = entry.owner == Some(owner) && entry.until > now;
        (entry.until, entry.owner) = (until, None);
        if is_held { Settled::Held } else { Settled::Lost }
    }

    fn release(&mut self, key: ReplayKey, owner: ClaimToken) -> Settled {
        let now = self.now;
        let at =
            self.entries.iter().position(|entry| entry.key == key && entry.owner == Some(owner));
        match at.map(|at| self.entries.remove(at)) {
            Some(entry) if entry.until > now => Settled::Held,
            _ => Settled::Lost,
        }
    }
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// In nanoseconds, as all times here.
fn seconds(seconds: u8) -> u64 {
    u64::from(seconds) * 1_000_000_000
}

const fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

thread_local! {
    static KEYS: Vec<ReplayKey> = (0..16u8)
        .map(|key| Verified::new("fuzz").with_replay_material(&[key]).replay_key().unwrap())
        .collect();
    static OWNERS: Vec<ClaimToken> = (0..4).map(|_| ClaimToken::unique()).collect();
}

fuzz_target!(|input: Input| {
    let now = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&now);
    let max = 1 + usize::from(input.capacity % 8);
    let store = MemoryReplayStore::new(max).clock(move || {
        UNIX_EPOCH + Duration::from_secs(NOW) + nanos(clock.load(Ordering::Relaxed))
    });
    let mut model = Model { entries: Vec::new(), places: Vec::new(), max, now: 0, evicted: 0 };
    let key = |key: u8| KEYS.with(|keys| keys[usize::from(key) % 16]);
    let owner = |owner: u8| OWNERS.with(|owners| owners[usize::from(owner) % 4]);
    for step in input.steps.iter().take(64) {
        match *step {
            Step::Claim { key: k, owner: o, lease } => {
                let found = at_once(store.claim(&key(k), owner(o), nanos(seconds(lease))));
                assert_eq!(found.ok(), model.claim(key(k), owner(o), seconds(lease)), "{input:?}");
            }
            Step::Commit { key: k, owner: o, retention } => {
                let found = at_once(store.commit(&key(k), owner(o), nanos(seconds(retention))));
                let expected = model.commit(key(k), owner(o), seconds(retention));
                assert_eq!(found.unwrap(), expected, "{input:?}");
            }
            Step::Release { key: k, owner: o } => {
                let found = at_once(store.release(&key(k), owner(o)));
                assert_eq!(found.unwrap(), model.release(key(k), owner(o)), "{input:?}");
            }
            Step::Time(passed) => model.now += seconds(passed),
        }
        // No two deliveries may be forgotten at one time: which would go first is nobody's concern.
        model.now += 1;
        now.store(model.now, Ordering::Relaxed);
        let claims = model.entries.iter().filter(|entry| entry.owner.is_some()).count();
        assert_eq!(store.in_flight(), claims, "{input:?}");
        assert_eq!(store.len(), model.entries.len(), "{input:?}");
    }
});
