//! Providers with lists of keys: JSON Web Key Sets, and the keys of eBay and of GitHub Copilot.

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_webhook::{
    ConfigError, RejectionKind, Secret, SignatureLayer, Verifier,
    fetched_keys::{FetchedKeys, KeyFetcher},
    providers::{EBay, FalAi, Gemini, GitHubCopilot, ShipStation, Turnkey},
    scheme::Tolerance,
};

use super::{KeySource, Reply};
use crate::support::{SetClock, assert_refused_with, send, unexplained};

/// The vectors of a provider.
macro_rules! vectors {
    ($name:literal) => {
        include_str!(concat!("../../../src/providers/vectors/", $name, ".json"))
    };
}

#[derive(Clone, Deserialize)]
struct Vector {
    description: String,
    headers: std::collections::BTreeMap<String, String>,
    body: String,
    secret: String,
    valid: bool,
}

impl Vector {
    fn all(vectors: &str) -> Vec<Self> {
        serde_json::from_str(vectors).unwrap()
    }

    fn request(&self) -> Request<Full<bytes::Bytes>> {
        let mut request = Request::post("/hook");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::from(self.body.clone())).unwrap()
    }
}

fn layer<V: Verifier + Clone + Send + Sync + 'static>(
    source: FetchedKeys<V>,
    clock: &SetClock,
) -> SignatureLayer<FetchedKeys<V>> {
    unexplained(SignatureLayer::new(source).clock(clock.now()))
}

/// A set with this Ed25519 key, in base64, between keys that are for another purpose.
fn ed25519_set(key: &str, id: Option<&str>) -> String {
    let x = key.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let mut jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": x});
    if let Some(id) = id {
        jwk["kid"] = id.into();
    }
    let other = json!({"kty": "OKP", "crv": "X25519", "use": "enc", "x": x});
    json!({"keys": [other, 1, {"kty": "new"}, ec_key(), jwk, rsa_key("other")]}).to_string()
}

/// The key of ShipStation's vectors.
fn rsa_key(id: &str) -> Value {
    let n = "vqmkRKirNIVBN-yCfiNhR5muGpgnXeaXQ6W4LJuJtIN27QtspksMM-7c44MzcLKJZJdcyVUfngMxCmrHy-cHoVynqOSZfGO-U-F4fHbAdwOKntp_x7NtG3-BfDQOx0lTGipfISMNa4JT7TeSqfNlMYrpMdlZ63GZwu1ObNPXByvI7tx5s8kKLAsF-tRppQikIdBYhDzChs0rhLlOsEi-GHvqJrLv6BHAUF2dLem9WAacX_fF9oJvd7pd3RG-43wGhIN-se4Onop0E2yY2I3rvGByFtpKgHBXwWGJ-rrzaVUnP0uhFYOuIqmyuhHACDXy32JQXecMN7Hb-F_YGBqQZw";
    json!({"kty": "RSA", "kid": id, "use": "sig", "n": n, "e": "AQAB"})
}

/// The key of RFC 7517, appendix A.1.
fn ec_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    })
}

/// Sends each vector of a provider, and checks the verdict and the URL of the one fetch.
async fn assert_verdicts<V: Verifier + Clone + Send + Sync + 'static>(
    vectors: &str,
    url: &str,
    document: impl Fn(&str) -> String,
    source: impl Fn(&KeyFetcher) -> Result<FetchedKeys<V>, ConfigError>,
) {
    let vectors = Vector::all(vectors);
    for vector in &vectors {
        // It is there for the pinned keys: the fetched ones are chosen by the ID.
        let is_named = !vector.description.starts_with("without the ID")
            && !vector.description.starts_with("without the identifier");
        let (keys, clock) = (KeySource::fixed(document(&vector.secret)), SetClock::new());
        let layer = layer(source(&keys.fetcher(&clock)).unwrap(), &clock);
        let found = send(&layer, vector.request()).await.0.status();
        let expected = vector.valid && is_named;
        assert_eq!(found == StatusCode::OK, expected, "{}: {found}", vector.description);
        assert_ne!(found, StatusCode::SERVICE_UNAVAILABLE, "{}", vector.description);
        if expected {
            assert_eq!(keys.last().url(), url);
            send(&layer, vector.request()).await;
            assert_eq!(keys.calls(), 1, "{}", vector.description);
        }
    }
}

