//! Each delivery handled once: a replay guard below the [`SignatureLayer`](crate::SignatureLayer).
//!
//! Providers send a delivery again when they did not see its answer, and whoever captured a genuine
//! request can send it again as it is. [`ReplayLayer`] remembers what was handled and keeps
//! repetitions from the handler.
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
//! // The first is the outermost: verify first, then guard.
//! let layers = ServiceBuilder::new().layer(SignatureLayer::new(provider)).layer(guard);
//! let app: Router = Router::new().route("/webhook", post(async || "handled").layer(layers));
//! # let _ = app;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! # How it works
//!
//! A delivery is **claimed** before the handler is called, **committed** when it answered with a
//! 2xx, and **released** on any other answer, on an error, on a panic, and when the request is
//! dropped.
//!
//! | what comes | what happens | answer |
//! |---|---|---|
//! | a delivery that is new, or whose handler did not succeed | it is dispatched | the handler's |
//! | one whose handler succeeded | nothing | 200, or [as set](ReplayLayer::duplicate_status) |
//! | one that is being handled | nothing | 503 with `Retry-After`: the handler may yet fail |
//! | any, while the store is down | nothing, unless it [fails open](ReplayLayer::dangerously_fail_open) | 503 with `Retry-After` |
//!
//! # What is a repetition
//!
//! A delivery is known by what was proven of it, [`Verified::replay_key`](crate::Verified::replay_key),
//! and by the guard's scope: never by a header's text, nor by an id that is not signed. Where two
//! genuine deliveries can be [signed alike](crate::Verified::has_unique_replay_key), the guard lets all of them
//! pass unless the provider is [turned on by name](ReplayLayer::guard_body_only). It reports
//! [`Unguardable`](crate::observe::EventKind::Unguardable) once.
//!
//! A provider that signs each retry anew, with a new time and without an id (Stripe does), makes a
//! new delivery of it. [`ReplayLayer::by_event_id`] knows such a delivery by the id that the provider documents in its
//! body, and [`ReplayLayer::event_id`] by one that you name.
//!
//! What is not signed tells nothing apart: a captured request that is sent first with another query
//! or another unsigned header is the delivery, and the genuine one is its repetition. So let no
//! handler act on unsigned parts, and give each route a guard with a scope of its own. With
//! Mailgun, whose signature does not cover the body, that holds for the body too.
//!
//! The tag under the **oldest** secret is what an HMAC delivery without a signed id is known by: the
//! last of the list. When that secret is taken away, or processes that share a store
//! have different ones for a moment, what was handled before can be handled once more within the
//! verifier's tolerance. So it is with [`any_of`](crate::verifier::any_of) two schemes, when somebody leaves one
//! of two signatures out.
//!
//! The answer's head decides on success. A gRPC error that comes in the trailers of a streaming
//! answer is not seen: the guard is for unary calls. Tenants who share a store share its room.
//!
//! # What is promised, and what is not
//!
//! - At most one handler at a time works on a delivery, as long as it ends within the
//!   [lease](ReplayLayer::lease). Give it a shorter time limit, with tower's `TimeoutLayer` below
//!   the guard.
//! - A delivery that its sender repeats until it sees a 2xx has been handled with success at least
//!   once.
//! - Once a success is in the store, the delivery is not dispatched again until it is
//!   [forgotten](ReplayLayer::retention). Where the verifier judges a signed time, it refuses the
//!   delivery by then, also by a clock that is set back by up to one hour.
//! - It is **no transaction with the handler's own database**. A process that dies after the handler
//!   wrote and before the commit has handled a delivery that nobody knows of, and so has one whose
//!   store was lost. Where that matters, write the event's id under a unique key in the same
//!   transaction as its effect, and answer 200 when it is there already:
//!
//! ```sql
//! begin;
//! insert into handled (event_id) values ($1) on conflict do nothing;
//! -- No row inserted: it was handled before. Roll back, and answer 200.
//! update accounts set balance = balance + $2 where id = $3;
//! commit;
//! ```
//!
//! - A [`MemoryReplayStore`] knows only its own process, and forgets with it.

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
