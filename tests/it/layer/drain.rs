//! The rest of a body behind an early response: read and discarded, within limits.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{self, Poll, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body;
use http_body_util::{Full, Limited};
use tower::{Layer, ServiceExt};
use tower_webhook::{
    Context, Outcome, Rejection, RejectionKind, Secret, SignatureLayer, Verified, Verifier,
    layer::{ByBody, ByHead, Drain, Requires, Source},
    observe::{Event as Told, EventKind},
    providers::{Asana, GitHub, Meta, Slack},
};

use crate::support::{
    Answer, BoxError, Event, Inner, Running, Script, assert_refused, kind, meta_layer,
    meta_request, poll, run, secret, send, unexplained,
};

fn data(bytes: &'static str) -> Event {
    Event::Data(Bytes::from(bytes))
}

/// A request without a signature.
fn unsigned<B>(body: B) -> Request<B> {
    Request::post("/webhook").body(body).unwrap()
}

fn closes<B>(response: &Response<B>) -> bool {
    let connection = response.headers().get(header::CONNECTION);
    assert!(connection.is_none_or(|value| value == "close"));
    connection.is_some()
}

/// Panics at the head, or at a chunk.
#[derive(Clone)]
struct Panics {
    at_head: bool,
}

impl Verifier for Panics {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        assert!(!self.at_head, "at the head, as it should");
        Ok(())
    }

    fn update(&self, (): &mut (), _: &[u8]) {
        panic!("at a chunk, as it should");
    }

    fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        Ok(Verified::new("panics").into())
    }
}

/// Sends a request whose body arrives in pieces, over each version of HTTP.
async fn is_drained<M>(
    name: &str,
    expected: &str,
    layer: SignatureLayer<M>,
    request: impl Fn(Script) -> Request<Script>,
) where
    M: Source + Clone + 'static,
{
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        let pieces = [data("12345"), Event::Pending, data(""), data("67890"), Event::Pending];
        let body = Script::new(pieces);
        let polls = Arc::clone(&body.polls);
        let mut request = request(body);
        *request.version_mut() = version;
        let (response, inner) = send(&layer, request).await;
        let told = match kind(&response) {
            Some(kind) => kind.as_str().to_owned(),
            None => response.status().as_str().to_owned(),
        };
        assert_eq!(told, expected, "{name} {version:?}");
        assert_eq!(polls.load(SeqCst), 6, "{name} {version:?}: not read to its end");
        assert!(!closes(&response), "{name} {version:?}: the body has ended");
        assert_eq!(inner.count(), 0, "{name} {version:?}");
    }
}

