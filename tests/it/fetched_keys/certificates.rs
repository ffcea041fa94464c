//! PayPal and Alexa: chains of certificates whose URLs are in a header.

use std::{collections::BTreeMap, time::SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_webhook::{
    ConfigError, Rejection, RejectionKind, SignatureLayer, Verifier,
    fetched_keys::{FetchedKeys, KeyFetcher},
    providers::{Alexa, PayPal},
    scheme::Tolerance,
    sign::{PrivateKey, Sign, Signing, signed},
    verifier::{verify_at, verify_with_at},
};

use super::{KeySource, Reply, seconds};
use crate::support::{SetClock, head_of, send, unexplained};

const WEBHOOK: &str = "4JH86294D6297924G";
pub(super) const SKILL: &str = "amzn1.ask.skill.00000000-0000-4000-8000-000000000000";
const BODY: &str = r#"{"id":"WH-1","event_type":"PAYMENT.SALE.COMPLETED"}"#;
const CERT_URL: &str =
    "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77";
const DAY: i64 = 24 * 60 * 60 * 1_000;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

#[derive(Deserialize)]
pub(super) struct Certificates {
    root: String,
    other_root: String,
    chains: BTreeMap<String, String>,
}

impl Certificates {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/certificates.json")).unwrap()
    }

    pub(super) fn chain(name: &str) -> String {
        Self::read().chains.remove(name).unwrap()
    }
}

/// The key of the certificates.
fn key() -> PrivateKey {
    let keys: Vec<Value> = serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
    let rsa = keys.iter().find(|key| key["algorithm"] == "rsa").unwrap();
    PrivateKey::from_pem(rsa["private"].as_str().unwrap()).unwrap()
}

fn signed_by_key(verifier: &impl Sign, body: &str, time: SystemTime) -> Request<Full<Bytes>> {
    let request = Request::post("/hook").body(body.to_owned()).unwrap();
    let key = key();
    signed(verifier, request, Signing::at(time).private_key(&key)).unwrap().map(Full::from)
}

fn paypal_request() -> Request<Full<Bytes>> {
    let paypal = PayPal::new([WEBHOOK], key().public_key().unwrap()).unwrap();
    let mut request = signed_by_key(&paypal, BODY, seconds(1_700_000_000));
    request.headers_mut().insert("paypal-cert-url", CERT_URL.parse().unwrap());
    request
}

pub(super) fn alexa_body(fields: Value) -> String {
    let mut body = json!({
        "version": "1.0",
        "context": {"System": {"application": {"applicationId": SKILL}}},
        "request": {"type": "LaunchRequest", "requestId": "r-1", "timestamp": "2023-11-14T22:13:20Z"},
    });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body.to_string()
}

pub(super) fn alexa_request(body: &str) -> Request<Full<Bytes>> {
    let alexa = Alexa::new([SKILL], key().public_key().unwrap()).unwrap();
    signed_by_key(&alexa, body, seconds(1_700_000_000))
}

fn fetcher(keys: &KeySource, clock: &SetClock) -> KeyFetcher {
    keys.fetcher(clock).root_certificates(&Certificates::read().root).unwrap()
}

fn layer<V: Verifier + Clone + Send + Sync + 'static>(
    source: FetchedKeys<V>,
    clock: &SetClock,
) -> SignatureLayer<FetchedKeys<V>> {
    unexplained(SignatureLayer::new(source).clock(clock.now()))
}

fn paypal(keys: &KeySource, clock: &SetClock) -> SignatureLayer<FetchedKeys<PayPal>> {
    layer(PayPal::with_fetched_keys([WEBHOOK], &fetcher(keys, clock)).unwrap(), clock)
}

pub(super) fn alexa(keys: &KeySource, clock: &SetClock) -> SignatureLayer<FetchedKeys<Alexa>> {
    layer(Alexa::with_fetched_keys([SKILL], &fetcher(keys, clock)).unwrap(), clock)
}

