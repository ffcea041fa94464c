//! Signatures inside the body: what they cover, and what else could have their signed content.

use std::collections::{HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::BodyExt;
use tower_webhook::{
    RejectionKind, SignatureLayer, Verified, Verifier,
    providers::{Adyen, Braintree, DropboxSign, Figma, Hygraph, Midtrans},
    replay::ReplayKey,
    sign::{Sign, signed},
    verifier::Field,
};

use crate::support::{AtTime, SECRET, Script, Sha256Mac, at, hex, mac, secret, send, verify};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const NOW: u64 = 1_700_000_000;

fn head(media_type: &str) -> Parts {
    Request::post("/hook").header(CONTENT_TYPE, media_type).body(()).unwrap().into_parts().0
}

fn judge(
    verifier: &impl Verifier,
    media_type: &str,
    body: &str,
) -> Result<Verified, RejectionKind> {
    verify(verifier, &head(media_type), &Bytes::from(body.to_owned())).map_err(|why| why.kind())
}

fn key(verifier: &impl Verifier, media_type: &str, body: &str) -> ReplayKey {
    judge(verifier, media_type, body).unwrap().replay_key().unwrap()
}

fn sign(verifier: &impl Sign, media_type: &str, body: &str) -> String {
    let request = Request::post("/hook").header(CONTENT_TYPE, media_type);
    let request = signed(verifier, request.body(body.to_owned()).unwrap(), at(NOW)()).unwrap();
    String::from_utf8(request.into_body().to_vec()).unwrap()
}

fn adyen() -> Adyen {
    Adyen::new(hex(SECRET.as_bytes())).unwrap()
}

/// An item with these texts in the order in which Adyen signs them, signed without any rule.
fn item(texts: [&str; 8]) -> String {
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), texts.join(":").as_bytes()));
    let [psp, original, account, reference, value, currency, event, success] = texts;
    format!(
        r#"{{"NotificationRequestItem":{{"additionalData":{{"hmacSignature":"{tag}"}},"amount":{{"value":"{value}","currency":"{currency}"}},"pspReference":"{psp}","originalReference":"{original}","merchantAccountCode":"{account}","merchantReference":"{reference}","eventCode":"{event}","success":"{success}"}}}}"#
    )
}

fn items(items: &[&str]) -> String {
    format!(r#"{{"live":"false","notificationItems":[{}]}}"#, items.join(","))
}

/// Colons in the reference alone are accepted, so the signed content says where each field ends.
#[test]
fn adyen_items_have_one_signed_content_each() {
    let adyen = adyen();
    let pieces = ["", "a", ":", "1", "true", "EUR"];
    let mut found: HashMap<ReplayKey, [String; 8]> = HashMap::new();
    let mut state = 1_usize;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        pieces[(state >> 33) % pieces.len()]
    };
    for round in 0..40_000 {
        // Text moves between neighbours.
        let mut texts = ["p", "", "a", "r", "1", "EUR", "CAPTURE", "true"].map(str::to_owned);
        let at = round % 7;
        texts[at] = format!("{}{}", draw(), draw());
        texts[at + 1] = format!("{}{}", draw(), draw());
        let body = items(&[&item(texts.each_ref().map(String::as_str))]);
        let Ok(verified) = judge(&adyen, JSON, &body) else { continue };
        let texts_of_key = found.entry(verified.replay_key().unwrap()).or_insert(texts.clone());
        assert_eq!(*texts_of_key, texts);
    }
    assert!(found.len() > 500, "{}", found.len());
    assert!(found.values().any(|texts| texts[3].contains(':')));
}

