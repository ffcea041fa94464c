//! The store in memory: bounded, expiring, and open about what it had to forget.

use std::time::Duration;

use tower_webhook::{
    Verified,
    replay::{Claim, ClaimToken, MemoryReplayStore, ReplayKey, ReplayStore, Settled},
};

use super::{TestClock, at_once};

const LEASE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(660);
const GRANTED: Claim = Claim::Granted { evicted: 0 };

fn key(of: usize) -> ReplayKey {
    Verified::new("test").with_replay_material(&of.to_be_bytes()).replay_key().unwrap()
}

fn claim(store: &MemoryReplayStore, of: usize) -> (ClaimToken, Claim) {
    let token = ClaimToken::unique();
    (token, at_once(store.claim(&key(of), token, LEASE)).unwrap())
}

fn handle(store: &MemoryReplayStore, of: usize) -> Claim {
    let (token, claim) = claim(store, of);
    if matches!(claim, Claim::Granted { .. }) {
        assert_eq!(at_once(store.commit(&key(of), token, RETENTION)).unwrap(), Settled::Held);
    }
    claim
}

#[test]
fn claims_and_deliveries_expire() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(10).clock(clock.now());
    assert_eq!(claim(&store, 1).1, GRANTED);
    clock.advance(59);
    assert_eq!(claim(&store, 1).1, Claim::InFlight);
    clock.advance(1);
    assert_eq!(handle(&store, 1), GRANTED);
    clock.advance(659);
    assert_eq!(claim(&store, 1).1, Claim::Completed);
    clock.advance(1);
    assert_eq!(claim(&store, 1).1, GRANTED);
    assert_eq!((store.len(), store.in_flight()), (1, 1));
}

#[test]
fn what_has_expired_makes_room_without_a_word() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(10).clock(clock.now());
    for of in 0..100 {
        assert_eq!(handle(&store, of), GRANTED, "{of}");
        clock.advance(66);
        assert!(store.len() <= 10);
    }
}

#[test]
fn full_store_evicts_earliest_expiry_and_reports_it() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(10).clock(clock.now());
    for of in 0..10 {
        assert_eq!(handle(&store, of), GRANTED);
        clock.advance(1);
    }
    assert_eq!(handle(&store, 10), Claim::Granted { evicted: 1 });
    assert_eq!(store.len(), 10);
    // The oldest has gone, and no other.
    for of in 1..11 {
        assert_eq!(handle(&store, of), Claim::Completed, "{of}");
    }
    assert_eq!(handle(&store, 0), Claim::Granted { evicted: 1 });
    assert_eq!(handle(&store, 1), Claim::Granted { evicted: 1 });
}

/// What was handled for longer is forgotten later, whatever came first.
#[test]
fn the_order_is_that_of_expiry() {
    let store = MemoryReplayStore::new(3);
    for (of, seconds) in [(0, 9000), (1, 100), (2, 5000)] {
        let (token, _) = claim(&store, of);
        at_once(store.commit(&key(of), token, Duration::from_secs(seconds))).unwrap();
    }
    assert_eq!(handle(&store, 3), Claim::Granted { evicted: 1 });
    assert_eq!(claim(&store, 0).1, Claim::Completed);
    assert_eq!(claim(&store, 2).1, Claim::Completed);
}

#[test]
fn a_claim_is_never_evicted() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(10).clock(clock.now());
    let claims: Vec<ClaimToken> = (0..9).map(|of| claim(&store, of).0).collect();
    // All others have to share the last place.
    for of in 100..120 {
        let evicted = u64::from(of > 100);
        assert_eq!(handle(&store, of), Claim::Granted { evicted });
    }
    assert_eq!(claim(&store, 9).1, Claim::Granted { evicted: 1 });
    // Nothing but claims: a further one fails, and takes nothing from them.
    assert!(at_once(store.claim(&key(10), ClaimToken::unique(), LEASE)).is_err());
    assert_eq!((store.len(), store.in_flight()), (10, 10));
    for (of, token) in claims.iter().enumerate() {
        assert_eq!(claim(&store, of).1, Claim::InFlight);
        assert_eq!(at_once(store.release(&key(of), *token)).unwrap(), Settled::Held);
    }
    assert_eq!(claim(&store, 10).1, GRANTED);
    // Those that were leaked go when their lease has run out.
    for of in 20..28 {
        claim(&store, of);
    }
    assert!(at_once(store.claim(&key(30), ClaimToken::unique(), LEASE)).is_err());
    clock.advance(60);
    assert_eq!(claim(&store, 30).1, GRANTED);
    assert_eq!((store.len(), store.in_flight()), (1, 1));
}

