//! Verifies App Store Server Notifications of Apple with the chain of certificates that they carry.
//!
//! ```sh
//! cargo run --example app_store --features axum,certificates,sign
//! ```
//!
//! The program serves the webhook, and sends it an authentic notification, one whose transaction was changed,
//! and one for another app. It prints each response, and what the handler read.

use std::{error::Error, net::SocketAddr, time::SystemTime};

use axum::{Router, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower_webhook::{
    SignatureLayer,
    providers::{AppleAppStore, token_claims},
    replay::json_field,
    sign::{PrivateKey, Signing, signed},
};

type BoxError = Box<dyn Error + Send + Sync>;

const BUNDLE_ID: &str = "com.example.app";

/// A chain of certificates and the key of the first one, in the place of Apple's. They were made for this
/// example.
const CHAIN: [&str; 3] = [
    "MIIBdzCB/6ADAgECAhQXD56dbIQwIfmdebF/hdvWWV4t5DAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwHhcNMjMwMTAxMDAwMDAwWhcNNDAwMTAxMDAwMDAwWjARMQ8wDQYDVQQDDAZzaWduZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATKc7FyuKSQxey8iwZm7i25Zqe787pOFqYMvxPwvpZX+4Z060IQtu6fUOCB1mO9k0cWrnra/7X7gkv0B0TBhkoRozIwMDAMBgNVHRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDAQBgoqhkiG92NkBgsBBAIFADAKBggqhkjOPQQDAgNnADBkAjBZm+zTaJJIYGxhqHdEsRjg9u3ZJa5f9k4XCU6S3K83TwoyZxAICF5/OjkeG5TLHpICMG/weZUAt8cyvXl6yFJuk6bJcBA404BElpvb7xdndYASdMew0IJvCF2Uo8rMu4/xig==",
    "MIIBnzCCASWgAwIBAgIUNVrB6LTAZgmAwbYISIdWa3msWJwwCgYIKoZIzj0EAwMwFzEVMBMGA1UEAwwMbWFkZS11cCByb290MB4XDTIzMDEwMTAwMDAwMFoXDTQwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJYXV0aG9yaXR5MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAELCDNWYy8ULSglQ5U5X1xBFkpyZRR2nbu1/cWTLa2ZMo9RIwFQ58sSx6HBDndhOLOhBD3Jr1nRNCRo2nLCyOLUJyqt3SMBAyPislHQTHj39e8fCo5vVfX5ccSwhVbsSRMozUwMzAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAQBgoqhkiG92NkBgIBBAIFADAKBggqhkjOPQQDAwNoADBlAjBmCgYp4z2ngHWezt4vNFpMiOkdrQHP626rBOiFyXAdvvTjaeRSqsTYDlpm+ZxN3T0CMQCVd2KoUzfjIfSjfSzBWTiDgqDMmDECAlKSPlZedOREtyeUzsT0CT8iWeQDn6vGMHc=",
    "MIIBjzCCARagAwIBAgIUfmpVMeleIjYzVZAAu2M+hK10H1AwCgYIKoZIzj0EAwMwFzEVMBMGA1UEAwwMbWFkZS11cCByb290MB4XDTIzMDEwMTAwMDAwMFoXDTQwMDEwMTAwMDAwMFowFzEVMBMGA1UEAwwMbWFkZS11cCByb290MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEWY72ZmWoCqAOelFVwf48RTsYF0XfVO0yYTvXktndtQa8G97eAtGZWCFWfku9iajhSmEjPUuqGPMJurWTuyL6qsYgTIse5C5oQ8F84uhlY6bh9SrXxNJN8FH6LifRb/KyoyMwITAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAwNnADBkAjBLvuratZ83abFmWPrPYNNWWCWDRo9iqzlRwQlPZ0Wt5TlnV2KwTKiaq//R0yZBym8CMAEMoMlgjLd9F263B5axUCrhsW7O9S67Q2NN/r3oGRYkaeEA/TANl2/t1XG3i84D8A==",
];
const ROOT: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBjzCCARagAwIBAgIUfmpVMeleIjYzVZAAu2M+hK10H1AwCgYIKoZIzj0EAwMwFzEVMBMGA1UE\n\
AwwMbWFkZS11cCByb290MB4XDTIzMDEwMTAwMDAwMFoXDTQwMDEwMTAwMDAwMFowFzEVMBMGA1UE\n\
AwwMbWFkZS11cCByb290MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEWY72ZmWoCqAOelFVwf48RTsY\n\
F0XfVO0yYTvXktndtQa8G97eAtGZWCFWfku9iajhSmEjPUuqGPMJurWTuyL6qsYgTIse5C5oQ8F8\n\
4uhlY6bh9SrXxNJN8FH6LifRb/KyoyMwITAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIB\n\
BjAKBggqhkjOPQQDAwNnADBkAjBLvuratZ83abFmWPrPYNNWWCWDRo9iqzlRwQlPZ0Wt5TlnV2Kw\n\
TKiaq//R0yZBym8CMAEMoMlgjLd9F263B5axUCrhsW7O9S67Q2NN/r3oGRYkaeEA/TANl2/t1XG3\n\
i84D8A==\n\
-----END CERTIFICATE-----\n\
";
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWtOpzTx4+ap9yuvr\n\
T1qAFffVfgSscAZcQyzyq/8ALGqhRANCAATKc7FyuKSQxey8iwZm7i25Zqe787pO\n\
FqYMvxPwvpZX+4Z060IQtu6fUOCB1mO9k0cWrnra/7X7gkv0B0TBhkoR\n\
-----END PRIVATE KEY-----\n\
";

/// Reads a verified notification.
async fn notified(body: Bytes) -> Result<String, StatusCode> {
    let read = || {
        // The layer has verified it.
        let claims = token_claims(json_field(&body, "signedPayload")?)?;
        json_field(claims.as_bytes(), "notificationType")
    };
    read().ok_or(StatusCode::UNPROCESSABLE_ENTITY)
}

/// Starts the server of the webhook.
async fn serve(verifier: AppleAppStore) -> Result<SocketAddr, BoxError> {
    let app = Router::new().route("/apple", post(notified)).layer(SignatureLayer::new(verifier));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // Without `root_certificates`, only Apple's root is trusted.
    let verifier = AppleAppStore::sandbox(BUNDLE_ID)?.root_certificates(ROOT)?;
    let address = serve(verifier.clone()).await?;
    let chain = CHAIN.map(|text| STANDARD.decode(text).unwrap_or_default());
    let signer = verifier.signing_chain(chain);
    let key = PrivateKey::from_pem(KEY)?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let notification = |bundle: &str| {
        format!(
            r#"{{"notificationType":"TEST","notificationUUID":"made-up","data":{{"bundleId":"{bundle}","environment":"Sandbox"}}}}"#
        )
    };
    let uri: Uri = format!("http://{address}/apple").parse()?;
    for (name, bundle, is_changed) in [
        ("authentic", BUNDLE_ID, false),
        ("changed", BUNDLE_ID, true),
        ("for another app", "com.example.other", false),
    ] {
        let request = Request::post(&uri).body(notification(bundle))?;
        let signing = Signing::at(SystemTime::now()).private_key(&key);
        let mut request = signed(&signer, request, signing)?;
        if is_changed {
            let body = str::from_utf8(request.body())?.replace("eyJub3", "eyJub4");
            *request.body_mut() = Bytes::from(body);
        }
        let response = client.request(request.map(Full::new)).await?;
        let status = response.status();
        let body = response.collect().await?.to_bytes();
        match status.is_success() {
            true => println!("{name}: {status}, {}", str::from_utf8(&body)?),
            false => println!("{name}: {status}"),
        }
    }
    Ok(())
}
