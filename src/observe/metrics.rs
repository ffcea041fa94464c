//! Events as metrics, through the `metrics` facade.

use metrics::{counter, describe_counter, describe_histogram, histogram};

use crate::observe::{event::Event, kind::EventKind, observer::Observer};

/// Counts events, through the [`metrics`](https://docs.rs/metrics) facade.
///
/// | metric | labels | counts |
/// |---|---|---|
/// | `webhook_requests_total` | `provider`, `outcome`, `reason` | requests; `outcome` is `accepted`, `unverified`, `rejected`, `handshake`, `rate_limited` or `cancelled` (both before a verdict), `reason` that of a refusal or `none` |
/// | `webhook_key_matches_total` | `provider`, `key` | accepted requests by the secret that matched: `0` is the current one, so a key above 0 that counts no more can go |
/// | `webhook_completed_total` | `provider`, `status` | answers of the handler: `2xx` to `5xx`, `error`, `panic` or `cancelled` |
/// | `webhook_verification_seconds` | `provider` | histogram: from the request's head to the verdict, the reading of the body included |
/// | `webhook_body_bytes` | `provider` | histogram: bodies that were read to their end |
/// | `webhook_replay_total` | `provider`, `outcome` | what the replay guard did; `outcome` is `duplicate`, `in_flight`, `store_failed`, `nothing_signed`, `not_verified`, `unguarded` (each request, when it ends), `unsettled`, `lease_lost` or `evicted` |
/// | `webhook_events_suppressed_total` | `provider` | events that [`Throttled`](super::Throttled) kept back |
///
/// Labels are names that the server knows itself, never text from a request or a tenant, so their
/// number is bounded.
#[derive(Clone, Copy, Debug)]
pub struct MetricsObserver(());

impl MetricsObserver {
    /// Counts with the recorder that is installed. It is told what the metrics mean.
    #[must_use]
    pub fn new() -> Self {
        use metrics::Unit::{Bytes, Count, Seconds};
        describe_counter!("webhook_requests_total", Count, "Webhooks by the layer's verdict");
        describe_counter!("webhook_key_matches_total", Count, "Accepted webhooks by secret");
        describe_counter!("webhook_completed_total", Count, "Webhooks by the handler's answer");
        describe_counter!("webhook_replay_total", Count, "What the replay guard did");
        describe_counter!("webhook_events_suppressed_total", Count, "Events kept back");
        describe_histogram!("webhook_verification_seconds", Seconds, "From head to verdict");
        describe_histogram!("webhook_body_bytes", Bytes, "Bodies read to their end");
        Self(())
    }

    fn decided(event: &Event<'_>, outcome: &'static str) {
        let provider = event.provider();
        let reason = event.reason().unwrap_or("none");
        counter!(
            "webhook_requests_total", "provider" => provider, "outcome" => outcome, "reason" => reason
        )
        .increment(1);
        if let Some(time) = event.time_to_verdict() {
            histogram!("webhook_verification_seconds", "provider" => provider).record(time);
        }
        if let Some(len) = event.body_len().and_then(|len| u32::try_from(len).ok()) {
            histogram!("webhook_body_bytes", "provider" => provider).record(len);
        }
    }

    fn replay(event: &Event<'_>, outcome: &'static str, count: u64) {
        let provider = event.provider();
        counter!("webhook_replay_total", "provider" => provider, "outcome" => outcome)
            .increment(count);
    }

    fn completed(event: &Event<'_>, status: &'static str) {
        let provider = event.provider();
        counter!("webhook_completed_total", "provider" => provider, "status" => status)
            .increment(1);
    }
}

impl Default for MetricsObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for MetricsObserver {
    fn observe(&self, event: &Event<'_>) {
        let provider = event.provider();
        let is_dispatched = event.is_dispatched();
        // Not by the reports, which come once a minute: each request, by the minute it came in.
        if event.is_last() && event.is_unguarded() {
            Self::replay(event, "unguarded", 1);
        }
        match event.kind() {
            EventKind::Accepted => {
                Self::decided(event, "accepted");
                let key = event.key_index().unwrap_or_default().to_string();
                counter!("webhook_key_matches_total", "provider" => provider, "key" => key)
                    .increment(1);
            }
            EventKind::Unverified => Self::decided(event, "unverified"),
            EventKind::Rejected { .. } => Self::decided(event, "rejected"),
            EventKind::FirstContact { .. } => Self::decided(event, "first_contact"),
            EventKind::Challenge { .. } => Self::decided(event, "handshake"),
            // Below the layer it has a verdict already, and the handler's answer will follow.
            EventKind::RateLimited if is_dispatched => {}
            EventKind::RateLimited => Self::decided(event, "rate_limited"),
            EventKind::Cancelled if !is_dispatched => Self::decided(event, "cancelled"),
            EventKind::Cancelled => Self::completed(event, "cancelled"),
            EventKind::Panicked => Self::completed(event, "panic"),
            EventKind::Completed { status } => {
                let status = match status.map(|status| status.as_u16() / 100) {
                    Some(1) => "1xx",
                    Some(2) => "2xx",
                    Some(3) => "3xx",
                    Some(4) => "4xx",
                    Some(_) => "5xx",
                    None => "error",
                };
                Self::completed(event, status);
            }
            EventKind::Replay(answer) => Self::replay(event, answer.as_str(), 1),
            EventKind::GuardRestored { .. } | EventKind::Unguarded { .. } => {}
            EventKind::Unsettled => Self::replay(event, "unsettled", 1),
            EventKind::LeaseLost => Self::replay(event, "lease_lost", 1),
            EventKind::Evicted { count } => Self::replay(event, "evicted", count),
            // Each is told once.
            EventKind::EventIdNotSigned
            | EventKind::RetentionUnbounded
            | EventKind::Unguardable => {}
            EventKind::Suppressed { count } => {
                counter!("webhook_events_suppressed_total", "provider" => provider)
                    .increment(count);
            }
        }
    }
}
