//! What the replay guard costs above the signature layer alone, in the same run.
//!
//! `cargo bench --bench replay`. Each delivery is new, and was signed before.
#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

mod support;

use std::{
    convert::Infallible,
    hint::black_box,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_webhook::{
    SignatureLayer,
    providers::Stripe,
    replay::{ClaimToken, MemoryReplayStore, ReplayLayer, ReplayStore},
};

use self::support::{
    Case, ROUNDS, case, ready, rounds,
    signature::{SECRET, hmac_sha256},
};

const NOW: u64 = 1_700_000_000;
const BODY: usize = 1024;

/// So many deliveries, each with a body and a signature of its own.
fn deliveries(count: usize) -> impl Iterator<Item = Request<Full<Bytes>>> {
    let deliveries: Vec<(HeaderValue, Bytes)> = (0..count)
        .map(|number| {
            let body = format!("{number:0BODY$}");
            let tag = hmac_sha256(format!("{NOW}.{body}").as_bytes());
            (HeaderValue::try_from(format!("t={NOW},v1={tag}")).unwrap(), Bytes::from(body))
        })
        .collect();
    deliveries.into_iter().cycle().map(|(signature, body)| {
        let mut request = Request::post("/").body(Full::new(body)).unwrap();
        request.headers_mut().insert("stripe-signature", signature);
        request
    })
}

fn layer() -> SignatureLayer<Stripe> {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    SignatureLayer::new(Stripe::new(SECRET).unwrap()).clock(now)
}

/// A store that has been filled to its bound: each claim has to forget another delivery.
fn full() -> MemoryReplayStore {
    let store = MemoryReplayStore::new(10_000);
    for number in 0..20_000_u64 {
        let verified =
            tower_webhook::Verified::new("other").with_replay_material(&number.to_be_bytes());
        let (key, token) = (verified.replay_key().unwrap(), ClaimToken::unique());
        let _ = ready(store.claim(&key, token, Duration::from_secs(60)));
        let _ = ready(store.commit(&key, token, Duration::from_secs(600)));
    }
    store
}

fn cases(repeats: usize) -> Vec<Case> {
    let count = repeats * (ROUNDS + 1);
    let inner = || {
        service_fn(async |request: Request<_>| {
            black_box(request);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        })
    };
    let alone = {
        let mut service = layer().layer(inner());
        let mut requests = deliveries(count);
        move || {
            let Ok(response) = ready(service.call(requests.next().unwrap()));
            assert_eq!(response.status(), StatusCode::OK);
        }
    };
    let guarded = |store: MemoryReplayStore, count| {
        let guard = ReplayLayer::new("/webhook", store);
        let mut service = layer().layer(guard.layer(inner()));
        let mut requests = deliveries(count);
        move || {
            let Ok(response) = ready(service.call(requests.next().unwrap()));
            assert_eq!(response.status(), StatusCode::OK);
        }
    };
    vec![
        case("signature layer", alone),
        case("+ guard", guarded(MemoryReplayStore::new(1_000_000), count)),
        case("+ guard, store full", guarded(full(), count)),
        case("+ guard, a duplicate", guarded(MemoryReplayStore::new(1_000_000), 1)),
    ]
}

fn main() {
    // `cargo test --benches` and the like only want to know that it runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let repeats = if is_test { 10 } else { 500 };
    let rounds = rounds(cases(repeats), repeats);
    println!("{BODY} bytes{:24}ns    allocations", "");
    for (name, series) in rounds.series() {
        println!("  {name:24} {:>12.0} {:>8}", series.time().median, series.allocations);
    }
    let alone = "signature layer";
    for (name, _) in &rounds.series()[1..] {
        let (time, allocations) =
            (rounds.above(name, &[alone]).median, rounds.more_allocations(name, alone));
        println!("  {name:24} {time:>+12.0} {allocations:>+8}");
    }
}
