//! The ready client and Plaid's API, which takes a POST with credentials.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tower_webhook::{
    Secret,
    fetched_keys::{KeyClient, KeyFetcher, KeyRequest},
    providers::{Plaid, PlaidEnvironment},
    verifier::verify_with_at,
};

use super::{client::serve, seconds, uuid};

/// Bodies of the requests to Plaid's API.
type Asked = Arc<Mutex<Vec<Value>>>;

/// Plaid's API, which knows one key.
fn plaid_api(asked: &Asked) -> Router {
    let asked = Arc::clone(asked);
    let api = post(move |headers: HeaderMap, Json(question): Json<Value>| {
        assert!(!headers.contains_key(header::AUTHORIZATION));
        asked.lock().unwrap().push(question.clone());
        async move {
            let error =
                |code: &str| (StatusCode::BAD_REQUEST, json!({"error_code": code}).to_string());
            let id = question["key_id"].as_str().unwrap().to_owned();
            match NAMES[id[35..].parse::<usize>().unwrap()] {
                "known" => (StatusCode::OK, "the key".to_owned()),
                "refused" => error("INVALID_API_KEYS"),
                "broken" => (StatusCode::BAD_REQUEST, "{".to_owned()),
                "down" => (StatusCode::BAD_GATEWAY, String::new()),
                "gone" => (StatusCode::NOT_FOUND, String::new()),
                _ => error("INVALID_WEBHOOK_VERIFICATION_KEY_ID"),
            }
        }
    });
    Router::new()
        .route("/webhook_verification_key/get", api)
        .route("/other", get(|| async { "other" }))
}

/// Keys by the last digit of their IDs.
const NAMES: [&str; 6] = ["known", "unknown", "refused", "broken", "down", "gone"];

/// A request as `Plaid` makes it, for this key at this server.
async fn plaid_request(name: &str, address: SocketAddr) -> KeyRequest {
    let id = &uuid(NAMES.iter().position(|other| *other == name).unwrap());
    let made = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&made);
    let fetcher = KeyFetcher::new(move |request: KeyRequest| {
        *keep.lock().unwrap() = Some(request);
        async { Ok::<Option<Vec<u8>>, std::io::Error>(None) }
    });
    let source = Plaid::with_fetched_keys(PlaidEnvironment::Sandbox, &fetcher).unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "ES256", "kid": id}).to_string());
    let claims = json!({"iat": 1_700_000_000, "request_body_sha256": "0".repeat(64)});
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let token = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([1; 64]));
    let request = Request::post("/").header("plaid-verification", token).body(()).unwrap();
    let head = request.into_parts().0;
    _ = verify_with_at(&source, &head, &Bytes::new(), seconds(1_700_000_000)).await;
    let request = made.lock().unwrap().take().unwrap();
    assert_eq!(request.key_id(), Some(&**id));
    request.with_url(format!("http://{address}/webhook_verification_key/get"))
}

#[tokio::test]
async fn key_of_plaid_is_requested_with_its_credentials() {
    let asked = Asked::default();
    let address = serve(plaid_api(&asked)).await;
    let secret = Secret::new("made-up-secret").unwrap();
    let token = Secret::new("made-up-token").unwrap();
    let client = KeyClient::new().unwrap().plaid("made-up-client-id", &secret).unwrap();
    let client = client.bearer_token("127.0.0.1", &token).unwrap();
    assert!(!format!("{client:?}").contains("made-up"));
    for (id, is_known) in [("known", true), ("unknown", false)] {
        let found = client.fetch(&plaid_request(id, address).await).await.unwrap();
        assert_eq!(found.is_some(), is_known, "{id}");
    }
    for id in ["refused", "broken", "down", "gone"] {
        let error = client.fetch(&plaid_request(id, address).await).await.unwrap_err();
        assert!(!error.to_string().contains("made-up"), "{error}");
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 6);
    let expected =
        json!({"client_id": "made-up-client-id", "secret": "made-up-secret", "key_id": uuid(0)});
    assert_eq!(asked[0], expected);
}

/// The credentials are for one path, and for requests that name a key.
#[tokio::test]
async fn credentials_of_plaid_are_sent_nowhere_else() {
    let asked = Asked::default();
    let address = serve(plaid_api(&asked)).await;
    let secret = Secret::new("made-up-secret").unwrap();
    let client = KeyClient::new().unwrap().plaid("made-up-client-id", &secret).unwrap();
    let request = plaid_request("known", address).await;
    let other = request.clone().with_url(format!("http://{address}/other"));
    assert!(client.fetch(&other).await.unwrap().is_some());
    // A GET, which the API does not have.
    let without_id = KeyRequest::new(request.url());
    assert!(client.fetch(&without_id).await.is_err());
    let error = KeyClient::new().unwrap().fetch(&request).await.unwrap_err();
    assert!(error.to_string().contains("`KeyClient::plaid`"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 0);
}
