//! A limit on the amount that all requests of a layer and its clones hold together.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use crate::panic::catch_panic;

/// A limit on the amount that requests hold while they wait: bytes of their bodies, or places in
/// the drain.
///
/// Clones share the budget.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    /// The amount above the limit that may be in memory until evicted requests have run. `None` for
    /// places, which free no memory.
    overdraft: Option<usize>,
    holders: Mutex<Holders>,
}

#[derive(Debug, Default)]
struct Holders {
    /// Ordered by age, because IDs only grow.
    by_id: BTreeMap<u64, Holder>,
    next_id: u64,
    /// The sum of the holders' amounts.
    held: usize,
    /// The sum of the amounts that were evicted from requests that have not run since.
    evicted: usize,
}

#[derive(Debug)]
struct Holder {
    amount: usize,
    waker: Waker,
}

/// The reaction of a request for which the budget has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The request gives up its own reservation, so that the others complete.
    ///
    /// This is the choice for requests that take long: if each of them took the place of an older
    /// one, none would complete.
    GiveUp,
    /// The oldest holders lose their reservations to the request.
    ///
    /// This is the choice for requests that take a short time: senders that stall then keep no
    /// other request out.
    EvictOldest,
}

/// Error returned when the budget has no room, or the reservation has been evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Budget {
    /// Creates a budget for memory.
    ///
    /// An evicted request frees its memory when it runs next. Until then, up to a sixteenth more
    /// than the limit can be in memory.
    pub(crate) fn of_bytes(limit: usize) -> Self {
        Self::new(limit, Some(limit / 16))
    }

    /// Creates a budget for places, which cost nothing once they are evicted.
    pub(crate) fn of_places(limit: usize) -> Self {
        Self::new(limit, None)
    }

    fn new(limit: usize, overdraft: Option<usize>) -> Self {
        Self(Arc::new(Shared { limit, overdraft, holders: Mutex::default() }))
    }

    pub(crate) fn limit(&self) -> usize {
        self.0.limit
    }

    /// Returns whether this amount could be held now.
    ///
    /// It reserves nothing, so that a sender cannot take room by declaring a length.
    pub(crate) fn has_room(&self, amount: usize) -> bool {
        amount <= self.limit() - self.lock().held
    }

    fn lock(&self) -> MutexGuard<'_, Holders> {
        // No foreign code runs under the lock, so nothing panics while it is held.
        self.0.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    /// Returns whether this much more fits into memory.
    ///
    /// Eviction does not change the result, so this is checked first: a rejected request must evict
    /// no other.
    fn fits_into_memory(&self, more: usize, budget: &Shared) -> bool {
        let in_memory = self.held.saturating_add(self.evicted);
        let most = budget.overdraft.map(|overdraft| budget.limit.saturating_add(overdraft));
        most.is_none_or(|most| more <= most.saturating_sub(in_memory))
    }

    /// Removes the oldest holders except this one until this much more fits into the limit. Returns
    /// their wakers.
    fn evict_for(&mut self, more: usize, own: Option<u64>, limit: usize) -> Vec<Waker> {
        let mut evicted = Vec::new();
        while more > limit - self.held {
            let mut oldest = self.by_id.keys().copied();
            let Some(id) = oldest.find(|id| Some(*id) != own) else { break };
            if let Some(holder) = self.by_id.remove(&id) {
                self.held -= holder.amount;
                self.evicted += holder.amount;
                evicted.push(holder.waker);
            }
        }
        evicted
    }

    /// Adds to the amount of this holder, or of a new one. Returns its ID, and the waker that was
    /// replaced.
    fn add(&mut self, more: usize, own: Option<u64>, waker: Waker) -> (u64, Option<Waker>) {
        self.held += more;
        if let Some(id) = own
            && let Some(holder) = self.by_id.get_mut(&id)
        {
            holder.amount += more;
            return (id, Some(mem::replace(&mut holder.waker, waker)));
        }
        self.next_id += 1;
        self.by_id.insert(self.next_id, Holder { amount: more, waker });
        (self.next_id, None)
    }
}

/// The reservation of one request in a budget. Dropping it releases the amount.
#[derive(Debug, Default)]
pub(crate) struct Reservation(Option<Reserved>);

#[derive(Debug)]
struct Reserved {
    budget: Budget,
    id: u64,
    amount: usize,
}

impl Reservation {
    /// Grows the reservation to at least this amount, before the request waits.
    ///
    /// A reservation does not shrink. If it is evicted, `waker` is woken and the next call fails.
    pub(crate) fn reserve(
        &mut self,
        amount: usize,
        budget: &Budget,
        no_room: NoRoom,
        waker: &Waker,
    ) -> Result<(), Full> {
        if amount == 0 {
            return Ok(());
        }
        // A waker is foreign code, which may drop a request with a reservation of its own. Wakers
        // are therefore cloned, dropped and woken without the lock.
        let waker = waker.clone();
        let own = self.0.as_ref().map(|held| held.id);
        let more = amount.saturating_sub(self.0.as_ref().map_or(0, |held| held.amount));
        let mut holders = budget.lock();
        if own.is_some_and(|id| !holders.by_id.contains_key(&id))
            || !holders.fits_into_memory(more, &budget.0)
        {
            return Err(Full);
        }
        let evicted = match no_room {
            NoRoom::EvictOldest if amount <= budget.limit() => {
                holders.evict_for(more, own, budget.limit())
            }
            _ => Vec::new(),
        };
        let fits = more <= budget.limit() - holders.held;
        let added = if fits { Some(holders.add(more, own, waker)) } else { None };
        drop(holders);
        for waker in evicted {
            // A panic in one waker must not keep the others from being woken.
            let _ = catch_panic(|| waker.wake());
        }
        let (id, _waker) = added.ok_or(Full)?;
        match &mut self.0 {
            Some(held) => held.amount += more,
            None => self.0 = Some(Reserved { budget: budget.clone(), id, amount }),
        }
        Ok(())
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut holders = self.budget.lock();
        let holder = holders.by_id.remove(&self.id);
        if holder.is_some() {
            holders.held -= self.amount;
        } else {
            holders.evicted -= self.amount;
        }
        drop(holders);
        drop(holder);
    }
}

#[cfg(test)]
mod tests;
