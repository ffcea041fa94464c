//! Verifies a delivery of GitHub's secret scanning with a key that is fetched.
//!
//! ```sh
//! cargo run --example fetched_keys --features axum,fetched-keys
//! ```
//!
//! The program serves the webhook, and a list of keys that stands in for GitHub's. It sends the
//! delivery that GitHub documents, one that was changed, and one with an unknown key. It prints each
//! response and the number of fetches.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower_webhook::{
    SignatureLayer,
    fetched_keys::{KeyDocument, KeyFetcher},
    providers::GitHubSecretScanning,
};

type BoxError = Box<dyn Error + Send + Sync>;

const KEY_ID: &str = "f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d";
const SIGNATURE: &str = "MEUCIFLZzeK++IhS+y276SRk2Pe5LfDrfvTXu6iwKKcFGCrvAiEAhHN2kDOhy2I6eGkOFmxNkOJ+L2y8oQ9A2T9GGJo6WJY=";
const BODY: &str =
    r#"[{"token":"some_token","type":"some_type","url":"some_url","source":"some_source"}]"#;

/// GitHub's list of keys, with the key of its documented sample.
const LIST: &str = r#"{"public_keys": [{
    "key_identifier": "f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d",
    "key": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP\nHzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==\n-----END PUBLIC KEY-----\n",
    "is_current": true
}]}"#;

/// Fetches a document. Outside of this example, the client uses HTTPS and `url` as it is.
async fn fetch(
    client: Client<HttpConnector, Empty<Bytes>>,
    api: SocketAddr,
    url: String,
) -> Result<Option<Bytes>, BoxError> {
    let path = url.parse::<Uri>()?.path().to_owned();
    // This client follows no redirect.
    let response = client.get(format!("http://{api}{path}").parse()?).await?;
    match response.status() {
        StatusCode::OK => {
            let body = Limited::new(response.into_body(), KeyDocument::MAX_LEN);
            Ok(Some(body.collect().await?.to_bytes()))
        }
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(format!("the key server responded with {status}").into()),
    }
}

async fn serve(router: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let list = get(move || async move {
        count.fetch_add(1, Ordering::Relaxed);
        LIST
    });
    let api = serve(Router::new().route("/meta/public_keys/secret_scanning", list)).await?;

    let client = Client::builder(TokioExecutor::new()).build_http();
    let fetcher =
        KeyFetcher::new(move |request| fetch(client.clone(), api, request.url().to_owned()));
    let layer = SignatureLayer::new(GitHubSecretScanning::with_fetched_keys(&fetcher)?);
    let router = Router::new().route("/alerts", post(|| async { "handled" }).layer(layer));
    let address = serve(router).await?;

    let sender = Client::builder(TokioExecutor::new()).build_http();
    for (name, key_id, body) in [
        ("authentic", KEY_ID, BODY),
        ("changed", KEY_ID, "[]"),
        ("unknown key", &"0".repeat(64), BODY),
    ] {
        let request = Request::post(format!("http://{address}/alerts"))
            .header("github-public-key-identifier", key_id)
            .header("github-public-key-signature", SIGNATURE)
            .body(Full::<Bytes>::from(body.to_owned()))?;
        println!("{name}: {}", sender.request(request).await?.status());
    }
    println!("fetches: {}", fetches.load(Ordering::Relaxed));
    Ok(())
}
