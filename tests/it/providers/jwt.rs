//! Providers that sign with a JSON Web Token. Tokens are made with the primitives.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Request, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::BodyExt;
use sha2::Digest;
use tower_webhook::{
    PublicUrl, Rejection, RejectionKind, SignatureLayer, Verified, Verifier,
    providers::{
        AtlassianConnect, FusionAuth, LiveKit, MessageBird, Monday, Netlify, Upstash, Vonage,
    },
    scheme::Tolerance,
    verifier::Field,
};

use crate::support::{
    AtTime, SECRET, Script, Sha256Mac, at, head_of, hex, mac, secret, send, verify,
};

const NOW: u64 = 1_700_000_000;
const BODY: &str = r#"{"id":"1"}"#;
const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn url() -> PublicUrl {
    PublicUrl::base("https://a.example").unwrap()
}

fn token_by(key: &str, header: &str, claims: &str) -> String {
    let encode = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    format!("{message}.{}", encode(&mac::<Sha256Mac>(key.as_bytes(), message.as_bytes())))
}

fn token(claims: &str) -> String {
    token_by(SECRET, HS256, claims)
}

fn sha256_hex(text: &str) -> String {
    hex(&sha2::Sha256::digest(text))
}

fn sha256_base64(text: &str) -> String {
    STANDARD.encode(sha2::Sha256::digest(text))
}

fn head(name: &str, value: &str) -> Parts {
    head_of(Request::post("/hook").header(name, value).body(()).unwrap())
}

fn judge(
    verifier: &impl Verifier,
    name: &str,
    value: &str,
    body: &'static str,
) -> Result<Verified, Rejection> {
    verify(verifier, &head(name, value), &Bytes::from_static(body.as_bytes()))
}

/// The claims of a LiveKit webhook under this API key.
fn livekit(key: &str) -> String {
    let (end, hash) = (NOW + 300, sha256_base64(BODY));
    format!(r#"{{"iss":"{key}","nbf":{NOW},"exp":{end},"sha256":"{hash}"}}"#)
}

#[tokio::test]
async fn token_is_judged_before_the_body() {
    let wrong = token_by("another secret", HS256, "{}");
    let bearer = format!("Bearer {wrong}");
    async fn check<V: Verifier + Clone>(verifier: V, name: &str, value: &str) {
        let request = Request::post("/hook").header(name, value);
        let request = request.body(Script::untouchable()).unwrap();
        let (response, inner) = send(&SignatureLayer::new(verifier), request).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0), "{name}");
    }
    check(Netlify::new(secret()).unwrap(), "x-webhook-signature", &wrong).await;
    check(FusionAuth::new(secret()).unwrap(), "x-fusionauth-signature-jwt", &wrong).await;
    check(LiveKit::new("key", secret()).unwrap(), "authorization", &wrong).await;
    check(Vonage::new(secret()).unwrap(), "authorization", &bearer).await;
    check(Upstash::new(secret(), url()).unwrap(), "upstash-signature", &wrong).await;
    let jwt = format!("JWT {wrong}");
    check(AtlassianConnect::new("key", secret()).unwrap(), "authorization", &jwt).await;
    check(Monday::new(secret(), url()).unwrap(), "authorization", &wrong).await;
    let messagebird = MessageBird::new(secret(), url()).unwrap();
    check(messagebird, "messagebird-signature-jwt", &wrong).await;
}

/// A participant of a room has a token under the same secret.
#[test]
fn livekit_token_of_a_participant_is_rejected() {
    let verifier = LiveKit::new("key", secret()).unwrap().clock(at(NOW));
    let join = format!(
        r#"{{"iss":"key","sub":"alice","nbf":{NOW},"exp":{},"video":{{"roomJoin":true}}}}"#,
        NOW + 21_600
    );
    let why = judge(&verifier, "authorization", &token(&join), BODY).unwrap_err();
    assert_eq!(why.kind(), RejectionKind::BodyNotSigned, "{why}");
    assert_eq!(why.field(), Some(Field::Jwt("sha256".into())), "{why}");
}

