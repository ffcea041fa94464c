//! Events written to `tracing`.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use http::StatusCode;
use tracing::{debug, error, warn};

use crate::{
    observe::{
        event::Event,
        kind::EventKind,
        observer::Observer,
        targets::{DELIVERY, SECURITY},
        unproven::{IN_A_ROW, Unproven},
        window::Window,
    },
    outcome::{
        field::Field,
        kind::RejectionKind,
        redact::text::{REDACTED, escape, holds_secret},
        rejection::Rejection,
        replay_answer::ReplayAnswer,
    },
    parse::clock::Clock,
};

/// Maximum number of events a minute for each provider, name and reason.
const PER_MINUTE: u64 = 60;

/// Counts a log line about a request that no layer has seen.
///
/// Returns the number of lines omitted before it, or `None` if it must be omitted itself.
/// Unauthenticated senders can cause these lines, too, so each kind has a window of its own.
pub(crate) fn take_line(window: &Mutex<Window>) -> Option<u64> {
    let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
    window.take(Clock::system().now(), PER_MINUTE)
}

/// Returns `true` if events of this name, about requests that did not reach the handler, have level
/// debug.
fn is_quiet(name: &str) -> bool {
    let quiet = [
        "webhook_unsigned_probe",
        "webhook_handshake",
        "webhook_first_contact",
        "webhook_cancelled",
    ];
    quiet.contains(&name)
}

macro_rules! write_count {
    ($level:ident, $target:expr, $provider:expr, $reason:expr, $count:expr) => {
        $level!(
            target: $target,
            event_type = "webhook_events_suppressed",
            provider = $provider,
            reason = $reason,
            count = $count,
            "webhook events suppressed"
        )
    };
}

/// Observer that writes events to `tracing`.
///
/// The docs of [`observe`](crate::observe) list the events and their limits.
#[derive(Debug, Default)]
pub(crate) struct TracingObserver {
    windows: Mutex<HashMap<Sort, Window>>,
    /// Set while a window has omitted lines to report.
    ///
    /// Otherwise, dispatched requests skip the lock.
    has_kept_back: AtomicBool,
    /// Set once any request has been verified since the start, which proves that the secret is
    /// correct.
    has_verified: AtomicBool,
    unproven: Mutex<Unproven>,
}

