//! Verifies webhooks of Plaid with a key that Plaid's API returns.
//!
//! ```sh
//! cargo run --example plaid --features axum,http-client,sign
//! ```
//!
//! The program serves the webhook, and an API that stands in for Plaid's. It sends an authentic
//! webhook, one whose body was changed, and an old one. It prints each response and the number of
//! fetches.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Json, Router, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_webhook::{
    Secret, SignatureLayer,
    fetched_keys::{KeyClient, KeyFetcher, KeyRequest},
    providers::{Plaid, PlaidEnvironment},
    sign::{PrivateKey, Signing, signed},
};

type BoxError = Box<dyn Error + Send + Sync>;

const BODY: &str = r#"{"webhook_type":"TRANSACTIONS","item_id":"i-1"}"#;

/// A key that was made for this example, and the two numbers of its public key.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeK89zuZRjnkfh86x\n\
YFuad9IugLbOSAWnBKXgSYyP+XOhRANCAATrTJ0isG3EkqYqRU5/y7/JoHwCtQgt\n\
bYuQqwILu6pRu8YWaalWA34ixLckIo9lL84YscXygnd6tWxN953VBLfX\n\
-----END PRIVATE KEY-----\n";
const X: &str = "60ydIrBtxJKmKkVOf8u_yaB8ArUILW2LkKsCC7uqUbs";
const Y: &str = "xhZpqVYDfiLEtyQij2UvzhixxfKCd3q1bE33ndUEt9c";
const KEY_ID: &str = "00000000-0000-4000-8000-000000000000";

async fn serve(router: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Responds to a request for a key, as Plaid's API does.
async fn key(Json(asked): Json<Value>) -> (StatusCode, Json<Value>) {
    if asked["client_id"] != "made-up-client-id" || asked["secret"] != "made-up-secret" {
        return (StatusCode::BAD_REQUEST, Json(json!({"error_code": "INVALID_API_KEYS"})));
    }
    if asked["key_id"] != KEY_ID {
        let error = json!({"error_code": "INVALID_WEBHOOK_VERIFICATION_KEY_ID"});
        return (StatusCode::BAD_REQUEST, Json(error));
    }
    let key = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID,
        "x": X, "y": Y, "created_at": 1_560_466_143, "expired_at": null,
    });
    (StatusCode::OK, Json(json!({"key": key})))
}

/// Returns a webhook, as Plaid sends it.
fn request(time: SystemTime) -> Result<Request<Bytes>, BoxError> {
    let key = PrivateKey::from_pem(KEY)?;
    let plaid = Plaid::new(key.public_key()?)?;
    let request = Request::post("/plaid").body(BODY)?;
    Ok(signed(&plaid, request, Signing::at(time).private_key(&key))?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let api = post(move |asked| {
        count.fetch_add(1, Ordering::Relaxed);
        key(asked)
    });
    let plaid = serve(Router::new().route("/webhook_verification_key/get", api)).await?;

    // Outside of this example: `KeyFetcher::from(client)`.
    let client = KeyClient::new()?.plaid("made-up-client-id", &Secret::new("made-up-secret")?)?;
    let fetcher = KeyFetcher::new(move |request: KeyRequest| {
        let client = client.clone();
        async move {
            let path = request.url().parse::<Uri>()?.path().to_owned();
            let request = request.with_url(format!("http://{plaid}{path}"));
            Ok::<_, BoxError>(client.fetch(&request).await?)
        }
    });
    let source = Plaid::with_fetched_keys(PlaidEnvironment::Sandbox, &fetcher)?;
    // The webhooks below are of this time.
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let layer = SignatureLayer::new(source).clock(time);
    let router = Router::new().route("/plaid", post(|| async { "handled" }).layer(layer));
    let address = serve(router).await?;

    let sender = Client::builder(TokioExecutor::new()).build_http();
    for (name, request, body) in [
        ("authentic", request(time)?, BODY.to_owned()),
        ("changed", request(time)?, BODY.replace("i-1", "i-2")),
        ("old", request(time - Duration::from_secs(600))?, BODY.to_owned()),
    ] {
        let (mut head, _) = request.into_parts();
        head.uri = format!("http://{address}/plaid").parse()?;
        let request = Request::from_parts(head, Full::<Bytes>::from(body));
        println!("{name}: {}", sender.request(request).await?.status());
    }
    println!("fetches: {}", fetches.load(Ordering::Relaxed));
    Ok(())
}
