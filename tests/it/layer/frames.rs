//! How bodies are read: frame by frame, within a limit and a time, byte for byte.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use proptest::prelude::*;
use tower_webhook::{Rejection, RejectionKind, SignatureLayer, layer::Drain, providers::Meta};

use crate::support::{
    BoxError, Event, Script, assert_refused, meta_layer, meta_request, secret, send,
};

fn data(bytes: &'static str) -> Event {
    Event::Data(Bytes::from(bytes))
}

fn trailers(name: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), "1".parse().unwrap())])
}

fn fails() -> Event {
    Event::Error(io::Error::other("reset by peer").into())
}

#[tokio::test]
async fn inner_service_gets_verified_bytes_in_any_framing() {
    for (name, events) in [
        ("one frame", vec![data("hello")]),
        ("two frames", vec![data("he"), data("llo")]),
        ("one-byte frames", vec![data("h"), data("e"), data("l"), data("l"), data("o")]),
        ("empty frames", vec![data(""), data("hel"), data(""), data("lo"), data("")]),
        ("pending before", vec![Event::Pending, data("hello")]),
        ("pending between", vec![data("h"), Event::Pending, Event::Pending, data("ello")]),
        ("pending at the end", vec![data("hello"), Event::Pending]),
        ("trailers", vec![data("hello"), Event::Trailers(trailers("x-sum"))]),
        (
            "trailers twice",
            vec![
                data("hello"),
                Event::Trailers(trailers("x-sum")),
                Event::Pending,
                Event::Trailers(trailers("x-more")),
            ],
        ),
    ] {
        let has_trailers = name.starts_with("trailers");
        let (response, inner) =
            send(&meta_layer(), meta_request(b"hello", Script::new(events))).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let call = inner.only_call();
        assert_eq!(call.body.bytes(), "hello", "{name}");
        assert_eq!(call.body.size_hint().exact(), Some(5), "{name}");
        assert!(!call.body.is_end_stream(), "{name}");
        let collected = call.body.collect().await.unwrap();
        assert_eq!(
            collected.trailers().is_some_and(|map| map.contains_key("x-sum")),
            has_trailers,
            "{name}"
        );
        assert_eq!(
            collected.trailers().is_some_and(|map| map.contains_key("x-more")),
            name == "trailers twice"
        );
        assert_eq!(collected.to_bytes(), "hello", "{name}");
    }
}

#[tokio::test]
async fn a_body_that_is_handed_on_says_when_it_ends() {
    let with_trailers = || vec![data("x"), Event::Trailers(trailers("x-sum"))];
    for (body, events, frames) in
        [("x", vec![data("x")], 1), ("x", with_trailers(), 2), ("", vec![], 0)]
    {
        let request = meta_request(body.as_bytes(), Script::new(events));
        let mut handed_on = send(&meta_layer(), request).await.1.only_call().body;
        for _ in 0..frames {
            assert!(!handed_on.is_end_stream());
            handed_on.frame().await.unwrap().unwrap();
        }
        assert!(handed_on.is_end_stream(), "{body}, {frames}");
        assert_eq!(handed_on.size_hint().exact(), Some(0));
    }
}

#[tokio::test]
async fn head_and_extensions_reach_the_handler_unchanged() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mine(u8);

    let mut request = meta_request(b"x", Script::data(["x"]));
    *request.uri_mut() = "/a/../b//c?x=%2F&y".parse().unwrap();
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().append("x-twice", "1".parse().unwrap());
    request.headers_mut().append("x-twice", "2".parse().unwrap());
    request.extensions_mut().insert(Mine(7));
    let (sent_uri, sent_headers) = (request.uri().clone(), request.headers().clone());

    let (_, inner) = send(&meta_layer(), request).await;
    let head = inner.only_call().head;
    assert_eq!(head.method, http::Method::POST);
    assert_eq!(head.uri, sent_uri);
    assert_eq!(head.version, http::Version::HTTP_2);
    assert_eq!(head.headers, sent_headers);
    assert_eq!(head.extensions.get(), Some(&Mine(7)));
}

#[tokio::test]
async fn a_body_of_one_frame_is_handed_on_uncopied() {
    let body = Bytes::from(vec![b'x'; 4096]);
    let (_, inner) = send(&meta_layer(), meta_request(&body, Script::data([body.clone()]))).await;
    assert_eq!(inner.only_call().body.bytes().as_ptr(), body.as_ptr());
}

