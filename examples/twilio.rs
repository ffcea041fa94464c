//! Twilio's messages in axum, behind a proxy or a tunnel: Twilio signs the URL that its console has, and the server behind
//! sees another one.
//!
//! ```sh
//! TWILIO_AUTH_TOKEN=12345678901234567890123456789012 PUBLIC_URL=https://example.com \
//!     cargo run --example twilio --features axum
//! ```
//!
//! And then, with the [`send`](send.rs) example:
//!
//! ```sh
//! printf 'From=%%2B15550001&Body=hello' | cargo run --example send --features sign -- \
//!     twilio 12345678901234567890123456789012 http://127.0.0.1:3000/sms --public-url https://example.com
//! ```
//!
//! A refusal names the URL that must have been signed. Compare it with the one in Twilio's console.

use std::{collections::HashMap, env, error::Error, net::SocketAddr};

use axum::{Form, Router, http::header::CONTENT_TYPE, response::IntoResponse, routing::post};
use tokio::net::TcpListener;
use tower_webhook::{PublicUrl, Secret, SignatureLayer, axum::Signed, providers::Twilio};

/// Says so in TwiML, so that Twilio answers the message.
async fn message(Signed(_, Form(sms)): Signed<Form<HashMap<String, String>>>) -> impl IntoResponse {
    println!("genuine, from {:?}: {:?}", sms.get("From"), sms.get("Body"));
    let reply = "<Response><Message>Thanks.</Message></Response>";
    ([(CONTENT_TYPE, "text/xml")], reply)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();

    // What stands in the console before the path that this server receives.
    let url = env::var("PUBLIC_URL").map_err(|why| format!("PUBLIC_URL: {why}"))?;
    let twilio = Twilio::new(Secret::from_env("TWILIO_AUTH_TOKEN")?, PublicUrl::base(&url)?)?;
    let app = Router::new().route("/sms", post(message).layer(SignatureLayer::new(twilio)));

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    axum::serve(listener, app).with_graceful_shutdown(stop(address)).await?;
    Ok(())
}

/// Ends with Ctrl-C, which is listened for before anyone is told that the server is up.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
