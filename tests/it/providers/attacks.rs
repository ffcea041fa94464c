//! Attacks on tokens, signatures inside bodies, forms and canonical requests.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode, request::Parts};
use http_body_util::Full;
use sha2::Digest;
use tower::{Layer, ServiceExt};
use tower_webhook::{
    PublicUrl, RejectionKind, Scheme, SignatureLayer, Verified, Verifier,
    explain::{Cause, Effort, Explainer},
    providers::{
        Adyen, AtlassianConnect, Bird, Braintree, Figma, Lark, LiveKit, MessageBird,
        MessageBirdLegacy, Midtrans, Netlify, Recharge, Vonage, VonageSms,
    },
    replay::{MemoryReplayStore, ReplayLayer},
    scheme::Tolerance,
};

use crate::support::{
    AtTime, Inner, SECRET, Sha256Mac, at, head_of, hex, hmac_sha256, mac, secret, verify,
};

const NOW: u64 = 1_700_000_000;
const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn token(claims: &str) -> String {
    let encode = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(HS256.as_bytes()), encode(claims.as_bytes()));
    format!("{message}.{}", encode(&mac::<Sha256Mac>(SECRET.as_bytes(), message.as_bytes())))
}

fn head(method: Method, target: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(target);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    head_of(request.body(()).unwrap())
}

fn judge(verifier: &impl Verifier, head: &Parts, body: &str) -> Result<Verified, RejectionKind> {
    verify(verifier, head, &Bytes::copy_from_slice(body.as_bytes())).map_err(|why| why.kind())
}

fn sha_hex(text: &str) -> String {
    hex(&sha2::Sha256::digest(text))
}

fn explainer() -> Explainer {
    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::from_secs(3600);
    Explainer::new().effort(effort).clock(at(NOW))
}

