//! Verifies Meta's webhooks in axum, and answers Meta's challenge on the same path.
//!
//! Run `cargo run --example axum --features axum`, and then:
//!
//! ```sh
//! curl -i 'http://127.0.0.1:3000/webhook?hub.mode=subscribe&hub.verify_token=my-verify-token&hub.challenge=42'
//! body='{"object":"page"}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac my-app-secret -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/webhook -H "x-hub-signature-256: sha256=$tag" --json "$body"
//! ```

use std::{env, error::Error, net::SocketAddr};

use axum::{Json, Router, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;
use tower_webhook::{SignatureLayer, axum::Signed, providers::Meta};

/// Handles a verified webhook.
///
/// Without the layer, `Signed` responds with `500 Internal Server Error`, and the log names the
/// cause.
async fn handler(Signed(verified, Json(event)): Signed<Json<Value>>) {
    println!("verified webhook from {}: {event}", verified.provider());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let meta = Meta::new("my-app-secret")?.verify_token("my-verify-token")?;
    let app = Router::new().route("/webhook", post(handler).layer(SignatureLayer::new(meta)));

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    axum::serve(listener, app).with_graceful_shutdown(stop(address)).await?;
    Ok(())
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
