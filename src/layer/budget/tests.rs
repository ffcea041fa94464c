use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Wake,
    thread,
};

use super::*;
use crate::layer::budget::NoRoom::{EvictOldest, GiveUp};

fn reserve(reservation: &mut Reservation, amount: usize, budget: &Budget, no_room: NoRoom) -> bool {
    reservation.reserve(amount, budget, no_room, Waker::noop()).is_ok()
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
    let (mut a, mut b) = (Reservation::default(), Reservation::default());
    assert!(reserve(&mut a, 6, &budget, GiveUp));
    assert!(reserve(&mut a, 6, &budget, GiveUp), "nothing new");
    assert!(reserve(&mut a, 2, &budget, GiveUp), "it never shrinks");
    assert!(reserve(&mut b, 4, &budget, GiveUp));
    assert!(!budget.has_room(1));
    assert!(!reserve(&mut a, 7, &budget, GiveUp));
    assert_eq!(held(&budget), 10, "a refused call takes nothing");
    drop(b);
    assert!(budget.has_room(4));
    assert!(!budget.has_room(5));
    assert!(reserve(&mut a, 10, &budget, GiveUp));
    drop(a);
    assert_empty(&budget);
}

#[test]
fn nothing_held_is_nobody_to_evict() {
    let budget = Budget::of_places(1);
    let (mut idle, mut other) = (Reservation::default(), Reservation::default());
    assert!(reserve(&mut idle, 0, &budget, GiveUp));
    assert!(budget.lock().by_id.is_empty());
    assert!(reserve(&mut other, 1, &budget, EvictOldest));
    assert!(reserve(&mut idle, 0, &budget, GiveUp));
    assert!(reserve(&mut other, 1, &budget, GiveUp));
}

#[test]
fn evicted_memory_counts_until_its_request_runs() {
    let budget = Budget::of_bytes(32);
    let mut old: Vec<_> = (0..32).map(|_| Reservation::default()).collect();
    assert!(old.iter_mut().all(|reservation| reserve(reservation, 1, &budget, GiveUp)));
    let mut new: Vec<_> = (0..3).map(|_| Reservation::default()).collect();
    // A sixteenth of the limit, and no more.
    let held_new = |reservation| reserve(reservation, 1, &budget, EvictOldest);
    assert_eq!(new.iter_mut().map(held_new).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!((held(&budget), budget.lock().evicted), (32, 2), "the third evicts nobody");
    // The first of the old requests runs, and frees its memory.
    old.remove(0);
    assert!(reserve(&mut new[2], 1, &budget, EvictOldest));
    drop((old, new));
    assert_empty(&budget);
}

#[test]
fn sum_does_not_overflow() {
    let budget = Budget::of_places(usize::MAX);
    let (mut a, mut b) = (Reservation::default(), Reservation::default());
    assert!(reserve(&mut a, usize::MAX - 1, &budget, GiveUp));
    assert!(!reserve(&mut b, 2, &budget, GiveUp));
    assert!(reserve(&mut b, 1, &budget, GiveUp));
    assert!(reserve(&mut b, 2, &budget, EvictOldest));
    assert_eq!(held(&budget), 2);
}

#[test]
fn oldest_shares_are_evicted_and_no_more_than_needed() {
    let budget = Budget::of_places(10);
    let mut reservations: Vec<_> = (0..5).map(|_| Reservation::default()).collect();
    assert!(reservations.iter_mut().all(|reservation| reserve(reservation, 2, &budget, GiveUp)));
    // The third grows: the two oldest make room, and it is not evicted itself.
    assert!(reserve(&mut reservations[2], 6, &budget, EvictOldest));
    let kept = reservations.iter_mut().map(|reservation| reserve(reservation, 1, &budget, GiveUp));
    assert_eq!(kept.collect::<Vec<_>>(), [false, false, true, true, true]);
    assert_eq!(held(&budget), 10);
    // A reservation that has been evicted gives nothing back.
    reservations.remove(0);
    assert_eq!(held(&budget), 10);

    // An amount that the budget can never hold evicts no reservation.
    assert!(!reserve(&mut Reservation::default(), 11, &budget, EvictOldest));
    assert_eq!(held(&budget), 10);
    // The oldest does not evict itself.
    assert!(reserve(&mut reservations[1], 10, &budget, EvictOldest));
    assert_eq!(held(&budget), 10);
    assert!(!reserve(&mut reservations[2], 2, &budget, GiveUp));
    drop(reservations);
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
    let mut reservation = Reservation::default();
    let flags = [(); 2].map(|()| Arc::new(Flag(AtomicBool::new(false))));
    for flag in &flags {
        let waker = Waker::from(Arc::clone(flag));
        assert_eq!(reservation.reserve(1, &budget, GiveUp, &waker), Ok(()));
    }
    assert!(reserve(&mut Reservation::default(), 1, &budget, EvictOldest));
    assert_eq!(flags.map(|flag| flag.0.load(Relaxed)), [false, true]);
}

#[test]
fn waker_that_drops_a_share_does_not_block() {
    /// A task as in an executor that drops it with its last waker.
    struct Task(#[expect(dead_code, reason = "dropped with the task")] Mutex<Reservation>);
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    let budget = Budget::of_places(3);
    let task = || {
        let mut reservation = Reservation::default();
        assert!(reserve(&mut reservation, 1, &budget, GiveUp));
        Waker::from(Arc::new(Task(Mutex::new(reservation))))
    };
    let mut reservation = Reservation::default();
    assert_eq!(reservation.reserve(1, &budget, GiveUp, &task()), Ok(()));
    // The first task is dropped with its waker: by a new waker, by eviction, and at the end.
    assert_eq!(reservation.reserve(1, &budget, GiveUp, &task()), Ok(()));
    assert!(reserve(&mut Reservation::default(), 3, &budget, EvictOldest));
    drop(reservation);
    assert_empty(&budget);
    let mut reservation = Reservation::default();
    assert_eq!(reservation.reserve(1, &budget, GiveUp, &task()), Ok(()));
    drop(reservation);
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
    let (mut a, mut b) = (Reservation::default(), Reservation::default());
    assert_eq!(a.reserve(1, &budget, GiveUp, &Waker::from(Arc::new(Panics))), Ok(()));
    assert_eq!(b.reserve(1, &budget, GiveUp, &Waker::from(Arc::clone(&flag))), Ok(()));
    assert!(reserve(&mut Reservation::default(), 2, &budget, EvictOldest));
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
                    let mut reservation = Reservation::default();
                    let no_room = if round % 3 == 0 { EvictOldest } else { GiveUp };
                    for step in 1..=3 {
                        reserve(
                            &mut reservation,
                            step * (7 + (thread + round) % 17),
                            &budget,
                            no_room,
                        );
                        assert!(held(&budget) <= 100);
                    }
                }
            });
        }
    });
    assert_empty(&budget);
}
