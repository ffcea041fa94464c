//! Tower middleware that verifies webhook signatures.
//!
//! [`SignatureLayer`] reads the request body, verifies the provider's signature over the bytes as received, and
//! answers `403 Forbidden` itself if the signature is missing or invalid. Your handler sees authentic requests only. It
//! works with axum, hyper and tonic unchanged.
//!
//! # Example
//!
//! One line guards an axum route. [`Signed`](crate::axum::Signed) (feature `axum`) hands your handler the proof and the
//! payload:
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
//! [Getting started](crate::guide::getting_started) continues from here: several providers, challenges, and a roll-out
//! that rejects nothing. If a genuine webhook gets 403, read [troubleshooting](crate::guide::troubleshooting).
//!
//! # Main types
//!
//! | type | what it is |
//! |---|---|
//! | [`SignatureLayer`] | the layer, with its limits and observers |
//! | [`Verified`] | the proof, in the request's extensions: provider, tenant, which secret matched |
//! | [`Rejection`], [`RejectionKind`] | why a request was rejected, in the response's extensions |
//! | [`Verifier`] | the trait behind every provider, for your own |
//! | [`Scheme`] | a signature scheme as data, for your own |
//! | [`Secret`], [`Secrets`] | one secret, or several during a rotation |
//! | [`PublicUrl`] | the URL that the provider signed, for servers behind a proxy |
//! | [`BufferedBody`] | the request body that the inner service gets |
//! | [`ConfigError`] | a mistake in the configuration, found at start-up |
//! | [`verify`] | verification without a server: queues, functions, other frameworks |
//!
//! # Modules
//!
//! | module | what it has | feature |
//! |---|---|---|
//! | [`providers`] | a type for each of 150 providers, and [`by_name`](providers::by_name) | some `asymmetric` |
//! | [`scheme`] | declared schemes, public keys, challenges | |
//! | [`verifier`] | functions and combinations as verifiers | |
//! | [`layer`] | lookups for each request, drains, the service's types | |
//! | [`mod@axum`] | extractors | `axum` |
//! | [`observe`] | events for `tracing`, metrics and alerts | `tracing`, `metrics` |
//! | [`replay`] | each delivery once, in memory or Redis | `replay-redis` |
//! | [`tenants`] | a secret for each customer, from your database | `tenants` |
//! | [`delivery_log`] | a row for each delivery, in SQLite or PostgreSQL | `delivery-log` |
//! | [`sign`] | signed requests for your tests | `sign` |
//! | [`guide`] | pages on each task | |
//!
//! # Guide
//!
//! - Start: [getting started](crate::guide::getting_started), [frameworks](crate::guide::frameworks),
//!   [proxies and deployment](crate::guide::proxies), [testing](crate::guide::testing)
//! - Operate: [rotation](crate::guide::rotation), [rejections](crate::guide::rejections),
//!   [observability](crate::guide::observability), [delivery log](crate::guide::delivery_log),
//!   [troubleshooting](crate::guide::troubleshooting)
//! - Extend: [own verifiers](crate::guide::custom_verifiers), [tenants](crate::guide::tenants),
//!   [replay protection](crate::guide::replay)
//! - Look up: [providers](crate::guide::providers), [how they deliver](crate::guide::deliveries),
//!   [guarantees and limits](crate::guide::guarantees)
//!
//! # Cargo features
//!
//! | feature | what it adds |
//! |---|---|
//! | `tokio` (default) | time limits on reading a body, with a Tokio runtime |
//! | `tracing` (default) | events to `tracing`, with the target `tower_webhook::security` for rejections |
//! | `asymmetric` | Ed25519, ECDSA P-256 and RSA signatures, and [`PublicKey`]. `aws-lc-rs` needs a C compiler |
//! | `axum` | the extractors [`Signed`](crate::axum::Signed) and [`Verified`], and whole paths in events under `nest` |
//! | `delivery-log` | the [delivery log](delivery_log) in a store of your own or in memory |
//! | `delivery-log-sqlite` | the same in SQLite, which is bundled and needs a C compiler |
//! | `delivery-log-postgres` | the same in PostgreSQL, by `sqlx`, with TLS by `rustls` |
//! | `metrics` | [`MetricsObserver`](observe::MetricsObserver), for the `metrics` facade |
//! | `multipart` | Mailgun messages with attachments, by `multer` |
//! | `replay-redis` | [`RedisStore`](replay::RedisStore), for several processes |
//! | `sign` | signs requests as the providers do, for tests |
//! | `tenants` | [lookups of tenants' secrets](tenants) with a cache |
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
