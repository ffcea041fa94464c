//! Verifies WhatsApp's webhooks, answers Meta's challenge on the same path, and parses verified
//! bodies into types.
//!
//! The secrets come from the environment. Without them the server does not start.
//!
//! ```sh
//! export WHATSAPP_APP_SECRET=my-app-secret WHATSAPP_WEBHOOK_VERIFY_TOKEN=my-verify-token
//! cargo run --example whatsapp --features axum
//! ```
//!
//! And then:
//!
//! ```sh
//! curl -i 'http://127.0.0.1:3000/webhook?hub.mode=subscribe&hub.verify_token=my-verify-token&hub.challenge=42'
//! body='{"object":"whatsapp_business_account","entry":[]}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac my-app-secret -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/webhook -H "x-hub-signature-256: sha256=$tag" --json "$body"
//! ```

use std::{env, error::Error, net::SocketAddr, process::ExitCode};

use axum::{Json, Router, response::IntoResponse, routing::post};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tower_webhook::{
    Rejection, RejectionKind, Secret, SignatureLayer, axum::Signed, layer::default_response,
    providers::Meta,
};

/// A notification from Meta, with the fields that this program uses.
///
/// Unknown fields are ignored: Meta adds fields without notice.
#[derive(Debug, Deserialize)]
pub(crate) struct Notification {
    pub(crate) object: String,
    pub(crate) entry: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    pub(crate) value: Content,
}

/// Content of a change: received messages, or statuses of sent messages.
#[derive(Debug, Deserialize)]
pub(crate) struct Content {
    #[serde(default)]
    pub(crate) messages: Vec<Message>,
    #[serde(default)]
    pub(crate) statuses: Vec<Status>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    /// ID of the message. Meta can repeat a message: keep the IDs of handled messages.
    pub(crate) id: String,
    pub(crate) from: String,
    pub(crate) text: Option<Text>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Text {
    pub(crate) body: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    pub(crate) id: String,
    pub(crate) status: String,
}

/// Creates the verifier with secrets that it reads with `variable`.
///
/// The error names the variable, and never contains its value.
pub(crate) fn verifier(
    variable: impl Fn(&str) -> Result<String, env::VarError>,
) -> Result<Meta, Box<dyn Error>> {
    let secret = |name| -> Result<Secret, Box<dyn Error>> {
        let text = variable(name).map_err(|error| format!("{name}: {error}"))?;
        Ok(Secret::new(text).map_err(|error| format!("{name}: {error}"))?)
    };
    let verify_token = secret("WHATSAPP_WEBHOOK_VERIFY_TOKEN")?;
    Ok(Meta::new(secret("WHATSAPP_APP_SECRET")?)?.verify_token(verify_token)?)
}

/// Returns the application. It calls `received` with each notification that is verified and
/// well-formed.
///
/// Meta waits while `received` runs. Move long work to a task, as in
/// `examples/webex_contact_center.rs`.
pub(crate) fn app(
    meta: Meta,
    received: impl Fn(Notification) + Clone + Send + Sync + 'static,
) -> Router {
    // Without the layer, `Signed` responds with `500 Internal Server Error`.
    let handler = async move |Signed(_, body): Signed<Bytes>| match parse(&body) {
        Ok(notification) => {
            received(notification);
            Json(json!({"status": "ok"})).into_response()
        }
        Err((status, message)) => {
            (status, Json(json!({"status": "error", "message": message}))).into_response()
        }
    };
    let layer = SignatureLayer::new(meta).rejection_response(refuse);
    Router::new().route("/webhook", post(handler).layer(layer))
}

/// Parses a verified body.
///
/// A signature proves the sender of the body, not its format.
fn parse(body: &[u8]) -> Result<Notification, (StatusCode, &'static str)> {
    const FOREIGN: (StatusCode, &str) = (StatusCode::NOT_FOUND, "Not a WhatsApp API event");
    let notification: Notification = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() { FOREIGN } else { (StatusCode::BAD_REQUEST, "Invalid JSON provided") }
    })?;
    (notification.object == "whatsapp_business_account").then_some(notification).ok_or(FOREIGN)
}

/// Creates the JSON response to a rejection.
///
/// All invalid signatures get the same response, so that an attacker cannot learn from it how to
/// improve a forgery.
fn refuse(rejection: &Rejection) -> http::Response<Bytes> {
    let message = match rejection.kind() {
        RejectionKind::ChallengeMalformed => "Missing parameters",
        RejectionKind::ChallengeFailed => "Verification failed",
        kind if kind.is_authentication_failure() => "Invalid signature",
        kind => kind.as_str(),
    };
    let body = json!({"status": "error", "message": message});
    // Keeps the status of the rejection, and `Retry-After` if the sender should retry.
    let mut response = default_response(rejection).map(|_| body.to_string().into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn print(notification: Notification) {
    for change in notification.entry.into_iter().flat_map(|entry| entry.changes) {
        for Message { id, from, text } in change.value.messages {
            println!("message {id} from {from}: {:?}", text.map(|text| text.body));
        }
        for Status { id, status } in change.value.statuses {
            println!("message {id} was {status}");
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let app = app(verifier(|name| env::var(name))?, print);
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
