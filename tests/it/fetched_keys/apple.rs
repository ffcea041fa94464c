//! App Store Server Notifications of Apple.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use tower_webhook::{
    Rejection, RejectionKind, Verified,
    providers::{AppleAppStore, token_claims},
    scheme::Tolerance,
    sign::{PrivateKey, Signing, signed},
    verifier::{Field, verify_with_at},
};

use super::seconds;

const NOW: u64 = 1_700_000_000;
const BUNDLE: &str = "com.example.app";

#[derive(Deserialize)]
struct Vectors {
    root: String,
    chain: [String; 3],
    vendor: Vendor,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vendor {
    root: String,
    body: String,
    without_certificates: String,
}

#[derive(Deserialize)]
struct Vector {
    description: String,
    body: String,
    environment: String,
    root: String,
    /// `None` if the request is authentic.
    kind: Option<String>,
}

impl Vectors {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/apple_app_store.json")).unwrap()
    }

    fn body(&self, description: &str) -> &str {
        &self.vectors.iter().find(|vector| vector.description == description).unwrap().body
    }

    fn sandbox(&self) -> AppleAppStore {
        AppleAppStore::sandbox(BUNDLE).unwrap().root_certificates(&self.root).unwrap()
    }
}

async fn judge(apple: &AppleAppStore, body: &str, now: u64) -> Result<Verified, Rejection> {
    let head = Request::post("/hook").body(()).unwrap().into_parts().0;
    let body = Bytes::copy_from_slice(body.as_bytes());
    let outcome = verify_with_at(apple, &head, &body, seconds(now)).await?;
    Ok(outcome.accepted().unwrap())
}

#[tokio::test]
async fn every_notification_of_apple_gives_its_verdict() {
    let all = Vectors::read();
    let mut wrong = Vec::new();
    for Vector { description, body, environment, root, kind } in &all.vectors {
        let apple = match &**environment {
            "production" => AppleAppStore::production(BUNDLE, 1234),
            _ => AppleAppStore::sandbox(BUNDLE),
        };
        let apple = match &**root {
            "apple" => apple.unwrap(),
            _ => apple.unwrap().root_certificates(&all.root).unwrap(),
        };
        let found = judge(&apple, body, NOW).await.err().map(|why| format!("{:?}", why.kind()));
        if found != *kind {
            wrong.push(format!("{description}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(all.vectors.len() > 80);
}

/// Apple's own vectors, with a root that its library's tests have.
#[tokio::test]
async fn notification_of_apples_library_is_accepted() {
    let Vectors { vendor, .. } = Vectors::read();
    let apple = |bundle| AppleAppStore::sandbox(bundle).unwrap();
    let trusting = |bundle| apple(bundle).root_certificates(&vendor.root).unwrap();
    let verified = judge(&trusting("com.example"), &vendor.body, NOW).await.unwrap();
    assert_eq!(verified.delivery_id().unwrap(), "9ad56bd2-0bc6-42e0-af24-fd996d87a1e6");
    assert!(verified.delivery_id_is_signed() && verified.has_unique_replay_key());
    assert!(!verified.body_is_signed());
    assert_eq!(verified.signed_at(), Some(seconds(1_681_314_324)));
    let why = judge(&trusting("com.examplex"), &vendor.body, NOW).await.unwrap_err();
    assert_eq!(why.field(), Some(Field::Jwt("bundleId".into())));
    let why = judge(&apple("com.example"), &vendor.body, NOW).await.unwrap_err();
    assert_eq!(why.field(), Some(Field::Jwt("x5c".into())));
    let body = &vendor.without_certificates;
    let why = judge(&trusting("com.example"), body, NOW).await.unwrap_err();
    assert_eq!((why.kind(), why.field()), (RejectionKind::Missing, Some(Field::Jwt("x5c".into()))));
    let production = AppleAppStore::production("com.example", 1234).unwrap();
    let production = production.root_certificates(&vendor.root).unwrap();
    let why = judge(&production, &vendor.body, NOW).await.unwrap_err();
    assert_eq!(why.field(), Some(Field::Jwt("environment".into())));
}

/// The certificates must be valid when the request arrives, whenever it was signed.
#[tokio::test]
async fn certificates_of_apple_have_an_end() {
    let all = Vectors::read();
    let (apple, body) = (all.sandbox(), all.body("sandbox"));
    for (now, is_valid) in [
        (1_672_531_199, false),
        (1_672_531_200, true),
        (2_208_988_800, true),
        (2_208_988_801, false),
    ] {
        assert_eq!(judge(&apple, body, now).await.is_ok(), is_valid, "{now}");
    }
}

#[tokio::test]
async fn signed_date_of_apple_counts_on_demand() {
    let all = Vectors::read();
    let body = all.body("sandbox");
    let day = 86_400;
    assert!(judge(&all.sandbox(), body, NOW + 30 * day).await.is_ok());
    let apple = all.sandbox().tolerance(Tolerance::seconds(60));
    let verified = judge(&apple, body, NOW + 55).await.unwrap();
    assert_eq!(verified.valid_for(), Some(std::time::Duration::ZERO));
    let kind = async |body, now| judge(&apple, body, now).await.unwrap_err().kind();
    assert_eq!(kind(body, NOW + 56).await, RejectionKind::TimestampStale);
    assert_eq!(kind(body, NOW - 66).await, RejectionKind::TimestampInFuture);
    assert_eq!(kind(all.body("without signedDate"), NOW).await, RejectionKind::Missing);
}

#[tokio::test]
async fn signed_notification_of_apple_is_accepted() {
    let all = Vectors::read();
    let chain = all.chain.each_ref().map(|text| STANDARD.decode(text).unwrap());
    let apple = all.sandbox().signing_chain(chain);
    let keys: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
    let private = keys.iter().find(|key| key["algorithm"] == "ecdsa").unwrap();
    let private = PrivateKey::from_pem(private["private"].as_str().unwrap()).unwrap();
    let event =
        r#"{"notificationUUID":"a","data":{"bundleId":"com.example.app","environment":"Sandbox"}}"#;
    let request = || Request::post("/hook").body(event).unwrap();
    let signing = Signing::at(seconds(NOW)).private_key(&private);
    let body = signed(&apple, request(), signing).unwrap().into_body();
    let body = str::from_utf8(&body).unwrap();
    assert_eq!(judge(&apple, body, NOW).await.unwrap().delivery_id().unwrap(), "a");
    assert_eq!(token_claims(body.split('"').nth(3).unwrap()).unwrap(), event);
    assert!(signed(&apple, request(), seconds(NOW)).is_err());
    // Without its certificates.
    let bare = signed(&all.sandbox(), request(), signing).unwrap().into_body();
    let why = judge(&apple, str::from_utf8(&bare).unwrap(), NOW).await.unwrap_err();
    assert_eq!(why.field(), Some(Field::Jwt("x5c".into())));
}

#[test]
fn settings_of_apple_are_checked() {
    assert!(AppleAppStore::sandbox("").is_err() && AppleAppStore::production("", 1).is_err());
    let apple = AppleAppStore::sandbox(BUNDLE).unwrap();
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"] {
        assert!(apple.clone().root_certificates(pem).is_err(), "{pem}");
    }
    assert!(format!("{apple:?}").contains(BUNDLE));
}