#[tokio::test]
async fn each_provider_finds_its_keys_in_its_set() {
    let set = |key: &str| ed25519_set(key, None);
    let url = "https://rest.fal.ai/.well-known/jwks.json";
    assert_verdicts(vectors!("fal_ai"), url, set, FalAi::with_fetched_keys).await;
    let url = "https://generativelanguage.googleapis.com/.well-known/jwks.json";
    assert_verdicts(vectors!("gemini"), url, set, Gemini::with_fetched_keys).await;
    let url = "https://api.turnkey.com/public/v1/discovery/webhooks/jwks";
    let set = |key: &str| ed25519_set(key, Some("madeup-key-1"));
    assert_verdicts(vectors!("turnkey"), url, set, Turnkey::with_fetched_keys).await;
    let set = |_: &str| {
        let keys = [ec_key(), rsa_key("ddd53d80-1f5c-4ad4-8d3a-7d5e9b0c2a11")];
        json!({"keys": keys}).to_string()
    };
    let url = "https://api.shipengine.com/jwks";
    assert_verdicts(vectors!("shipstation"), url, set, ShipStation::with_fetched_keys).await;
}

#[tokio::test]
async fn copilots_list_is_githubs_other_one() {
    let vectors = Vector::all(vectors!("github_copilot"));
    let found = &vectors[1].headers["X-GitHub-Public-Key-Identifier"];
    let list = |key: &str| {
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----");
        json!({"public_keys": [{"key_identifier": found, "key": pem}]}).to_string()
    };
    let url = "https://api.github.com/meta/public_keys/copilot_api";
    assert_verdicts(vectors!("github_copilot"), url, list, GitHubCopilot::with_fetched_keys).await;
}

fn ebay_key(key: &str) -> String {
    let pem = format!("-----BEGIN PUBLIC KEY-----{key}-----END PUBLIC KEY-----");
    json!({"key": pem, "algorithm": "ECDSA", "digest": "SHA1"}).to_string()
}

const EBAY_ID: &str = "9936261a-7d7b-4621-a0f1-96ccb428af49";

#[tokio::test]
async fn ebays_key_is_named_inside_the_signature() {
    let url = format!("https://api.ebay.com/commerce/notification/v1/public_key/{EBAY_ID}");
    assert_verdicts(vectors!("ebay"), &url, ebay_key, EBay::with_fetched_keys).await;
    let vector = &Vector::all(vectors!("ebay"))[0];
    let lies = [
        (ebay_key(&vector.secret).replace("SHA1", "SHA256"), "another digest"),
        (ebay_key(&vector.secret).replace("ECDSA", "RSA"), "another algorithm"),
        ("{}".to_owned(), "no key"),
        (ebay_key("AAAA"), "a malformed key"),
    ];
    for (document, name) in lies {
        let (keys, clock) = (KeySource::fixed(document), SetClock::new());
        let source = EBay::with_fetched_keys(&keys.fetcher(&clock)).unwrap();
        let answer = send(&layer(source, &clock), vector.request()).await;
        let status = StatusCode::SERVICE_UNAVAILABLE;
        assert_refused_with(name, status, RejectionKind::VerifierUnavailable, &answer);
    }
}

#[tokio::test]
async fn ebays_malformed_key_id_causes_no_fetch() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let vector = &Vector::all(vectors!("ebay"))[0];
    let header = STANDARD.decode(&vector.headers["X-EBAY-SIGNATURE"]).unwrap();
    let header = String::from_utf8(header).unwrap();
    let (keys, clock) = (KeySource::fixed(ebay_key(&vector.secret)), SetClock::new());
    let source = EBay::with_fetched_keys(&keys.fetcher(&clock)).unwrap();
    let layer = layer(source, &clock);
    for id in ["", "../../other", "a/b", "a?b", "a%2fb", "a b", "é", &"a".repeat(65)] {
        let mut other = vector.clone();
        let header = STANDARD.encode(header.replace(EBAY_ID, id));
        other.headers.insert("X-EBAY-SIGNATURE".to_owned(), header);
        let answer = send(&layer, other.request()).await;
        let status = StatusCode::PRECONDITION_FAILED;
        assert_refused_with(id, status, RejectionKind::Malformed, &answer);
    }
    assert_eq!(keys.calls(), 0);
}

