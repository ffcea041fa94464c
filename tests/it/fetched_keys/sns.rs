//! Amazon SNS: messages signed with the key of a certificate whose URL they name.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_webhook::{
    ConfigError, Rejection, RejectionKind, SignatureLayer,
    fetched_keys::{FetchedKeys, KeyFetcher},
    providers::{AmazonSns, SnsSubscription},
    sign::{PrivateKey, Signing, signed},
    verifier::{verify_at, verify_with_at},
};

use super::{KeySource, Reply};
use crate::support::{SetClock, assert_refused_with, at, head_of, send, unexplained};

const VECTORS: &str = include_str!("../../data/amazon_sns.json");
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:orders";
const CERTIFICATE_URL: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";
const REFUSED: StatusCode = StatusCode::FORBIDDEN;

#[derive(Clone, Deserialize)]
struct Vector {
    description: String,
    body: String,
    /// The certificate.
    secret: String,
    valid: bool,
}

impl Vector {
    fn all() -> Vec<Self> {
        serde_json::from_str(VECTORS).unwrap()
    }

    fn find(description: &str) -> Self {
        Self::all().into_iter().find(|vector| vector.description == description).unwrap()
    }
}

fn post(body: &str) -> Request<Full<Bytes>> {
    let request = Request::post("/hook").header("content-type", "text/plain; charset=UTF-8");
    request.body(Full::from(body.to_owned())).unwrap()
}

fn source(fetcher: &KeyFetcher) -> FetchedKeys<AmazonSns> {
    AmazonSns::with_fetched_keys([TOPIC], fetcher).unwrap()
}

fn layer(
    source: FetchedKeys<AmazonSns>,
    clock: &SetClock,
) -> SignatureLayer<FetchedKeys<AmazonSns>> {
    unexplained(SignatureLayer::new(source).clock(clock.now()))
}

/// Sends a body, with the certificate at its URL. Returns the response, and the number of fetches.
async fn answer(body: &str, certificate: impl Into<Reply>) -> (StatusCode, RejectionKind, usize) {
    let (keys, clock) = (KeySource::fixed(certificate), SetClock::new());
    let (response, inner) = send(&layer(source(&keys.fetcher(&clock)), &clock), post(body)).await;
    assert_eq!(inner.count(), usize::from(response.status() == StatusCode::OK));
    let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
    if keys.calls() > 0 {
        assert_eq!(keys.last().url(), CERTIFICATE_URL);
    }
    (response.status(), kind.unwrap_or(RejectionKind::VerifierUnavailable), keys.calls())
}

#[tokio::test]
async fn every_vector_of_sns_gives_its_stated_verdict() {
    for vector in Vector::all() {
        let (status, kind, _) = answer(&vector.body, vector.secret.clone()).await;
        let name = &vector.description;
        let expected = if vector.valid { StatusCode::OK } else { REFUSED };
        assert_eq!(status, expected, "{name}: {kind:?}");
    }
}

