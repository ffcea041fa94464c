//! Sends rejections to Sentry, as events that describe the request and contain no secrets.
//!
//! Run `SENTRY_DSN=https://…@….ingest.sentry.io/… cargo run --example sentry`, and then:
//!
//! ```sh
//! curl -i http://127.0.0.1:3000/webhook -H 'x-hub-signature-256: sha256=00' -d '{}'
//! ```
//!
//! Without `SENTRY_DSN` the server runs and sends no events.

use std::{env, error::Error, net::SocketAddr};

use axum::{Extension, Router, extract::ConnectInfo, routing::post};
use sentry::integrations::tracing::EventFilter;
use tokio::net::TcpListener;
use tower_webhook::{SignatureLayer, Verified, Verifier, observe::ClientIp, providers::Meta};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{Layer, layer::SubscriberExt, registry::LookupSpan};

async fn handler(Extension(verified): Extension<Verified>) -> String {
    format!("verified webhook from {}\n", verified.provider())
}

/// Returns the application for one tenant. `examples/tenants.rs` has a lookup of many.
pub(crate) fn app(meta: Meta, tenant: &str) -> Router {
    let client_ip = ClientIp::new(|head| {
        let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    });
    let layer = SignatureLayer::new(meta.for_tenant(tenant)).client_ip(client_ip);
    Router::new().route("/webhook", post(handler).layer(layer))
}

/// Returns a layer that sends the critical security events to Sentry: `invalid_webhook_signature`
/// and `webhook_config_error`, which have level error.
///
/// For each provider, event and reason, the `SignatureLayer` writes at most 60 events a minute, so
/// strangers cannot use up Sentry's quota. The fields are in the context "Rust Tracing Fields".
pub(crate) fn sentry_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    sentry::integrations::tracing::layer().event_filter(|metadata: &Metadata<'_>| {
        let is_critical =
            metadata.target() == "tower_webhook::security" && *metadata.level() == Level::ERROR;
        if is_critical { EventFilter::Event } else { EventFilter::Ignore }
    })
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let app = app(Meta::new("my-app-secret")?, "anna");
    let address = env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(stop(address)).await?;
    Ok(())
}

/// Creates Sentry's client before the runtime starts its first thread.
///
/// `#[tokio::main]` would start the runtime first. The client sends the remaining events when the
/// guard is dropped.
fn main() -> Result<(), Box<dyn Error>> {
    // Reads `SENTRY_DSN`.
    let _guard = sentry::init(sentry::ClientOptions::new());
    let subscriber =
        tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(sentry_layer());
    tracing::subscriber::set_global_default(subscriber)?;
    tokio::runtime::Runtime::new()?.block_on(serve())
}

/// Prints the address and waits for Ctrl-C.
///
/// The signal handler is installed before the address is printed.
async fn stop(address: SocketAddr) {
    let announce = async { println!("listening on http://{address}") };
    _ = tokio::join!(tokio::signal::ctrl_c(), announce);
}