#[tokio::test]
async fn body_error_at_any_point_is_rejected() {
    for (name, events) in [
        ("at once", vec![fails()]),
        ("after the whole body", vec![data("hello"), fails()]),
        ("in the middle", vec![data("he"), Event::Pending, fails(), data("llo")]),
        ("after trailers", vec![data("hello"), Event::Trailers(trailers("x")), fails()]),
    ] {
        let answer = send(&meta_layer(), meta_request(b"hello", Script::new(events))).await;
        assert_refused(name, RejectionKind::BodyUnreadable, &answer);
        assert_eq!(answer.0.status(), StatusCode::BAD_REQUEST, "{name}");
        let rejection = answer.0.extensions().get::<Rejection>().unwrap();
        let source = std::error::Error::source(rejection).unwrap();
        assert_eq!(source.to_string(), "reset by peer", "{name}");
    }
}

#[tokio::test]
async fn truncated_body_with_matching_prefix_is_rejected() {
    // The signature is good for what has arrived, but the body did not end: it broke.
    let answer = send(&meta_layer(), meta_request(b"he", Script::new([data("he"), fails()]))).await;
    assert_refused("prefix", RejectionKind::BodyUnreadable, &answer);
}

#[tokio::test]
async fn body_over_the_limit_is_rejected() {
    let layer = || meta_layer().body_limit(5);
    let too_large = RejectionKind::BodyTooLarge;

    let request = meta_request(b"hello!", Script::untouchable().declared(6));
    let answer = send(&layer(), request).await;
    assert_refused("declared", too_large, &answer);
    assert_eq!(answer.0.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let request = meta_request(b"hello!", Script::untouchable().declared(u64::MAX));
    assert_refused("declared as much as can be", too_large, &send(&layer(), request).await);

    for (name, chunks) in [
        ("one frame", vec!["hello!"]),
        ("the last byte", vec!["hello", "!"]),
        ("one-byte frames", vec!["h", "e", "l", "l", "o", "!", "more"]),
    ] {
        let answer = send(&layer(), meta_request(b"hello!", Script::data(chunks))).await;
        assert_refused(name, too_large, &answer);
    }

    let (response, inner) =
        send(&layer(), meta_request(b"hello", Script::data(["hell", "o", ""]))).await;
    assert_eq!(response.status(), StatusCode::OK, "exactly at the limit");
    let declared = meta_request(b"hello", Script::data(["hello"]).declared(5));
    let (response, _) = send(&layer(), declared).await;
    assert_eq!(response.status(), StatusCode::OK, "declared to be at the limit");
    assert_eq!(inner.count(), 1);
}

#[tokio::test]
async fn no_frame_is_polled_after_the_body_limit() {
    let body = Script::new([data("hello!"), Event::Panic]);
    let layer = meta_layer().body_limit(5).drain(Drain::new().max_bytes(0));
    let answer = send(&layer, meta_request(b"", body)).await;
    assert_refused("limit", RejectionKind::BodyTooLarge, &answer);
}

#[tokio::test]
async fn body_limit_of_an_outer_layer_is_answered_with_413() {
    #[derive(Debug)]
    struct Wrapper(BoxError);
    impl std::fmt::Display for Wrapper {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl std::error::Error for Wrapper {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&*self.0)
        }
    }

    let limited = || Limited::new(Script::data(["hello", "hello"]), 7);
    let answer = send(&meta_layer(), meta_request(b"hellohello", limited())).await;
    assert_refused("bare", RejectionKind::BodyTooLarge, &answer);

    let wrapped = limited().map_err(|error| {
        assert!(error.is::<LengthLimitError>());
        Wrapper(Wrapper(error).into())
    });
    let answer = send(&meta_layer(), meta_request(b"hellohello", wrapped)).await;
    assert_refused("wrapped", RejectionKind::BodyTooLarge, &answer);
}

/// Gives one frame each three seconds, for ever.
#[cfg(feature = "tokio")]
struct Dripping(Pin<Box<tokio::time::Sleep>>);

