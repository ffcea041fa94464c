//! An amount that all requests of a layer and its clones may hold together.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use crate::panic::catch_panic;

/// A bound on what requests hold while they wait: bytes of their bodies, or places to drain.
///
/// Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    /// The amount above the limit that may be in memory until evicted requests have run; `None` where
    /// they free nothing.
    overdraft: Option<usize>,
    holders: Mutex<Holders>,
}

#[derive(Debug, Default)]
struct Holders {
    /// By age: ids only grow.
    by_id: BTreeMap<u64, Holder>,
    next_id: u64,
    /// The sum of their amounts.
    held: usize,
    /// The sum of what was evicted from requests that have not run since.
    evicted: usize,
}

#[derive(Debug)]
struct Holder {
    amount: usize,
    waker: Waker,
}

/// The choice of a request for which the budget has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// It gives up its own share, so that the others complete. For requests that need long: if each
    /// took the place of an older one, none of them would complete.
    GiveUp,
    /// The oldest holders lose their shares to it. For requests that need a short time: senders
    /// that stall then keep nobody else out.
    EvictOldest,
}

/// There is no room in the budget, or there is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Budget {
    /// Creates a budget for memory. An evicted request frees its memory when it runs next, so a
    /// sixteenth more than the limit can be in memory for that moment.
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

    /// Returns whether this amount could be held now. It reserves nothing, so that no sender takes
    /// room by what it declares.
    pub(crate) fn has_room(&self, amount: usize) -> bool {
        amount <= self.limit() - self.lock().held
    }

    fn lock(&self) -> MutexGuard<'_, Holders> {
        // No foreign code runs under the lock, so nothing panics there.
        self.0.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    /// Returns whether this much more fits into memory. Eviction does not change that, so it is asked
    /// first: a request that is refused must evict nobody.
    fn fits_into_memory(&self, more: usize, budget: &Shared) -> bool {
        let in_memory = self.held.saturating_add(self.evicted);
        let most = budget.overdraft.map(|overdraft| budget.limit.saturating_add(overdraft));
        most.is_none_or(|most| more <= most.saturating_sub(in_memory))
    }

    /// Removes the oldest holders but this one, until this much more fits into the limit.
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

    /// Adds to the amount of this holder, or of a new one. Returns its id, and the waker that is not
    /// needed.
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

/// One request's share of a budget. Dropping it gives it back.
#[derive(Debug, Default)]
pub(crate) struct Share(Option<Held>);

#[derive(Debug)]
struct Held {
    budget: Budget,
    id: u64,
    amount: usize,
}

impl Share {
    /// Makes the share at least this large, before the request waits. A share does not shrink.
    ///
    /// `waker` is woken when the share is evicted. The next call then fails.
    pub(crate) fn hold(
        &mut self,
        amount: usize,
        budget: &Budget,
        no_room: NoRoom,
        waker: &Waker,
    ) -> Result<(), Full> {
        if amount == 0 {
            return Ok(());
        }
        // Wakers are foreign code, which may drop a request with a share of its own: they are
        // cloned, dropped and woken without the lock.
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
            // A panic there must not keep the others from being woken.
            let _ = catch_panic(|| waker.wake());
        }
        let (id, _waker) = added.ok_or(Full)?;
        match &mut self.0 {
            Some(held) => held.amount += more,
            None => self.0 = Some(Held { budget: budget.clone(), id, amount }),
        }
        Ok(())
    }
}

