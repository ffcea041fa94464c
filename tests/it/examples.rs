//! The example systems, as they stand in `examples/`, over HTTP.

#[cfg(feature = "explain")]
mod explain;
#[cfg(feature = "tracing")]
mod rate_limit;
#[cfg(feature = "tracing")]
mod sentry;
#[cfg(all(feature = "tenants", feature = "delivery-log-sqlite", feature = "tracing"))]
mod twilio_tenants;
mod webex_contact_center;
#[cfg(feature = "axum")]
mod whatsapp;
mod wsapi;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;

/// A POST with this body and these headers.
fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = headers
        .iter()
        .fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    request.body(Full::new(body.into())).unwrap()
}

/// The status and the JSON of an answer.
fn json(response: &Response<Bytes>) -> (u16, Value) {
    assert_eq!(response.headers()["content-type"], "application/json");
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

/// Serves a router with `axum::serve`, which tells it each connection's address.
#[cfg(feature = "tracing")]
async fn serve_with_addresses(router: axum::Router) -> std::net::SocketAddr {
    let (listener, address) = crate::net::listen().await;
    let router = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
