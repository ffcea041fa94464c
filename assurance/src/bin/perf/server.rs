//! The servers: axum with one thread, as a process of its own.

use std::{
    io::{Read, Write},
    net::Ipv4Addr,
    thread,
    time::Duration,
};

use axum::{Router, extract::Request, middleware::from_fn, routing::post, serve::ListenerExt};
use tokio::net::TcpListener;
use tower::util::MapRequestLayer;
use tower_webhook::{SignatureLayer, layer::Drain};

use crate::{
    starts, subjects,
    support::{
        by_hand::{drops, in_axum, in_one_buffer},
        cases::{layer, router},
        reference::ReferenceLayer,
    },
};

/// The layer as it is set up where a thousand uploads may stall, and where bodies are large.
fn roomy<M>(layer: SignatureLayer<M>) -> SignatureLayer<M> {
    let time = Duration::from_secs(300);
    let drain = Drain::new().timeout(time).idle_timeout(time);
    layer.byte_budget(4 << 30).body_limit(25 << 20).body_deadline(Some(time)).drain(drain)
}

fn app(kind: &str) -> Router {
    let router = router();
    match kind {
        "unverified" => router,
        "no-op" => router.layer(MapRequestLayer::new(|request: Request| request)),
        "reference" => router.layer(ReferenceLayer::new().marking()),
        "reads and drops" => Router::new().route("/", post(drops)),
        "by hand" => router.layer(from_fn(in_axum)),
        "one buffer by hand" => router.layer(from_fn(in_one_buffer)),
        "layer" | "layer, subscriber" => router.layer(roomy(layer())),
        "twilio" => router.layer(roomy(SignatureLayer::new(subjects::twilio().verifier))),
        kind => panic!("there is no server {kind}"),
    }
}

/// Prints its port, and serves until its input ends.
pub(crate) fn serve(kind: &str) {
    if kind.contains("subscriber") {
        starts::subscribe();
    }
    let app = app(kind);
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        std::io::stdout().flush().unwrap();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, app).await.unwrap();
    });
}
