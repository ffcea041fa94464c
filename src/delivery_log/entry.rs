//! Rows of the delivery log.

use std::{borrow::Cow, fmt, net::IpAddr, time::SystemTime};

use bytes::Bytes;

use crate::delivery_log::{annotation::Annotation, id::EntryId};

/// Status of a row that is written before the handler is called. A row keeps it if the process ends
/// before the handler responds.
pub const RECEIVED: &str = "received";

/// Row of the delivery log: a request, or a record written by the log itself.
///
/// | status | meaning |
/// |---|---|
/// | `success` | verified, and the handler responded with 2xx |
/// | `error` | verified, and the handler responded with another status, failed, panicked or was cancelled; or verification was not possible, or the body was too long, too slow or unreadable |
/// | `duplicate` | verified, and already handled: the [replay guard](crate::replay) responded |
/// | `unauthorized` | rejected; the message is "Signature verification failed" |
/// | `received` | in progress; see [durable mode](super#durable-mode) |
/// | `handshake` | a [challenge](crate::scheme::Challenge) to which the layer responded instead of the handler |
/// | `first_contact` | an unsigned [first contact](crate::scheme::FirstContact) to which the layer responded instead of the handler |
/// | `unverified` | failed verification, but the layer is in [report-only mode](crate::SignatureLayer::dangerously_report_only) |
/// | `rate_limited` | rejected by a custom layer because there were too many requests |
/// | `cancelled` | the client disconnected before the end of verification |
/// | custom | set by the handler with [`set_status`](crate::observe::Attempt::set_status), for a verified request that it responded to |
/// | `dropped`, `suppressed`, `misconfigured` | written by the log itself: a number of rows was lost for lack of room, a number of rejections was suppressed, durable mode is misconfigured |
///
/// Text from the request is escaped to printable ASCII and truncated, as in events. Text from your
/// application keeps its letters, loses its control characters and is truncated to 256 bytes.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// ID of the row.
    pub id: EntryId,
    /// Status of the row; see the table above.
    pub status: Cow<'static, str>,
    /// Name of the provider; empty in a record written by the log itself.
    pub provider: Cow<'static, str>,
    /// Tenant. Not proven unless `verified`.
    pub tenant: Option<String>,
    /// Event name that the handler [set](crate::observe::Attempt::set_event_name).
    pub event_name: Option<String>,
    /// Method of the request.
    pub method: Cow<'static, str>,
    /// URL of the request, without the values of sensitive parameters.
    pub url: String,
    /// Listed headers of the request, sorted by their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, if it is kept, after masking and truncation.
    pub payload: Option<Bytes>,
    /// `true` if the payload was truncated.
    pub payload_truncated: bool,
    /// SHA-256 digest of the whole body as received, if the body was read to its end.
    ///
    /// Also `None` for an unverified request if too many such bodies
    /// [waited](super::DeliveryLogBuilder::max_queued_bytes).
    pub body_sha256: Option<[u8; 32]>,
    /// Length of the whole body in bytes, if the body was read to its end.
    pub body_len: Option<u64>,
    /// `true` if the request was verified.
    pub verified: bool,
    /// Status code of the response; `None` if there was none.
    pub http_status: Option<u16>,
    /// Reason for the rejection; see [`RejectionKind::as_str`](crate::RejectionKind::as_str).
    pub reason: Option<String>,
    /// Cause of the rejection, if it was [explained](crate::observe::EventKind::Explained) with the
    /// feature `explain`; see `explain::Cause::as_str`. It is added after the row.
    ///
    /// Causes that name other tenants or layers are not kept.
    pub cause: Option<String>,
    /// Explanation of the rejection in words, with the fix, if it was explained.
    pub explanation: Option<String>,
    /// Description of the failure, or the message that the handler
    /// [set](crate::observe::Attempt::set_status).
    pub message: Option<String>,
    /// IP address of the client; see [`ClientIp`](crate::observe::ClientIp).
    pub ip: Option<IpAddr>,
    /// User agent of the client.
    pub user_agent: Option<String>,
    /// The `x-request-id` header of the request.
    pub request_id: Option<String>,
    /// Delivery ID of the provider.
    pub delivery_id: Option<String>,
    /// Index of the secret that matched.
    pub key_index: Option<u32>,
    /// Time at which the request head arrived. Databases store it in milliseconds.
    pub received_at: Option<SystemTime>,
    /// Time at which the request ended.
    pub processed_at: Option<SystemTime>,
    /// Time between the two, in milliseconds.
    pub processing_ms: Option<u64>,
    /// Number of rows or rejections that a record written by the log itself counts.
    pub count: Option<u64>,
}

impl Entry {
    /// Creates an empty row, for a [`LogStore`](super::LogStore) that reads its rows back.
    #[must_use]
    pub fn new(id: EntryId, status: impl Into<Cow<'static, str>>) -> Self {
        Self { id, status: status.into(), ..Self::default() }
    }

    /// Copies the fields that are known at the end: status, response, times, event name and
    /// message, and headers and payload if `end` has them. The other fields are known from the
    /// beginning.
    pub fn finish(&mut self, end: &Self) {
        self.status.clone_from(&end.status);
        self.event_name.clone_from(&end.event_name);
        self.http_status = end.http_status;
        self.reason.clone_from(&end.reason);
        self.message.clone_from(&end.message);
        if self.cause.is_none() {
            self.cause.clone_from(&end.cause);
            self.explanation.clone_from(&end.explanation);
        }
        self.processed_at = end.processed_at;
        self.processing_ms = end.processing_ms;
        if !end.headers.is_empty() {
            self.headers.clone_from(&end.headers);
        }
        if end.payload.is_some() {
            self.payload.clone_from(&end.payload);
            self.payload_truncated = end.payload_truncated;
        }
    }

    /// Adds the cause of the rejection, unless the row has one.
    pub fn annotate(&mut self, annotation: &Annotation) {
        if self.cause.is_none() {
            self.cause = Some(annotation.cause.clone());
            self.explanation = Some(annotation.explanation.clone());
        }
    }

    /// Returns the approximate size of the row in bytes, for [retention](super::Retention) by size.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        let texts = [&self.tenant, &self.event_name, &self.reason, &self.message];
        let more = [&self.user_agent, &self.request_id, &self.delivery_id];
        let more = more.into_iter().chain([&self.cause, &self.explanation]);
        let texts = texts.into_iter().chain(more).flatten().map(String::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 6);
        let payload = self.payload.as_ref().map_or(0, Bytes::len);
        // Numbers, times, the ID and overhead of the store take about 200 bytes.
        200 + self.url.len() + payload + texts.chain(headers).sum::<usize>()
    }
}

impl fmt::Debug for Entry {
    /// Omits the payload and the headers, which may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("provider", &self.provider)
            .field("tenant", &self.tenant)
            .field("event_name", &self.event_name)
            .field("method", &self.method)
            .field("url", &self.url)
            .field("verified", &self.verified)
            .field("http_status", &self.http_status)
            .field("reason", &self.reason)
            .field("message", &self.message)
            .field("received_at", &self.received_at)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
