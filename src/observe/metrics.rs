//! Metrics of events, through the `metrics` facade.

use metrics::{counter, describe_counter, describe_histogram, histogram};

use crate::observe::{event::Event, kind::EventKind, observer::Observer};

/// Observer that counts events, through the [`metrics`](https://docs.rs/metrics) facade.
///
/// | metric | labels | counts |
/// |---|---|---|
/// | `webhook_requests_total` | `provider`, `outcome`, `reason` | requests; `outcome` is `accepted`, `unverified`, `rejected`, `handshake`, `first_contact`, `rate_limited` or `cancelled` (the last two before the result of verification), `reason` is that of the rejection or `none` |
/// | `webhook_key_matches_total` | `provider`, `key` | accepted requests by the secret that matched. `0` is the current secret; a secret with a higher number can be removed once its count stops growing |
/// | `webhook_completed_total` | `provider`, `status` | results of the handler: `1xx` to `5xx`, `error`, `panic` or `cancelled` |
/// | `webhook_verification_seconds` | `provider` | histogram of the time from the request head to the result of verification, including the time to read the body |
/// | `webhook_body_bytes` | `provider` | histogram of the lengths of bodies that were read to their end |
/// | `webhook_replay_total` | `provider`, `outcome` | results of the replay guard; `outcome` is `duplicate`, `in_flight`, `store_failed`, `nothing_signed`, `not_verified`, `unguarded` (each request, when it ends), `unsettled`, `lease_lost` or `evicted` |
/// | `webhook_explanations_total` | `provider`, `cause` | rejections that were [explained](EventKind::Explained) with the feature `explain`; `cause` is the first one that was found, or `none` |
/// | `webhook_events_suppressed_total` | `provider` | events that [`Throttled`](super::Throttled) suppressed |
///
/// Label values are names that the server knows, never text from a request or a tenant, so their
/// number is bounded.
#[derive(Clone, Copy, Debug)]
pub struct MetricsObserver(());

impl MetricsObserver {
    /// Creates an observer for the installed metrics recorder, and describes the metrics to it.
    #[must_use]
    pub fn new() -> Self {
        use metrics::Unit::{Bytes, Count, Seconds};
        describe_counter!("webhook_requests_total", Count, "Requests by verification result");
        describe_counter!("webhook_key_matches_total", Count, "Accepted requests by secret");
        describe_counter!("webhook_completed_total", Count, "Requests by handler result");
        describe_counter!("webhook_replay_total", Count, "Results of the replay guard");
        describe_counter!("webhook_explanations_total", Count, "Explained rejections by cause");
        describe_counter!("webhook_events_suppressed_total", Count, "Suppressed events");
        describe_histogram!("webhook_verification_seconds", Seconds, "Time to verify a request");
        describe_histogram!("webhook_body_bytes", Bytes, "Length of complete bodies");
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
        // Count each request when it ends; the `Unguarded` event comes only once a minute.
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
            // A layer below the `SignatureLayer` reported this request, which is already counted as
            // accepted or unverified. Its `Completed` event follows.
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
            EventKind::Explained => {
                let cause = event.cause().unwrap_or("none");
                counter!("webhook_explanations_total", "provider" => provider, "cause" => cause)
                    .increment(1);
            }
            EventKind::Unsettled => Self::replay(event, "unsettled", 1),
            EventKind::LeaseLost => Self::replay(event, "lease_lost", 1),
            EventKind::Evicted { count } => Self::replay(event, "evicted", count),
            // Each guard reports these once.
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
