//! What a log knows of a request that is on its way.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::EntryId;

/// The row of a request that goes to the inner service.
pub(crate) struct Ticket {
    /// Which log's.
    log: usize,
    pub(super) id: EntryId,
    is_written: AtomicBool,
}

impl Ticket {
    pub(super) const fn new(log: usize, id: EntryId) -> Self {
        Self { log, id, is_written: AtomicBool::new(false) }
    }

    /// The first row is there.
    pub(super) fn write(&self) {
        self.is_written.store(true, Ordering::Release);
    }

    pub(super) fn is_written(&self) -> bool {
        self.is_written.load(Ordering::Acquire)
    }
}

/// One for each log that observes the request; nearly always one.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<Vec<Arc<Ticket>>>);

impl Tickets {
    pub(super) fn of(&self, log: usize) -> Option<Arc<Ticket>> {
        let tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.iter().find(|ticket| ticket.log == log).cloned()
    }

    pub(super) fn add(&self, ticket: Ticket) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(ticket));
    }
}