#[test]
fn adyen_replay_key_is_that_of_the_signed_fields() {
    let adyen = adyen();
    let one = item(["p", "", "a", "r", "1", "EUR", "CAPTURE", "true"]);
    let two = item(["q", "", "a", "r", "1", "EUR", "CAPTURE", "true"]);
    let both = key(&adyen, JSON, &items(&[&one, &two]));
    for body in [
        items(&[&two, &one]),
        items(&[&one, &two, &one]),
        items(&[&one, &two]).replace("false", "x"),
    ] {
        assert_eq!(key(&adyen, JSON, &body), both, "{body}");
    }
    let keys = [&one, &two].map(|item| key(&adyen, JSON, &items(&[item])));
    assert!(keys[0] != keys[1] && !keys.contains(&both));
    assert!(!judge(&adyen, JSON, &items(&[&one])).unwrap().body_is_signed());
}

#[test]
fn adyen_items_are_bounded() {
    let adyen = adyen();
    let one = item(["p", "", "a", "r", "1", "EUR", "CAPTURE", "true"]);
    assert!(judge(&adyen, JSON, &items(&[&*one; 64])).is_ok());
    assert_eq!(judge(&adyen, JSON, &items(&[&*one; 65])).err(), Some(RejectionKind::Malformed));
    let started = std::time::Instant::now();
    let many = items(&vec!["[]"; 100_000]);
    assert_eq!(judge(&adyen, JSON, &many).err(), Some(RejectionKind::Malformed));
    let many = items(&vec![&*one; 20_000]);
    assert_eq!(judge(&adyen, JSON, &many).err(), Some(RejectionKind::Malformed));
    let deep = items(&["[".repeat(100_000).as_str()]);
    assert_eq!(judge(&adyen, JSON, &deep).err(), Some(RejectionKind::Malformed));
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn adyen_rotation_reports_the_oldest_key() {
    let new = "6e65772d6b65792d6e65772d6b6579";
    let signed_by = |hex: &str, reference: &str| {
        let content = format!(
            r#"{{"notificationItems":[{{"NotificationRequestItem":{{"merchantReference":"{reference}","amount":{{"value":1}},"success":"true"}}}}]}}"#
        );
        let body = sign(&Adyen::new(hex).unwrap(), JSON, &content);
        body[22..body.len() - 2].to_owned()
    };
    let old = hex(SECRET.as_bytes());
    let rotated = Adyen::new([new, &old]).unwrap();
    for (keys, index) in [([new, &*old], 1), ([&old, new], 1), ([new, new], 0)] {
        let list = [signed_by(keys[0], "1"), signed_by(keys[1], "2")];
        let body = items(&[&list[0], &list[1]]);
        assert_eq!(judge(&rotated, JSON, &body).unwrap().key_index(), index, "{body}");
    }
}

fn braintree() -> Braintree {
    Braintree::new("key-1", secret()).unwrap()
}

fn form(signature: &str, payload: &str) -> String {
    let escaped = |text: &str| -> String { text.bytes().map(|it| format!("%{it:02x}")).collect() };
    format!("bt_signature={}&bt_payload={}", escaped(signature), escaped(payload))
}

/// Anyone can obtain the answer to a challenge.
#[tokio::test]
async fn braintree_challenge_signs_no_payload() {
    let layer = SignatureLayer::new(braintree());
    for len in 19..=33 {
        let challenge = "0123456789abcdef0123456789abcdef0"[..len].to_owned();
        let request = Request::get(format!("/hook?bt_challenge={challenge}"));
        let (response, inner) = send(&layer, request.body(Script::untouchable()).unwrap()).await;
        assert_eq!(inner.count(), 0, "{len}");
        if !(20..=32).contains(&len) {
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{len}");
            continue;
        }
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        let answer = response.into_body().collect().await.unwrap().to_bytes();
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        assert!(answer.starts_with("key-1|"), "{answer}");
        for ends in ["", "\n", "\n\n"] {
            let body = form(&answer, &format!("{challenge}{ends}"));
            assert_eq!(
                judge(&braintree(), FORM, &body).err(),
                Some(RejectionKind::Malformed),
                "{body}"
            );
        }
    }
    // With a line feed, upper case or twice it is none.
    for query in [
        "20f9f8ed05f77439fe955%0A",
        "20F9F8ED05F77439FE955",
        "",
        "20f9f8ed05f77439fe955&bt_challenge=a",
    ] {
        let request = Request::get(format!("/hook?bt_challenge={query}"));
        let (response, inner) = send(&layer, request.body(Script::untouchable()).unwrap()).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::BAD_REQUEST, 0), "{query}");
    }
    let mut post = head(FORM);
    post.uri = "/?bt_challenge=20f9f8ed05f77439fe955c977e4c8a53".parse().unwrap();
    let context = tower_webhook::Context::new(&post);
    assert!(braintree().challenge(&context).is_none());
    post.method = Method::GET;
    assert!(braintree().challenge(&tower_webhook::Context::new(&post)).unwrap().is_ok());
}

