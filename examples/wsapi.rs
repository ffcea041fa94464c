//! Verifies WSAPI's events with a secret for each instance.
//!
//! Run `cargo run --example wsapi`, and then:
//!
//! ```sh
//! body='{"eventId":"evt_1","instanceId":"ins-1","eventType":"message","eventData":{"text":"hi"}}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac secret-of-ins-1 -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/wsapi -H 'x-instance-id: ins-1' \
//!     -H "x-webhook-signature: sha256=$tag" --json "$body"
//! ```

use std::{collections::HashMap, env, error::Error, net::SocketAddr, sync::Arc};

use axum::{Extension, Json, Router, response::IntoResponse, routing::post};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_webhook::{
    Rejection, RejectionKind, Secret, SignatureLayer, Verified, Verifier,
    layer::{ByHead, default_response},
    providers::Wsapi,
    verifier::ForTenant,
};

/// Event signing secret of each instance, in place of a database.
pub(crate) type Secrets = HashMap<String, Secret>;

/// Envelope of all events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    pub(crate) event_id: String,
    pub(crate) instance_id: String,
    pub(crate) event_type: String,
    pub(crate) event_data: Value,
}

/// Returns the application. It calls `received` with each message of a proven instance.
pub(crate) fn app(
    secrets: Secrets,
    received: impl Fn(Event) + Clone + Send + Sync + 'static,
) -> Router {
    let secrets = Arc::new(secrets);
    let look_up = ByHead::new(move |head| {
        let verifier = secret_for(&secrets, head);
        async { verifier }
    });
    let layer = SignatureLayer::new(look_up)
        .defaults(Wsapi::DEFAULTS)
        // The status that WSAPI's own receivers use.
        .rejection_status(StatusCode::UNAUTHORIZED)
        .rejection_response(refuse);

    let handler = async move |Extension(verified): Extension<Verified>, body: Bytes| {
        let Ok(event) = serde_json::from_slice::<Event>(&body) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        // The body is signed, the header is not. An instance must not send in the name
        // of another.
        if verified.tenant() != Some(&event.instance_id) {
            return unauthorized(INVALID).into_response();
        }
        // The content of the event is trusted only after this check.
        if event.event_type == "message" {
            received(event);
        }
        StatusCode::OK.into_response()
    };
    Router::new().route("/wsapi", post(handler).layer(layer))
}

/// Returns the verifier for the instance in `X-Instance-Id`.
///
/// Anyone can write this header, so it only selects the secret to try.
fn secret_for(secrets: &Secrets, head: &Parts) -> Result<ForTenant<Wsapi>, Rejection> {
    // Checked first: a missing signature has its own message, which must not depend on whether
    // the instance exists.
    let signature = head.headers.get("x-webhook-signature");
    if signature.is_none_or(HeaderValue::is_empty) {
        return Err(Rejection::missing("x-webhook-signature"));
    }
    let instance = head.headers.get("x-instance-id").and_then(|id| id.to_str().ok());
    let known = instance.and_then(|id| secrets.get_key_value(id));
    let (instance, secret) = known.ok_or(Rejection::unknown_tenant())?;
    let verifier = Wsapi::new(secret.clone()).map_err(Rejection::unavailable)?;
    Ok(verifier.for_tenant(instance.as_str()))
}

const MISSING: &str = "Missing X-Webhook-Signature header";
const INVALID: &str = "Invalid webhook signature";

fn unauthorized(message: &str) -> (StatusCode, Json<Value>) {
    (StatusCode::UNAUTHORIZED, Json(json!({"error": "Unauthorized", "message": message})))
}

fn refuse(rejection: &Rejection) -> http::Response<Bytes> {
    let message = match rejection.kind() {
        RejectionKind::Missing => MISSING,
        kind if kind.is_authentication_failure() => INVALID,
        // Not an authentication failure: a body too large or too slow, or a fault of the server.
        _ => return default_response(rejection),
    };
    let (_, Json(body)) = unauthorized(message);
    let mut response = default_response(rejection).map(|_| body.to_string().into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secrets = HashMap::from([
        ("ins-1".to_owned(), Secret::new("secret-of-ins-1")?),
        ("ins-2".to_owned(), Secret::new("secret-of-ins-2")?),
    ]);
    let app = app(secrets, |Event { event_id, instance_id, event_data, .. }| {
        println!("{event_id}: a message for {instance_id}: {event_data}");
    });

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
