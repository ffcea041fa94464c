//! Tower middleware that verifies webhook signatures.
//!
//! [`SignatureLayer`] reads the request body, verifies the provider's signature over the bytes as
//! received, and responds with `403 Forbidden` if the signature is missing or invalid. Your handler
//! sees only authentic requests. The layer works with axum, hyper and tonic unchanged.
//!
//! ```sh
//! cargo add tower-webhook --features axum
//! ```
//!
//! # Example
//!
//! Add the layer to a route. [`Signed`](crate::axum::Signed) (feature `axum`) extracts the proof of
//! verification and the parsed body:
//!
//! ```no_run
//! # #[cfg(feature = "axum")] {
//! use axum::{Json, Router, routing::post};
//! use serde_json::Value;
//! use tower_webhook::{Secret, SignatureLayer, axum::Signed, providers::Stripe};
//!
//! async fn paid(Signed(verified, Json(event)): Signed<Json<Value>>) {
//!     println!("{} sent {}", verified.provider(), event["type"]);
//! }
//!
//! let stripe = Stripe::new(Secret::from_env("STRIPE_WEBHOOK_SECRET")?)?;
//! let app: Router = Router::new()
//!     .route("/stripe", post(paid).layer(SignatureLayer::new(stripe)));
//! # }
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! An authentic request reaches the handler with a [`Verified`] in its extensions. A request that
//! fails authentication gets an empty 403 by default, with a [`Rejection`] in the response's extensions. The reason is in the log
//! (target `tower_webhook::security`), and never in the response.
//!
//! [Getting started](crate::guide::getting_started) continues from here. If an authentic webhook is
//! rejected, read [troubleshooting](crate::guide::troubleshooting).
//!
//! # Why not compare an HMAC by hand
//!
//! - **Raw bytes.** The signature covers the body as sent. Frameworks decode it first.
//! - **Limits.** Anyone can send you a body. By default the layer accepts the provider's maximum or
//!   16 MiB, waits 10 seconds, and holds 256 MiB for all unverified requests together.
//! - **Timing.** Comparisons take constant time.
//! - **Replays.** For most providers a captured request never expires. The opt-in
//!   [`ReplayLayer`](crate::replay::ReplayLayer) suppresses repeated deliveries.
//! - **Operations.** The crate also handles challenges, rotation and tenants, and logs why a
//!   signature did not match.
//!
//! # Main types
//!
//! | type | description |
//! |---|---|
//! | [`SignatureLayer`] | the layer, with its limits and observers |
//! | [`Verified`] | the proof in the request's extensions: provider, tenant, matching secret |
//! | [`Rejection`], [`RejectionKind`] | the reason for a rejection, in the response's extensions |
//! | [`Verifier`] | the trait behind every provider, for custom verifiers |
//! | [`Scheme`] | a signature scheme as data, for custom schemes |
//! | [`Secret`], [`Secrets`] | one secret, or several during a rotation |
//! | [`PublicUrl`] | the URL that the provider signed, for servers behind a proxy |
//! | [`BufferedBody`] | the request body that the inner service gets |
//! | [`ConfigError`] | a mistake in the configuration, found at startup |
//! | [`verify`] | verification without a server: queues, functions, other frameworks |
//!
//! # Where to find things
//!
//! | module | content |
//! |---|---|
//! | [`providers`] | a type for each of 200 providers, and [`by_name`](providers::by_name) |
//! | [`scheme`] | declared schemes, public keys, challenges |
//! | [`verifier`] | functions and combinations as verifiers |
//! | [`layer`] | lookups for each request, draining, the types of the service |
//! | [`mod@axum`] | extractors |
//! | [`explain`] | the cause of a rejection |
//! | [`observe`] | events, metrics and alerts |
//! | [`replay`] | suppression of repeated deliveries, in memory or Redis |
//! | [`tenants`] | per-tenant secrets from your database |
//! | [`delivery_log`] | a row for each delivery, in SQLite, PostgreSQL or a custom store |
//! | [`sign`] | signed requests for your tests |
//! | [`guide`] | a page for each task |
//!
//! # Guide
//!
//! - Start: [getting started](crate::guide::getting_started),
//!   [frameworks](crate::guide::frameworks), [proxies and deployment](crate::guide::proxies),
//!   [testing](crate::guide::testing)
//! - Operate: [rotation](crate::guide::rotation), [rejections](crate::guide::rejections),
//!   [observability](crate::guide::observability), [delivery log](crate::guide::delivery_log),
//!   [troubleshooting](crate::guide::troubleshooting)
//! - Extend: [custom verifiers](crate::guide::custom_verifiers), [tenants](crate::guide::tenants),
//!   [replay protection](crate::guide::replay)
//! - Look up: [providers](crate::guide::providers), [deliveries](crate::guide::deliveries),
//!   [guarantees and limits](crate::guide::guarantees)
//!
//! # Cargo features
//!
//! | feature | adds |
//! |---|---|
//! | `tokio` (default) | timeouts for reading request bodies; requires a Tokio runtime |
//! | `tracing` (default) | events to `tracing` |
//! | `asymmetric` | Ed25519, ECDSA P-256 and RSA signatures, and [`PublicKey`]. `aws-lc-rs` needs a C compiler |
//! | `axum` | the extractors [`Signed`](crate::axum::Signed) and [`Verified`], and whole paths in events under `nest` |
//! | `certificates` | providers with certificates, such as [`PayPal`](providers::PayPal) and [`AmazonSns`](providers::AmazonSns), by `rustls-webpki` |
//! | `delivery-log` | the [delivery log](delivery_log) in a custom store or in memory |
//! | `delivery-log-sqlite` | the same in SQLite, which is bundled and needs a C compiler |
//! | `delivery-log-postgres` | the same in PostgreSQL, via `sqlx`, with TLS via `rustls` |
//! | `explain` | the [cause of a rejection](explain), in the log of each layer, and in saved requests |
//! | `fetched-keys` | [providers whose public keys are fetched](fetched_keys), such as [`Plaid`](providers::Plaid), with a cache in front of your HTTP client |
//! | `http-client` | [a ready HTTPS client](fetched_keys) for fetched keys, by `reqwest` |
//! | `jwt` | senders that sign with a JSON Web Token under a secret, such as LiveKit and Vonage, by `jsonwebtoken` |
//! | `md5` | the MD5 methods of [`VonageSms`](providers::VonageSms), for accounts that sign with nothing else |
//! | `metrics` | [`MetricsObserver`](observe::MetricsObserver), for the `metrics` facade |
//! | `multipart` | Mailgun messages with attachments and Dropbox Sign callbacks, by `multer` |
//! | `replay-redis` | [`RedisStore`](replay::RedisStore), for several processes |
//! | `sign` | signs requests as the providers do, for tests |
//! | `tenants` | [lookups of tenants' secrets](tenants) with a cache |
//! | `xml` | senders of XML: `WeChat` and `WeCom`, by `quick-xml` |
//!
#![forbid(unsafe_code)]
#![warn(clippy::too_many_lines)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod crypto;
#[cfg(feature = "delivery-log")]
#[cfg_attr(docsrs, doc(cfg(feature = "delivery-log")))]
pub mod delivery_log;
mod error;
#[cfg(feature = "explain")]
#[cfg_attr(docsrs, doc(cfg(feature = "explain")))]
pub mod explain;
#[cfg(feature = "fetched-keys")]
#[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
pub mod fetched_keys;
#[cfg(any(doc, doctest))]
pub mod guide;
pub mod layer;
pub mod observe;
mod outcome;
mod panic;
mod parse;
pub mod providers;
pub mod replay;
pub mod scheme;
#[cfg(feature = "sign")]
#[cfg_attr(docsrs, doc(cfg(feature = "sign")))]
pub mod sign;
#[cfg(feature = "tenants")]
#[cfg_attr(docsrs, doc(cfg(feature = "tenants")))]
pub mod tenants;
pub mod verifier;

#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use self::crypto::public_key::PublicKey;
#[doc(inline)]
pub use self::{
    crypto::{
        secret::Secret,
        secrets::{IntoSecrets, Secrets},
    },
    error::ConfigError,
    layer::{body::BufferedBody, layer::SignatureLayer, service::SignatureService},
    outcome::{
        kind::RejectionKind,
        rejection::Rejection,
        verified::{Unverified, Verified},
    },
    scheme::{declaration::Scheme, public_url::PublicUrl},
    verifier::{context::Context, outcome::Outcome, verifier::Verifier, verify::verify},
};

/// The README's programs, as doc tests.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
mod readme {}
