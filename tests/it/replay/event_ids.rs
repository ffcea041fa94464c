//! Deliveries that are known by an id in the signed body.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode};
use http_body_util::Full;
use tower::Layer;
use tower_webhook::{
    Secret, SignatureLayer, Verifier,
    observe::{Event, EventKind},
    providers::{self, Intercom, SharedToken, StandardWebhooks, Stripe},
    replay::{MemoryReplayStore, ReplayLayer, json_field},
    verifier::{all_of, any_of},
};

use super::{Handler, NOW, TestClock, Then, call, delivery_at, stack, status};
use crate::support::{SECRET, hmac_sha256, secret};

const OK: StatusCode = StatusCode::OK;
const DAY: u64 = 24 * 3600;

fn guard(clock: &TestClock) -> ReplayLayer<MemoryReplayStore> {
    ReplayLayer::new("/webhook", MemoryReplayStore::new(100).clock(clock.now()))
}

fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"charge.succeeded"}}"#)
}

#[tokio::test]
async fn stripe_retry_with_new_signature_is_a_duplicate() {
    for (is_by_event, calls) in [(true, [1, 1, 1, 2]), (false, [1, 2, 3, 4])] {
        let clock = TestClock::new();
        let guard = guard(&clock);
        let guard = if is_by_event { guard.by_event_id() } else { guard.retention(Duration::ZERO) };
        let handler = Handler::default();
        let service = stack(&clock, &guard, &handler);
        let mut now = NOW;
        // The usual retention of 70 minutes is over, the retry schedule of three days is not.
        for (later, id, calls) in [
            (0, "evt_1", calls[0]),
            (60, "evt_1", calls[1]),
            (2 * DAY, "evt_1", calls[2]),
            (0, "evt_2", calls[3]),
        ] {
            clock.advance(later);
            now += later;
            assert_eq!(status(&call(&service, delivery_at(now, &event(id))).await), OK);
            assert_eq!(handler.calls(), calls, "{is_by_event} {later} {id}");
        }
    }
}

#[tokio::test]
async fn failed_delivery_with_new_signature_is_handled() {
    let clock = TestClock::new();
    let handler = Handler::new([Then::Answer(StatusCode::INTERNAL_SERVER_ERROR)]);
    let service = stack(&clock, &guard(&clock).by_event_id(), &handler);
    for (later, answer, calls) in
        [(0, StatusCode::INTERNAL_SERVER_ERROR, 1), (60, OK, 2), (120, OK, 2)]
    {
        clock.advance(if later == 0 { 0 } else { 60 });
        let answered = call(&service, delivery_at(NOW + later, &event("evt_1"))).await;
        assert_eq!((status(&answered), handler.calls()), (answer, calls), "{later}");
    }
}

