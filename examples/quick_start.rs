//! Verifies GitHub's webhooks in axum: the quick start of the README.
//!
//! Run `cargo run --example quick_start --features axum`. The README has `curl` lines for it.

use axum::{Json, Router, routing::post};
use serde_json::Value;
use tower_webhook::{SignatureLayer, axum::Signed, providers::GitHub};

async fn pushed(Signed(verified, Json(event)): Signed<Json<Value>>) {
    println!("{} pushed {}", verified.provider(), event["ref"]);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init(); // shows rejections
    let github = GitHub::new("made-up-secret")?;
    let app = Router::new().route("/github", post(pushed).layer(SignatureLayer::new(github)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}