#[test]
fn braintree_line_feed_does_not_change_the_replay_key() {
    let braintree = braintree();
    let body = sign(&braintree, FORM, "bt_payload=YWJj%0A");
    let bare = body.replace("%0A", "");
    assert_eq!(key(&braintree, FORM, &body), key(&braintree, FORM, &bare));
    assert_eq!(
        key(&braintree, FORM, &body),
        key(&braintree, FORM, &body.to_lowercase().replace("ywjj", "YWJj"))
    );
    assert_eq!(
        judge(&braintree, FORM, &body.replace("%0A", "%0A%0A")).err(),
        Some(RejectionKind::SignatureMismatch)
    );
    assert!(!judge(&braintree, FORM, &body).unwrap().body_is_signed());
}

#[test]
fn braintree_public_key_selects_the_private_key() {
    let rings = braintree().key("key-2", ["another private key", "one more"]).unwrap();
    for (public, private, index) in
        [("key-1", SECRET, 0), ("key-2", "another private key", 1), ("key-2", "one more", 2)]
    {
        let body = sign(&Braintree::new(public, private).unwrap(), FORM, "bt_payload=YWJj");
        assert_eq!(judge(&rings, FORM, &body).unwrap().key_index(), index);
        let other = body.replace("%6B%65%79%2D", "%6B%65%79%2E");
        let why = verify(&rings, &head(FORM), &Bytes::from(other)).unwrap_err();
        assert_eq!(why.field(), Some(Field::Form("bt_signature".into())));
        assert_eq!((why.kind(), why.secrets_tried()), (RejectionKind::SignatureMismatch, None));
    }
    for public in ["", "a|b", "a&b", "a\n"] {
        assert!(Braintree::new(public, secret()).is_err(), "{public}");
    }
    let many = form(&vec!["key-1|00"; 17].join("&"), "YWJj");
    assert_eq!(judge(&rings, FORM, &many).err(), Some(RejectionKind::Malformed));
    assert!(braintree().key("key-2", vec!["a private key"; 16]).is_err());
}