#[tokio::test]
async fn intercom_deliveries_are_identified_by_event_id() {
    let guard = ReplayLayer::new("/webhook", MemoryReplayStore::new(100)).by_event_id();
    let handler = Handler::default();
    let intercom = SignatureLayer::new(Intercom::new(SECRET).unwrap());
    let service = intercom.layer(guard.layer(handler.clone()));
    for (body, calls) in [
        (r#"{"id":"notif_1","topic":"a"}"#, 1),
        (r#"{"id":"notif_1","topic":"b"}"#, 1),
        (r#"{"id":"notif_2","topic":"b"}"#, 2),
    ] {
        let request = Request::post("/")
            .header("x-body-signature", hmac_sha256(SECRET, body.as_bytes()))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        assert_eq!(status(&call(&service, request).await), OK, "{body}");
        assert_eq!(handler.calls(), calls, "{body}");
    }
}

/// Sends these, each a second after the one before, and returns how often the handler was called.
async fn dispatched(
    guard: impl Fn(ReplayLayer<MemoryReplayStore>) -> ReplayLayer<MemoryReplayStore>,
    bodies: &[&str],
) -> usize {
    let clock = TestClock::new();
    let handler = Handler::default();
    let service = stack(&clock, &guard(self::guard(&clock)), &handler);
    for (second, body) in (0..).zip(bodies) {
        let answer = call(&service, delivery_at(NOW + second, body)).await;
        assert_eq!(status(&answer), OK, "{body}");
        clock.advance(1);
    }
    handler.calls()
}

#[tokio::test]
async fn an_id_that_cannot_be_read_leaves_the_usual_key() {
    let by_id = |guard: ReplayLayer<_>| guard.by_event_id();
    let by_order =
        |guard: ReplayLayer<_>| guard.event_id(|_, body: &Bytes| json_field(body, "order"));
    let long = |len: usize| event(&"x".repeat(len));
    assert_eq!(dispatched(by_id, &[&event("a"), &event("a"), &event("b")]).await, 2);
    // By another field: the body may differ in all else.
    let orders =
        [r#"{"order":7,"a":1}"#, r#"{"order":7,"a":2}"#, r#"{"order":"7"}"#, r#"{"order":8}"#];
    assert_eq!(dispatched(by_order, &orders).await, 2);
    for body in [
        r#"{"type":"x"}"#,
        r#"{"id":""}"#,
        r#"{"id":null}"#,
        r#"{"id":["a"]}"#,
        "[]",
        "",
        "{",
        r#"{"id":"a","id":"a"}"#,
    ] {
        // Signed at another time, Stripe's delivery is another one.
        assert_eq!(dispatched(by_id, &[body, body]).await, 2, "{body}");
    }
    assert_eq!(dispatched(by_id, &[&long(256), &long(256)]).await, 1);
    assert_eq!(dispatched(by_id, &[&long(257), &long(257)]).await, 2);
}

fn stripe_of(secret: &str, time: u64, body: &str) -> Request<Full<Bytes>> {
    let tag = hmac_sha256(secret, format!("{time}.{body}").as_bytes());
    let request = Request::post("/").header("stripe-signature", format!("t={time},v1={tag}"));
    request.body(Full::<Bytes>::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn the_same_id_elsewhere_is_another_delivery() {
    let clock = TestClock::new();
    let store = MemoryReplayStore::new(100).clock(clock.now());
    let handler = Handler::default();
    let of = |scope: &str| {
        ReplayLayer::new(scope, store.clone()).event_id(|_, body| json_field(body, "id"))
    };
    let stripe = || Stripe::new(SECRET).unwrap();
    let own = tower_webhook::Scheme::hmac_sha256("x-own").provider("own").verifier(SECRET).unwrap();
    let body = event("1");
    let tag = hmac_sha256(SECRET, body.as_bytes());
    let plain = |name: &'static str| {
        let request = Request::post("/").header(name, &tag);
        request.body(Full::<Bytes>::from(body.clone())).unwrap()
    };
    for round in 0..2 {
        for (scope, tenant) in [("/a", None), ("/b", None), ("/a", Some("1")), ("/a", Some("2"))] {
            let layer = SignatureLayer::new(match tenant {
                Some(tenant) => providers::BoxVerifier::new(stripe().for_tenant(tenant)),
                None => providers::BoxVerifier::new(stripe()),
            });
            let service = layer.clock(clock.now()).layer(of(scope).layer(handler.clone()));
            let answer = call(&service, stripe_of(SECRET, NOW + round, &body)).await;
            assert_eq!(status(&answer), OK);
        }
        // Of another provider, which signs the body alone.
        let service = SignatureLayer::new(own.clone())
            .layer(of("/a").retention(Duration::from_secs(DAY)).layer(handler.clone()));
        assert_eq!(status(&call(&service, plain("x-own")).await), OK);
        assert_eq!(handler.calls(), 5, "{round}");
    }
}

#[tokio::test]
async fn an_id_counts_where_the_signature_covers_the_body() {
    let token = || SharedToken::new(HeaderName::from_static("x-token"), secret()).unwrap();
    let github = || providers::GitHub::new(secret()).unwrap();
    let signed = |body: &str| {
        let signature = format!("sha256={}", hmac_sha256(SECRET, body.as_bytes()));
        let request = Request::post("/").header("x-token", SECRET);
        request
            .header("x-hub-signature-256", signature)
            .body(Full::<Bytes>::from(body.to_owned()))
            .unwrap()
    };
    for (name, verifier, calls, is_told) in [
        ("token", providers::BoxVerifier::new(token()), 3, true),
        ("signature", providers::BoxVerifier::new(github()), 2, false),
        ("both", providers::BoxVerifier::new(all_of(token(), github())), 2, false),
        ("either", providers::BoxVerifier::new(any_of(token(), github())), 2, false),
    ] {
        let clock = TestClock::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let layer = SignatureLayer::new(verifier).observer(move |event: &Event<'_>| {
            if event.kind() == EventKind::EventIdNotSigned {
                heard.lock().unwrap().push(event.name());
            }
        });
        let handler = Handler::default();
        let guard = guard(&clock).retention(Duration::from_secs(DAY));
        let guard = guard.event_id(|_, body| json_field(body, "id"));
        let service = layer.layer(guard.layer(handler.clone()));
        for body in [event("1"), event("1").replace("charge", "refund"), event("2")] {
            assert_eq!(status(&call(&service, signed(&body)).await), OK);
        }
        assert_eq!(handler.calls(), calls, "{name}");
        let expected = if is_told { vec!["webhook_event_id_not_signed"] } else { vec![] };
        assert_eq!(*told.lock().unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_signed_delivery_id_comes_first() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let key = b"0123456789abcdef0123456789abcdef";
    let verifier = StandardWebhooks::new(Secret::from_bytes(*key).unwrap()).unwrap();
    let clock = TestClock::new();
    let handler = Handler::default();
    let guard = guard(&clock).event_id(|_, _| panic!("there is a signed id"));
    let service =
        SignatureLayer::new(verifier).clock(clock.now()).layer(guard.layer(handler.clone()));
    let sent = |id: &str| {
        let body = event("1");
        let key = std::str::from_utf8(key).unwrap();
        let tag = hmac_sha256(key, format!("{id}.{NOW}.{body}").as_bytes());
        let tag: Vec<u8> = (0..tag.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&tag[at..at + 2], 16).unwrap())
            .collect();
        Request::post("/")
            .header("webhook-id", id)
            .header("webhook-timestamp", NOW)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(tag)))
            .body(Full::<Bytes>::from(body))
            .unwrap()
    };
    for (id, calls) in [("msg_1", 1), ("msg_1", 1), ("msg_2", 2)] {
        assert_eq!(status(&call(&service, sent(id)).await), OK);
        assert_eq!(handler.calls(), calls);
    }
}

/// Each preset names a provider whose signature covers the body, and has its source.
#[test]
fn presets_are_of_providers_that_sign_the_body() {
    let mut known = 0;
    for policy in providers::delivery_policies() {
        let has_source = policy.sources().any(|(fact, _)| fact == "event_id");
        assert_eq!(policy.event_id().is_some(), has_source, "{}", policy.name());
        if policy.event_id().is_some()
            && !["alexa", "bridge", "circle", "ebay", "postal", "telnyx"].contains(&policy.name())
        {
            let provider = providers::by_name(policy.name()).unwrap();
            let is_own = ["livekit", "slack"].contains(&policy.name());
            assert!(provider.scheme().is_some() || is_own, "{}", policy.name());
            known += 1;
        }
    }
    assert!(known >= 12, "{known}");
    let path = |name: &str| providers::by_name(name).unwrap().delivery_policy().event_id();
    assert_eq!(path("stripe"), Some("id"));
    assert_eq!(path("square"), Some("event_id"));
    assert_eq!(path("slack"), Some("event_id"));
    assert_eq!(path("github"), None);
}

/// Below axum's `route_layer`, where the body has another type.
#[tokio::test]
async fn an_id_is_read_whatever_the_type_of_the_body_below() {
    use axum::{Router, body::Body, routing::post};
    use tower::ServiceExt;

    let clock = TestClock::new();
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let handler = post(async move |body: Bytes| {
        *counted.lock().unwrap() += 1;
        body
    });
    let app: Router = Router::new()
        .route("/", handler)
        .route_layer(guard(&clock).by_event_id())
        .route_layer(SignatureLayer::new(Stripe::new(SECRET).unwrap()).clock(clock.now()));
    for second in [0, 1] {
        let request = stripe_of(SECRET, NOW + second, &event("evt_1")).map(Body::new);
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), OK);
    }
    assert_eq!(*calls.lock().unwrap(), 1);
}
