//! Selection of the rejections that are explained: a few a minute, by public facts alone.
//!
//! Explaining costs up to 50 ms, and anyone can cause a rejection. What is selected must not depend
//! on what an explanation would find, or on whether a tenant exists: otherwise it would tell senders
//! about them.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::parse::client_ip::network;

/// Rejections that a layer explains in one minute, by default.
pub(crate) const PER_MINUTE: u32 = 6;

/// Slots for those who sent verified requests. Of two that share one, the later is remembered.
const SLOTS: u64 = 1024;

/// Public facts about a request.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Facts<'a> {
    pub(crate) provider: &'static str,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) client_ip: Option<IpAddr>,
}

/// Places for rejections, a third for each of these, so that a flood of one kind leaves room for the
/// others:
///
/// - the first rejection after a verified request of the same tenant and network, which strangers
///   cannot take if the layer knows the addresses of clients;
/// - the first rejection of a minute of a tenant, a network and a reason;
/// - any rejection.
pub(crate) struct Places {
    /// Hashes of the tenants and networks with a verified request since their last explanation, each
    /// in a slot of its own. One bit for each would not do: a stranger with thousands of networks
    /// would soon share one.
    verified: Box<[AtomicU64]>,
    /// Its keys are random, so that senders cannot choose networks that hash as others do.
    hasher: RandomState,
    minute: Mutex<Minute>,
}

#[derive(Default)]
struct Minute {
    began: Option<SystemTime>,
    first: u32,
    new: u32,
    any: u32,
    /// Hashes of tenants, networks and reasons that had a place in this minute.
    seen: Vec<u64>,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            verified: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            minute: Mutex::default(),
        }
    }

    /// Records a verified request.
    pub(crate) fn verified(&self, facts: &Facts<'_>) {
        if let Some((slot, sender)) = self.slot(facts)
            && slot.load(Ordering::Relaxed) != sender
        {
            slot.store(sender, Ordering::Relaxed);
        }
    }

    /// Returns whether a rejection has a place.
    pub(crate) fn take(
        &self,
        facts: &Facts<'_>,
        reason: &'static str,
        now: SystemTime,
        per_minute: u32,
    ) -> bool {
        let hash = self.hasher.hash_one((facts.in_network(), reason));
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.is_over(now) {
            *minute = Minute { began: Some(now), ..Minute::default() };
        }
        let third = per_minute / 3;
        let slot = self.slot(facts);
        let is_first = slot.is_some_and(|(slot, sender)| slot.load(Ordering::Relaxed) == sender);
        let is_new = !minute.seen.contains(&hash);
        let has_place = is_first && take(&mut minute.first, third)
            || is_new && take(&mut minute.new, third)
            || take(&mut minute.any, per_minute - 2 * third);
        if has_place && is_new {
            minute.seen.push(hash);
        }
        // Without a place, it is news still.
        if let Some((slot, _)) = slot.filter(|_| has_place && is_first) {
            slot.store(0, Ordering::Relaxed);
        }
        has_place
    }

    fn slot(&self, facts: &Facts<'_>) -> Option<(&AtomicU64, u64)> {
        let hash = self.hasher.hash_one(facts.in_network());
        let at = usize::try_from(hash % SLOTS).ok()?;
        Some((self.verified.get(at)?, hash))
    }
}

impl Minute {
    fn is_over(&self, now: SystemTime) -> bool {
        let Some(began) = self.began else { return true };
        match now.duration_since(began) {
            Ok(age) => age >= Duration::from_secs(60),
            // A clock that was set back. The stamps of two threads differ by less.
            Err(ahead) => ahead.duration() > Duration::from_secs(5),
        }
    }
}

/// Takes one of so many places.
const fn take(taken: &mut u32, places: u32) -> bool {
    let has_place = *taken < places;
    *taken += has_place as u32;
    has_place
}

impl Facts<'_> {
    fn in_network(self) -> Self {
        Self { client_ip: self.client_ip.map(network), ..self }
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
