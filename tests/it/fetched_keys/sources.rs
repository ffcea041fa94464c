//! Sources that fail or lie: their responses are neither a proof nor a refusal.

use std::error::Error;

use http::StatusCode;
use serde_json::json;
use tower_webhook::{Rejection, RejectionKind, fetched_keys::KeyDocument};

use super::{
    CIRCLE_ID, GITHUB_ID, KeySource, Reply, circle, circle_key, circle_layer, from_circle,
    from_github, github, github_layer, github_list, uuid,
};
#[cfg(feature = "tracing")]
use crate::observe::tracing::Lines;
use crate::support::{SetClock, assert_refused_with, send};

const RETRY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// A key of another algorithm.
const ED25519: &str = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=";

fn circle_data(id: &str, algorithm: &str, key: &str) -> Reply {
    let data = json!({"id": id, "algorithm": algorithm, "publicKey": key});
    json!({"data": data}).to_string().into()
}

/// Responses that are no key, with a part of what the rejection says.
fn failures() -> Vec<(Reply, &'static str)> {
    let key = circle().key;
    let long = " ".repeat(KeyDocument::MAX_LEN + 1 - circle_key(CIRCLE_ID).len());
    vec![
        (Reply::Failed, "connection refused"),
        (Reply::Panics, "panicked"),
        (String::new().into(), "not JSON"),
        ("<html>".to_owned().into(), "not JSON"),
        ("{}".to_owned().into(), "no `data`"),
        (r#"{"data":[]}"#.to_owned().into(), "no `data`"),
        (r#"{"data":{}}"#.to_owned().into(), "algorithm"),
        ((circle_key(CIRCLE_ID) + &long).into(), "longer than 262144 bytes"),
        (circle_data(CIRCLE_ID, "RSA", &key), "algorithm"),
        (circle_data(CIRCLE_ID, "ECDSA_SHA_256", "AAAA"), "malformed"),
        // The key of another algorithm under this one's name.
        (circle_data(CIRCLE_ID, "ECDSA_SHA_256", ED25519), "provider's algorithm"),
        // The key with another ID, which the request did not name.
        (circle_data(&uuid(1), "ECDSA_SHA_256", &key), "another ID"),
        (format!(r#"{{"data":{{"id":"{CIRCLE_ID}"}},"data":{{}}}}"#).into(), "not JSON"),
    ]
}

#[tokio::test]
async fn response_without_a_key_is_no_verdict() {
    for (reply, detail) in failures() {
        let (source, clock) = (KeySource::fixed(reply.clone()), SetClock::new());
        let layer = circle_layer(&source.fetcher(&clock));
        let answer = send(&layer, from_circle(CIRCLE_ID)).await;
        assert_refused_with(detail, RETRY, RejectionKind::VerifierUnavailable, &answer);
        let rejection = answer.0.extensions().get::<Rejection>().unwrap();
        let cause = rejection.source().unwrap().to_string();
        assert!(cause.contains(detail), "{cause}");

        // A key that is known stays.
        source.set(circle_key(CIRCLE_ID));
        clock.set(10_000);
        assert_eq!(send(&layer, from_circle(CIRCLE_ID)).await.0.status(), StatusCode::OK);
        source.set(reply);
        clock.set(2 * 3_600_000);
        for _ in 0..2 {
            let status = send(&layer, from_circle(CIRCLE_ID)).await.0.status();
            assert_eq!(status, StatusCode::OK, "{detail}");
        }
        assert_eq!(source.calls(), 3, "{detail}");
    }
}

/// The longest document, which is padded.
#[tokio::test]
async fn document_of_the_maximum_length_is_read() {
    let key = circle_key(CIRCLE_ID);
    let padded = key.clone() + &" ".repeat(KeyDocument::MAX_LEN - key.len());
    let (source, clock) = (KeySource::fixed(padded), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    assert_eq!(send(&layer, from_circle(CIRCLE_ID)).await.0.status(), StatusCode::OK);
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn failure_is_a_warning_with_url_and_reason() {
    let lines = Lines::default();
    let _guard = lines.subscribe();
    let (source, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    for _ in 0..3 {
        send(&layer, from_circle(CIRCLE_ID)).await;
    }
    let mut warnings = lines.json();
    warnings.retain(|line| line["target"] == "tower_webhook::keys");
    let [warning] = &warnings[..] else { panic!("one warning for one fetch: {warnings:?}") };
    assert_eq!((&warning["level"], &warning["provider"]), (&"WARN".into(), &"circle".into()));
    assert_eq!(warning["detail"], "connection refused");
    let url = format!("https://api.circle.com/v2/notifications/publicKey/{CIRCLE_ID}");
    assert_eq!(warning["url"], url);
}

#[tokio::test(start_paused = true)]
async fn source_that_does_not_respond_is_no_verdict() {
    let (source, clock) = (KeySource::fixed(Reply::Never), SetClock::new());
    let layer = circle_layer(&source.fetcher(&clock));
    let answer = send(&layer, from_circle(CIRCLE_ID)).await;
    assert_refused_with("slow", RETRY, RejectionKind::VerifierUnavailable, &answer);
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn list_without_a_usable_key_is_no_verdict() {
    let many: Vec<_> = (0..65).map(|number| format!("{number:064x}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for reply in [
        Reply::Absent,
        "{}".to_owned().into(),
        r#"{"public_keys":{}}"#.to_owned().into(),
        r#"{"public_keys":[]}"#.to_owned().into(),
        r#"{"public_keys":[1,{"key_identifier":"a","key":"b"}]}"#.to_owned().into(),
        github_list(&many).into(),
        github_list(&[GITHUB_ID]).replace("PUBLIC KEY", "CERTIFICATE").into(),
    ] {
        let (source, clock) = (KeySource::fixed(reply.clone()), SetClock::new());
        let layer = github_layer(&source.fetcher(&clock));
        let answer = send(&layer, from_github(GITHUB_ID)).await;
        assert_refused_with(
            &format!("{reply:?}"),
            RETRY,
            RejectionKind::VerifierUnavailable,
            &answer,
        );
    }
}

#[tokio::test]
async fn unknown_entries_of_a_list_are_skipped() {
    let pem = |key: &str| format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----");
    let (other, key) = (pem(ED25519), pem(&github().key));
    let list = json!({"public_keys": [
        null,
        {"key_identifier": GITHUB_ID},
        {"key_identifier": GITHUB_ID, "key": "of another form"},
        {"key_identifier": 1, "key": key},
        {"key_identifier": "f", "key": other},
        {"key_identifier": GITHUB_ID, "key": key, "is_current": false, "new": {}},
    ], "new": []});
    let (source, clock) = (KeySource::fixed(list.to_string()), SetClock::new());
    let layer = github_layer(&source.fetcher(&clock));
    assert_eq!(send(&layer, from_github(GITHUB_ID)).await.0.status(), StatusCode::OK);
}

/// A lying list may have several keys under one ID.
#[tokio::test]
async fn keys_with_one_id_are_all_tried() {
    let other = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEspVdut5SxVyQ+isPG+Y3iiQdL4HT+/EJgl2ko0THHWPZbBHsHsGvB+UQ06BttuSlpKAZOneSDrN7xvRCwjPBzg==";
    let pem = |key: &str| format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----");
    let keys = [pem(other), pem(&github().key)];
    let keys = keys.map(|key| json!({"key_identifier": GITHUB_ID, "key": key}));
    let (source, clock) =
        (KeySource::fixed(json!({"public_keys": keys}).to_string()), SetClock::new());
    let layer = github_layer(&source.fetcher(&clock));
    assert_eq!(send(&layer, from_github(GITHUB_ID)).await.0.status(), StatusCode::OK);
}
