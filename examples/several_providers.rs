//! Verifies the webhooks of three providers in one axum router, with one line for each provider.
//!
//! Each layer guards its own route only.
//!
//! ```sh
//! STRIPE_WEBHOOK_SECRET=whsec_made_up GITHUB_WEBHOOK_SECRET=made-up-secret \
//!     SHOPIFY_WEBHOOK_SECRET=made-up-secret \
//!     cargo run --example several_providers --features axum
//! ```
//!
//! Then send a webhook with the [`send`](send.rs) example:
//!
//! ```sh
//! echo '{"ref":"refs/heads/main"}' |
//!     cargo run --example send --features sign -- github made-up-secret http://127.0.0.1:3000/github
//! ```

use std::{env, error::Error, net::SocketAddr};

use axum::{Json, Router, routing::post};
use serde_json::Value;
use tokio::net::TcpListener;
use tower_webhook::{
    Secret, SignatureLayer,
    axum::Signed,
    providers::{GitHub, Shopify, Stripe},
};

async fn paid(Signed(verified, Json(event)): Signed<Json<Value>>) {
    println!("verified webhook from {}: {}", verified.provider(), event["type"]);
}

async fn pushed(Signed(verified, Json(event)): Signed<Json<Value>>) {
    println!("verified webhook from {}: {}", verified.provider(), event["ref"]);
}

async fn ordered(Signed(verified, Json(order)): Signed<Json<Value>>) {
    println!("verified webhook from {}: {}", verified.provider(), order["id"]);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Each layer writes its rejections to `tracing`.
    tracing_subscriber::fmt::init();

    let stripe = Stripe::new(Secret::from_env("STRIPE_WEBHOOK_SECRET")?)?;
    let github = GitHub::new(Secret::from_env("GITHUB_WEBHOOK_SECRET")?)?;
    let shopify = Shopify::new(Secret::from_env("SHOPIFY_WEBHOOK_SECRET")?)?;
    let app = Router::new()
        .route("/stripe", post(paid).layer(SignatureLayer::new(stripe)))
        .route("/github", post(pushed).layer(SignatureLayer::new(github)))
        .route("/shopify", post(ordered).layer(SignatureLayer::new(shopify)));

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
