//! The cases of `benches/layer.rs`, which `scripts/performance` runs too.

use std::{convert::Infallible, hint::black_box};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request as AxumRequest},
    middleware::{Next, from_fn},
    routing::post,
};
use bytes::Bytes;
use hmac::Mac;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn, util::MapRequestLayer};
use tower_webhook::{SignatureLayer, providers::Meta};

use crate::support::{
    Case, case, ready,
    signature::{SECRET, keyed, signature},
};

/// As large as `Verified`, for a baseline that leaves a mark of its own.
#[derive(Clone)]
struct Mark(#[expect(dead_code, reason = "its size counts")] [u64; 27]);

pub(crate) fn request<B>(signature: &http::HeaderValue, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    request.headers_mut().insert("x-hub-signature-256", signature.clone());
    request
}

pub(crate) fn layer() -> SignatureLayer<Meta> {
    SignatureLayer::new(Meta::new(SECRET).unwrap())
}

/// A handler that takes the whole body.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/", post(async |body: Bytes| drop(black_box(body))))
        .layer(DefaultBodyLimit::disable())
}

/// The tag that Meta's header carries, read as people do by hand.
pub(crate) fn tag_by_hand(head: &http::request::Parts) -> Result<Vec<u8>, StatusCode> {
    let signature = head.headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let signature = signature.and_then(|value| value.strip_prefix("sha256="));
    let signature = signature.ok_or(StatusCode::FORBIDDEN)?;
    (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(signature.get(at..at + 2)?, 16).ok())
        .collect::<Option<Vec<_>>>()
        .ok_or(StatusCode::FORBIDDEN)
}

/// What people write by hand: collect, decode, key, hash, compare.
pub(crate) async fn by_hand(
    request: AxumRequest,
    next: Next,
) -> Result<axum::response::Response, StatusCode> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?.to_bytes();
    let tag = tag_by_hand(&head)?;
    let mut mac = keyed();
    mac.update(&body);
    mac.verify_slice(&tag).map_err(|_| StatusCode::FORBIDDEN)?;
    Ok(next.run(AxumRequest::from_parts(head, Body::from(body))).await)
}

fn mark(extensions: &mut http::Extensions) {
    extensions.insert(Mark([0; 27]));
}

fn no_mark(_: &mut http::Extensions) {}

pub(crate) fn cases(size: usize) -> Vec<Case> {
    let body = Bytes::from(vec![b'x'; size]);
    let (keyed, signature) = (keyed(), signature(&body));
    let tag = keyed.clone().chain_update(&body).finalize().into_bytes();
    let layer = layer().body_limit(size);

    let bare = {
        let body = body.clone();
        move || {
            let mac = keyed.clone().chain_update(black_box(&body));
            mac.verify_slice(black_box(&tag)).unwrap();
        }
    };
    macro_rules! tower {
        ($layer:expr, $mark:expr) => {{
            let mut service = $layer.layer(service_fn(async |mut request: Request<_>| {
                $mark(request.extensions_mut());
                black_box(request);
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }));
            let (body, signature) = (body.clone(), signature.clone());
            move || {
                let request = request(&signature, Full::new(body.clone()));
                let Ok(response) = ready(service.call(request));
                assert_eq!(response.status(), StatusCode::OK);
            }
        }};
    }
    let identity = tower::layer::util::Identity::new;
    let axum = |router: Router| {
        let (body, signature) = (body.clone(), signature.clone());
        move || {
            let request = request(&signature, Body::from(body.clone()));
            let Ok(response) = ready(router.clone().oneshot(request));
            assert_eq!(response.status(), StatusCode::OK);
        }
    };
    let no_op = MapRequestLayer::new(|request: AxumRequest| request);
    vec![
        case("bare HMAC", bare),
        case("tower, no layer", tower!(identity(), no_mark)),
        case("tower, no layer but a mark", tower!(identity(), mark)),
        case("tower, layer", tower!(layer, no_mark)),
        case("axum, no layer", axum(router())),
        case("axum, no-op layer", axum(router().layer(no_op))),
        case("axum, from_fn by hand", axum(router().layer(from_fn(by_hand)))),
        case("axum, layer", axum(router().layer(layer))),
    ]
}
