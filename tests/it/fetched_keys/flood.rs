//! Fetches that strangers cause with unknown key IDs.

use std::net::{IpAddr, Ipv4Addr};

use http::StatusCode;
use tokio::{runtime::Builder, task::JoinSet};
use tower_webhook::{Rejection, fetched_keys::KeyFetcher, observe::ClientIp};

use super::{
    CIRCLE_HEADER, CIRCLE_ID, GITHUB_ID, KeySource, Reply, circle, circle_key, circle_layer,
    from_circle, from_github, github_layer, github_list, uuid,
};
use crate::{
    layer::allocations::peak_of,
    net::within,
    support::{BoxError, SetClock, send},
};

const MINUTE: i64 = 60_000;

/// A source with Circle's key and no other.
fn one_key() -> KeySource {
    KeySource::new(|request| match request.key_id() {
        Some(CIRCLE_ID) => circle_key(CIRCLE_ID).into(),
        _ => Reply::Absent,
    })
}

/// The address of the client, from an extension.
fn peer() -> ClientIp {
    ClientIp::new(|head| head.extensions.get::<IpAddr>().copied())
}

#[tokio::test]
async fn unknown_ids_cause_a_bounded_number_of_fetches() {
    let (source, clock) = (one_key(), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    let status = async |id: String| send(&layer, from_circle(&id)).await.0.status();
    assert_eq!(status(CIRCLE_ID.to_owned()).await, StatusCode::OK);
    let mut forged = 0;
    for number in 0..10_000 {
        let found = status(uuid(number)).await;
        forged += usize::from(found == StatusCode::FORBIDDEN);
        assert!(matches!(found, StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE));
        if number % 1_000 == 0 {
            assert_eq!(status(CIRCLE_ID.to_owned()).await, StatusCode::OK);
        }
    }
    // The fetch of the genuine key does not count.
    assert_eq!((forged, source.calls()), (100, 101));
    // What was fetched is still known: the other IDs did not displace it.
    for number in 0..100 {
        assert_eq!(status(uuid(number)).await, StatusCode::FORBIDDEN);
    }
    assert_eq!(source.calls(), 101);
    clock.set(MINUTE);
    for number in 0..10_000 {
        status(uuid(number)).await;
    }
    assert_eq!(source.calls(), 201);
    assert_eq!(status(CIRCLE_ID.to_owned()).await, StatusCode::OK);
}

#[tokio::test]
async fn one_network_leaves_fetches_to_the_others() {
    let (source, clock) = (one_key(), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock)).client_ip(peer());
    let from = async |address: [u8; 4], id: String| {
        let mut request = from_circle(&id);
        request.extensions_mut().insert(IpAddr::from(Ipv4Addr::from(address)));
        send(&layer, request).await.0.status()
    };
    for number in 0..200 {
        from([192, 0, 2, u8::try_from(number).unwrap()], uuid(number)).await;
    }
    assert_eq!(source.calls(), 25);
    assert_eq!(from([198, 51, 100, 1], CIRCLE_ID.to_owned()).await, StatusCode::OK);
    for network in 0..20 {
        for number in 0..100 {
            from([10, 0, network, 1], uuid(1_000 * usize::from(network) + 300 + number)).await;
        }
    }
    assert_eq!(source.calls(), 101);
}

/// A quarter of one is one.
#[tokio::test]
async fn smallest_limit_leaves_a_fetch_to_a_network() {
    let (source, clock) = (one_key(), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock).max_unknown_ids(1)).client_ip(peer());
    let mut request = from_circle(CIRCLE_ID);
    request.extensions_mut().insert(IpAddr::from([192, 0, 2, 1]));
    assert_eq!(send(&layer, request).await.0.status(), StatusCode::OK);
}

