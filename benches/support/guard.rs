//! The cases of `benches/replay.rs`, which `scripts/performance` runs too.

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

use super::{
    Case, case, ready,
    signature::{SECRET, hmac_sha256},
};

const NOW: u64 = 1_700_000_000;
pub(crate) const BODY: usize = 1024;

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

/// Makes the cases of so many calls each.
pub(crate) fn cases(count: usize) -> Vec<Case> {
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