/// Midtrans writes its fields one behind the other. What can still move has the same replay key.
#[test]
fn midtrans_digits_that_move_keep_the_replay_key() {
    let midtrans = Midtrans::new(secret()).unwrap();
    let body = |order: &str, status: &str, amount: &str| {
        format!(r#"{{"order_id":"{order}","status_code":"{status}","gross_amount":"{amount}"}}"#)
    };
    let genuine = sign(&midtrans, JSON, &body("1", "200", "12015000.00"));
    let signature = genuine.split_once(',').unwrap().0.to_owned() + ",";
    let moved = |order, status, amount| body(order, status, amount).replacen('{', &signature, 1);
    assert_eq!(
        key(&midtrans, JSON, &genuine),
        key(&midtrans, JSON, &moved("12001", "201", "5000.00"))
    );
    let mut accepted = HashSet::new();
    let text = "120012015000.00";
    for first in 1..text.len() {
        for second in first + 1..text.len() {
            let parts = (&text[..first], &text[first..second], &text[second..]);
            if judge(&midtrans, JSON, &moved(parts.0, parts.1, parts.2)).is_ok() {
                accepted.insert(parts);
            }
        }
    }
    let expected = [
        ("1", "200", "12015000.00"),
        ("12001", "201", "5000.00"),
        ("1200", "120", "15000.00"),
        ("12001201", "500", "0.00"),
    ];
    assert_eq!(accepted, HashSet::from(expected));
    // Behind a letter, there is one reading.
    let genuine = sign(&midtrans, JSON, &body("1x", "200", "12015000.00"));
    let signature = genuine.split_once(',').unwrap().0.to_owned() + ",";
    for (order, status, amount) in [("1", "x20", "012015000.00"), ("", "1x2", "0012015000.00")] {
        let moved = body(order, status, amount).replacen('{', &signature, 1);
        assert!(judge(&midtrans, JSON, &moved).is_err());
    }
}

#[test]
fn dropbox_sign_replay_key_is_that_of_time_and_type() {
    let sign_with = DropboxSign::new(secret()).unwrap();
    let body =
        sign(&sign_with, JSON, r#"{"event":{"event_time":"1700000000","event_type":"a"},"x":1}"#);
    let verified = judge(&sign_with, JSON, &body).unwrap();
    assert!(!verified.body_is_signed() && !verified.has_unique_replay_key());
    assert_eq!(
        key(&sign_with, JSON, &body),
        key(&sign_with, JSON, &body.replace("\"x\":1", "\"x\":2"))
    );
}

#[cfg(feature = "multipart")]
#[test]
fn dropbox_sign_reads_the_part_of_a_form() {
    const TYPE: &str = "multipart/form-data; boundary=b0undary";
    let verifier = DropboxSign::new(secret()).unwrap();
    let content = r#"{"event":{"event_time":"1700000000","event_type":"a"}}"#;
    let body = sign(&verifier, TYPE, content);
    assert!(body.starts_with("--b0undary\r\n"), "{body}");
    assert_eq!(key(&verifier, TYPE, &body), key(&verifier, JSON, &sign(&verifier, JSON, content)));
    let part = body.strip_suffix("--b0undary--\r\n").unwrap();
    let cases = [
        (format!("{part}{body}"), RejectionKind::Repeated),
        (body.replace("name=\"json\"", "name=\"json\"; filename=\"a\""), RejectionKind::Malformed),
        (body.replace("name=\"json\"", "name=\"x\""), RejectionKind::Missing),
        (body.replace("1700000000", "1700000001"), RejectionKind::SignatureMismatch),
    ];
    for (body, expected) in cases {
        assert_eq!(judge(&verifier, TYPE, &body).err(), Some(expected), "{body}");
    }
    let long = body.replace(r#"{"event""#, &format!(r#"{{"x":"{}","event""#, "y".repeat(3 << 20)));
    assert!(judge(&verifier, TYPE, &long).is_ok());
}

#[test]
fn hygraph_covers_the_body_and_its_time() {
    let verifier = Hygraph::new(secret()).unwrap();
    let request = Request::post("/hook").body("{\"a\":\"\u{1}\u{e9}\"}").unwrap();
    let (head, body) = signed(&verifier, request, at(NOW)()).unwrap().into_parts();
    let verified = verify(&verifier.clone().clock(at(NOW)), &head, &body).unwrap();
    assert_eq!(verified.signed_at(), Some(at(NOW)()));
    assert!(verified.body_is_signed());
    let stale = verify(&verifier.clock(at(NOW + 86_401)), &head, &body).unwrap_err();
    assert_eq!(stale.kind(), RejectionKind::TimestampStale);
}

#[test]
fn token_in_the_body_covers_nothing() {
    let figma = Figma::new(secret()).unwrap();
    let verified = judge(&figma, JSON, &format!(r#"{{"passcode":"{SECRET}"}}"#)).unwrap();
    assert!(!verified.body_is_signed() && verified.replay_key().is_none());
}