impl Drop for Held {
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
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        task::Wake,
        thread,
    };

    use super::{
        NoRoom::{EvictOldest, GiveUp},
        *,
    };

    fn hold(share: &mut Share, amount: usize, budget: &Budget, no_room: NoRoom) -> bool {
        share.hold(amount, budget, no_room, Waker::noop()).is_ok()
    }

    fn held(budget: &Budget) -> usize {
        let holders = budget.lock();
        let sum: usize = holders.by_id.values().map(|holder| holder.amount).sum();
        assert_eq!(holders.held, sum);
        sum
    }

    fn assert_empty(budget: &Budget) {
        assert_eq!((held(budget), budget.lock().evicted), (0, 0));
    }

    #[test]
    fn share_grows_within_the_budget_and_goes_back_whole() {
        let budget = Budget::of_places(10);
        let (mut a, mut b) = (Share::default(), Share::default());
        assert!(hold(&mut a, 6, &budget, GiveUp));
        assert!(hold(&mut a, 6, &budget, GiveUp), "nothing new");
        assert!(hold(&mut a, 2, &budget, GiveUp), "it never shrinks");
        assert!(hold(&mut b, 4, &budget, GiveUp));
        assert!(!budget.has_room(1));
        assert!(!hold(&mut a, 7, &budget, GiveUp));
        assert_eq!(held(&budget), 10, "a refused call takes nothing");
        drop(b);
        assert!(budget.has_room(4));
        assert!(!budget.has_room(5));
        assert!(hold(&mut a, 10, &budget, GiveUp));
        drop(a);
        assert_empty(&budget);
    }

    #[test]
    fn nothing_held_is_nobody_to_evict() {
        let budget = Budget::of_places(1);
        let (mut idle, mut other) = (Share::default(), Share::default());
        assert!(hold(&mut idle, 0, &budget, GiveUp));
        assert!(budget.lock().by_id.is_empty());
        assert!(hold(&mut other, 1, &budget, EvictOldest));
        assert!(hold(&mut idle, 0, &budget, GiveUp));
        assert!(hold(&mut other, 1, &budget, GiveUp));
    }

    #[test]
    fn evicted_memory_counts_until_its_request_runs() {
        let budget = Budget::of_bytes(32);
        let mut old: Vec<_> = (0..32).map(|_| Share::default()).collect();
        assert!(old.iter_mut().all(|share| hold(share, 1, &budget, GiveUp)));
        let mut new: Vec<_> = (0..3).map(|_| Share::default()).collect();
        // A sixteenth of the limit, and no more.
        let held_new = |share| hold(share, 1, &budget, EvictOldest);
        assert_eq!(new.iter_mut().map(held_new).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!((held(&budget), budget.lock().evicted), (32, 2), "the third evicts nobody");
        // The first of the old ones runs, and frees what it held.
        old.remove(0);
        assert!(hold(&mut new[2], 1, &budget, EvictOldest));
        drop((old, new));
        assert_empty(&budget);
    }

    #[test]
    fn sum_does_not_overflow() {
        let budget = Budget::of_places(usize::MAX);
        let (mut a, mut b) = (Share::default(), Share::default());
        assert!(hold(&mut a, usize::MAX - 1, &budget, GiveUp));
        assert!(!hold(&mut b, 2, &budget, GiveUp));
        assert!(hold(&mut b, 1, &budget, GiveUp));
        assert!(hold(&mut b, 2, &budget, EvictOldest));
        assert_eq!(held(&budget), 2);
    }

    #[test]
    fn oldest_shares_are_evicted_and_no_more_than_needed() {
        let budget = Budget::of_places(10);
        let mut shares: Vec<_> = (0..5).map(|_| Share::default()).collect();
        assert!(shares.iter_mut().all(|share| hold(share, 2, &budget, GiveUp)));
        // The third grows: the two oldest make room, and it is not evicted itself.
        assert!(hold(&mut shares[2], 6, &budget, EvictOldest));
        let kept = shares.iter_mut().map(|share| hold(share, 1, &budget, GiveUp));
        assert_eq!(kept.collect::<Vec<_>>(), [false, false, true, true, true]);
        assert_eq!(held(&budget), 10);
        // A share that has been evicted gives nothing back.
        shares.remove(0);
        assert_eq!(held(&budget), 10);

        // An amount that the budget can never hold evicts nobody.
        assert!(!hold(&mut Share::default(), 11, &budget, EvictOldest));
        assert_eq!(held(&budget), 10);
        // The oldest does not evict itself.
        assert!(hold(&mut shares[1], 10, &budget, EvictOldest));
        assert_eq!(held(&budget), 10);
        assert!(!hold(&mut shares[2], 2, &budget, GiveUp));
        drop(shares);
        assert_empty(&budget);
    }

    #[test]
    fn evicted_request_is_woken_by_its_last_waker() {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Relaxed);
            }
        }
        let budget = Budget::of_places(1);
        let mut share = Share::default();
        let flags = [(); 2].map(|()| Arc::new(Flag(AtomicBool::new(false))));
        for flag in &flags {
            let waker = Waker::from(Arc::clone(flag));
            assert_eq!(share.hold(1, &budget, GiveUp, &waker), Ok(()));
        }
        assert!(hold(&mut Share::default(), 1, &budget, EvictOldest));
        assert_eq!(flags.map(|flag| flag.0.load(Relaxed)), [false, true]);
    }

    #[test]
    fn waker_that_drops_a_share_does_not_block() {
        /// As an executor that drops a task when its last waker goes.
        struct Task(#[expect(dead_code, reason = "dropped with the task")] Mutex<Share>);
        impl Wake for Task {
            fn wake(self: Arc<Self>) {}
        }
        let budget = Budget::of_places(3);
        let task = || {
            let mut share = Share::default();
            assert!(hold(&mut share, 1, &budget, GiveUp));
            Waker::from(Arc::new(Task(Mutex::new(share))))
        };
        let mut share = Share::default();
        assert_eq!(share.hold(1, &budget, GiveUp, &task()), Ok(()));
        // The first task is dropped with its waker: by a new waker, by eviction, and by the end.
        assert_eq!(share.hold(1, &budget, GiveUp, &task()), Ok(()));
        assert!(hold(&mut Share::default(), 3, &budget, EvictOldest));
        drop(share);
        assert_empty(&budget);
        let mut share = Share::default();
        assert_eq!(share.hold(1, &budget, GiveUp, &task()), Ok(()));
        drop(share);
        assert_empty(&budget);
    }

    #[test]
    fn waker_that_panics_keeps_no_other_from_being_woken() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("the executor's, as it should");
            }
        }
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Relaxed);
            }
        }
        let budget = Budget::of_places(2);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let (mut a, mut b) = (Share::default(), Share::default());
        assert_eq!(a.hold(1, &budget, GiveUp, &Waker::from(Arc::new(Panics))), Ok(()));
        assert_eq!(b.hold(1, &budget, GiveUp, &Waker::from(Arc::clone(&flag))), Ok(()));
        assert!(hold(&mut Share::default(), 2, &budget, EvictOldest));
        assert!(flag.0.load(Relaxed));
    }

    #[test]
    fn threads_together_hold_no_more_and_leave_nothing() {
        let budget = Budget::of_places(100);
        thread::scope(|scope| {
            for thread in 0..4 {
                let budget = budget.clone();
                scope.spawn(move || {
                    for round in 0..2000 {
                        let mut share = Share::default();
                        let no_room = if round % 3 == 0 { EvictOldest } else { GiveUp };
                        for step in 1..=3 {
                            hold(&mut share, step * (7 + (thread + round) % 17), &budget, no_room);
                            assert!(held(&budget) <= 100);
                        }
                    }
                });
            }
        });
        assert_empty(&budget);
    }
}
