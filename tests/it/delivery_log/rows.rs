//! What becomes a row, and what stays out of it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, Request, header};
use http_body_util::{BodyExt, Full};
use sha2::{Digest, Sha256};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    BufferedBody, ConfigError, SignatureLayer,
    delivery_log::{DeliveryLog, Entry, Filter, MemoryLog},
    observe::{Attempt, ClientIp, Event, EventKind, Observer},
    providers::Meta,
};

use super::{NOW, TempDir, forged, genuine, handler, logged, memory, only_row, rows, send_to};
use crate::support::{
    BoxError, Event as Frame, SECRET, Script, at, hmac_sha256, meta_request, secret,
};

fn outcome(entry: &Entry) -> (&str, Option<u16>, Option<&str>) {
    (&entry.status, entry.http_status, entry.message.as_deref())
}

#[tokio::test]
async fn a_row_tells_of_an_accepted_request() {
    let log = memory();
    let layer = logged(&log).client_ip(ClientIp::new(|_| Some(IpAddr::V4(Ipv4Addr::LOCALHOST))));
    let mut request = genuine(b"{\"object\":\"page\"}");
    *request.uri_mut() = "/webhook?a=1&token=t0ken".parse().unwrap();
    let headers = request.headers_mut();
    headers.insert("user-agent", "facebookexternalua".parse().unwrap());
    headers.insert("x-request-id", "r-1".parse().unwrap());
    headers.insert("webhook-id", "w-1".parse().unwrap());
    headers.insert("x-private", "p".parse().unwrap());
    assert_eq!(send_to(&layer, 204, request).await, 204);
    let row = only_row(&log).await;
    assert_eq!(outcome(&row), ("success", Some(204), None));
    assert_eq!((&*row.provider, &*row.method), ("meta", "POST"));
    assert_eq!(row.url, "/webhook?a=1&token=[redacted]");
    let headers = [("content-type", "application/json"), ("webhook-id", "w-1")];
    assert_eq!(row.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(row.payload.as_deref(), Some(&b"{\"object\":\"page\"}"[..]));
    assert_eq!(row.body_sha256, Some(Sha256::digest(b"{\"object\":\"page\"}").into()));
    assert_eq!((row.body_len, row.payload_truncated), (Some(17), false));
    assert!(row.verified);
    assert_eq!((row.key_index, row.reason.as_deref()), (Some(0), None));
    assert_eq!(row.ip, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert_eq!(row.user_agent.as_deref(), Some("facebookexternalua"));
    assert_eq!(row.request_id.as_deref(), Some("r-1"));
    assert_eq!((row.received_at, row.processed_at), (Some(at(NOW)()), Some(at(NOW)())));
    assert_eq!((row.processing_ms, row.count), (Some(0), None));
    assert_eq!(log.get(row.id).await.unwrap(), Some(row));
}

#[tokio::test]
async fn a_row_tells_of_a_refusal_and_holds_no_payload() {
    let log = memory();
    assert_eq!(send_to(&logged(&log), 200, forged(b"forged")).await, 403);
    let row = only_row(&log).await;
    let message = "Signature verification failed";
    assert_eq!(outcome(&row), ("unauthorized", Some(403), Some(message)));
    assert_eq!(row.reason.as_deref(), Some("signature_mismatch"));
    assert_eq!((row.payload, row.verified, row.key_index), (None, false, None));
    assert_eq!((row.body_len, row.body_sha256), (Some(6), Some(Sha256::digest(b"forged").into())));

    let log = DeliveryLog::builder().store_rejected_payloads().store(MemoryLog::new(9)).unwrap();
    send_to(&logged(&log), 200, forged(b"forged")).await;
    assert_eq!(only_row(&log).await.payload.as_deref(), Some(&b"forged"[..]));
}

#[tokio::test]
async fn each_outcome_has_its_status() {
    for (status, expected, message) in [
        (200, "success", None),
        (299, "success", None),
        (302, "error", Some("The handler responded with 302")),
        (404, "error", Some("The handler responded with 404")),
        (500, "error", Some("The handler responded with 500")),
    ] {
        let log = memory();
        send_to(&logged(&log), status, genuine(b"x")).await;
        assert_eq!(outcome(&only_row(&log).await), (expected, Some(status), message));
    }

    let log = memory();
    let fails = service_fn(async |_: Request<BufferedBody>| {
        Err::<http::Response<String>, BoxError>("database at secret-host".into())
    });
    let error = logged(&log).layer(fails).oneshot(genuine(b"x")).await.unwrap_err();
    assert_eq!(error.to_string(), "database at secret-host", "passes through");
    assert_eq!(
        outcome(&only_row(&log).await),
        ("error", None, Some("The handler returned an error"))
    );

    let log = memory();
    let panics =
        service_fn(async |_: Request<BufferedBody>| -> Result<http::Response<String>, BoxError> {
            panic!("as it should")
        });
    let future = logged(&log).layer(panics).oneshot(genuine(b"x"));
    tokio::spawn(future).await.unwrap_err();
    assert_eq!(outcome(&only_row(&log).await), ("error", None, Some("The handler panicked")));

    let log = memory();
    let stalls = service_fn(async |_: Request<BufferedBody>| {
        std::future::pending::<Result<http::Response<String>, BoxError>>().await
    });
    let mut future = Box::pin(logged(&log).layer(stalls).oneshot(genuine(b"x")));
    assert!(futures_poll(&mut future).is_pending());
    drop(future);
    let message = Some("Cancelled before the handler responded");
    assert_eq!(outcome(&only_row(&log).await), ("error", None, message));

    let log = memory();
    let stalls = meta_request(b"x", Script::new([Frame::Stall]));
    let layer = layer_of(&log);
    let mut future = Box::pin(crate::support::send(&layer, stalls));
    assert!(futures_poll(&mut future).is_pending());
    drop(future);
    assert_eq!(outcome(&only_row(&log).await), ("cancelled", None, None));

    let log = memory();
    crate::support::send(
        &layer_of(&log).body_limit(3),
        meta_request(b"long", Script::data(["long"])),
    )
    .await;
    let row = only_row(&log).await;
    let message = row.message.as_deref().unwrap();
    assert_eq!((&*row.status, row.http_status), ("error", Some(413)));
    assert!(message.starts_with("meta: ") && message.contains("limit"), "{message}");
    assert_eq!((row.body_len, row.body_sha256), (None, None), "it was not read to its end");

    let log = memory();
    let layer = logged(&log).dangerously_report_only();
    assert_eq!(send_to(&layer, 200, forged(b"x")).await, 200);
    let message = Some("Signature verification failed");
    assert_eq!(outcome(&only_row(&log).await), ("unverified", Some(200), message));

    let log = memory();
    let (head, ()) = Request::post("/hook").body(()).unwrap().into_parts();
    let attempt = Attempt::new("meta", &head).with_tenant("a\0b\u{202e}c");
    log.observe(&Event::new(&attempt, EventKind::RateLimited));
    let row = only_row(&log).await;
    assert_eq!(outcome(&row), ("rate_limited", None, None));
    assert_eq!(row.tenant.as_deref(), Some("a\u{fffd}b\u{fffd}c"), "PostgreSQL takes no NUL");
}

/// Without a runtime of its own to wait in.
fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context)
}

