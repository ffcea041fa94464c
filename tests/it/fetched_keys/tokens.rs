//! JSON Web Tokens that are signed with fetched keys.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_webhook::{
    ConfigError, PublicKey, Rejection, RejectionKind, SignatureLayer, Verifier,
    fetched_keys::{FetchedKeys, KeyFetcher},
    providers::{
        AtlassianConnectLifecycle, AzureEventGridEntra, BotFramework, ForgeRemote, FusionAuth,
        GoogleChat, GoogleChatAudience, GooglePubSub, MicrosoftGraphResourceData, Plaid,
        PlaidEnvironment, Postal,
    },
    scheme::Tolerance,
    verifier::verify_with_at,
};

use super::{KeySource, Reply, seconds};
use crate::support::{SetClock, head_of, send, unexplained};

const TENANT: &str = "00000000-0000-4000-8000-000000000000";
const BOT: &str = TENANT;
const AUDIENCE: &str = "api://11111111-1111-4111-8111-111111111111";
const ACCOUNT: &str = "push@made-up-project.iam.gserviceaccount.com";
const PUSH: &str = "https://example.com/push";
const APP: &str = "ari:cloud:ecosystem::app/00000000-0000-4000-8000-000000000000";
const JWKS: &str = "https://auth.example.com/.well-known/jwks.json";

#[derive(Deserialize)]
struct Vectors {
    documents: Vec<String>,
    vectors: Vec<Vector>,
}

/// A token, and the response of the source.
#[derive(Clone, Deserialize)]
struct Vector {
    provider: String,
    description: String,
    #[serde(default = "hook")]
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
    document: usize,
    /// `None` if the request is authentic.
    kind: Option<String>,
    fetches: usize,
}

fn hook() -> String {
    "/hook".to_owned()
}

impl Vectors {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/tokens.json")).unwrap()
    }

    /// The authentic vector of a provider, and its document.
    fn authentic(provider: &str) -> (Vector, String) {
        let all = Self::read();
        let is_it = |vector: &&Vector| vector.provider == provider && vector.kind.is_none();
        let vector = all.vectors.iter().find(is_it).unwrap().clone();
        let document = all.documents[vector.document].clone();
        (vector, document)
    }
}

impl Vector {
    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::post(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::from(self.body.clone())).unwrap()
    }
}

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, self.description)
    }
}

/// Outcome of a vector: status, kind of the rejection, calls of the source and its last URL.
type Found = (StatusCode, Option<RejectionKind>, usize, Option<String>);

async fn send_to<V: Verifier + Clone + Send + Sync + 'static>(
    source: Result<FetchedKeys<V>, ConfigError>,
    vector: &Vector,
    keys: &KeySource,
    clock: &SetClock,
) -> Found {
    let layer = unexplained(SignatureLayer::new(source.unwrap()).clock(clock.now()));
    let (response, inner) = send(&layer, vector.request()).await;
    assert_eq!(inner.count(), usize::from(response.status() == StatusCode::OK), "{vector}");
    let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
    let url = (keys.calls() > 0).then(|| keys.last().url().to_owned());
    (response.status(), kind, keys.calls(), url)
}

async fn run(vector: &Vector, reply: impl Into<Reply>) -> Found {
    let (keys, clock) = (KeySource::fixed(reply), SetClock::new());
    let fetcher = &keys.fetcher(&clock);
    let (keys, clock) = (&keys, &clock);
    match &*vector.provider {
        "atlassian_connect_lifecycle" => {
            let base_url = "https://app.example.com";
            let source = AtlassianConnectLifecycle::with_fetched_keys(base_url, fetcher);
            send_to(source, vector, keys, clock).await
        }
        "azure_event_grid_entra" => {
            let source = AzureEventGridEntra::with_fetched_keys(TENANT, AUDIENCE, fetcher);
            send_to(source, vector, keys, clock).await
        }
        "bot_framework" => {
            send_to(BotFramework::with_fetched_keys(BOT, fetcher), vector, keys, clock).await
        }
        "forge_remote" => {
            send_to(ForgeRemote::with_fetched_keys(APP, fetcher), vector, keys, clock).await
        }
        "fusionauth" => {
            send_to(FusionAuth::with_fetched_keys(JWKS, fetcher), vector, keys, clock).await
        }
        "google_chat" => {
            let audience = GoogleChatAudience::Url("https://example.com/chat".into());
            send_to(GoogleChat::with_fetched_keys(audience, fetcher), vector, keys, clock).await
        }
        "google_chat_project" => {
            let audience = GoogleChatAudience::ProjectNumber("1234567890".into());
            send_to(GoogleChat::with_fetched_keys(audience, fetcher), vector, keys, clock).await
        }
        "google_pub_sub" => {
            let source = GooglePubSub::with_fetched_keys(PUSH, ACCOUNT, fetcher);
            send_to(source, vector, keys, clock).await
        }
        "microsoft_graph_resource_data" => {
            let source =
                MicrosoftGraphResourceData::with_fetched_keys("made-up-secret", [BOT], fetcher);
            send_to(source, vector, keys, clock).await
        }
        "plaid" => {
            let source = Plaid::with_fetched_keys(PlaidEnvironment::Sandbox, fetcher);
            send_to(source, vector, keys, clock).await
        }
        other => panic!("{other}"),
    }
}

