//! One call to the store, shared by all requests that wait for the same tenant. The names are those
//! of Go's `singleflight`.
//!
//! The code is ours: in `moka`, a call that is under way when its key is invalidated still stores
//! its result, so a secret would stay cached after `forget`.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::tenants::{
    gate::{Gate, Lane, Place},
    id::TenantId,
};

/// Calls that are in progress or wait for a slot. There are never more of them than waiting
/// requests.
pub(crate) struct SingleFlight<T>(Mutex<HashMap<TenantId, Arc<Flight<T>>>>);

/// One call to the store.
struct Flight<T> {
    stage: watch::Sender<Stage<T>>,
    /// Changed only under the lock of [`SingleFlight`].
    waiters: AtomicUsize,
}

enum Stage<T> {
    /// No request makes the call. Each request that needs its outcome waits for a slot in its own
    /// lane, so that a first request from a busy network does not delay the others.
    Waiting,
    /// One of the requests makes the call.
    Calling,
    Completed(T),
}

/// Place of a request among those that wait for one tenant.
///
/// If the request that makes the call is dropped, the others wait for a slot again, and the next
/// one that gets a slot makes the call again.
pub(crate) struct Waiter<T> {
    flights: Arc<SingleFlight<T>>,
    pub(crate) id: TenantId,
    flight: Arc<Flight<T>>,
}

/// Outcome of waiting for another request's call, or for a slot to make it.
pub(crate) enum WaitOutcome<'a, T> {
    /// This request must call the store, and hold this value until the call ends.
    MustCall(Call<'a, T>),
    /// Another request has made the call.
    Completed(T),
    /// Another request is still waiting for the store, and the time limit has passed.
    Late,
    /// There was no slot within the time limit.
    Crowded,
}

/// Right to make the call, and the slot for it.
pub(crate) struct Call<'a, T> {
    flight: &'a Flight<T>,
    _slot: Place,
}

impl<T> SingleFlight<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Flight<T>>>> {
        // A panic under the lock leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a waiter, unless the cache has been filled since it was last read.
    pub(crate) fn join<C>(
        self: &Arc<Self>,
        id: TenantId,
        cached: impl FnOnce(&TenantId) -> Option<C>,
    ) -> Result<Waiter<T>, C> {
        let mut flights = self.lock();
        if let Some(found) = cached(&id) {
            return Err(found);
        }
        let flight = flights.entry(id.clone()).or_insert_with(|| {
            let stage = watch::Sender::new(Stage::Waiting);
            Arc::new(Flight { stage, waiters: AtomicUsize::new(0) })
        });
        flight.waiters.fetch_add(1, Ordering::Relaxed);
        Ok(Waiter { flight: Arc::clone(flight), flights: Arc::clone(self), id })
    }

    /// Empties the cache with `forget`. The outcomes of calls in progress still go to the requests
    /// that wait for them, but are not cached: the store may have been called before its data
    /// changed.
    pub(crate) fn forget(&self, forget: impl FnOnce()) {
        let mut flights = self.lock();
        flights.clear();
        forget();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }
}

impl<T: Clone> Waiter<T> {
    /// Waits for another request's call, or for a slot to make it.
    pub(crate) async fn wait(
        &self,
        limit: Duration,
        gate: &Arc<Gate>,
        lane: Lane,
    ) -> WaitOutcome<'_, T> {
        if let Ok(outcome) = timeout(limit, self.wait_in(gate, lane)).await {
            return outcome;
        }
        match &*self.flight.stage.borrow() {
            Stage::Waiting => WaitOutcome::Crowded,
            Stage::Calling => WaitOutcome::Late,
            Stage::Completed(outcome) => WaitOutcome::Completed(outcome.clone()),
        }
    }

    async fn wait_in(&self, gate: &Arc<Gate>, lane: Lane) -> WaitOutcome<'_, T> {
        let mut stage = self.flight.stage.subscribe();
        loop {
            let is_called = match &*stage.borrow_and_update() {
                Stage::Completed(outcome) => return WaitOutcome::Completed(outcome.clone()),
                Stage::Calling => true,
                Stage::Waiting => false,
            };
            // The flight holds the sender, so the channel stays open until this future ends.
            let mut changed = pin!(stage.changed());
            if is_called {
                _ = changed.await;
                continue;
            }
            let mut slot = gate.enter(lane);
            let has_slot = poll_fn(|cx| {
                if Pin::new(&mut slot).poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                changed.as_mut().poll(cx).map(|_| false)
            });
            if has_slot.await && self.flight.begin() {
                return WaitOutcome::MustCall(Call { flight: &self.flight, _slot: slot });
            }
        }
    }
}

impl<T> Flight<T> {
    /// Returns `true` if this request must make the call. Returns `false` if another request makes
    /// it or has made it.
    fn begin(&self) -> bool {
        self.stage.send_if_modified(|stage| {
            let is_ours = matches!(stage, Stage::Waiting);
            if is_ours {
                *stage = Stage::Calling;
            }
            is_ours
        })
    }
}

impl<T> Waiter<T> {
    /// Shares the outcome of the call with all waiting requests. `keep` puts it into the cache,
    /// unless the tenant has been forgotten in the meantime.
    pub(crate) fn complete(&self, outcome: T, keep: impl FnOnce()) {
        let mut flights = self.flights.lock();
        if self.is_current(&flights) {
            flights.remove(&self.id);
            keep();
        }
        drop(flights);
        self.flight.stage.send_replace(Stage::Completed(outcome));
    }

    fn is_current(&self, flights: &HashMap<TenantId, Arc<Flight<T>>>) -> bool {
        flights.get(&self.id).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
    }
}

impl<T> Drop for Call<'_, T> {
    /// Leaves a call without an outcome to another request.
    fn drop(&mut self) {
        self.flight.stage.send_if_modified(|stage| {
            let is_open = matches!(stage, Stage::Calling);
            if is_open {
                *stage = Stage::Waiting;
            }
            is_open
        });
    }
}

impl<T> Drop for Waiter<T> {
    /// Removes a call without an outcome when its last waiter leaves.
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        if self.flight.waiters.fetch_sub(1, Ordering::Relaxed) == 1 && self.is_current(&flights) {
            flights.remove(&self.id);
        }
    }
}
