//! The servers: axum with one thread, as a process of its own.

use std::{
    io::{Read, Write},
    net::Ipv4Addr,
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    serve::ListenerExt,
};
use hmac::Mac;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower::util::MapRequestLayer;
use tower_webhook::SignatureLayer;

use crate::{
    cases::{by_hand, layer, router, tag_by_hand},
    profile::twilio,
    support::signature::keyed,
};

/// By hand too, but hashed while it comes, into one buffer that doubles.
async fn streaming_by_hand(request: Request, next: Next) -> Result<Response, StatusCode> {
    let (head, mut body) = request.into_parts();
    let tag = tag_by_hand(&head)?;
    let (mut mac, mut buffer) = (keyed(), Vec::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() {
            mac.update(&data);
            buffer.extend_from_slice(&data);
        }
    }
    mac.verify_slice(&tag).map_err(|_| StatusCode::FORBIDDEN)?;
    Ok(next.run(Request::from_parts(head, Body::from(buffer))).await)
}

/// As set up where a thousand uploads of 1 MiB are to be held.
fn roomy<M>(layer: SignatureLayer<M>) -> SignatureLayer<M> {
    layer.byte_budget(4 << 30).body_deadline(Some(Duration::from_secs(300)))
}

fn app(kind: &str) -> Router {
    let router = router();
    match kind {
        "unverified" => router,
        "no-op" => router.layer(MapRequestLayer::new(|request: Request| request)),
        "by hand" => router.layer(from_fn(by_hand)),
        "one buffer by hand" => router.layer(from_fn(streaming_by_hand)),
        "layer" => router.layer(roomy(layer())),
        "twilio" => router.layer(roomy(SignatureLayer::new(twilio()))),
        kind => panic!("there is no server {kind}"),
    }
}

/// Prints its port, and serves until its input ends.
pub(crate) fn serve(kind: &str) {
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
