//! Events about each request: `tracing` events, metrics, alerts and custom observers.
//!
//! Guide: [observability](crate::guide::observability).
//!
//! With the feature `tracing`, which is enabled by default, each layer [writes its events to
//! `tracing`](#what-is-written-to-tracing).
//!
//! A custom [`Observer`] receives an event for every request, including accepted ones. Add it with
//! [`SignatureLayer::observer`](crate::SignatureLayer::observer). A layer without an observer and
//! without a `tracing` subscriber for its events has no overhead.
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
//! [`Challenge`](EventKind::Challenge), [`FirstContact`](EventKind::FirstContact),
//! [`Completed`](EventKind::Completed), [`Cancelled`](EventKind::Cancelled) and
//! [`Panicked`](EventKind::Panicked). Before the inner service is called, the layer reports
//! [`Accepted`](EventKind::Accepted) or, for an unverified request in report-only mode,
//! [`Unverified`](EventKind::Unverified).
//!
//! # Event names
//!
//! [`Event::name`] is the name of the event, and [`Event::kind`] its kind:
//!
//! | event | kind | emitted when |
//! |---|---|---|
//! | `webhook_accepted` | [`Accepted`](EventKind::Accepted) | a request was verified, before the inner service is called |
//! | `webhook_cancelled` | [`Cancelled`](EventKind::Cancelled) | a request was dropped before its end |
//! | `webhook_handshake` | [`Challenge`](EventKind::Challenge) | the layer responded to a challenge |
//! | `webhook_completed` | [`Completed`](EventKind::Completed) | the inner service has responded, or returned an error |
//! | `webhook_first_contact` | [`FirstContact`](EventKind::FirstContact) | the layer responded to an unsigned first contact |
//! | `webhook_panicked` | [`Panicked`](EventKind::Panicked) | the inner service panicked |
//! | `rate_limit_exceeded` | [`RateLimited`](EventKind::RateLimited) | a custom layer rejected a request; the layers of this crate never emit it |
//! | `invalid_webhook_signature` | [`Rejected`](EventKind::Rejected) or [`Unverified`](EventKind::Unverified) | a delivery failed authentication: its signature, timestamp, tenant or URL, or a header that the scheme needs |
//! | `webhook_unsigned_probe` | [`Rejected`](EventKind::Rejected) or [`Unverified`](EventKind::Unverified) | a GET or HEAD has no signature: a browser or a health check |
//! | `webhook_verification_failed` | [`Rejected`](EventKind::Rejected) or [`Unverified`](EventKind::Unverified) | a challenge, with which a provider checks your URL, failed, is malformed or was not expected |
//! | `webhook_config_error` | [`Rejected`](EventKind::Rejected) or [`Unverified`](EventKind::Unverified) | verification was not possible: the store of secrets is down, the clock is wrong, or the verifier panicked |
//! | `webhook_body_refused` | [`Rejected`](EventKind::Rejected) | the body is too long, too slow or unreadable |
//! | `webhook_overload` | [`Rejected`](EventKind::Rejected) | the byte budget is full |
//! | `webhook_explained` | [`Explained`](EventKind::Explained) | the cause of a rejection was searched, with the feature `explain` |
//! | `webhook_duplicate` | [`Replay`](EventKind::Replay) | a delivery that was handled before is repeated |
//! | `webhook_in_flight` | [`Replay`](EventKind::Replay) | a delivery that is being handled is repeated |
//! | `webhook_replay_store_failed` | [`Replay`](EventKind::Replay) | the replay store failed, and the guard responded with 503 |
//! | `webhook_config_error` | [`Replay`](EventKind::Replay) | the replay guard is misconfigured |
//! | `webhook_event_id_not_signed` | [`EventIdNotSigned`](EventKind::EventIdNotSigned) | the replay guard cannot use the event ID, because the signature does not cover the body; once for each guard |
//! | `webhook_replay_evicted` | [`Evicted`](EventKind::Evicted) | the replay store evicted handled deliveries before they expired |
//! | `webhook_guard_restored` | [`GuardRestored`](EventKind::GuardRestored) | the replay store responds again after an outage |
//! | `webhook_lease_lost` | [`LeaseLost`](EventKind::LeaseLost) | the handler ran longer than the lease |
//! | `webhook_replay_unbounded` | [`RetentionUnbounded`](EventKind::RetentionUnbounded) | the replay guard keeps deliveries until the store is full; once for each guard |
//! | `webhook_unguardable` | [`Unguardable`](EventKind::Unguardable) | the replay guard dispatches deliveries that it cannot distinguish; once for each guard |
//! | `webhook_unguarded` | [`Unguarded`](EventKind::Unguarded) | the replay guard dispatched a request although its store failed; at the start of an outage, then once a minute |
//! | `webhook_unsettled` | [`Unsettled`](EventKind::Unsettled) | the handler has responded, but the replay store could not record it |
//! | `webhook_events_suppressed` | [`Suppressed`](EventKind::Suppressed) | [`Throttled`] has suppressed events since its last report |
//!
//! `invalid_webhook_signature` is about a delivery, and `webhook_verification_failed` about a
//! challenge. The first one points to a wrong secret or URL, or to an attack. The second one points
//! to a wrong verify token, or to a malformed or unexpected challenge.
//!
//! `webhook_secret_never_worked` has no kind: only `tracing` gets it.
//!
//! # What is written to `tracing`
//!
//! | event | level | target |
//! |---|---|---|
//! | `invalid_webhook_signature`, `webhook_config_error` | error | `tower_webhook::security` |
//! | `webhook_verification_failed`, `webhook_body_refused`, `webhook_overload`, `rate_limit_exceeded`, `webhook_events_suppressed`, `webhook_unguarded`, `webhook_guard_restored`, `webhook_unguardable`, `webhook_event_id_not_signed`, `webhook_replay_evicted`, `webhook_secret_never_worked`, `webhook_explained` if a cause was found | warn | `tower_webhook::security` |
//! | `webhook_panicked` | error | `tower_webhook::delivery` |
//! | `webhook_completed` if the handler responded with 4xx or 5xx, or returned an error; `webhook_replay_store_failed`, `webhook_unsettled`, `webhook_lease_lost`, `webhook_replay_unbounded` | warn | `tower_webhook::delivery` |
//! | `webhook_unsigned_probe`, `webhook_duplicate`, `webhook_in_flight`, `webhook_accepted`, `webhook_first_contact`, `webhook_handshake`, `webhook_completed`, `webhook_cancelled` | debug | `tower_webhook::delivery` |
//!
//! | field | value |
//! |---|---|
//! | `event_type` | [`Event::name`] |
//! | `provider` | the provider of the verifier that decided |
//! | `tenant_id` | the tenant of the request, or the [claimed tenant](Event::claimed_tenant) if the lookup found none |
//! | `method`, `url`, `user_agent`, `request_id` | as in the request. With the feature `axum`, `url` is the original URL, also under `nest` |
//! | `ip_address` | the address of the client, if the layer has a [`client_ip`](crate::SignatureLayer::client_ip) |
//! | `timestamp` | the time at which the request was received, in milliseconds since 1970 |
//! | `reason` | [`RejectionKind::as_str`](crate::RejectionKind::as_str) |
//! | `field` | the header or field at fault |
//! | `signed_url` | for a signature mismatch, the [URL](crate::Rejection::signed_url) that the signature must cover |
//! | `secrets_tried` | for a signature mismatch, the number of secrets that were tried without a match |
//! | `age_ms` | for a timestamp outside the tolerance, the age of the signature in milliseconds; negative if the timestamp is in the future |
//! | `hint` | for a signature mismatch or a timestamp outside the tolerance, a hint about what to compare |
//! | `detail` | the cause of a configuration error |
//! | `cause`, `strength`, `finding` | for `webhook_explained`, the first [cause](crate::explain::Cause), how [certain](crate::explain::Strength) it is, and a sentence about it |
//! | `fix`, `guide`, `also` | for `webhook_explained`, the change that removes the cause, its section in the [guide](crate::guide), and the other causes that were found |
//! | `status` | the status of the response |
//! | `delivery_id`, `key_index` | as in [`Verified`](crate::Verified) |
//! | `body_len` | the length of the body in bytes |
//! | `elapsed_ms` | the time since the request was received, in milliseconds |
//! | `count` | the number of requests that the event stands for |
//! | `unverified` | `true` for an unverified request in [report-only mode](crate::SignatureLayer::dangerously_report_only) |
//! | `unguarded` | `true` for a request that was dispatched although the replay store failed |
//!
//! Fields without a value are omitted. Text from the request is escaped and truncated to 256 bytes;
//! see [`Event`].
//!
//! For each provider, event and reason, a layer writes at most 60 events a minute about requests
//! that do not reach the handler, so that unauthenticated senders cannot fill the log. After that
//! minute, the next request is preceded by one `webhook_events_suppressed` event. Its `count` is
//! the number of omitted events, and its level is debug if theirs is. Requests that reach the
//! handler are always written.
//!
//! `webhook_secret_never_worked` is written at most once an hour, while no request has been
//! verified since the layer was created and at least five well-formed signatures did not match. Its
//! `count` is the number of mismatches. [`Alerts`] raises the same alert for each tenant.
//!
//! A layer does no work for `tracing` unless the subscriber enables level `error` for one of the
//! two targets. `SignatureLayer::without_tracing` disables `tracing` for a layer.

pub(crate) mod alerts;
pub(crate) mod attempt;
pub(crate) mod custom_attempt;
pub(crate) mod event;
#[cfg(feature = "explain")]
pub(crate) mod explained;
#[cfg(not(feature = "explain"))]
#[path = "no_explained.rs"]
pub(crate) mod explained;
#[cfg(feature = "explain")]
pub(crate) mod here;
pub(crate) mod kind;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
pub(crate) mod name;
pub(crate) mod observer;
pub(crate) mod observers;
pub(crate) mod recorder;
pub(crate) mod settings;
pub(crate) mod summary;
#[cfg(feature = "tracing")]
pub(crate) mod targets;
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
