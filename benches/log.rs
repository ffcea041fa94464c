//! What the log costs a whole server: requests a second with it over without, in one run.
//!
//! `cargo bench --bench log --features delivery-log-sqlite`. Two axum servers on loopback, one with a
//! best-effort log in SQLite, take turns; the medians of the rounds are compared. They are the
//! `axum` example's, but for the line that it prints, which is made and thrown away. The client
//! runs in the same process, so both share its cost.
#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

#[path = "support/signature.rs"]
mod signature;

use std::{
    env,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Extension, Json, Router, routing::post};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tower_webhook::{
    SignatureLayer, Verified,
    delivery_log::{DeliveryLog, Filter},
    providers::Meta,
};

use self::signature::{SECRET, signature};

const CONNECTIONS: usize = 16;

async fn handler(Extension(verified): Extension<Verified>, Json(event): Json<Value>) {
    std::hint::black_box(format!("genuine, from {}: {event}", verified.provider()));
}

/// A message as Meta sends it, of about 1 KiB.
fn message() -> Bytes {
    let text = "Thank you, the parcel has come. ".repeat(17);
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550001234", "phone_number_id": "106540352242922"},
        "contacts": [{"defaults": {"name": "Kerry Fisher"}, "wa_id": "16505551234"}],
        "messages": [{
            "from": "16505551234", "id": "wamid.HBgLMTY1MDUwNzY1MjAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA",
            "timestamp": "1700000000", "type": "text", "text": {"body": text},
        }],
    });
    let changes = json!([{"value": value, "field": "messages"}]);
    let entry = json!([{"id": "102290129340398", "changes": changes}]);
    json!({"object": "whatsapp_business_account", "entry": entry}).to_string().into()
}

async fn serve(layer: SignatureLayer<Meta>) -> SocketAddr {
    let router = Router::new().route("/webhook", post(handler)).route_layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Sends so many deliveries over several connections, and returns how many went in a second.
async fn round(address: SocketAddr, deliveries: usize, body: &Bytes) -> f64 {
    let signature = signature(body);
    let start = Instant::now();
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (body, signature) = (body.clone(), signature.clone());
            tokio::spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                let (mut client, connection) =
                    http1::handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                for _ in 0..deliveries / CONNECTIONS {
                    let request = Request::post("/webhook")
                        .header("host", "localhost")
                        .header("content-type", "application/json")
                        .header("user-agent", "bench")
                        .header("x-hub-signature-256", &signature)
                        .body(Full::new(body.clone()))
                        .unwrap();
                    client.ready().await.unwrap();
                    let response = client.send_request(request).await.unwrap();
                    assert_eq!(response.status(), 200);
                    response.into_body().collect().await.unwrap();
                }
            })
        })
        .collect();
    for connection in connections {
        connection.await.unwrap();
    }
    deliveries as f64 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    // `cargo test --benches` and the like only want to know that it runs.
    let is_test = env::args().any(|argument| argument == "--test");
    let (rounds, deliveries) = if is_test { (1, 160) } else { (15, 16_000) };
    let directory = env::temp_dir().join(format!("tower-webhook-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();

    let meta = || Meta::new(SECRET).unwrap();
    let log = DeliveryLog::builder().sqlite(directory.join("log.db")).await.unwrap();
    let without = serve(SignatureLayer::new(meta())).await;
    let with = serve(SignatureLayer::new(meta()).observer(log.clone())).await;
    let body = message();

    let (mut off, mut on, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..=rounds {
        let off_now = round(without, deliveries, &body).await;
        let on_now = round(with, deliveries, &body).await;
        // What is left in the queue is this side's work, but not this round's answers.
        log.flush().await.unwrap();
        // The first round warms up.
        if number > 0 {
            off.push(off_now);
            on.push(on_now);
            ratios.push(on_now / off_now);
        }
    }
    let dropped = log.dropped();
    let newest = log.find(&Filter::new().limit(1)).await.unwrap();
    assert_eq!(newest.len(), 1, "rows are written");
    log.shutdown(Duration::from_secs(60)).await.unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let (len, count) = (body.len(), rounds * deliveries);
    println!("{len} bytes, {CONNECTIONS} connections, {count} deliveries a side");
    println!("  without log     {:>8.0} a second", median(off));
    println!("  with log        {:>8.0} a second, {dropped} rows dropped", median(on));
    println!("  with / without  {:>8.3}", median(ratios));
}
