//! The store in memory: bounded, expiring, and open about what it had to forget.

use std::time::Duration;

use tower_webhook::{
    ReplayKey, Verified,
    replay::{Claim, MemoryStore, ReplayStore, Settled, Token},
};

use super::{TestClock, at_once};

const LEASE: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(660);
const GRANTED: Claim = Claim::Granted { evicted: 0 };

fn key(of: usize) -> ReplayKey {
    Verified::new("test").with_identity(&of.to_be_bytes()).replay_key().unwrap()
}

fn claim(store: &MemoryStore, of: usize) -> (Token, Claim) {
    let token = Token::unique();
    (token, at_once(store.claim(&key(of), token, LEASE)).unwrap())
}

fn handle(store: &MemoryStore, of: usize) -> Claim {
    let (token, claim) = claim(store, of);
    if matches!(claim, Claim::Granted { .. }) {
        assert_eq!(at_once(store.commit(&key(of), token, RETENTION)).unwrap(), Settled::Held);
    }
    claim
}

#[test]
fn claims_and_deliveries_expire() {
    let clock = TestClock::new();
    let store = MemoryStore::new(10).clock(clock.now());
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
    let store = MemoryStore::new(10).clock(clock.now());
    for of in 0..100 {
        assert_eq!(handle(&store, of), GRANTED, "{of}");
        clock.advance(66);
        assert!(store.len() <= 10);
    }
}

#[test]
fn a_full_store_forgets_what_it_would_forget_next_and_says_so() {
    let clock = TestClock::new();
    let store = MemoryStore::new(10).clock(clock.now());
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
    let store = MemoryStore::new(3);
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
    let store = MemoryStore::new(10).clock(clock.now());
    let claims: Vec<Token> = (0..9).map(|of| claim(&store, of).0).collect();
    // All others have to share the last place.
    for of in 100..120 {
        let evicted = u64::from(of > 100);
        assert_eq!(handle(&store, of), Claim::Granted { evicted });
    }
    assert_eq!(claim(&store, 9).1, Claim::Granted { evicted: 1 });
    // Nothing but claims: a further one fails, and takes nothing from them.
    assert!(at_once(store.claim(&key(10), Token::unique(), LEASE)).is_err());
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
    assert!(at_once(store.claim(&key(30), Token::unique(), LEASE)).is_err());
    clock.advance(60);
    assert_eq!(claim(&store, 30).1, GRANTED);
    assert_eq!((store.len(), store.in_flight()), (1, 1));
}

#[test]
fn nobody_gives_back_what_is_anothers() {
    let clock = TestClock::new();
    let store = MemoryStore::new(10).clock(clock.now());
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
        let (store, peak) = crate::allocator::peak_of(|| {
            let store = MemoryStore::with_max_bytes(max_bytes);
            for of in 0..2 * store.max_deliveries() {
                handle(&store, of);
            }
            store
        });
        assert!(store.len() <= store.max_deliveries());
        assert!(store.len() > store.max_deliveries() * 9 / 10, "it is used");
        assert!(peak <= max_bytes, "{peak} of {max_bytes}");
    }
}

#[test]
fn tokens_are_unique() {
    let tokens: std::collections::HashSet<Token> = (0..10_000).map(|_| Token::unique()).collect();
    assert_eq!(tokens.len(), 10_000);
}
