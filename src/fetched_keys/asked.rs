//! Limit on the fetches for documents that are not in the cache, which strangers can cause.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use crate::{fetched_keys::fetcher::Settings, parse::client_ip::network};

/// Milliseconds since 1970.
pub(crate) type Millis = i64;

/// Returns `true` if less than `time` has passed since `since`.
///
/// A time in the future counts as long ago: if the clock was set back, it would stay for that long.
pub(crate) fn is_within(since: Millis, now: Millis, time: Duration) -> bool {
    u128::try_from(now - since).is_ok_and(|age| age < time.as_millis())
}

/// Fetches of the last refresh interval for documents that were not in the cache, and their
/// outcomes, if the documents are still unknown.
///
/// Each entry stands for a fetch, and the number of fetches is limited. The memory is therefore
/// limited, too, whatever IDs are sent.
#[derive(Default)]
pub(crate) struct Asked {
    /// Times, and the networks that caused the fetches.
    fetches: VecDeque<(Millis, Option<IpAddr>)>,
    misses: HashMap<Arc<str>, (Millis, Miss)>,
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
        address: Option<IpAddr>,
        now: Millis,
        settings: &Settings,
    ) -> bool {
        self.fetches.retain(|(at, _)| is_within(*at, now, settings.refresh_interval));
        self.misses.retain(|_, (at, _)| is_within(*at, now, settings.refresh_interval));
        let (max, from) = (settings.max_unknown_ids, address.map(network));
        let of_network = || self.fetches.iter().filter(|(_, other)| *other == from).count();
        // One network leaves room for the others. Without an address, there is one limit for all.
        if self.fetches.len() >= max || from.is_some() && of_network() >= max.div_ceil(4) {
            return false;
        }
        self.fetches.push_back((now, from));
        true
    }

    /// Keeps the outcome of a fetch, as of this time.
    pub(crate) fn keep(&mut self, slot: Arc<str>, at: Millis, miss: Miss) {
        self.misses.insert(slot, (at, miss));
    }

    pub(crate) fn forget(&mut self, slot: &str) {
        self.misses.remove(slot);
    }
}
