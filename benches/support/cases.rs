//! The cases of `benches/layer.rs`, which `scripts/performance` runs too: Meta's scheme in tower and
//! axum, beside their baselines. All of one set send clones of the same request.

use std::{convert::Infallible, hint::black_box};

use axum::{
    Router,
    body::Body as AxumBody,
    extract::{DefaultBodyLimit, Request as AxumRequest},
    middleware::from_fn,
    routing::post,
};
use bytes::Bytes;
use hmac::Mac;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn, util::MapRequestLayer};
use tower_webhook::{BufferedBody, SignatureLayer, providers::Meta};

use super::{
    Case,
    by_hand::{ByHandLayer, drops, in_axum},
    case,
    frames::Frames,
    marks::leave_mark,
    ready,
    reference::ReferenceLayer,
    signature::{SECRET, keyed, signature},
};

/// Returns a signed request as Meta sends it.
pub(crate) fn request(body: &Bytes) -> Request<Bytes> {
    Request::post("/")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-hub-signature-256", signature(body))
        .body(body.clone())
        .unwrap()
}

pub(crate) fn layer() -> SignatureLayer<Meta> {
    SignatureLayer::new(Meta::new(SECRET).unwrap())
}

/// Returns a handler that takes the whole body.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/", post(async |body: Bytes| drop(black_box(body))))
        .layer(DefaultBodyLimit::disable())
}

/// Drops the request.
async fn handle<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(black_box(request));
    Ok(Response::new(Full::default()))
}

async fn handle_marked<B>(mut request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    leave_mark(request.extensions_mut());
    handle(request).await
}

/// Calls a service with clones of this request.
pub(crate) fn calls<S, B, R>(name: &'static str, service: S, request: Request<B>) -> Case
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible> + Clone + 'static,
    B: Body + Clone + 'static,
{
    case(name, move || {
        let Ok(response) = ready(service.clone().oneshot(request.clone()));
        assert_eq!(response.status(), StatusCode::OK);
    })
}

/// Makes the cases of a request in one frame to a tower service, which drops it.
pub(crate) fn tower(size: usize) -> Vec<Case> {
    let body = Bytes::from(vec![b'x'; size]);
    let request = request(&body).map(Full::new);
    let reference = ReferenceLayer::new;
    vec![
        bare_hmac(body),
        calls("no layer", service_fn(handle), request.clone()),
        calls("no layer, a mark", service_fn(handle_marked), request.clone()),
        calls("layer", layer().layer(service_fn(handle::<BufferedBody>)), request.clone()),
        calls("by hand", ByHandLayer.layer(service_fn(handle)), request.clone()),
        calls("reference", reference().layer(service_fn(handle)), request.clone()),
        calls("reference, a mark", reference().marking().layer(service_fn(handle)), request),
    ]
}

fn bare_hmac(body: Bytes) -> Case {
    let keyed = keyed();
    let tag = keyed.clone().chain_update(&body).finalize().into_bytes();
    case("bare HMAC", move || {
        let mac = keyed.clone().chain_update(black_box(&body));
        mac.verify_slice(black_box(&tag)).unwrap();
    })
}

fn routed<B>(name: &'static str, router: Router, request: Request<B>, status: StatusCode) -> Case
where
    B: Body<Data = Bytes, Error = Infallible> + Clone + Send + 'static,
{
    case(name, move || {
        let request = request.clone().map(AxumBody::new);
        let Ok(response) = ready(router.clone().oneshot(request));
        assert_eq!(response.status(), status);
    })
}

/// Makes the cases of a request in one frame to an axum handler, which takes the whole body.
pub(crate) fn axum(size: usize) -> Vec<Case> {
    let request = request(&Bytes::from(vec![b'x'; size])).map(Full::new);
    let case = |name, router| routed(name, router, request.clone(), StatusCode::OK);
    let no_op = MapRequestLayer::new(|request: AxumRequest| request);
    let reference = ReferenceLayer::new;
    vec![
        case("no layer", router()),
        case("no-op layer", router().layer(no_op)),
        case("layer", router().layer(layer())),
        case("by hand", router().layer(from_fn(in_axum))),
        case("reference", router().layer(reference())),
        case("reference, a mark", router().layer(reference().marking())),
    ]
}

/// Makes the cases of requests without a signature to an axum handler: with an empty body, with 1 MiB
/// that waits for `100 Continue`, and with 1 MiB in frames of 16 KiB.
pub(crate) fn refusals() -> Vec<Case> {
    const MIB: usize = 1 << 20;
    let unsigned = |body: Vec<u8>| Request::post("/").body(Frames::new(body.into(), 16 << 10));
    let empty = unsigned(Vec::new()).unwrap();
    let offered = unsigned(vec![b'x'; MIB]).unwrap();
    let mut expects = offered.clone();
    expects.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    let case = |name, router, request: &Request<Frames>| {
        routed(name, router, request.clone(), StatusCode::FORBIDDEN)
    };
    let ours = || router().layer(layer());
    let reference = || router().layer(ReferenceLayer::new());
    let closing = || router().layer(ReferenceLayer::new().closing());
    vec![
        case("empty, layer", ours(), &empty),
        case("empty, reference", reference(), &empty),
        case("empty, reference that closes", closing(), &empty),
        case("expects, layer", ours(), &expects),
        case("expects, reference", reference(), &expects),
        case("expects, reference that closes", closing(), &expects),
        case("offered, layer", ours(), &offered),
        case("offered, by hand", router().layer(from_fn(in_axum)), &offered),
        case("offered, read and dropped", Router::new().route("/", post(drops)), &offered),
    ]
}
