//! The layer in a bare hyper server, over HTTP/1 and HTTP/2.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper_util::{client::legacy, rt::TokioExecutor};
use tower::Layer;
use tower_webhook::layer::Drain;

use crate::{
    net::{Client, send, serve, within},
    support::{Inner, meta_layer, meta_request},
};

type AnyBody = UnsyncBoxBody<Bytes, Infallible>;

/// A body of declared length.
fn sized(bytes: &'static [u8]) -> AnyBody {
    Full::new(Bytes::from_static(bytes)).boxed_unsync()
}

/// A body of undeclared length: chunked on HTTP/1.
fn chunked(bytes: &'static [u8], trailers: Option<HeaderMap>) -> AnyBody {
    let frames = bytes.chunks(2).map(|chunk| Frame::data(Bytes::from_static(chunk)));
    let frames: Vec<_> = frames.chain(trailers.map(Frame::trailers)).map(Ok).collect();
    StreamBody::new(tokio_stream::iter(frames)).boxed_unsync()
}

fn unsigned<B>(body: B) -> Request<B> {
    let mut request = meta_request(b"", body);
    request.headers_mut().remove("x-hub-signature-256");
    request
}

#[tokio::test]
async fn only_signed_requests_pass_over_http1_and_http2() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let inner = Inner::default();
        let address = serve(meta_layer().layer(inner.clone())).await;
        for (name, body) in [
            ("sized", sized as fn(&'static [u8]) -> AnyBody),
            ("chunked", |bytes| chunked(bytes, None)),
        ] {
            let mut client = match version {
                Version::HTTP_2 => Client::http2(address).await,
                _ => Client::http1(address).await,
            };
            let response = client.send(meta_request(b"hello", body(b"hello"))).await;
            assert_eq!(response.status(), StatusCode::OK, "{version:?} {name}");
            assert_eq!(response.version(), version, "{name}");
            assert_eq!(response.body(), "handled", "{version:?} {name}");
            let call = inner.only_call();
            assert_eq!(call.body.bytes(), "hello", "{version:?} {name}");
            assert_eq!(call.head.version, version, "{name}");
            assert_eq!(call.verified().provider(), "meta", "{version:?} {name}");

            let response = client.send(meta_request(b"hello", body(b"Hello"))).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{version:?} {name}: altered");
            assert_eq!(response.body(), "", "{version:?} {name}: altered");
            let closes = response.headers().contains_key(header::CONNECTION);
            assert!(!closes, "{version:?} {name}: altered");
            assert_eq!(inner.count(), 0, "{version:?} {name}: altered");
        }
    }
}

#[tokio::test]
async fn drained_rejection_keeps_the_connection_open() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    for mut client in [Client::http1(address).await, Client::http2(address).await] {
        for (name, body) in [
            ("sized", sized(b"hello")),
            ("chunked", chunked(b"hello", None)),
            ("none", Empty::new().boxed_unsync()),
        ] {
            let response = client.send(unsigned(body)).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}");
            assert_eq!(response.headers().get(header::CONNECTION), None, "{name}");
        }
    }
    // Beyond the limits of the drain it ends, on HTTP/1. On HTTP/2 the header would be an error.
    let address = serve(meta_layer().drain(Drain::new().max_bytes(4)).layer(inner.clone())).await;
    let response = send(address, unsigned(sized(b"hello"))).await;
    assert_eq!(response.headers()[header::CONNECTION], "close");
    let response = Client::http2(address).await.send(unsigned(sized(b"hello"))).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers().get(header::CONNECTION), None);
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn http1_and_http2_trailers_reach_the_inner_service() {
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-checksum"),
        HeaderValue::from_static("abc"),
    )]);
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = match version {
            Version::HTTP_2 => Client::http2(address).await,
            _ => Client::http1(address).await,
        };
        let mut request = meta_request(b"hello", chunked(b"hello", Some(trailers.clone())));
        if version == Version::HTTP_11 {
            // hyper's client sends only those that are announced.
            let names = HeaderValue::from_static("x-checksum");
            request.headers_mut().insert(header::TRAILER, names);
        }
        let response = client.send(request).await;
        assert_eq!(response.status(), StatusCode::OK, "{version:?}");
        let collected = inner.only_call().body.collect().await;
        let Ok(collected) = collected;
        assert_eq!(collected.trailers(), Some(&trailers), "{version:?}");
        assert_eq!(collected.to_bytes(), "hello", "{version:?}");
    }
}

#[tokio::test]
async fn kept_connection_carries_several_requests() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let mut client = Client::http1(address).await;
    for turn in 0..4 {
        let response = client.send(meta_request(b"genuine", sized(b"genuine"))).await;
        assert_eq!(response.status(), StatusCode::OK, "turn {turn}");
        assert_eq!(response.headers().get(header::CONNECTION), None, "turn {turn}");
    }
    assert_eq!(inner.count(), 4);
}

/// A mebibyte that says how long it is and comes in pieces, so that it is still being written when
/// the answer comes.
struct Upload {
    left: usize,
}

impl Upload {
    const LEN: usize = 1 << 20;
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const PIECE: &[u8] = &[b'x'; 16 << 10];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= PIECE.len();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.left as u64)
    }
}

// Client and server race. hyper's client gives up at a failed write and does not read an answer that
// has already arrived: without the drain it loses most of these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sender_in_the_middle_of_an_upload_gets_its_answer() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    for turn in 0..100 {
        let response = send(address, unsigned(Upload { left: Upload::LEN })).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "turn {turn}");
        assert_eq!(response.headers().get(header::CONNECTION), None, "turn {turn}");
        let mut client = Client::http2(address).await;
        let response = client.send(unsigned(Upload { left: Upload::LEN })).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "HTTP/2, turn {turn}");
    }
    assert_eq!(inner.count(), 0);
}

// The server closes after these answers. A client that is not told sends its next request into the
// closing connection: without the header, a few in a hundred answers are lost here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooled_client_loses_no_answer_to_a_closing_server() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let client =
        legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    for turn in 0..500 {
        let mut request = unsigned(Upload { left: 32 << 10 });
        *request.uri_mut() = format!("http://{address}/webhook").parse().unwrap();
        let response = within(client.request(request)).await;
        let response = response.unwrap_or_else(|error| panic!("turn {turn}: {error:?}"));
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "turn {turn}");
    }
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn http2_connection_survives_rejected_uploads() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let mut client = Client::http2(address).await;
    for turn in 0..50 {
        let upload = Upload { left: Upload::LEN }.boxed_unsync();
        let response = client.send(unsigned(upload)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "turn {turn}");
    }
    assert_eq!(inner.count(), 0);
    let response = client.send(meta_request(b"hello", sized(b"hello"))).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn body_over_the_limit_is_answered_with_413() {
    let inner = Inner::default();
    let address = serve(meta_layer().body_limit(4).layer(inner.clone())).await;
    for (name, body) in [
        ("sized", sized as fn(&'static [u8]) -> AnyBody),
        ("chunked", |bytes| chunked(bytes, None)),
    ] {
        let mut http2 = Client::http2(address).await;
        for (bytes, expected) in
            [(&b"hell"[..], StatusCode::OK), (b"hello", StatusCode::PAYLOAD_TOO_LARGE)]
        {
            let response = send(address, meta_request(bytes, body(bytes))).await;
            assert_eq!(response.status(), expected, "HTTP/1 {name} {bytes:?}");
            let response = http2.send(meta_request(bytes, body(bytes))).await;
            assert_eq!(response.status(), expected, "HTTP/2 {name} {bytes:?}");
        }
    }
    assert_eq!(inner.count(), 4);
}