/// Documents of a provider that uses a new key for each request.
#[tokio::test]
async fn number_of_known_keys_is_bounded() {
    let document = circle_key(CIRCLE_ID);
    let source = KeySource::new(move |request| {
        document.replace(CIRCLE_ID, request.key_id().unwrap()).into()
    });
    let layer = circle_layer(&source.fetcher(&SetClock::new()));
    let delivery = circle();
    for _ in 0..2 {
        for number in 0..1_500 {
            let request = delivery.with(CIRCLE_HEADER, Some(&uuid(number)));
            assert_eq!(send(&layer, request).await.0.status(), StatusCode::OK);
        }
    }
    assert!(source.calls() >= 1_500 + 500, "{}", source.calls());
}

/// The source keeps no calls here, because the memory is measured.
#[test]
fn unknown_ids_of_the_past_take_no_memory() {
    let clock = SetClock::new();
    let fetcher = KeyFetcher::new(|_| async { Ok::<_, BoxError>(None::<String>) });
    let layer = circle_layer(&fetcher.clock(clock.now()));
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let delivery = circle();
    let interval = |number: i64| {
        clock.set(number * MINUTE);
        for id in 0..100 {
            let id = uuid(usize::try_from(number).unwrap() * 100 + id);
            let request = delivery.with(CIRCLE_HEADER, Some(&id));
            let (response, _) = runtime.block_on(send(&layer, request));
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
        }
    };
    (0..3).for_each(interval);
    let ((), peak) = peak_of(|| (3..33).for_each(interval));
    assert!(peak < 100_000, "{peak} bytes");
}

#[tokio::test]
async fn new_keys_of_the_provider_are_not_limited() {
    let source = KeySource::new(|request| circle_key(request.key_id().unwrap()).into());
    let layer = circle_layer(&source.fetcher(&SetClock::new()));
    for number in 0..500 {
        let (response, _) = send(&layer, from_circle(&uuid(number))).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(source.calls(), 500);
}

#[tokio::test]
async fn failing_source_is_called_a_bounded_number_of_times() {
    let (source, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock).max_unknown_ids(8));
    for second in 0..60 {
        clock.set(second * 1_000);
        for number in 0..20 {
            let (response, _) = send(&layer, from_circle(&uuid(number))).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }
    assert_eq!(source.calls(), 8);
    let (response, _) = send(&layer, from_circle(&uuid(20))).await;
    let rejection = response.extensions().get::<Rejection>().unwrap();
    let cause = std::error::Error::source(rejection).unwrap().to_string();
    assert!(cause.contains("too many unknown key IDs"), "{cause}");

    // A list is one document, whatever the IDs.
    let layer = github_layer(&source.fetcher(&clock).max_unknown_ids(1));
    for second in 0..60 {
        clock.set(second * 1_000);
        for number in 0..20 {
            send(&layer, from_github(&format!("{number:064x}"))).await;
        }
    }
    assert_eq!(source.calls(), 8 + 6);
}

#[tokio::test]
async fn concurrent_unknown_ids_share_the_limit() {
    let (source, clock) = (one_key(), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    let mut requests = JoinSet::new();
    for number in 0..1_000 {
        let layer = layer.clone();
        requests.spawn(async move { send(&layer, from_circle(&uuid(number))).await.0.status() });
    }
    let found = within(requests.join_all()).await;
    let forged = found.iter().filter(|status| **status == StatusCode::FORBIDDEN).count();
    assert_eq!((forged, source.calls()), (100, 100));
    assert_eq!(found.len() - forged, 900);
}

#[tokio::test]
async fn known_keys_are_used_while_the_source_hangs() {
    let (source, clock) = (KeySource::fixed(github_list(&[GITHUB_ID])), SetClock::new());
    let layer = github_layer(&source.fetcher(&clock));
    assert_eq!(send(&layer, from_github(GITHUB_ID)).await.0.status(), StatusCode::OK);
    source.set(Reply::Never);
    clock.set(MINUTE);
    let mut strangers = JoinSet::new();
    for number in 0..100 {
        let layer = layer.clone();
        let id = format!("{number:064x}");
        strangers.spawn(async move { send(&layer, from_github(&id)).await.0.status() });
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
        assert_eq!(send(&layer, from_github(GITHUB_ID)).await.0.status(), StatusCode::OK);
    }
    assert_eq!(source.calls(), 2);
}
