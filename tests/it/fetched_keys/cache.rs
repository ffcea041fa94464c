//! Which keys are used, and when they are fetched.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use tokio::{
    task::{JoinSet, yield_now},
    time::advance,
};
use tower_webhook::{
    ConfigError, Rejection, RejectionKind, SignatureLayer,
    fetched_keys::{KeyDocument, KeyFetcher},
    layer::Source,
    providers::{Circle, CircleProduct, GitHubSecretScanning},
    verifier::verify_with,
};

use super::{
    CIRCLE_ID, GITHUB_HEADER, GITHUB_ID, KeySource, Reply, circle, circle_key, circle_layer,
    from_circle, from_github, github, github_layer, github_list,
};
use crate::{
    net::within,
    support::{SetClock, assert_refused, assert_refused_with, head_of, kind, send},
};

const OTHER_ID: &str = "aa525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d";
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

pub(super) async fn status<M: Source + Clone>(layer: &SignatureLayer<M>, id: &str) -> StatusCode {
    let request = if id.len() == 64 { from_github(id) } else { from_circle(id) };
    within(send(layer, request)).await.0.status()
}

/// Lets the tasks of the fetches run.
pub(super) async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

const FORGED: StatusCode = StatusCode::FORBIDDEN;
const RETRY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

#[tokio::test]
async fn published_delivery_is_verified_with_the_fetched_key() {
    let (source, clock) = (KeySource::fixed(github_list(&[OTHER_ID, GITHUB_ID])), SetClock::new());
    let layer = github_layer(&source.fetcher(&clock));
    for _ in 0..3 {
        let (response, inner) = send(&layer, from_github(GITHUB_ID)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(inner.only_call().verified().provider(), "github_secret_scanning");
    }
    assert_eq!(source.calls(), 1);
    assert_eq!(source.last().url(), "https://api.github.com/meta/public_keys/secret_scanning");
    assert_eq!(source.last().key_id(), None);
    let mut changed = from_github(GITHUB_ID);
    *changed.body_mut() = Full::from("[]");
    let answer = send(&layer, changed).await;
    assert_refused("changed", RejectionKind::SignatureMismatch, &answer);
}

#[tokio::test]
async fn key_of_each_product_has_its_url() {
    for (product, path) in [
        (CircleProduct::Wallets, "notifications"),
        (CircleProduct::Cpn, "cpn/notifications"),
        (CircleProduct::StableFx, "stablefx/notifications"),
    ] {
        let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
        let keys = Circle::with_fetched_keys(product, &source.fetcher(&clock)).unwrap();
        let layer = SignatureLayer::new(keys);
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        let url = format!("https://api.circle.com/v2/{path}/publicKey/{CIRCLE_ID}");
        assert_eq!((source.last().url(), source.last().key_id()), (&*url, Some(CIRCLE_ID)));
    }
}

#[tokio::test]
async fn head_that_no_key_makes_authentic_costs_no_fetch() {
    use RejectionKind::{Malformed, Missing, Repeated};

    let (source, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    let layer = github_layer(&source.fetcher(&clock));
    let long = "0".repeat(65);
    let path = "../".repeat(21) + "a";
    for (name, value, expected) in [
        (GITHUB_HEADER, None, Missing),
        (GITHUB_HEADER, Some(""), Missing),
        (GITHUB_HEADER, Some(&GITHUB_ID[1..]), Malformed),
        (GITHUB_HEADER, Some(&long), Malformed),
        (GITHUB_HEADER, Some(&path), Malformed),
        ("github-public-key-signature", None, Missing),
        ("github-public-key-signature", Some("%"), Malformed),
    ] {
        let answer = send(&layer, github().with(name, value)).await;
        assert_refused(&format!("{name} {value:?}"), expected, &answer);
    }
    let mut twice = from_github(GITHUB_ID);
    twice.headers_mut().append(GITHUB_HEADER, GITHUB_ID.parse().unwrap());
    assert_refused("twice", Repeated, &send(&layer, twice).await);
    assert_eq!(source.calls(), 0);

    let layer = circle_layer(&source.fetcher(&clock));
    let spaced = format!("{CIRCLE_ID}%2f");
    let (longer, other) = (format!("{CIRCLE_ID}0"), CIRCLE_ID.replace('b', "g"));
    let (upper, path) = (CIRCLE_ID.to_uppercase(), CIRCLE_ID.replace('-', "/"));
    for id in [&upper, "b3d9d2d5", &spaced, &path, &longer, &other] {
        let answer = send(&layer, from_circle(id)).await;
        assert_refused(id, Malformed, &answer);
    }
    let head = Request::builder().method(Method::HEAD).uri("/hook");
    let (response, inner) = send(&layer, head.body(Full::<bytes::Bytes>::default()).unwrap()).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
    let answer = send(&layer, circle().with("x-circle-signature", None)).await;
    assert_refused("unsigned", Missing, &answer);
    assert_eq!(source.calls(), 0);
}

#[tokio::test]
async fn unknown_key_of_a_list_costs_a_fetch_per_interval() {
    let (source, clock) = (KeySource::fixed(github_list(&[GITHUB_ID])), SetClock::new());
    let layer = github_layer(&source.fetcher(&clock));
    let answer = send(&layer, from_github(OTHER_ID)).await;
    assert_refused("unknown", RejectionKind::UnknownKey, &answer);
    let rejection = answer.0.extensions().get::<Rejection>().unwrap();
    assert!(rejection.to_string().contains(GITHUB_HEADER), "{rejection}");
    assert_eq!(status(&layer, GITHUB_ID).await, StatusCode::OK);
    for number in 0..50 {
        clock.set(number * 1_000);
        assert_eq!(status(&layer, &format!("{number:064x}")).await, FORGED);
    }
    assert_eq!(source.calls(), 1);
    // A new key is found after the interval.
    source.set(github_list(&[GITHUB_ID, OTHER_ID]));
    clock.set(MINUTE - 1);
    assert_eq!(status(&layer, OTHER_ID).await, FORGED);
    clock.set(MINUTE);
    assert_eq!(status(&layer, OTHER_ID).await, StatusCode::OK);
    assert_eq!(status(&layer, GITHUB_ID).await, StatusCode::OK);
    assert_eq!(source.calls(), 2);
    // If the source is down, it is not known whether there is such a key.
    source.set(Reply::Failed);
    clock.set(2 * MINUTE);
    for expected in [3, 3] {
        assert_eq!(status(&layer, &"0".repeat(64)).await, RETRY);
        assert_eq!(status(&layer, GITHUB_ID).await, StatusCode::OK);
        assert_eq!(source.calls(), expected);
    }
}

#[tokio::test]
async fn unknown_key_with_a_document_costs_a_fetch_per_interval() {
    let (source, clock) = (KeySource::fixed(Reply::Absent), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    for millis in [0, 1, MINUTE - 1] {
        clock.set(millis);
        let answer = send(&layer, from_circle(CIRCLE_ID)).await;
        assert_refused("unknown", RejectionKind::UnknownKey, &answer);
    }
    assert_eq!(source.calls(), 1);
    source.set(circle_key(CIRCLE_ID));
    clock.set(MINUTE);
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    // A key that the source no longer has was revoked.
    source.set(Reply::Absent);
    clock.set(MINUTE + HOUR);
    assert_eq!(status(&layer, CIRCLE_ID).await, FORGED);
    assert_eq!(source.calls(), 3);
}

#[tokio::test]
async fn failure_is_503_and_is_retried_after_ten_seconds() {
    let (source, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    for (id, layer) in [(GITHUB_ID, true), (CIRCLE_ID, false)] {
        source.set(Reply::Failed);
        clock.set(0);
        let before = source.calls();
        let fetcher = source.fetcher(&clock);
        let (github, circle) = (github_layer(&fetcher), circle_layer(&fetcher));
        let status = async || match layer {
            true => status(&github, id).await,
            false => status(&circle, id).await,
        };
        for millis in [0, 1, 9_999] {
            clock.set(millis);
            assert_eq!(status().await, RETRY, "{id}");
        }
        assert_eq!(source.calls(), before + 1, "{id}");
        clock.set(10_000);
        assert_eq!(status().await, RETRY, "{id}");
        assert_eq!(source.calls(), before + 2, "{id}");
        source.set(if layer { github_list(&[id]) } else { circle_key(id) });
        clock.set(20_000);
        assert_eq!(status().await, StatusCode::OK, "{id}");
        assert_eq!(source.calls(), before + 3, "{id}");
    }
}

#[tokio::test]
async fn expired_key_is_used_while_the_source_is_down() {
    for (stale_for, last) in [(None, 25 * HOUR), (Some(Duration::ZERO), HOUR)] {
        let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
        let mut fetcher = source.fetcher(&clock);
        if let Some(time) = stale_for {
            fetcher = fetcher.stale_for(time);
        }
        let layer = circle_layer(&fetcher);
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        source.set(Reply::Failed);
        clock.set(last - 1);
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        settle().await;
        let calls = source.calls();
        // Until the next attempt, requests do not wait for the source.
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        assert_eq!(source.calls(), calls);
        clock.set(last);
        assert_eq!(status(&layer, CIRCLE_ID).await, RETRY);
        // The source is up again.
        source.set(circle_key(CIRCLE_ID));
        clock.set(last + 10_000);
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn key_that_expires_soon_is_fetched_in_advance() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    clock.set(HOUR * 3 / 4 - 1);
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    settle().await;
    assert_eq!(source.calls(), 1);
    // Requests do not wait for this fetch, and there is one.
    source.set(Reply::Never);
    clock.set(HOUR * 3 / 4);
    for _ in 0..3 {
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        settle().await;
        assert_eq!(source.calls(), 2);
    }
    // Once the key has expired, they do.
    clock.set(HOUR);
    let mut waiting = pin!(send(&layer, from_circle(CIRCLE_ID)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
}

#[tokio::test]
async fn max_age_of_a_document_is_between_its_bounds() {
    for (age, fresh, expired) in
        [(1, MINUTE - 1, MINUTE), (600, 10 * MINUTE - 1, 10 * MINUTE), (7_200, HOUR - 1, HOUR)]
    {
        let document = KeyDocument::new(circle_key(CIRCLE_ID)).max_age(Duration::from_secs(age));
        let (source, clock) = (KeySource::fixed(Reply::Document(document)), SetClock::new());
        let layer = circle_layer(&source.fetcher(&clock));
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        // It is not fetched in advance, so that the moment of its end is seen.
        source.set(Reply::Failed);
        clock.set(fresh / 4 * 3 - 1_000);
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        assert_eq!(source.calls(), 1, "{age}");
        clock.set(fresh);
        assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
        settle().await;
        assert_eq!(source.calls(), 2, "{age}: in advance");
        source.set(Reply::Absent);
        clock.set(expired + 10_000);
        assert_eq!(status(&layer, CIRCLE_ID).await, FORGED, "{age}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_share_a_fetch_that_outlives_the_first() {
    let (source, clock) = (KeySource::fixed(Reply::Never), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    let mut cx = Context::from_waker(Waker::noop());
    // The first sender disconnects.
    {
        let mut first = pin!(send(&layer, from_circle(CIRCLE_ID)));
        assert!(first.as_mut().poll(&mut cx).is_pending());
    }
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let layer = layer.clone();
        requests.spawn(async move { status(&layer, CIRCLE_ID).await });
    }
    settle().await;
    assert_eq!(source.calls(), 1);
    // The source has 5 seconds.
    advance(Duration::from_millis(4_999)).await;
    settle().await;
    assert_eq!(requests.len(), 100);
    assert!(requests.try_join_next().is_none());
    advance(Duration::from_millis(2)).await;
    for found in requests.join_all().await {
        assert_eq!(found, RETRY);
    }
    assert_eq!(source.calls(), 1);
}

/// The source fails after longer than the time in which it is not called again.
#[tokio::test(start_paused = true)]
async fn failure_counts_from_its_end() {
    let (source, clock) = (KeySource::fixed(Reply::Never), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock).time_limit(Duration::from_secs(30)));
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = pin!(send(&layer, from_circle(CIRCLE_ID)));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    settle().await;
    clock.set(30_000);
    advance(Duration::from_millis(30_002)).await;
    let answer = first.await;
    assert_refused_with("late", RETRY, RejectionKind::VerifierUnavailable, &answer);
    let rejection = answer.0.extensions().get::<Rejection>().unwrap();
    let cause = std::error::Error::source(rejection).unwrap().to_string();
    assert!(cause.contains("in time"), "{cause}");
    clock.set(39_999);
    assert_eq!(status(&layer, CIRCLE_ID).await, RETRY);
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn clock_that_is_set_back_keeps_no_key_for_long() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    clock.set(24 * HOUR);
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    source.set(Reply::Absent);
    clock.set(0);
    assert_eq!(status(&layer, CIRCLE_ID).await, FORGED);
    source.set(circle_key(CIRCLE_ID));
    clock.set(-HOUR);
    assert_eq!(status(&layer, CIRCLE_ID).await, StatusCode::OK);
    // Without a plausible clock, no key is fresh.
    clock.set(-1_600_000_000_000);
    let answer = send(&layer, from_circle(CIRCLE_ID)).await;
    assert_refused_with("clock", RETRY, RejectionKind::ClockUnreliable, &answer);
}

#[test]
fn without_a_runtime_nothing_is_fetched() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let keys = Circle::with_fetched_keys(CircleProduct::Wallets, &source.fetcher(&clock)).unwrap();
    let body = circle().body.into();
    let head = head_of(from_circle(CIRCLE_ID));
    let verifying = pin!(verify_with(&keys, &head, &body));
    let Poll::Ready(found) = verifying.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it does not wait");
    };
    let rejection = found.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::VerifierUnavailable);
    assert_eq!(source.calls(), 0);
}

#[tokio::test]
async fn report_only_forwards_the_unknown_key() {
    let (source, clock) = (KeySource::fixed(github_list(&[GITHUB_ID])), SetClock::new());
    let layer = github_layer(&source.fetcher(&clock)).dangerously_report_only();
    let (response, inner) = send(&layer, from_github(OTHER_ID)).await;
    assert_eq!((response.status(), inner.count(), kind(&response)), (StatusCode::OK, 1, None));
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let fetcher = || KeyFetcher::new(|_| async { Ok::<_, std::io::Error>(None::<String>) });
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    for (name, fetcher) in [
        ("no time", fetcher().time_limit(Duration::ZERO)),
        ("long time", fetcher().time_limit(Duration::from_secs(61))),
        ("no age", fetcher().max_age(Duration::ZERO)),
        ("long age", fetcher().max_age(day + second)),
        ("no interval", fetcher().refresh_interval(Duration::ZERO)),
        ("long interval", fetcher().refresh_interval(day)),
        ("no IDs", fetcher().max_unknown_ids(0)),
    ] {
        let error = GitHubSecretScanning::with_fetched_keys(&fetcher).unwrap_err();
        assert!(matches!(error, ConfigError::KeyFetcherInvalid { .. }), "{name}: {error}");
    }
    let longest = fetcher().max_age(day).refresh_interval(day);
    assert!(GitHubSecretScanning::with_fetched_keys(&longest).is_ok());
}
