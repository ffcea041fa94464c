//! Floods over HTTP/2, written frame by frame.

use std::{convert::Infallible, net::SocketAddr, pin::Pin, task};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use tower::Layer;

use super::data::Entry;
use crate::{
    net::{Client, serve, within},
    support::{Inner, meta_layer, meta_request, meta_signature},
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 4;

const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is neither looked up nor kept.
fn field(name: &str, value: &str) -> Vec<u8> {
    let len = |text: &str| vec![u8::try_from(text.len()).unwrap()];
    [&[0][..], &len(name), name.as_bytes(), &len(value), value.as_bytes()].concat()
}

/// A head that could be genuine: `POST /w`, signed.
fn head() -> Vec<u8> {
    let fields = [
        vec![0x83, 0x86],
        field(":path", "/w"),
        field(":authority", "a"),
        field("x-hub-signature-256", &meta_signature(b"")),
    ];
    fields.concat()
}

/// What an id sends after the preface and its settings.
fn flood(id: &str) -> Vec<u8> {
    let request = |stream| frame(HEADERS, END_HEADERS, stream, &head());
    match id {
        "RES-8" => [request(1), frame(DATA, 0, 1, b"x").repeat(60_000)].concat(),
        "RES-9" => [request(1), frame(DATA, 0, 1, b"").repeat(100_000)].concat(),
        "RES-10" => (0..10_000)
            .flat_map(|at| {
                let stream = 2 * at + 1;
                [request(stream), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
            })
            .collect(),
        "RES-11" => {
            let more = frame(CONTINUATION, 0, 1, &field("x-more", &"a".repeat(100)));
            [frame(HEADERS, 0, 1, &head()), more.repeat(100_000)].concat()
        }
        other => panic!("{other}"),
    }
}

/// The reason of the first `GOAWAY`, if one comes before the connection ends.
async fn go_away(address: SocketAddr, flood: Vec<u8>) -> Option<u32> {
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let writer = tokio::spawn(async move {
        let settings = frame(SETTINGS, 0, 0, b"");
        let _ = to.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let _ = to.write_all(&[settings, flood].concat()).await;
        to
    });
    let mut head = [0; 9];
    while from.read_exact(&mut head).await.is_ok() {
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; len as usize];
        from.read_exact(&mut payload).await.ok()?;
        if head[3] == GOAWAY {
            writer.abort();
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    None
}

/// The connection is closed with a reason, nothing reaches the handler, and the server serves others.
pub(super) async fn floods(entry: &Entry) {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let reason = within(go_away(address, flood(&entry.id))).await;
    assert_eq!(reason, Some(ENHANCE_YOUR_CALM), "{entry}");
    assert_eq!(inner.count(), 0, "{entry}");
    let request = meta_request(b"hello", Full::<Bytes>::from("hello"));
    let response = Client::http2(address).await.send(request).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{entry}");
}

/// A byte, and then nothing for ever.
struct Held(Option<Bytes>);

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(byte) => task::Poll::Ready(Some(Ok(Frame::data(byte)))),
            None => task::Poll::Pending,
        }
    }
}

/// A thousand streams with part of their bodies, by a client that takes nothing.
pub(super) async fn held(entry: &Entry) {
    let inner = Inner::default();
    let (client, server) = tokio::io::duplex(1 << 16);
    let service = hyper_util::service::TowerToHyperService::new(meta_layer().layer(inner.clone()));
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(server), service);
    tokio::spawn(async move {
        let _ = server.await;
    });
    let (client, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(0)
        .handshake(TokioIo::new(client))
        .await
        .unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let mut all = JoinSet::new();
    for _ in 0..1_000 {
        let mut client = client.clone();
        all.spawn(async move {
            let mut request: Request<Held> = meta_request(b"", Held(Some(Bytes::from("x"))));
            *request.uri_mut() = "http://a/w".parse().unwrap();
            client.send_request(request).await.unwrap().status()
        });
    }
    let statuses = all.join_all().await;
    assert_eq!(statuses, [StatusCode::REQUEST_TIMEOUT; 1_000], "{entry}");
    assert_eq!(inner.count(), 0, "{entry}");
}
