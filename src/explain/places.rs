//! Selection of the rejections that are explained: a few a minute, by public facts alone.
//!
//! Explaining costs up to 50 ms, and anyone can cause a rejection. What is selected must not depend
//! on what an explanation would find: otherwise the load of the server would tell senders about the
//! secrets.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crate::{observe::window::Window, parse::client_ip::network};

/// Rejections that a layer explains in one minute, by default.
pub(crate) const PER_MINUTE: u32 = 6;

/// Words of the filter that remembers who sent verified requests. Two senders seldom share a bit.
const WORDS: u64 = 1024;

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
    /// Bits of the tenants and networks with a verified request since their last rejection.
    verified: Box<[AtomicU64]>,
    /// Its keys are random, so that senders cannot choose networks with the bits of others.
    hasher: RandomState,
    minute: Mutex<Minute>,
}

#[derive(Default)]
struct Minute {
    first: Window,
    new: Window,
    any: Window,
    /// Hashes of tenants, networks and reasons that had a place in this minute.
    seen: Vec<u64>,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            verified: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            minute: Mutex::default(),
        }
    }

    /// Records a verified request.
    pub(crate) fn verified(&self, facts: &Facts<'_>) {
        if let Some((word, bit)) = self.bit(facts)
            && word.load(Ordering::Relaxed) & bit == 0
        {
            word.fetch_or(bit, Ordering::Relaxed);
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
        let is_first = self.bit(facts).is_some_and(|(word, bit)| {
            word.load(Ordering::Relaxed) & bit != 0
                && word.fetch_and(!bit, Ordering::Relaxed) & bit != 0
        });
        let hash = self.hasher.hash_one((facts.in_network(), reason));
        let third = u64::from(per_minute / 3);
        let any = u64::from(per_minute) - 2 * third;
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let Minute { first, new, any: others, seen } = &mut *minute;
        if new.is_over(now) {
            seen.clear();
        }
        let is_new = !seen.contains(&hash);
        let has_place = is_first && first.take(now, third).is_some()
            || is_new && new.take(now, third).is_some()
            || others.take(now, any).is_some();
        if has_place && is_new {
            seen.push(hash);
        }
        has_place
    }

    fn bit(&self, facts: &Facts<'_>) -> Option<(&AtomicU64, u64)> {
        let hash = self.hasher.hash_one(facts.in_network());
        let word = usize::try_from((hash >> 6) % WORDS).ok()?;
        Some((self.verified.get(word)?, 1 << (hash & 63)))
    }
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
