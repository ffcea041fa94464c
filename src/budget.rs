//! An amount that all requests of a layer and its clones may hold together.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Waker,
};

/// A bound on what requests hold while they wait: bytes of their bodies, or places to drain.
///
/// Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limit: usize,
    shares: Arc<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    /// The sum of all shares. Written under the lock only.
    held: AtomicUsize,
    holders: Mutex<Holders>,
}

#[derive(Debug, Default)]
struct Holders {
    /// By age: ids only grow.
    by_id: BTreeMap<u64, Holder>,
    next_id: u64,
}

#[derive(Debug)]
struct Holder {
    amount: usize,
    waker: Waker,
}

/// What a request does when the budget has no room for it.
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
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, shares: Arc::default() }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Returns whether this amount could be held now. It reserves nothing, so that no sender takes
    /// room by what it declares.
    pub(crate) fn has_room(&self, amount: usize) -> bool {
        amount <= self.limit.saturating_sub(self.shares.held.load(Relaxed))
    }
}

impl Shares {
    fn lock(&self) -> MutexGuard<'_, Holders> {
        // Nothing is left half done by a panic in here.
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's share of a budget. Dropping it gives it back.
#[derive(Debug, Default)]
pub(crate) struct Share(Option<Held>);

#[derive(Debug)]
struct Held {
    shares: Arc<Shares>,
    id: u64,
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
        // Wakers are woken and dropped after the lock is released: both run the executor's code,
        // which may drop a request with a share of its own.
        let (mut replaced, mut evicted) = (None, Vec::new());
        let mut holders = budget.shares.lock();
        let mine = match &self.0 {
            Some(held) => holders.by_id.get(&held.id).ok_or(Full)?.amount,
            None => 0,
        };
        let more = amount.saturating_sub(mine);
        let mut held = budget.shares.held.load(Relaxed);
        let fits = |held: usize| more <= budget.limit.saturating_sub(held);
        if !fits(held) && no_room == NoRoom::EvictOldest && amount <= budget.limit {
            let own = self.0.as_ref().map(|held| held.id);
            while !fits(held) {
                let oldest = holders.by_id.keys().copied().find(|id| Some(*id) != own);
                let oldest = oldest.and_then(|id| holders.by_id.remove(&id));
                let Some(oldest) = oldest else { break };
                held -= oldest.amount;
                evicted.push(oldest.waker);
            }
        }
        let result = if fits(held) {
            held += more;
            let id = self.0.as_ref().map_or(holders.next_id, |held| held.id);
            match holders.by_id.get_mut(&id) {
                Some(holder) => {
                    holder.amount += more;
                    if !holder.waker.will_wake(waker) {
                        replaced = Some(std::mem::replace(&mut holder.waker, waker.clone()));
                    }
                }
                None => {
                    holders.next_id += 1;
                    holders.by_id.insert(id, Holder { amount: more, waker: waker.clone() });
                    self.0 = Some(Held { shares: Arc::clone(&budget.shares), id });
                }
            }
            Ok(())
        } else {
            Err(Full)
        };
        budget.shares.held.store(held, Relaxed);
        drop(holders);
        drop(replaced);
        evicted.into_iter().for_each(Waker::wake);
        result
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut holders = self.shares.lock();
        // An evicted share has been given to others already.
        let holder = holders.by_id.remove(&self.id);
        if let Some(holder) = &holder {
            let held = self.shares.held.load(Relaxed);
            self.shares.held.store(held - holder.amount, Relaxed);
        }
        drop(holders);
        drop(holder);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::AtomicBool,
        task::{Wake, Waker},
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
        let holders = budget.shares.lock();
        let sum: usize = holders.by_id.values().map(|holder| holder.amount).sum();
        assert_eq!(budget.shares.held.load(Relaxed), sum);
        sum
    }

    #[test]
    fn share_grows_within_the_budget_and_goes_back_whole() {
        let budget = Budget::new(10);
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
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn sum_does_not_overflow() {
        let budget = Budget::new(usize::MAX);
        let (mut a, mut b) = (Share::default(), Share::default());
        assert!(hold(&mut a, usize::MAX - 1, &budget, GiveUp));
        assert!(!hold(&mut b, 2, &budget, GiveUp));
        assert!(hold(&mut b, 1, &budget, GiveUp));
        assert!(hold(&mut b, 2, &budget, EvictOldest));
        assert_eq!(held(&budget), 2);
    }

    #[test]
    fn oldest_shares_are_evicted_and_no_more_than_needed() {
        let budget = Budget::new(10);
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
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn evicted_request_is_woken_by_its_last_waker() {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Relaxed);
            }
        }
        let budget = Budget::new(1);
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
        let budget = Budget::new(3);
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
        assert_eq!(held(&budget), 0);
        let mut share = Share::default();
        assert_eq!(share.hold(1, &budget, GiveUp, &task()), Ok(()));
        drop(share);
        assert_eq!(held(&budget), 0);
    }

    #[test]
    fn threads_together_hold_no_more_and_leave_nothing() {
        let budget = Budget::new(100);
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
        assert_eq!(held(&budget), 0);
    }
}
