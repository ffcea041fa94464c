//! The bytes that unverified requests of a layer may hold together.

use std::{
    future::{Future, pending},
    io,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, Rejection, RejectionKind, SignatureLayer, Unverified, Verified,
    layer::{Drain, Requires, Source},
    providers::Meta,
    verifier::verifier_fn,
};

use crate::support::{
    BoxError, Event, Inner, Running, Script, assert_refused, kind, meta_layer, meta_request, poll,
    run, secret, send,
};

const BUDGET: usize = 10;

fn layer() -> SignatureLayer<Meta> {
    meta_layer().byte_budget(BUDGET)
}

fn data(bytes: &'static str) -> Event {
    Event::Data(Bytes::from(bytes))
}

fn stalled(bytes: &'static str) -> Request<Script> {
    meta_request(b"never complete", Script::new([data(bytes), Event::Stall]))
}

/// A genuine request that fits only when nobody else holds a byte.
fn whole() -> Request<Script> {
    let body = Script::new([data("01234"), Event::Pending, data("56789"), Event::Pending]);
    meta_request(b"0123456789", body)
}

/// A request that holds these bytes until it is dropped.
fn hold<M: Source + Clone + 'static>(layer: &SignatureLayer<M>, bytes: &'static str) -> Running {
    let mut running = run(layer, stalled(bytes));
    assert!(poll(&mut running).is_pending(), "{bytes} could not be held");
    running
}

async fn assert_all_is_free<M: Source + Clone>(layer: &SignatureLayer<M>, after: &str) {
    let (response, _) = send(layer, whole()).await;
    assert_eq!(response.status(), StatusCode::OK, "bytes are held after: {after}");
}