#[tokio::test]
async fn nothing_is_fetched_for_what_no_key_makes_authentic() {
    let genuine = Vector::find("a notification, version 2");
    let json: Value = serde_json::from_str(&genuine.body).unwrap();
    let with = |name: &str, value: Value| {
        let mut json = json.clone();
        json[name] = value;
        json.to_string()
    };
    let without = |name: &str| {
        let mut json = json.clone();
        json.as_object_mut().unwrap().remove(name);
        json.to_string()
    };
    let repeated = genuine.body.replacen('{', r#"{"Message":"other","#, 1);
    for (body, kind) in [
        (String::new(), RejectionKind::Malformed),
        ("[]".to_owned(), RejectionKind::Malformed),
        ("{}".to_owned(), RejectionKind::Missing),
        (repeated, RejectionKind::Malformed),
        (without("Signature"), RejectionKind::Missing),
        (without("SignatureVersion"), RejectionKind::Missing),
        (without("SigningCertURL"), RejectionKind::Missing),
        (without("Message"), RejectionKind::Missing),
        (without("MessageId"), RejectionKind::Missing),
        (without("Type"), RejectionKind::Malformed),
        (without("Timestamp"), RejectionKind::Missing),
        (without("TopicArn"), RejectionKind::Missing),
        (with("TopicArn", "".into()), RejectionKind::SignatureMismatch),
        (with("Signature", "!".into()), RejectionKind::Malformed),
        (with("SignatureVersion", 2.into()), RejectionKind::Malformed),
        (with("SignatureVersion", "0".into()), RejectionKind::Malformed),
        (with("Subject", Value::Null), RejectionKind::Malformed),
        (with("MessageId", "a\nb".into()), RejectionKind::Malformed),
        (with("Type", "Other".into()), RejectionKind::Malformed),
        (with("Type", "SubscriptionConfirmation".into()), RejectionKind::Missing),
        (with("Timestamp", "2023-11-14T21:00:00Z".into()), RejectionKind::TimestampStale),
        (with("Timestamp", "2023-11-14T22:30:00Z".into()), RejectionKind::TimestampInFuture),
        (with("TopicArn", format!("{TOPIC}2").into()), RejectionKind::SignatureMismatch),
        (with("TopicArn", TOPIC.to_uppercase().into()), RejectionKind::SignatureMismatch),
    ] {
        let found = answer(&body, genuine.secret.clone()).await;
        assert_eq!(found, (REFUSED, kind, 0), "{body}");
    }
}

#[tokio::test]
async fn certificate_is_fetched_from_amazon_alone() {
    let genuine = Vector::find("a notification, version 2");
    let path = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";
    let at_host = |host: &str| format!("https://{host}{path}");
    let at_path = |path: &str| format!("https://sns.eu-west-1.amazonaws.com{path}");
    let mut urls: Vec<String> = [
        // Those of the bad inputs.
        "https://attacker.s3.amazonaws.com/cert.pem",
        "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
        "https://sns.us-east-1.amazonaws.com:8443/x.pem",
        "https://169.254.169.254/latest/meta-data/x.pem",
        "https://sns.us-east-1.amazonaws.com%5c.evil.example/x.pem",
        "https://sns。us-east-1.amazonaws.com/x.pem",
        "https://sns.us-east-1.amazonaws.com/../x.pem",
        "http://10.0.0.1/confirm",
        "",
        "/SimpleNotificationService-0.pem",
        "file:///SimpleNotificationService-0.pem",
    ]
    .map(str::to_owned)
    .into();
    for host in [
        "attacker.s3.amazonaws.com",
        "sns.s3.amazonaws.com.evil.example",
        "sns.eu-west-1.amazonaws.com.evil.example",
        "sns.eu-west-1.amazonaws.com:443",
        "sns.eu-west-1.amazonaws.com:8443",
        "user@sns.eu-west-1.amazonaws.com",
        "evil.example@sns.eu-west-1.amazonaws.com",
        "sns.evil.example#.amazonaws.com",
        "sns.evil.example?.amazonaws.com",
        "sns.evil.example\\.amazonaws.com",
        "sns.evil.example%2f.amazonaws.com",
        "sns.evil.example .amazonaws.com",
        "sns.a.b.amazonaws.com",
        "sns..amazonaws.com",
        "sns.eu.amazonaws.com",
        "sns.amazonaws.com",
        "xsns.eu-west-1.amazonaws.com",
        "sns.eu-west-1.amazonaws.com.",
        "sns.eu-west-1.amazonaws.co",
        "sns.eu-west-1.amazonaws.com.cn.cn",
        "sns.EU-WEST-1.amazonaws.com",
        "SNS.eu-west-1.amazonaws.com",
        "sns.еu-west-1.amazonaws.com",
        "169.254.169.254",
        "[::1]",
    ] {
        urls.push(at_host(host));
    }
    for path in [
        "",
        "/",
        "/x.pem",
        "/SimpleNotificationService-.pem",
        "/SimpleNotificationService-0",
        "/SimpleNotificationService-0.pem?a",
        "/SimpleNotificationService-0.pem#a",
        "/SimpleNotificationService-0.pem/a.pem",
        "/SimpleNotificationService-../../a.pem",
        "/SimpleNotificationService-%2e.pem",
        "/SimpleNotificationService-a b.pem",
        "/a/SimpleNotificationService-0.pem",
        "//SimpleNotificationService-0.pem",
        "/simplenotificationservice-0.pem",
        &format!("/SimpleNotificationService-{}.pem", "0".repeat(65)),
    ] {
        urls.push(at_path(path));
    }
    urls.push(CERTIFICATE_URL.replace("https", "http"));
    urls.push(CERTIFICATE_URL.replace("https", "HTTPS"));
    urls.push(format!(" {CERTIFICATE_URL}"));
    urls.push(format!("{CERTIFICATE_URL}\n"));
    for url in urls {
        let mut json: Value = serde_json::from_str(&genuine.body).unwrap();
        json["SigningCertURL"] = url.clone().into();
        let found = answer(&json.to_string(), genuine.secret.clone()).await;
        assert_eq!(found, (REFUSED, RejectionKind::Malformed, 0), "{url}");
    }
    // The URL itself is not signed: the key of another certificate of Amazon proves nothing.
    for host in ["sns.us-gov-west-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"] {
        let mut json: Value = serde_json::from_str(&genuine.body).unwrap();
        json["SigningCertURL"] = at_host(host).into();
        let (keys, clock) = (KeySource::fixed(genuine.secret.clone()), SetClock::new());
        let layer = layer(source(&keys.fetcher(&clock)), &clock);
        let status = send(&layer, post(&json.to_string())).await.0.status();
        assert_eq!((status, keys.calls()), (StatusCode::OK, 1));
        assert_eq!(keys.last().url(), at_host(host));
    }
}

#[tokio::test]
async fn document_without_a_certificate_is_no_verdict() {
    let genuine = Vector::find("a notification, version 2");
    let lines: Vec<_> = genuine.secret.lines().collect();
    let cut = [&lines[..3], &lines[4..]].concat().join("\n");
    let retry = StatusCode::SERVICE_UNAVAILABLE;
    for document in [
        String::new(),
        "<html>".to_owned(),
        genuine.secret.replace("CERTIFICATE", "PUBLIC KEY"),
        genuine.secret.clone() + &genuine.secret,
        cut,
        EC_CERTIFICATE.to_owned(),
    ] {
        let found = answer(&genuine.body, document.clone()).await;
        assert_eq!(found, (retry, RejectionKind::VerifierUnavailable, 1), "{document}");
    }
    let found = answer(&genuine.body, Reply::Absent).await;
    assert_eq!(found, (REFUSED, RejectionKind::UnknownKey, 1));
}

#[tokio::test]
async fn raw_message_is_refused_from_its_head() {
    let genuine = Vector::find("a notification, version 2");
    let (keys, clock) = (KeySource::fixed(genuine.secret.clone()), SetClock::new());
    let layer = layer(source(&keys.fetcher(&clock)), &clock);
    let mut request = post(&genuine.body);
    request.headers_mut().insert("x-amz-sns-rawdelivery", "true".parse().unwrap());
    let answer = send(&layer, request).await;
    assert_refused_with("raw", REFUSED, RejectionKind::BodyNotSigned, &answer);
    let mut request = post(&genuine.body);
    request.headers_mut().insert("x-amz-sns-rawdelivery", "false".parse().unwrap());
    assert_eq!(send(&layer, request).await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn only_version_2_can_be_demanded() {
    for (name, expected) in
        [("a notification, version 1", REFUSED), ("a notification, version 2", StatusCode::OK)]
    {
        let vector = Vector::find(name);
        let (keys, clock) = (KeySource::fixed(vector.secret.clone()), SetClock::new());
        let strict = source(&keys.fetcher(&clock)).map_verifier(AmazonSns::sha256_only);
        let status = send(&layer(strict, &clock), post(&vector.body)).await.0.status();
        assert_eq!(status, expected);
        assert_eq!(keys.calls(), usize::from(expected == StatusCode::OK));
    }
}

#[tokio::test]
async fn subscription_is_handed_over_once_it_is_verified() {
    let heard: Arc<Mutex<Vec<SnsSubscription>>> = Arc::default();
    let genuine = Vector::find("a request to confirm a subscription");
    let (keys, clock) = (KeySource::fixed(genuine.secret.clone()), SetClock::new());
    let into = Arc::clone(&heard);
    let source = source(&keys.fetcher(&clock)).map_verifier(move |sns| {
        let into = Arc::clone(&into);
        sns.on_subscription(move |subscription| into.lock().unwrap().push(subscription))
    });
    let layer = layer(source, &clock);
    for (name, status, calls) in [
        ("a request to confirm a subscription", StatusCode::OK, 0),
        ("a notification, version 2", StatusCode::OK, 1),
        ("the end of a subscription", StatusCode::OK, 1),
        ("another URL of the subscription", REFUSED, 0),
        ("another key's signature", REFUSED, 0),
    ] {
        let (response, inner) = send(&layer, post(&Vector::find(name).body)).await;
        assert_eq!((response.status(), inner.count()), (status, calls), "{name}");
    }
    let heard = heard.lock().unwrap();
    let [subscription] = &heard[..] else { panic!("one subscription: {heard:?}") };
    assert_eq!(subscription.topic_arn, TOPIC);
    let url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=";
    assert!(subscription.subscribe_url.starts_with(url), "{}", subscription.subscribe_url);
}

/// A URL that is signed, and not one of SNS in the topic's region.
#[test]
fn url_of_a_subscription_is_amazons() {
    let keys: Vec<Value> = serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
    let rsa = keys.iter().find(|key| key["algorithm"] == "rsa").unwrap();
    let key = PrivateKey::from_pem(rsa["private"].as_str().unwrap()).unwrap();
    let sns = AmazonSns::new([TOPIC], key.public_key().unwrap()).unwrap();
    let found = |url: &str| {
        let message = json!({
            "Type": "SubscriptionConfirmation", "MessageId": "m-1", "Token": "t-1",
            "TopicArn": TOPIC, "Message": "m", "SubscribeURL": url,
            "Timestamp": "2023-11-14T22:13:20.000Z",
        });
        let request = Request::post("/").body(message.to_string()).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let (head, body) =
            signed(&sns, request, Signing::at(time).private_key(&key)).unwrap().into_parts();
        verify_at(&sns, &head, &body, time)
    };
    let genuine = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t-1";
    let outcome = found(genuine).unwrap();
    assert_eq!(outcome.verified().delivery_id().unwrap(), "m-1");
    assert!(outcome.verified().delivery_id_is_signed());
    for url in [
        genuine.replace("https", "http"),
        genuine.replace("eu-west-1", "us-east-1"),
        genuine.replace("sns.", "s3."),
        genuine.replace("/?", "/a?"),
        genuine.replace("/?", ":444/?"),
        genuine.replace("t-1", "t 1"),
        "http://10.0.0.1/confirm".to_owned(),
    ] {
        let why = found(&url).unwrap_err();
        assert_eq!(why.kind(), RejectionKind::Malformed, "{url}");
    }
}

#[test]
fn topics_and_keys_are_checked() {
    let fetcher = KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None));
    let found = |topics: &[&str]| {
        AmazonSns::with_fetched_keys(topics.iter().copied(), &fetcher).map(|_| ())
    };
    assert_eq!(found(&[TOPIC, "arn:aws-cn:sns:cn-north-1:123456789012:orders.fifo"]), Ok(()));
    assert!(matches!(found(&[]), Err(ConfigError::IdInvalid { .. })));
    for topic in [
        "",
        "orders",
        "arn:aws:sqs:eu-west-1:123456789012:orders",
        "arn:aws:sns:eu-west-1:123456789012",
        "arn:aws:sns:eu-west-1:123456789012:orders:9a8b",
        "arn:aws:sns::123456789012:orders",
        "arn:aws:sns:eu-west-1::orders",
        "arn:aws:sns:eu-west-1:123456789012:or ders",
    ] {
        assert!(matches!(found(&[TOPIC, topic]), Err(ConfigError::IdInvalid { .. })), "{topic}");
    }
    let ed25519 = PrivateKey::from_ed25519_seed(&[7; 32]).unwrap().public_key().unwrap();
    for keys in [vec![], vec![ed25519]] {
        let error = AmazonSns::new([TOPIC], keys).unwrap_err();
        assert!(matches!(error, ConfigError::PublicKeyInvalid { .. }), "{error}");
    }
}

/// From a queue: the clock is that of the message's arrival.
#[tokio::test]
async fn message_of_a_queue_is_verified_with_its_source() {
    let genuine = Vector::find("a notification, version 2");
    let (keys, clock) = (KeySource::fixed(genuine.secret.clone()), SetClock::new());
    let source = source(&keys.fetcher(&clock));
    let (head, body) = (head_of(Request::post("/").body(()).unwrap()), Bytes::from(genuine.body));
    let outcome = verify_with_at(&source, &head, &body, at(1_700_000_000)).await.unwrap();
    let id = "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324";
    assert_eq!(outcome.verified().delivery_id().unwrap(), id);
    assert!(verify_with_at(&source, &head, &body, at(1_700_010_000)).await.is_err());
}

/// A self-signed certificate with a key of P-256.
const EC_CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBBTCBraADAgECAgEBMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAmVjMB4XDTIz\n\
MDEwMTAwMDAwMFoXDTQzMDEwMTAwMDAwMFowDTELMAkGA1UEAwwCZWMwWTATBgcq\n\
hkjOPQIBBggqhkjOPQMBBwNCAATmxtKRWBSCXrSIfNiL53lhYJxE33Pay17rGhox\n\
pqe2Gd7s7hcfHNE44c0X1W9jHtu4voydy1POzHeNqghnppdcMAoGCCqGSM49BAMC\n\
A0cAMEQCID0ikCjRccXpcpV656qZd5K43wxB/jdTl1Me4dxydxg7AiBKthzI7vwc\n\
3NXoSwkbrMIDv75L/JCaw7UM0cQKUw274Q==\n\
-----END CERTIFICATE-----\n";
