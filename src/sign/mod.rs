//! Signing of requests as providers sign them, for tests of your handlers.
//!
//! Guide: [testing](crate::guide::testing).
//!
//! Set the content type of the request yourself: without it, axum's `Json` responds with
//! `415 Unsupported Media Type`.
//!
//! ```
//! use axum::{Json, Router, body::Body, routing::post};
//! use http::{Request, StatusCode, header::CONTENT_TYPE};
//! use serde_json::Value;
//! use std::time::SystemTime;
//! use tower::ServiceExt;
//! use tower_webhook::{SignatureLayer, providers::Stripe, sign::signed};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stripe = Stripe::new("whsec_of_the_test")?;
//! let paid = async |Json(event): Json<Value>| event["id"].to_string();
//! let route = post(paid).layer(SignatureLayer::new(stripe.clone()));
//! let app: Router = Router::new().route("/stripe", route);
//!
//! let request = Request::post("/stripe").header(CONTENT_TYPE, "application/json");
//! let request = signed(&stripe, request.body(r#"{"id":"evt_1"}"#)?, SystemTime::now())?;
//! let response = app.clone().oneshot(request.map(Body::from)).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let unsigned = Request::post("/stripe").body(Body::from(r#"{"id":"evt_1"}"#))?;
//! assert_eq!(app.oneshot(unsigned).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```
//!
//! To send a signed request to a running server, use the example `send`.

pub(crate) mod json;
pub(crate) mod query;
pub(crate) mod scheme;
#[expect(clippy::module_inception, reason = "the trait of the module's name")]
pub(crate) mod sign;
pub(crate) mod write;

pub use self::sign::{Sign, Signing, signed};
#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use crate::crypto::private_key::PrivateKey;