/// Status, and kind of the rejection.
pub(super) async fn answer<V: Verifier + Clone + Send + Sync + 'static>(
    layer: &SignatureLayer<FetchedKeys<V>>,
    request: Request<Full<Bytes>>,
) -> (StatusCode, Option<RejectionKind>) {
    let (response, inner) = send(layer, request).await;
    assert_eq!(inner.count(), usize::from(response.status() == StatusCode::OK));
    (response.status(), response.extensions().get::<Rejection>().map(Rejection::kind))
}

/// PayPal's delivery of 2015, with the certificate that its URL returned. That was one certificate
/// alone, so the authority is the test's.
#[tokio::test]
async fn genuine_delivery_of_paypal_is_accepted() {
    let vector: Value = serde_json::from_str(include_str!("../../data/paypal.json")).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let time = seconds(vector["seconds"].as_u64().unwrap());
    let keys = KeySource::fixed(text("certificate"));
    let source = |webhook: &str, root: &str| {
        let fetcher = keys.fetcher(&SetClock::new()).clock(time).root_certificates(root).unwrap();
        PayPal::with_fetched_keys([webhook.to_owned()], &fetcher).unwrap()
    };
    let mut request = Request::post("/");
    for (name, value) in vector["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let (head, body) = (head_of(request.body(()).unwrap()), Bytes::from(text("body")));
    let genuine = source(&text("webhook_id"), &text("authority"));
    let outcome = verify_with_at(&genuine, &head, &body, time).await.unwrap();
    let verified = outcome.verified();
    assert_eq!(verified.delivery_id().unwrap(), "dfb3be50-fd74-11e4-8bf3-77339302725b");
    assert!(verified.delivery_id_is_signed() && verified.has_unique_replay_key());
    assert!(!verified.body_is_signed(), "a checksum is no hash");
    assert_eq!(Some(keys.last().url()), vector["headers"]["PAYPAL-CERT-URL"].as_str());
    let changed = Bytes::from(text("body").replace("20.00", "21.00"));
    let why = verify_with_at(&genuine, &head, &changed, time).await.unwrap_err();
    assert_eq!(why.kind(), RejectionKind::SignatureMismatch);
    let other = source("0JH86294D6297924G", &text("authority"));
    let why = verify_with_at(&other, &head, &body, time).await.unwrap_err();
    assert_eq!(why.kind(), RejectionKind::SignatureMismatch);
    // The root alone does not do, without the authority between.
    let why = verify_with_at(&source(&text("webhook_id"), &text("root")), &head, &body, time).await;
    assert_eq!(why.unwrap_err().kind(), RejectionKind::VerifierUnavailable);
    // After the certificate's end.
    let late = seconds(1_490_270_000);
    let fetcher =
        keys.fetcher(&SetClock::new()).clock(late).root_certificates(&text("authority")).unwrap();
    let patient = PayPal::with_fetched_keys([text("webhook_id")], &fetcher)
        .unwrap()
        .map_verifier(|paypal| paypal.tolerance(Tolerance::seconds(u64::MAX / 2_000)));
    let why = verify_with_at(&patient, &head, &body, late).await.unwrap_err();
    assert_eq!(why.kind(), RejectionKind::UnknownKey);
}

#[tokio::test]
async fn chain_of_certificates_decides_on_the_key() {
    let ok = (StatusCode::OK, None);
    let unknown = (StatusCode::FORBIDDEN, Some(RejectionKind::UnknownKey));
    let unavailable = (UNAVAILABLE, Some(RejectionKind::VerifierUnavailable));
    for (chain, expected) in [
        ("paypal", ok),
        ("paypal, with its root", ok),
        ("paypal, sandbox", ok),
        ("paypal, authority until December", ok),
        ("paypal, authority twice", ok),
        ("paypal, authority after its expired twin", ok),
        ("paypal, authority that has expired", unavailable),
        ("paypal, without its authority", unavailable),
        ("paypal, in another order", unavailable),
        ("paypal, of another root", unavailable),
        ("paypal, self-signed", unavailable),
        ("paypal, expired", unknown),
        ("paypal, not valid yet", unavailable),
        ("paypal, of another host", unavailable),
        ("paypal, of a host with another end", unavailable),
        ("paypal, of a host with another beginning", unavailable),
        ("paypal, without a host", unavailable),
        ("paypal, for clients alone", unavailable),
        ("paypal, issued by no authority", unavailable),
        ("alexa", unavailable),
    ] {
        let (keys, clock) = (KeySource::fixed(Certificates::chain(chain)), SetClock::new());
        let found = answer(&paypal(&keys, &clock), paypal_request()).await;
        assert_eq!((found, keys.calls()), (expected, 1), "{chain}");
    }
    let bad_request = |kind| (StatusCode::BAD_REQUEST, Some(kind));
    for (chain, expected) in [
        ("alexa", ok),
        ("alexa, of another host", unavailable),
        ("alexa, expired", bad_request(RejectionKind::UnknownKey)),
        ("paypal", unavailable),
    ] {
        let (keys, clock) = (KeySource::fixed(Certificates::chain(chain)), SetClock::new());
        let found = answer(&alexa(&keys, &clock), alexa_request(&alexa_body(json!({})))).await;
        assert_eq!((found, keys.calls()), (expected, 1), "{chain}");
    }
    let chain = Certificates::chain("paypal");
    let nine = Certificates::read().root.repeat(7);
    for document in [
        String::new(),
        "<html>".to_owned(),
        chain.replace("MII", "MIJ"),
        chain.replace("CERTIFICATE", "PUBLIC KEY"),
        chain.clone() + &nine,
    ] {
        let (keys, clock) = (KeySource::fixed(document.clone()), SetClock::new());
        let found = answer(&paypal(&keys, &clock), paypal_request()).await;
        assert_eq!((found, keys.calls()), (unavailable, 1), "{document}");
    }
}

/// Without roots of the user's, only authorities of Mozilla's list are trusted.
#[tokio::test]
async fn roots_are_mozillas_by_default() {
    let (keys, clock) = (KeySource::fixed(Certificates::chain("paypal")), SetClock::new());
    let source = PayPal::with_fetched_keys([WEBHOOK], &keys.fetcher(&clock)).unwrap();
    let found = answer(&layer(source, &clock), paypal_request()).await;
    assert_eq!(found, (UNAVAILABLE, Some(RejectionKind::VerifierUnavailable)));
    let certificates = Certificates::read();
    for roots in [&certificates.other_root, &(certificates.other_root.clone() + &certificates.root)]
    {
        let is_known = roots.contains(&certificates.root);
        let fetcher = keys.fetcher(&clock).root_certificates(roots).unwrap();
        let source = PayPal::with_fetched_keys([WEBHOOK], &fetcher).unwrap();
        let found = answer(&layer(source, &clock), paypal_request()).await.0;
        assert_eq!(found == StatusCode::OK, is_known);
    }
    for roots in ["", "a root", &certificates.root.replace("MII", "MIJ")] {
        let error = keys.fetcher(&clock).root_certificates(roots).unwrap_err();
        assert!(matches!(error, ConfigError::KeyFetcherInvalid { .. }), "{error}");
    }
}

/// A key that is in the cache ends with its certificate, and with each one above it.
#[tokio::test]
async fn certificate_ends_in_the_cache_too() {
    for (chain, last_day) in [("paypal", 47), ("paypal, authority until December", 16)] {
        let (keys, clock) = (KeySource::fixed(Certificates::chain(chain)), SetClock::new());
        let fetcher = fetcher(&keys, &clock);
        let source = PayPal::with_fetched_keys([WEBHOOK], &fetcher)
            .unwrap()
            .map_verifier(|paypal| paypal.tolerance(Tolerance::seconds(100 * 24 * 60 * 60)));
        let layer = layer(source, &clock);
        // An hour and a half before the end of the certificate.
        clock.set(last_day * DAY + 13 * 60 * 1_000);
        assert_eq!(answer(&layer, paypal_request()).await, (StatusCode::OK, None), "{chain}");
        keys.set(Reply::Failed);
        clock.set(last_day * DAY + 106 * 60 * 1_000);
        assert_eq!(answer(&layer, paypal_request()).await, (StatusCode::OK, None), "{chain}");
        // The source is down, and what is kept for that is not used any more.
        clock.set(last_day * DAY + 107 * 60 * 1_000);
        assert_eq!(answer(&layer, paypal_request()).await.0, UNAVAILABLE, "{chain}");
        keys.set(Certificates::chain(chain));
        clock.set(last_day * DAY + 120 * 60 * 1_000);
        // Only the certificate itself is PayPal's word that its key has ended.
        let expected = match chain {
            "paypal" => (StatusCode::FORBIDDEN, Some(RejectionKind::UnknownKey)),
            _ => (UNAVAILABLE, Some(RejectionKind::VerifierUnavailable)),
        };
        assert_eq!(answer(&layer, paypal_request()).await, expected, "{chain}");
    }
}

#[tokio::test]
async fn certificate_is_fetched_from_paypal_alone() {
    let path = "/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77";
    let mut urls: Vec<String> = [
        "https://attacker.paypal.com.evil.example/certs/x.pem",
        "",
        path,
        "https://api.paypal.com/v1/notifications/certs/",
        "https://api.paypal.com/v1/notifications/certs/../../../x",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?a",
        "https://api.paypal.com/v1/notifications/certs/CERT-1#a",
        "https://api.paypal.com/v1/notifications/certs/CERT-1/a",
        "https://api.paypal.com/v1/notifications/certs/CERT%2d1",
        "https://api.paypal.com/v1/notifications/certs//CERT-1",
        "https://api.paypal.com/v2/notifications/certs/CERT-1",
        "https://api.paypal.com//v1/notifications/certs/CERT-1",
        "https://evil.example/https://api.paypal.com/v1/notifications/certs/CERT-1",
    ]
    .map(str::to_owned)
    .into();
    for host in [
        "attacker.paypal.com",
        "api.paypal.com.evil.example",
        "api.paypal.com:443",
        "api.paypal.com:8443",
        "user@api.paypal.com",
        "evil.example@api.paypal.com",
        "api.paypal.com@evil.example",
        "evil.example#api.paypal.com",
        "evil.example?api.paypal.com",
        "evil.example\\api.paypal.com",
        "API.paypal.com",
        "api.paypal.com.",
        "api。paypal.com",
        "www.paypal.com",
        "169.254.169.254",
        "[::1]",
    ] {
        urls.push(format!("https://{host}{path}"));
    }
    urls.push(CERT_URL.replace("https", "http"));
    urls.push(CERT_URL.replace("https", "HTTPS"));
    urls.push(format!("{CERT_URL}{}", "0".repeat(80)));
    for url in urls {
        let (keys, clock) = (KeySource::fixed(Certificates::chain("paypal")), SetClock::new());
        let mut request = paypal_request();
        request
            .headers_mut()
            .insert("paypal-cert-url", http::HeaderValue::from_bytes(url.as_bytes()).unwrap());
        let (status, kind) = answer(&paypal(&keys, &clock), request).await;
        assert_eq!((status, keys.calls()), (StatusCode::FORBIDDEN, 0), "{url}");
        let expected =
            if url.is_empty() { RejectionKind::Missing } else { RejectionKind::Malformed };
        assert_eq!(kind, Some(expected), "{url}");
    }
    let sandbox = CERT_URL.replace("api.", "api.sandbox.");
    let (keys, clock) = (KeySource::fixed(Certificates::chain("paypal, sandbox")), SetClock::new());
    let mut request = paypal_request();
    request.headers_mut().insert("paypal-cert-url", sandbox.parse().unwrap());
    assert_eq!(answer(&paypal(&keys, &clock), request).await.0, StatusCode::OK);
    assert_eq!(keys.last().url(), sandbox);
}

#[tokio::test]
async fn nothing_is_fetched_for_paypal_that_no_key_makes_authentic() {
    for (name, value, kind) in [
        ("paypal-auth-algo", Some("SHA1withRSA"), RejectionKind::Malformed),
        ("paypal-auth-algo", Some("none"), RejectionKind::Malformed),
        ("paypal-auth-algo", None, RejectionKind::Missing),
        ("paypal-transmission-sig", Some("!"), RejectionKind::Malformed),
        ("paypal-transmission-sig", None, RejectionKind::Missing),
        ("paypal-transmission-id", Some("a|b"), RejectionKind::Malformed),
        ("paypal-transmission-id", Some("a b"), RejectionKind::Malformed),
        ("paypal-transmission-id", None, RejectionKind::Missing),
        ("paypal-transmission-time", Some("1700000000"), RejectionKind::Malformed),
        ("paypal-transmission-time", Some("2023-11-10T22:13:20Z"), RejectionKind::TimestampStale),
        (
            "paypal-transmission-time",
            Some("2023-11-14T22:30:00Z"),
            RejectionKind::TimestampInFuture,
        ),
        ("paypal-transmission-time", None, RejectionKind::Missing),
        ("paypal-cert-url", None, RejectionKind::Missing),
    ] {
        let (keys, clock) = (KeySource::fixed(Certificates::chain("paypal")), SetClock::new());
        let mut request = paypal_request();
        match value {
            Some(value) => _ = request.headers_mut().insert(name, value.parse().unwrap()),
            None => _ = request.headers_mut().remove(name),
        }
        let found = answer(&paypal(&keys, &clock), request).await;
        assert_eq!(found, (StatusCode::FORBIDDEN, Some(kind)), "{name} {value:?}");
        assert_eq!(keys.calls(), 0, "{name} {value:?}");
    }
}

/// Each part of what PayPal signs.
#[test]
fn every_part_of_paypals_content_is_verified() {
    let time = seconds(1_700_000_000);
    let public = key().public_key().unwrap();
    let paypal = PayPal::new([WEBHOOK], public.clone()).unwrap();
    let (head, body) = {
        let request = Request::post("/").body(BODY.to_owned()).unwrap();
        let key = key();
        signed(&paypal, request, Signing::at(time).private_key(&key)).unwrap().into_parts()
    };
    assert!(verify_at(&paypal, &head, &body, time).is_ok());
    let several = PayPal::new(["WEBHOOK_ID", WEBHOOK], public.clone()).unwrap();
    assert!(verify_at(&several, &head, &body, time).is_ok());
    let other = PayPal::new(["WEBHOOK_ID"], public).unwrap();
    for (verifier, name, value, body) in [
        (&other, "", "", body.clone()),
        (&paypal, "paypal-transmission-id", "other", body.clone()),
        (&paypal, "paypal-transmission-time", "2023-11-14T22:13:21Z", body.clone()),
        (&paypal, "", "", Bytes::from(BODY.replace("WH-1", "WH-2"))),
        (&paypal, "", "", Bytes::new()),
    ] {
        let mut head = head.clone();
        if !name.is_empty() {
            head.headers.insert(name, value.parse().unwrap());
        }
        let why = verify_at(verifier, &head, &body, time).unwrap_err();
        assert_eq!(why.kind(), RejectionKind::SignatureMismatch, "{name}");
    }
}

#[test]
fn settings_of_paypal_and_alexa_are_checked() {
    let fetcher = KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None));
    let many: Vec<String> = (0..17).map(|number| format!("A{number}")).collect();
    for ids in
        [vec![], vec![""], vec!["WH-2WR32451HC0233532-67976317FL4543714"], vec![WEBHOOK, "a|b"]]
    {
        let error = PayPal::with_fetched_keys(ids.clone(), &fetcher).unwrap_err();
        assert!(matches!(error, ConfigError::IdInvalid { .. }), "{ids:?}");
    }
    assert!(PayPal::with_fetched_keys(many.clone(), &fetcher).is_err());
    assert!(PayPal::with_fetched_keys(many[1..].to_vec(), &fetcher).is_ok());
    for ids in [vec![], vec![""], vec![SKILL, ""]] {
        let error = Alexa::with_fetched_keys(ids.clone(), &fetcher).unwrap_err();
        assert!(matches!(error, ConfigError::IdInvalid { .. }), "{ids:?}");
    }
    let ed25519 = PrivateKey::from_ed25519_seed(&[7; 32]).unwrap().public_key().unwrap();
    for keys in [vec![], vec![ed25519]] {
        let error = PayPal::new([WEBHOOK], keys.clone()).unwrap_err();
        assert!(matches!(error, ConfigError::PublicKeyInvalid { .. }), "{error}");
        let error = Alexa::new([SKILL], keys).unwrap_err();
        assert!(matches!(error, ConfigError::PublicKeyInvalid { .. }), "{error}");
    }
}
