//! Accepts Webex Contact Center's events at once, and handles them in a task.
//!
//! Cisco waits five seconds for a response, and can set a subscription to inactive if its endpoint
//! responds with errors. The server therefore queues an event and responds with `202 Accepted`. If
//! the queue is full, the response is `503 Service Unavailable`, and the sender retries. On Ctrl-C
//! the process handles all queued events before it ends.
//!
//! Run `cargo run --example webex_contact_center`, and then:
//!
//! ```sh
//! body='{"id":"1","source":"/com/cisco/wxcc/subscription-7","type":"agent:login","data":{}}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac secret-of-7 -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/webex -H "x-webexcc-signature: $tag" --json "$body"
//! ```

use std::{collections::HashMap, env, error::Error, io, net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc};
use tower_webhook::{
    Rejection, Secret, SignatureLayer, Verified, Verifier, layer::Requires,
    providers::WebexContactCenter,
};

/// Secret of each subscription, in place of a database.
pub(crate) type Secrets = HashMap<String, Secret>;

#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// ID of the event. Events can arrive more than once: keep the IDs of handled events.
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) data: Value,
}

/// Types of the events that are handled.
const WANTED: [&str; 3] = ["capture:available", "agent:login", "agent:logout"];

/// Maximum number of events that wait for the worker.
///
/// An event that got a 202 waits in memory. Events that must survive a crash belong in a database or
/// a queue on disk.
pub(crate) const QUEUE_LEN: usize = 1000;

pub(crate) fn app(secrets: Secrets, queue: mpsc::Sender<Event>) -> Router {
    let secrets = Arc::new(secrets);
    // A request without a signature is rejected before its body is read.
    let signature = Requires::header(HeaderName::from_static("x-webexcc-signature"));
    let by_subscription = SignatureLayer::by_body(signature, move |_head, body| {
        // The unverified body only selects the secret to try.
        let id = WebexContactCenter::subscription_id(body);
        let known = id.and_then(|id| Some((secrets.get(&id)?.clone(), id)));
        async move {
            let (secret, id) = known.ok_or(Rejection::unknown_tenant())?;
            let verifier = WebexContactCenter::new(secret).map_err(Rejection::unavailable)?;
            Ok(verifier.for_tenant(id))
        }
    })
    .defaults(WebexContactCenter::DEFAULTS);
    Router::new().route("/webex", post(accept).layer(by_subscription)).with_state(queue)
}

async fn accept(
    State(queue): State<mpsc::Sender<Event>>,
    _: Extension<Verified>,
    body: Bytes,
) -> Response {
    let Ok(event) = serde_json::from_slice::<Event>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !WANTED.contains(&event.event_type.as_str()) {
        return StatusCode::OK.into_response();
    }
    match queue.try_send(event) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response(),
    }
}

/// Serves until `stop` completes, and returns when every event that got a 202 has been handled.
pub(crate) async fn serve<F>(
    listener: TcpListener,
    secrets: Secrets,
    stop: impl Future<Output = ()> + Send + 'static,
    work: impl Fn(Event) -> F + Send + 'static,
) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (queue, mut events) = mpsc::channel(QUEUE_LEN);
    let worker = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            work(event).await;
        }
    });
    let served = axum::serve(listener, app(secrets, queue)).with_graceful_shutdown(stop).await;
    // The server has sent its last response and dropped its end of the queue, so the worker ends
    // once the queue is empty.
    worker.await?;
    served
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secrets = HashMap::from([("subscription-7".to_owned(), Secret::new("secret-of-7")?)]);
    let work = async |event: Event| println!("{} {}: {}", event.event_type, event.id, event.data);

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let stop = stop(listener.local_addr()?);
    Ok(serve(listener, secrets, stop, work).await?)
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
