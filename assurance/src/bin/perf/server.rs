//! The servers: axum with one thread, as a process of its own.

use std::{
    io::{Read, Write},
    net::Ipv4Addr,
    thread,
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    middleware::from_fn,
    routing::post,
    serve::{Listener, ListenerExt},
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::{TcpListener, TcpStream};
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

/// Ending of the kinds whose connections have small read buffers.
pub(crate) const SMALL_BUFFERS: &str = ", small buffers";

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
    let app = app(kind.trim_end_matches(SMALL_BUFFERS));
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        std::io::stdout().flush().unwrap();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        if kind.ends_with(SMALL_BUFFERS) {
            serve_in_small_buffers(listener, app).await;
        } else {
            axum::serve(listener, app).await.unwrap();
        }
    });
}

/// `axum::serve` cannot set the size of the buffers.
async fn serve_in_small_buffers(mut listener: impl Listener<Io = TcpStream>, app: Router) {
    let mut http = http1::Builder::new();
    http.max_buf_size(16 << 10);
    loop {
        let (stream, _) = listener.accept().await;
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}
