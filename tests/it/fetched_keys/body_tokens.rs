//! JSON Web Tokens in bodies, that are signed with fetched keys or a pinned one.

use std::fmt::Debug;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use tower_webhook::{
    PublicKey, Rejection, RejectionKind, SignatureLayer, Verified, Verifier,
    fetched_keys::FetchedKeys,
    layer::Source,
    providers::{
        GoogleRisc, Kinde, SecurityEventTokens, SignInWithApple, Wix, by_name, token_claims,
    },
    verifier::{Field, verify_with_at},
};

use super::{KeySource, seconds};
use crate::support::{SetClock, at, send, unexplained};

const CLIENT: &str = "123456789-made-up.apps.googleusercontent.com";
const APP: &str = "com.example.app";
const ISSUER: &str = "https://idp.example.com";
const RECEIVER: &str = "https://receiver.example.com";
const JWKS: &str = "https://idp.example.com/jwks.json";
const KINDE: &str = "https://example.kinde.com/.well-known/jwks";
const NOW: u64 = 1_700_000_000;

#[derive(Deserialize)]
struct Vectors {
    document: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    provider: String,
    description: String,
    body: String,
    /// `None` if the request is authentic.
    kind: Option<String>,
    fetches: usize,
}

impl Vectors {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/body_tokens.json")).unwrap()
    }

    /// The body of the provider's first vector, which is authentic.
    fn authentic(&self, provider: &str) -> String {
        let found = self.vectors.iter().find(|vector| vector.provider == provider).unwrap();
        assert!(found.kind.is_none());
        found.body.clone()
    }
}

/// The RSA key that signs the vectors.
fn rsa() -> PublicKey {
    key("rsa", "public").parse().unwrap()
}

fn key(algorithm: &str, which: &str) -> String {
    let keys: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
    let key = keys.iter().find(|key| key["algorithm"] == algorithm).unwrap();
    key[which].as_str().unwrap().to_owned()
}

async fn judge(source: &impl Source, body: &str) -> Result<Verified, Rejection> {
    let head = Request::post("/hook").body(()).unwrap().into_parts().0;
    let body = Bytes::copy_from_slice(body.as_bytes());
    let outcome = verify_with_at(source, &head, &body, seconds(NOW)).await?;
    Ok(outcome.accepted().unwrap())
}

