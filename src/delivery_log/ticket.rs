//! What a log knows of a request that is on its way.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use crate::delivery_log::id::EntryId;

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
#[derive(Default)]
pub(crate) struct Tickets(Mutex<Vec<Arc<Ticket>>>);

impl Tickets {
    pub(crate) fn of(&self, log: usize) -> Option<Arc<Ticket>> {
        let tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.iter().find(|ticket| ticket.log == log).cloned()
    }

    pub(crate) fn add(&self, ticket: Ticket) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(ticket));
    }
}
