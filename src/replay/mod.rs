//! Replay protection: a layer that keeps repeated deliveries from the handler.
//!
//! Guide: [replay protection](crate::guide::replay).
//!
//! Providers repeat a delivery if they do not see its response, and an attacker who captured an
//! authentic request can send it again unchanged. [`ReplayLayer`], the replay guard, records
//! handled deliveries and responds to their repetitions itself. Put it below the
//! [`SignatureLayer`](crate::SignatureLayer).
//!
//! ```
//! use axum::{Router, routing::post};
//! use tower::ServiceBuilder;
//! use tower_webhook::{
//!     SignatureLayer,
//!     providers::StandardWebhooks,
//!     replay::{MemoryReplayStore, ReplayLayer},
//! };
//!
//! let provider = StandardWebhooks::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! let guard = ReplayLayer::new("/webhook", MemoryReplayStore::new(100_000));
//! // The first layer is the outermost: verify first, then guard.
//! let layers = ServiceBuilder::new().layer(SignatureLayer::new(provider)).layer(guard);
//! let app: Router = Router::new().route("/webhook", post(async || "handled").layer(layers));
//! # let _ = app;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! # How it works
//!
//! The guard **claims** a delivery before it calls the handler. It **commits** the claim if the
//! handler responds with a 2xx status, and **releases** it on any other response, on an error, on a
//! panic, and if the request is dropped.
//!
//! | delivery | handler | response |
//! |---|---|---|
//! | new, or repeated after a failure | runs | the handler's |
//! | handled successfully before | does not run | `200 OK`, or [as configured](ReplayLayer::duplicate_status) |
//! | being handled | does not run | `503 Service Unavailable` with `Retry-After`, because the handler may yet fail |
//! | any, while the store is down | does not run, unless the guard [fails open](ReplayLayer::dangerously_fail_open) | 503 with `Retry-After` |
//!
//! # Identity of a delivery
//!
//! The guard identifies a delivery by its authenticated
//! [`Verified::replay_key`](crate::Verified::replay_key) and by the guard's scope, never by header
//! text or an unsigned ID. If two authentic deliveries can have [the same signed
//! content](crate::Verified::has_unique_replay_key), the guard dispatches all of them unless you
//! [opt in by the provider's name](ReplayLayer::guard_body_only), and reports
//! [`Unguardable`](crate::observe::EventKind::Unguardable) once.
//!
//! If a provider re-signs each retry, with a new time and without an ID, as Stripe does, the retry
//! is a new delivery. [`ReplayLayer::by_event_id`] identifies the delivery by the ID in its body
//! that the provider documents, and [`ReplayLayer::event_id`] by an ID that you choose.
//!
//! Unsigned parts of a request do not distinguish deliveries. If an attacker sends a captured
//! request first, with another query or another unsigned header, the guard dispatches it, and the
//! authentic request is the repetition. Your handlers must therefore not act on unsigned parts, and
//! each route needs a guard with its own scope. For Mailgun, whose signature does not cover the
//! body, this includes the body.
//!
//! The guard identifies an HMAC delivery without a signed ID by its tag under the **oldest**
//! secret, the last one in the list. If you remove that secret, or if processes that share a store
//! have different secrets for a moment, a delivery that was handled before can be handled once more
//! within the verifier's tolerance. The same applies to [`any_of`](crate::verifier::any_of) two
//! schemes, if one of two signatures is left out of the repetition.
//!
//! The head of the response decides whether the handler succeeded. The guard does not see a gRPC
//! error in the trailers of a streaming response: use it for unary calls. Tenants that share a
//! store share its capacity.
//!
//! # Guarantees and limits
//!
//! - At most one handler at a time processes a delivery, as long as it finishes within the
//!   [lease](ReplayLayer::lease). Give the handler a shorter time limit, with tower's
//!   `TimeoutLayer` below the guard.
//! - A delivery that its sender repeats until it sees a 2xx response has been handled successfully
//!   at least once.
//! - Once a success is in the store, the delivery is not dispatched again until it
//!   [expires](ReplayLayer::retention). If the verifier checks a signed timestamp, it rejects the
//!   delivery by then, even if the clock is set back by up to one hour.
//! - The guard is **not a transaction with the handler's database**. Nothing records that the
//!   delivery was handled if, after the handler has written, the process dies before the commit, the
//!   handler is dropped before its response (by a time limit, or because the sender has gone), the
//!   store cannot be reached until the lease has expired, or the store loses its last writes. If
//!   this matters, insert the event's ID under a unique key in the same transaction as its effect,
//!   and respond with 200 if the ID exists already:
//!
//! ```sql
//! begin;
//! insert into handled (event_id) values ($1) on conflict do nothing;
//! -- No row inserted: the event was handled before. Roll back, and respond with 200.
//! update accounts set balance = balance + $2 where id = $3;
//! commit;
//! ```
//!
//! - A [`MemoryReplayStore`] is per-process and does not survive a restart.

pub(crate) mod config;
pub(crate) mod future;
pub(crate) mod guard;
pub(crate) mod layer;
pub(crate) mod memory;
pub(crate) mod outage;
pub(crate) mod recorder;
#[cfg(feature = "replay-redis")]
pub(crate) mod redis;
pub(crate) mod service;
pub(crate) mod store;

#[cfg(feature = "replay-redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "replay-redis")))]
pub use self::redis::{ask::RedisFuture, store::RedisStore};
pub use self::{
    future::ReplayFuture,
    layer::ReplayLayer,
    memory::MemoryReplayStore,
    service::ReplayService,
    store::{Claim, ClaimToken, ReplayStore, Settled, StoreError},
};
pub use crate::{
    outcome::{replay_answer::ReplayAnswer, replay_key::ReplayKey},
    parse::json::json_field,
};
