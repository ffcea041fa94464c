//! Webex Contact Center's events: accepted at once, worked on in a task.
//!
//! Cisco waits five seconds for an answer, and can set a subscription inactive that does not answer
//! well. So an event is put into a queue and answered with 202. When the queue is full the answer is
//! 503: the sender comes again. At Ctrl-C the queue is worked off before the process ends.
//!
//! `cargo run --example webex_contact_center`, and then:
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

/// A map in the place of a database: the secret of each subscription.
pub(crate) type Secrets = HashMap<String, Secret>;

#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// Events come more than once: keep the ids that you have handled.
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) data: Value,
}

/// The events that somebody here works on.
const WANTED: [&str; 3] = ["capture:available", "agent:login", "agent:logout"];

/// Events that wait for the worker. An answer of 202 says that one is in here: what must survive a
/// crash belongs into a database or a queue on disk.
pub(crate) const QUEUE_LEN: usize = 1000;

pub(crate) fn app(secrets: Secrets, queue: mpsc::Sender<Event>) -> Router {
    let secrets = Arc::new(secrets);
    // Whoever does not even pretend to sign is refused before the body is read.
    let signature = Requires::header(HeaderName::from_static("x-webexcc-signature"));
    let by_subscription = SignatureLayer::by_body(signature, move |_head, body| {
        // Not verified yet: it only says whose secret to try.
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

/// Serves until `stop`, and returns when every event that was answered with 202 has been worked on.
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
    // The server has answered its last request and dropped its end of the queue: the worker comes
    // to an end once the queue is empty.
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

/// Ends with Ctrl-C, which is listened for before anyone is told that the server is up.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
