//! Ownership challenges: unsigned ones (Meta's GET and others), and signed ones (Slack's POST and
//! others).

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower_webhook::{
    ConfigError, PublicUrl, Rejection, RejectionKind, Scheme, Secret, SignatureLayer, Verifier,
    providers::{
        self, BoxVerifier, Dropbox, GitHub, Intercom, Meta, Nylas, SharedToken, Slack, Trello,
        Twitter, Wsapi,
    },
    scheme::{Challenge, Component},
    verifier::{all_of, any_of, with_challenge},
};

use crate::{
    genuine::{NOW, Sent},
    support::{
        AtTime, ByNameAtTime, SECRET, Script, Sha256Mac, Timed, assert_refused, at, hmac_sha256,
        kind, mac, meta_layer, meta_request, meta_signature, secret, send,
    },
};

const GENUINE: &str = "hub.mode=subscribe&hub.verify_token=s3cret&hub.challenge=1158201444";

fn meta() -> Meta {
    Meta::new(secret()).unwrap().verify_token(Secret::new("s3cret").unwrap()).unwrap()
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
async fn challenge_with_bad_token_or_form_is_rejected() {
    use RejectionKind::{ChallengeFailed, ChallengeMalformed};
    let over_long = GENUINE.replace("1158201444", &"9".repeat(257));
    for (name, query, kind) in [
        ("wrong token", GENUINE.replace("s3cret", "nope"), ChallengeFailed),
        ("token in capitals", GENUINE.replace("s3cret", "S3CRET"), ChallengeFailed),
        ("beginning of the token", GENUINE.replace("s3cret", "s3cre"), ChallengeFailed),
        ("more than the token", GENUINE.replace("s3cret", "s3crets"), ChallengeFailed),
        ("the app secret", GENUINE.replace("s3cret", SECRET), ChallengeFailed),
        ("right token second", format!("hub.verify_token=x&{GENUINE}"), ChallengeFailed),
        ("wrong mode", GENUINE.replace("subscribe", "unsubscribe"), ChallengeFailed),
        ("mode in capitals", GENUINE.replace("subscribe", "SUBSCRIBE"), ChallengeFailed),
        ("wrong token, over-long", over_long.replace("s3cret", "nope"), ChallengeFailed),
        ("no token", GENUINE.replace("hub.verify_token", "x"), ChallengeMalformed),
        ("empty token", GENUINE.replace("s3cret", ""), ChallengeMalformed),
        ("no mode", GENUINE.replace("hub.mode", "x"), ChallengeMalformed),
        ("empty mode", GENUINE.replace("subscribe", ""), ChallengeMalformed),
        ("no challenge", GENUINE.replace("hub.challenge", "x"), ChallengeMalformed),
        ("empty challenge", GENUINE.replace("1158201444", ""), ChallengeMalformed),
        ("over-long challenge", over_long, ChallengeMalformed),
        ("not UTF-8", GENUINE.replace("1158201444", "%ff"), ChallengeMalformed),
        ("name in capitals", GENUINE.replace("hub.mode", "HUB.MODE"), ChallengeMalformed),
        ("flood of parameters", format!("{}{GENUINE}", "a&".repeat(5000)), ChallengeMalformed),
        ("nothing", String::new(), ChallengeMalformed),
    ] {
        let sent = get(meta(), &query).await;
        assert_refused(name, kind, &sent);
        let status = if kind == ChallengeFailed { 403 } else { 400 };
        assert_eq!(sent.0.status(), status, "{name}");
    }
    let request = Request::get("/webhook").body(Script::untouchable()).unwrap();
    let sent = send(&SignatureLayer::new(meta()), request).await;
    assert_refused("no query at all", ChallengeMalformed, &sent);
}

#[tokio::test]
async fn each_of_several_verify_tokens_is_accepted() {
    let meta = meta().verify_token(Secret::new("of another number").unwrap()).unwrap();
    for token in ["s3cret", "of+another+number"] {
        let query = GENUINE.replace("s3cret", token);
        assert_echoed(token, get(meta.clone(), &query).await, "1158201444").await;
    }
    // One that is given twice is no less good.
    let twice = self::meta().verify_token(Secret::new("s3cret").unwrap()).unwrap();
    assert_echoed("twice", get(twice, GENUINE).await, "1158201444").await;
    let query = GENUINE.replace("s3cret", "of");
    assert_refused("part", RejectionKind::ChallengeFailed, &get(meta, &query).await);
}

#[tokio::test]
async fn only_get_with_a_verify_token_skips_verification() {
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
    assert_refused("signed GET", RejectionKind::ChallengeMalformed, &sent);
}

#[tokio::test]
async fn wrappers_pass_the_handshake_on() {
    let github = GitHub::new(secret()).unwrap();
    let wsapi = Wsapi::new(secret()).unwrap();
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

fn slack() -> Timed<Slack> {
    Slack::new(secret()).unwrap().clock(at(NOW))
}

#[tokio::test]
async fn slacks_challenge_is_echoed_only_when_signed() {
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

        let stale = Slack::new(secret()).unwrap().clock(at(NOW + 301));
        let sent = send(&SignatureLayer::new(stale), slack_request(&body)).await;
        assert_refused(name, RejectionKind::TimestampStale, &sent);
    }
}

#[tokio::test]
async fn malformed_signed_challenge_is_answered_with_400() {
    let over_long = "9".repeat(257);
    for (name, body) in [
        ("no challenge", r#"{"type":"url_verification"}"#.to_owned()),
        ("empty", r#"{"type":"url_verification","challenge":""}"#.to_owned()),
        ("challenge of another type", r#"{"type":"url_verification","challenge":1}"#.to_owned()),
        ("over-long", format!(r#"{{"type":"url_verification","challenge":"{over_long}"}}"#)),
    ] {
        let (response, inner) = send(&SignatureLayer::new(slack()), slack_request(&body)).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::BAD_REQUEST, 0), "{name}");
        assert_eq!(kind(&response), Some(RejectionKind::ChallengeMalformed), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_challenge_reaches_the_handler() {
    for (name, body) in [
        ("event", r#"{"type":"event_callback","challenge":"a"}"#.to_owned()),
        ("no type", r#"{"challenge":"a"}"#.to_owned()),
        ("nested", r#"{"x":{"type":"url_verification","challenge":"a"}}"#.to_owned()),
        ("named twice", r#"{"type":"a","type":"url_verification","challenge":"a"}"#.to_owned()),
        ("form", "payload=%7B%22type%22%3A%22url_verification%22%7D".to_owned()),
        ("broken", r#"{"type":"url_verification","challenge":"a""#.to_owned()),
        ("empty", String::new()),
    ] {
        let (response, inner) = send(&SignatureLayer::new(slack()), slack_request(&body)).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(inner.only_call().body.bytes(), &body, "{name}");
    }
}

#[tokio::test]
async fn a_challenge_is_looked_for_in_short_bodies_alone() {
    let layer = SignatureLayer::new(slack());
    let challenge = r#"{"type":"url_verification","challenge":"a"}"#;
    let padded = |len| challenge.replace('}', &format!("{}}}", " ".repeat(len - challenge.len())));
    assert_echoed("longest", send(&layer, slack_request(&padded(4096))).await, "a").await;
    let (response, inner) = send(&layer, slack_request(&padded(4097))).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
}

/// A provider by its own type, declared anew, and by name.
fn by_type_and_name(own: impl Verifier) -> [BoxVerifier; 2] {
    let provider = providers::by_name(own.defaults().provider()).unwrap();
    let url = PublicUrl::fixed("https://example.com/hook").ok();
    let named = provider.verifier_at_time(secret(), url, at(NOW)).unwrap();
    [BoxVerifier::new(own), named]
}

fn trello() -> Trello {
    Trello::new(secret(), PublicUrl::fixed("https://example.com/hook").unwrap()).unwrap()
}

async fn assert_answered(name: &str, sent: Sent, content_type: &str, answer: &str) {
    let (response, inner) = sent;
    assert_eq!(inner.count(), 0, "{name}");
    assert_eq!(response.status(), StatusCode::OK, "{name}");
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], content_type, "{name}");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{name}");
    assert!(response.extensions().get::<Rejection>().is_none(), "{name}");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, Bytes::from(answer.to_owned()), "{name}");
}

fn hmac_base64(message: &str) -> String {
    STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), message.as_bytes()))
}

#[tokio::test]
async fn challenges_in_the_query_are_echoed_as_plain_text() {
    let longest = "9".repeat(256);
    for verifier in [
        by_type_and_name(Dropbox::new(secret()).unwrap()),
        by_type_and_name(Nylas::new(secret()).unwrap()),
    ]
    .into_iter()
    .flatten()
    {
        for (name, query, challenge) in [
            ("documented", "challenge=abc-123".to_owned(), "abc-123"),
            ("among others", "x=1&challenge=7&challenge=8&y".to_owned(), "7"),
            ("percent-encoded", "%63hallenge=a%20b+c%26%C3%A9".to_owned(), "a b c&é"),
            ("markup", "challenge=%3Cscript%3E".to_owned(), "<script>"),
            ("controls", "challenge=a%0d%0aset-cookie:%20b%00".to_owned(), "a\r\nset-cookie: b\0"),
            ("longest", format!("challenge={longest}"), &longest),
        ] {
            assert_echoed(name, get(verifier.clone(), &query).await, challenge).await;
        }
        for (name, query) in [
            ("empty", "challenge=".to_owned()),
            ("no value", "challenge".to_owned()),
            ("over-long", format!("challenge={longest}9")),
            ("not UTF-8", "challenge=%ff".to_owned()),
        ] {
            let sent = get(verifier.clone(), &query).await;
            assert_refused(name, RejectionKind::ChallengeMalformed, &sent);
        }
        for query in ["", "x=1", "Challenge=a", "crc_token=a", "xchallenge=a"] {
            assert_refused(query, RejectionKind::Missing, &get(verifier.clone(), query).await);
        }
    }
}

#[tokio::test]
async fn xs_challenge_is_signed_with_the_first_secret() {
    let longest = "9".repeat(256);
    let rotated = Twitter::new([secret(), Secret::new("another").unwrap()]).unwrap();
    let [own, named] = by_type_and_name(Twitter::new(secret()).unwrap());
    for verifier in [own, named, BoxVerifier::new(rotated)] {
        for token in ["challenge_string", "9b4507b3-9040-4669", "YWJj/w==", &longest] {
            let answer = format!(r#"{{"response_token":"sha256={}"}}"#, hmac_base64(token));
            let sent = get(verifier.clone(), &format!("nonce=x&crc_token={token}")).await;
            assert_answered(token, sent, "application/json", &answer).await;
        }
        for (name, token) in [
            ("empty", ""),
            ("over-long", &format!("{longest}9")),
            ("object", "%7B%7D"),
            ("array", "%5B%5D"),
            ("text", "%22a%22"),
            ("spaced", "a+b"),
            ("line end", "a%0A"),
            ("not ASCII", "%C3%A9"),
        ] {
            let sent = get(verifier.clone(), &format!("crc_token={token}")).await;
            assert_refused(name, RejectionKind::ChallengeMalformed, &sent);
        }
        for query in ["", "challenge=a", "CRC_TOKEN=a"] {
            assert_refused(query, RejectionKind::Missing, &get(verifier.clone(), query).await);
        }
    }
}

/// Anybody can ask for the HMAC of a token, and a body's HMAC is its signature.
#[tokio::test]
async fn challenge_answer_is_never_an_accepted_signature() {
    let layer = SignatureLayer::new(Twitter::new(secret()).unwrap());
    for (body, is_accepted) in [
        ("1", false),
        ("true", false),
        ("a=b", false),
        ("{}", true),
        ("[]", true),
        (r#""a""#, true),
    ] {
        let request = Request::post("/")
            .header("x-twitter-webhooks-signature", format!("sha256={}", hmac_base64(body)))
            .body(Script::data([body]))
            .unwrap();
        let sent = send(&layer, request).await;
        if is_accepted {
            assert_eq!((sent.0.status(), sent.1.count()), (StatusCode::OK, 1), "{body}");
        } else {
            assert_refused(body, RejectionKind::SignatureMismatch, &sent);
        }
        let encoded: String = body.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = get(Twitter::new(secret()).unwrap(), &format!("crc_token={encoded}")).await.0;
        assert_eq!(answer.status() == StatusCode::OK, !is_accepted, "{body}");
    }
}

#[tokio::test]
async fn a_head_is_answered_with_an_empty_200() {
    for verifier in [by_type_and_name(trello()), by_type_and_name(Intercom::new(secret()).unwrap())]
        .into_iter()
        .flatten()
    {
        let name = verifier.defaults().provider();
        let layer = SignatureLayer::new(verifier);
        let request = Request::head("/hook?x=1").body(Script::untouchable()).unwrap();
        let (response, inner) = send(&layer, request).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0), "{name}");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty(), "{name}");
        for method in ["GET", "POST", "OPTIONS", "head"] {
            let request = Request::builder().method(method).uri("/hook");
            let sent = send(&layer, request.body(Script::untouchable()).unwrap()).await;
            assert_refused(method, RejectionKind::Missing, &sent);
        }
    }
    let github = SignatureLayer::new(GitHub::new(secret()).unwrap());
    let request = Request::head("/").body(Script::untouchable()).unwrap();
    assert_refused("others", RejectionKind::Missing, &send(&github, request).await);
}

#[cfg(feature = "sign")]
mod signed {
    use tower_webhook::{
        providers::{Front, Twitch, Xero, Zoom},
        sign::{Sign, signed},
    };

    use super::*;

    fn time() -> std::time::SystemTime {
        at(NOW)()
    }

    fn sent_by<S: Sign>(signer: &S, request: Request<String>) -> Request<Script> {
        signed(signer, request, time()).unwrap().map(|body| Script::data([body]))
    }

    fn zoom() -> Timed<Zoom> {
        Zoom::new(secret()).unwrap().clock(at(NOW))
    }

    fn twitch() -> Timed<Twitch> {
        Twitch::new(secret()).unwrap().clock(at(NOW))
    }

    fn front() -> Timed<Front> {
        Front::new(secret()).unwrap().clock(at(NOW))
    }

    fn zoom_challenge(token: &str) -> Request<String> {
        let body = format!(
            r#"{{"payload":{{"plainToken":{token}}},"event_ts":1,"event":"endpoint.url_validation"}}"#
        );
        Request::post("/zoom").body(body).unwrap()
    }

    fn twitch_request(kind: &str, body: &str) -> Request<String> {
        let request = Request::post("/twitch").header("twitch-eventsub-message-type", kind);
        request.body(body.to_owned()).unwrap()
    }

    fn front_request(challenge: &str, body: &str) -> Request<String> {
        let request = Request::post("/front").header("x-front-challenge", challenge);
        request.body(body.to_owned()).unwrap()
    }

    const VERIFICATION: &str = "webhook_callback_verification";

    /// The same request unsigned, changed, late, and under another secret.
    async fn assert_only_signed<S: Sign>(
        verifier: &BoxVerifier,
        signer: &S,
        other: &S,
        signature: &'static str,
        request: &Request<String>,
    ) {
        let name = verifier.defaults().provider();
        let layer = SignatureLayer::new(verifier.clone());
        let mut unsigned = sent_by(signer, request.clone());
        unsigned.headers_mut().remove(signature);
        assert_refused(name, RejectionKind::Missing, &send(&layer, unsigned).await);

        let mut forged = sent_by(signer, request.clone());
        *forged.body_mut() = Script::data([request.body().replacen('{', "{ ", 1)]);
        let sent = send(&layer, forged).await;
        assert_refused(name, RejectionKind::SignatureMismatch, &sent);

        let sent = send(&layer, sent_by(other, request.clone())).await;
        assert_refused(name, RejectionKind::SignatureMismatch, &sent);

        let tolerance = providers::by_name(name).unwrap().tolerance().unwrap();
        let late = tolerance.past() + std::time::Duration::from_secs(1);
        let stale = signed(signer, request.clone(), time() - late).unwrap();
        let sent = send(&layer, stale.map(|body| Script::data([body]))).await;
        assert_refused(name, RejectionKind::TimestampStale, &sent);

        // The answer is a POST's alone: another method is like any other request.
        let mut put = request.clone();
        *put.method_mut() = Method::PUT;
        let (response, inner) = send(&layer, sent_by(signer, put)).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{name}");
    }

    async fn assert_malformed(name: &str, (response, inner): Sent) {
        assert_eq!(inner.count(), 0, "{name}");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty(), "{name}");
    }

    fn other_secret() -> Secret {
        Secret::new("another secret").unwrap()
    }

    #[tokio::test]
    async fn zooms_challenge_is_answered_with_its_tokens_hmac() {
        let longest = "9".repeat(256);
        let rotated = Zoom::new([secret(), other_secret()]).unwrap().clock(at(NOW));
        let [own, named] = by_type_and_name(zoom());
        for verifier in [own, named, BoxVerifier::new(rotated.clone())] {
            let layer = SignatureLayer::new(verifier.clone());
            for token in ["qgg8vlvZRS6UYooatFL8Aw", "a+/=_-", &longest] {
                let request = sent_by(&zoom(), zoom_challenge(&format!("\"{token}\"")));
                let tag = hmac_sha256(SECRET, token.as_bytes());
                let answer = format!(r#"{{"plainToken":"{token}","encryptedToken":"{tag}"}}"#);
                let sent = send(&layer, request).await;
                assert_answered(token, sent, "application/json", &answer).await;
            }
            for (name, token) in [
                ("number", "1"),
                ("nothing", "null"),
                ("empty", r#""""#),
                ("over-long", &format!("\"{longest}9\"")),
                ("quote", r#""a\"b""#),
                ("markup", r#""<b>""#),
                ("line end", r#""a\n""#),
                ("what a signature covers", r#""v0:1700000000:{}""#),
                ("named twice", r#""a","plainToken":"b""#),
            ] {
                let request = sent_by(&zoom(), zoom_challenge(token));
                assert_malformed(name, send(&layer, request).await).await;
            }
        }
        let [own, _] = by_type_and_name(zoom());
        let other = Zoom::new(other_secret()).unwrap().clock(at(NOW));
        let request = zoom_challenge(r#""a""#);
        assert_only_signed(&own, &zoom(), &other, "x-zm-signature", &request).await;

        // The first secret answers, whichever has signed.
        let request = sent_by(&other, zoom_challenge(r#""a""#));
        let tag = hmac_sha256(SECRET, b"a");
        let answer = format!(r#"{{"plainToken":"a","encryptedToken":"{tag}"}}"#);
        let sent = send(&SignatureLayer::new(rotated), request).await;
        assert_answered("rotated", sent, "application/json", &answer).await;
    }

    #[tokio::test]
    async fn twitchs_signed_challenge_is_echoed() {
        let longest = "9".repeat(256);
        for verifier in by_type_and_name(twitch()) {
            let layer = SignatureLayer::new(verifier.clone());
            for (name, challenge, echoed) in [
                ("documented", r#""pogchamp-kappa-360noscope""#, "pogchamp-kappa-360noscope"),
                ("markup", r#""<b>""#, "<b>"),
                ("controls", r#""a\r\n\u0000""#, "a\r\n\0"),
                ("longest", &format!("\"{longest}\""), &longest),
            ] {
                let body = format!(r#"{{"subscription":{{}},"challenge":{challenge}}}"#);
                let request = sent_by(&twitch(), twitch_request(VERIFICATION, &body));
                assert_echoed(name, send(&layer, request).await, echoed).await;
            }
            for (name, body) in [
                ("none", r#"{"event":{"challenge":"a"}}"#),
                ("number", r#"{"challenge":1}"#),
                ("empty", r#"{"challenge":""}"#),
                ("twice", r#"{"challenge":"a","challenge":"b"}"#),
                ("over-long", &format!(r#"{{"challenge":"{longest}9"}}"#)),
                ("broken", r#"{"challenge":"a""#),
            ] {
                let request = sent_by(&twitch(), twitch_request(VERIFICATION, body));
                assert_malformed(name, send(&layer, request).await).await;
            }
            let other = Twitch::new(other_secret()).unwrap().clock(at(NOW));
            let header = "twitch-eventsub-message-signature";
            let request = twitch_request(VERIFICATION, r#"{"challenge":"a"}"#);
            assert_only_signed(&verifier, &twitch(), &other, header, &request).await;
        }
    }

    #[tokio::test]
    async fn fronts_signed_challenge_is_echoed() {
        let longest = "9".repeat(256);
        for verifier in by_type_and_name(front()) {
            let layer = SignatureLayer::new(verifier.clone());
            for challenge in ["abc", "<b>", &longest] {
                let request = sent_by(&front(), front_request(challenge, r#"{"type":"sync"}"#));
                assert_echoed(challenge, send(&layer, request).await, challenge).await;
            }
            let mut twice = front_request("a", r#"{"type":"sync"}"#);
            twice.headers_mut().append("x-front-challenge", "b".parse().unwrap());
            let over_long = front_request(&format!("{longest}9"), r#"{"type":"sync"}"#);
            let empty = front_request("", r#"{"type":"sync"}"#);
            for (name, request) in [("twice", twice), ("over-long", over_long), ("empty", empty)] {
                let request = sent_by(&front(), request);
                assert_malformed(name, send(&layer, request).await).await;
            }
            let other = Front::new(other_secret()).unwrap().clock(at(NOW));
            let request = front_request("a", r#"{"type":"sync"}"#);
            assert_only_signed(&verifier, &front(), &other, "x-front-signature", &request).await;
        }
    }

    #[tokio::test]
    async fn what_is_no_signed_challenge_reaches_the_handler() {
        let zoom_body = |body: &str| Request::post("/").body(body.to_owned()).unwrap();
        let requests = [
            ("zoom, event", sent_by(&zoom(), zoom_body(r#"{"event":"meeting.started"}"#))),
            (
                "zoom, nested",
                sent_by(&zoom(), zoom_body(r#"{"x":{"event":"endpoint.url_validation"}}"#)),
            ),
            ("zoom, no JSON", sent_by(&zoom(), zoom_body("endpoint.url_validation"))),
            (
                "twitch, event",
                sent_by(&twitch(), twitch_request("notification", r#"{"challenge":"a"}"#)),
            ),
            (
                "twitch, prefix",
                sent_by(&twitch(), twitch_request("webhook", r#"{"challenge":"a"}"#)),
            ),
            ("twitch, no type", sent_by(&twitch(), zoom_body(r#"{"challenge":"a"}"#))),
            ("front, event", sent_by(&front(), front_request("a", r#"{"type":"message"}"#))),
            ("front, no header", sent_by(&front(), zoom_body(r#"{"type":"sync"}"#))),
        ];
        for (name, request) in requests {
            let (provider, _) = name.split_once(',').unwrap();
            let provider = providers::by_name(provider).unwrap();
            let verifier = provider.verifier_at_time(secret(), None, at(NOW)).unwrap();
            let (response, inner) = send(&SignatureLayer::new(verifier), request).await;
            assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{name}");
        }
    }

    #[tokio::test]
    async fn only_the_accepting_verifier_answers_a_challenge() {
        let other = || Zoom::new(other_secret()).unwrap().clock(at(NOW));
        let either = || any_of(zoom(), other());
        let github = || GitHub::new(secret()).unwrap();
        let tag = hmac_sha256("another secret", b"a");
        let answer = format!(r#"{{"plainToken":"a","encryptedToken":"{tag}"}}"#);
        for (name, verifier) in [
            ("second", BoxVerifier::new(either())),
            ("first", BoxVerifier::new(any_of(other(), zoom()))),
            ("second's second", BoxVerifier::new(any_of(github(), either()))),
            ("first's second", BoxVerifier::new(any_of(either(), github()))),
            ("in both", BoxVerifier::new(all_of(either(), any_of(other(), zoom())))),
            ("all of two", BoxVerifier::new(all_of(other(), either()))),
            (
                "wrapped",
                BoxVerifier::new(any_of(
                    Arc::new(either()).for_tenant("7"),
                    BoxVerifier::new(github()),
                )),
            ),
            (
                "with a challenge beside it",
                BoxVerifier::new(with_challenge(either(), Challenge::Head).unwrap()),
            ),
        ] {
            let request = sent_by(&other(), zoom_challenge(r#""a""#));
            let sent = send(&SignatureLayer::new(verifier), request).await;
            assert_answered(name, sent, "application/json", &answer).await;
        }

        // Refused, it answers nothing.
        let echoes = Challenge::SignedHeader {
            header: "x-challenge",
            field: "type",
            value: "url_verification",
        };
        let token = SharedToken::new(header::AUTHORIZATION, secret()).unwrap();
        let token = with_challenge(token, echoes).unwrap();
        let request = || {
            let request = Request::post("/").header("x-challenge", "a");
            sent_by(&github(), request.body(r#"{"type":"url_verification"}"#.to_owned()).unwrap())
        };
        let layer = SignatureLayer::new(any_of(token.clone(), github()));
        let (response, inner) = send(&layer, request()).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
        // Both accept, one answers, wherever it stands.
        let both = || {
            let mut both = request();
            both.headers_mut().insert(header::AUTHORIZATION, SECRET.parse().unwrap());
            both
        };
        for (name, verifier) in [
            ("any, first", BoxVerifier::new(any_of(token.clone(), github()))),
            ("any, second", BoxVerifier::new(any_of(github(), token.clone()))),
            ("all, first", BoxVerifier::new(all_of(token.clone(), github()))),
            ("all, second", BoxVerifier::new(all_of(github(), token.clone()))),
        ] {
            assert_echoed(name, send(&SignatureLayer::new(verifier), both()).await, "a").await;
        }
        let (head, _) = both().into_parts();
        let body = Bytes::from(r#"{"type":"url_verification"}"#);
        let verified = tower_webhook::verify(&token, &head, &body).unwrap();
        assert_eq!(verified.reply().unwrap().body(), "a", "outside the layer");
        let layer = SignatureLayer::new(all_of(github(), token));
        assert_refused("all", RejectionKind::Missing, &send(&layer, request()).await);
    }

    /// The query or the method of a challenge is no way round verification.
    #[tokio::test]
    async fn challenge_query_with_other_methods_is_verified() {
        async fn check<S: Sign + Clone>(own: S, query: &str) {
            let uri = format!("https://example.com/hook?{query}");
            for verifier in by_type_and_name(own.clone()) {
                let layer = SignatureLayer::new(verifier);
                for method in ["POST", "PUT", "OPTIONS", "DELETE", "PATCH", "get", "QUERY"] {
                    let request = Request::builder().method(method).uri(&uri);
                    let unsigned = request.body(Script::untouchable()).unwrap();
                    assert_refused(method, RejectionKind::Missing, &send(&layer, unsigned).await);

                    let request = Request::builder().method(method).uri(&uri);
                    let request = sent_by(&own, request.body("{}".to_owned()).unwrap());
                    let (response, inner) = send(&layer, request).await;
                    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{method}");
                }
            }
        }
        check(Dropbox::new(secret()).unwrap(), "challenge=a").await;
        check(Nylas::new(secret()).unwrap(), "challenge=a").await;
        check(Twitter::new(secret()).unwrap(), "crc_token=a").await;
        check(Intercom::new(secret()).unwrap(), "challenge=a").await;
        check(trello(), "challenge=a").await;
    }

    #[tokio::test]
    async fn xeros_setup_gets_empty_401_for_a_bad_signature() {
        let body = r#"{"events":[],"firstEventSequence":0,"lastEventSequence":0}"#;
        let request = || Request::post("/").body(body.to_owned()).unwrap();
        for verifier in by_type_and_name(Xero::new(secret()).unwrap()) {
            let layer = SignatureLayer::new(verifier);
            let (response, inner) =
                send(&layer, sent_by(&Xero::new(secret()).unwrap(), request())).await;
            assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));

            let (response, inner) =
                send(&layer, sent_by(&Xero::new(other_secret()).unwrap(), request())).await;
            assert_eq!((response.status(), inner.count()), (StatusCode::UNAUTHORIZED, 0));
            assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
    }
}

#[test]
fn a_handshake_that_could_sign_requests_is_no_scheme() {
    const CRC: Scheme = Scheme::hmac_sha256("x-a").challenge(Challenge::CrcToken);
    const SHA1: Scheme = Scheme::hmac_sha1("x-a").challenge(Challenge::PlainToken);
    for (name, scheme, is_sound) in [
        ("the body alone", CRC, true),
        (
            "a literal of no token",
            CRC.signed_content(&[Component::Literal("v0:"), Component::Body]),
            true,
        ),
        (
            "a literal of tokens",
            CRC.signed_content(&[Component::Literal("v0."), Component::Body]),
            false,
        ),
        ("an empty literal", CRC.signed_content(&[Component::Literal(""), Component::Body]), false),
        ("the method", CRC.signed_content(&[Component::Method, Component::Body]), false),
        ("another algorithm", SHA1, false),
    ] {
        let verifier = scheme.verifier(secret());
        assert_eq!(verifier.is_ok(), is_sound, "{name}");
        let is_named = matches!(verifier, Ok(_) | Err(ConfigError::SchemeInvalid { .. }));
        assert!(is_named, "{name}");
    }
}

#[test]
fn challenge_with_invalid_header_name_is_rejected() {
    for (name, is_built) in [("x-challenge", true), ("X-Challenge", false), ("x challenge", false)]
    {
        for challenge in [
            Challenge::Header(name),
            Challenge::HeaderToJson { header: name, field: "verification" },
            Challenge::SignedField { header: name, value: "v", field: "challenge" },
            Challenge::SignedHeader { header: name, field: "type", value: "v" },
        ] {
            assert_eq!(
                with_challenge(SharedToken::in_query("code", SECRET).unwrap(), challenge).is_ok(),
                is_built,
                "{challenge:?}"
            );
        }
    }
}

#[tokio::test]
async fn any_verifier_can_be_given_a_handshake() {
    let token = || SharedToken::new(header::AUTHORIZATION, secret()).unwrap();
    let layer = |challenge| SignatureLayer::new(with_challenge(token(), challenge).unwrap());
    let request = |method: &str, uri: &str, headers: &[(&'static str, &str)]| {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Script::data([""; 0])).unwrap()
    };
    const OKTA: &str = "x-okta-verification-challenge";
    const WORLDLINE: &str = "x-gcs-webhooks-endpoint-verification";
    let okta = layer(Challenge::HeaderToJson { header: OKTA, field: "verification" });
    let worldline = layer(Challenge::Header(WORLDLINE));
    let graph = layer(Challenge::PostQuery("validationToken"));

    let sent = send(&okta, request("GET", "/", &[(OKTA, "a-b_1")])).await;
    assert_answered("okta", sent, "application/json", r#"{"verification":"a-b_1"}"#).await;
    let sent = send(&worldline, request("GET", "/", &[(WORLDLINE, "<b>")])).await;
    assert_echoed("worldline", sent, "<b>").await;
    let uri = "/?validationToken=Validation%3a+Testing%3Cb%3E";
    let sent = send(&graph, request("POST", uri, &[])).await;
    assert_echoed("graph", sent, "Validation: Testing<b>").await;

    let over_long = "9".repeat(257);
    for (name, layer, request) in [
        ("okta, quote", &okta, request("GET", "/", &[(OKTA, r#"a"b"#)])),
        ("okta, over-long", &okta, request("GET", "/", &[(OKTA, &over_long)])),
        ("okta, empty", &okta, request("GET", "/", &[(OKTA, "")])),
        ("okta, twice", &okta, request("GET", "/", &[(OKTA, "a"), (OKTA, "b")])),
        ("worldline, over-long", &worldline, request("GET", "/", &[(WORLDLINE, &over_long)])),
        ("graph, empty", &graph, request("POST", "/?validationToken=", &[])),
        (
            "graph, over-long",
            &graph,
            request("POST", &format!("/?validationToken={over_long}"), &[]),
        ),
    ] {
        let sent = send(layer, request).await;
        assert_refused(name, RejectionKind::ChallengeMalformed, &sent);
    }
    for (name, layer, method, uri, header) in [
        ("okta", &okta, "POST", "/", OKTA),
        ("worldline", &worldline, "POST", "/", WORLDLINE),
        ("graph", &graph, "GET", uri, OKTA),
        ("others", &okta, "GET", "/", WORLDLINE),
    ] {
        let sent = send(layer, request(method, uri, &[(header, "a")])).await;
        assert_refused(name, RejectionKind::Missing, &sent);
        let genuine = request(method, uri, &[(header, "a"), ("authorization", SECRET)]);
        let (response, inner) = send(layer, genuine).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1), "{name}");
    }
    // The verifier's own comes first.
    let both = with_challenge(meta(), Challenge::Head).unwrap();
    assert_echoed("own", get(both, GENUINE).await, "1158201444").await;
    for keyed in [Challenge::CrcToken, Challenge::PlainToken] {
        let refused = with_challenge(token(), keyed);
        assert!(matches!(refused, Err(ConfigError::SchemeInvalid { .. })), "{keyed:?}");
    }
}
