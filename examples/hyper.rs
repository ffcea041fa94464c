//! Verifies GitHub's webhooks in a hyper server without a framework.
//!
//! Run `cargo run --example hyper`, and then:
//!
//! ```sh
//! body='{"zen":"Keep it logically awesome."}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac my-secret -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/ -H "x-hub-signature-256: sha256=$tag" --json "$body"
//! ```

use std::{convert::Infallible, env, error::Error, net::SocketAddr, pin::pin};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_webhook::{BufferedBody, SignatureLayer, providers::GitHub};

/// Handles a verified webhook.
///
/// Only the layer creates a `BufferedBody`, so this handler cannot be served without the layer.
async fn handler(request: Request<BufferedBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    println!("verified webhook: {} bytes", request.body().bytes().len());
    Ok(Response::new(Full::from("thank you\n")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = SignatureLayer::new(GitHub::new("my-secret")?);
    let service = TowerToHyperService::new(layer.layer(service_fn(handler)));

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let mut stop = pin!(stop(listener.local_addr()?));
    let connections = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connections.watch(connection));
            }
            () = &mut stop => break,
        }
    }
    connections.shutdown().await;
    Ok(())
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
