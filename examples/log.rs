//! Logs every delivery in SQLite, and serves the log on a second, loopback-only port.
//!
//! Run `cargo run --example log --features delivery-log-sqlite`, and then:
//!
//! ```sh
//! body='{"object":"page"}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac my-app-secret -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/webhook -H "x-hub-signature-256: sha256=$tag" --json "$body"
//! curl -i http://127.0.0.1:3000/webhook -H "x-hub-signature-256: sha256=00" --json "$body"
//! curl 'http://127.0.0.1:3001/deliveries?limit=20'
//! curl 'http://127.0.0.1:3001/deliveries?status=unauthorized'
//! ```

use std::{
    env, error::Error, fmt::Write, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration,
};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use tokio::{net::TcpListener, sync::watch, time::interval};
use tower::ServiceBuilder;
use tower_webhook::{
    SignatureLayer,
    delivery_log::{DeliveryLog, EntryId, Filter, MESSAGE_FIELDS, Mask, Retention},
    observe::{Attempt, ClientIp},
    providers::Meta,
};

const DAY: Duration = Duration::from_secs(86_400);

async fn handler(Extension(attempt): Extension<Arc<Attempt>>) {
    attempt.set_event_name("page");
}

#[derive(Deserialize)]
struct Wanted {
    status: Option<String>,
    /// ID of the last row of the previous page.
    before: Option<String>,
    limit: Option<u32>,
}

/// Returns a line for each delivery and, if there are more, a line with the `before` of the next
/// page.
async fn deliveries(
    State(log): State<DeliveryLog>,
    Query(wanted): Query<Wanted>,
) -> Result<String, StatusCode> {
    let mut filter = Filter::new().limit(wanted.limit.unwrap_or(50));
    if let Some(status) = wanted.status {
        filter = filter.status(status);
    }
    if let Some(before) = wanted.before {
        filter = filter.before(before.parse::<EntryId>().map_err(|_| StatusCode::BAD_REQUEST)?);
    }
    let found = log.find(&filter).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let mut page = String::new();
    for row in &found {
        let reason = row.reason.as_deref().or(row.event_name.as_deref()).unwrap_or("-");
        // With the feature `explain`, a few rejections have a cause.
        let cause = row.cause.as_deref().map(|cause| format!(" ({cause})")).unwrap_or_default();
        let (id, status) = (row.id, &row.status);
        let _ = writeln!(page, "{id} {status} {} {} {reason}{cause}", row.provider, row.url);
    }
    if let Some(before) = found.next(&filter).and_then(|next| next.before) {
        let _ = writeln!(page, "before={before}");
    }
    Ok(page)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path =
        env::args().nth(2).map_or_else(|| env::temp_dir().join("deliveries.db"), PathBuf::from);
    let log = DeliveryLog::builder()
        .mask(Mask::new().fields(MESSAGE_FIELDS).emails())
        .durable()
        .sqlite(path)
        .await?;
    let meta = Meta::new("my-app-secret")?;
    let client_ip = ClientIp::new(|head| {
        let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    });
    // The durable layer writes a row before the handler runs. It goes below the `SignatureLayer`.
    let layers = ServiceBuilder::new()
        .layer(SignatureLayer::new(meta).observer(log.clone()).client_ip(client_ip))
        .layer(log.durable_layer()?);
    let webhooks = Router::new()
        .route("/webhook", post(handler).layer(layers))
        .into_make_service_with_connect_info::<SocketAddr>();
    // Rows contain personal data, so only this machine can read them.
    let queries = Router::new().route("/deliveries", get(deliveries)).with_state(log.clone());

    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let (listener, private) =
        (TcpListener::bind(address).await?, TcpListener::bind("127.0.0.1:3001").await);
    // If the port is taken, use any free one.
    let private = match private {
        Ok(private) => private,
        Err(_) => TcpListener::bind("127.0.0.1:0").await?,
    };
    println!("deliveries on http://{}/deliveries", private.local_addr()?);

    let pruned = log.clone();
    tokio::spawn(async move {
        let mut hours = interval(Duration::from_secs(3600));
        loop {
            hours.tick().await;
            let retention = Retention::new().max_age(30 * DAY).max_bytes(1 << 30);
            if let Err(error) = pruned.prune(retention).await {
                eprintln!("cannot prune the delivery log: {error}");
            }
        }
    });
    let (stop, stopped) = watch::channel(());
    let until = |mut stopped: watch::Receiver<()>| async move { drop(stopped.changed().await) };
    let server = axum::serve(listener, webhooks).with_graceful_shutdown(until(stopped.clone()));
    let address = server.local_addr()?;
    let queries = axum::serve(private, queries).with_graceful_shutdown(until(stopped));
    let stops = async {
        // The signal handler is installed before the address is printed.
        let announce = async { println!("listening on http://{address}") };
        _ = tokio::join!(tokio::signal::ctrl_c(), announce);
        drop(stop);
    };
    let (served, queried, ()) = tokio::join!(server.into_future(), queries.into_future(), stops);
    served.and(queried)?;
    // Writes the rows that are still queued.
    log.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}