#[test]
fn nobody_gives_back_what_is_anothers() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(10).clock(clock.now());
    let (slow, _) = claim(&store, 1);
    clock.advance(60);
    let (quick, claimed) = claim(&store, 1);
    assert_eq!(claimed, GRANTED);
    assert_eq!(at_once(store.release(&key(1), slow)).unwrap(), Settled::Lost);
    assert_eq!(claim(&store, 1).1, Claim::InFlight);
    // A success stays one, whoever has the claim by then.
    assert_eq!(at_once(store.commit(&key(1), slow, RETENTION)).unwrap(), Settled::Lost);
    assert_eq!(claim(&store, 1).1, Claim::Completed);
    assert_eq!(at_once(store.release(&key(1), quick)).unwrap(), Settled::Lost);
    assert_eq!(claim(&store, 1).1, Claim::Completed);
    assert_eq!((store.len(), store.in_flight()), (1, 0));
}

#[test]
fn its_bytes_are_bounded() {
    for max_bytes in [1 << 20, 16 << 20] {
        let (store, peak) = crate::layer::allocations::peak_of(|| {
            let store = MemoryReplayStore::with_max_bytes(max_bytes);
            for of in 0..2 * store.max_deliveries() {
                handle(&store, of);
            }
            store
        });
        assert_eq!(store.max_deliveries(), max_bytes / 256);
        assert!(store.len() <= store.max_deliveries());
        assert!(store.len() > store.max_deliveries() * 9 / 10, "it is used");
        assert!(peak <= max_bytes, "{peak} of {max_bytes}");
    }
}

#[test]
fn tokens_are_unique() {
    let tokens: std::collections::HashSet<ClaimToken> =
        (0..10_000).map(|_| ClaimToken::unique()).collect();
    assert_eq!(tokens.len(), 10_000);
    // Other processes' stores tell them apart as well.
    let bytes: std::collections::HashSet<[u8; 16]> =
        tokens.iter().map(|token| token.to_bytes()).collect();
    assert_eq!(bytes.len(), 10_000);
    let processes: std::collections::HashSet<&[u8]> = bytes.iter().map(|all| &all[..8]).collect();
    assert!(processes.len() == 1 && !processes.contains(&[0; 8][..]), "{processes:?}");
}

#[test]
fn what_has_expired_goes_a_few_at_a_time() {
    let clock = TestClock::new();
    // More than half of it is used: what has expired goes, until no more is.
    let store = MemoryReplayStore::new(36).clock(clock.now());
    for of in 0..20 {
        handle(&store, of);
    }
    clock.advance(660);
    // Whichever of them is claimed again, it counts, and its old place in the order does it no harm.
    for of in [19, 18, 17, 16] {
        assert_eq!(claim(&store, of).1, GRANTED);
    }
    assert_eq!((store.len(), store.in_flight()), (13, 4));
    for of in [19, 18, 17, 16] {
        assert_eq!(claim(&store, of).1, Claim::InFlight);
    }
}

#[test]
fn second_commit_extends_the_retention() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(100).clock(clock.now());
    let (token, _) = claim(&store, 1);
    for seconds in [100, 200] {
        at_once(store.commit(&key(1), token, Duration::from_secs(seconds))).unwrap();
    }
    clock.advance(100);
    assert_eq!(handle(&store, 2), GRANTED);
    assert_eq!(claim(&store, 1).1, Claim::Completed);
}

#[test]
fn a_claim_is_lost_when_its_lease_has_run_out() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(100).clock(clock.now());
    let ([early, late, never], retention) = ([1, 2, 3].map(|of| claim(&store, of).0), RETENTION);
    clock.advance(59);
    assert_eq!(at_once(store.release(&key(1), early)).unwrap(), Settled::Held);
    clock.advance(1);
    assert_eq!(at_once(store.release(&key(2), late)).unwrap(), Settled::Lost);
    assert_eq!(at_once(store.commit(&key(3), never, retention)).unwrap(), Settled::Lost);
    assert_eq!((store.len(), store.in_flight()), (1, 0));
}