#[tokio::test]
async fn every_early_response_drains_the_body() {
    let signed = |body| meta_request(b"1234567890", body);
    let with = |name: &'static str, value: &'static str| {
        move |body| {
            let mut request = meta_request(b"1234567890", body);
            request.headers_mut().append(name, HeaderValue::from_static(value));
            request
        }
    };
    is_drained("unsigned", "missing", meta_layer(), unsigned).await;
    is_drained("twice", "repeated", meta_layer(), with("x-hub-signature-256", "sha256=0")).await;
    let coded = with("transfer-encoding", "gzip, chunked");
    is_drained("coded", "body_unreadable", meta_layer(), coded).await;
    is_drained("grpc", "missing", meta_layer(), |body| {
        let mut request = unsigned(body);
        let grpc = HeaderValue::from_static("application/grpc");
        request.headers_mut().insert(header::CONTENT_TYPE, grpc);
        request
    })
    .await;
    let slack = SignatureLayer::new(Slack::new(secret()).unwrap());
    is_drained("stale", "timestamp_stale", slack, |body| {
        let signature = format!("v0={}", "0".repeat(64));
        Request::post("/")
            .header("x-slack-signature", signature)
            .header("x-slack-request-timestamp", "1000000000")
            .body(body)
            .unwrap()
    })
    .await;

    let limited = meta_layer().body_limit(7);
    is_drained("too long by its frames", "body_too_large", limited.clone(), signed).await;
    is_drained("declared too long", "body_too_large", limited, |body| signed(body.declared(10)))
        .await;
    let spent = meta_layer().byte_budget(15);
    let mut holding = run(&spent, signed(Script::new([data("12345678901"), Event::Stall])));
    assert!(poll(&mut holding).is_pending());
    is_drained("no room", "overload", spent, signed).await;

    is_drained("panic", "verifier_panicked", SignatureLayer::new(Panics { at_head: true }), signed)
        .await;
    let panics = SignatureLayer::new(Panics { at_head: false });
    is_drained("panic at a chunk", "verifier_panicked", panics, signed).await;
    let down = ByHead::new(|_| async { Err::<Meta, _>(Rejection::unavailable("down")) });
    is_drained("look-up", "verifier_unavailable", SignatureLayer::new(down), signed).await;
    let panics = ByHead::new(|_| {
        assert!(std::hint::black_box(false), "in the look-up, as it should");
        async { Ok(Meta::new(secret()).unwrap()) }
    });
    is_drained("look-up panics", "verifier_panicked", SignatureLayer::new(panics), signed).await;

    // A challenge is answered early too.
    let meta = SignatureLayer::new(
        Meta::new(secret()).unwrap().verify_token(Secret::new("token").unwrap()).unwrap(),
    );
    let challenge = |body| {
        let uri = "/?hub.mode=subscribe&hub.verify_token=token&hub.challenge=1";
        Request::get(uri).body(body).unwrap()
    };
    is_drained("challenge", "200", meta.clone(), challenge).await;
    let failed = |body| {
        let uri = "/?hub.mode=subscribe&hub.verify_token=other&hub.challenge=1";
        Request::get(uri).body(body).unwrap()
    };
    is_drained("failed challenge", "handshake_failed", meta, failed).await;
    let exchange = SignatureLayer::new(Asana::with_secret_exchange(
        |_| async { Err::<Asana, _>(Rejection::unknown_tenant()) },
        |_, _| async { Ok(true) },
    ));
    is_drained("exchange", "200", exchange, |body| {
        Request::post("/").header("x-hook-secret", "0123456789abcdef").body(body).unwrap()
    })
    .await;

    // After the body there is nothing to drain, and no reason to close the connection.
    is_drained("another body", "signature_mismatch", meta_layer(), |body| meta_request(b"", body))
        .await;
    let unknown = ByBody::new(Requires::nothing(), |_, _| async {
        Err::<Meta, _>(Rejection::unknown_tenant())
    });
    is_drained("unknown", "unknown_tenant", SignatureLayer::new(unknown), signed).await;
}

#[tokio::test(start_paused = true)]
async fn observers_hear_of_a_refusal_before_the_drain() {
    let told = Arc::new(AtomicUsize::new(0));
    let layer = unexplained(meta_layer()).observer({
        let told = Arc::clone(&told);
        move |event: &Told<'_>| {
            assert!(matches!(event.kind(), EventKind::Rejected { .. }), "{event:?}");
            told.fetch_add(1, SeqCst);
        }
    });
    let mut running = run(&layer, unsigned(Script::new([data("1"), Event::Stall])));
    assert!(poll(&mut running).is_pending());
    assert_eq!(told.load(SeqCst), 1);
    // Neither the end of the drain nor a sender who goes is another event.
    drop(running);
    running = run(&layer, unsigned(Script::new([Event::Pending])));
    while poll(&mut running).is_pending() {}
    assert_eq!(told.load(SeqCst), 2);
}

#[tokio::test]
async fn drain_ends_at_the_byte_limit() {
    let ten = || Script::data(["12345", "67890"]);
    for (drain, body, polls, is_closing) in [
        (Drain::new().max_bytes(10), ten(), 3, false),
        (Drain::new().max_bytes(9), ten(), 2, true),
        // What is declared to go beyond the limit is not begun.
        (Drain::new().max_bytes(9), ten().declared(10), 0, true),
        (Drain::new().max_bytes(10), ten().declared(10), 3, false),
        (Drain::new().max_bytes(0), ten(), 0, true),
        (Drain::new(), ten().declared(u64::MAX), 0, true),
    ] {
        let about = format!("{drain:?} {body:?}");
        let polled = Arc::clone(&body.polls);
        let (response, _) = send(&meta_layer().drain(drain), unsigned(body)).await;
        assert_eq!(kind(&response), Some(RejectionKind::Missing), "{about}");
        assert_eq!((polled.load(SeqCst), closes(&response)), (polls, is_closing), "{about}");
    }
}

