//! What leaves the layer never holds a secret, a tag, a received signature or the body.

use bytes::Bytes;
use http_body_util::BodyExt;
use tower_webhook::{Rejection, SignatureLayer, Verified, providers::Meta};

use crate::support::{SECRET, Script, hmac_sha256, meta_layer, meta_request, secret, send};

const BODY: &str = "body-canary-4711";

#[tokio::test]
async fn t36_refusals_hold_nothing_of_the_request_or_the_secret() {
    let expected_tag = hmac_sha256(SECRET, BODY.as_bytes());
    let received = hmac_sha256(SECRET, b"something else");
    let request = meta_request(b"something else", Script::data([BODY]));
    let (response, _) = send(&meta_layer(), request).await;
    let rejection = response.extensions().get::<Rejection>().unwrap().clone();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let shown = format!("{rejection:?} {rejection} {head:?} {body:?}");
    for canary in [SECRET, BODY, &expected_tag, &received, &expected_tag[..16], &received[..16]] {
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
    assert!(shown.contains("SignatureMismatch"), "{shown}");
}

#[tokio::test]
async fn t36_proof_does_not_show_the_signature() {
    let tag = hmac_sha256(SECRET, BODY.as_bytes());
    let (_, inner) = send(&meta_layer(), meta_request(BODY.as_bytes(), Script::data([BODY]))).await;
    let call = inner.only_call();
    let verified: &Verified = call.verified();
    let key = verified.replay_key().unwrap();
    let shown = format!("{verified:?} {key:?}");
    let tag_bytes: Vec<u8> = (0..tag.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&tag[at..at + 2], 16).unwrap())
        .collect();
    for canary in [SECRET.to_owned(), tag.clone(), format!("{:?}", &tag_bytes[..8])] {
        let canary = canary.trim_matches(['[', ']']);
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
}

#[tokio::test]
async fn t36_layers_services_and_futures_show_no_secret() {
    use tower::{Layer, Service};
    let layer = SignatureLayer::new(Meta::new(secret()).verify_token(secret()));
    let mut service = layer.layer(crate::support::Inner::default());
    let request = meta_request(BODY.as_bytes(), Bytes::from(BODY)).map(http_body_util::Full::new);
    let future = service.call(request);
    let shown = format!("{layer:?} {service:?} {future:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(BODY), "{shown}");
}
