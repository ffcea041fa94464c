//! Shows three custom verifiers, each on its own route: a declared scheme, a function and the
//! `Verifier` trait.
//!
//! Run `cargo run --example custom_verifier`, and then:
//!
//! ```sh
//! body='{"order":1}'
//! tag=$(printf %s "$body" | openssl dgst -sha256 -hmac my-secret -r | cut -d' ' -f1)
//! curl -i http://127.0.0.1:3000/declared -H "x-acme-signature: $tag" -d "$body"
//! curl -i http://127.0.0.1:3000/function -H 'x-token: my-secret' -d "$body"
//! sha256() { openssl dgst -sha256 -binary "$@"; }
//! tag=$(printf %s "$body" | sha256 | sha256 -hmac my-secret | base64)
//! curl -i http://127.0.0.1:3000/trait -H "x-digest-signature: $tag" -d "$body"
//! ```

use std::{env, error::Error, mem, net::SocketAddr};

use axum::{Extension, Router, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tower_webhook::{
    Context, Outcome, Rejection, Scheme, Secret, SignatureLayer, Verified, Verifier,
    verifier::verifier_fn,
};

/// Declared scheme: hex HMAC-SHA256 of the body, in one header.
const ACME: Scheme = Scheme::hmac_sha256("x-acme-signature").provider("acme");

/// Verifies a fixed token in the head.
///
/// `verifier_fn` also passes the whole body, for functions that need it.
fn token(secret: &Secret, head: &Parts) -> Result<Verified, Rejection> {
    let received = head.headers.get("x-token").ok_or(Rejection::missing("x-token"))?;
    let is_genuine = secret.matches(received.as_bytes());
    is_genuine.then(|| Verified::new("token")).ok_or(Rejection::mismatch())
}

/// Verifier of a base64 HMAC-SHA256 of the body's digest.
///
/// The body is hashed while it arrives.
#[derive(Clone)]
struct OfDigest(Hmac<Sha256>);

impl Verifier for OfDigest {
    type State = (Vec<u8>, Sha256);

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        // A missing or malformed header is rejected before the body is read.
        const HEADER: &str = "x-digest-signature";
        let received = request.head().headers.get(HEADER).ok_or(Rejection::missing(HEADER))?;
        let tag = STANDARD.decode(received).map_err(|_| Rejection::malformed(HEADER))?;
        Ok((tag, Sha256::new()))
    }

    fn update(&self, (_, hash): &mut Self::State, chunk: &[u8]) {
        Digest::update(hash, chunk);
    }

    fn finish(
        &self,
        (tag, hash): &mut Self::State,
        _: &Context<'_>,
        _: &Bytes,
    ) -> Result<Outcome, Rejection> {
        // Constant time: the duration of `==` would reveal how much of a guess is right.
        let mac = self.0.clone().chain_update(mem::take(hash).finalize());
        mac.verify_slice(tag).map_err(|_| Rejection::mismatch())?;
        Ok(Verified::new("of-digest").with_replay_material(tag).into())
    }
}

async fn handler(Extension(verified): Extension<Verified>, body: String) -> String {
    format!("verified by {}: {body}\n", verified.provider())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = Secret::new("my-secret")?;
    let declared = SignatureLayer::new(ACME.verifier(secret.clone())?);
    let of_digest = SignatureLayer::new(OfDigest(Hmac::new_from_slice(secret.expose())?));
    let function = SignatureLayer::new(verifier_fn(move |head, _body| token(&secret, head)));
    let app = Router::new()
        .route("/declared", post(handler).layer(declared))
        .route("/function", post(handler).layer(function))
        .route("/trait", post(handler).layer(of_digest));

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