/// Judges a body by the provider of this name. Returns the number of fetches and their URL, too.
async fn judge_by(
    provider: &str,
    body: &str,
    document: &str,
) -> (Result<Verified, Rejection>, usize, Option<String>) {
    let (keys, clock) = (KeySource::fixed(document.to_owned()), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    let judged = match provider {
        "google_risc" => {
            let clients = [CLIENT, "second-client"];
            judge(&GoogleRisc::with_fetched_keys(clients, fetcher).unwrap(), body).await
        }
        "kinde" => judge(&Kinde::with_fetched_keys(KINDE, fetcher).unwrap(), body).await,
        "security_event_tokens" => {
            let source =
                SecurityEventTokens::with_fetched_keys(ISSUER, [RECEIVER], JWKS, fetcher).unwrap();
            judge(&source, body).await
        }
        "sign_in_with_apple" => {
            judge(&SignInWithApple::with_fetched_keys([APP], fetcher).unwrap(), body).await
        }
        "wix" => judge(&Wix::new(rsa()).unwrap(), body).await,
        other => panic!("{other}"),
    };
    let url = (keys.calls() > 0).then(|| keys.last().url().to_owned());
    (judged, keys.calls(), url)
}

/// A body that no key can make authentic causes no fetch.
#[tokio::test]
async fn every_token_in_a_body_gives_its_verdict() {
    let all = Vectors::read();
    let mut wrong = Vec::new();
    for Vector { provider, description, body, kind, fetches } in &all.vectors {
        let (judged, calls, _) = judge_by(provider, body, &all.document).await;
        let found = judged.err().map(|why| format!("{:?}", why.kind()));
        if found != *kind || calls != *fetches {
            wrong.push(format!("{provider}, {description}: {found:?}, {calls} fetches"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(all.vectors.len() > 200);
}

#[tokio::test]
async fn keys_of_tokens_in_bodies_have_their_urls() {
    let all = Vectors::read();
    for (provider, expected) in [
        ("google_risc", Some("https://www.googleapis.com/oauth2/v3/certs")),
        ("kinde", Some(KINDE)),
        ("security_event_tokens", Some(JWKS)),
        ("sign_in_with_apple", Some("https://appleid.apple.com/auth/keys")),
        ("wix", None),
    ] {
        let (judged, _, url) = judge_by(provider, &all.authentic(provider), &all.document).await;
        judged.unwrap();
        assert_eq!(url.as_deref(), expected, "{provider}");
    }
}

/// The ID in the token is signed, so each delivery is known again.
#[tokio::test]
async fn token_in_a_body_proves_its_id_and_its_time() {
    let all = Vectors::read();
    for (provider, id, is_signed) in [
        ("google_risc", Some("756E69717565206964656E746966696572"), true),
        ("kinde", Some("event_0190ebb37d4b0c8bf0dfa6f2bcd3b8a4"), true),
        ("security_event_tokens", Some("24c63fb56e5a2d77a6b512616ca9fa24"), true),
        ("sign_in_with_apple", Some("abede67890"), false),
        ("wix", None, true),
    ] {
        let body = all.authentic(provider);
        let verified = judge_by(provider, &body, &all.document).await.0.unwrap();
        assert_eq!(verified.provider(), provider);
        assert_eq!(verified.delivery_id().map(|id| id.to_str().unwrap()), id, "{provider}");
        assert_eq!(verified.delivery_id_is_signed(), id.is_some(), "{provider}");
        assert_eq!(verified.has_unique_replay_key(), id.is_some(), "{provider}");
        assert_eq!(verified.body_is_signed(), is_signed, "{provider}");
        let time = (provider != "kinde").then(|| seconds(NOW - 10));
        assert_eq!(verified.signed_at(), time, "{provider}");
        let again = judge_by(provider, &body, &all.document).await.0.unwrap();
        assert_eq!(verified.replay_key(), again.replay_key(), "{provider}");
    }
    // The same event in another token, another event, and the same token beside another field.
    let key = async |provider: &str, body: &str| {
        judge_by(provider, body, &all.document).await.0.unwrap().replay_key().unwrap()
    };
    let bodies = |provider| {
        let is_it = move |vector: &&Vector| vector.provider == provider && vector.kind.is_none();
        all.vectors.iter().filter(is_it).map(|vector| &*vector.body)
    };
    let other = bodies("kinde").nth(1).unwrap();
    assert_eq!(key("kinde", other).await, key("kinde", &all.authentic("kinde")).await);
    let other = bodies("wix").nth(1).unwrap();
    assert_ne!(key("wix", other).await, key("wix", &all.authentic("wix")).await);
    let apple = all.authentic("sign_in_with_apple");
    let beside = apple.replacen('{', r#"{"other":1,"#, 1);
    let same = key("sign_in_with_apple", &beside).await;
    assert_eq!(same, key("sign_in_with_apple", &apple).await);
}

/// RFC 8935 demands 400 for an invalid token, and 202 for a valid one.
#[tokio::test]
async fn security_events_have_the_statuses_of_their_rfc() {
    let all = Vectors::read();
    let (keys, clock) = (KeySource::fixed(all.document.clone()), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    async fn statuses<V: Verifier + Clone + Send + Sync + 'static>(
        source: FetchedKeys<V>,
        body: String,
    ) -> [StatusCode; 3] {
        let layer = unexplained(SignatureLayer::new(source).clock(at(NOW)));
        let cut = body[..body.len() - 1].to_owned();
        let mut statuses = [StatusCode::OK; 3];
        for (status, body) in statuses.iter_mut().zip([body, cut, String::new()]) {
            let request = Request::post("/hook").body(Full::<Bytes>::from(body)).unwrap();
            *status = send(&layer, request).await.0.status();
        }
        statuses
    }
    let expected = [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST];
    let risc = GoogleRisc::with_fetched_keys([CLIENT], fetcher).unwrap();
    assert_eq!(statuses(risc, all.authentic("google_risc")).await, expected);
    let events = SecurityEventTokens::with_fetched_keys(ISSUER, [RECEIVER], JWKS, fetcher).unwrap();
    assert_eq!(statuses(events, all.authentic("security_event_tokens")).await, expected);
    let expected = [StatusCode::OK, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN];
    let kinde = Kinde::with_fetched_keys(KINDE, fetcher).unwrap();
    assert_eq!(statuses(kinde, all.authentic("kinde")).await, expected);
}

#[tokio::test]
async fn rejection_names_the_claim_of_a_token_in_a_body() {
    let all = Vectors::read();
    for (provider, description, field) in [
        ("google_risc", "another audience", Field::Jwt("aud".into())),
        ("google_risc", "another issuer", Field::Jwt("iss".into())),
        ("google_risc", "ID token of a user", Field::Jwt("events".into())),
        ("google_risc", "type at+jwt", Field::Jwt("typ".into())),
        ("google_risc", "no key ID", Field::Jwt("kid".into())),
        ("kinde", "two parts", Field::Body),
        ("sign_in_with_apple", "two parts", Field::Json("payload".into())),
        ("sign_in_with_apple", "no payload", Field::Json("payload".into())),
        ("wix", "data is 1", Field::Jwt("data".into())),
    ] {
        let is_it =
            |vector: &&Vector| (&*vector.provider, &*vector.description) == (provider, description);
        let vector = all.vectors.iter().find(is_it).unwrap();
        let why = judge_by(provider, &vector.body, &all.document).await.0.unwrap_err();
        assert_eq!(why.field(), Some(field), "{provider}, {description}");
    }
}

#[test]
fn settings_of_tokens_in_bodies_are_checked() {
    let (keys, clock) = (KeySource::fixed(String::new()), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    let none: [&str; 0] = [];
    assert!(GoogleRisc::with_fetched_keys(none, fetcher).is_err());
    assert!(GoogleRisc::with_fetched_keys([CLIENT, ""], fetcher).is_err());
    assert!(SignInWithApple::with_fetched_keys(none, fetcher).is_err());
    assert!(SignInWithApple::new([APP], Vec::new()).is_err());
    assert!(Kinde::with_fetched_keys("http://example.kinde.com/jwks", fetcher).is_err());
    let events = |issuer, audience, url| {
        SecurityEventTokens::with_fetched_keys(issuer, [audience], url, fetcher).is_ok()
    };
    assert!(events(ISSUER, RECEIVER, JWKS));
    assert!(
        !events("", RECEIVER, JWKS) && !events(ISSUER, "", JWKS) && !events(ISSUER, RECEIVER, "")
    );
    let ed25519 = key("ed25519", "public").parse::<PublicKey>().unwrap();
    assert!(Wix::new(ed25519.clone()).is_err() && Wix::new(Vec::new()).is_err());
    assert!(Wix::new(vec![rsa(); 16]).is_ok() && Wix::new(vec![rsa(); 17]).is_err());
    assert!(SecurityEventTokens::new(ISSUER, [RECEIVER], ed25519).is_ok());
}

#[test]
fn claims_of_a_token_are_read_unverified() {
    let all = Vectors::read();
    let claims = token_claims(all.authentic("wix")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    assert!(claims["data"].as_str().unwrap().contains("instanceId"));
    for text in ["", "a.b.c", "{}", "..", &all.authentic("sign_in_with_apple")] {
        assert_eq!(token_claims(text), None, "{text}");
    }
}

#[cfg(feature = "sign")]
#[tokio::test]
async fn signed_tokens_in_bodies_are_accepted() {
    use tower_webhook::sign::{PrivateKey, Sign, Signing, signed};

    async fn check(signer: &(impl Sign + Source + Debug), event: &str, wanted: &[&str]) {
        let private = PrivateKey::from_pem(&key("rsa", "private")).unwrap();
        let request = || Request::post("/hook").body(event.to_owned()).unwrap();
        let signing = Signing::at(seconds(NOW)).private_key(&private);
        let body = signed(signer, request(), signing).unwrap().into_body();
        let body = str::from_utf8(&body).unwrap();
        judge(signer, body).await.unwrap();
        let other = body.replace(['A', 'B'], "C");
        assert!(judge(signer, &other).await.is_err());
        let token = body.split('"').max_by_key(|part| part.len()).unwrap();
        let claims = token_claims(token).unwrap();
        assert!(wanted.iter().all(|text| claims.contains(text)), "{claims}");
        assert!(signed(signer, request(), seconds(NOW)).is_err());
        assert!(format!("{signer:?}").len() < 400);
    }
    let events = r#"{"events":{"a":{}},"number":1.50}"#;
    let wanted = [r#""number":1.50"#, r#""jti":"#, r#""iat":1700000000"#];
    check(&GoogleRisc::new([CLIENT], rsa()).unwrap(), events, &wanted).await;
    check(&SecurityEventTokens::new(ISSUER, [RECEIVER], rsa()).unwrap(), events, &wanted).await;
    let kinde = r#"{"type":"a","event_id":"b","data":{}}"#;
    check(&Kinde::new(rsa()).unwrap(), kinde, &[r#""event_id":"b""#]).await;
    let apple = SignInWithApple::new([APP], rsa()).unwrap();
    check(&apple, r#"{"type":"a"}"#, &[r#""events":"{\"type\":\"a\"}""#]).await;
    check(&Wix::new(rsa()).unwrap(), r#"{"eventType":"a"}"#, &[r#"\"eventType\""#]).await;
    // An event's own claims are kept.
    let own = r#"{"events":{},"jti":"mine","iat":1}"#;
    check(&GoogleRisc::new([CLIENT], rsa()).unwrap(), own, &[r#""jti":"mine""#, r#""iat":1"#])
        .await;
    let private = PrivateKey::from_pem(&key("rsa", "private")).unwrap();
    let request = Request::post("/hook").body("no JSON").unwrap();
    let signing = Signing::at(seconds(NOW)).private_key(&private);
    let why = signed(&GoogleRisc::new([CLIENT], rsa()).unwrap(), request, signing).unwrap_err();
    assert_eq!(why.kind(), RejectionKind::Malformed);
}

#[test]
fn wix_is_found_by_its_name() {
    let wix = by_name("wix").unwrap();
    let body = Bytes::from(Vectors::read().authentic("wix"));
    let head = Request::post("/hook").body(()).unwrap().into_parts().0;
    let verifier = wix.verifier(key("rsa", "public").trim()).unwrap();
    let verified =
        tower_webhook::verifier::verify_at(&verifier, &head, &body, seconds(NOW)).unwrap();
    assert_eq!(verified.verified().provider(), "wix");
}