/// Provider, name and reason.
///
/// All are constants of the program, so there are few combinations.
type Sort = (&'static str, &'static str, Option<&'static str>);

impl TracingObserver {
    /// Warns about a secret that never worked, at most once an hour.
    fn doubt_secret(&self, event: &Event<'_>) {
        let is_mismatch = |why: &Rejection| why.kind() == RejectionKind::SignatureMismatch;
        if event.kind() == EventKind::Explained {
            let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
            unproven.cause = event.attempt().explained.proven().or(unproven.cause);
        } else if event.verified().is_some() {
            self.has_verified.store(true, Ordering::Relaxed);
        } else if event.rejection().is_some_and(is_mismatch)
            && matches!(event.kind(), EventKind::Rejected { .. } | EventKind::Unverified)
            && !self.has_verified.load(Ordering::Relaxed)
        {
            let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
            let count = unproven.mismatch(IN_A_ROW, event.told_at());
            let cause = unproven.cause;
            drop(unproven);
            if let Some(count) = count {
                warn!(
                    target: SECURITY,
                    event_type = "webhook_secret_never_worked",
                    provider = event.provider(),
                    tenant_id = event.shown_tenant(),
                    url = event.url(),
                    signed_url = event.signed_url(),
                    count,
                    cause,
                    "no webhook verified since startup; check the secret of this endpoint"
                );
            }
        }
    }

    /// Returns `true` if this event is written.
    ///
    /// First reports the omitted events of windows that are over.
    fn takes(&self, event: &Event<'_>) -> bool {
        let is_bounded = !event.is_dispatched();
        if !is_bounded && !self.has_kept_back.load(Ordering::Relaxed) {
            return true;
        }
        let now = event.told_at();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept_back = Vec::new();
        for (sort, window) in &mut *windows {
            if window.is_over(now) {
                kept_back.push((*sort, window.flush()));
            }
        }
        let sort = (event.provider(), event.name(), event.reason());
        let takes = !is_bounded || windows.entry(sort).or_default().take(now, PER_MINUTE).is_some();
        let has_kept_back = windows.values().any(Window::has_kept_back);
        self.has_kept_back.store(has_kept_back, Ordering::Relaxed);
        // The lock is released before the subscriber is called.
        drop(windows);
        for ((provider, name, reason), count) in kept_back {
            // Use the level of the counted events: unsigned GETs, which anyone can send, warrant no
            // warning.
            if count > 0 && is_quiet(name) {
                write_count!(debug, DELIVERY, provider, reason, count);
            } else if count > 0 {
                write_count!(warn, SECURITY, provider, reason, count);
            }
        }
        takes
    }
}

/// Writes an event.
///
/// `tracing` requires constants for level and target, and the fields in place.
macro_rules! write_event {
    ($level:ident, $target:expr, $event:expr, $message:literal) => {{
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
            tenant_id = event.shown_tenant(),
            ip_address = event.client_ip().map(tracing::field::display),
            method = event.method().as_str(),
            url = event.url(),
            user_agent = event.user_agent(),
            request_id = event.request_id(),
            delivery_id = event.delivery_id(),
            timestamp = event.received_at_millis(),
            reason = event.reason(),
            field = rejection.and_then(|rejection| rejection.field_name()),
            age_ms = rejection.and_then(|rejection| rejection.age_millis()),
            signed_url = event.signed_url(),
            secrets_tried = rejection.and_then(|rejection| rejection.secrets_tried()),
            hint = rejection.and_then(hint),
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

/// Returns `true` if the sender treats this status as a failure.
///
/// A WebSocket upgrade gets 101, which is no failure.
fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Returns a hint about what to compare first.
fn hint(rejection: &Rejection) -> Option<&'static str> {
    match rejection.kind() {
        RejectionKind::SignatureMismatch if rejection.raw_signed_url().is_some() => Some(
            "compare the secret and `signed_url` with the provider's console; \
             a proxy that changes the body also causes a mismatch",
        ),
        RejectionKind::SignatureMismatch => Some(
            "compare the secret with the provider's console; \
             a proxy that changes the body also causes a mismatch",
        ),
        RejectionKind::TimestampStale | RejectionKind::TimestampInFuture => {
            Some("check this server's clock, and look for components that delay requests")
        }
        // Of Twilio, whose hash of the body is in the query.
        RejectionKind::BodyNotSigned if matches!(rejection.field(), Some(Field::Query(_))) => {
            Some("check that the proxy passes the query on, and do not use `PublicUrl::fixed`")
        }
        _ => None,
    }
}

/// Returns the cause of an internal failure.
///
/// Other causes may contain text of the sender.
fn detail(rejection: &Rejection) -> Option<String> {
    if rejection.kind() != RejectionKind::VerifierUnavailable {
        return None;
    }
    let cause = std::error::Error::source(rejection)?;
    let cause = cause.to_string();
    let is_secret = holds_secret(cause.as_bytes());
    Some(if is_secret { REDACTED.into() } else { escape(cause.as_bytes()) })
}

impl Observer for TracingObserver {
    fn observe(&self, event: &Event<'_>) {
        self.doubt_secret(event);
        if !self.takes(event) {
            return;
        }
        match (event.kind(), event.name()) {
            (_, "webhook_unsigned_probe") => {
                write_event!(debug, DELIVERY, event, "unsigned GET or HEAD request rejected");
            }
            (_, "invalid_webhook_signature") => {
                write_event!(error, SECURITY, event, "invalid webhook signature");
            }
            (_, "webhook_config_error") => {
                write_event!(error, SECURITY, event, "webhook could not be verified");
            }
            (EventKind::Rejected { .. } | EventKind::Unverified, _) => {
                write_event!(warn, SECURITY, event, "webhook rejected");
            }
            (EventKind::RateLimited, _) => {
                write_event!(warn, SECURITY, event, "webhook rate limit exceeded");
            }
            (EventKind::Suppressed { .. }, _) => {
                write_event!(warn, SECURITY, event, "webhook events suppressed");
            }
            (EventKind::Panicked, _) => {
                write_event!(error, DELIVERY, event, "webhook handler panicked");
            }
            (EventKind::Accepted, _) => {
                write_event!(debug, DELIVERY, event, "webhook accepted");
            }
            (EventKind::FirstContact { .. }, _) => {
                write_event!(debug, DELIVERY, event, "webhook first contact answered");
            }
            (EventKind::Challenge { .. }, _) => {
                write_event!(debug, DELIVERY, event, "webhook challenge answered");
            }
            (EventKind::Completed { status }, _) => write_completed(event, status),
            (EventKind::Explained, _) => write_explained(event),
            (EventKind::Cancelled, _) => {
                write_event!(debug, DELIVERY, event, "webhook cancelled");
            }
            (
                EventKind::EventIdNotSigned
                | EventKind::Evicted { .. }
                | EventKind::GuardRestored { .. }
                | EventKind::LeaseLost
                | EventKind::Replay(_)
                | EventKind::RetentionUnbounded
                | EventKind::Unguardable
                | EventKind::Unguarded { .. }
                | EventKind::Unsettled,
                _,
            ) => write_replay(event),
        }
    }
}

/// Writes the cause of a rejection, if one was found.
fn write_explained(event: &Event<'_>) {
    let Some(summary) = event.attempt().explained.summary() else { return };
    warn!(
        target: SECURITY,
        event_type = event.name(),
        provider = event.provider(),
        tenant_id = event.shown_tenant(),
        url = event.url(),
        request_id = event.request_id(),
        timestamp = event.received_at_millis(),
        reason = event.reason(),
        cause = summary.cause,
        strength = summary.strength,
        finding = summary.finding,
        fix = summary.fix,
        guide = summary.guide,
        also = summary.others,
        "webhook rejection explained"
    );
}

/// Writes an event of the replay guard.
fn write_replay(event: &Event<'_>) {
    match event.kind() {
        EventKind::Unguarded { .. } => {
            write_event!(warn, SECURITY, event, "webhooks dispatched without replay protection");
        }
        EventKind::GuardRestored { .. } => {
            write_event!(warn, SECURITY, event, "replay protection restored");
        }
        EventKind::Unguardable => {
            write_event!(
                warn,
                SECURITY,
                event,
                "deliveries without a unique replay key are not guarded; see `guard_body_only`"
            );
        }
        EventKind::EventIdNotSigned => {
            write_event!(
                warn,
                SECURITY,
                event,
                "event id ignored by the replay guard: the signature does not cover the body"
            );
        }
        EventKind::RetentionUnbounded => {
            write_event!(
                warn,
                DELIVERY,
                event,
                "replay store keeps webhooks indefinitely; set a tolerance or a retention"
            );
        }
        EventKind::Evicted { .. } => {
            write_event!(warn, SECURITY, event, "replay store evicted unexpired deliveries");
        }
        EventKind::LeaseLost => {
            write_event!(warn, DELIVERY, event, "webhook handler exceeded its lease");
        }
        EventKind::Unsettled | EventKind::Replay(ReplayAnswer::StoreFailed) => {
            write_event!(warn, DELIVERY, event, "webhook replay store failed");
        }
        EventKind::Replay(_) => {
            write_event!(debug, DELIVERY, event, "duplicate webhook suppressed");
        }
        _ => {}
    }
}

/// Writes the response of the handler.
fn write_completed(event: &Event<'_>, status: Option<StatusCode>) {
    let is_error = status.is_none_or(is_error);
    if event.replay_answer().is_some() {
        // The response of the replay guard has had an event of its own.
        write_event!(debug, DELIVERY, event, "webhook answered by the replay guard");
    } else if is_error && event.verified().is_none() {
        write_event!(
            warn,
            DELIVERY,
            event,
            "unverified webhook forwarded; the handler returned an error"
        );
    } else if is_error {
        write_event!(warn, DELIVERY, event, "webhook verified; the handler returned an error");
    } else {
        write_event!(debug, DELIVERY, event, "webhook handled");
    }
}