#[cfg(feature = "tokio")]
impl Body for Dripping {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        std::task::ready!(self.0.as_mut().poll(cx));
        self.0.as_mut().reset(tokio::time::Instant::now() + std::time::Duration::from_secs(3));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn the_deadline_is_total_and_not_idle() {
    let start = tokio::time::Instant::now();
    let dripping = Dripping(Box::pin(tokio::time::sleep(std::time::Duration::from_secs(3))));
    let answer = send(&meta_layer(), meta_request(b"", dripping)).await;
    assert_refused("dripping", RejectionKind::BodyTimeout, &answer);
    assert_eq!(answer.0.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(start.elapsed().as_secs(), 10);

    let layer = meta_layer().body_deadline(Some(std::time::Duration::from_secs(2)));
    let start = tokio::time::Instant::now();
    let answer = send(&layer, meta_request(b"", Script::new([Event::Stall]))).await;
    assert_refused("stalled", RejectionKind::BodyTimeout, &answer);
    assert_eq!(start.elapsed().as_secs(), 2);

    let layer = meta_layer().body_deadline(None);
    let stalled = send(&layer, meta_request(b"", Script::new([Event::Stall])));
    let waited = tokio::time::timeout(std::time::Duration::from_secs(3600), stalled).await;
    assert!(waited.is_err(), "without a deadline it waits for ever");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_late_but_in_time_is_accepted() {
    let body = Script::new([data("he"), Event::Pending, data("llo")]);
    let (response, _) = send(&meta_layer(), meta_request(b"hello", body)).await;
    assert_eq!(response.status(), StatusCode::OK);
}

/// Empty frames without end, always ready.
#[cfg(feature = "tokio")]
struct Endless;

#[cfg(feature = "tokio")]
impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn endless_ready_body_yields_and_times_out() {
    let layer = meta_layer();
    let answer = send(&layer, meta_request(b"", Endless));
    // The clock moves only because this task gets its turn beside the endless one.
    let (answer, ()) =
        tokio::join!(answer, tokio::time::advance(std::time::Duration::from_secs(11)));
    assert_refused("endless", RejectionKind::BodyTimeout, &answer);
}

/// Empty frames without end, each of which takes two units of the task's share of the thread.
#[cfg(feature = "tokio")]
struct Greedy;

#[cfg(feature = "tokio")]
impl Body for Greedy {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        for _ in 0..2 {
            let unit = std::pin::pin!(tokio::task::coop::consume_budget());
            std::task::ready!(unit.poll(cx));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn body_without_task_budget_ends_at_the_deadline() {
    let sent = tokio::spawn(async { send(&meta_layer(), meta_request(b"", Greedy)).await });
    tokio::task::yield_now().await;
    tokio::time::advance(std::time::Duration::from_secs(11)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // A timer has no share left to fire in, but the clock has moved.
    assert!(sent.is_finished());
    assert_refused("greedy", RejectionKind::BodyTimeout, &sent.await.unwrap());
}

/// A frame in several pieces of memory: `chunk()` is only the first of them.
struct Pieces(VecDeque<&'static [u8]>);

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.0.iter().map(|piece| piece.len()).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().copied().unwrap_or_default()
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let piece = self.0.front_mut().unwrap();
            let step = count.min(piece.len());
            *piece = &piece[step..];
            if piece.is_empty() {
                self.0.pop_front();
            }
            count -= step;
        }
    }
}

struct Scattered(Option<Pieces>);

impl Body for Scattered {
    type Data = Pieces;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Pieces>, BoxError>>> {
        Poll::Ready(self.0.take().map(|pieces| Ok(Frame::data(pieces))))
    }
}

#[tokio::test]
async fn frame_in_several_chunks_is_read_whole() {
    let pieces = || Scattered(Some(Pieces([b"he".as_slice(), b"l", b"lo"].into())));
    let (response, inner) = send(&meta_layer(), meta_request(b"hello", pieces())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(inner.only_call().body.bytes(), "hello");

    let answer = send(&meta_layer().body_limit(4), meta_request(b"hello", pieces())).await;
    assert_refused("limit over all pieces", RejectionKind::BodyTooLarge, &answer);
}

proptest! {
    /// The cuts mean nothing, whatever the verdict.
    #[test]
    fn any_cut_into_frames_gives_the_same_verdict(
        body in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec((0usize..300, any::<bool>()), 0..12),
        is_genuine: bool,
    ) {
        let mut events = Vec::new();
        let mut rest = Bytes::from(body.clone());
        for (cut, waits) in cuts {
            events.push(Event::Data(rest.split_to(cut.min(rest.len()))));
            if waits {
                events.push(Event::Pending);
            }
        }
        events.push(Event::Data(rest));
        let mut signed = body.clone();
        if !is_genuine {
            signed.push(0);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let request: Request<Script> = meta_request(&signed, Script::new(events));
        let (response, inner) = runtime.block_on(send(&meta_layer(), request));
        prop_assert_eq!(response.status() == StatusCode::OK, is_genuine);
        prop_assert_eq!(inner.count(), usize::from(is_genuine));
        if is_genuine {
            let received = inner.only_call().body.into_bytes();
            prop_assert_eq!(&received[..], &body);
        }
    }
}

#[test]
fn ready_body_needs_no_timer_without_a_runtime() {
    // No tokio at all: the layer works on any executor as long as the body does not wait.
    let layer = SignatureLayer::new(Meta::new(secret()).unwrap());
    let mut answer = Box::pin(send(&layer, meta_request(b"hello", Script::data(["he", "llo"]))));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let Poll::Ready((response, _)) = answer.as_mut().poll(&mut cx) else {
        panic!("it had nothing to wait for");
    };
    assert_eq!(response.status(), StatusCode::OK);
}