/// One byte that has to wait finds no room.
async fn assert_spent<M: Source + Clone>(layer: &SignatureLayer<M>, name: &str) {
    let request = meta_request(b"x", Script::new([data("x"), Event::Pending]));
    assert_refused(name, RejectionKind::Overloaded, &send(layer, request).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_waits_is_503_when_the_budget_is_spent() {
    let layer = layer();
    let holding = hold(&layer, "0123456789");
    let waits = || Script::new([data("x"), Event::Pending, data("y")]);
    let answer = send(&layer, meta_request(b"xy", waits())).await;
    assert_refused("spent", RejectionKind::Overloaded, &answer);
    assert_eq!(answer.0.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.0.headers()[header::RETRY_AFTER], "5");
    // A sender that waits for `100 Continue` need not send what finds no room.
    let answer = send(&layer, meta_request(b"x", Script::untouchable().declared(1))).await;
    assert_refused("spent", RejectionKind::Overloaded, &answer);
    assert_eq!(answer.0.headers()[header::CONNECTION], "close");
    // A body that is there is judged, however long it says that it is.
    let there = meta_request(b"0123456789", Script::data(["01234", "56789"]).declared(10));
    assert_eq!(send(&layer, there).await.0.status(), StatusCode::OK);

    // What holds nothing is judged all the same, and what can be told from the head is told.
    let empty = meta_request(b"", Full::<Bytes>::default());
    assert_eq!(send(&layer, empty).await.0.status(), StatusCode::OK);
    let mut unsigned = meta_request(b"x", Script::untouchable());
    unsigned.headers_mut().clear();
    assert_refused("unsigned", RejectionKind::Missing, &send(&layer, unsigned).await);

    drop(holding);
    assert_all_is_free(&layer, "drop").await;
}

#[tokio::test(start_paused = true)]
async fn a_declared_length_takes_no_room() {
    let layer = layer();
    let _holding = hold(&layer, "012345");
    for (declared, expected) in [(5, Some(RejectionKind::Overloaded)), (4, None)] {
        let body = match expected {
            Some(_) => Script::untouchable(),
            None => Script::data(["6789"]),
        };
        let mut request = meta_request(b"6789", body.declared(declared));
        let waits = HeaderValue::from_static("100-continue");
        request.headers_mut().insert(header::EXPECT, waits);
        assert_eq!(kind(&send(&layer, request).await.0), expected, "{declared}");
    }
    // Four bytes are left. Whoever declares them all and sends none leaves them to others.
    let mut declaring: Vec<_> = (0..50)
        .map(|_| run(&layer, meta_request(b"", Script::new([Event::Stall]).declared(4))))
        .collect();
    assert!(declaring.iter_mut().all(|running| poll(running).is_pending()));
    drop(hold(&layer, "6789"));

    // What can never be held is no reason to come again.
    let request = meta_request(b"", Script::untouchable().declared(11));
    assert_refused("declared", RejectionKind::BodyTooLarge, &send(&layer, request).await);
    let request = meta_request(b"", Script::data(["012345", "67890"]));
    assert_refused("undeclared", RejectionKind::BodyTooLarge, &send(&layer, request).await);
}

/// In a budget of 1,600 bytes, bodies of up to 100 are small. Refusals are answered at once.
fn roomy_layer() -> SignatureLayer<Meta> {
    meta_layer().byte_budget(1600).drain(Drain::new().max_bytes(0))
}

fn bytes(len: usize) -> Bytes {
    vec![b'x'; len].into()
}

fn stalls(len: usize) -> Request<Script> {
    meta_request(b"", Script::new([Event::Data(bytes(len)), Event::Stall]))
}

/// A genuine request of this length, which waits for its last byte.
fn in_pieces(len: usize) -> Request<Script> {
    let pieces = [Event::Data(bytes(len - 1)), Event::Pending, data("x")];
    meta_request(&bytes(len), Script::new(pieces))
}

#[tokio::test(start_paused = true)]
async fn small_body_takes_the_place_of_the_oldest() {
    let layer = roomy_layer();
    let mut strangers: Vec<_> = (0..4).map(|_| run(&layer, stalls(400))).collect();
    assert!(strangers.iter_mut().all(|stranger| poll(stranger).is_pending()));

    // One that is not small gives up its own bytes, declared or not.
    let overload = Some(RejectionKind::Overloaded);
    assert_eq!(kind(&send(&layer, in_pieces(102)).await.0), overload);
    let declared = in_pieces(101).map(|body| body.declared(101));
    assert_eq!(kind(&send(&layer, declared).await.0), overload);
    assert!(strangers.iter_mut().all(|stranger| poll(stranger).is_pending()), "they stay");

    assert_eq!(send(&layer, in_pieces(100)).await.0.status(), StatusCode::OK);
    let Poll::Ready(response) = poll(&mut strangers[0]) else { panic!("the oldest stays") };
    assert_eq!(kind(&response), overload);
    assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    assert!(strangers[1..].iter_mut().all(|stranger| poll(stranger).is_pending()), "they stay");
    drop(strangers.remove(0));
    assert_eq!(send(&layer, in_pieces(400)).await.0.status(), StatusCode::OK, "there is room");
}

#[tokio::test(start_paused = true)]
async fn small_bodies_that_stall_keep_no_small_one_out() {
    let layer = roomy_layer();
    let mut strangers = Vec::new();
    for _ in 0..100 {
        let mut stranger = run(&layer, stalls(100));
        assert!(poll(&mut stranger).is_pending());
        strangers.push(stranger);
        strangers.retain_mut(|stranger| poll(stranger).is_pending());
    }
    assert_eq!(strangers.len(), 16, "as many as have room");
    assert_eq!(send(&layer, in_pieces(100)).await.0.status(), StatusCode::OK);
    strangers.retain_mut(|stranger| poll(stranger).is_pending());
    assert_eq!(strangers.len(), 15, "one has given way");
}

#[tokio::test(start_paused = true)]
async fn small_body_is_looked_up_while_the_budget_is_spent() {
    let layer = SignatureLayer::by_body(Requires::nothing(), |_, _| async {
        tokio::task::yield_now().await;
        Ok(Meta::new(secret()).unwrap())
    });
    let layer = layer.byte_budget(1600).drain(Drain::new().max_bytes(0));
    let mut strangers: Vec<_> = (0..16).map(|_| run(&layer, stalls(100))).collect();
    assert!(strangers.iter_mut().all(|stranger| poll(stranger).is_pending()));
    let there = |len| meta_request(&bytes(len), Script::data([bytes(len)]));
    assert_eq!(send(&layer, there(100)).await.0.status(), StatusCode::OK);
    strangers.push(run(&layer, stalls(100)));
    assert!(poll(&mut strangers[16]).is_pending());
    assert_eq!(kind(&send(&layer, there(101)).await.0), Some(RejectionKind::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn small_body_whose_sender_waits_is_asked_for() {
    let layer = roomy_layer();
    let mut stranger = run(&layer, stalls(1600));
    assert!(poll(&mut stranger).is_pending());
    for (len, expected) in [(100, None), (101, Some(RejectionKind::Overloaded))] {
        let mut request = in_pieces(len).map(|body| body.declared(len as u64));
        let waits = HeaderValue::from_static("100-continue");
        request.headers_mut().insert(header::EXPECT, waits);
        let polls = request.body().polls.clone();
        if expected.is_none() {
            assert_eq!(send(&layer, request).await.0.status(), StatusCode::OK);
            stranger = run(&layer, stalls(1600));
            assert!(poll(&mut stranger).is_pending());
        } else {
            assert_eq!(kind(&send(&layer, request).await.0), expected);
            assert_eq!(polls.load(std::sync::atomic::Ordering::SeqCst), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn evicted_body_that_is_there_by_then_is_verified() {
    let layer = roomy_layer();
    let mut evicted = run(&layer, in_pieces(1600));
    assert!(poll(&mut evicted).is_pending());
    assert_eq!(send(&layer, in_pieces(100)).await.0.status(), StatusCode::OK);
    let Poll::Ready(response) = poll(&mut evicted) else { panic!("it is whole") };
    assert_eq!(response.status(), StatusCode::OK);
    // One that has to wait again has no room any more.
    let pieces = [Event::Data(bytes(1599)), Event::Pending, Event::Pending, data("x")];
    let mut evicted = run(&layer, meta_request(&bytes(1600), Script::new(pieces)));
    assert!(poll(&mut evicted).is_pending());
    assert_eq!(send(&layer, in_pieces(100)).await.0.status(), StatusCode::OK);
    let response = evicted.await;
    assert_eq!(kind(&response), Some(RejectionKind::Overloaded));
    assert_eq!(send(&layer, in_pieces(1600)).await.0.status(), StatusCode::OK, "all is free");
}

#[tokio::test(start_paused = true)]
async fn body_that_exceeds_budget_midway_frees_its_share() {
    let layer = layer();
    let parts = || [data("01"), Event::Pending, data("23"), Event::Pending, data("45")];
    let request = || meta_request(b"012345", Script::new(parts().into_iter().chain([data("")])));
    let mut running: Vec<_> = (0..3).map(|_| run(&layer, request())).collect();
    let mut statuses = vec![None; 3];
    for _ in 0..4 {
        for (running, status) in running.iter_mut().zip(&mut statuses) {
            if status.is_none()
                && let Poll::Ready(response) = poll(running)
            {
                *status = Some((response.status().as_u16(), kind(&response)));
            }
        }
    }
    // 2 + 2 + 2, then 4 + 4 + no more: the third gives up its two.
    let overload = Some((503, Some(RejectionKind::Overloaded)));
    assert_eq!(statuses, [Some((200, None)), Some((200, None)), overload]);
    assert_all_is_free(&layer, "all have ended").await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_waits_is_not_counted() {
    let layer = layer();
    let _holding = hold(&layer, "01234567");
    let request = meta_request(b"hello", Script::data(["he", "llo"]));
    assert_eq!(send(&layer, request).await.0.status(), StatusCode::OK);
    // One that is always ready waits too, for its turn after 64 frames.
    let frames = (0..65).map(|at| if at < 3 { "x" } else { "" });
    let answer = send(&layer, meta_request(b"xxx", Script::data(frames))).await;
    assert_refused("65 frames", RejectionKind::Overloaded, &answer);
}

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_poll_it_gives_everything_back() {
    let in_body = layer();
    let by_body = SignatureLayer::by_body(Requires::nothing(), |_, _| async {
        tokio::task::yield_now().await;
        Ok(Meta::new(secret()).unwrap())
    })
    .byte_budget(BUDGET);
    let one_by_one = || {
        let bytes = "0123456789".chars();
        let events = bytes.flat_map(|c| [Event::Pending, Event::Data(c.to_string().into())]);
        meta_request(b"0123456789", Script::new(events.chain([Event::Pending])))
    };
    let mut most = 0;
    for polls in 0.. {
        let (mut a, mut b) = (run(&in_body, one_by_one()), run(&by_body, one_by_one()));
        let is_done = |running: &mut Running| (0..polls).any(|_| poll(running).is_ready());
        let done = (is_done(&mut a), is_done(&mut b));
        drop((a, b));
        let after = format!("{polls} polls");
        assert_all_is_free(&in_body, &after).await;
        assert_all_is_free(&by_body, &after).await;
        if done == (true, true) {
            most = polls;
            break;
        }
    }
    assert!(most > 12, "{most} polls");
}

#[tokio::test(start_paused = true)]
async fn every_end_gives_everything_back() {
    let layer = layer();
    let after = |last| meta_request(b"01234", Script::new([data("01234"), Event::Pending, last]));
    for (last, expected) in [
        (data(""), None),
        (data("5"), Some(RejectionKind::SignatureMismatch)),
        (data("567890"), Some(RejectionKind::BodyTooLarge)),
        (Event::Error(io::Error::other("reset").into()), Some(RejectionKind::BodyUnreadable)),
        #[cfg(feature = "tokio")]
        (Event::Stall, Some(RejectionKind::BodyTimeout)),
    ] {
        let name = format!("{last:?}");
        assert_eq!(kind(&send(&layer, after(last)).await.0), expected, "{name}");
        assert_all_is_free(&layer, &name).await;
    }

    let panicking = layer.clone();
    let panicked = tokio::spawn(async move { send(&panicking, after(Event::Panic)).await }).await;
    assert!(panicked.is_err());
    assert_all_is_free(&layer, "a body that panics").await;

    let layer = SignatureLayer::by_body(Requires::nothing(), |_, body| {
        let is_known = &body[..] != b"01234";
        let verifier = is_known.then(|| Meta::new(secret()).unwrap());
        async { verifier.ok_or(Rejection::unknown_tenant()) }
    })
    .byte_budget(BUDGET);
    let refused = kind(&send(&layer, after(Event::Pending)).await.0);
    assert_eq!(refused, Some(RejectionKind::UnknownTenant));
    assert_all_is_free(&layer, "a look-up that finds nobody").await;

    let layer = SignatureLayer::new(verifier_fn(|_, body: &Bytes| match &body[..] {
        b"01234" => panic!("as it should"),
        _ => Ok(Verified::new("mine")),
    }))
    .byte_budget(BUDGET);
    let panicked = kind(&send(&layer, after(Event::Pending)).await.0);
    assert_eq!(panicked, Some(RejectionKind::VerifierPanicked));
    assert_all_is_free(&layer, "a verifier that panics").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_is_the_handlers() {
    let layer = layer();
    let hanging = layer.layer(service_fn(|_: Request<BufferedBody>| {
        pending::<Result<Response<String>, BoxError>>()
    }));
    let mut in_handler = Box::pin(hanging.oneshot(whole()));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..5 {
        assert!(in_handler.as_mut().poll(&mut cx).is_pending());
    }
    assert_all_is_free(&layer, "verified, in the handler").await;

    // Also while it waits for room in the inner service.
    let (inner, mut handle) = tower_test::mock::pair::<Request<BufferedBody>, Response<String>>();
    handle.allow(0);
    let mut waiting = Box::pin(layer.layer(inner).oneshot(whole()));
    for _ in 0..5 {
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
    }
    assert_all_is_free(&layer, "verified, before the handler").await;
}

#[tokio::test(start_paused = true)]
async fn a_body_is_counted_while_its_verifier_is_looked_up() {
    let layer = SignatureLayer::by_body(Requires::nothing(), |_, body| {
        let is_held = body.starts_with(b"held");
        async move {
            if is_held {
                pending::<()>().await;
            }
            tokio::task::yield_now().await;
            Ok(Meta::new(secret()).unwrap())
        }
    })
    .byte_budget(BUDGET);
    let one_frame = |body: &'static str| meta_request(body.as_bytes(), Script::data([body]));

    let mut looked_up = run(&layer, one_frame("held 12"));
    assert!(poll(&mut looked_up).is_pending());
    // Its own look-up is not asked for what cannot be held meanwhile.
    let answer = send(&layer, one_frame("1234")).await;
    assert_refused("four more", RejectionKind::Overloaded, &answer);
    assert_eq!(send(&layer, one_frame("123")).await.0.status(), StatusCode::OK);
    drop(looked_up);

    let _looked_up = {
        let mut looked_up = run(&layer, one_frame("held 67890"));
        assert!(poll(&mut looked_up).is_pending());
        looked_up
    };
    assert_spent(&layer, "all").await;
}

#[tokio::test(start_paused = true)]
async fn clones_and_services_share_one_byte_budget() {
    let layer = layer();
    let clone = layer.clone().body_limit(8).rejection_status(StatusCode::OK);
    let other = self::layer();
    let own = layer.clone().byte_budget(BUDGET);
    let service = layer.layer(Inner::default());

    let holding = hold(&layer, "01234");
    let held = service.clone().oneshot(stalled("56789"));
    let mut held: Running = Box::pin(async move {
        let Ok(response) = held.await;
        response
    });
    assert!(poll(&mut held).is_pending());

    assert_spent(&layer, "the layer").await;
    assert_spent(&clone, "a clone with other settings").await;
    let waits = meta_request(b"x", Script::new([data("x"), Event::Pending]));
    let Ok(response) = service.oneshot(waits).await;
    assert_eq!(kind(&response), Some(RejectionKind::Overloaded), "a service");
    assert_all_is_free(&other, "another layer").await;
    assert_all_is_free(&own, "a clone with a budget of its own").await;

    drop((holding, held));
    assert_all_is_free(&layer, "both").await;
}

#[tokio::test(start_paused = true)]
async fn report_only_lets_nothing_past_the_budget() {
    let layer = layer().dangerously_report_only();
    let holding = hold(&layer, "0123456789");
    assert_spent(&layer, "report-only").await;
    drop(holding);

    let forged = Script::new([data("01234"), Event::Pending, data("56789"), Event::Pending]);
    let (response, inner) = send(&layer, meta_request(b"other", forged)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(inner.only_call().head.extensions.get::<Unverified>().is_some());
    assert_all_is_free(&layer, "an unverified request that was let through").await;

    // Nor a body that is whole, and cannot be held while its verifier is looked up.
    let look_up = |_: &Parts, _: &Bytes| pending::<Result<Meta, Rejection>>();
    let layer = SignatureLayer::by_body(Requires::nothing(), look_up);
    let layer = layer.byte_budget(BUDGET).dangerously_report_only();
    let one_frame = |body: &'static str| meta_request(b"", Script::data([body]));
    let mut looked_up = run(&layer, one_frame("012345"));
    assert!(poll(&mut looked_up).is_pending());
    let answer = send(&layer, one_frame("67890")).await;
    assert_refused("looked up", RejectionKind::Overloaded, &answer);
}

#[tokio::test(start_paused = true)]
async fn it_is_256_mebibytes_unless_set() {
    const MIB: usize = 1 << 20;
    let layer = SignatureLayer::new(verifier_fn(|_, _: &Bytes| Ok(Verified::new("mine"))));
    let layer = layer.body_limit(usize::MAX);
    // The shortest body that takes no other one's place.
    let long = (64 << 10) + 1;
    // Never written to, so these take no memory.
    for (len, is_spent) in [(256 * MIB - long, false), (256 * MIB - long + 1, true)] {
        let body = Script::new([Event::Data(vec![0; len].into()), Event::Stall]);
        let mut holding = run(&layer, meta_request(b"", body));
        assert!(poll(&mut holding).is_pending());
        let waits = Script::new([Event::Data(vec![0; long].into()), Event::Pending]);
        let (response, _) = send(&layer, meta_request(b"", waits)).await;
        let expected = is_spent.then_some(RejectionKind::Overloaded);
        assert_eq!(kind(&response), expected, "{len}");
    }
    let body = Script::untouchable().declared(256 * MIB as u64 + 1);
    let answer = send(&layer, meta_request(b"", body)).await;
    assert_refused("declared", RejectionKind::BodyTooLarge, &answer);
}
