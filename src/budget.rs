//! How many bytes of unverified bodies a layer holds at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::RejectionKind;

/// What all requests of a layer may hold together. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limit: usize,
    held: Arc<AtomicUsize>,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, held: Arc::default() }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a body of at least this length could be held now. It promises nothing: no sender can
    /// take room by what it declares.
    pub(crate) fn has_room(&self, declared: usize) -> bool {
        declared.max(1) <= self.limit.saturating_sub(self.held.load(Relaxed))
    }
}

/// One request's share, which is given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share(Option<Held>);

#[derive(Debug)]
struct Held {
    all: Arc<AtomicUsize>,
    mine: usize,
}

impl Share {
    /// Takes what is missing up to this many bytes. It never waits for room: requests that each
    /// hold a part and wait for the rest would wait for each other.
    pub(crate) fn grow(&mut self, bytes: usize, budget: &Budget) -> Result<(), RejectionKind> {
        let mine = self.0.as_ref().map_or(0, |held| held.mine);
        let Some(more) = bytes.checked_sub(mine).filter(|more| *more > 0) else {
            return Ok(());
        };
        // The count guards no other memory, so its order does not matter.
        budget
            .held
            .fetch_update(Relaxed, Relaxed, |all| {
                all.checked_add(more).filter(|all| *all <= budget.limit)
            })
            .map_err(|_| RejectionKind::Overload)?;
        self.0.get_or_insert_with(|| Held { all: Arc::clone(&budget.held), mine: 0 }).mine = bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.mine, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_share_grows_within_the_budget_and_goes_back_whole() {
        let budget = Budget::new(10);
        let (mut a, mut b) = (Share::default(), Share::default());
        assert_eq!(a.grow(6, &budget), Ok(()));
        assert_eq!(a.grow(6, &budget), Ok(()), "nothing new");
        assert_eq!(a.grow(2, &budget), Ok(()), "it never shrinks");
        assert_eq!(b.grow(4, &budget), Ok(()));
        assert!(!budget.has_room(0));
        assert_eq!(a.grow(7, &budget), Err(RejectionKind::Overload));
        assert_eq!(budget.held.load(Relaxed), 10, "what is refused takes nothing");
        drop(b);
        assert!(budget.has_room(4));
        assert!(!budget.has_room(5));
        assert_eq!(a.grow(10, &budget), Ok(()));
        drop(a);
        assert_eq!(budget.held.load(Relaxed), 0);
    }

    #[test]
    fn the_count_does_not_overflow() {
        let budget = Budget::new(usize::MAX);
        let (mut a, mut b) = (Share::default(), Share::default());
        assert_eq!(a.grow(usize::MAX - 1, &budget), Ok(()));
        assert_eq!(b.grow(2, &budget), Err(RejectionKind::Overload));
        assert_eq!(b.grow(1, &budget), Ok(()));
    }

    #[test]
    fn threads_together_never_hold_more_and_leave_nothing() {
        let budget = Budget::new(100);
        thread::scope(|scope| {
            for thread in 0..4 {
                let budget = budget.clone();
                scope.spawn(move || {
                    for round in 0..2000 {
                        let mut share = Share::default();
                        for step in 1..=3 {
                            let _ = share.grow(step * (7 + (thread + round) % 17), &budget);
                            assert!(budget.held.load(Relaxed) <= 100);
                        }
                    }
                });
            }
        });
        assert_eq!(budget.held.load(Relaxed), 0);
    }
}
