//! Events as `tracing` events.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use http::StatusCode;
use tracing::{Level, debug, enabled, error, warn};

use crate::{
    observe::{
        event::Event,
        kind::EventKind,
        observer::Observer,
        unproven::{IN_A_ROW, Unproven},
        window::Window,
    },
    outcome::{
        kind::RejectionKind,
        redact::text::{REDACTED, escape, holds_secret},
        rejection::Rejection,
        replay_answer::ReplayAnswer,
    },
    panic::catch_panic,
    parse::clock::Clock,
};

const SECURITY: &str = "tower_webhook::security";
const DELIVERY: &str = "tower_webhook::delivery";
/// Refusals a minute for each provider and reason.
const PER_MINUTE: u64 = 60;

/// Returns whether the current subscriber takes the loudest events of either target. Its code may panic.
pub(crate) fn is_listening() -> bool {
    let is_enabled =
        || enabled!(target: SECURITY, Level::ERROR) || enabled!(target: DELIVERY, Level::ERROR);
    catch_panic(is_enabled).unwrap_or(true)
}

/// Counts a line about a request that no layer has seen. Returns how many lines were left out before it, where it is
/// written. Strangers send such requests, too, so each such line has a window of its own.
pub(crate) fn take_line(window: &Mutex<Window>) -> Option<u64> {
    let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
    window.take(Clock::system().now(), PER_MINUTE)
}

/// Whether the events of this name, about requests that did not reach the handler, are written at debug.
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

/// Writes events to `tracing`: the page of [`observe`](crate::observe) says which, how, and how many.
#[derive(Debug, Default)]
pub(crate) struct TracingObserver {
    windows: Mutex<HashMap<Sort, Window>>,
    /// Whether a window has lines to tell the number of, so that others need not look.
    has_kept_back: AtomicBool,
    /// Whether a request has verified since the start, so that the secret is the right one.
    has_verified: AtomicBool,
    unproven: Mutex<Unproven>,
}

/// Provider, name and reason. All are constants of the program, so there are few.
type Sort = (&'static str, &'static str, Option<&'static str>);

impl TracingObserver {
    /// Tells of a secret that never worked, once an hour.
    fn doubt_secret(&self, event: &Event<'_>) {
        let is_mismatch = |why: &Rejection| why.kind() == RejectionKind::SignatureMismatch;
        if event.verified().is_some() {
            self.has_verified.store(true, Ordering::Relaxed);
        } else if event.rejection().is_some_and(is_mismatch)
            && matches!(event.kind(), EventKind::Rejected { .. } | EventKind::Unverified)
            && !self.has_verified.load(Ordering::Relaxed)
        {
            let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
            let count = unproven.mismatch(IN_A_ROW, event.told_at());
            drop(unproven);
            if let Some(count) = count {
                warn!(
                    target: SECURITY,
                    event_type = "webhook_secret_never_worked",
                    provider = event.provider(),
                    tenant_id = tenant_id(event),
                    url = event.url(),
                    signed_url = event.signed_url(),
                    count,
                    "no webhook has verified yet since the start: is this its endpoint's secret?"
                );
            }
        }
    }

    /// Whether this event is written. Tells first how many others were not, where their minute is over.
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
        // The lock is free again when the subscriber hears of it.
        drop(windows);
        for ((provider, name, reason), count) in kept_back {
            // As loud as the events that it counts: a stranger's GETs are no warning.
            if count > 0 && is_quiet(name) {
                write_count!(debug, DELIVERY, provider, reason, count);
            } else if count > 0 {
                write_count!(warn, SECURITY, provider, reason, count);
            }
        }
        takes
    }
}

/// The macros want level and target as constants, and the fields in place.
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
            tenant_id = tenant_id(event),
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

/// The tenant, also where there is none by the id that was looked up: the reason says so.
fn tenant_id(event: &Event<'_>) -> Option<String> {
    let id = event.tenant().or(event.claimed_tenant())?;
    // It may be a piece of a URL that is secret.
    let is_secret = event.attempt().repeats_secret(id);
    Some(if is_secret { REDACTED.into() } else { escape(id.as_bytes()) })
}

/// Whether the sender takes this answer of the handler for a failure. A WebSocket's handshake is answered with 101.
fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// What a person compares first.
fn hint(rejection: &Rejection) -> Option<&'static str> {
    match rejection.kind() {
        RejectionKind::SignatureMismatch if rejection.raw_signed_url().is_some() => Some(
            "compare the secret and `signed_url` with the provider's console; \
             a proxy that changes the body has this effect, too",
        ),
        RejectionKind::SignatureMismatch => Some(
            "compare the secret with the provider's console; \
             a proxy that changes the body has this effect, too",
        ),
        RejectionKind::TimestampStale | RejectionKind::TimestampInFuture => {
            Some("compare this server's clock, and look for what holds requests back")
        }
        _ => None,
    }
}

/// The cause of a failure of ours. That of a refusal may hold what the sender wrote.
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
                write_event!(debug, DELIVERY, event, "unsigned GET or HEAD refused");
            }
            (_, "invalid_webhook_signature") => {
                write_event!(error, SECURITY, event, "invalid webhook signature");
            }
            (_, "webhook_config_error") => {
                write_event!(error, SECURITY, event, "webhook could not be verified");
            }
            (EventKind::Rejected { .. } | EventKind::Unverified, _) => {
                write_event!(warn, SECURITY, event, "webhook refused");
            }
            (EventKind::RateLimited, _) => {
                write_event!(warn, SECURITY, event, "too many webhooks");
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

/// Writes an event of the replay guard.
fn write_replay(event: &Event<'_>) {
    match event.kind() {
        EventKind::Unguarded { .. } => {
            write_event!(warn, SECURITY, event, "webhooks not guarded against replay");
        }
        EventKind::GuardRestored { .. } => {
            write_event!(warn, SECURITY, event, "webhooks guarded against replay again");
        }
        EventKind::Unguardable => {
            write_event!(warn, SECURITY, event, "webhooks that can be signed alike pass unguarded");
        }
        EventKind::EventIdNotSigned => {
            write_event!(
                warn,
                SECURITY,
                event,
                "webhooks are not known by their event id: the signature does not cover the body"
            );
        }
        EventKind::RetentionUnbounded => {
            write_event!(
                warn,
                DELIVERY,
                event,
                "webhooks are remembered without end; set a tolerance or a retention"
            );
        }
        EventKind::Evicted { .. } => {
            write_event!(warn, SECURITY, event, "webhooks forgotten before their time");
        }
        EventKind::LeaseLost => {
            write_event!(warn, DELIVERY, event, "webhook handler outlived its lease");
        }
        EventKind::Unsettled | EventKind::Replay(ReplayAnswer::StoreFailed) => {
            write_event!(warn, DELIVERY, event, "webhook replay store failed");
        }
        EventKind::Replay(_) => {
            write_event!(debug, DELIVERY, event, "webhook repeated");
        }
        _ => {}
    }
}

/// Writes the handler's answer.
fn write_completed(event: &Event<'_>, status: Option<StatusCode>) {
    let is_error = status.is_none_or(is_error);
    if event.replay_answer().is_some() {
        // The replay guard's answer has had an event of its own.
        write_event!(debug, DELIVERY, event, "webhook answered by the replay guard");
    } else if is_error && event.verified().is_none() {
        write_event!(
            warn,
            DELIVERY,
            event,
            "unverified webhook let through, and not accepted by the handler"
        );
    } else if is_error {
        write_event!(warn, DELIVERY, event, "webhook verified, and not accepted by the handler");
    } else {
        write_event!(debug, DELIVERY, event, "webhook handled");
    }
}