#[test]
fn livekit_secret_signs_only_for_its_own_api_key() {
    let verifier = LiveKit::new("old", "secret of the old key").unwrap();
    let verifier = verifier.key("new", ["one more", SECRET]).unwrap().clock(at(NOW));
    let judge = |key: &str, claims: &str| {
        judge(&verifier, "authorization", &token_by(key, HS256, claims), BODY)
    };
    assert_eq!(judge(SECRET, &livekit("new")).unwrap().key_index(), 2);
    assert_eq!(judge("secret of the old key", &livekit("old")).unwrap().key_index(), 0);
    for (key, id) in [(SECRET, "old"), ("secret of the old key", "new"), (SECRET, "")] {
        let why = judge(key, &livekit(id)).unwrap_err();
        assert_eq!(why.field(), Some(Field::Jwt("iss".into())), "{why}");
    }
    assert!(LiveKit::new("", secret()).is_err());
    assert!(LiveKit::new("a", ["x"; 17].map(|_| secret())).is_err());
}

#[test]
fn expiry_and_leeway_bound_a_token() {
    let at_leeway = |leeway, now| {
        let verifier = LiveKit::new("key", secret()).unwrap();
        let verifier = verifier.leeway(Duration::from_secs(leeway)).clock(at(now));
        judge(&verifier, "authorization", &token(&livekit("key")), BODY)
    };
    let verified = at_leeway(10, NOW + 100).unwrap();
    assert_eq!(verified.valid_for(), Some(Duration::from_secs(210)));
    assert_eq!(verified.signed_at(), Some(at(NOW)()));
    assert!(verified.has_unique_replay_key() && verified.body_is_signed());
    for (leeway, now, expected) in [
        (0, NOW + 300, Ok(())),
        (0, NOW + 301, Err((RejectionKind::TimestampStale, 301_000))),
        (60, NOW + 360, Ok(())),
        (60, NOW + 361, Err((RejectionKind::TimestampStale, 361_000))),
        (0, NOW, Ok(())),
        (0, NOW - 1, Err((RejectionKind::TimestampInFuture, -1000))),
        (60, NOW - 60, Ok(())),
    ] {
        let judged = at_leeway(leeway, now).map(drop);
        let judged = judged.map_err(|why| (why.kind(), why.age_millis().unwrap()));
        assert_eq!(judged, expected, "leeway of {leeway} at {now}");
    }
}

/// A clock that cannot be right asks for a retry, and rejects no token for good.
#[test]
fn unreliable_clock_is_no_verdict_on_a_token() {
    let verifier = LiveKit::new("key", secret()).unwrap().clock(at(0));
    let why = judge(&verifier, "authorization", &token(&livekit("key")), BODY).unwrap_err();
    assert_eq!(why.kind(), RejectionKind::ClockUnreliable, "{why}");
}

#[test]
fn vonage_time_has_a_tolerance() {
    let (hash, later) = (sha256_hex(BODY), NOW + 60);
    let claims = format!(
        r#"{{"iss":"Vonage","iat":{NOW},"jti":"1","payload_hash":"{hash}","exp":{later}}}"#
    );
    let vonage = |now, past| {
        let vonage = Vonage::new(secret()).unwrap();
        let vonage = vonage.tolerance(Tolerance::seconds(past)).clock(at(now));
        judge(&vonage, "authorization", &format!("bearer  {}", token(&claims)), BODY)
    };
    // Whichever ends first: the tolerance or the token.
    assert_eq!(vonage(NOW, 30).unwrap().valid_for(), Some(Duration::from_secs(30)));
    assert_eq!(vonage(NOW, 300).unwrap().valid_for(), Some(Duration::from_secs(70)));
    for (now, past, field) in [(NOW + 31, 30, "iat"), (NOW + 71, 300, "exp")] {
        let why = vonage(now, past).unwrap_err();
        assert_eq!(why.kind(), RejectionKind::TimestampStale, "{why}");
        assert_eq!(why.field(), Some(Field::Jwt(field.into())), "{why}");
    }
}

