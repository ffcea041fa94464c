//! Messages from a queue, verified with a source.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use tower_webhook::{
    Rejection, RejectionKind, SignatureLayer,
    layer::Requires,
    providers::{Circle, CircleProduct, GitHub, Stripe},
    verifier::{verify_with, verify_with_at},
};

use super::{CIRCLE_ID, KeySource, Reply, circle, circle_key, from_circle, uuid};
use crate::support::{SECRET, SetClock, head_of, hmac_sha256, secret};

#[tokio::test]
async fn message_is_verified_with_fetched_keys() {
    let (source, clock) = (KeySource::fixed(circle_key(CIRCLE_ID)), SetClock::new());
    let keys = Circle::with_fetched_keys(CircleProduct::Wallets, &source.fetcher(&clock)).unwrap();
    let (head, body) = (head_of(from_circle(CIRCLE_ID)), Bytes::from(circle().body));
    let verified = verify_with(&keys, &head, &body).await.unwrap().accepted().unwrap();
    assert_eq!(verified.provider(), "circle");
    let forged = verify_with(&keys, &head, &Bytes::from("{}")).await.unwrap_err();
    assert_eq!(forged.kind(), RejectionKind::SignatureMismatch);
    source.set(Reply::Failed);
    let later = verify_with(&keys, &head_of(from_circle(&uuid(1))), &body).await.unwrap_err();
    assert_eq!(later.kind(), RejectionKind::VerifierUnavailable);
    assert_eq!((later.status(), later.provider()), (StatusCode::SERVICE_UNAVAILABLE, "circle"));
}

#[tokio::test]
async fn message_is_verified_with_a_verifier_and_with_lookups() {
    let body = Bytes::from("{}");
    let signature = format!("sha256={}", hmac_sha256(SECRET, &body));
    let request = http::Request::post("/").header("x-hub-signature-256", signature);
    let head = head_of(request.body(()).unwrap());
    let github = GitHub::new(secret()).unwrap();
    assert!(verify_with(&github, &head, &body).await.is_ok());
    let found = github.clone();
    let by_body = tower_webhook::layer::ByBody::new(Requires::nothing(), move |_, _| {
        let found = found.clone();
        async move { Ok::<_, Rejection>(found) }
    });
    let _: &SignatureLayer<_> = &SignatureLayer::new(by_body.clone());
    assert!(verify_with(&by_body, &head, &body).await.is_ok());
}

#[tokio::test]
async fn time_of_a_message_is_that_of_the_given_clock() {
    let body = Bytes::from("{}");
    let signature = hmac_sha256(SECRET, b"1700000000.{}");
    let request = http::Request::post("/");
    let request = request.header("stripe-signature", format!("t=1700000000,v1={signature}"));
    let head = head_of(request.body(()).unwrap());
    let stripe = Stripe::new(secret()).unwrap();
    let received = UNIX_EPOCH + Duration::from_secs(1_700_000_010);
    assert!(verify_with_at(&stripe, &head, &body, received).await.is_ok());
    let stale = verify_with(&stripe, &head, &body).await.unwrap_err();
    assert_eq!(stale.kind(), RejectionKind::TimestampStale);
}
