//! Ownership challenges: Meta's unsigned GET, and Slack's signed POST.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower_webhook::{
    Rejection, RejectionKind, Secret, SignatureLayer, Verifier, all_of, any_of,
    providers::{GitHub, Meta, Slack, Wsapi},
};

use crate::{
    heads::{NOW, Sent},
    support::{
        SECRET, Script, assert_refused, at, hmac_sha256, meta_layer, meta_request, meta_signature,
        secret, send,
    },
};

const GENUINE: &str = "hub.mode=subscribe&hub.verify_token=s3cret&hub.challenge=1158201444";

fn meta() -> Meta {
    Meta::new(secret()).verify_token(Secret::new("s3cret").unwrap())
}

async fn get(verifier: impl Verifier + Clone, query: &str) -> Sent {
    let uri = format!("/webhook?{query}");
    let request = Request::get(uri).body(Script::untouchable()).unwrap();
    send(&SignatureLayer::new(verifier), request).await
}

async fn assert_echoed(name: &str, (response, inner): Sent, challenge: &str) {
    assert_eq!(inner.count(), 0, "{name}");
    assert_eq!(response.status(), StatusCode::OK, "{name}");
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8", "{name}");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{name}");
    assert!(response.extensions().get::<Rejection>().is_none(), "{name}");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, Bytes::from(challenge.to_owned()), "{name}");
}

#[tokio::test]
async fn metas_challenge_is_echoed_as_plain_text() {
    let longest = "9".repeat(256);
    for (name, query, challenge) in [
        ("documented", GENUINE.to_owned(), "1158201444"),
        (
            "other order, and further parameters",
            "x=1&hub.challenge=7&hub.verify_token=s3cret&hub.mode=subscribe&y".to_owned(),
            "7",
        ),
        (
            "percent-encoded names and values",
            "hub%2Emode=%73ubscribe&hub.verify%5ftoken=s3cre%74&hub.challenge=a%20b+c%26%C3%A9"
                .to_owned(),
            "a b c&é",
        ),
        ("the first of repeated keys counts", format!("{GENUINE}&hub.challenge=2"), "1158201444"),
        (
            "markup stays plain text",
            "hub.mode=subscribe&hub.verify_token=s3cret&hub.challenge=%3Cscript%3E".to_owned(),
            "<script>",
        ),
        (
            "longest challenge",
            format!("hub.mode=subscribe&hub.verify_token=s3cret&hub.challenge={longest}"),
            &longest,
        ),
    ] {
        assert_echoed(name, get(meta(), &query).await, challenge).await;
    }
}

#[tokio::test]
async fn t43_a_challenge_without_the_right_token_or_out_of_form_is_refused() {
    use RejectionKind::{HandshakeFailed, HandshakeMalformed};
    let over_long = GENUINE.replace("1158201444", &"9".repeat(257));
    for (name, query, kind) in [
        ("wrong token", GENUINE.replace("s3cret", "nope"), HandshakeFailed),
        ("token in capitals", GENUINE.replace("s3cret", "S3CRET"), HandshakeFailed),
        ("beginning of the token", GENUINE.replace("s3cret", "s3cre"), HandshakeFailed),
        ("more than the token", GENUINE.replace("s3cret", "s3crets"), HandshakeFailed),
        ("the app secret", GENUINE.replace("s3cret", SECRET), HandshakeFailed),
        ("right token second", format!("hub.verify_token=x&{GENUINE}"), HandshakeFailed),
        ("wrong mode", GENUINE.replace("subscribe", "unsubscribe"), HandshakeFailed),
        ("mode in capitals", GENUINE.replace("subscribe", "SUBSCRIBE"), HandshakeFailed),
        ("wrong token, over-long", over_long.replace("s3cret", "nope"), HandshakeFailed),
        ("no token", GENUINE.replace("hub.verify_token", "x"), HandshakeMalformed),
        ("empty token", GENUINE.replace("s3cret", ""), HandshakeMalformed),
        ("no mode", GENUINE.replace("hub.mode", "x"), HandshakeMalformed),
        ("empty mode", GENUINE.replace("subscribe", ""), HandshakeMalformed),
        ("no challenge", GENUINE.replace("hub.challenge", "x"), HandshakeMalformed),
        ("empty challenge", GENUINE.replace("1158201444", ""), HandshakeMalformed),
        ("over-long challenge", over_long, HandshakeMalformed),
        ("not UTF-8", GENUINE.replace("1158201444", "%ff"), HandshakeMalformed),
        ("name in capitals", GENUINE.replace("hub.mode", "HUB.MODE"), HandshakeMalformed),
        ("flood of parameters", format!("{}{GENUINE}", "a&".repeat(5000)), HandshakeMalformed),
        ("nothing", String::new(), HandshakeMalformed),
    ] {
        let sent = get(meta(), &query).await;
        assert_refused(name, kind, &sent);
        let status = if kind == HandshakeFailed { 403 } else { 400 };
        assert_eq!(sent.0.status(), status, "{name}");
    }
    let request = Request::get("/webhook").body(Script::untouchable()).unwrap();
    let sent = send(&SignatureLayer::new(meta()), request).await;
    assert_refused("no query at all", HandshakeMalformed, &sent);
}

#[tokio::test]
async fn each_of_several_verify_tokens_is_accepted() {
    let meta = meta().verify_token(Secret::new("of another number").unwrap());
    for token in ["s3cret", "of+another+number"] {
        let query = GENUINE.replace("s3cret", token);
        assert_echoed(token, get(meta.clone(), &query).await, "1158201444").await;
    }
    let query = GENUINE.replace("s3cret", "of");
    assert_refused("part", RejectionKind::HandshakeFailed, &get(meta, &query).await);
}

