//! One call to the store for all requests that wait for the same tenant.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::TenantId;

/// The calls that are under way. There are never more than requests that wait.
pub(super) struct Flights<T>(Mutex<HashMap<TenantId, Arc<Flight<T>>>>);

/// One call to the store. The request that holds the permit makes it. The semaphore is closed when
/// the outcome is there, which wakes all others at once.
struct Flight<T> {
    permit: Semaphore,
    outcome: OnceLock<T>,
    /// Changed under the lock of [`Flights`] only.
    seats: AtomicUsize,
}

/// A request's place among those that wait for one tenant.
///
/// When the request that makes the call is dropped, so is its permit, and the next one in line
/// makes the call anew.
pub(super) struct Seat<T> {
    flights: Arc<Flights<T>>,
    pub(super) id: TenantId,
    flight: Arc<Flight<T>>,
}

/// Whose turn it is.
pub(super) enum Turn<'a, T> {
    /// Ours: the store is to be asked, and the permit to be kept until then.
    Ours(SemaphorePermit<'a>),
    /// Another request has asked it.
    Landed(T),
    /// Another request is still waiting for the store, and we have waited long enough.
    TimedOut,
}

impl<T> Flights<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Flight<T>>>> {
        // Nothing is left half done by a panic in here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat, unless the cache has been filled since it was looked into.
    pub(super) fn board<C>(
        self: &Arc<Self>,
        id: TenantId,
        cached: impl FnOnce(&TenantId) -> Option<C>,
    ) -> Result<Seat<T>, C> {
        let mut flights = self.lock();
        if let Some(found) = cached(&id) {
            return Err(found);
        }
        let flight = flights.entry(id.clone()).or_insert_with(|| {
            let (permit, outcome) = (Semaphore::new(1), OnceLock::new());
            Arc::new(Flight { permit, outcome, seats: AtomicUsize::new(0) })
        });
        flight.seats.fetch_add(1, Ordering::Relaxed);
        Ok(Seat { flight: Arc::clone(flight), flights: Arc::clone(self), id })
    }

    /// Empties the cache by `forget`. What the calls that are under way bring is still given to
    /// those who wait for it, but kept no more: the store may have been asked before it changed.
    pub(super) fn forget(&self, id: Option<&str>, forget: impl FnOnce()) {
        let mut flights = self.lock();
        match id {
            Some(id) => drop(flights.remove(id)),
            None => flights.clear(),
        }
        forget();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

impl<T: Clone> Seat<T> {
    /// Waits for another request's call, or for the turn to make it.
    pub(super) async fn turn(&self, limit: Duration) -> Turn<'_, T> {
        match timeout(limit, self.flight.permit.acquire()).await {
            Ok(Ok(permit)) => Turn::Ours(permit),
            _ => self.flight.outcome.get().cloned().map_or(Turn::TimedOut, Turn::Landed),
        }
    }
}

impl<T> Seat<T> {
    /// Shares what the call brought with all who wait. `keep` puts it into the cache, unless the
    /// tenant has been forgotten in between.
    pub(super) fn land(&self, outcome: T, keep: impl FnOnce()) {
        let mut flights = self.flights.lock();
        if self.is_current(&flights) {
            flights.remove(&self.id);
            keep();
        }
        // Only the holder of the permit gets here, so that it cannot be set already.
        _ = self.flight.outcome.set(outcome);
        self.flight.permit.close();
    }

    fn is_current(&self, flights: &HashMap<TenantId, Arc<Flight<T>>>) -> bool {
        flights.get(&self.id).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
    }
}

impl<T> Drop for Seat<T> {
    /// The last one to leave a call that nobody has finished clears it away.
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        if self.flight.seats.fetch_sub(1, Ordering::Relaxed) == 1 && self.is_current(&flights) {
            flights.remove(&self.id);
        }
    }
}
