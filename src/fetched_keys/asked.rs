//! Limit on the fetches for documents that are not in the cache, which strangers can cause.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use crate::{
    fetched_keys::fetcher::Settings,
    parse::{client_ip::network, clock::is_within},
};

/// Milliseconds since 1970.
pub(crate) type Millis = i64;

/// Fetches of the last refresh interval for documents that were not in the cache and are still
/// unknown, with their outcomes.
///
/// Each entry stands for a fetch, and the number of fetches is limited. The memory is therefore
/// limited, too, whatever IDs are sent.
#[derive(Default)]
pub(crate) struct Asked {
    fetches: Vec<Fetch>,
    misses: HashMap<Arc<str>, (Millis, Miss)>,
}

/// A fetch that counts towards the limit.
struct Fetch {
    slot: Arc<str>,
    at: Millis,
    /// Network that caused it.
    from: Option<IpAddr>,
}

/// Outcome of a fetch that returned no keys.
#[derive(Clone)]
pub(crate) enum Miss {
    /// The source has no such document.
    Absent,
    /// The source failed, for this reason.
    Failed(Arc<str>),
}

impl Asked {
    /// Returns the outcome of the last fetch, if it still holds.
    pub(crate) fn miss(&self, slot: &str, now: Millis, settings: &Settings) -> Option<Miss> {
        let (at, miss) = self.misses.get(slot)?;
        let time = match miss {
            Miss::Absent => settings.refresh_interval,
            Miss::Failed(_) => settings.retry_after(),
        };
        is_within(*at, now, time).then(|| miss.clone())
    }

    /// Counts a fetch for a request from this address. Returns `false` if there were too many.
    #[must_use]
    pub(crate) fn count(
        &mut self,
        slot: &Arc<str>,
        address: Option<IpAddr>,
        now: Millis,
        settings: &Settings,
    ) -> bool {
        self.fetches.retain(|fetch| is_within(fetch.at, now, settings.refresh_interval));
        self.misses.retain(|_, (at, _)| is_within(*at, now, settings.refresh_interval));
        let (max, from) = (settings.max_unknown_ids, address.map(network));
        let of_network = || self.fetches.iter().filter(|fetch| fetch.from == from).count();
        // One network leaves room for the others. Without an address, there is one limit for all.
        if self.fetches.len() >= max || from.is_some() && of_network() >= max.div_ceil(4) {
            return false;
        }
        self.fetches.push(Fetch { slot: Arc::clone(slot), at: now, from });
        true
    }

    /// Keeps the outcome of a fetch, as of this time.
    pub(crate) fn keep(&mut self, slot: Arc<str>, at: Millis, miss: Miss) {
        self.misses.insert(slot, (at, miss));
    }

    /// Removes the fetch of a document that the source has. It does not count: strangers cannot
    /// invent the ID of a key that exists, and a provider may use a new key for each request.
    pub(crate) fn forget(&mut self, slot: &str) {
        self.misses.remove(slot);
        self.fetches.retain(|fetch| *fetch.slot != *slot);
    }
}
