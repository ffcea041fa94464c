//! All interleavings of claim, commit, release, crash and the passing of time.
//!
//! Each operation of the store takes its lock once, so whatever threads do, the operations happen
//! one after another: to try all orders of them is to try all interleavings. A model checker for
//! threads would find no others.

use std::time::Duration;

use tower_webhook::{
    Verified,
    replay::{Claim, ClaimToken, MemoryReplayStore, ReplayKey, ReplayStore, Settled},
};

use super::{TestClock, at_once};

const LEASE: u64 = 60;
const RETENTION: u64 = 150;

/// How a handler ends, once it has been called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Succeeds,
    Fails,
    /// Its process dies: nobody tells the store.
    Dies,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// The next step of this request: its claim, or its end.
    Request(usize),
    /// So much time that leases run out.
    Time,
}

/// What is true of one delivery, told in plain words.
#[derive(Default)]
struct World {
    now: u64,
    /// Whose handler is at work, and until when its lease runs.
    working: Vec<(usize, u64)>,
    /// Until when a success must be remembered.
    succeeded: Option<u64>,
}

struct Run {
    clock: TestClock,
    store: MemoryReplayStore,
    key: ReplayKey,
    world: World,
    tokens: Vec<Option<ClaimToken>>,
}

impl Run {
    fn new(requests: usize) -> Self {
        let clock = TestClock::new();
        let store = MemoryReplayStore::new(10).clock(clock.now());
        let key = Verified::new("test").with_replay_material(b"1").replay_key().unwrap();
        Self { clock, store, key, world: World::default(), tokens: vec![None; requests] }
    }

    fn pass_time(&mut self) {
        self.world.now += LEASE;
        self.clock.advance(LEASE);
    }

    fn claim(&mut self, request: usize) {
        let world = &mut self.world;
        let token = ClaimToken::unique();
        let claim =
            at_once(self.store.claim(&self.key, token, Duration::from_secs(LEASE))).unwrap();
        let is_remembered = world.succeeded.is_some_and(|until| until > world.now);
        let is_worked_on = world.working.iter().any(|(_, until)| *until > world.now);
        match claim {
            Claim::Completed => assert!(is_remembered, "nothing is lost"),
            Claim::InFlight => assert!(is_worked_on && !is_remembered, "nothing is held for ever"),
            Claim::Granted { evicted } => {
                assert!(!is_remembered, "no delivery is handled twice");
                assert!(!is_worked_on, "no two handlers at a time");
                assert_eq!(evicted, 0);
                world.working.push((request, world.now + LEASE));
                self.tokens[request] = Some(token);
            }
            other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, request: usize, end: End) {
        let Some(token) = self.tokens[request] else { return };
        let world = &mut self.world;
        let at = world.working.iter().position(|(who, _)| *who == request).unwrap();
        let is_held = world.working[at].1 > world.now;
        let settled = match end {
            End::Dies => return,
            End::Succeeds => {
                world.succeeded = Some(world.now + RETENTION);
                // What others still do is not undone, but the delivery is handled.
                at_once(self.store.commit(&self.key, token, Duration::from_secs(RETENTION)))
                    .unwrap()
            }
            End::Fails => at_once(self.store.release(&self.key, token)).unwrap(),
        };
        let is_remembered_by_another =
            end == End::Fails && world.succeeded.is_some_and(|until| until > world.now);
        world.working.remove(at);
        if !is_held {
            assert_eq!(settled, Settled::Lost, "a late owner is told");
        } else if !is_remembered_by_another && self.world.succeeded.is_none() {
            assert_eq!(settled, Settled::Held);
        }
    }
}

/// Runs one order of steps from the start.
fn run(order: &[Step], ends: &[End]) {
    let mut run = Run::new(ends.len());
    let mut has_claimed = vec![false; ends.len()];
    for step in order {
        match *step {
            Step::Time => run.pass_time(),
            Step::Request(request) if !has_claimed[request] => {
                has_claimed[request] = true;
                run.claim(request);
            }
            Step::Request(request) => run.end(request, ends[request]),
        }
    }
    // In the end all leases have run out, and a delivery without a success is handled after all.
    run.pass_time();
    run.world.working.retain(|(_, until)| *until > run.world.now);
    run.tokens.push(None);
    run.claim(ends.len());
}

/// Calls `visit` with each order of these steps.
fn orders(left: &mut Vec<(Step, usize)>, order: &mut Vec<Step>, visit: &mut dyn FnMut(&[Step])) {
    if left.iter().all(|(_, count)| *count == 0) {
        return visit(order);
    }
    for at in 0..left.len() {
        if left[at].1 > 0 {
            left[at].1 -= 1;
            order.push(left[at].0);
            orders(left, order, visit);
            order.pop();
            left[at].1 += 1;
        }
    }
}

#[test]
fn every_order_of_events_handles_delivery_once() {
    const ENDS: [End; 3] = [End::Succeeds, End::Fails, End::Dies];
    let mut runs = 0;
    for first in ENDS {
        for second in ENDS {
            for third in ENDS {
                let ends = [first, second, third];
                let mut left = vec![(Step::Time, 3)];
                left.extend((0..3).map(|request| (Step::Request(request), 2)));
                orders(&mut left, &mut Vec::new(), &mut |order| {
                    run(order, &ends);
                    runs += 1;
                });
            }
        }
    }
    // 9! / (3! 2! 2! 2!) orders of 27 endings each.
    assert_eq!(runs, 7560 * 27);
}
