//! Decisions of the cache: which keys are used, and when they are fetched.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use quick_cache::unsync::Cache;
use tokio::sync::watch;

use crate::{
    fetched_keys::{
        asked::{Asked, Millis, Miss},
        fetcher::Settings,
    },
    parse::clock::is_within,
};

/// Maximum number of documents in a cache. Only documents that the source has are in it.
const CAPACITY: usize = 1_000;

pub(crate) struct State<D> {
    known: Cache<Arc<str>, Known<D>>,
    asked: Asked,
    /// Fetches in progress. The channel closes when the fetch ends.
    pub(crate) flights: HashMap<Arc<str>, watch::Receiver<()>>,
}

/// A document that the source has.
struct Known<D> {
    document: Arc<D>,
    /// Time at which the fetch began, because the document can be as old as that.
    fetched_at: Millis,
    max_age: Duration,
    /// Time and reason of the last failure to fetch it again.
    failure: Option<(Millis, Arc<str>)>,
}

/// Question of a request.
pub(crate) struct Question<'a, D> {
    pub(crate) slot: &'a Arc<str>,
    /// `true` if the provider has a document for each key, so that IDs cause fetches.
    pub(crate) is_of_one_key: bool,
    /// Returns `true` if a document has the key.
    pub(crate) has_key: &'a dyn Fn(&D) -> bool,
    pub(crate) address: Option<IpAddr>,
    pub(crate) now: Millis,
}

pub(crate) enum Decision<D> {
    /// The document has the key.
    Use(Arc<D>),
    /// The document has the key. It expires soon and is fetched again, but the request does not
    /// wait.
    UseAndFetch(Arc<D>),
    /// The source has no such key.
    Unknown,
    /// The request waits for a fetch in progress.
    Wait(watch::Receiver<()>),
    /// The request starts a fetch and waits for it.
    Fetch,
    Unavailable(Unavailable),
}

/// Reason for which nothing is known about a key.
pub(crate) enum Unavailable {
    Failed(Arc<str>),
    /// The source was called for too many unknown IDs.
    Crowded,
}

/// Outcome of a fetch.
pub(crate) enum Fetched<D> {
    Document(D, Option<Duration>),
    Absent,
    Failed(Arc<str>),
}

impl<D> State<D> {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(CAPACITY), asked: Asked::default(), flights: HashMap::new() }
    }

    pub(crate) fn decide(
        &mut self,
        question: &Question<'_, D>,
        settings: &Settings,
    ) -> Decision<D> {
        let flight = self.flights.get(question.slot).cloned();
        if let Some(known) = self.known.get(question.slot) {
            return known.decide(question, flight, settings);
        }
        let now = question.now;
        if let Some(flight) = flight {
            return Decision::Wait(flight);
        }
        match self.asked.miss(question.slot, now, settings) {
            Some(Miss::Absent) => return Decision::Unknown,
            Some(Miss::Failed(why)) => return Decision::Unavailable(Unavailable::Failed(why)),
            None => {}
        }
        if question.is_of_one_key
            && !self.asked.count(question.slot, question.address, now, settings)
        {
            return Decision::Unavailable(Unavailable::Crowded);
        }
        Decision::Fetch
    }

    /// Takes back a fetch that could not be started.
    pub(crate) fn take_back(&mut self, slot: &str) {
        self.asked.forget(slot);
    }

    /// Removes a fetch in progress, if it is still this one.
    pub(crate) fn end_flight(&mut self, slot: &str, flight: &watch::Receiver<()>) {
        if self.flights.get(slot).is_some_and(|other| other.same_channel(flight)) {
            self.flights.remove(slot);
        }
    }

    /// Keeps the outcome of a fetch, as of this time.
    pub(crate) fn keep(
        &mut self,
        slot: &Arc<str>,
        at: Millis,
        fetched: Fetched<D>,
        settings: &Settings,
    ) {
        match fetched {
            Fetched::Document(document, max_age) => {
                let max_age = max_age.unwrap_or(settings.max_age);
                let max_age = max_age.clamp(settings.refresh_interval, settings.max_age);
                self.asked.forget(slot);
                let document = Arc::new(document);
                let known = Known { document, fetched_at: at, max_age, failure: None };
                self.known.insert(Arc::clone(slot), known);
            }
            // A document that is gone was revoked.
            Fetched::Absent => {
                self.known.remove(slot);
                self.asked.keep(Arc::clone(slot), at, Miss::Absent);
            }
            Fetched::Failed(why) => match self.known.get_mut(slot) {
                Some(mut known) => known.failure = Some((at, why)),
                None => self.asked.keep(Arc::clone(slot), at, Miss::Failed(why)),
            },
        }
    }
}

impl<D> Known<D> {
    fn decide(
        &self,
        question: &Question<'_, D>,
        flight: Option<watch::Receiver<()>>,
        settings: &Settings,
    ) -> Decision<D> {
        let is_younger_than = |age| is_within(self.fetched_at, question.now, age);
        let failure = self
            .failure
            .as_ref()
            .filter(|(at, _)| is_within(*at, question.now, settings.retry_after()));
        let document = || Arc::clone(&self.document);
        let has_key = (question.has_key)(&self.document);
        if has_key && is_younger_than(self.max_age) {
            let is_due = !is_younger_than(self.max_age / 4 * 3);
            return if is_due && flight.is_none() && failure.is_none() {
                Decision::UseAndFetch(document())
            } else {
                Decision::Use(document())
            };
        }
        // The last document is an answer of the source, too: strangers cause no other fetch.
        if !has_key && is_younger_than(settings.refresh_interval) {
            return Decision::Unknown;
        }
        match (flight, failure) {
            (Some(flight), _) => Decision::Wait(flight),
            (None, None) => Decision::Fetch,
            (None, Some(_))
                if has_key && is_younger_than(self.max_age.saturating_add(settings.stale_for)) =>
            {
                Decision::Use(document())
            }
            (None, Some((_, why))) => Decision::Unavailable(Unavailable::Failed(Arc::clone(why))),
        }
    }
}
