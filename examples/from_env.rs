//! Verifies Meta's webhooks with secrets from the environment.
//!
//! Without the secrets the server does not start.
//!
//! ```sh
//! APP_SECRET=my-app-secret VERIFY_TOKEN=my-verify-token cargo run --example from_env
//! ```

use std::{env, error::Error, net::SocketAddr, process::ExitCode};

use axum::{Extension, Router, routing::post};
use tokio::net::TcpListener;
use tower_webhook::{Secret, SignatureLayer, Verified, providers::Meta};

async fn handler(Extension(verified): Extension<Verified>) {
    println!(
        "verified webhook from {}, signed with secret {}",
        verified.provider(),
        verified.key_index()
    );
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut secrets = vec![Secret::from_env("APP_SECRET")?];
    // During a rotation, the previous secret stays valid.
    if env::var_os("PREVIOUS_APP_SECRET").is_some() {
        secrets.push(Secret::from_env("PREVIOUS_APP_SECRET")?);
    }
    let meta = Meta::new(secrets)?.verify_token(Secret::from_env("VERIFY_TOKEN")?)?;
    let app = Router::new().route("/webhook", post(handler).layer(SignatureLayer::new(meta)));

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    axum::serve(listener, app).with_graceful_shutdown(stop(address)).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