fn livekit_claims(key: &str, nbf: u64, body: &str) -> String {
    let hash = STANDARD.encode(sha2::Sha256::digest(body));
    format!(r#"{{"iss":"{key}","nbf":{nbf},"exp":{},"sha256":"{hash}"}}"#, nbf + 300)
}

/// The guide and the policy say that `by_event_id` recognises a LiveKit event that is signed anew.
#[tokio::test]
async fn a_livekit_event_signed_anew_is_a_duplicate_by_event_id() {
    let guard = ReplayLayer::new("/webhook", MemoryReplayStore::new(100).clock(at(NOW)));
    let inner = Inner::default();
    let layer = SignatureLayer::new(LiveKit::new("key", secret()).unwrap()).clock(at(NOW));
    let service = layer.layer(guard.by_event_id().layer(inner.clone()));
    let body = r#"{"id":"EV_1","event":"room_started"}"#;
    for nbf in [NOW, NOW + 1] {
        let request = Request::post("/hook")
            .header("authorization", token(&livekit_claims("key", nbf, body)))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(inner.count(), 1);
}

/// A secret that two IDs share proves requests of both.
#[test]
fn ids_that_share_a_secret_are_both_accepted() {
    let verifier = LiveKit::new("old", secret()).unwrap().key("new", secret()).unwrap();
    let verifier = verifier.clock(at(NOW));
    for key in ["old", "new"] {
        let value = token(&livekit_claims(key, NOW, "{}"));
        let head = head(Method::POST, "/", &[("authorization", &value)]);
        assert_eq!(judge(&verifier, &head, "{}").map(drop), Ok(()), "{key}");
    }
}

/// A participant's token has no hash of a body, so nothing may be said about "the hash in it".
#[test]
fn explanation_of_a_token_without_a_hash_speaks_of_no_hash() {
    let verifier = LiveKit::new("key", secret()).unwrap();
    let join = format!(r#"{{"iss":"key","sub":"alice","nbf":{NOW},"exp":{}}}"#, NOW + 300);
    let head = head(Method::POST, "/", &[("authorization", &token(&join))]);
    let explanation = explainer().explain(&verifier, &head, &Bytes::from("{}"));
    let has = explanation.findings().iter().any(|it| it.cause() == Cause::DigestDiffers);
    assert!(!has, "{explanation}");
}

/// The same for a token of MessageBird for an empty body.
#[test]
fn explanation_of_a_token_for_an_empty_body() {
    let url = PublicUrl::base("https://a.example").unwrap();
    let verifier = MessageBird::new(secret(), url).unwrap();
    let claims = format!(
        r#"{{"iss":"MessageBird","nbf":{NOW},"exp":{},"jti":"1","url_hash":"{}"}}"#,
        NOW + 60,
        sha_hex("https://a.example/x")
    );
    let head = head(Method::POST, "/x", &[("messagebird-signature-jwt", &token(&claims))]);
    assert!(judge(&verifier.clone().clock(at(NOW)), &head, "").is_ok());
    let explanation = explainer().explain(&verifier, &head, &Bytes::from("forged"));
    let has = explanation.findings().iter().any(|it| it.cause() == Cause::DigestDiffers);
    assert!(!has, "{explanation}");
}

#[test]
fn extreme_leeways_and_times() {
    for leeway in [Duration::ZERO, Duration::MAX, Duration::MAX - Duration::from_nanos(1)] {
        for exp in [0, 1, NOW, NOW + 1, 9_223_372_036_854_775, 9_223_372_036_854_774] {
            for nbf in [0, NOW, 9_223_372_036_854_775] {
                let hash = STANDARD.encode(sha2::Sha256::digest("{}"));
                let claims = format!(
                    r#"{{"iss":"key","nbf":{nbf},"exp":{exp},"iat":9223372036854775,"sha256":"{hash}"}}"#
                );
                let head = head(Method::POST, "/", &[("authorization", &token(&claims))]);
                let verifier = LiveKit::new("key", secret()).unwrap().leeway(leeway);
                let _ = judge(&verifier.clock(at(NOW)), &head, "{}");
                let claims = claims.replace("\"key\"", "\"Vonage\"").replace("sha256", "x");
                let claims = claims.replacen(
                    '{',
                    &format!(r#"{{"jti":"1","payload_hash":"{}","#, sha_hex("{}")),
                    1,
                );
                let value = format!("Bearer {}", token(&claims));
                let head = self::head(Method::POST, "/", &[("authorization", &value)]);
                for age in [
                    Tolerance::UNBOUNDED,
                    Tolerance::new(Duration::MAX, Duration::ZERO),
                    Tolerance::new(Duration::ZERO, Duration::MAX),
                ] {
                    let _ = judge(
                        &Vonage::new(secret()).unwrap().tolerance(age).clock(at(NOW)),
                        &head,
                        "{}",
                    );
                }
            }
        }
    }
}

/// A captured webhook of Bird is none of MessageBird's older API, whatever its query says.
#[test]
fn a_webhook_of_bird_is_none_of_messagebird() {
    let url = "https://a.example/bird";
    let digest = sha2::Sha256::digest("{}");
    let content = [format!("{NOW}\n{url}\n").as_bytes(), &digest].concat();
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), &content));
    let time = NOW.to_string();
    let headers = [("messagebird-signature", &*tag), ("messagebird-request-timestamp", &time)];
    let bird = Bird::new(secret(), PublicUrl::base("https://a.example").unwrap()).unwrap();
    let genuine = head(Method::POST, "/bird", &headers);
    assert!(judge(&bird.clock(at(NOW)), &genuine, "{}").is_ok());
    let legacy = MessageBirdLegacy::new(secret()).unwrap().clock(at(NOW));
    let moved = head(Method::POST, &format!("/messagebird?{url}"), &headers);
    assert!(judge(&legacy, &moved, "{}").is_err());
    // A URL in a value is none of Bird.
    let content = [format!("{NOW}\na=https://b.example\n").as_bytes(), &digest].concat();
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), &content));
    let headers = [("messagebird-signature", &*tag), ("messagebird-request-timestamp", &time)];
    let genuine = head(Method::POST, "/messagebird?a=https://b.example", &headers);
    assert!(judge(&legacy, &genuine, "{}").is_ok());
}