#[tokio::test]
async fn byte_limit_is_the_body_limit_and_at_least_1_mib() {
    const MIB: usize = 1 << 20;
    for (limit, expected) in [(1, MIB), (MIB, MIB), (MIB + 1, MIB + 1), (25 * MIB, 25 * MIB)] {
        for (len, is_closing) in [(expected, false), (expected + 1, true)] {
            let layer = meta_layer().body_limit(limit);
            let frame = Bytes::from(vec![0; len]);
            let (response, _) = send(&layer, unsigned(Script::data([frame]))).await;
            assert_eq!(closes(&response), is_closing, "{limit} {len}");
        }
    }
}

/// A body of one-byte frames that come after this time each.
#[cfg(feature = "tokio")]
fn trickle(every: Duration, byte: &'static [u8]) -> impl Body<Data = Bytes, Error = BoxError> {
    let frames = futures_unfold(every, byte);
    http_body_util::StreamBody::new(frames)
}

#[cfg(feature = "tokio")]
fn futures_unfold(
    every: Duration,
    byte: &'static [u8],
) -> impl tokio_stream::Stream<Item = Result<http_body::Frame<Bytes>, BoxError>> {
    let interval = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    let ticks = tokio_stream::wrappers::IntervalStream::new(interval);
    tokio_stream::StreamExt::map(ticks, move |_| {
        Ok(http_body::Frame::data(Bytes::from_static(byte)))
    })
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn drain_ends_at_its_total_or_idle_timeout() {
    let ms = Duration::from_millis;
    let own = Drain::new().timeout(ms(700)).idle_timeout(ms(300));
    for (name, drain, every, byte, expected) in [
        ("trickle", Drain::new(), ms(400), &b"1"[..], ms(5000)),
        ("silence", Drain::new(), ms(600), b"1", ms(500)),
        ("empty frames", Drain::new(), ms(100), b"", ms(500)),
        ("own limits, trickle", own, ms(200), b"1", ms(700)),
        ("own limits, silence", own, ms(400), b"1", ms(300)),
        ("no idle limit", Drain::new().idle_timeout(Duration::MAX), ms(900), b"1", ms(5000)),
        ("no total limit", Drain::new().timeout(Duration::MAX), ms(600), b"1", ms(500)),
    ] {
        let start = tokio::time::Instant::now();
        let request = unsigned(Box::pin(trickle(every, byte)));
        let (response, _) = send(&meta_layer().drain(drain), request).await;
        assert_eq!(kind(&response), Some(RejectionKind::Missing), "{name}");
        assert!(closes(&response), "{name}");
        assert_eq!(start.elapsed().as_millis(), expected.as_millis(), "{name}");
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn body_past_its_deadline_is_drained_too() {
    let start = tokio::time::Instant::now();
    let ms = Duration::from_millis;
    let request = meta_request(b"", Box::pin(trickle(ms(400), b"1")));
    let (response, _) = send(&meta_layer().body_deadline(Some(ms(1000))), request).await;
    assert_eq!(kind(&response), Some(RejectionKind::BodyTimeout));
    assert_eq!(start.elapsed().as_millis(), 6000);
}

/// A body that is always ready and has no end.
struct Endless(&'static [u8]);

impl Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(self.0)))))
    }
}

