//! Many tenants, each with a secret of its own, which is looked up for each request: by the path
//! where it names the tenant, by the body where only that does.
//!
//! `cargo run --example tenants`, and then:
//!
//! ```sh
//! body='{"object":"page"}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac secret-of-anna -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/meta/anna -H "x-hub-signature-256: sha256=$tag" -d "$body"
//! body='{"source":"/com/cisco/wxcc/subscription-7","id":"1"}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac secret-of-7 -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/webex -H "x-webexcc-signature: $tag" -d "$body"
//! ```

use std::{collections::HashMap, env, error::Error, io, net::SocketAddr, sync::Arc};

use axum::{Extension, Router, routing::post};
use http::HeaderName;
use tokio::net::TcpListener;
use tower_webhook::{
    Rejection, Secret, SignatureLayer, Verified, Verifier, make_verifier_after_body_fn,
    make_verifier_fn,
    providers::{Meta, WebexContactCenter},
};

/// A map in the place of a database.
#[derive(Clone)]
struct Database(Arc<HashMap<&'static str, Secret>>);

impl Database {
    async fn secret(&self, tenant: &str) -> Result<Secret, Rejection> {
        let row = self.query(tenant).await;
        // A database that is down is no verdict: 503, so that the sender comes again.
        let secret = row.map_err(Rejection::unavailable)?;
        // Answered like a bad signature, so that nobody can find out which tenants exist.
        secret.ok_or(Rejection::unknown_tenant())
    }

    async fn query(&self, tenant: &str) -> io::Result<Option<Secret>> {
        tokio::task::yield_now().await;
        Ok(self.0.get(tenant).cloned())
    }
}

/// Only `Verified` says which tenant it was: path and body can be written by anyone.
async fn handler(Extension(verified): Extension<Verified>) -> String {
    format!("genuine, for {}\n", verified.tenant().unwrap_or("nobody"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let apps = Database(Arc::new(HashMap::from([
        ("anna", Secret::new("secret-of-anna")?),
        ("bert", Secret::new("secret-of-bert")?),
    ])));
    let by_path = make_verifier_fn(move |head| {
        let apps = apps.clone();
        let tenant = head.uri.path().trim_start_matches("/meta/").to_owned();
        async move { Ok(Meta::new(apps.secret(&tenant).await?).for_tenant(tenant)) }
    })
    .profile(Meta::PROFILE);

    let subscriptions =
        Database(Arc::new(HashMap::from([("subscription-7", Secret::new("secret-of-7")?)])));
    let by_body = make_verifier_after_body_fn(move |_head, body| {
        let subscriptions = subscriptions.clone();
        let tenant = WebexContactCenter::subscription_id(body);
        async move {
            let tenant = tenant.ok_or(Rejection::unknown_tenant())?;
            let secret = subscriptions.secret(&tenant).await?;
            Ok(WebexContactCenter::new(secret).for_tenant(tenant))
        }
    })
    // Whoever does not even pretend to sign is refused before the body is read.
    .require_header(HeaderName::from_static("x-webexcc-signature"))
    .profile(WebexContactCenter::PROFILE);

    let app = Router::new()
        .route("/meta/{tenant}", post(handler).layer(SignatureLayer::new(by_path)))
        .route("/webex", post(handler).layer(SignatureLayer::new(by_body)));

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
