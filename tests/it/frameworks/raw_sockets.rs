//! Bytes on a raw socket, as no well-behaved client would send them.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tower::Layer;
use tower_webhook::{PublicUrl, SignatureLayer, layer::Drain, providers::Twilio};

use crate::{
    net::{Raw, serve, twilio_signature, within},
    support::{Inner, meta_layer, meta_signature, secret},
};

const ORIGIN: &str = "https://example.com";

fn twilio_layer() -> SignatureLayer<Twilio> {
    SignatureLayer::new(Twilio::new(secret(), PublicUrl::base(ORIGIN).unwrap()).unwrap())
}

/// A POST's head with further header lines, each ended by `\r\n`.
fn head(lines: &str) -> String {
    format!("POST /webhook HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

fn signed(body: &[u8], lines: &str) -> String {
    head(&format!("X-Hub-Signature-256: {}\r\n{lines}", meta_signature(body)))
}

fn connection(response: &http::Response<String>) -> Option<&[u8]> {
    response.headers().get(header::CONNECTION).map(HeaderValue::as_bytes)
}

#[tokio::test]
async fn no_100_continue_is_sent_before_a_head_rejection() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let mut raw = Raw::connect(address).await;
    raw.send(head("Expect: 100-continue\r\nContent-Length: 5\r\n")).await;
    // The first and only thing that is said, though the body never comes.
    assert_eq!(raw.answer().await.status(), StatusCode::FORBIDDEN);
    raw.closed().await;
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn no_100_continue_is_sent_for_a_body_over_the_limit() {
    let inner = Inner::default();
    let address = serve(meta_layer().body_limit(4).layer(inner.clone())).await;
    let mut raw = Raw::connect(address).await;
    raw.send(signed(b"hello", "Expect: 100-continue\r\nContent-Length: 5\r\n")).await;
    assert_eq!(raw.answer().await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    raw.closed().await;
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn head_that_may_be_authentic_gets_100_continue() {
    for (body, expected) in [("hello", StatusCode::OK), ("Hello", StatusCode::FORBIDDEN)] {
        let inner = Inner::default();
        let address = serve(meta_layer().layer(inner.clone())).await;
        let mut raw = Raw::connect(address).await;
        raw.send(signed(b"hello", "Expect: 100-continue\r\nContent-Length: 5\r\n")).await;
        assert_eq!(raw.answer().await.status(), StatusCode::CONTINUE, "{body}");
        raw.send(body).await;
        let response = raw.answer().await;
        assert_eq!(response.status(), expected, "{body}");
        assert_eq!(connection(&response), None, "{body}: it has ended");
        assert_eq!(inner.count(), usize::from(expected == StatusCode::OK), "{body}");
    }
}

// Client and server each on a thread of their own, so that they race.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sender_still_writing_receives_its_403() {
    const LEN: usize = 1 << 20;
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let bad = format!("X-Hub-Signature-256: sha256=zz\r\nContent-Length: {LEN}\r\n");
    for (name, head) in
        [("missing", head(&format!("Content-Length: {LEN}\r\n"))), ("malformed", head(&bad))]
    {
        for turn in 0..100 {
            let mut raw = Raw::connect(address).await;
            raw.send(&head).await;
            raw.write_on(vec![b'x'; LEN]);
            let response = raw.answer().await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name} {turn}");
            assert_eq!(connection(&response), None, "{name} {turn}");
        }
    }
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn rejection_keeps_connection_once_body_has_ended() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let mut raw = Raw::connect(address).await;
    for (name, request, expected) in [
        ("genuine", signed(b"hello", "Content-Length: 5\r\n") + "hello", StatusCode::OK),
        (
            "genuine, chunked",
            signed(b"hello", "Transfer-Encoding: chunked\r\n") + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            StatusCode::OK,
        ),
        ("unsigned, without a body", head(""), StatusCode::FORBIDDEN),
        ("unsigned, with an empty body", head("Content-Length: 0\r\n"), StatusCode::FORBIDDEN),
        ("unsigned", head("Content-Length: 5\r\n") + "hello", StatusCode::FORBIDDEN),
        (
            "unsigned, chunked",
            head("Transfer-Encoding: chunked\r\n") + "2\r\nhe\r\n0\r\n\r\n",
            StatusCode::FORBIDDEN,
        ),
        ("forged", signed(b"hello", "Content-Length: 5\r\n") + "Hello", StatusCode::FORBIDDEN),
        ("the last", signed(b"", ""), StatusCode::OK),
    ] {
        raw.send(request).await;
        let response = raw.answer().await;
        assert_eq!(response.status(), expected, "{name}");
        assert_eq!(connection(&response), None, "{name}");
    }
    assert_eq!(inner.count(), 3);
}

#[tokio::test]
async fn rejected_body_is_never_parsed_as_a_request() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let hidden = signed(b"hello", "Content-Length: 5\r\n") + "hello";
    let mut raw = Raw::connect(address).await;
    for length in [hidden.len(), 2 * hidden.len()] {
        raw.send(head(&format!("Content-Length: {length}\r\n")) + &hidden.repeat(2)).await;
        assert_eq!(raw.answer().await.status(), StatusCode::FORBIDDEN);
        if length == hidden.len() {
            assert_eq!(raw.answer().await.status(), StatusCode::OK, "what follows the body");
        }
    }
    assert_eq!(inner.count(), 1);
    // Without the drain nothing of the connection is read any more.
    let inner = Inner::default();
    let address = serve(meta_layer().drain(Drain::new().max_bytes(0)).layer(inner.clone())).await;
    let mut raw = Raw::connect(address).await;
    raw.send(head(&format!("Content-Length: {}\r\n", hidden.len())) + &hidden.repeat(2)).await;
    assert_eq!(raw.answer().await.status(), StatusCode::FORBIDDEN);
    raw.closed().await;
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_never_reaches_the_handler() {
    for (name, rest) in [
        ("sized", "Content-Length: 100\r\n\r\n0123456789"),
        ("sized, nothing sent", "Content-Length: 100\r\n\r\n"),
        ("chunked, within a chunk", "Transfer-Encoding: chunked\r\n\r\n64\r\n0123456789"),
        ("chunked, no last chunk", "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"),
        ("chunked, bad size", "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\nxyz\r\n\r\n"),
    ] {
        let inner = Inner::default();
        let address = serve(meta_layer().layer(inner.clone())).await;
        // What has arrived is signed: only its being cut short is wrong with it.
        let arrived = if name.contains("nothing") { &b""[..] } else { b"0123456789" };
        let signature = meta_signature(arrived);
        let mut raw = Raw::connect(address).await;
        raw.send(format!(
            "POST /webhook HTTP/1.1\r\nHost: localhost\r\nX-Hub-Signature-256: {signature}\r\n{rest}"
        ))
        .await;
        raw.end();
        // Whether the answer can still be sent is up to hyper. After the end no task is left.
        while within(raw.answer_or_end()).await.is_some_and(|response| {
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
            true
        }) {}
        assert_eq!(inner.count(), 0, "{name}");
    }
}

#[tokio::test]
async fn unsupported_transfer_coding_is_rejected() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let chunk = "5\r\nhello\r\n0\r\n\r\n";
    for (coding, expected) in [
        ("chunked", StatusCode::OK),
        ("Chunked\t", StatusCode::OK),
        ("gzip, chunked", StatusCode::BAD_REQUEST),
        ("x, chunked", StatusCode::BAD_REQUEST),
        ("gzip\r\nTransfer-Encoding: chunked", StatusCode::BAD_REQUEST),
    ] {
        let mut raw = Raw::connect(address).await;
        raw.send(signed(b"hello", &format!("Transfer-Encoding: {coding}\r\n")) + chunk).await;
        assert_eq!(raw.answer().await.status(), expected, "{coding}");
    }
    assert_eq!(inner.count(), 2);
}

#[tokio::test]
async fn huge_content_length_is_rejected_from_the_head() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    for len in [(3 << 20) + 1, 1_u64 << 46, u64::MAX - 2] {
        let mut raw = Raw::connect(address).await;
        raw.send(signed(b"", &format!("Content-Length: {len}\r\n"))).await;
        let response = raw.answer().await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{len}");
        assert_eq!(connection(&response), Some(&b"close"[..]), "{len}");
        raw.closed().await;
    }
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn chunks_over_the_body_limit_are_answered_413() {
    let inner = Inner::default();
    let address = serve(meta_layer().body_limit(4).layer(inner.clone())).await;
    for (name, chunks) in [
        ("one chunk", "5\r\nhello\r\n0\r\n\r\n"),
        ("two chunks", "4\r\nhell\r\n1\r\no\r\n0\r\n\r\n"),
        // Without a timer nothing ends the wait.
        #[cfg(feature = "tokio")]
        ("no end in sight", "4\r\nhell\r\n4\r\nhell\r\n"),
    ] {
        let mut raw = Raw::connect(address).await;
        raw.send(signed(b"hello", "Transfer-Encoding: chunked\r\n") + chunks).await;
        let response = raw.answer().await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{name}");
        let is_closing = connection(&response) == Some(&b"close"[..]);
        assert_eq!(is_closing, name == "no end in sight", "{name}");
    }
    assert_eq!(inner.count(), 0);
}

/// Sends a request to this target with this Twilio signature, and returns the answer's status.
async fn twilio_status(
    address: std::net::SocketAddr,
    target: &[u8],
    host: &str,
    signature: &str,
) -> StatusCode {
    let mut request = b"POST ".to_vec();
    request.extend_from_slice(target);
    let rest = format!(
        " HTTP/1.1\r\n{host}X-Twilio-Signature: {signature}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nBody=x"
    );
    request.extend_from_slice(rest.as_bytes());
    let mut raw = Raw::connect(address).await;
    raw.send(request).await;
    raw.answer().await.status()
}

#[tokio::test]
async fn url_is_verified_byte_for_byte_as_sent() {
    let inner = Inner::default();
    let address = serve(twilio_layer().layer(inner.clone())).await;
    for (target, normalised) in [
        ("/webhook?name=O'Brien", "/webhook?name=O%27Brien"),
        ("/webhook?name=O%27Brien", "/webhook?name=O'Brien"),
        ("/web'hook", "/web%27hook"),
        ("/webhook?a|b=c|d", "/webhook?a%7Cb=c%7Cd"),
        ("/web|hook", "/web%7Chook"),
        ("/webhook?x=%2C,", "/webhook?x=,,"),
        ("/webhook?x=%2c", "/webhook?x=%2C"),
        ("/webhook?x=a+b%20c", "/webhook?x=a%20b%20c"),
        ("/webhook?", "/webhook"),
        ("/webhook", "/webhook?"),
        ("/webhook?&&x=1&", "/webhook?x=1"),
        ("/webhook?x", "/webhook?x="),
        ("/webhook??x", "/webhook?x"),
        ("/webhook;v=1?a;b=2", "/webhook?a;b=2"),
        ("//webhook//x", "/webhook/x"),
        ("/a/../webhook", "/webhook"),
        ("/./webhook", "/webhook"),
        ("/webhook/", "/webhook"),
        ("/%77ebhook", "/webhook"),
        ("/webhook?x=%zz", "/webhook?x=%25zz"),
        ("/webhook?q={x:`1`}", "/webhook?q=%7Bx:%601%60%7D"),
        ("/webhook?x=\\^", "/webhook?x=%5C%5E"),
        ("/webhook?x=[1]", "/webhook?x=%5B1%5D"),
        ("/webhook?x=ü", "/webhook?x=%C3%BC"),
        ("/WebHook?B=2&a=1", "/WebHook?a=1&B=2"),
        ("/", ""),
        ("/?x=1", "?x=1"),
    ] {
        let host = "Host: localhost\r\n";
        let as_sent = twilio_signature(&format!("{ORIGIN}{target}"), "Bodyx");
        let status = twilio_status(address, target.as_bytes(), host, &as_sent).await;
        assert_eq!(status, StatusCode::OK, "{target}");
        assert_eq!(inner.only_call().head.uri, target, "{target}");

        let other = twilio_signature(&format!("{ORIGIN}{normalised}"), "Bodyx");
        let status = twilio_status(address, target.as_bytes(), host, &other).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{target} signed as {normalised}");
        assert_eq!(inner.count(), 0, "{target}");
    }
}

#[tokio::test]
async fn invalid_request_target_never_reaches_handler() {
    let inner = Inner::default();
    let address = serve(twilio_layer().layer(inner.clone())).await;
    for (target, expected) in [
        // hyper refuses these itself.
        (&b"/webhook?x=\""[..], StatusCode::BAD_REQUEST),
        (b"/webhook?x=<1>", StatusCode::BAD_REQUEST),
        (b"/webhook?x=a b", StatusCode::BAD_REQUEST),
        (b"/webhook?x=\xff", StatusCode::BAD_REQUEST),
        (b"/webhook?x=\0", StatusCode::BAD_REQUEST),
        // The form of CONNECT: a host, and no path.
        (b"webhook", StatusCode::FORBIDDEN),
        // A fragment is cut off before we see it, so its signature does not fit.
        (b"/webhook#x", StatusCode::FORBIDDEN),
    ] {
        let mut url = ORIGIN.as_bytes().to_vec();
        url.extend_from_slice(target);
        let name = String::from_utf8_lossy(&url);
        let signature = twilio_signature(&name, "Bodyx");
        let status = twilio_status(address, target, "Host: localhost\r\n", &signature).await;
        assert_eq!(status, expected, "{name}");
        assert_eq!(inner.count(), 0, "{name}");
    }
}

#[tokio::test]
async fn no_host_in_the_request_changes_a_configured_base() {
    let inner = Inner::default();
    let address = serve(twilio_layer().layer(inner.clone())).await;
    for (target, host) in [
        ("/webhook?x=1", "Host: example.com\r\n"),
        ("/webhook?x=1", "Host: attacker.example\r\n"),
        ("/webhook?x=1", "Host: a\r\nX-Forwarded-Host: attacker.example\r\nForwarded: host=b\r\n"),
        ("/webhook?x=1", "Host: a\r\nX-Forwarded-Proto: http\r\nX-Original-URL: /other\r\n"),
        // Absolute form, which servers must accept, with hosts that agree and that do not.
        ("http://attacker.example/webhook?x=1", "Host: attacker.example\r\n"),
        ("http://attacker.example:81/webhook?x=1", "Host: example.com\r\n"),
        ("https://user:pass@attacker.example/webhook?x=1", "Host: attacker.example\r\n"),
    ] {
        let genuine = twilio_signature("https://example.com/webhook?x=1", "Bodyx");
        let status = twilio_status(address, target.as_bytes(), host, &genuine).await;
        assert_eq!(status, StatusCode::OK, "{target} {host}");
        assert_eq!(inner.only_call().verified().provider(), "twilio", "{target} {host}");

        for url in [
            "https://attacker.example/webhook?x=1",
            "http://attacker.example/webhook?x=1",
            "http://attacker.example:81/webhook?x=1",
            "http://example.com/webhook?x=1",
            "https://example.com/other",
        ] {
            let forged = twilio_signature(url, "Bodyx");
            let status = twilio_status(address, target.as_bytes(), host, &forged).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{target} {host} signed as {url}");
            assert_eq!(inner.count(), 0, "{target} {host} signed as {url}");
        }
    }
}

#[tokio::test]
async fn two_hosts_are_refused() {
    let inner = Inner::default();
    let address = serve(twilio_layer().layer(inner.clone())).await;
    let signature = twilio_signature("https://example.com/webhook", "Bodyx");
    let hosts = "Host: example.com\r\nHost: attacker.example\r\n";
    let status = twilio_status(address, b"/webhook", hosts, &signature).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(inner.count(), 0);
}

#[tokio::test]
async fn binary_body_reaches_handler_unchanged() {
    let inner = Inner::default();
    let address = serve(meta_layer().layer(inner.clone())).await;
    let body: Vec<u8> = (0..=255).chain([0, b'\r', b'\n', 0xff]).collect();
    let mut raw = Raw::connect(address).await;
    raw.send(signed(&body, &format!("Content-Length: {}\r\n", body.len()))).await;
    // In two segments, which may be two frames.
    raw.send(&body[..100]).await;
    raw.send(&body[100..]).await;
    assert_eq!(raw.answer().await.status(), StatusCode::OK);
    assert_eq!(inner.only_call().body.bytes(), &Bytes::from(body));
}
