//! What a log knows of a request that is on its way.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use crate::{delivery_log::id::EntryId, observe::attempt::Attempt};

/// The row of a request that goes to the inner service.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Which log's.
    log: usize,
    pub(crate) id: EntryId,
    progress: AtomicU8,
}

/// The durable layer has not seen the request.
const NEW: u8 = 0;
/// It has.
const SEEN: u8 = 1;
/// And the first row is there.
const WRITTEN: u8 = 2;

impl Ticket {
    pub(crate) const fn new(log: usize, id: EntryId) -> Self {
        Self { log, id, progress: AtomicU8::new(NEW) }
    }

    /// Its refusal may look like an acknowledgement: gRPC answers with 200 and says no in a header.
    pub(crate) fn see(&self) {
        self.progress.fetch_max(SEEN, Ordering::AcqRel);
    }

    pub(crate) fn write(&self) {
        self.progress.store(WRITTEN, Ordering::Release);
    }

    pub(crate) fn is_new(&self) -> bool {
        self.progress.load(Ordering::Acquire) == NEW
    }

    pub(crate) fn is_written(&self) -> bool {
        self.progress.load(Ordering::Acquire) == WRITTEN
    }
}

/// One for each log that observes the request; nearly always one.
#[derive(Clone, Default)]
struct Tickets(Vec<Arc<Ticket>>);

impl Ticket {
    /// Returns the ticket that this log keeps with the request.
    pub(crate) fn of(attempt: &Attempt, log: usize) -> Option<Arc<Self>> {
        let extensions = attempt.extensions();
        let mut tickets = extensions.get::<Tickets>()?.0.iter();
        tickets.find(|ticket| ticket.log == log).cloned()
    }

    /// Keeps the ticket with the request.
    pub(crate) fn keep(self, attempt: &Attempt) {
        attempt.extensions().get_or_insert_default::<Tickets>().0.push(Arc::new(self));
    }
}
