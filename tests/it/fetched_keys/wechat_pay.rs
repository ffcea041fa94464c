//! WeChat Pay: platform certificates, which are encrypted with the API v3 key.

use std::{collections::BTreeMap, error::Error as _};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;
use tower_webhook::{
    ConfigError, Rejection, RejectionKind, Secret, SignatureLayer,
    fetched_keys::{FetchedKeys, KeyFetcher},
    providers::WeChatPay,
    sign::{PrivateKey, Signing, signed},
};

use super::{KeySource, Reply, seconds};
use crate::support::{SetClock, send, unexplained};

const API_V3_KEY: &str = "made-up-api-v3-key-of-32-letters";

#[derive(Deserialize)]
struct Certificates {
    serial: String,
    old_serial: String,
    documents: BTreeMap<String, String>,
}

impl Certificates {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/wechat_pay.json")).unwrap()
    }
}

fn request(serial: Option<&str>) -> Request<Full<Bytes>> {
    let keys: Vec<Value> = serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
    let rsa = keys.iter().find(|key| key["algorithm"] == "rsa").unwrap();
    let key = PrivateKey::from_pem(rsa["private"].as_str().unwrap()).unwrap();
    let wechat = WeChatPay::new(key.public_key().unwrap()).unwrap();
    let mut request = Request::post("/hook").header("wechatpay-nonce", "n-1");
    if let Some(serial) = serial {
        request = request.header("wechatpay-serial", serial);
    }
    let request = request.body(r#"{"id":"notice-1","resource":{}}"#.to_owned()).unwrap();
    let with = Signing::at(seconds(1_700_000_000)).private_key(&key);
    signed(&wechat, request, with).unwrap().map(Full::from)
}

fn layer(keys: &KeySource, clock: &SetClock) -> SignatureLayer<FetchedKeys<WeChatPay>> {
    let secret = Secret::new(API_V3_KEY).unwrap();
    let source = WeChatPay::with_fetched_keys(&secret, &keys.fetcher(clock)).unwrap();
    unexplained(SignatureLayer::new(source).clock(clock.now()))
}

async fn answer(
    layer: &SignatureLayer<FetchedKeys<WeChatPay>>,
    serial: Option<&str>,
) -> (StatusCode, Option<RejectionKind>) {
    let (response, _) = send(layer, request(serial)).await;
    (response.status(), response.extensions().get::<Rejection>().map(Rejection::kind))
}

#[tokio::test]
async fn platform_certificates_are_decrypted() {
    let all = Certificates::read();
    let rejected = |kind| (StatusCode::FORBIDDEN, Some(kind));
    let ok = (StatusCode::OK, None);
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, Some(RejectionKind::VerifierUnavailable));
    for (document, serial, expected) in [
        ("two certificates", &all.serial, ok),
        ("two certificates", &all.old_serial, rejected(RejectionKind::SignatureMismatch)),
        ("two certificates", &"0".repeat(40), rejected(RejectionKind::UnknownKey)),
        ("of an older key", &all.serial, rejected(RejectionKind::SignatureMismatch)),
        ("one that can be decrypted", &all.serial, ok),
        ("one that can be decrypted", &all.old_serial, rejected(RejectionKind::UnknownKey)),
        ("expired", &all.serial, rejected(RejectionKind::UnknownKey)),
        ("under another API v3 key", &all.serial, unavailable),
        ("other associated data", &all.serial, unavailable),
        ("short nonce", &all.serial, unavailable),
        ("no base64", &all.serial, unavailable),
        ("empty", &all.serial, unavailable),
    ] {
        let (keys, clock) = (KeySource::fixed(all.documents[document].clone()), SetClock::new());
        let found = answer(&layer(&keys, &clock), Some(serial)).await;
        assert_eq!((found, keys.calls()), (expected, 1), "{document} {serial}");
        assert_eq!(keys.last().url(), "https://api.mch.weixin.qq.com/v3/certificates");
    }
    let other = KeySource::fixed(all.documents["under another API v3 key"].clone());
    let clock = SetClock::new();
    let (response, _) = send(&layer(&other, &clock), request(Some(&all.serial))).await;
    let why = response.extensions().get::<Rejection>().unwrap().source().unwrap().to_string();
    assert!(why.contains("check the API v3 key"), "{why}");
    for serial in [None, Some(""), Some("a/b"), Some("a b"), Some(&*"0".repeat(65))] {
        let (keys, clock) = (KeySource::fixed(Reply::Absent), SetClock::new());
        let (status, kind) = answer(&layer(&keys, &clock), serial).await;
        assert_eq!((status, keys.calls()), (StatusCode::FORBIDDEN, 0), "{serial:?}");
        assert!(matches!(kind, Some(RejectionKind::Missing | RejectionKind::Malformed)));
    }
}

/// A new certificate is fetched when a notification names it, and both are used meanwhile.
#[tokio::test]
async fn certificates_change_without_an_interruption() {
    let all = Certificates::read();
    let (keys, clock) =
        (KeySource::fixed(all.documents["one that can be decrypted"].clone()), SetClock::new());
    let layer = layer(&keys, &clock);
    assert_eq!(answer(&layer, Some(&all.serial)).await.0, StatusCode::OK);
    keys.set(all.documents["two certificates"].clone());
    clock.set(61_000);
    let found = answer(&layer, Some(&all.old_serial)).await;
    assert_eq!(found.1, Some(RejectionKind::SignatureMismatch), "it has its certificate now");
    assert_eq!(answer(&layer, Some(&all.serial)).await.0, StatusCode::OK);
    assert_eq!(keys.calls(), 2);
}

#[test]
fn api_v3_key_has_32_bytes() {
    let fetcher = KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None));
    for key in ["made-up-api-v3-key", &format!("{API_V3_KEY}0")] {
        let secret = Secret::new(key).unwrap();
        let error = WeChatPay::with_fetched_keys(&secret, &fetcher).unwrap_err();
        assert!(matches!(error, ConfigError::CredentialsInvalid { .. }), "{error}");
    }
}
