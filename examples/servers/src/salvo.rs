//! Verifies GitHub's webhooks in salvo 0.93, with the layer as a hoop (feature `tower-compat`).
//!
//! Handlers need salvo's own body type, so `map_body` converts the verified body.

use std::io;

use salvo::{
    Router, Server,
    conn::tcp::TcpAcceptor,
    handler,
    http::{ReqBody, Request, StatusError},
    prelude::TowerLayerCompat,
};
use tokio::net::TcpListener;
use tower_webhook::{SignatureLayer, Verified, providers::GitHub};

/// Handles an authentic webhook.
#[handler]
async fn pushed(request: &mut Request) -> salvo::Result<String> {
    let verified = request.extensions().get::<Verified>().cloned();
    let verified = verified.ok_or_else(StatusError::internal_server_error)?;
    // The layer already limits the body. salvo's own limit, 64 KiB, would cause a
    // `500 Internal Server Error`.
    let body = request.payload_with_max_size(usize::MAX).await?;
    Ok(format!("{}: {} bytes", verified.provider(), body.len()))
}

/// Returns the router, with one guarded route.
///
/// # Panics
///
/// Panics outside a Tokio runtime, because `compat` spawns a task.
pub fn router(github: GitHub) -> Router {
    let layer = SignatureLayer::new(github).map_body(|body| ReqBody::Once(body.into_bytes()));
    Router::with_path("github").hoop(layer.compat::<ReqBody>()).post(pushed)
}

/// Serves the router.
pub async fn serve(listener: TcpListener, github: GitHub) -> io::Result<()> {
    let acceptor = TcpAcceptor::try_from(listener)?;
    Server::new(acceptor).serve(router(github)).await;
    Ok(())
}
