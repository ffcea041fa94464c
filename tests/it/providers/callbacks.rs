//! Callbacks with an encrypted message: the parts of what is signed have no separators.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use sha1::{Digest, Sha1};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    Rejection, RejectionKind, SignatureLayer, Verified,
    providers::DingTalk,
    replay::{MemoryReplayStore, ReplayLayer},
    scheme::Tolerance,
};

use crate::support::{AtTime, at, hex, verify};

const NOW: u64 = 1_700_000_000;

fn sorted_sha1(token: &str, parts: &[&str]) -> String {
    let mut all = parts.to_vec();
    all.push(token);
    all.sort_unstable();
    hex(&Sha1::digest(all.concat()))
}

/// An encrypted message of so many blocks.
fn message(blocks: u8) -> String {
    let bytes: Vec<u8> = (0..blocks * 16).map(|at| at.wrapping_mul(37) ^ 0x55).collect();
    STANDARD.encode(bytes)
}

fn judge(token: &str, tag: &str, [time, nonce, message]: [&str; 3]) -> Result<Verified, Rejection> {
    let verifier = DingTalk::new(token).unwrap().tolerance(Tolerance::UNBOUNDED).clock(at(NOW));
    let query = format!("/hook?msg_signature={tag}&timestamp={time}&nonce={nonce}");
    let Ok(request) = Request::post(query).body(()) else {
        return Err(Rejection::new(RejectionKind::Malformed));
    };
    let body = format!(r#"{{"encrypt":"{message}"}}"#);
    verify(&verifier, &request.into_parts().0, &Bytes::from(body))
}

/// Calls `visit` with each way to cut these texts into three parts, all in their order.
fn each_cut(before: &str, after: &str, visit: &mut dyn FnMut([&str; 3])) {
    for count in 0..=3 {
        each_part(before, count, &mut Vec::new(), &mut |first| {
            let first = first.to_vec();
            each_part(after, 3 - count, &mut Vec::new(), &mut |second| {
                if let [a, b, c] = *[&first, second].concat() {
                    visit([a, b, c]);
                }
            });
        });
    }
}

/// Calls `visit` with each way to cut a text into so many parts.
fn each_part<'a>(
    text: &'a str,
    count: usize,
    parts: &mut Vec<&'a str>,
    visit: &mut dyn FnMut(&[&'a str]),
) {
    match count {
        0 if text.is_empty() => visit(parts),
        0 => {}
        _ => {
            for at in 1..=text.len() {
                parts.push(&text[..at]);
                each_part(&text[at..], count - 1, parts, visit);
                parts.pop();
            }
        }
    }
}

/// No other message decrypts, and all requests with the same message are the same delivery.
#[test]
fn moved_ends_leave_no_other_message() {
    let mut accepted = 0;
    for token in ["A-token", "1", "zz"] {
        for (blocks, nonce) in [(1, "263014780"), (2, "WL4PK6yA"), (3, "1700000001"), (3, "abcd")] {
            let (time, message) = ("1700000000", message(blocks));
            let tag = sorted_sha1(token, &[time, nonce, &message]);
            let genuine = judge(token, &tag, [time, nonce, &message]).unwrap();
            assert_eq!(genuine.valid_for(), None, "the time can be exchanged");
            let mut all = [time, nonce, &message, token];
            all.sort_unstable();
            let joined = all.concat();
            let at = all.iter().take_while(|part| **part != token).map(|part| part.len()).sum();
            let (before, after) = (&joined[..at], &joined[at + token.len()..]);
            let signed_blocks = STANDARD.decode(&message).unwrap();
            let signed_blocks: Vec<_> = signed_blocks.chunks(16).collect();
            each_cut(before, after, &mut |[a, b, c]| {
                for parts in [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
                    let Ok(proof) = judge(token, &tag, parts) else { continue };
                    accepted += 1;
                    let is_same = proof.replay_key() == genuine.replay_key();
                    assert_eq!(is_same, parts[2] == message, "{parts:?}");
                    let other = STANDARD.decode(parts[2]).unwrap();
                    let is_known = other.chunks(16).any(|block| signed_blocks.contains(&block));
                    assert!(!is_known || parts[2] == message, "{parts:?}");
                }
            });
        }
    }
    // The genuine ones, and those with time and nonce exchanged.
    assert!(accepted >= 12, "{accepted}");
}

/// Anyone can compute the hash of a longer text: its padding is not in the alphabets.
#[test]
fn parts_have_only_the_characters_of_the_vendor() {
    let message = message(1);
    let long = "1".repeat(33);
    for (time, nonce, message, why) in [
        ("1700000000", "a", &*message, None),
        ("1700000000", &long[1..], &*message, None),
        ("1700000000", &*long, &*message, Some("nonce")),
        ("1700000000", "a.b", &*message, Some("nonce")),
        ("1700000000", "%80", &*message, Some("nonce")),
        ("170000000", "a", &*message, Some("timestamp")),
        ("17000000000", "a", &*message, Some("timestamp")),
        ("+170000000", "a", &*message, Some("timestamp")),
        ("1700000000", "a", "QUFB", Some("encrypt")),
        ("1700000000", "a", "QUFBQUFBQUFBQUFBQUFBQR==", Some("encrypt")),
        ("1700000000", "a", "QUFBQUFBQUFBQUFBQUFBQQ", Some("encrypt")),
        ("1700000000", "a", "QUFBQUFBQUFBQUFBQUFBQQ==\u{80}", Some("encrypt")),
    ] {
        let tag = sorted_sha1("token", &[time, nonce, message]);
        let refused = judge("token", &tag, [time, nonce, message]).err();
        let field = refused.and_then(|why| why.field().map(|field| field.name().to_owned()));
        assert_eq!(field.as_deref(), why, "{time} {nonce} {message}");
    }
}

/// The time says nothing of how long a delivery must be remembered, so the guard keeps it.
#[tokio::test]
async fn guard_handles_a_message_once() {
    let request = |time: &str, nonce: &str, message: &str| {
        let tag = sorted_sha1("token", &[time, nonce, message]);
        let query = format!("/?signature={tag}&timestamp={time}&nonce={nonce}");
        let body = Full::<Bytes>::from(format!(r#"{{"encrypt":"{message}"}}"#));
        Request::post(query).body(body).unwrap()
    };
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handler = service_fn(move |_: Request<_>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let store = MemoryReplayStore::new(100);
    let guard = ReplayLayer::new("/", store).retention(Duration::from_secs(3600));
    for (time, nonce, blocks, now, expected) in [
        ("1700000000", "1700009999", 2, NOW, 1),
        ("1700000000", "1700009999", 2, NOW, 1),
        // The same hash, with time and nonce exchanged.
        ("1700009999", "1700000000", 2, NOW + 9999, 1),
        // The message that is sent again.
        ("1700000001", "a", 2, NOW, 1),
        ("1700000000", "1700009999", 3, NOW, 2),
    ] {
        let verifier = DingTalk::new("token").unwrap().clock(at(now));
        let service = SignatureLayer::new(verifier).layer(guard.clone().layer(handler.clone()));
        let response = service.oneshot(request(time, nonce, &message(blocks))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{time} {nonce}");
        assert_eq!(calls.load(Ordering::SeqCst), expected, "{time} {nonce}");
    }
}

#[cfg(feature = "xml")]
mod xml {
    use http::Method;
    use http_body_util::BodyExt;
    use tower_webhook::providers::{WeChat, WeCom};

    use super::*;
    use crate::support::{Script, send};

    const QUERY: &str = "signature=6c729cc5480fab0c2e594b7e25a93d2dbef6ab97&timestamp=1411525903\
                         &nonce=461056294";
    const MESSAGE: &str = "<xml><Encrypt>QUFBQUFBQUFBQUFBQUFBQQ==</Encrypt></xml>";
    const TIME: u64 = 1_411_525_903;

    fn request(method: Method, query: &str, body: &str) -> Request<Script> {
        let request = Request::builder().method(method).uri(format!("/hook?{query}"));
        request.body(Script::data([body.to_owned()])).unwrap()
    }

    /// The signature is that of a public receiver: messense/wechat-rs.
    #[tokio::test]
    async fn wechat_challenge_is_answered_if_it_is_signed() {
        for (query, status, answer) in [
            (format!("{QUERY}&echostr=5885"), StatusCode::OK, "5885"),
            (format!("{QUERY}&echostr=%3Cscript%3E"), StatusCode::OK, "<script>"),
            (format!("{QUERY}0&echostr=5885"), StatusCode::FORBIDDEN, ""),
            (format!("{QUERY}&echostr="), StatusCode::BAD_REQUEST, ""),
            (format!("{QUERY}&echostr=1&echostr=2"), StatusCode::BAD_REQUEST, ""),
            (format!("{QUERY}&echostr={}", "1".repeat(257)), StatusCode::BAD_REQUEST, ""),
            (QUERY[10..].to_owned() + "&echostr=1", StatusCode::FORBIDDEN, ""),
        ] {
            let layer = SignatureLayer::new(WeChat::new("123456").unwrap().clock(at(TIME)));
            let (response, inner) = send(&layer, request(Method::GET, &query, "")).await;
            assert_eq!(response.status(), status, "{query}");
            assert_eq!(inner.count(), 0, "{query}");
            if status == StatusCode::OK {
                assert_eq!(response.headers()["x-content-type-options"], "nosniff");
                assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, answer);
            }
        }
        // An hour later, the same challenge is too old.
        let layer = SignatureLayer::new(WeChat::new("123456").unwrap().clock(at(TIME + 3600)));
        let late = request(Method::GET, &format!("{QUERY}&echostr=5885"), "");
        assert_eq!(send(&layer, late).await.0.status(), StatusCode::FORBIDDEN);
    }

    /// A handler takes the elements in plain text if the query does not say that they are encrypted.
    #[tokio::test]
    async fn wechat_plain_mode_is_named() {
        let tag = sorted_sha1("123456", &["1411525903", "1", "QUFBQUFBQUFBQUFBQUFBQQ=="]);
        let signed = format!("msg_signature={tag}&timestamp=1411525903&nonce=1");
        for (query, is_accepted) in [
            (QUERY.to_owned(), false),
            (signed.clone(), false),
            (format!("{signed}&encrypt_type=raw"), false),
            (format!("{signed}&encrypt_type=aes&encrypt_type=raw"), false),
            (format!("{signed}&encrypt_type=aes"), true),
        ] {
            let layer = SignatureLayer::new(WeChat::new("123456").unwrap().clock(at(TIME)));
            let (response, inner) = send(&layer, request(Method::POST, &query, MESSAGE)).await;
            assert_eq!(inner.count(), usize::from(is_accepted), "{query}");
            let why = response.extensions().get::<Rejection>().map(Rejection::kind);
            assert_eq!(why, (!is_accepted).then_some(RejectionKind::BodyNotSigned), "{query}");
        }
    }

    #[test]
    fn wecom_body_is_xml_in_utf_8() {
        let verifier = WeCom::new("123456").unwrap().clock(at(TIME));
        let tag = sorted_sha1("123456", &["1411525903", "1", "QUFBQUFBQUFBQUFBQUFBQQ=="]);
        let query = format!("/hook?msg_signature={tag}&timestamp=1411525903&nonce=1");
        for (media_type, is_accepted) in [
            ("text/xml", true),
            ("application/xml; charset=UTF-8", true),
            ("text/xml;charset=\"utf-8\"", true),
            ("text/xml; charset=ISO-8859-1", true),
            ("text/xml; charset=utf-7", false),
            ("text/xml; Charset = utf-7", false),
            ("text/xml; charset", false),
            ("text/xml; charset=\"ISO-2022-JP\"", false),
            ("text/xml; charset=utf-8; charset=gbk", false),
            ("application/json", false),
            ("text/json", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("text/plain", false),
        ] {
            let request = Request::post(&query).header("content-type", media_type);
            let (head, ()) = request.body(()).unwrap().into_parts();
            let judged = verify(&verifier, &head, &Bytes::from(MESSAGE));
            assert_eq!(judged.is_ok(), is_accepted, "{media_type}");
        }
    }

    /// The handler responds to it, with the text that it decrypts.
    #[tokio::test]
    async fn wecom_echostr_reaches_the_handler() {
        let echo = "P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%2B4RPcs8TgAE7OaB\
                    O%2BFZXvnaqQ%3D%3D";
        let query = format!(
            "msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589\
             &nonce=263014780&echostr={echo}"
        );
        let layer = SignatureLayer::new(WeCom::new("QDG6eK").unwrap().clock(at(1_409_659_589)));
        for (method, status, calls) in [
            (Method::GET, StatusCode::OK, 1),
            (Method::PUT, StatusCode::FORBIDDEN, 0),
            (Method::HEAD, StatusCode::FORBIDDEN, 0),
        ] {
            let (response, inner) = send(&layer, request(method.clone(), &query, "")).await;
            assert_eq!((response.status(), inner.count()), (status, calls), "{method}");
        }
    }

    #[tokio::test]
    async fn head_without_a_message_costs_no_body() {
        let tag = sorted_sha1("123456", &["1411525903", "1", "QUFBQUFBQUFBQUFBQUFBQQ=="]);
        let query = format!("/hook?msg_signature={tag}&timestamp=1411525903&nonce=1");
        for (method, media_type) in [
            (Method::PUT, "text/xml"),
            (Method::POST, "application/json"),
            (Method::GET, "text/xml"),
        ] {
            let request = Request::builder().method(&method).uri(&query);
            let request = request.header("content-type", media_type);
            let layer = SignatureLayer::new(WeCom::new("123456").unwrap().clock(at(TIME)));
            let sent = send(&layer, request.body(Script::untouchable()).unwrap()).await;
            assert_eq!(sent.0.status(), StatusCode::FORBIDDEN, "{method} {media_type}");
        }
    }

    #[test]
    fn wecom_names_the_element_at_fault() {
        let verifier = WeCom::new("QDG6eK").unwrap().clock(at(NOW));
        for (body, kind) in [
            ("<xml><Encrypt>QUFB</Encrypt></xml>", RejectionKind::Malformed),
            ("<xml></xml>", RejectionKind::Missing),
            ("<xml><Encrypt>a</Encrypt><Encrypt>a</Encrypt></xml>", RejectionKind::Repeated),
            ("<xml><Encrypt>a</Encrypt><ENCRYPT>a</ENCRYPT></xml>", RejectionKind::Repeated),
        ] {
            let tag = "0".repeat(40);
            let query = format!("/hook?msg_signature={tag}&timestamp={NOW}&nonce=1");
            let (head, ()) = Request::post(query).body(()).unwrap().into_parts();
            let why = verify(&verifier, &head, &Bytes::from(body)).unwrap_err();
            assert_eq!(why.kind(), kind);
            assert_eq!(why.field().unwrap().name(), "Encrypt");
        }
    }
}