#[tokio::test]
async fn t43_only_get_gets_round_verification_and_only_once_a_token_is_set() {
    let uri = format!("/webhook?{GENUINE}");
    let on = SignatureLayer::new(meta());
    for method in ["POST", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "get", "QUERY"] {
        let unsigned = Request::builder().method(method).uri(&uri);
        let unsigned = unsigned.body(Script::untouchable()).unwrap();
        assert_refused(method, RejectionKind::Missing, &send(&on, unsigned).await);

        let mut signed = meta_request(b"", Script::data([""; 0]));
        *signed.method_mut() = method.parse().unwrap();
        *signed.uri_mut() = uri.parse().unwrap();
        let (response, inner) = send(&on, signed).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{method}");
    }

    // Without a token, a GET is like any other request.
    let unsigned = Request::get(&uri).body(Script::untouchable()).unwrap();
    assert_refused("off", RejectionKind::Missing, &send(&meta_layer(), unsigned).await);
    let mut signed = meta_request(b"x", Script::data(["x"]));
    *signed.method_mut() = Method::GET;
    let (response, inner) = send(&meta_layer(), signed).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));

    // With one, a signature does not carry a GET to the handler either.
    let signed = Request::get("/webhook").header("x-hub-signature-256", meta_signature(b""));
    let sent = send(&on, signed.body(Script::untouchable()).unwrap()).await;
    assert_refused("signed GET", RejectionKind::HandshakeMalformed, &sent);
}

#[tokio::test]
async fn wrappers_pass_the_handshake_on() {
    let github = GitHub::new(secret());
    let wsapi = Wsapi::new(secret());
    let echoed = "1158201444";
    assert_echoed("Arc", get(Arc::new(meta()), GENUINE).await, echoed).await;
    assert_echoed("tenant", get(meta().for_tenant("7"), GENUINE).await, echoed).await;
    assert_echoed("all, first", get(all_of(meta(), wsapi.clone()), GENUINE).await, echoed).await;
    assert_echoed("all, second", get(all_of(github.clone(), meta()), GENUINE).await, echoed).await;
    assert_echoed("any, first", get(any_of(meta(), wsapi), GENUINE).await, echoed).await;
    assert_echoed("any, second", get(any_of(github, meta()), GENUINE).await, echoed).await;
}

fn slack_request(body: &str) -> Request<Script> {
    let tag = hmac_sha256(SECRET, format!("v0:{NOW}:{body}").as_bytes());
    Request::post("/slack")
        .header("x-slack-request-timestamp", NOW)
        .header("x-slack-signature", format!("v0={tag}"))
        .body(Script::data([body.to_owned()]))
        .unwrap()
}

fn slack() -> Slack {
    Slack::new(secret()).clock(at(NOW))
}

#[tokio::test]
async fn slacks_signed_challenge_is_echoed_and_never_reaches_the_handler() {
    let longest = "9".repeat(256);
    for (name, body, challenge) in [
        (
            "documented",
            r#"{"token":"J","challenge":"3eZbrw1a","type":"url_verification"}"#.to_owned(),
            "3eZbrw1a",
        ),
        ("spaced", r#"{ "type" : "url_verification", "challenge" : "a" }"#.to_owned(), "a"),
        ("escaped", r#"{"type":"url\u005fverification","challenge":"\u003cb>"}"#.to_owned(), "<b>"),
        ("longest", format!(r#"{{"type":"url_verification","challenge":"{longest}"}}"#), &longest),
    ] {
        let sent = send(&SignatureLayer::new(slack()), slack_request(&body)).await;
        assert_echoed(name, sent, challenge).await;
        let sent = send(&SignatureLayer::new(slack().for_tenant("7")), slack_request(&body)).await;
        assert_echoed(name, sent, challenge).await;

        let mut unsigned = slack_request(&body);
        unsigned.headers_mut().remove("x-slack-signature");
        let sent = send(&SignatureLayer::new(slack()), unsigned).await;
        assert_refused(name, RejectionKind::Missing, &sent);

        let mut forged = slack_request(&body);
        *forged.body_mut() = Script::data([body.replace("url", " url")]);
        let sent = send(&SignatureLayer::new(slack()), forged).await;
        assert_refused(name, RejectionKind::SignatureMismatch, &sent);

        let stale = Slack::new(secret()).clock(at(NOW + 301));
        let sent = send(&SignatureLayer::new(stale), slack_request(&body)).await;
        assert_refused(name, RejectionKind::TimestampStale, &sent);
    }
}

#[tokio::test]
async fn what_is_no_challenge_reaches_the_handler() {
    let over_long = "9".repeat(257);
    for (name, body) in [
        ("event", r#"{"type":"event_callback","challenge":"a"}"#.to_owned()),
        ("no type", r#"{"challenge":"a"}"#.to_owned()),
        ("no challenge", r#"{"type":"url_verification"}"#.to_owned()),
        ("challenge of another type", r#"{"type":"url_verification","challenge":1}"#.to_owned()),
        ("nested", r#"{"x":{"type":"url_verification","challenge":"a"}}"#.to_owned()),
        ("named twice", r#"{"type":"a","type":"url_verification","challenge":"a"}"#.to_owned()),
        ("form", "payload=%7B%22type%22%3A%22url_verification%22%7D".to_owned()),
        ("broken", r#"{"type":"url_verification","challenge":"a""#.to_owned()),
        ("empty", String::new()),
        // Echoing much of what a sender chose helps nobody: the handler decides.
        ("over-long", format!(r#"{{"type":"url_verification","challenge":"{over_long}"}}"#)),
    ] {
        let (response, inner) = send(&SignatureLayer::new(slack()), slack_request(&body)).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(inner.only_call().body.bytes(), &body, "{name}");
    }
}
