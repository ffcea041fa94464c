//! Verifies GitHub's webhooks in warp 0.4, with the layer around all routes of a `warp::service`.
//!
//! `warp::serve` accepts filters only, so hyper serves the guarded routes.

use std::io;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::Layer;
use tower_webhook::{SignatureLayer, Verified, providers::GitHub};
use warp::Filter;

/// Handles an authentic webhook.
fn pushed(verified: Verified, body: Bytes) -> String {
    format!("{}: {} bytes", verified.provider(), body.len())
}

/// Serves the routes behind the layer.
pub async fn serve(listener: TcpListener, github: GitHub) -> io::Result<()> {
    let routes = warp::path!("github")
        .and(warp::post())
        .and(warp::ext::get::<Verified>())
        .and(warp::body::bytes())
        .map(pushed);
    let guarded = SignatureLayer::new(github).layer(warp::service(routes));
    let service = TowerToHyperService::new(guarded);
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(connection);
    }
}