#[test]
fn endless_body_gives_others_their_turn_and_ends() {
    for body in [&b"1234567890"[..], b""] {
        let mut running = run(&meta_layer(), unsigned(Endless(body)));
        assert!(poll(&mut running).is_pending(), "not all of it in one turn");
        let Some(response) = while_woken(running, 10_000) else { panic!("it goes on") };
        assert!(closes(&response), "by bytes, or by frames without any");
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn endless_body_ends_at_the_total_limit() {
    let layer = meta_layer().body_limit(usize::MAX);
    let mut running = run(&layer, unsigned(Endless(b"1")));
    for _ in 0..100 {
        assert!(poll(&mut running).is_pending());
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    let Poll::Ready(response) = poll(&mut running) else { panic!("it goes on") };
    assert!(closes(&response));
}

/// Polls only when it has been woken, and no more often than this.
fn while_woken(mut running: Running, most: usize) -> Option<Answer> {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&flag));
    for _ in 0..most {
        assert!(flag.0.swap(false, SeqCst), "it was not woken");
        if let Poll::Ready(answer) = running.as_mut().poll(&mut task::Context::from_waker(&waker)) {
            return Some(answer);
        }
    }
    None
}

#[test]
fn body_of_many_frames_is_woken_after_each_turn() {
    let frames = || Script::data((0..200).map(|_| "x"));
    let Some(response) = while_woken(run(&meta_layer(), unsigned(frames())), 10) else {
        panic!("it goes on");
    };
    assert!(!closes(&response));
    let signed = meta_request(&[b'x'; 200], frames());
    let Some(response) = while_woken(run(&meta_layer(), signed), 10) else {
        panic!("it goes on");
    };
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn body_that_is_there_needs_no_place() {
    let frames = || unsigned(Script::data((0..200).map(|_| "x")));
    let none = Drain::new().max_concurrent(0).idle_timeout(Duration::ZERO);
    assert!(!closes(&send(&meta_layer().drain(none), frames()).await.0));
    // It drives nobody out, either.
    let layer = meta_layer().drain(Drain::new().max_concurrent(1));
    let mut stalled = run(&layer, unsigned(Script::new([Event::Stall])));
    assert!(poll(&mut stalled).is_pending());
    send(&layer, frames()).await;
    assert!(poll(&mut stalled).is_pending());
}

#[tokio::test]
async fn body_that_says_that_it_has_ended_is_not_polled() {
    struct Known(Script);
    impl Body for Known {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut task::Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
            Pin::new(&mut self.0).poll_frame(cx)
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_untouchable()
        }
    }
    let body = || Known(Script::new([data("123"), data("45678"), Event::Panic]));
    for (name, request) in [("head", unsigned(body())), ("limit", meta_request(b"", body()))] {
        let (response, _) = send(&meta_layer().body_limit(7), request).await;
        assert!(kind(&response).is_some(), "{name}");
        assert!(!closes(&response), "{name}");
    }
}

#[tokio::test]
async fn trailers_do_not_end_a_drain() {
    let trailers = || Event::Trailers(http::HeaderMap::new());
    let body = Script::new([data("1"), trailers(), data("2"), trailers()]);
    let polls = Arc::clone(&body.polls);
    let (response, _) = send(&meta_layer(), unsigned(body)).await;
    assert_eq!((polls.load(SeqCst), closes(&response)), (5, false));
    // They are counted, and so have an end.
    let body = Script::new((0..5000).map(|_| trailers()));
    assert!(closes(&send(&meta_layer(), unsigned(body)).await.0));
}

#[tokio::test]
async fn http2_drain_over_limit_sends_no_connection_header() {
    let mut request = unsigned(Script::data(["12345", "67890"]));
    *request.version_mut() = Version::HTTP_2;
    let layer = meta_layer().drain(Drain::new().max_bytes(9));
    let (response, _) = send(&layer, request).await;
    assert!(!closes(&response));
}

#[tokio::test]
async fn byte_limit_does_not_follow_the_byte_budget() {
    let layer = meta_layer().byte_budget(10).body_limit(2 << 20);
    let body = Script::data([vec![0; 3 << 19]]).declared(3 << 19);
    assert!(!closes(&send(&layer, unsigned(body)).await.0));
}

#[tokio::test(start_paused = true)]
async fn beyond_max_concurrent_the_longest_drain_gives_way() {
    let layer = meta_layer().drain(Drain::new().max_concurrent(2));
    let clone = layer.clone().body_limit(8);
    let stalled = || unsigned(Script::new([data("1"), Event::Stall]));
    let almost_done = || unsigned(Script::new([data("1"), Event::Pending, data("2")]));

    let mut first = run(&layer, stalled());
    let mut second = run(&clone, stalled());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    // What is there whole needs no place.
    assert!(!closes(&send(&layer, unsigned(Script::data(["1", "2"]))).await.0));
    assert!(poll(&mut first).is_pending(), "it keeps its place");

    let mut third = run(&layer, almost_done());
    assert!(poll(&mut third).is_pending());
    let Poll::Ready(response) = poll(&mut first) else { panic!("the first gives way") };
    assert!(closes(&response), "it was not read to its end");
    assert!(poll(&mut second).is_pending(), "one place is enough for one request");
    let Poll::Ready(response) = poll(&mut third) else { panic!("the third is read") };
    assert!(!closes(&response));

    // A place that is free again drives nobody out.
    let mut fourth = run(&layer, stalled());
    assert!(poll(&mut fourth).is_pending());
    assert!(poll(&mut second).is_pending());
    drop(fourth);
    let mut fifth = run(&layer, stalled());
    assert!(poll(&mut fifth).is_pending());
    assert!(poll(&mut second).is_pending());

    // Another layer has places of its own.
    let mut other = run(&layer.clone().drain(Drain::new()), stalled());
    assert!(poll(&mut other).is_pending());
    assert!(poll(&mut second).is_pending());
    // Without places nobody waits.
    let none = meta_layer().drain(Drain::new().max_concurrent(0));
    assert!(closes(&send(&none, stalled()).await.0));
    assert!(!closes(&send(&none, unsigned(Script::data(["1"]))).await.0));
}

#[tokio::test(start_paused = true)]
async fn senders_that_stall_take_no_places_from_others() {
    let layer = meta_layer();
    let mut stalled: Vec<_> = (0..3000)
        .map(|_| {
            let mut running = run(&layer, unsigned(Script::new([data("1"), Event::Stall])));
            assert!(poll(&mut running).is_pending());
            // Between them come refusals that are almost read.
            let mut other = run(&layer, unsigned(Script::new([data("1"), Event::Pending])));
            assert!(poll(&mut other).is_pending());
            let Poll::Ready(response) = poll(&mut other) else { panic!("it is read") };
            assert!(!closes(&response));
            running
        })
        .collect();
    let answered = stalled.iter_mut().map(poll).filter(Poll::is_ready).count();
    assert_eq!(answered, 3000 - 1023, "1,024 wait at once");
}

#[tokio::test]
async fn expect_continue_sender_is_answered_at_once() {
    for (version, value, is_polled, is_closing) in [
        (Version::HTTP_11, "100-continue", false, true),
        (Version::HTTP_11, "100-Continue", false, true),
        (Version::HTTP_2, "100-continue", false, false),
        // HTTP/1.0 does not know it (RFC 9110, 10.1.1), and nothing else is an expectation.
        (Version::HTTP_10, "100-continue", true, false),
        (Version::HTTP_11, "200-ok", true, false),
    ] {
        let about = format!("{version:?} {value}");
        let body = || Script::data(["12345"]).declared(5);
        for mut request in [unsigned(body()), meta_request(b"12345", body())] {
            let layer = meta_layer().body_limit(4);
            let polls = Arc::clone(&request.body().polls);
            *request.version_mut() = version;
            request.headers_mut().insert(header::EXPECT, HeaderValue::from_static(value));
            let (response, inner) = send(&layer, request).await;
            assert!(kind(&response).is_some(), "{about}");
            assert_eq!(polls.load(SeqCst) > 0, is_polled, "{about}");
            assert_eq!(closes(&response), is_closing, "{about}");
            assert_eq!(inner.count(), 0, "{about}");
        }
    }
    // Once the layer has asked for the body, it is on its way.
    let body = Script::new([data("12345"), Event::Pending, data("6")]);
    let polls = Arc::clone(&body.polls);
    let mut request = meta_request(b"", body);
    request.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    let (response, _) = send(&meta_layer().body_limit(4), request).await;
    assert_eq!(kind(&response), Some(RejectionKind::BodyTooLarge));
    assert_eq!((polls.load(SeqCst), closes(&response)), (4, false));
    // Where there is no body, nobody waits.
    let mut request = unsigned(Full::<Bytes>::default());
    request.headers_mut().insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    assert!(!closes(&send(&meta_layer(), request).await.0));
}

#[tokio::test]
async fn drain_ends_where_the_body_breaks() {
    let broken = |rest: Vec<Event>| Script::new(rest.into_iter().chain([Event::Panic]));
    let error = || Event::Error("reset".into());
    for (name, request) in [
        ("unsigned", unsigned(broken(vec![data("1"), error()]))),
        ("while it is read", meta_request(b"1", broken(vec![data("1"), error()]))),
    ] {
        let (response, _) = send(&meta_layer(), request).await;
        assert!(kind(&response).is_some(), "{name}");
        assert!(closes(&response), "{name}: its end was not seen");
    }
}

#[tokio::test]
async fn limit_of_a_layer_above_does_not_end_the_drain() {
    for (name, signature) in [("unsigned", None), ("while it is read", Some(()))] {
        let body = Script::data(["123", "456", "789"]);
        let polls = Arc::clone(&body.polls);
        let body = Limited::new(body, 4);
        let request = match signature {
            None => unsigned(body),
            Some(()) => meta_request(b"123456789", body),
        };
        let (response, _) = send(&meta_layer(), request).await;
        assert!(kind(&response).is_some(), "{name}");
        assert_eq!((polls.load(SeqCst), closes(&response)), (4, false), "{name}");
    }
    // Many small frames that are discarded above: 100 kB in pieces of 100 bytes.
    let body = Limited::new(Script::data((0..1000).map(|_| [b'x'; 100].to_vec())), 50);
    assert!(!closes(&send(&meta_layer(), unsigned(body)).await.0));

    /// Says for ever that it is over its limit.
    struct Stuck(Arc<AtomicUsize>);
    impl Body for Stuck {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            cx: &mut task::Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
            self.0.fetch_add(1, SeqCst);
            Pin::new(&mut Limited::new(Full::new(Bytes::from("1")), 0)).poll_frame(cx)
        }
    }
    let polls = Arc::new(AtomicUsize::new(0));
    let layer = meta_layer().body_limit(usize::MAX);
    let (response, _) = send(&layer, unsigned(Stuck(Arc::clone(&polls)))).await;
    assert!(closes(&response), "it ends all the same");
    assert_eq!(polls.load(SeqCst), 4097);
}

