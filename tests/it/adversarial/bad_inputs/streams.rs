//! Bodies that are too long, too slow, or never end, and connections that go. The time is the
//! test's: the runtime's clock stands still and moves on when everybody waits.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    task::JoinSet,
    time::{Instant, sleep},
};
use tower::Layer;
use tower_webhook::{SignatureLayer, providers::Meta};

use super::data::Entry;
use crate::{
    net::{Raw, serve},
    support::{Inner, meta_layer, meta_signature},
};

const LIMIT: usize = 1 << 16;
const SECOND: Duration = Duration::from_secs(1);
const NEVER: Duration = Duration::from_secs(86_400);

/// A head that could be genuine.
fn head(length: &str) -> String {
    let signature = meta_signature(b"");
    format!("POST /w HTTP/1.1\r\nHost: a\r\nX-Hub-Signature-256: {signature}\r\n{length}\r\n\r\n")
}

fn chunk(len: usize) -> Vec<u8> {
    [format!("{len:x}\r\n").into_bytes(), vec![b'x'; len], b"\r\n".to_vec()].concat()
}

/// A body over the limit by one byte: declared, or found out; or by all the bytes there are.
pub(super) async fn too_long(entry: &Entry) {
    let inner = Inner::default();
    let address = serve(meta_layer().body_limit(LIMIT).layer(inner.clone())).await;
    let (head, rest) = match &*entry.id {
        "RES-1" => (head(&format!("Content-Length: {}", LIMIT + 1)), Vec::new()),
        "RES-2" => (head("Transfer-Encoding: chunked"), chunk(LIMIT + 1)),
        "RES-3" => (head("Transfer-Encoding: chunked"), chunk(4096).repeat(4096)),
        "LOG-9" => (head("Content-Length: 5368709120"), Vec::new()),
        other => panic!("{other}"),
    };
    let mut raw = Raw::connect(address).await;
    raw.send(head).await;
    if !rest.is_empty() {
        raw.write_on(rest);
    }
    assert_eq!(raw.answer().await.status(), entry.statuses()[0], "{entry}");
    raw.closed().await;
    assert_eq!(inner.count(), 0, "{entry}");
}

/// A connection to hyper in memory.
fn connect(inner: &Inner) -> (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>) {
    connect_to(&meta_layer(), inner)
}

fn connect_to(
    layer: &SignatureLayer<Meta>,
    inner: &Inner,
) -> (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>) {
    let (client, server) = duplex(1 << 10);
    let service = TowerToHyperService::new(layer.layer(inner.clone()));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service);
    tokio::spawn(async move {
        let _ = connection.await;
    });
    split(client)
}

async fn status(mut from: ReadHalf<DuplexStream>) -> StatusCode {
    let mut answer = String::new();
    from.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// 65,536 bytes are declared. What comes of them, and when, never makes a whole; after ten seconds
/// there is an answer, however lately a byte has come.
pub(super) async fn too_slow(entry: &Entry) {
    let inner = Inner::default();
    let began = Instant::now();
    let (from, mut to) = connect(&inner);
    let (sent, each) = match &*entry.id {
        "RES-4" => (0, SECOND),
        "RES-5" => (0, NEVER),
        "RES-6" => (65_535, NEVER),
        other => panic!("{other}"),
    };
    to.write_all(head("Content-Length: 65536").as_bytes()).await.unwrap();
    to.write_all(&vec![b'x'; sent]).await.unwrap();
    // Held until the server has closed; with no byte each second, only held.
    let trickle = tokio::spawn(async move {
        loop {
            sleep(each).await;
            if to.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    assert_eq!(status(from).await, StatusCode::REQUEST_TIMEOUT, "{entry}");
    assert_eq!(began.elapsed().as_secs(), 10, "{entry}");
    assert_eq!(inner.count(), 0, "{entry}");
    trickle.abort();
}

/// Many connections that stop within their bodies: those that the budget holds end at their own
/// deadline, the others at once.
pub(super) async fn held(entry: &Entry) {
    const CONNECTIONS: usize = 200;
    const SENT: usize = 1 << 16;
    let layer = meta_layer().byte_budget(CONNECTIONS / 2 * SENT);
    let inner = Inner::default();
    let (mut all, began) = (JoinSet::new(), Instant::now());
    for _ in 0..CONNECTIONS {
        let (from, mut to) = connect_to(&layer, &inner);
        all.spawn(async move {
            to.write_all(head("Content-Length: 262144").as_bytes()).await.unwrap();
            // Refused meanwhile, it finds nobody who reads.
            let _ = to.write_all(&[b'x'; SENT]).await;
            let status = status(from).await;
            drop(to);
            status
        });
    }
    let statuses = all.join_all().await;
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    let (held, refused) =
        (count(StatusCode::REQUEST_TIMEOUT), count(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!((held + refused, inner.count()), (CONNECTIONS, 0), "{entry}");
    assert!((1..=CONNECTIONS / 2).contains(&held), "{entry}: {held} held, {refused} refused");
    assert_eq!(began.elapsed().as_secs(), 10, "{entry}");
}

/// Connections that go within their bodies, in three waves: nothing of them stays.
pub(super) async fn dropped(entry: &Entry) {
    let inner = Inner::default();
    for _ in 0..3 {
        for connection in 0..400 {
            let (from, mut to) = connect(&inner);
            to.write_all(head("Content-Length: 1000").as_bytes()).await.unwrap();
            to.write_all(&vec![b'x'; connection]).await.unwrap();
            drop((from, to));
        }
        // Everybody else goes first.
        sleep(Duration::from_nanos(1)).await;
        sleep(SECOND).await;
        assert_eq!(Arc::strong_count(&inner.calls), 1, "{entry}: something holds the handler");
    }
    assert_eq!(inner.count(), 0, "{entry}");
}
