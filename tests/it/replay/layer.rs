//! What the guard lets through, and what it answers itself.

use std::{sync::atomic::Ordering, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use tower::{Layer, Service};
use tower_webhook::{
    PublicUrl, Rejection, Scheme, Secret, SignatureLayer, Verified, Verifier,
    providers::{GitHub, SharedToken, Shopify, StandardWebhooks, Stripe, Twilio},
    replay::{MemoryReplayStore, ReplayAnswer, ReplayLayer, StoreError},
    scheme::{Component, TimestampFormat, TimestampSource, Tolerance},
    verifier::{all_of, verifier_fn},
};

use super::{Handler, NOW, Slow, TestClock, Then, call, delivery, poll_once, stack, status};
use crate::{
    net::twilio_signature,
    support::{AtTime, SECRET, Sha256Mac, at, hmac_sha256, mac, meta_layer, meta_request, secret},
};

const OK: StatusCode = StatusCode::OK;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

fn guard() -> ReplayLayer<MemoryReplayStore> {
    ReplayLayer::new("/webhook", MemoryReplayStore::new(100))
}

/// Sends two requests through one provider's layer and the guard. Returns how often the handler was
/// called.
async fn dispatched<V, B>(
    verifier: V,
    guard: ReplayLayer<MemoryReplayStore>,
    requests: [Request<B>; 2],
) -> usize
where
    V: Verifier + Clone,
    B: http_body::Body,
    B::Error: Into<crate::support::BoxError>,
{
    let handler = Handler::default();
    let service = SignatureLayer::new(verifier).layer(guard.layer(handler.clone()));
    for request in requests {
        let answer = call(&service, request).await;
        assert_eq!(status(&answer), OK);
    }
    handler.calls()
}

#[tokio::test]
async fn what_came_to_its_end_is_settled_once() {
    let clock = TestClock::new();
    let store = Slow::new(MemoryReplayStore::new(10).clock(clock.now()), 1);
    let guard = ReplayLayer::new("/webhook", store.clone());
    let handler = Handler::new([Then::Answer(UNAVAILABLE), Then::Answer(OK)]);
    let service = stack(&clock, &guard, &handler);
    // Given back, remembered, and nothing of its own to give back.
    for expected in [UNAVAILABLE, OK, OK] {
        assert_eq!(status(&call(&service, delivery("1")).await), expected);
    }
    assert_eq!(handler.calls(), 2);
    assert_eq!(store.detached.load(Ordering::SeqCst), 0, "nothing was left to be settled");
}

#[tokio::test]
async fn handled_delivery_is_answered_200_without_handler() {
    let handler = Handler::default();
    let service = stack(&TestClock::new(), &guard(), &handler);
    let first = call(&service, delivery("1")).await.unwrap();
    assert_eq!(first.extensions().get::<ReplayAnswer>(), None);
    let second = call(&service, delivery("1")).await.unwrap();
    assert_eq!((second.status(), handler.calls()), (OK, 1));
    assert_eq!(second.extensions().get(), Some(&ReplayAnswer::Duplicate));
    assert!(second.headers().get(header::RETRY_AFTER).is_none());
    // Another delivery is another.
    assert_eq!(status(&call(&service, delivery("2")).await), OK);
    assert_eq!(handler.calls(), 2);
}

#[tokio::test]
async fn the_answer_to_a_duplicate_can_be_409() {
    let handler = Handler::default();
    let guard = guard().duplicate_status(StatusCode::CONFLICT);
    let service = stack(&TestClock::new(), &guard, &handler);
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    assert_eq!(status(&call(&service, delivery("1")).await), StatusCode::CONFLICT);
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn what_was_not_handled_with_success_is_handled_again() {
    for then in [
        Then::Answer(StatusCode::FOUND),
        Then::Answer(StatusCode::NOT_FOUND),
        Then::Answer(StatusCode::INTERNAL_SERVER_ERROR),
        Then::Fail,
        Then::Panic,
        Then::Hang,
    ] {
        let store = MemoryReplayStore::new(100);
        let guard = ReplayLayer::new("/webhook", store.clone());
        let handler = Handler::new([then]);
        let service = stack(&TestClock::new(), &guard, &handler);
        let first = call(&service, delivery("1"));
        match then {
            Then::Answer(expected) => assert_eq!(status(&first.await), expected),
            Then::Panic => {
                let first = tokio::spawn({
                    let service = service.clone();
                    async move { drop(call(&service, delivery("1")).await) }
                });
                assert!(first.await.unwrap_err().is_panic());
            }
            Then::Hang => {
                let mut first = Box::pin(first);
                assert!(poll_once(first.as_mut()).is_pending());
                assert_eq!(store.in_flight(), 1);
                drop(first);
            }
            _ => assert!(first.await.is_err()),
        }
        assert_eq!(store.in_flight(), 0, "{then:?}");
        assert_eq!(store.len(), 0, "{then:?}");
        let second = call(&service, delivery("1")).await;
        assert_eq!((status(&second), handler.calls()), (OK, 2), "{then:?}");
    }
}

#[tokio::test]
async fn fail_then_retry_is_two_dispatches_a_thousand_times() {
    let handler = Handler::default();
    let service = stack(
        &TestClock::new(),
        &ReplayLayer::new("/webhook", MemoryReplayStore::new(1000)),
        &handler,
    );
    for round in 0..1000 {
        let body = round.to_string();
        handler.script.lock().unwrap().push_back(Then::Answer(StatusCode::BAD_GATEWAY));
        assert_eq!(status(&call(&service, delivery(&body)).await), StatusCode::BAD_GATEWAY);
        assert_eq!(status(&call(&service, delivery(&body)).await), OK);
        assert_eq!(status(&call(&service, delivery(&body)).await), OK);
        assert_eq!(handler.calls(), 2 * (round + 1));
    }
}

#[tokio::test]
async fn retry_after_is_spread_over_5_to_30_seconds() {
    let handler = Handler::new([Then::Hang; 300]);
    let service = stack(&TestClock::new(), &guard(), &handler);
    let mut seconds = Vec::new();
    for n in 0..300 {
        let body = n.to_string();
        let mut first = Box::pin(call(&service, delivery(&body)));
        assert!(poll_once(first.as_mut()).is_pending());
        let second = call(&service, delivery(&body)).await.unwrap();
        let text = second.headers()[header::RETRY_AFTER].to_str().unwrap();
        seconds.push(text.parse::<u64>().unwrap());
    }
    seconds.sort_unstable();
    seconds.dedup();
    assert_eq!(seconds, (5..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_that_is_being_handled_is_to_come_again() {
    let handler = Handler::new([Then::Hang]);
    let service = stack(&TestClock::new(), &guard(), &handler);
    let mut first = Box::pin(call(&service, delivery("1")));
    assert!(poll_once(first.as_mut()).is_pending());
    let second = call(&service, delivery("1")).await.unwrap();
    assert_eq!((second.status(), handler.calls()), (UNAVAILABLE, 1));
    assert_eq!(second.extensions().get(), Some(&ReplayAnswer::InFlight));
    let seconds = second.headers()[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap();
    assert!((5..=30).contains(&seconds), "{seconds}");
    drop(first);
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    assert_eq!(handler.calls(), 2);
}

#[tokio::test]
async fn rejected_request_leaves_no_entry_in_the_store() {
    let handler = Handler::default();
    let store = MemoryReplayStore::new(100);
    let service = stack(&TestClock::new(), &ReplayLayer::new("/webhook", store.clone()), &handler);
    let mut forged = delivery("1");
    *forged.body_mut() = Full::from("2");
    assert_eq!(status(&call(&service, forged).await), StatusCode::FORBIDDEN);
    assert!(store.is_empty());
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    assert!(!store.is_empty());
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn extra_invalid_signature_is_the_same_delivery() {
    let handler = Handler::default();
    let service = stack(&TestClock::new(), &guard(), &handler);
    let mut again = delivery("1");
    let value = again.headers()["stripe-signature"].to_str().unwrap();
    let value = HeaderValue::try_from(format!("{value},v1={}", "0".repeat(64))).unwrap();
    again.headers_mut().insert("stripe-signature", value);
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    assert_eq!(status(&call(&service, again).await), OK);
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn signed_id_identifies_delivery_and_time_does_not() {
    let key = [7_u8; 32];
    let standard =
        StandardWebhooks::new(Secret::from_bytes(key.to_vec()).unwrap()).unwrap().clock(at(NOW));
    let request = |id: &str, time: u64, extra: &str| {
        let tag = STANDARD.encode(mac::<Sha256Mac>(&key, format!("{id}.{time}.body").as_bytes()));
        Request::post("/")
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", format!("{extra}v1,{tag}"))
            .body(Full::<Bytes>::from("body"))
            .unwrap()
    };
    let bogus = format!("v1,{}= ", "A".repeat(43));
    for (second, calls) in [
        (request("msg_1", NOW, ""), 1),
        (request("msg_1", NOW + 1, ""), 1),
        (request("msg_1", NOW, &bogus), 1),
        (request("msg_2", NOW, ""), 2),
    ] {
        let requests = [request("msg_1", NOW, ""), second];
        assert_eq!(dispatched(standard.clone(), guard(), requests).await, calls);
    }
}

/// Whose signature covers the body alone, with an id beside it that is not signed.
fn body_only() -> [[Request<Full<Bytes>>; 2]; 2] {
    let tag = hmac_sha256(SECRET, b"{}");
    let base64 = {
        let bytes = (0..32).map(|at| u8::from_str_radix(&tag[2 * at..2 * at + 2], 16).unwrap());
        STANDARD.encode(bytes.collect::<Vec<_>>())
    };
    let request = |header: &str, value: &str, id_header: &str, id: &str| {
        Request::post("/")
            .header(header, value)
            .header(id_header, id)
            .body(Full::from("{}"))
            .unwrap()
    };
    let github = |id| {
        let value = format!("sha256={tag}");
        request("x-hub-signature-256", &value, "x-github-delivery", id)
    };
    let shopify = |id| request("x-shopify-hmac-sha256", &base64, "x-shopify-webhook-id", id);
    [[github("1"), github("2")], [shopify("1"), shopify("2")]]
}

#[tokio::test]
async fn identical_bodies_are_all_handled_unless_guarded() {
    for (is_named, calls) in [(false, 2), (true, 1)] {
        let guard = || {
            let guard = guard().guard_body_only("another");
            if is_named {
                guard.guard_body_only("github").guard_body_only("shopify")
            } else {
                guard
            }
        };
        let [github, shopify] = body_only();
        let github = dispatched(GitHub::new(secret()).unwrap(), guard(), github).await;
        let shopify = dispatched(Shopify::new(secret()).unwrap(), guard(), shopify).await;
        assert_eq!((github, shopify), (calls, calls), "named: {is_named}");
    }
}

#[tokio::test]
async fn shifted_twilio_form_boundary_is_same_delivery() {
    let url = "https://example.com/sms";
    let origin = PublicUrl::base("https://example.com").unwrap();
    let twilio = Twilio::new(secret(), origin).unwrap();
    let request = |body: &'static str| {
        let tag = twilio_signature(url, "BodyxToy");
        Request::post("/sms")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", tag)
            .body(Full::<Bytes>::from(body))
            .unwrap()
    };
    let requests = || [request("Body=x&To=y"), request("B=odyxToy")];
    let guard_by_name = guard().guard_body_only("twilio");
    assert_eq!(dispatched(twilio.clone(), guard_by_name, requests()).await, 1);
    assert_eq!(dispatched(twilio, guard(), requests()).await, 2);
}

#[tokio::test]
async fn endpoints_sharing_a_store_do_not_share_deliveries() {
    let store = MemoryReplayStore::new(100);
    let (handler, clock) = (Handler::default(), TestClock::new());
    for scope in ["/a", "/b", "/a", "/b"] {
        let service = stack(&clock, &ReplayLayer::new(scope, store.clone()), &handler);
        assert_eq!(status(&call(&service, delivery("1")).await), OK);
    }
    assert_eq!(handler.calls(), 2);
}

#[tokio::test]
async fn tenants_that_share_a_store_do_not_share_deliveries() {
    let verifier = |tenant: &'static str| {
        verifier_fn(|_, _| {
            let id = HeaderValue::from_static("1");
            Ok(Verified::new("acme").with_delivery_id(id, true).with_replay_material(b"1"))
        })
        .for_tenant(tenant)
    };
    let (guard, handler) = (guard(), Handler::default());
    for tenant in ["anna", "bert", "anna", "bert"] {
        let layer = SignatureLayer::new(std::sync::Arc::new(verifier(tenant)));
        let service = layer.layer(guard.layer(handler.clone()));
        assert_eq!(status(&call(&service, Request::new(Full::<Bytes>::default())).await), OK);
    }
    assert_eq!(handler.calls(), 2);
}

/// Signed at the far edge of what is accepted, and replayed at the near one.
#[tokio::test]
async fn delivery_is_remembered_for_its_whole_tolerance() {
    for tolerance in [300, 86_400] {
        let (clock, handler) = (TestClock::new(), Handler::default());
        let ahead = TestClock::new();
        let store = MemoryReplayStore::new(100).clock(clock.now());
        let stripe = Stripe::new(secret())
            .unwrap()
            .tolerance(Tolerance::seconds(tolerance))
            .clock(ahead.now());
        let guard = ReplayLayer::new("/webhook", store.clone()).retention(Duration::ZERO);
        let service = SignatureLayer::new(stripe).layer(guard.layer(handler.clone()));
        // `delivery` is signed for `NOW`: it is the clock that starts behind.
        ahead.0.fetch_sub(tolerance, Ordering::SeqCst);
        assert_eq!(status(&call(&service, delivery("1")).await), OK);
        for _ in 0..2 {
            ahead.advance(tolerance);
            clock.advance(tolerance);
            let again = call(&service, delivery("1")).await.unwrap();
            assert_eq!((again.status(), handler.calls()), (OK, 1));
            assert_eq!(again.extensions().get(), Some(&ReplayAnswer::Duplicate));
        }
        // Within its last second, which the sender has cut off.
        ahead.advance(1);
        clock.advance(1);
        let again = call(&service, delivery("1")).await.unwrap();
        assert!(again.extensions().get::<Rejection>().is_some(), "the verifier refuses it now");
        assert_eq!(handler.calls(), 1);
    }
}

/// The verifier accepts it for ever: nothing that is signed is a time.
#[tokio::test]
async fn delivery_without_time_is_kept_for_ever_or_as_set() {
    for retention in [None, Some(3600)] {
        let (clock, handler) = (TestClock::new(), Handler::default());
        let store = MemoryReplayStore::new(100).clock(clock.now());
        let mut guard = ReplayLayer::new("/webhook", store).guard_body_only("meta");
        if let Some(seconds) = retention {
            guard = guard.retention(Duration::from_secs(seconds));
        }
        let service = meta_layer().layer(guard.layer(handler.clone()));
        let delivery = || meta_request(b"{}", Full::<Bytes>::from("{}"));
        let year = 366 * 86_400;
        for (advance, calls_if_set) in [(0, 1), (3599, 1), (1, 2), (year, 3)] {
            clock.advance(advance);
            assert_eq!(status(&call(&service, delivery()).await), OK);
            let calls = if retention.is_some() { calls_if_set } else { 1 };
            assert_eq!(handler.calls(), calls, "{retention:?}, {advance}");
        }
    }
}

#[tokio::test]
async fn genuine_deliveries_of_one_second_are_all_handled() {
    // A time, and no id: two deliveries with one body are signed alike.
    const TIMED: Scheme = Scheme::hmac_sha256("x-sig")
        .provider("acme")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds)
        .tolerance(Tolerance::seconds(300));
    let tag = hmac_sha256(SECRET, format!("{NOW}.{{}}").as_bytes());
    let request = || {
        let request = Request::post("/").header("x-time", NOW).header("x-sig", &tag);
        request.body(Full::<Bytes>::from("{}")).unwrap()
    };
    for (scheme, named, calls) in [
        (TIMED, "other", 3),
        // What is signed has something of its own, or the user says so by name.
        (TIMED.unique_content(), "other", 1),
        (TIMED, "acme", 1),
    ] {
        let handler = Handler::default();
        let guard = ReplayLayer::new("/", MemoryReplayStore::new(100)).guard_body_only(named);
        let verifier = scheme.verifier(secret()).unwrap().clock(at(NOW));
        let service = SignatureLayer::new(verifier).layer(guard.layer(handler.clone()));
        for _ in 0..3 {
            assert_eq!(status(&call(&service, request()).await), OK);
        }
        assert_eq!(handler.calls(), calls, "{named}");
    }
}

#[tokio::test]
async fn without_a_signature_layer_nothing_passes() {
    let handler = Handler::default();
    let service = guard().layer(handler.clone());
    let answer = call(&service, delivery("1")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.extensions().get(), Some(&ReplayAnswer::NotVerified));
    assert_eq!(handler.calls(), 0);
}

#[tokio::test]
async fn report_only_forwards_unverified_request_unguarded() {
    let handler = Handler::default();
    let store = MemoryReplayStore::new(100);
    let guard = ReplayLayer::new("/webhook", store.clone());
    let stripe = Stripe::new(secret()).unwrap().clock(at(NOW));
    let layer = SignatureLayer::new(stripe).dangerously_report_only();
    let service = layer.layer(guard.layer(handler.clone()));
    let forged = || {
        let mut forged = delivery("1");
        *forged.body_mut() = Full::from("2");
        forged
    };
    for request in [forged(), forged(), delivery("1"), delivery("1")] {
        assert_eq!(status(&call(&service, request).await), OK);
    }
    // Two forged ones, and the genuine one once.
    assert_eq!((handler.calls(), store.len()), (3, 1));
}

#[tokio::test]
async fn a_token_proves_nothing_to_know_a_delivery_by() {
    let token = || SharedToken::new(http::HeaderName::from_static("x-token"), secret()).unwrap();
    let request =
        || Request::post("/").header("x-token", SECRET).body(Full::<Bytes>::from("{}")).unwrap();
    assert_eq!(dispatched(token(), guard(), [request(), request()]).await, 2);

    let handler = Handler::default();
    let guard = guard().guard_body_only("shared_token");
    let service = SignatureLayer::new(token()).layer(guard.layer(handler.clone()));
    let answer = call(&service, request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.extensions().get(), Some(&ReplayAnswer::NothingSigned));
    assert_eq!(handler.calls(), 0);
}

/// A token beside a signature must not switch the guard off, whichever of the two stands first.
#[tokio::test]
async fn a_token_beside_a_signature_hides_no_repetition() {
    let token = || SharedToken::new(http::HeaderName::from_static("x-token"), secret()).unwrap();
    let stripe = || Stripe::new(secret()).unwrap().clock(at(NOW));
    let request = || {
        let mut request = delivery("1");
        request.headers_mut().insert("x-token", HeaderValue::from_static(SECRET));
        request
    };
    assert_eq!(dispatched(all_of(token(), stripe()), guard(), [request(), request()]).await, 1);
    assert_eq!(dispatched(all_of(stripe(), token()), guard(), [request(), request()]).await, 1);
}

#[tokio::test]
async fn failed_store_is_answered_503_with_retry_after() {
    let store = Slow::new(MemoryReplayStore::new(100), 0);
    let handler = Handler::default();
    let guard = ReplayLayer::new("/webhook", store.clone());
    let service = stack(&TestClock::new(), &guard, &handler);
    store.fails(true, false);
    let answer = call(&service, delivery("1")).await.unwrap();
    assert_eq!((answer.status(), handler.calls()), (UNAVAILABLE, 0));
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(answer.extensions().get(), Some(&ReplayAnswer::StoreFailed));
    assert!(answer.extensions().get::<StoreError>().is_some());
    // The claim had been granted, and only its answer was lost.
    assert_eq!(store.store.in_flight(), 0);
    store.fails(false, false);
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn failing_open_is_a_choice() {
    let store = Slow::new(MemoryReplayStore::new(100), 0);
    let handler = Handler::default();
    let guard = ReplayLayer::new("/webhook", store.clone()).dangerously_fail_open();
    let service = stack(&TestClock::new(), &guard, &handler);
    store.fails(true, true);
    for calls in 1..3 {
        assert_eq!(status(&call(&service, delivery("1")).await), OK);
        assert_eq!(handler.calls(), calls);
    }
    store.fails(false, false);
    for _ in 0..2 {
        assert_eq!(status(&call(&service, delivery("1")).await), OK);
        assert_eq!(handler.calls(), 3);
    }
}

#[tokio::test]
async fn response_is_unchanged_when_settling_fails() {
    let store = Slow::new(MemoryReplayStore::new(100), 0);
    let handler = Handler::new([Then::Answer(StatusCode::BAD_GATEWAY), Then::Answer(OK)]);
    let guard = ReplayLayer::new("/webhook", store.clone());
    let service = stack(&TestClock::new(), &guard, &handler);
    store.fails(false, true);
    for expected in [StatusCode::BAD_GATEWAY, OK] {
        assert_eq!(status(&call(&service, delivery("1")).await), expected);
    }
    // Each was tried once more, with nobody waiting.
    assert_eq!(store.detached.load(Ordering::SeqCst), 2);
    assert_eq!(handler.calls(), 2);
}

#[tokio::test]
async fn repetitions_hold_none_of_the_handlers_capacity() {
    let handler = Handler::default();
    let guard = guard();
    let stripe = Stripe::new(secret()).unwrap().clock(at(NOW));
    let limit = tower::limit::ConcurrencyLimitLayer::new(1);
    let limited = limit.layer(handler.clone());
    let service = SignatureLayer::new(stripe).layer(guard.layer(limited.clone()));
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    // The only permit is taken; the duplicate is answered all the same, and a new one waits.
    let mut taken = limited;
    std::future::poll_fn(|cx| Service::<Request<()>>::poll_ready(&mut taken, cx)).await.unwrap();
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    let mut waiting = Box::pin(call(&service, delivery("2")));
    assert!(poll_once(waiting.as_mut()).is_pending());
    assert_eq!(handler.calls(), 1);
    drop(taken);
    assert_eq!(status(&waiting.await), OK);
}

#[tokio::test]
async fn grpc_requests_are_answered_in_grpcs_way() {
    let handler = Handler::new([Then::Answer(OK), Then::Hang]);
    let service = stack(&TestClock::new(), &guard(), &handler);
    let grpc = |body| {
        let mut request = delivery(body);
        *request.version_mut() = http::Version::HTTP_2;
        let value = HeaderValue::from_static("application/grpc");
        request.headers_mut().insert(header::CONTENT_TYPE, value);
        request
    };
    assert_eq!(status(&call(&service, grpc("1")).await), OK);
    let duplicate = call(&service, grpc("1")).await.unwrap();
    assert_eq!(
        (duplicate.status(), &duplicate.headers()["grpc-status"]),
        (OK, &"6".parse().unwrap())
    );
    let mut first = Box::pin(call(&service, grpc("2")));
    assert!(poll_once(first.as_mut()).is_pending());
    let in_flight = call(&service, grpc("2")).await.unwrap();
    assert_eq!(
        (in_flight.status(), &in_flight.headers()["grpc-status"]),
        (OK, &"14".parse().unwrap())
    );
}

#[tokio::test]
async fn grpc_error_with_status_200_releases_the_claim() {
    let store = MemoryReplayStore::new(100);
    let inner = tower::service_fn(async |_: Request<_>| {
        let response = http::Response::builder().header("grpc-status", "13").body(String::new());
        Ok::<_, super::HandlerError>(response.unwrap())
    });
    let guard = ReplayLayer::new("/webhook", store.clone());
    let stripe = Stripe::new(secret()).unwrap().clock(at(NOW));
    let service = SignatureLayer::new(stripe).layer(guard.layer(inner));
    assert_eq!(status(&call(&service, delivery("1")).await), OK);
    assert!(store.is_empty(), "released");
}

#[tokio::test]
async fn a_claim_lasts_for_the_lease_that_was_set() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(100).clock(clock.now());
    let guard = ReplayLayer::new("/webhook", store).lease(Duration::from_secs(7));
    let service = stack(&clock, &guard, &Handler::new([Then::Hang]));
    let mut leaked = Box::pin(call(&service, delivery("1")));
    assert!(poll_once(leaked.as_mut()).is_pending());
    std::mem::forget(leaked);
    for (advance, expected) in [(6, UNAVAILABLE), (1, OK)] {
        clock.advance(advance);
        assert_eq!(status(&call(&service, delivery("1")).await), expected, "{advance}");
    }
}

#[test]
fn what_the_guard_shows_says_what_it_is() {
    let store = MemoryReplayStore::new(100);
    let guard = ReplayLayer::new("/webhook", store.clone()).lease(Duration::from_secs(7));
    let shown = format!("{guard:?} {:?} {store:?}", guard.layer(()));
    for expected in
        ["ReplayLayer", "lease: 7s", "duplicate_status: 200", "ReplayService", "MemoryReplayStore"]
    {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let future = guard.layer(Handler::default()).call(delivery("1"));
    assert!(format!("{future:?}").starts_with("ReplayFuture"), "{future:?}");
    assert_eq!(ReplayAnswer::Duplicate.to_string(), "the delivery has been handled");
    let error = StoreError::new("down");
    assert_eq!(error.to_string(), "replay store unavailable: down");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "down");
}