/// A request that no key can make authentic causes no fetch.
#[tokio::test]
async fn every_token_gives_its_stated_verdict() {
    let all = Vectors::read();
    let mut wrong = Vec::new();
    for vector in &all.vectors {
        let (status, kind, calls, _) = run(vector, all.documents[vector.document].clone()).await;
        let expected = match (vector.kind.as_deref(), &*vector.provider) {
            (None, _) => StatusCode::OK,
            (Some("VerifierUnavailable"), _) => StatusCode::SERVICE_UNAVAILABLE,
            (Some(_), "google_chat" | "google_chat_project") => StatusCode::UNAUTHORIZED,
            (Some(_), _) => StatusCode::FORBIDDEN,
        };
        let kind = kind.map(|kind| format!("{kind:?}"));
        if (status, &kind, calls) != (expected, &vector.kind, vector.fetches) {
            wrong.push(format!("{vector}: {status} {kind:?} {calls}, not {:?}", vector.kind));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn keys_of_tokens_are_fetched_from_their_provider() {
    for (provider, expected) in [
        (
            "atlassian_connect_lifecycle",
            "https://connect-install-keys.atlassian.com/0e50fccb-239d-4991-a5db-dc850ba3f236",
        ),
        (
            "azure_event_grid_entra",
            "https://login.microsoftonline.com/00000000-0000-4000-8000-000000000000/discovery/v2.0/keys",
        ),
        ("bot_framework", "https://login.botframework.com/v1/.well-known/keys"),
        ("forge_remote", "https://forge.cdn.prod.atlassian-dev.net/.well-known/jwks.json"),
        ("fusionauth", JWKS),
        ("google_chat", "https://www.googleapis.com/oauth2/v3/certs"),
        (
            "google_chat_project",
            "https://www.googleapis.com/service_accounts/v1/jwk/chat@system.gserviceaccount.com",
        ),
        ("google_pub_sub", "https://www.googleapis.com/oauth2/v3/certs"),
        (
            "microsoft_graph_resource_data",
            "https://login.microsoftonline.com/common/discovery/v2.0/keys",
        ),
        ("plaid", "https://sandbox.plaid.com/webhook_verification_key/get"),
    ] {
        let (vector, document) = Vectors::authentic(provider);
        let (status, _, calls, url) = run(&vector, document).await;
        assert_eq!((status, calls, url.as_deref()), (StatusCode::OK, 1, Some(expected)));
        // A source that fails is no verdict. One without the key is.
        let (status, kind, calls, _) = run(&vector, Reply::Failed).await;
        let expected = (StatusCode::SERVICE_UNAVAILABLE, RejectionKind::VerifierUnavailable, 1);
        assert_eq!((status, kind.unwrap(), calls), expected, "{provider}");
        for document in ["", "{}", "[]", r#"{"keys":[]}"#, r#"{"key":{}}"#, "-----BEGIN"] {
            let found = run(&vector, document.to_owned()).await;
            assert_eq!((found.0, found.2), (StatusCode::SERVICE_UNAVAILABLE, 1), "{provider}");
        }
    }
}

/// Keys of Plaid: one URL for all of them, and one fetch for each.
#[tokio::test]
async fn keys_of_one_url_are_kept_by_their_ids() {
    let (vector, document) = Vectors::authentic("plaid");
    let (keys, clock) = (KeySource::fixed(document), SetClock::new());
    let source = Plaid::with_fetched_keys(PlaidEnvironment::Production, &keys.fetcher(&clock));
    let layer = unexplained(SignatureLayer::new(source.unwrap()).clock(clock.now()));
    for _ in 0..2 {
        assert_eq!(send(&layer, vector.request()).await.0.status(), StatusCode::OK);
    }
    assert_eq!(keys.calls(), 1);
    assert_eq!(keys.last().key_id(), Some("6c5516e1-92dc-479e-a8ff-5a51992e0001"));
    keys.set(Reply::Absent);
    let all = Vectors::read();
    let unknown = |vector: &&Vector| {
        vector.provider == "plaid" && vector.description == "signed with another key"
    };
    let forged = all.vectors.iter().find(unknown).unwrap();
    assert_eq!(send(&layer, forged.request()).await.0.status(), StatusCode::FORBIDDEN);
    assert_eq!(keys.calls(), 1, "its key is known");
    let unknown =
        |vector: &&Vector| vector.provider == "plaid" && vector.description == "another key ID";
    let unknown = all.vectors.iter().find(unknown).unwrap();
    assert_eq!(send(&layer, unknown.request()).await.0.status(), StatusCode::FORBIDDEN);
    assert_eq!(keys.calls(), 2);
    assert_eq!(send(&layer, vector.request()).await.0.status(), StatusCode::OK);
}

/// A delivery of Plaid's sandbox, with the key that Plaid's API returned.
#[tokio::test]
async fn genuine_delivery_of_plaid_is_accepted() {
    let vector: Value = serde_json::from_str(include_str!("../../data/plaid.json")).unwrap();
    let time = seconds(vector["seconds"].as_u64().unwrap());
    let document = json!({"key": vector["jwk"], "request_id": "r"}).to_string();
    let (keys, clock) = (KeySource::fixed(document), SetClock::new());
    let fetcher = keys.fetcher(&clock);
    let source = Plaid::with_fetched_keys(PlaidEnvironment::Sandbox, &fetcher).unwrap();
    let token = vector["headers"]["Plaid-Verification"].as_str().unwrap();
    let head = head_of(Request::post("/").header("plaid-verification", token).body(()).unwrap());
    let body = Bytes::from(vector["body"].as_str().unwrap().to_owned());
    let outcome = verify_with_at(&source, &head, &body, time).await.unwrap();
    assert!(outcome.verified().body_is_signed());
    assert_eq!(keys.last().key_id(), vector["jwk"]["kid"].as_str());
    let compact: Value = serde_json::from_slice(&body).unwrap();
    let compact = Bytes::from(compact.to_string());
    assert!(verify_with_at(&source, &head, &compact, time).await.is_err());
    let late = seconds(vector["seconds"].as_u64().unwrap() + 301);
    let why = verify_with_at(&source, &head, &body, late).await.unwrap_err();
    assert_eq!(why.kind(), RejectionKind::TimestampStale);
    let patient = source.map_verifier(|plaid| plaid.tolerance(Tolerance::seconds(600)));
    assert!(verify_with_at(&patient, &head, &body, late).await.is_ok());
}

/// The value of `clientState` that a body has is reported, also beside tokens.
#[tokio::test]
async fn client_state_of_graph_is_reported() {
    let (vector, document) = Vectors::authentic("microsoft_graph_resource_data");
    let (keys, clock) = (KeySource::fixed(document), SetClock::new());
    let states = ["the-next-secret", "made-up-secret"];
    let source =
        MicrosoftGraphResourceData::with_fetched_keys(states, [BOT], &keys.fetcher(&clock));
    let (head, body) = vector.request().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let time = seconds(1_700_000_000);
    let outcome = verify_with_at(&source.unwrap(), &head, &body, time).await.unwrap();
    assert_eq!(outcome.verified().key_index(), 1);
    assert_eq!(outcome.verified().provider(), "microsoft_graph_resource_data");
}

/// Graph's challenge is answered without a key.
#[tokio::test]
async fn challenge_of_graph_causes_no_fetch() {
    let (keys, clock) = (KeySource::fixed(Reply::Failed), SetClock::new());
    let fetcher = keys.fetcher(&clock);
    let source =
        MicrosoftGraphResourceData::with_fetched_keys("made-up-secret", [BOT], &fetcher).unwrap();
    let layer = unexplained(SignatureLayer::new(source).clock(clock.now()));
    let request = Request::post("/hook?validationToken=hello").body(Full::<Bytes>::default());
    let (response, inner) = send(&layer, request.unwrap()).await;
    assert_eq!((response.status(), inner.count(), keys.calls()), (StatusCode::OK, 0, 0));
}

/// An add-on of Google Workspace has an account of its own.
#[tokio::test]
async fn account_of_a_chat_app_can_be_another() {
    let all = Vectors::read();
    let account = "service-1234567890@gcp-sa-gsuiteaddons.iam.gserviceaccount.com";
    for (description, is_accepted) in [("account of an add-on", true), ("authentic", false)] {
        let is_it = |vector: &&Vector| {
            vector.provider == "google_chat" && vector.description == description
        };
        let vector = all.vectors.iter().find(is_it).unwrap();
        let (keys, clock) =
            (KeySource::fixed(all.documents[vector.document].clone()), SetClock::new());
        let audience = GoogleChatAudience::Url("https://example.com/chat".into());
        let source = GoogleChat::with_fetched_keys(audience, &keys.fetcher(&clock)).unwrap();
        let source = source.map_verifier(move |chat| chat.service_account(account));
        let found = send_to(Ok(source), vector, &keys, &clock).await;
        assert_eq!(found.0 == StatusCode::OK, is_accepted, "{vector}");
    }
}

/// The key of Postal's vectors.
const POSTAL_N: &str = "iA3qKrNECzwYLXIJB3hyU3kPPBVt1PtAZ7PH-rFv4vPTHjUrfYtuqn0D4YMKwuz8VEoxvW3dKlT9a3KPkDbKL7zjavS6hjcdcmL79W9q-_ulBDZrXMXjEBnwgdhd0ANvjpyPhMgdl9HTps-IPp-Z0N3LLSrohb92IumpPgRQ9svC283ESaLrHgLXCrP7zfiVT6lfstimQx-68uo-LkSRw9qYfbzvkvFAY7CUn_DvcitPWcQO43Z2Ki7BRNS_uGK-pw3FR9vaS-xVxYEykVqmepoUpP32q_CExfitpTCmnr4gIpTgS9YzyktvL7uQw8n3Yw12kiC5UI3ZwfNqxbKaEw";

#[tokio::test]
async fn postal_names_its_key_in_a_header() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../../src/providers/vectors/postal.json")).unwrap();
    let vector = vectors.iter().find(|vector| vector["valid"] == true).unwrap();
    let mut set: Value = serde_json::from_str(&Vectors::read().documents[0]).unwrap();
    let key = json!({"kty": "RSA", "kid": "postal-1", "n": POSTAL_N, "e": "AQAB"});
    set["keys"].as_array_mut().unwrap().push(key);
    let (keys, clock) = (KeySource::fixed(set.to_string()), SetClock::new());
    let source = Postal::with_fetched_keys(JWKS, &keys.fetcher(&clock)).unwrap();
    let layer = unexplained(SignatureLayer::new(source).clock(clock.now()));
    for (id, kind, calls) in [
        (None, Some(RejectionKind::Missing), 0),
        (Some("key 1"), Some(RejectionKind::Malformed), 0),
        (Some("key-9"), Some(RejectionKind::UnknownKey), 1),
        (Some("key-1"), Some(RejectionKind::SignatureMismatch), 1),
        (Some("postal-1"), None, 1),
    ] {
        let mut request = Request::post("/hook");
        for (name, value) in vector["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        if let Some(id) = id {
            request = request.header("x-postal-signature-kid", id);
        }
        let body = vector["body"].as_str().unwrap().to_owned();
        let (response, _) = send(&layer, request.body(Full::<Bytes>::from(body)).unwrap()).await;
        let found = response.extensions().get::<Rejection>().map(Rejection::kind);
        assert_eq!((found, keys.calls()), (kind, calls), "{id:?}");
        assert_eq!(response.status() == StatusCode::OK, kind.is_none(), "{id:?}");
    }
    assert_eq!(keys.last().url(), JWKS);
}

#[test]
fn settings_of_tokens_are_checked() {
    let fetcher = KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None));
    let is_id = |error: ConfigError| matches!(error, ConfigError::IdInvalid { .. });
    assert!(is_id(GooglePubSub::with_fetched_keys("", ACCOUNT, &fetcher).unwrap_err()));
    assert!(is_id(GooglePubSub::with_fetched_keys(PUSH, "push", &fetcher).unwrap_err()));
    let audience = GoogleChatAudience::Url(String::new());
    assert!(is_id(GoogleChat::with_fetched_keys(audience, &fetcher).unwrap_err()));
    let audience = GoogleChatAudience::ProjectNumber(String::new());
    assert!(is_id(GoogleChat::with_fetched_keys(audience, &fetcher).unwrap_err()));
    assert!(is_id(ForgeRemote::with_fetched_keys("", &fetcher).unwrap_err()));
    assert!(is_id(BotFramework::with_fetched_keys("", &fetcher).unwrap_err()));
    assert!(is_id(AtlassianConnectLifecycle::with_fetched_keys("", &fetcher).unwrap_err()));
    for tenant in ["", "example.com", "common", "../x", &TENANT.replace('0', "A"), "0"] {
        let found = AzureEventGridEntra::with_fetched_keys(tenant, AUDIENCE, &fetcher);
        assert!(is_id(found.unwrap_err()), "{tenant}");
    }
    assert!(is_id(AzureEventGridEntra::with_fetched_keys(TENANT, "", &fetcher).unwrap_err()));
    let graph = |state: &str, apps: &[&str]| {
        MicrosoftGraphResourceData::with_fetched_keys(state, apps.iter().copied(), &fetcher)
            .map(|_| ())
    };
    assert_eq!(graph("made-up-secret", &[BOT, TENANT]), Ok(()));
    assert!(is_id(graph("made-up-secret", &[]).unwrap_err()));
    assert!(is_id(graph("made-up-secret", &[BOT, ""]).unwrap_err()));
    assert!(graph("", &[BOT]).is_err());
    for (url, is_allowed) in [
        (JWKS, true),
        ("https://auth.example.com:9011/.well-known/jwks.json", true),
        ("http://127.0.0.1:9011/.well-known/jwks.json", true),
        ("http://[::1]:9011/.well-known/jwks.json", true),
        ("http://auth.example.com/.well-known/jwks.json", false),
        ("http://localhost/.well-known/jwks.json", false),
        ("https://user@auth.example.com/", false),
        ("ftp://auth.example.com/", false),
        ("/.well-known/jwks.json", false),
        ("auth.example.com", false),
        ("https://", false),
        ("", false),
    ] {
        let found = FusionAuth::with_fetched_keys(url, &fetcher);
        assert_eq!(found.is_ok(), is_allowed, "{url}");
        assert_eq!(Postal::with_fetched_keys(url, &fetcher).is_ok(), is_allowed, "{url}");
    }
}

