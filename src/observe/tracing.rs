//! Events as `tracing` events.

use tracing::{debug, error, warn};

use super::{Event, EventKind, Observer};
use crate::{RejectionKind, replay::ReplayAnswer};

/// Writes each event to `tracing`.
///
/// | event | level | target |
/// |---|---|---|
/// | `invalid_webhook_signature`, `webhook_config_error` | error | `security` |
/// | `webhook_verification_failed`, `webhook_body_refused`, `rate_limit_exceeded`, `webhook_events_suppressed`, `webhook_unguarded`, `webhook_guard_restored`, `webhook_unguardable`, `webhook_event_id_not_signed`, `webhook_replay_evicted` | warn | `security` |
/// | `webhook_panicked` | error | `tower_webhook` |
/// | `webhook_completed` with a 5xx or an error, `webhook_replay_store_failed`, `webhook_unsettled`, `webhook_lease_lost`, `webhook_replay_unbounded` | warn | `tower_webhook` |
/// | `webhook_duplicate`, `webhook_in_flight`, `webhook_accepted`, `webhook_handshake`, `webhook_completed`, `webhook_cancelled` | debug | `tower_webhook` |
///
/// Fields: `event_type`, `provider`, `tenant_id`, `ip_address`, `method`, `url`, `user_agent`,
/// `request_id`, `delivery_id`, `timestamp` (milliseconds since 1970), `reason`, `field` (the header
/// at fault), `detail` (the cause of a configuration error), `unverified` (true for what
/// [only reports](crate::SignatureLayer::dangerously_report_only)), `key_index`, `body_len`,
/// `status`, `count`, `unguarded` (true for a request that passed although the replay store failed)
/// and `elapsed_ms`; those that are not known are left out. What comes from the request is
/// escaped and cut after 256 bytes; see [`Event`].
///
/// So that strangers cannot fill the log, put it into [`Throttled`](super::Throttled):
///
/// ```
/// use tower_webhook::observe::{Throttled, TracingObserver};
///
/// let observer = Throttled::new(TracingObserver::new(), 600);
/// # let _ = observer;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingObserver(());

impl TracingObserver {
    /// Writes to the subscriber that is current where the request is handled.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

/// The macros want level and target as constants, and the fields in place.
macro_rules! write_event {
    ($level:ident, $target:literal, $event:expr, $message:literal) => {{
        let event = $event;
        let rejection = event.rejection();
        let status = match event.kind() {
            EventKind::Completed { status } => status,
            EventKind::FirstContact { status }
            | EventKind::Challenge { status }
            | EventKind::Rejected { status } => Some(status),
            _ => None,
        };
        $level!(
            target: $target,
            event_type = event.name(),
            provider = event.provider(),
            tenant_id = event.tenant().map(|tenant| super::redact::text(tenant.as_bytes())),
            ip_address = event.client_ip().map(tracing::field::display),
            method = event.method().as_str(),
            url = event.url(),
            user_agent = event.user_agent(),
            request_id = event.request_id(),
            delivery_id = event.delivery_id(),
            timestamp = event.received_at_millis(),
            reason = event.reason(),
            field = rejection.and_then(|rejection| rejection.field_name()),
            detail = rejection.and_then(detail),
            unverified = matches!(event.kind(), EventKind::Unverified).then_some(true),
            key_index = event.key_index(),
            body_len = event.body_len(),
            status = status.map(|status| status.as_u16()),
            count = match event.kind() {
                EventKind::Evicted { count }
                | EventKind::GuardRestored { count }
                | EventKind::Suppressed { count }
                | EventKind::Unguarded { count } => Some(count),
                _ => None,
            },
            unguarded = event.is_unguarded().then_some(true),
            elapsed_ms = u64::try_from(event.elapsed().as_millis()).ok(),
            $message
        )
    }};
}

/// The cause of a failure of ours. That of a refusal may hold what the sender wrote.
fn detail(rejection: &crate::Rejection) -> Option<String> {
    if rejection.kind() != RejectionKind::VerifierUnavailable {
        return None;
    }
    let cause = std::error::Error::source(rejection)?;
    let cause = cause.to_string();
    let is_secret = super::redact::holds_secret(cause.as_bytes());
    Some(if is_secret {
        super::redact::REDACTED.into()
    } else {
        super::redact::text(cause.as_bytes())
    })
}

impl Observer for TracingObserver {
    fn observe(&self, event: &Event<'_>) {
        match (event.kind(), event.name()) {
            (_, "invalid_webhook_signature") => {
                write_event!(error, "security", event, "invalid webhook signature");
            }
            (_, "webhook_config_error") => {
                write_event!(error, "security", event, "webhook could not be verified");
            }
            (EventKind::Rejected { .. } | EventKind::Unverified, _) => {
                write_event!(warn, "security", event, "webhook refused");
            }
            (EventKind::RateLimited, _) => {
                write_event!(warn, "security", event, "too many webhooks");
            }
            (EventKind::Suppressed { .. }, _) => {
                write_event!(warn, "security", event, "webhook events suppressed");
            }
            (EventKind::Unguarded { .. }, _) => {
                write_event!(warn, "security", event, "webhooks not guarded against replay");
            }
            (EventKind::GuardRestored { .. }, _) => {
                write_event!(warn, "security", event, "webhooks guarded against replay again");
            }
            (EventKind::Unguardable, _) => {
                write_event!(
                    warn,
                    "security",
                    event,
                    "webhooks that can be signed alike pass unguarded"
                );
            }
            (EventKind::EventIdNotSigned, _) => {
                write_event!(
                    warn,
                    "security",
                    event,
                    "webhooks are not known by their event id: the signature does not cover the body"
                );
            }
            (EventKind::RetentionUnbounded, _) => {
                write_event!(
                    warn,
                    "tower_webhook",
                    event,
                    "webhooks are remembered without end; set a tolerance or a retention"
                );
            }
            (EventKind::Evicted { .. }, _) => {
                write_event!(warn, "security", event, "webhooks forgotten before their time");
            }
            (EventKind::LeaseLost, _) => {
                write_event!(warn, "tower_webhook", event, "webhook handler outlived its lease");
            }
            (EventKind::Unsettled | EventKind::Replay(ReplayAnswer::StoreFailed), _) => {
                write_event!(warn, "tower_webhook", event, "webhook replay store failed");
            }
            (EventKind::Replay(_), _) => {
                write_event!(debug, "tower_webhook", event, "webhook repeated");
            }
            (EventKind::Panicked, _) => {
                write_event!(error, "tower_webhook", event, "webhook handler panicked");
            }
            (EventKind::Completed { status }, _)
                if status.is_none_or(|status| status.is_server_error()) =>
            {
                write_event!(warn, "tower_webhook", event, "webhook handler failed");
            }
            (EventKind::Accepted, _) => {
                write_event!(debug, "tower_webhook", event, "webhook accepted");
            }
            (EventKind::FirstContact { .. }, _) => {
                write_event!(debug, "tower_webhook", event, "webhook first contact answered");
            }
            (EventKind::Challenge { .. }, _) => {
                write_event!(debug, "tower_webhook", event, "webhook challenge answered");
            }
            (EventKind::Completed { .. }, _) => {
                write_event!(debug, "tower_webhook", event, "webhook handled");
            }
            (EventKind::Cancelled, _) => {
                write_event!(debug, "tower_webhook", event, "webhook cancelled");
            }
        }
    }
}
