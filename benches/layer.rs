//! What the layer costs: time as ratios against baselines in the same run, and allocations.
//!
//! `cargo bench --bench layer`. The cases of one size run by turns, so that a busy machine slows
//! all of them; the medians of the rounds are compared. Each case includes making its request.
#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

mod support;

use std::{convert::Infallible, hint::black_box};

use axum::{Router, body::Body, extract::Request as AxumRequest, middleware::Next, routing::post};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use sha2::Sha256;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{Secret, SignatureLayer, providers::Meta};

use self::support::{Case, case, measure, ready};

const SECRET: &str = "test-secret-0123456789abcdef-0123";

type HmacSha256 = Hmac<Sha256>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn request<B>(signature: &http::HeaderValue, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    request.headers_mut().insert("x-hub-signature-256", signature.clone());
    request
}

/// What people write by hand: collect, key, hash, decode, compare.
async fn by_hand(request: AxumRequest, next: Next) -> Result<axum::response::Response, StatusCode> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes();
    let signature = head.headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let signature = signature.and_then(|value| value.strip_prefix("sha256="));
    let signature = signature.ok_or(StatusCode::FORBIDDEN)?;
    let tag = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(signature.get(at..at + 2)?, 16).ok())
        .collect::<Option<Vec<_>>>()
        .ok_or(StatusCode::FORBIDDEN)?;
    let mut mac = HmacSha256::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    mac.verify_slice(&tag).map_err(|_| StatusCode::FORBIDDEN)?;
    Ok(next.run(AxumRequest::from_parts(head, Body::from(body))).await)
}

fn cases(size: usize) -> Vec<Case> {
    let body = Bytes::from(vec![b'x'; size]);
    let keyed = HmacSha256::new_from_slice(SECRET.as_bytes()).unwrap();
    let tag = keyed.clone().chain_update(&body).finalize().into_bytes();
    let signature = http::HeaderValue::try_from(format!("sha256={}", hex(&tag))).unwrap();
    let layer = SignatureLayer::new(Meta::new(Secret::new(SECRET).unwrap())).body_limit(size);

    let bare = {
        let body = body.clone();
        move || {
            let mac = keyed.clone().chain_update(black_box(&body));
            mac.verify_slice(black_box(&tag)).unwrap();
        }
    };
    let (no_layer, with_layer) = {
        let mut inner = service_fn(async |request: Request<Full<Bytes>>| {
            black_box(request);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let mut service = layer.layer(service_fn(async |request: Request<_>| {
            black_box(request);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let (b1, s1, b2, s2) = (body.clone(), signature.clone(), body.clone(), signature.clone());
        (
            move || {
                let _ = ready(inner.call(request(&s1, Full::new(b1.clone()))));
            },
            move || {
                let Ok(response) = ready(service.call(request(&s2, Full::new(b2.clone()))));
                assert_eq!(response.status(), StatusCode::OK);
            },
        )
    };
    let axum = |router: Router| {
        let (body, signature) = (body.clone(), signature.clone());
        move || {
            let request = request(&signature, Body::from(body.clone()));
            let Ok(response) = ready(router.clone().oneshot(request));
            assert_eq!(response.status(), StatusCode::OK);
        }
    };
    let router = || {
        let limit = axum::extract::DefaultBodyLimit::disable();
        Router::new().route("/", post(async |body: Bytes| drop(black_box(body)))).layer(limit)
    };
    vec![
        case("bare HMAC", bare),
        case("tower, no layer", no_layer),
        case("tower, layer", with_layer),
        case("axum, no layer", axum(router())),
        case("axum, from_fn by hand", axum(router().layer(axum::middleware::from_fn(by_hand)))),
        case("axum, layer", axum(router().layer(layer))),
    ]
}

fn main() {
    // `cargo test --benches` and the like only want to know that it runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] =
        if is_test { &[256] } else { &[256, 1 << 10, 16 << 10, 64 << 10, 1 << 20] };
    for &size in sizes {
        let mut cases = cases(size);
        let results = measure(&mut cases, (400_000 / (400 + size)).max(2));
        println!("\n{size} bytes{:24}ns    allocations", "");
        for (case, (time, allocations)) in cases.iter().zip(&results) {
            println!("  {:24} {time:>12.0} {allocations:>8}", case.name);
        }
        let [bare, none, layer, axum_none, by_hand, axum_layer] = results[..] else {
            unreachable!("there are six cases");
        };
        println!("  layer / (no layer + bare HMAC)          {:.3}", layer.0 / (none.0 + bare.0));
        println!("  axum layer / axum from_fn by hand       {:.3}", axum_layer.0 / by_hand.0);
        println!(
            "  axum layer - no layer - bare HMAC       {:.0} ns",
            axum_layer.0 - axum_none.0 - bare.0
        );
        println!(
            "  allocations above no layer: tower {}, axum {} (by hand {})",
            layer.1 - none.1,
            axum_layer.1 - axum_none.1,
            by_hand.1 - axum_none.1
        );
    }
}