/// Pinned keys are 1 to 16 of the provider's algorithm.
#[test]
fn pinned_keys_of_tokens_are_checked() {
    let keys: Vec<Value> = serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
    let key = |algorithm: &str| -> PublicKey {
        let found = keys.iter().find(|key| key["algorithm"] == algorithm).unwrap();
        found["public"].as_str().unwrap().parse().unwrap()
    };
    let (rsa, ecdsa) = (key("rsa"), key("ecdsa"));
    assert!(Plaid::new(ecdsa.clone()).is_ok());
    assert!(ForgeRemote::new(APP, vec![rsa.clone(); 16]).is_ok());
    let invalid = |error| matches!(error, ConfigError::PublicKeyInvalid { .. });
    assert!(invalid(Plaid::new(rsa.clone()).unwrap_err()));
    assert!(invalid(Plaid::new(vec![]).unwrap_err()));
    assert!(invalid(GooglePubSub::new(PUSH, ACCOUNT, ecdsa.clone()).unwrap_err()));
    assert!(invalid(BotFramework::new(BOT, [rsa.clone(), ecdsa]).unwrap_err()));
    let many = ForgeRemote::new(APP, vec![rsa; 17]).unwrap_err();
    assert!(matches!(many, ConfigError::TooManySecrets));
}
