//! Detached JSON Web Signatures, that are made with fetched keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use tower_webhook::{
    PublicKey, PublicUrl, Rejection, RejectionKind, Verified,
    layer::Source,
    providers::{
        Fireblocks, FireblocksEnvironment, NeonAuth, OpenBanking, TrueLayer, TrueLayerEnvironment,
    },
    scheme::Tolerance,
    verifier::{Field, verify_with_at},
};

use super::{KeySource, seconds};
use crate::support::SetClock;

const NOW: u64 = 1_700_000_000;
const NEON: &str = "https://auth.example.com/.well-known/jwks.json";
const BANK: &str = "https://keystore.example.com/bank.jwks";
const ISSUER: &str = "0015800000jfwxXAAQ";
const ANCHOR: &str = "openbanking.org.uk";
const PRODUCTION: TrueLayerEnvironment = TrueLayerEnvironment::Production;

#[derive(Deserialize)]
struct Vectors {
    p521: String,
    p521_public: String,
    documents: Vec<String>,
    vectors: Vec<Vector>,
}

#[derive(Clone, Deserialize)]
struct Vector {
    provider: String,
    description: String,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
    document: usize,
    /// `None` if the request is authentic.
    kind: Option<String>,
    fetches: usize,
}

impl Vectors {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/detached.json")).unwrap()
    }

    fn find(&self, provider: &str, description: &str) -> &Vector {
        let is_it = |vector: &&Vector| {
            vector.provider == provider && vector.description.starts_with(description)
        };
        self.vectors.iter().find(is_it).unwrap()
    }
}

fn url() -> PublicUrl {
    PublicUrl::base("https://example.com").unwrap()
}

async fn judge(source: &impl Source, vector: &Vector) -> Result<Verified, Rejection> {
    let mut request = Request::builder().method(&*vector.method).uri(&vector.path);
    for (name, value) in &vector.headers {
        request = request.header(name, value);
    }
    let head = request.body(()).unwrap().into_parts().0;
    let body = Bytes::copy_from_slice(vector.body.as_bytes());
    let outcome = verify_with_at(source, &head, &body, seconds(NOW)).await?;
    Ok(outcome.accepted().unwrap())
}

