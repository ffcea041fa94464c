//! Verifies GitHub's webhooks in axum 0.7, with the layer on the route.
//!
//! The extractors of the feature `axum` are for axum 0.8, so the handler takes
//! `Extension<Verified>` and a body.

use std::io;

use axum07::{Extension, Router, body::Bytes, extract::DefaultBodyLimit, routing::post};
use tokio::net::TcpListener;
use tower_webhook::{SignatureLayer, Verified, providers::GitHub};

/// Handles an authentic webhook.
///
/// Without the layer, `Extension<Verified>` responds with `500 Internal Server Error`.
async fn pushed(Extension(verified): Extension<Verified>, body: Bytes) -> String {
    format!("{}: {} bytes", verified.provider(), body.len())
}

/// Returns the application, with one guarded route.
pub fn app(github: GitHub) -> Router {
    Router::new()
        .route("/github", post(pushed).layer(SignatureLayer::new(github)))
        // The layer already limits the body. axum's own limit, 2 MB, would cause a
        // `413 Payload Too Large`.
        .layer(DefaultBodyLimit::disable())
}

/// Serves the application.
pub async fn serve(listener: TcpListener, github: GitHub) -> io::Result<()> {
    axum07::serve(listener, app(github)).await
}