#[tokio::test(start_paused = true)]
async fn drain_holds_neither_inner_service_nor_budget() {
    #[derive(Clone)]
    struct Tracked(#[expect(dead_code, reason = "counted")] Arc<()>);
    impl tower::Service<Request<tower_webhook::BufferedBody>> for Tracked {
        type Response = Response<String>;
        type Error = std::convert::Infallible;
        type Future = std::future::Pending<Result<Response<String>, Self::Error>>;

        fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<tower_webhook::BufferedBody>) -> Self::Future {
            std::future::pending()
        }
    }

    let layer = meta_layer().byte_budget(10).body_limit(8);
    let alive = Arc::new(());
    let body = Script::new([data("12345678"), Event::Pending, data("9"), Event::Stall]);
    let body_polls = Arc::clone(&body.polls);
    let service = layer.layer(Tracked(Arc::clone(&alive)));
    let mut draining = Box::pin(service.oneshot(meta_request(b"", body)));
    let mut cx = task::Context::from_waker(Waker::noop());
    assert!(draining.as_mut().poll(&mut cx).is_pending());
    assert!(draining.as_mut().poll(&mut cx).is_pending());
    assert_eq!(body_polls.load(SeqCst), 4, "it drains");
    assert_eq!(Arc::strong_count(&alive), 1, "the clone of the inner service");
    // All ten bytes are free: a body that waits takes them.
    let whole = Script::new([data("1234567"), Event::Pending, data("8")]);
    assert_eq!(send(&layer, meta_request(b"12345678", whole)).await.0.status(), StatusCode::OK);
    drop(draining);
    assert_eq!(Arc::strong_count(&body_polls), 1, "a dropped request drains no further");
}