fn layer_of(log: &DeliveryLog) -> SignatureLayer<Meta> {
    logged(log).body_deadline(None)
}

#[tokio::test]
async fn challenges_have_rows() {
    let log = memory();
    let layer = SignatureLayer::new(Meta::new(secret()).unwrap().verify_token(secret()).unwrap())
        .observer(log.clone());
    for token in [SECRET, "wrong"] {
        let uri = format!("/?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42");
        send_to(&layer, 200, Request::get(uri).body(Full::default()).unwrap()).await;
    }
    let rows = rows(&log).await;
    assert_eq!(outcome(&rows[1]), ("handshake", Some(200), None));
    assert_eq!(outcome(&rows[0]).0, "unauthorized");
    assert!(rows.iter().all(|row| row.url.contains("verify_token=[redacted]")));
}

#[tokio::test]
async fn first_contacts_have_rows_without_their_bodies() {
    use tower_webhook::providers::Slack;
    let log = memory();
    let layer = SignatureLayer::new(Slack::new(secret()).unwrap()).observer(log.clone());
    let contact = Full::<bytes::Bytes>::from("ssl_check=1&token=canary");
    let (response, inner) =
        crate::support::send(&layer, Request::post("/").body(contact).unwrap()).await;
    assert_eq!((response.status().as_u16(), inner.count()), (200, 0));
    let rows = rows(&log).await;
    assert_eq!(outcome(&rows[0]), ("first_contact", Some(200), None));
    assert!(rows[0].payload.is_none(), "{:?}", rows[0].payload);
    assert!(!format!("{rows:?}").contains("canary"));
}

