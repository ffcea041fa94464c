//! Alexa: the URL of the chain, the skill and the time.

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower_webhook::RejectionKind;

use super::{
    KeySource,
    certificates::{Certificates, SKILL, alexa, alexa_body, alexa_request, answer},
};
use crate::support::SetClock;

const CHAIN_URL: &str = "https://s3.amazonaws.com/echo.api/echo-api-cert-0.pem";

#[tokio::test]
async fn chain_of_alexa_is_fetched_from_one_place() {
    for url in [
        CHAIN_URL,
        "https://s3.amazonaws.com:443/echo.api/echo-api-cert-0.pem",
        "HTTPS://S3.AmazonAWS.com/echo.api/echo-api-cert-0.pem",
        "https://s3.amazonaws.com/echo.api/../echo.api/echo-api-cert-0.pem",
        "https://s3.amazonaws.com/./echo.api/a/../echo-api-cert-0.pem",
    ] {
        let (keys, clock) = (KeySource::fixed(Certificates::chain("alexa")), SetClock::new());
        let mut request = alexa_request(&alexa_body(json!({})));
        request.headers_mut().insert("signaturecertchainurl", url.parse().unwrap());
        assert_eq!(answer(&alexa(&keys, &clock), request).await, (StatusCode::OK, None), "{url}");
        assert_eq!(keys.last().url(), CHAIN_URL);
    }
    for url in [
        "http://s3.amazonaws.com/echo.api/echo-api-cert-0.pem",
        "https://notamazon.com/echo.api/echo-api-cert-0.pem",
        "https://s3.amazonaws.com/EcHo.aPi/echo-api-cert-0.pem",
        "https://s3.amazonaws.com/invalid.path/echo-api-cert-0.pem",
        "https://s3.amazonaws.com:563/echo.api/echo-api-cert-0.pem",
        "https://s3.amazonaws.com/echo.api/../bucket/cert.pem",
        "https://s3.amazonaws.com/echo.api/%2e%2e/bucket/cert.pem",
        "https://s3.amazonaws.com/echo.api/..%2fbucket/cert.pem",
        "https://s3.amazonaws.com/echo.api\\..\\bucket/cert.pem",
        "https://s3.amazonaws.com/echo.api.evil/cert.pem",
        "https://s3.amazonaws.com//echo.api/cert.pem",
        "https://s3.amazonaws.com/echo.api/",
        "https://s3.amazonaws.com/echo.api",
        "https://s3.amazonaws.com/echo.api/cert.pem?a",
        "https://s3.amazonaws.com/echo.api/cert.pem#a",
        "https://s3.amazonaws.com@evil.example/echo.api/cert.pem",
        "https://evil.example@s3.amazonaws.com/echo.api/cert.pem",
        "https://bucket.s3.amazonaws.com/echo.api/cert.pem",
        "https://s3.amazonaws.com.evil.example/echo.api/cert.pem",
        "https://169.254.169.254/echo.api/cert.pem",
        "/echo.api/cert.pem",
    ] {
        let (keys, clock) = (KeySource::fixed(Certificates::chain("alexa")), SetClock::new());
        let mut request = alexa_request(&alexa_body(json!({})));
        request.headers_mut().insert("signaturecertchainurl", url.parse().unwrap());
        let expected = (StatusCode::BAD_REQUEST, Some(RejectionKind::Malformed));
        assert_eq!(answer(&alexa(&keys, &clock), request).await, expected, "{url}");
        assert_eq!(keys.calls(), 0, "{url}");
    }
}

#[tokio::test]
async fn alexa_checks_skill_and_time() {
    let other = "amzn1.ask.skill.11111111-1111-4111-8111-111111111111";
    let application = |id: &str| json!({"application": {"applicationId": id}});
    let request = |time: Value| json!({"request": {"requestId": "r-1", "timestamp": time}});
    for (fields, kind) in [
        (json!({}), None),
        (json!({"session": application(SKILL)}), None),
        (json!({"context": {}, "session": application(SKILL)}), None),
        (json!({"session": application(other)}), Some(RejectionKind::SignatureMismatch)),
        (
            json!({"context": {"System": application(other)}, "session": application(SKILL)}),
            Some(RejectionKind::SignatureMismatch),
        ),
        (
            json!({"context": {"System": application(other)}}),
            Some(RejectionKind::SignatureMismatch),
        ),
        (json!({"context": {}}), Some(RejectionKind::Missing)),
        (request("2023-11-14T22:10:50Z".into()), None),
        (request("2023-11-14T22:15:50Z".into()), None),
        (request("2023-11-14T22:10:49Z".into()), Some(RejectionKind::TimestampStale)),
        (request("2023-11-14T22:15:51Z".into()), Some(RejectionKind::TimestampInFuture)),
        (request("today".into()), Some(RejectionKind::Malformed)),
        (request(Value::Null), Some(RejectionKind::Missing)),
    ] {
        let body = alexa_body(fields);
        let (keys, clock) = (KeySource::fixed(Certificates::chain("alexa")), SetClock::new());
        let found = answer(&alexa(&keys, &clock), alexa_request(&body)).await;
        assert_eq!(found.1, kind, "{body}");
    }
    let (keys, clock) = (KeySource::fixed(Certificates::chain("alexa")), SetClock::new());
    let layer = alexa(&keys, &clock);
    let (head, _) = alexa_request(&alexa_body(json!({}))).into_parts();
    let changed = Full::from(alexa_body(json!({"version": "1.1"})));
    let found = answer(&layer, Request::from_parts(head, changed)).await;
    assert_eq!(found, (StatusCode::BAD_REQUEST, Some(RejectionKind::SignatureMismatch)));
    for value in [None, Some("!")] {
        let mut request = alexa_request(&alexa_body(json!({})));
        match value {
            Some(value) => {
                _ = request.headers_mut().insert("signature-256", value.parse().unwrap())
            }
            None => _ = request.headers_mut().remove("signature-256"),
        }
        assert_eq!(answer(&layer, request).await.0, StatusCode::BAD_REQUEST);
    }
}