#[test]
fn drain_holds_no_keys_that_were_looked_up() {
    #[derive(Clone)]
    struct Refusing(#[expect(dead_code, reason = "counted")] Arc<()>);

    impl Verifier for Refusing {
        type State = ();

        fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
            Err(Rejection::mismatch())
        }

        fn finish(&self, (): &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
            Err(Rejection::mismatch())
        }
    }

    let keys = Arc::new(());
    let found = Arc::clone(&keys);
    let layer = SignatureLayer::by_head(move |_| {
        let keys = Arc::clone(&found);
        async move { Ok(Refusing(keys)) }
    });
    let body = Script::new([data("1"), Event::Stall]);
    let polls = Arc::clone(&body.polls);
    let mut draining = Box::pin(layer.layer(Inner::default()).oneshot(unsigned(body)));
    assert!(draining.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(polls.load(SeqCst), 2, "it drains");
    assert_eq!(Arc::strong_count(&keys), 3, "those of the test, the layer and the service");
}

#[tokio::test(start_paused = true)]
async fn dropped_drain_leaves_no_place_behind() {
    let layer = meta_layer().drain(Drain::new().max_concurrent(1));
    let script = || {
        let bytes = "123456".chars();
        Script::new(bytes.flat_map(|c| [Event::Pending, Event::Data(c.to_string().into())]))
    };
    for polls in 0..10 {
        let body = script();
        let alive = Arc::clone(&body.polls);
        let mut running = run(&layer, unsigned(body));
        let is_done = (0..polls).any(|_| poll(&mut running).is_ready());
        assert_eq!(is_done, polls > 6, "{polls}");
        drop(running);
        assert_eq!(Arc::strong_count(&alive), 1, "{polls}: the body");
        // Were the place still taken, its holder would have to give way, and there is none.
        assert!(!closes(&send(&layer, unsigned(script())).await.0), "{polls}");
    }
}

#[test]
fn drain_without_a_timer_does_not_panic() {
    let waits = || unsigned(Script::new([data("1"), Event::Pending, data("2")]));
    // Outside a runtime it waits.
    let mut running = run(&meta_layer(), waits());
    assert!(poll(&mut running).is_pending());
    let Poll::Ready(response) = poll(&mut running) else { panic!("it has ended") };
    assert!(!closes(&response));
    // In a runtime whose timer is off it does not.
    #[cfg(feature = "tokio")]
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let Poll::Ready(response) = poll(&mut run(&meta_layer(), waits())) else {
            panic!("it waits")
        };
        assert!(closes(&response));
    });
    // A signed body outside a runtime waits without a deadline.
    let signed = meta_request(b"12", Script::new([data("1"), Event::Pending, data("2")]));
    let mut running = run(&meta_layer(), signed);
    assert!(poll(&mut running).is_pending());
    let Poll::Ready(response) = poll(&mut running) else { panic!("it has ended") };
    assert_eq!(response.status(), StatusCode::OK);
}