#[tokio::test]
async fn the_handler_has_its_say() {
    let log = memory();
    let says = |answer: u16| {
        service_fn(move |request: Request<BufferedBody>| {
            let attempt = request.extensions().get::<Arc<Attempt>>().unwrap();
            attempt.set_event_name("message.received");
            attempt.set_status("subscription_inactive", "paid until yesterday");
            handler(answer).oneshot(request)
        })
    };
    let Ok(_) = logged(&log).layer(says(200)).oneshot(genuine(b"x")).await;
    let row = only_row(&log).await;
    let expected = ("subscription_inactive", Some(200), Some("paid until yesterday"));
    assert_eq!(outcome(&row), expected);
    assert_eq!(row.event_name.as_deref(), Some("message.received"));

    // 256 bytes of them, and no half character.
    for (said, kept) in [
        ("x".repeat(256), "x".repeat(256)),
        ("x".repeat(257), "x".repeat(256)),
        ("é".repeat(200), "é".repeat(128)),
        (format!("x{}", "é".repeat(200)), format!("x{}", "é".repeat(127))),
    ] {
        let log = memory();
        let says = service_fn(move |request: Request<BufferedBody>| {
            request.extensions().get::<Arc<Attempt>>().unwrap().set_event_name(&*said);
            handler(200).oneshot(request)
        });
        let Ok(_) = logged(&log).layer(says).oneshot(genuine(b"x")).await;
        assert_eq!(only_row(&log).await.event_name, Some(kept));
    }

    // Words do not make a request genuine.
    let log = memory();
    let layer = logged(&log).dangerously_report_only();
    let Ok(_) = layer.layer(says(200)).oneshot(forged(b"x")).await;
    assert_eq!(only_row(&log).await.status, "unverified");
}

#[tokio::test]
async fn payloads_are_cut_and_can_be_left_out() {
    for (limit, expected, is_cut) in
        [(4, Some(&b"0123"[..]), true), (10, Some(b"0123456789"), false), (0, None, false)]
    {
        let builder = DeliveryLog::builder().payload_limit(limit);
        let log = builder.store(MemoryLog::new(9)).unwrap();
        send_to(&logged(&log), 200, genuine(b"0123456789")).await;
        let row = only_row(&log).await;
        assert_eq!((row.payload.as_deref(), row.payload_truncated), (expected, is_cut), "{limit}");
        assert_eq!(row.body_sha256, Some(Sha256::digest(b"0123456789").into()));
        assert_eq!(row.body_len, Some(10));
    }
}

#[tokio::test]
async fn no_sensitive_header_can_be_listed() {
    for name in
        ["authorization", "cookie", "x-api-key", "x-hub-signature-256", "x-github-encoded-secret"]
    {
        let name = HeaderName::from_static(name);
        let error = DeliveryLog::builder().headers([header::ACCEPT, name.clone()]).unwrap_err();
        assert_eq!(error, ConfigError::HeaderSensitive { name });
    }
    let builder = DeliveryLog::builder().headers([header::HOST, header::ACCEPT]).unwrap();
    let log = builder.store(MemoryLog::new(9)).unwrap();
    let mut request = genuine(b"x");
    for value in ["a", "b\u{202e}"] {
        request.headers_mut().append("accept", value.parse().unwrap());
    }
    send_to(&logged(&log), 200, request).await;
    let expected = [("accept".to_owned(), r"a, b\xe2\x80\xae".to_owned())];
    assert_eq!(only_row(&log).await.headers, expected);
}

#[tokio::test]
async fn a_header_of_many_lines_is_cut_as_a_whole() {
    let log = memory();
    let mut request = genuine(b"x");
    for _ in 0..9 {
        request.headers_mut().append("webhook-id", "w".repeat(200).parse().unwrap());
    }
    send_to(&logged(&log), 200, request).await;
    let row = only_row(&log).await;
    let (_, ids) = row.headers.iter().find(|(name, _)| name == "webhook-id").unwrap();
    assert_eq!(ids.len(), 256);
}

