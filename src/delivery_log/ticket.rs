//! State of a log for a request in progress.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use crate::{delivery_log::id::EntryId, observe::attempt::Attempt};

/// Ticket for the row of a request that goes to the inner service.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Key of the log.
    log: usize,
    pub(crate) id: EntryId,
    progress: AtomicU8,
    /// Set once the request's last row is queued. An explanation that comes later is added to it.
    is_ended: AtomicBool,
}

/// The durable layer has not seen the request.
const NEW: u8 = 0;
/// The durable layer has seen the request.
const SEEN: u8 = 1;
/// The first row is written.
const WRITTEN: u8 = 2;

impl Ticket {
    pub(crate) const fn new(log: usize, id: EntryId) -> Self {
        Self { log, id, progress: AtomicU8::new(NEW), is_ended: AtomicBool::new(false) }
    }

    /// Marks the request as seen by the durable layer. Its rejection can look like an
    /// acknowledgement: gRPC responds with `200 OK` and puts the failure into a header.
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

/// Tickets of a request, one for each log that observes it. There is nearly always one.
#[derive(Clone, Default)]
struct Tickets(Vec<Arc<Ticket>>);

impl Ticket {
    /// Returns the ticket that this log keeps with the request.
    pub(crate) fn of(attempt: &Attempt, log: usize) -> Option<Arc<Self>> {
        let extensions = attempt.extensions();
        let mut tickets = extensions.get::<Tickets>()?.0.iter();
        tickets.find(|ticket| ticket.log == log).cloned()
    }

    /// Marks the request as ended, after its last row has been queued. `id` is the ID of the row.
    pub(crate) fn end(attempt: &Attempt, log: usize, id: EntryId) {
        let mut extensions = attempt.extensions();
        let tickets = &mut extensions.get_or_insert_default::<Tickets>().0;
        if !tickets.iter().any(|ticket| ticket.log == log) {
            tickets.push(Arc::new(Self::new(log, id)));
        }
        for ticket in tickets.iter().filter(|ticket| ticket.log == log) {
            ticket.is_ended.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Relaxed)
    }

    /// Returns the ID of the last row of a request that has ended.
    pub(crate) fn of_ended(attempt: &Attempt, log: usize) -> Option<EntryId> {
        let extensions = attempt.extensions();
        let mut tickets = extensions.get::<Tickets>()?.0.iter();
        let is_it =
            |ticket: &&Arc<Self>| ticket.log == log && ticket.is_ended.load(Ordering::Relaxed);
        tickets.find(is_it).map(|ticket| ticket.id)
    }

    /// Keeps the ticket with the request.
    pub(crate) fn keep(self, attempt: &Attempt) {
        attempt.extensions().get_or_insert_default::<Tickets>().0.push(Arc::new(self));
    }
}