/// monday.com signs no body, so the proof must not say that it does.
#[tokio::test]
async fn monday_proves_the_sender_and_answers_its_challenge() {
    let claims = |path: &str| {
        format!(r#"{{"aud":"https://a.example{path}","exp":{},"iat":{NOW}}}"#, NOW + 300)
    };
    let verifier = || Monday::new(secret(), url()).unwrap().clock(at(NOW));
    for body in [BODY, "", "another"] {
        let verified = judge(&verifier(), "authorization", &token(&claims("/hook")), body).unwrap();
        assert!(!verified.body_is_signed() && verified.replay_key().is_none());
    }
    let why = judge(&verifier(), "authorization", &token(&claims("/b")), BODY).unwrap_err();
    assert_eq!(why.field(), Some(Field::Jwt("aud".into())), "{why}");
    assert_eq!(why.signed_url().as_deref(), Some("https://a.example/hook"));

    const CHALLENGE: &str = r#"{"challenge":"YQIn0dCoBu2zspb4TpQTXz8WKRpZOjXi9r7_7__BBA9H"}"#;
    let layer = SignatureLayer::new(Monday::new(secret(), url()).unwrap()).clock(at(NOW));
    let ask = async |token: Option<String>, body: &'static str| {
        let request = Request::post("/hook").header(CONTENT_TYPE, "application/json");
        let request = match token {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        let body = Script::data([body]).declared(body.len() as u64);
        let (response, inner) = send(&layer, request.body(body).unwrap()).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap(), inner.count())
    };
    let answered = (StatusCode::OK, CHALLENGE.to_owned(), 0);
    assert_eq!(ask(None, CHALLENGE).await, answered);
    assert_eq!(ask(Some(token(&claims("/hook"))), CHALLENGE).await, answered);
    let (status, _, calls) = ask(Some(token("{}")), CHALLENGE).await;
    assert_eq!((status, calls), (StatusCode::FORBIDDEN, 0));
    let (status, _, calls) = ask(Some(token(&claims("/hook"))), r#"{"challenge":"<b>"}"#).await;
    assert_eq!((status, calls), (StatusCode::OK, 1));
}

#[test]
fn atlassian_path_is_relative_to_the_app() {
    let judge = |base_path: &str, target: &str, signed: &str| {
        let verifier = AtlassianConnect::new("client", secret()).unwrap();
        let verifier = verifier.base_path(base_path).clock(at(NOW));
        let (hash, end) = (sha256_hex(&format!("POST&{signed}")), NOW + 180);
        let claims = format!(r#"{{"iss":"client","iat":{NOW},"exp":{end},"qsh":"{hash}"}}"#);
        let mut head = head("authorization", &format!("JWT {}", token(&claims)));
        head.uri = target.parse().unwrap();
        assert_eq!(AtlassianConnect::client_key(&head).as_deref(), Some("client"));
        verify(&verifier, &head, &Bytes::from_static(BODY.as_bytes())).map(|proof| {
            assert!(!proof.body_is_signed() && proof.replay_key().is_none());
        })
    };
    judge("", "/hook?b=2&a=1", "/hook&a=1&b=2").unwrap();
    judge("/app", "/app/hook", "/hook&").unwrap();
    judge("/app/", "/app/hook/", "/hook&").unwrap();
    judge("/app", "/app", "/&").unwrap();
    judge("app", "/app/hook", "/hook&").unwrap();
    // One token is for one path.
    for (target, signed) in [("/hook", "/hook&"), ("/apple", "/apple&"), ("/apple", "/le&")] {
        let why = judge("/app", target, signed).unwrap_err();
        assert_eq!(why.field(), Some(Field::Path), "{why}");
    }
    let why = judge("/app", "/app/hook", "/app/hook&").unwrap_err();
    assert_eq!(why.field(), Some(Field::Jwt("qsh".into())), "{why}");
    assert_eq!(AtlassianConnect::client_key(&head("authorization", "Bearer x")), None);
}

/// Claims must not depend on the reader.
#[test]
fn claims_that_two_readers_could_read_differently() {
    let netlify = Netlify::new(secret()).unwrap().clock(at(NOW));
    let hash = sha256_hex(BODY);
    let judge = |claims: &str| judge(&netlify, "x-webhook-signature", &token(claims), BODY);
    let valid = format!(r#""sha256":"{hash}","iss":"netlify""#);
    judge(&format!("{{{valid}}}")).unwrap();
    judge(&format!(r#"{{{valid},"other":{{"iss":"x"}},"list":[1,{{}}]}}"#)).unwrap();
    for (claims, field) in [
        (format!(r#"{{{valid},"iss":"netlify"}}"#), "iss"),
        (format!(r#"{{{valid},"i\u0073s":"netlify"}}"#), "iss"),
        (format!(r#"{{{valid},"sha256":"{hash}"}}"#), "sha256"),
        (format!(r#"{{{valid},"exp":{},"exp":{}}}"#, NOW + 1, NOW + 2), "exp"),
        (format!(r#"{{{valid},"exp":null}}"#), "exp"),
        (format!(r#"{{{valid},"exp":1e999}}"#), "exp"),
        (format!(r#"{{{valid},"exp":99999999999999999999}}"#), "exp"),
        (format!(r#"{{{valid},"nbf":-1}}"#), "nbf"),
        (format!(r#"{{{valid},"nbf":1.5e9}}"#), "nbf"),
    ] {
        let why = judge(&claims).unwrap_err();
        assert_eq!(why.kind(), RejectionKind::Malformed, "{claims}: {why}");
        assert_eq!(why.field(), Some(Field::Jwt(field.into())), "{claims}: {why}");
    }
    let deep = format!("{{{valid},\"x\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
    for claims in ["", "null", "[]", "\"\"", "{", &deep, &format!("{{{valid}}} {{}}")] {
        let kind = judge(claims).unwrap_err().kind();
        assert_eq!(kind, RejectionKind::Malformed, "{claims:.80}");
    }
}

/// The algorithm is the configuration's, and never the message's.
#[test]
fn token_cannot_choose_its_algorithm() {
    let netlify = Netlify::new(secret()).unwrap();
    let claims = format!(r#"{{"iss":"netlify","sha256":"{}"}}"#, sha256_hex(BODY));
    let judge = |header: &str| {
        let token = token_by(SECRET, header, &claims);
        judge(&netlify, "x-webhook-signature", &token, BODY).map_err(|why| why.kind())
    };
    judge(r#"{"alg":"HS256"}"#).unwrap();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        "",
        "[]",
    ] {
        assert_eq!(judge(header).unwrap_err(), RejectionKind::Malformed, "{header}");
    }
}

#[cfg(feature = "explain")]
#[test]
fn rejected_token_is_explained() {
    use tower_webhook::explain::{Cause, explain};
    let netlify = Netlify::new(secret()).unwrap();
    let header = "x-webhook-signature";
    let claims = format!(r#"{{"iss":"netlify","sha256":"{}"}}"#, sha256_hex(BODY));
    let shown = |verifier: &dyn Fn(&Parts, &Bytes) -> String, value: &str, body| {
        verifier(&head(header, value), &Bytes::from_static(body))
    };
    let of = |head: &Parts, body: &Bytes| explain(&netlify, head, body).to_string();
    let changed = shown(&of, &token(&claims), br#"{"id":"2"}"#);
    assert!(changed.contains("digest_differs"), "{changed}");
    let hs512 = token_by(SECRET, r#"{"alg":"HS512"}"#, &claims);
    let explained = shown(&of, &hs512, BODY.as_bytes());
    assert!(explained.contains("HS512"), "{explained}");
    let public = token_by(SECRET, r#"{"alg":"RS256"}"#, &claims);
    let explained = shown(&of, &public, BODY.as_bytes());
    assert!(explained.contains("a public key"), "{explained}");
    let padded = Netlify::new(tower_webhook::Secret::from_bytes(format!("{SECRET}\n")).unwrap());
    let explained = explain(
        &padded.unwrap(),
        &head(header, &token(&claims)),
        &Bytes::from_static(BODY.as_bytes()),
    );
    assert_eq!(explained.proven(), Some(Cause::SecretPadded), "{explained}");
    let wrong = PublicUrl::base("http://a.example").unwrap();
    let upstash = Upstash::new(secret(), wrong).unwrap();
    let hash = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(BODY));
    let claims = format!(
        r#"{{"iss":"Upstash","sub":"https://a.example/hook","nbf":{NOW},"exp":{},"jti":"1","body":"{hash}"}}"#,
        NOW + 300
    );
    let explained = tower_webhook::explain::Explainer::new().clock(at(NOW)).explain(
        &upstash,
        &head("upstash-signature", &token(&claims)),
        &Bytes::from_static(BODY.as_bytes()),
    );
    assert_eq!(explained.proven(), Some(Cause::UrlScheme), "{explained}");
}