#[tokio::test]
async fn a_short_body_does_not_hold_the_connections_buffer() {
    static SHORT: [u8; 16 << 10] = [b'x'; 16 << 10];
    static LONG: [u8; (16 << 10) + 1] = [b'x'; (16 << 10) + 1];
    for (body, is_copied) in [(&SHORT[..], true), (&LONG[..], false)] {
        let log = memory();
        send_to(&logged(&log), 200, genuine(body)).await;
        let payload = only_row(&log).await.payload.unwrap();
        assert_eq!(payload, body);
        assert_eq!(payload.as_ptr() != body.as_ptr(), is_copied, "{}", body.len());
    }
}

#[tokio::test]
async fn no_answer_has_more_rows_than_a_filter_may_ask_for() {
    let log = memory();
    for _ in 0..1_001 {
        send_to(&logged(&log), 200, genuine(b"x")).await;
    }
    log.flush().await.unwrap();
    let mut filter = Filter::new();
    filter.limit = u32::MAX;
    assert_eq!(log.find(&filter).await.unwrap().len(), 1_000);
}

/// Raw, in hex, and in base64 with any alignment.
fn forms(canary: &str) -> Vec<Vec<u8>> {
    let hex = crate::support::hex(canary.as_bytes());
    let mut forms = vec![canary.into(), hex.to_uppercase().into(), hex.into()];
    for skip in 0..3 {
        let base64 = BASE64_STANDARD.encode(&canary.as_bytes()[skip..]);
        forms.push(base64[..base64.len() - 6].into());
    }
    forms
}

#[tokio::test]
async fn log_6_a_secret_is_nowhere() {
    let directory = TempDir::new();
    let path = directory.path().join("log.db");
    let log = DeliveryLog::builder().store_rejected_payloads().sqlite(&path).await.unwrap();
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let events = Arc::clone(&seen);
    let layer = SignatureLayer::new(Meta::new(secret()).unwrap().verify_token(secret()).unwrap())
        .observer(log.clone())
        .observer(move |event: &Event<'_>| *events.lock().unwrap() += &format!("{event:?}"));
    let mut shown = format!("{log:?} {layer:?}");
    let mut canaries = vec![SECRET.to_owned()];
    for (status, request) in
        [(200, genuine(b"body")), (500, genuine(b"other")), (200, forged(b"forged"))]
    {
        let mut request = request;
        let signature = request.headers()["x-hub-signature-256"].to_str().unwrap();
        canaries.push(signature.trim_start_matches("sha256=").to_owned());
        let encoded = BASE64_STANDARD.encode(SECRET);
        let headers = request.headers_mut();
        headers.insert("x-github-encoded-secret", encoded.parse().unwrap());
        headers.insert("authorization", format!("Bearer {SECRET}").parse().unwrap());
        *request.uri_mut() = format!("/h?hub.verify_token={SECRET}").parse().unwrap();
        let Ok(response) = layer.layer(handler(status)).oneshot(request).await;
        let (head, body) = response.into_parts();
        shown += &format!("{head:?} {:?}", body.collect().await.unwrap().to_bytes());
    }
    canaries.push(hmac_sha256(SECRET, b"forged"));
    shown += &format!("{:?} {:?}", rows(&log).await, seen.lock().unwrap());
    let mut places = vec![shown.into_bytes()];
    // Before and after the write-ahead log has gone into the file.
    for file in std::fs::read_dir(directory.path()).unwrap() {
        places.push(std::fs::read(file.unwrap().path()).unwrap());
    }
    log.shutdown(super::SECOND * 60).await.unwrap();
    places.push(std::fs::read(&path).unwrap());
    let holds = |canary: &[u8]| {
        places.iter().any(|place| place.windows(canary.len()).any(|window| window == canary))
    };
    assert!(holds(b"forged") && holds(b"unauthorized"), "what is stored is found");
    for canary in canaries {
        for form in forms(&canary) {
            assert!(!holds(&form), "{}", String::from_utf8_lossy(&form));
        }
    }
}
