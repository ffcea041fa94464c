//! Looks up the secrets of many tenants in a database: by the path, by the body, and for tenants
//! with different providers.
//!
//! Run `cargo run --example tenants --features tenants`, and then:
//!
//! ```sh
//! body='{"object":"page"}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac secret-of-anna -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/meta/anna -H "x-hub-signature-256: sha256=$tag" -d "$body"
//! curl -i http://127.0.0.1:3000/any/carl -H "x-hub-signature-256: sha256=$tag" -d "$body"
//! body='{"source":"/com/cisco/wxcc/subscription-7","id":"1"}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac secret-of-7 -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/webex -H "x-webexcc-signature: $tag" -d "$body"
//! ```
//!
//! The second request is signed with another tenant's secret, so it is rejected. It would get the
//! same response if there were no `carl`.

use std::{collections::HashMap, env, error::Error, io, net::SocketAddr, sync::Arc};

use axum::{Extension, Router, routing::post};
use http::{HeaderName, request::Parts};
use tokio::net::TcpListener;
use tower_webhook::{
    ConfigError, Secret, Secrets, SignatureLayer, Verified,
    layer::Requires,
    providers::{self, BoxVerifier, Meta, WebexContactCenter},
    tenants::{TenantId, Tenants, decoy_secret},
    verifier::VerifierDefaults,
};

/// Map in place of a database.
#[derive(Clone)]
struct Database(Arc<HashMap<&'static str, Row>>);

#[derive(Clone)]
struct Row {
    provider: &'static str,
    current: &'static str,
    /// Previous secret, during a rotation.
    previous: Option<&'static str>,
}

impl Database {
    fn new() -> Self {
        let row = |provider, current| Row { provider, current, previous: None };
        Self(Arc::new(HashMap::from([
            ("anna", Row { previous: Some("old-secret-of-anna"), ..row("meta", "secret-of-anna") }),
            ("bert", row("meta", "secret-of-bert")),
            ("carl", row("github", "secret-of-carl")),
            ("subscription-7", row("webex_contact_center", "secret-of-7")),
        ])))
    }

    /// Returns the row of the tenant, or `None` if there is none.
    ///
    /// On an error, the layer responds with `503 Service Unavailable`, and the sender retries.
    async fn query(&self, tenant: &TenantId) -> io::Result<Option<Row>> {
        tokio::task::yield_now().await;
        Ok(self.0.get(tenant.as_str()).cloned())
    }

    async fn secrets(
        self,
        tenant: TenantId,
    ) -> Result<Option<Secrets>, Box<dyn Error + Send + Sync>> {
        let Some(row) = self.query(&tenant).await? else { return Ok(None) };
        let texts = [Some(row.current), row.previous].into_iter().flatten();
        Ok(Some(texts.map(Secret::new).collect::<Result<_, _>>()?))
    }
}

/// Returns the last segment of the path.
fn last_segment(head: &Parts) -> Option<String> {
    head.uri.path().rsplit('/').next().map(str::to_owned)
}

/// Creates the verifier of the tenant's own provider.
fn any_verifier(row: Row) -> Result<BoxVerifier, Box<dyn Error + Send + Sync>> {
    let secrets: Vec<_> = [Some(row.current), row.previous].into_iter().flatten().collect();
    Ok(providers::by_name(row.provider)?.verifier(secrets)?)
}

/// Handles a verified webhook.
///
/// Only `Verified` names the proven tenant. Anyone can write another into the path or the body.
async fn handler(Extension(verified): Extension<Verified>) -> String {
    format!("verified webhook for {}\n", verified.tenant().unwrap_or("no tenant"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let database = Database::new();

    let store = database.clone();
    let apps = Tenants::new(move |tenant| store.clone().secrets(tenant), Meta::new)?;

    let store = database.clone();
    let subscriptions =
        Tenants::new(move |tenant| store.clone().secrets(tenant), WebexContactCenter::new)?;
    let by_subscription = subscriptions
        .by_body(Requires::nothing(), |_head, body| WebexContactCenter::subscription_id(body));

    // This store returns verifiers, because the tenants have different providers. The decoy belongs
    // to one of these, so `requires` names the signature headers of all.
    let decoy = providers::by_name("github")?.verifier(decoy_secret()?)?;
    let any = Tenants::builder_with_decoy(
        decoy,
        move |tenant: TenantId| {
            let database = database.clone();
            async move { database.query(&tenant).await?.map(any_verifier).transpose() }
        },
        Ok::<_, ConfigError>,
    )
    .build()?;
    let signatures = ["x-hub-signature-256", "x-webexcc-signature"].map(HeaderName::from_static);
    let any = any.by_head(last_segment).requires(Requires::any_header(signatures));
    let any = SignatureLayer::new(any).defaults(VerifierDefaults::DEFAULT);

    let app = Router::new()
        .route(
            "/meta/{tenant}",
            post(handler).layer(SignatureLayer::new(apps.by_head(last_segment))),
        )
        .route("/webex", post(handler).layer(SignatureLayer::new(by_subscription)))
        .route("/any/{tenant}", post(handler).layer(any));

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