#[tokio::test]
async fn ebays_challenge_needs_no_key() {
    let (keys, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    let source = || EBay::with_fetched_keys(&keys.fetcher(&clock)).unwrap();
    // The sample of the vendor's SDK.
    let token = Secret::new("71745723-d031-455c-bfa5-f90d11b4f20a").unwrap();
    let endpoint = "http://www.testendpoint.com/webhook";
    let with_token =
        source().map_verifier(move |ebay| ebay.verification_token(token.clone(), endpoint));
    let (with_token, without) = (layer(with_token, &clock), layer(source(), &clock));
    let ask = |method: Method, query: &str| {
        let url = format!("/webhook?{query}");
        Request::builder().method(method).uri(url).body(Full::<bytes::Bytes>::default()).unwrap()
    };
    let code = "challenge_code=a8628072-3d33-45ee-9004-bee86830a22d";
    let (response, inner) = send(&with_token, ask(Method::GET, code)).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let hash = "ca527df75caa230092d7e90484071e8f05d63068f1317973d6a3a42593734bbb";
    assert_eq!(body, format!(r#"{{"challengeResponse":"{hash}"}}"#));
    for malformed in ["challenge_code=", "challenge_code=%0a", &format!("{code}&{code}")] {
        let (response, inner) = send(&with_token, ask(Method::GET, malformed)).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::BAD_REQUEST, 0), "{malformed}");
    }
    for (layer, method) in [(&with_token, Method::POST), (&without, Method::GET)] {
        let (response, inner) = send(layer, ask(method, code)).await;
        assert_eq!((response.status(), inner.count()), (StatusCode::PRECONDITION_FAILED, 0));
    }
    assert_eq!(keys.calls(), 0);
}

/// Google's list has three keys without IDs. Requests would not name an ID, either.
#[tokio::test]
async fn each_of_several_unnamed_keys_is_tried() {
    let vector = &Vector::all(vectors!("gemini"))[0];
    let set = |keys: &[String]| {
        let keys =
            keys.iter().map(|key| serde_json::from_str::<Value>(&ed25519_set(key, Some(key))));
        let keys = keys.map(|set| set.unwrap()["keys"][4].clone());
        json!({"keys": keys.collect::<Vec<_>>()}).to_string()
    };
    let own = vector.secret.clone();
    let others: Vec<_> = OTHERS.iter().map(|key| (*key).to_owned()).collect();
    for (keys, expected) in [
        (vec![others[0].clone(), others[1].clone(), own.clone()], StatusCode::OK),
        (vec![own.clone(), others[0].clone()], StatusCode::OK),
        (others[..3].to_vec(), StatusCode::FORBIDDEN),
        // Each request costs a signature for each key.
        ([&others[..], &[own]].concat(), StatusCode::SERVICE_UNAVAILABLE),
        (Vec::new(), StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let (source, clock) = (KeySource::fixed(set(&keys)), SetClock::new());
        let gemini = Gemini::with_fetched_keys(&source.fetcher(&clock)).unwrap();
        let found = send(&layer(gemini, &clock), vector.request()).await.0.status();
        assert_eq!(found, expected, "{} keys", keys.len());
    }
}

/// Public keys of made-up Ed25519 keys.
const OTHERS: [&str; 16] = [
    "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=",
    "gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q=",
    "7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E=",
    "ypOsFwUYcHHWe4PH/w7+gQjo7EUwV113JoeTM9vavnw=",
    "bnoc3Smwt4/ROvTFWY/v9O8qlxZuPKby5Pv8zYBQW/E=",
    "iodf/x6zhFFXes1a/uQFRWVo3XyJ4JCGOgVXvHr0nxc=",
    "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=",
    "E5j2LG0aRXxRumpLXz29L2n8qTIWIY3ImX5Ba9F9k8o=",
    "/RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hg=",
    "Q6cucUQBdi32a2jCbfvfJoKq7J8kdOykYT5CSg+6/Tw=",
    "Zr5+Myx6RTMyvZ0Kf32wVfXF7xoGraZtmLOftoEMRzo=",
    "C1E62bSSQBXKCQLtB5BE06xdvsIwbwaUjBDajrbjny0=",
    "kaKKC3Q4FZOk2UaVeSCJJq/IrYLIg5t2RDWbnrqaSzo=",
    "C+71qeZ55qPhNP4ng3v/MsfLX11E6gm8sOVCutakwMw=",
    "2b8hSHSKhcidparY7gsPwtEF/TnUGkx5ZTY1TwrikAw=",
    "XJxt8mHJy4QEdXdqrvzZRLQFMo+rKPmzqV70BJDT3oQ=",
];

#[tokio::test]
async fn settings_apply_to_fetched_keys() {
    let vector = &Vector::all(vectors!("fal_ai"))[0];
    let (keys, clock) = (KeySource::fixed(ed25519_set(&vector.secret, None)), SetClock::new());
    let source = FalAi::with_fetched_keys(&keys.fetcher(&clock)).unwrap();
    let short = source.clone().map_verifier(|fal| fal.tolerance(Tolerance::seconds(10)));
    let (long, short) = (layer(source, &clock), layer(short, &clock));
    clock.set(11_000);
    assert_eq!(send(&long, vector.request()).await.0.status(), StatusCode::OK);
    let answer = send(&short, vector.request()).await;
    // It is refused from its head: no key is fetched for it.
    assert_refused_with("old", StatusCode::FORBIDDEN, RejectionKind::TimestampStale, &answer);
    assert_eq!(keys.calls(), 1);
    clock.set(9_000);
    assert_eq!(send(&short, vector.request()).await.0.status(), StatusCode::OK);
    assert_eq!(keys.calls(), 2);
}
