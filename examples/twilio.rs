//! Verifies Twilio's messages in axum, behind a proxy or a tunnel.
//!
//! Twilio signs the URL in its console. The server sees a different URL, so set the public URL:
//!
//! ```sh
//! TWILIO_AUTH_TOKEN=12345678901234567890123456789012 PUBLIC_URL=https://example.com \
//!     cargo run --example twilio --features axum
//! ```
//!
//! Then send a message with the [`send`](send.rs) example:
//!
//! ```sh
//! printf 'From=%%2B15550001&Body=hello' | cargo run --example send --features sign -- \
//!     twilio 12345678901234567890123456789012 http://127.0.0.1:3000/sms --public-url https://example.com
//! ```
//!
//! If the signature does not match, the log names the URL that it must cover as `signed_url`.
//! Compare it with the URL in Twilio's console.

use std::{collections::HashMap, env, error::Error, net::SocketAddr};

use axum::{Form, Router, http::header::CONTENT_TYPE, response::IntoResponse, routing::post};
use tokio::net::TcpListener;
use tower_webhook::{PublicUrl, Secret, SignatureLayer, axum::Signed, providers::Twilio};

/// Handles a message, and returns TwiML that makes Twilio reply to it.
async fn message(Signed(_, Form(sms)): Signed<Form<HashMap<String, String>>>) -> impl IntoResponse {
    println!("verified message from {:?}: {:?}", sms.get("From"), sms.get("Body"));
    let reply = "<Response><Message>Thanks.</Message></Response>";
    ([(CONTENT_TYPE, "text/xml")], reply)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();

    // The part of the console's URL before the path that this server receives.
    let url = env::var("PUBLIC_URL").map_err(|why| format!("PUBLIC_URL: {why}"))?;
    let twilio = Twilio::new(Secret::from_env("TWILIO_AUTH_TOKEN")?, PublicUrl::base(&url)?)?;
    let app = Router::new().route("/sms", post(message).layer(SignatureLayer::new(twilio)));

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    axum::serve(listener, app).with_graceful_shutdown(stop(address)).await?;
    Ok(())
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
