//! Settings of a log.

use std::time::Duration;

use http::HeaderName;

use crate::delivery_log::mask::mask::Mask;

/// Headers that identify a delivery or its type, and hold no personal data. The user agent and
/// `x-request-id` have columns of their own.
pub(crate) const HEADERS: [&str; 11] = [
    "content-type",
    "svix-id",
    "traceparent",
    "webhook-id",
    "x-correlation-id",
    "x-github-delivery",
    "x-github-event",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "x-shopify-topic",
    "x-shopify-webhook-id",
];

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) payload_limit: usize,
    pub(crate) stores_rejected_payloads: bool,
    pub(crate) mask: Option<Mask>,
    pub(crate) refusals_per_minute: u64,
    pub(crate) max_queued_rows: usize,
    pub(crate) max_queued_bytes: usize,
    pub(crate) store_timeout: Duration,
    pub(crate) is_durable: bool,
}