/// A waker is the executor's code: its clone may drop a request that holds a place of its own.
#[test]
#[expect(unsafe_code, reason = "the standard library has no safe waker with a clone of its own")]
fn waker_whose_clone_drops_a_request_does_not_block() {
    use std::{
        cell::RefCell,
        ptr,
        sync::mpsc,
        task::{RawWaker, RawWakerVTable},
        thread,
    };
    thread_local! {
        static TO_DROP: RefCell<Option<Running>> = const { RefCell::new(None) };
    }
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            drop(TO_DROP.take());
            RawWaker::new(ptr::null(), &TABLE)
        },
        |_| {},
        |_| {},
        |_| {},
    );

    let (done, is_done) = mpsc::channel();
    // A deadlock fails the test in place of stopping the suite.
    thread::spawn(move || {
        let layer = meta_layer();
        let stalled = || unsigned(Script::new([data("1"), Event::Stall]));
        let mut first = run(&layer, stalled());
        assert!(poll(&mut first).is_pending());
        TO_DROP.set(Some(first));
        let waker = unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TABLE)) };
        let mut second = run(&layer, stalled());
        assert!(second.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending());
        assert!(TO_DROP.take().is_none());
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(30)).expect("no deadlock");
}

#[tokio::test]
async fn nothing_of_a_drained_body_is_hashed() {
    #[derive(Clone, Default)]
    struct Counts(Arc<AtomicUsize>);
    impl Verifier for Counts {
        type State = ();

        fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
            request.head().headers.get("x-token").map(drop).ok_or(Rejection::missing("x-token"))
        }

        fn update(&self, (): &mut (), chunk: &[u8]) {
            self.0.fetch_add(chunk.len(), SeqCst);
        }

        fn finish(&self, _: &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
            Ok(Verified::new("counts").into())
        }
    }
    let counts = Counts::default();
    let layer = SignatureLayer::new(counts.clone()).body_limit(4);
    let body = || Script::data(["12", "34", "56", "78"]);
    assert_refused("unsigned", RejectionKind::Missing, &send(&layer, unsigned(body())).await);
    assert_eq!(counts.0.load(SeqCst), 0);
    let mut long = unsigned(body());
    long.headers_mut().insert("x-token", HeaderValue::from_static("1"));
    assert_refused("too long", RejectionKind::BodyTooLarge, &send(&layer, long).await);
    assert_eq!(counts.0.load(SeqCst), 4, "up to the limit");
}

#[test]
fn settings_are_shown() {
    let layer =
        SignatureLayer::new(GitHub::new(secret()).unwrap()).drain(Drain::new().max_bytes(7));
    let shown = format!("{layer:?}");
    assert!(shown.contains("max_bytes: Some(7)"), "{shown}");
    assert_eq!(Drain::default(), Drain::new());
}
