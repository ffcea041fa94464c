//! What happened to each request: security events, metrics, alerts, a log of every delivery.
//!
//! With the feature `tracing`, which is on by default, each layer writes its events to `tracing`, [as
//! below](#what-is-written-to-tracing).
//!
//! An [`Observer`] of your own is told of every request, of accepted ones too. Give it to
//! [`SignatureLayer::observer`](crate::SignatureLayer::observer). A layer without one, whose events no `tracing`
//! subscriber takes, pays nothing.
//!
//! ```
//! use tower_webhook::{
//!     SignatureLayer,
//!     observe::{ClientIp, Event},
//!     providers::Meta,
//! };
//!
//! let meta = Meta::new("app secret")?;
//! let layer = SignatureLayer::new(meta).observer(|event: &Event<'_>| {
//!     if let Some(reason) = event.reason() {
//!         eprintln!("{} {reason} {}", event.name(), event.url());
//!     }
//! });
//! # let _ = layer;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! # The events of one request
//!
//! Each request ends in exactly one of [`Rejected`](EventKind::Rejected),
//! [`Challenge`](EventKind::Challenge), [`Completed`](EventKind::Completed),
//! [`Cancelled`](EventKind::Cancelled) and [`Panicked`](EventKind::Panicked). Before a request goes
//! to the inner service there is one of [`Accepted`](EventKind::Accepted) and, in report-only mode,
//! [`Unverified`](EventKind::Unverified).
//!
//! # What is written to `tracing`
//!
//! | event | level | target |
//! |---|---|---|
//! | `invalid_webhook_signature`, `webhook_config_error` | error | `tower_webhook::security` |
//! | `webhook_verification_failed`, `webhook_body_refused`, `webhook_overload`, `rate_limit_exceeded`, `webhook_events_suppressed`, `webhook_unguarded`, `webhook_guard_restored`, `webhook_unguardable`, `webhook_event_id_not_signed`, `webhook_replay_evicted`, `webhook_secret_never_worked` | warn | `tower_webhook::security` |
//! | `webhook_panicked` | error | `tower_webhook::delivery` |
//! | `webhook_completed` where the handler answered with 4xx or 5xx, or with an error; `webhook_replay_store_failed`, `webhook_unsettled`, `webhook_lease_lost`, `webhook_replay_unbounded` | warn | `tower_webhook::delivery` |
//! | `webhook_unsigned_probe`, `webhook_duplicate`, `webhook_in_flight`, `webhook_accepted`, `webhook_first_contact`, `webhook_handshake`, `webhook_completed`, `webhook_cancelled` | debug | `tower_webhook::delivery` |
//!
//! | field | what it is |
//! |---|---|
//! | `event_type` | [`Event::name`] |
//! | `provider` | the provider whose verifier decided |
//! | `tenant_id` | the tenant that was looked up, also where [there is none](Event::claimed_tenant) |
//! | `method`, `url`, `user_agent`, `request_id` | the request's. With the feature `axum` the URL is the whole one, also under `nest` |
//! | `ip_address` | the sender's, where the layer has a [`client_ip`](crate::SignatureLayer::client_ip) |
//! | `timestamp` | when the request was received, in milliseconds since 1970 |
//! | `reason` | [`RejectionKind::as_str`](crate::RejectionKind::as_str) |
//! | `field` | the header or field at fault |
//! | `signed_url` | of a mismatch, the [URL](crate::Rejection::signed_url) that the signature must cover |
//! | `secrets_tried` | of a mismatch, how many secrets did not make the signature |
//! | `age_ms` | of a time that is off, how many milliseconds ago the request was signed; negative where it is ahead |
//! | `hint` | of a mismatch, and of a time that is off: what to compare |
//! | `detail` | the cause of a configuration error |
//! | `status` | of the answer |
//! | `delivery_id`, `key_index` | of what was [verified](crate::Verified) |
//! | `body_len`, `elapsed_ms` | bytes, and milliseconds since the request was received |
//! | `count` | how many requests the event stands for |
//! | `unverified` | true for what [only reports](crate::SignatureLayer::dangerously_report_only) |
//! | `unguarded` | true for a request that passed although the replay store failed |
//!
//! Fields without a value are left out. Text from the request is escaped and cut after 256 bytes; see [`Event`].
//!
//! A layer writes at most 60 refusals a minute for each provider and reason, so that strangers cannot fill the log.
//! When the minute is over, the next request is preceded by one `webhook_events_suppressed` with the `count` of
//! the others, at debug where the others would have been. Requests that reach the handler are always written.
//!
//! `webhook_secret_never_worked` is written once an hour while nothing has verified since the layer was made, and at
//! least five signatures of the right form did not match. It has a `count` of them. [`Alerts`] tells it for each tenant.
//!
//! Nothing is looked at unless the subscriber takes `error` of one of the two targets.
//! `SignatureLayer::without_tracing` turns it off for a layer.

pub(crate) mod alerts;
pub(crate) mod attempt;
pub(crate) mod event;
pub(crate) mod kind;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
pub(crate) mod observer;
pub(crate) mod observers;
pub(crate) mod recorder;
pub(crate) mod settings;
pub(crate) mod throttled;
#[cfg(feature = "tracing")]
pub(crate) mod tracing;
pub(crate) mod unproven;
pub(crate) mod window;

#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use self::metrics::MetricsObserver;
pub use self::{
    alerts::{Alert, Alerts, RefusalSource},
    attempt::Attempt,
    event::Event,
    kind::EventKind,
    observer::Observer,
    throttled::Throttled,
};
pub use crate::{
    outcome::redact::names::is_sensitive, parse::client_ip::ClientIp,
    verifier::sensitive::SensitiveParts,
};
