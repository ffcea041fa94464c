use std::time::Duration;

use super::*;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn facts(tenant: &str, address: [u8; 4]) -> Facts<'_> {
    Facts { provider: "acme", tenant: Some(tenant), client_ip: Some(address.into()) }
}

fn at(seconds: u64) -> SystemTime {
    NOW + Duration::from_secs(seconds)
}

/// Returns how many of these rejections have a place.
fn taken<'a>(
    places: &Places,
    rejections: impl IntoIterator<Item = (Facts<'a>, &'static str)>,
) -> usize {
    let takes = |(facts, reason): (Facts<'a>, _)| places.take(&facts, reason, NOW, PER_MINUTE);
    rejections.into_iter().map(takes).filter(|takes| *takes).count()
}

#[test]
fn a_flood_has_six_places_a_minute_at_most() {
    let places = Places::new();
    let flood = (0..=255_u8).map(|network| (facts("a", [10, 0, network, 1]), "mismatch"));
    assert_eq!(taken(&places, flood.clone()), 4);
    assert_eq!(taken(&places, flood.clone()), 0);
    for (second, most) in [(59, 0), (60, 4), (119, 0), (120, 4)] {
        let takes = |(facts, reason)| places.take(&facts, reason, at(second), PER_MINUTE);
        assert_eq!(flood.clone().map(takes).filter(|takes| *takes).count(), most, "{second}");
    }
    // With a verified request before each of them.
    let places = Places::new();
    let takes = |(facts, reason)| {
        places.verified(&facts);
        places.take(&facts, reason, NOW, PER_MINUTE)
    };
    assert_eq!(flood.map(takes).filter(|takes| *takes).count(), 6);
}

#[test]
fn a_flood_leaves_the_first_failure_of_a_genuine_sender_its_place() {
    let genuine = facts("a", [192, 0, 2, 1]);
    let places = Places::new();
    places.verified(&genuine);
    let flood = (0..=255_u8).map(|network| (facts("a", [10, 0, network, 1]), "mismatch"));
    assert_eq!(taken(&places, flood.clone()), 4);
    assert!(places.take(&genuine, "mismatch", NOW, PER_MINUTE));
    // It is news once.
    assert!(!places.take(&genuine, "mismatch", NOW, PER_MINUTE));
    places.verified(&genuine);
    // Another address of the sender's network.
    let other = facts("a", [192, 0, 2, 99]);
    assert!(places.take(&other, "mismatch", NOW, PER_MINUTE));
}

#[test]
fn one_sender_leaves_places_to_others() {
    let sender = (facts("a", [10, 0, 0, 1]), "mismatch");
    for other in [
        (facts("b", [10, 0, 0, 1]), "mismatch"),
        (facts("a", [10, 0, 1, 1]), "mismatch"),
        (facts("a", [10, 0, 0, 1]), "missing"),
    ] {
        let places = Places::new();
        assert_eq!(taken(&places, [sender; 99]), 3);
        assert_eq!(taken(&places, [other; 99]), 1, "{other:?}");
    }
}

#[test]
fn a_number_that_is_set_is_kept() {
    for per_minute in [0, 1, 2, 3, 7, 1000] {
        let places = Places::new();
        let count = (0..=255_u8)
            .flat_map(|a| (0..=20_u8).map(move |b| facts("a", [10, a, b, 1])))
            .filter(|facts| {
                places.verified(facts);
                places.take(facts, "mismatch", NOW, per_minute)
            })
            .count();
        assert_eq!(count, usize::try_from(per_minute).unwrap());
    }
}

#[test]
fn a_failure_that_found_no_place_is_news_in_the_next_minute() {
    let places = Places::new();
    let genuine = [1, 2, 3].map(|network| facts("a", [192, 0, network, 1]));
    genuine.iter().for_each(|facts| places.verified(facts));
    let flood = |now| {
        let networks = (0..=255_u8).map(|network| facts("a", [10, 0, network, 1]));
        networks.filter(|facts| places.take(facts, "mismatch", now, PER_MINUTE)).count()
    };
    assert_eq!(flood(NOW), 4);
    let told = genuine.map(|facts| places.take(&facts, "mismatch", NOW, PER_MINUTE));
    assert_eq!(told, [true, true, false]);
    assert_eq!(flood(at(60)), 4);
    assert!(places.take(&genuine[2], "mismatch", at(60), PER_MINUTE));
}

#[test]
fn stamps_of_two_threads_begin_no_minute() {
    let places = Places::new();
    let taken = |now| {
        let networks = (0..100_u8).map(|network| facts("a", [10, 0, network, 1]));
        networks.filter(|facts| places.take(facts, "mismatch", now, PER_MINUTE)).count()
    };
    let now = at(100);
    assert_eq!(taken(now), 4);
    for nanos in [1, 1_000, 1_000_000_000] {
        assert_eq!(taken(now - Duration::from_nanos(nanos)), 0);
    }
    // A clock that was set back keeps nothing from being explained for long.
    assert_eq!(taken(NOW), 4);
}

#[test]
fn strangers_never_pass_for_verified_senders() {
    let places = Places::new();
    for number in 0..200_000 {
        places.verified(&facts(&number.to_string(), [192, 0, 2, 1]));
    }
    let genuine = facts("a", [192, 0, 2, 1]);
    places.verified(&genuine);
    let networks = (0..=255_u8).flat_map(|a| (0..=255_u8).map(move |b| [10, a, b, 1]));
    let flood = networks.map(|network| (facts("a", network), "mismatch"));
    assert_eq!(taken(&places, flood), 4);
    assert!(places.take(&genuine, "mismatch", NOW, PER_MINUTE));
}