/// Judges a vector by its provider. Returns the number of fetches and their URL, too.
async fn run(
    all: &Vectors,
    vector: &Vector,
) -> (Result<Verified, Rejection>, usize, Option<String>) {
    let document = all.documents[vector.document].clone();
    let (keys, clock) = (KeySource::fixed(document), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    let judged = match &*vector.provider {
        "truelayer" => {
            let source = TrueLayer::with_fetched_keys(PRODUCTION, url(), fetcher).unwrap();
            judge(&source, vector).await
        }
        "fireblocks" => {
            let environment = FireblocksEnvironment::Eu2;
            judge(&Fireblocks::with_fetched_keys(environment, fetcher).unwrap(), vector).await
        }
        "neon_auth" => judge(&NeonAuth::with_fetched_keys(NEON, fetcher).unwrap(), vector).await,
        "open_banking" => {
            let source = OpenBanking::with_fetched_keys(ISSUER, ANCHOR, BANK, fetcher).unwrap();
            judge(&source, vector).await
        }
        other => panic!("{other}"),
    };
    let url = (keys.calls() > 0).then(|| keys.last().url().to_owned());
    (judged, keys.calls(), url)
}

/// A signature that no key can make authentic causes no fetch.
#[tokio::test]
async fn every_detached_signature_gives_its_verdict() {
    let all = Vectors::read();
    let mut wrong = Vec::new();
    for vector in &all.vectors {
        let (judged, calls, _) = run(&all, vector).await;
        let found = judged.err().map(|why| format!("{:?}", why.kind()));
        if found != vector.kind || calls != vector.fetches {
            let Vector { provider, description, .. } = vector;
            wrong.push(format!("{provider}, {description}: {found:?}, {calls} fetches"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(all.vectors.len() > 170, "{}", all.vectors.len());
}

#[tokio::test]
async fn keys_of_detached_signatures_have_their_urls() {
    let all = Vectors::read();
    for (provider, expected) in [
        ("truelayer", "https://webhooks.truelayer.com/.well-known/jwks"),
        ("fireblocks", "https://eu2-keys.fireblocks.io/.well-known/jwks.json"),
        ("neon_auth", NEON),
        ("open_banking", BANK),
    ] {
        let (judged, _, url) = run(&all, all.find(provider, "authentic")).await;
        judged.unwrap();
        assert_eq!(url.as_deref(), Some(expected), "{provider}");
    }
    let (keys, clock) = (KeySource::fixed(String::from("{}")), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    for (environment, host) in [
        (FireblocksEnvironment::Us, "keys"),
        (FireblocksEnvironment::Eu, "eu-keys"),
        (FireblocksEnvironment::Sandbox, "sandbox-keys"),
    ] {
        let source = Fireblocks::with_fetched_keys(environment, fetcher).unwrap();
        _ = judge(&source, all.find("fireblocks", "authentic")).await;
        let expected = format!("https://{host}.fireblocks.io/.well-known/jwks.json");
        assert_eq!(keys.last().url(), expected);
    }
}

#[tokio::test]
async fn detached_signature_proves_body_and_time() {
    let all = Vectors::read();
    for (provider, time) in [
        ("truelayer", Some(NOW - 10)),
        ("fireblocks", None),
        ("neon_auth", Some(NOW - 5)),
        ("open_banking", Some(NOW - 5)),
    ] {
        let verified = run(&all, all.find(provider, "authentic")).await.0.unwrap();
        assert_eq!((verified.provider(), verified.key_index()), (provider, 0));
        assert!(verified.body_is_signed() && verified.replay_key().is_some(), "{provider}");
        assert_eq!(verified.signed_at(), time.map(seconds), "{provider}");
        assert!(!verified.delivery_id_is_signed(), "{provider}");
        let id = (provider == "neon_auth").then_some("event-1");
        assert_eq!(verified.delivery_id().map(|id| id.to_str().unwrap()), id, "{provider}");
    }
    // A slash at the end of the path is not signed.
    let key = async |description| {
        run(&all, all.find("truelayer", description)).await.0.unwrap().replay_key()
    };
    assert_eq!(key("vendor: ").await, key("vendor, with a slash").await);
    assert_ne!(key("authentic").await, key("another order").await);
}

#[tokio::test]
async fn rejection_names_the_parameter_at_fault() {
    let all = Vectors::read();
    let jwt = |name: &str| Field::Jwt(name.to_owned().into());
    for (provider, description, field) in [
        ("truelayer", "keys of an attacker", jwt("jku")),
        ("truelayer", "version 1", jwt("tl_version")),
        ("truelayer", "an unknown extension", jwt("crit")),
        ("truelayer", "a header that is not there", Field::Header("x-other".parse().unwrap())),
        ("fireblocks", "algorithm none", jwt("alg")),
        ("fireblocks", "no key ID", Field::Header("fireblocks-webhook-signature".parse().unwrap())),
        ("neon_auth", "old", Field::Header("x-neon-timestamp".parse().unwrap())),
        ("open_banking", "iss is \"another\"", jwt("http://openbanking.org.uk/iss")),
        ("open_banking", "b64 that is not critical", jwt("b64")),
    ] {
        let why = run(&all, all.find(provider, description)).await.0.unwrap_err();
        assert_eq!(why.field(), Some(field), "{provider}, {description}");
    }
    let why = run(&all, all.find("truelayer", "another body")).await.0.unwrap_err();
    assert_eq!(why.signed_url().as_deref(), Some("https://example.com/hook"));
    assert_eq!(why.secrets_tried(), Some(1));
}

/// A proxy may cut the beginning of a path: the URL that TrueLayer called counts.
#[tokio::test]
async fn path_of_truelayer_is_that_of_the_public_url() {
    let all = Vectors::read();
    let (keys, clock) = (KeySource::fixed(all.documents[0].clone()), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    let mut vector = all.find("truelayer", "vendor: ").clone();
    vector.path = "/cut".to_owned();
    for (url, is_valid) in [
        ("https://example.com/tl-webhook", true),
        ("https://other.example/tl-webhook/?a=b", true),
        ("https://example.com/cut", false),
        ("https://example.com", false),
    ] {
        let url = PublicUrl::fixed(url).unwrap();
        let source = TrueLayer::with_fetched_keys(PRODUCTION, url, fetcher).unwrap();
        assert_eq!(judge(&source, &vector).await.is_ok(), is_valid);
    }
    let source = TrueLayer::with_fetched_keys(TrueLayerEnvironment::Sandbox, url(), fetcher);
    let why = judge(&source.unwrap(), all.find("truelayer", "vendor: ")).await.unwrap_err();
    assert_eq!(why.field(), Some(Field::Jwt("jku".into())));
}

/// Two readers could take different ones.
#[tokio::test]
async fn signed_header_of_truelayer_occurs_once() {
    let all = Vectors::read();
    let key: PublicKey = all.p521_public.parse().unwrap();
    let truelayer = TrueLayer::new(PRODUCTION, url(), key).unwrap();
    let vector = all.find("truelayer", "authentic");
    for (name, is_valid) in [("content-type", false), ("x-other", true), ("tl-signature", false)] {
        let mut request = Request::post("/hook").header("x-other", "a");
        for (name, value) in &vector.headers {
            request = request.header(name, value);
        }
        let head = request.header(name, "application/json").body(()).unwrap().into_parts().0;
        let body = Bytes::copy_from_slice(vector.body.as_bytes());
        let judged = verify_with_at(&truelayer, &head, &body, seconds(NOW)).await;
        let kind = judged.map(|_| ()).map_err(|why| why.kind());
        assert_eq!(kind, if is_valid { Ok(()) } else { Err(RejectionKind::Repeated) }, "{name}");
    }
}

#[tokio::test]
async fn time_of_truelayer_counts_on_demand() {
    let all = Vectors::read();
    let key: PublicKey = all.p521_public.parse().unwrap();
    let truelayer = TrueLayer::new(PRODUCTION, url(), key).unwrap();
    let kind = async |seconds, description| {
        let truelayer = truelayer.clone().tolerance(Tolerance::seconds(seconds));
        let judged = judge(&truelayer, all.find("truelayer", description)).await;
        judged.map(|_| ()).map_err(|why| why.kind())
    };
    assert_eq!(kind(10, "authentic").await, Ok(()));
    assert_eq!(kind(9, "authentic").await, Err(RejectionKind::TimestampStale));
    // The header is there, and the signature does not name it.
    assert_eq!(kind(10, "no headers").await, Err(RejectionKind::Malformed));
}

#[test]
fn settings_of_detached_signatures_are_checked() {
    let all = Vectors::read();
    let p521: PublicKey = all.p521_public.parse().unwrap();
    assert_eq!(format!("{p521:?}"), "PublicKey(EcdsaP521Sha512)");
    let truelayer = |keys: Vec<PublicKey>| TrueLayer::new(PRODUCTION, url(), keys);
    assert!(truelayer(vec![p521.clone(); 16]).is_ok());
    assert!(truelayer(vec![p521.clone(); 17]).is_err() && truelayer(Vec::new()).is_err());
    assert!(Fireblocks::new(p521.clone()).is_err() && NeonAuth::new(p521.clone()).is_err());
    assert!(OpenBanking::new(ISSUER, ANCHOR, p521).is_err());
    let (keys, clock) = (KeySource::fixed(String::new()), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    assert!(OpenBanking::with_fetched_keys("", ANCHOR, BANK, fetcher).is_err());
    assert!(OpenBanking::with_fetched_keys(ISSUER, "", BANK, fetcher).is_err());
    assert!(OpenBanking::with_fetched_keys(ISSUER, ANCHOR, "http://a.example", fetcher).is_err());
    assert!(NeonAuth::with_fetched_keys("", fetcher).is_err());
}

#[cfg(feature = "sign")]
#[tokio::test]
async fn signed_detached_signatures_are_accepted() {
    use tower_webhook::sign::{PrivateKey, Sign, Signing, signed};

    async fn check(signer: &(impl Sign + Source), pem: &str) {
        let key = PrivateKey::from_pem(pem).unwrap();
        let request = || {
            let request = Request::post("/hook").header("content-type", "application/json");
            request.body("{}").unwrap()
        };
        let signing = Signing::at(seconds(NOW)).private_key(&key);
        let (head, body) = signed(signer, request(), signing).unwrap().into_parts();
        let at = seconds(NOW);
        verify_with_at(signer, &head, &body, at).await.unwrap();
        let why = verify_with_at(signer, &head, &Bytes::from("{ }"), at).await.unwrap_err();
        assert_eq!(why.kind(), RejectionKind::SignatureMismatch);
        assert!(signed(signer, request(), at).is_err());
        for name in ["x-tl-webhook-timestamp", "x-neon-timestamp"] {
            if head.headers.contains_key(name) {
                let mut request = request();
                request.headers_mut().insert(name, "now".parse().unwrap());
                let why = signed(signer, request, signing).unwrap_err();
                assert_eq!(why.kind(), RejectionKind::Malformed);
            }
        }
    }
    let all = Vectors::read();
    let keys: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
    let private = |algorithm: &str| {
        let key = keys.iter().find(|key| key["algorithm"] == algorithm).unwrap();
        key["private"].as_str().unwrap().to_owned()
    };
    let public = |pem: &str| PrivateKey::from_pem(pem).unwrap().public_key().unwrap();
    let (rsa, ecdsa, ed25519) = (private("rsa"), private("ecdsa"), private("ed25519"));
    assert_eq!(format!("{:?}", public(&all.p521)), "PublicKey(EcdsaP521Sha512)");
    check(&TrueLayer::new(PRODUCTION, url(), public(&all.p521)).unwrap(), &all.p521).await;
    check(&Fireblocks::new(public(&rsa)).unwrap(), &rsa).await;
    let neon = NeonAuth::new(public(&ed25519)).unwrap();
    check(&neon, &ed25519).await;
    let key = PrivateKey::from_pem(&ed25519).unwrap();
    let signing = Signing::at(seconds(NOW)).private_key(&key);
    let request = Request::post("/hook").header("x-neon-event-id", "mine").body("{}").unwrap();
    let head = signed(&neon, request, signing).unwrap().into_parts().0;
    assert_eq!(head.headers["x-neon-event-id"], "mine");
    assert!(head.headers.contains_key("x-neon-signature-kid"));
    for key in [&rsa, &ecdsa] {
        check(&OpenBanking::new(ISSUER, ANCHOR, public(key)).unwrap(), key).await;
    }
}