/// With a base path, a token for one of two routes is none for the other.
#[test]
fn atlassian_token_is_for_one_path() {
    let hash = sha_hex("POST&/hook&");
    let claims = format!(r#"{{"iss":"client","iat":{NOW},"exp":{},"qsh":"{hash}"}}"#, NOW + 180);
    let value = format!("JWT {}", token(&claims));
    let verifier = AtlassianConnect::new("client", secret()).unwrap().base_path("/app");
    let verifier = verifier.clock(at(NOW));
    let of = |target: &str| {
        judge(&verifier, &head(Method::POST, target, &[("authorization", &value)]), "").is_ok()
    };
    assert!(!(of("/app/hook") && of("/hook")), "both paths are accepted");
}

/// A base path without its slash is the same path.
#[test]
fn atlassian_base_path_needs_no_slash() {
    let hash = sha_hex("POST&/hook&");
    let claims = format!(r#"{{"iss":"client","iat":{NOW},"exp":{},"qsh":"{hash}"}}"#, NOW + 180);
    let value = format!("JWT {}", token(&claims));
    let verifier = AtlassianConnect::new("client", secret()).unwrap().base_path("app");
    let head = head(Method::POST, "/app/hook", &[("authorization", &value)]);
    assert_eq!(judge(&verifier.clock(at(NOW)), &head, "").map(drop), Ok(()));
}

/// A captured POST is not accepted as a GET: the token does not say which it was.
#[test]
fn vonage_post_is_no_get() {
    let body = r#"{"from":"1"}"#;
    let claims =
        format!(r#"{{"iss":"Vonage","iat":{NOW},"jti":"1","payload_hash":"{}"}}"#, sha_hex(body));
    let value = format!("Bearer {}", token(&claims));
    let vonage = Vonage::new(secret()).unwrap().clock(at(NOW));
    let headers = [("authorization", &*value)];
    let post = judge(&vonage, &head(Method::POST, "/?x=unsigned", &headers), body).unwrap();
    let get = judge(&vonage, &head(Method::GET, "/?from=1", &headers), "");
    // Documented neither way; the replay key is at least the same.
    assert!(get.is_err() || get.unwrap().replay_key() == post.replay_key());
}

#[test]
fn lark_time_cannot_give_a_digit_to_the_nonce() {
    let content = format!("{NOW}1nonce{SECRET}{{}}");
    let tag = sha_hex(&content);
    let lark = Lark::new(secret()).unwrap().tolerance(Tolerance::UNBOUNDED);
    let of = |time: &str, nonce: &str| {
        let headers = [
            ("x-lark-signature", &*tag),
            ("x-lark-request-timestamp", time),
            ("x-lark-request-nonce", nonce),
        ];
        judge(&lark, &head(Method::POST, "/", &headers), "{}").is_ok()
    };
    assert!(of("1700000000", "1nonce"));
    assert!(!of("17000000001", "nonce") && !of("170000000", "01nonce"));
    assert!(!of("1700000000", "1nonce{}"));
}

#[test]
fn recharge_hash_cannot_be_extended() {
    // The padding of a message with this length, as an attacker knows it.
    for len in [0, 10, 21, 22, 23, 29, 30, 1000] {
        let body = "a".repeat(len);
        let total = SECRET.len() + len;
        let mut padded = body.into_bytes();
        padded.push(0x80);
        while (SECRET.len() + padded.len()) % 64 != 56 {
            padded.push(0);
        }
        padded.extend((total as u64 * 8).to_be_bytes());
        padded.extend(b"forged");
        let tag = hex(&sha2::Sha256::digest([SECRET.as_bytes(), &padded].concat()));
        let recharge = Recharge::new(secret()).unwrap().accept_plain_hash();
        let head = head(Method::POST, "/", &[("x-recharge-hmac-sha256", &tag)]);
        assert!(verify(&recharge, &head, &padded.into()).is_err(), "{len}");
    }
}

#[test]
fn braintree_answers_sign_no_payload() {
    let braintree = Braintree::new("pub", SECRET).unwrap();
    let challenge = "0123456789abcdef0123";
    let key = sha1::Sha1::digest(SECRET);
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (signed, payload) in [
        (challenge.to_owned(), challenge.to_owned()),
        (format!("{challenge}\n"), challenge.to_owned()),
        (format!("{challenge}\n"), format!("{challenge}\n")),
        (format!("{challenge}\n\n"), format!("{challenge}\n")),
    ] {
        let tag = hex(&mac::<crate::support::Sha1Mac>(&key, signed.as_bytes()));
        let body = format!("bt_signature=pub%7C{tag}&bt_payload={}", payload.replace('\n', "%0A"));
        assert!(
            judge(&braintree, &head(Method::POST, "/", &[form]), &body).is_err(),
            "{payload:?}"
        );
    }
}

/// A scheme's name does not matter: the text of one provider is no text of another.
#[test]
fn vonage_sms_and_jwt_share_no_text() {
    let claims = format!(r#"{{"iss":"Vonage","iat":{NOW},"jti":"1","payload_hash":"x"}}"#);
    let token = token(&claims);
    assert!(!token.starts_with('&'));
}

/// A GET with a body has the hash of its query, so nothing may be said about the body's.
#[test]
fn explanation_of_a_get_with_a_body() {
    let verifier = Vonage::new(secret()).unwrap();
    let hash = sha_hex(r#"{"from":"1"}"#);
    let claims = format!(r#"{{"iss":"Vonage","iat":{NOW},"jti":"1","payload_hash":"{hash}"}}"#);
    let value = format!("Bearer {}", token(&claims));
    let head = head(Method::GET, "/?from=1", &[("authorization", &value)]);
    let explanation = explainer().explain(&verifier, &head, &Bytes::from("x"));
    let has = explanation.findings().iter().any(|it| it.cause() == Cause::DigestDiffers);
    assert!(!has, "{explanation}");
}

/// Without an ID in the body, nothing in a webhook of LiveKit is unique.
#[test]
fn livekit_body_without_an_id_is_not_unique() {
    let value = token(&livekit_claims("key", NOW, "{}"));
    let head = head(Method::POST, "/", &[("authorization", &value)]);
    let verifier = LiveKit::new("key", secret()).unwrap().clock(at(NOW));
    assert!(!judge(&verifier, &head, "{}").unwrap().has_unique_replay_key());
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Returns the value that a handler's form parser reads.
fn in_form<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    body.split('&').filter_map(|pair| pair.split_once('=')).find(|it| it.0 == name).map(|it| it.1)
}

/// A body that is JSON to the verifier and a form to the handler has other signed fields there.
#[test]
fn midtrans_form_is_rejected() {
    let tag = hex(&sha2::Sha512::digest(format!("12001.00{SECRET}")));
    let body = format!(
        r#"{{"order_id":"1","status_code":"200","gross_amount":"1.00","signature_key":"{tag}","x":"&order_id=victim&status_code=200&gross_amount=999.00&transaction_status=settlement&y="}}"#
    );
    assert_eq!(in_form(&body, "order_id"), Some("victim"));
    let midtrans = Midtrans::new(secret()).unwrap();
    let of = |kind| judge(&midtrans, &head(Method::POST, "/", &[("content-type", kind)]), &body);
    assert!(of("application/json").is_ok());
    assert!(of(FORM).is_err(), "a form with another order was accepted");
    assert!(of("application/json; charset=UTF-8").is_ok());
    assert!(of("application/json; charset=utf-7").is_err(), "a charset with other quotes");
}

/// The page says that form posts are rejected.
#[test]
fn adyen_form_is_rejected() {
    let content = "p::a:r:1:EUR:AUTHORISATION:false";
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), content.as_bytes()));
    let body = format!(
        r#"{{"x":"&pspReference=victim&success=true&value=99900&y=","notificationItems":[{{"NotificationRequestItem":{{"additionalData":{{"hmacSignature":"{tag}"}},"amount":{{"value":1,"currency":"EUR"}},"pspReference":"p","merchantAccountCode":"a","merchantReference":"r","eventCode":"AUTHORISATION","success":"false"}}}}]}}"#
    );
    assert_eq!(in_form(&body, "success"), Some("true"));
    let adyen = Adyen::new(hex(SECRET.as_bytes())).unwrap();
    let of = |kind| judge(&adyen, &head(Method::POST, "/", &[("content-type", kind)]), &body);
    assert!(of("application/json").is_ok());
    assert!(of(FORM).is_err(), "a form with another payment was accepted");
    assert!(of("application/json;charset=\"utf-8\"").is_ok());
    assert!(of("application/json; charset=ISO-2022-JP").is_err(), "a charset with other quotes");
}

/// Routers answer HEAD with the handler of GET, which reads the query.
#[test]
fn vonage_head_has_no_unsigned_query() {
    let claims =
        format!(r#"{{"iss":"Vonage","iat":{NOW},"jti":"1","payload_hash":"{}"}}"#, sha_hex(""));
    let value = format!("Bearer {}", token(&claims));
    let vonage = Vonage::new(secret()).unwrap().clock(at(NOW));
    let headers = [("authorization", &*value)];
    assert!(judge(&vonage, &head(Method::POST, "/", &headers), "").is_ok());
    assert!(judge(&vonage, &head(Method::GET, "/?from=forged", &headers), "").is_err());
    assert!(judge(&vonage, &head(Method::HEAD, "/?from=forged", &headers), "").is_err());
}

/// Random changes of genuine values: none panics, none is accepted.
#[test]
fn changed_values_are_rejected() {
    let genuine = token(&livekit_claims("key", NOW, "{}"));
    let verifier = LiveKit::new("key", secret()).unwrap().clock(at(NOW));
    let pieces = [".", "=", "e30", "A", "-", "_", "+", "/", "..", " ", "eyJhbGciOiJIUzI1NiJ9"];
    let mut state = 1_usize;
    for _ in 0..20_000 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (at, piece) = ((state >> 33) % genuine.len(), pieces[(state >> 20) % pieces.len()]);
        let cut = (state >> 50) % 3;
        let end = (at + cut).min(genuine.len());
        let changed = format!("{}{piece}{}", &genuine[..at], &genuine[end..]);
        if changed == genuine || changed.trim() == genuine {
            continue;
        }
        let head = head(Method::POST, "/", &[("authorization", &changed)]);
        assert!(judge(&verifier, &head, "{}").is_err(), "{changed}");
    }
}

/// The `Debug` of verifiers and proofs has no part of a token, a signature or a secret.
#[test]
fn debug_output_has_no_secret() {
    let value = token(&livekit_claims("key", NOW, "{}"));
    let verifier = LiveKit::new("key", secret()).unwrap();
    let head = head(Method::POST, "/", &[("authorization", &value)]);
    let context = tower_webhook::Context::new(&head);
    let state = verifier.begin(&context);
    let netlify = Netlify::new(secret()).unwrap();
    let braintree = Braintree::new("pub", SECRET).unwrap();
    let sms = VonageSms::new(secret()).unwrap();
    let figma = Figma::new(secret()).unwrap();
    let shown = format!("{verifier:?} {netlify:?} {braintree:?} {sms:?} {figma:?} {state:?}");
    let signature = value.rsplit('.').next().unwrap();
    assert!(!shown.contains(SECRET) && !shown.contains(signature), "{shown}");
    assert!(!shown.contains(&hmac_sha256(SECRET, b"")), "{shown}");
}

/// The documentation of a scheme: a plain hash without its secret is refused.
#[test]
fn plain_hash_needs_its_secret() {
    assert!(Scheme::plain_sha256("x-a").verifier(secret()).is_err());
}
