//! One row of the log.

use std::{borrow::Cow, fmt, net::IpAddr, time::SystemTime};

use bytes::Bytes;

use crate::delivery_log::id::EntryId;

/// Longest text of the application's own, in bytes.
pub(crate) const MAX_TEXT: usize = 256;

/// The status of a row that is written before the handler runs, and of one whose process ended
/// before the handler did.
pub const RECEIVED: &str = "received";

/// One row: a request, or a note of the log's own.
///
/// | status | what happened |
/// |---|---|
/// | `success` | verified, and the handler answered 2xx |
/// | `error` | verified, and the handler answered otherwise, failed, panicked or was cancelled; or we could not decide, or the body was too long, too slow or unreadable |
/// | `duplicate` | verified, and handled before: the [replay guard](crate::replay) answered |
/// | `unauthorized` | refused; the message is "Signature verification failed" |
/// | `received` | on its way: see [durable mode](super#durable-mode) |
/// | `handshake` | an ownership challenge that was answered in the handler's place |
/// | `unverified` | would have been refused, but the layer [only reports](crate::SignatureLayer::dangerously_report_only) |
/// | `rate_limited` | a layer of yours refused it because there were too many |
/// | `cancelled` | its sender went away before the verdict |
/// | your own | what the handler [says](crate::observe::Attempt::set_status) of a verified request that it answered |
/// | `dropped`, `suppressed`, `misconfigured` | notes: so many rows were lost for want of room, so many refusals were kept back, durable mode is set up wrong |
///
/// Text from the request is escaped to printable ASCII and cut, as in events; text of yours keeps
/// its letters and loses control characters.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The row's name.
    pub id: EntryId,
    /// How it ended; see above.
    pub status: Cow<'static, str>,
    /// The provider; empty in a note.
    pub provider: Cow<'static, str>,
    /// The tenant. Not proven unless `verified`.
    pub tenant: Option<String>,
    /// What the delivery was about, as the handler [said](crate::observe::Attempt::set_event_name).
    pub event_name: Option<String>,
    /// The request's method.
    pub method: Cow<'static, str>,
    /// The request's URL without the values of sensitive parameters.
    pub url: String,
    /// The listed headers that it had, sorted by their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, where it is kept; after masking, and cut.
    pub payload: Option<Bytes>,
    /// Whether the payload was cut.
    pub payload_truncated: bool,
    /// SHA-256 of the whole body as received, where it was read to its end. `None` also for a
    /// request that is not verified when too many such bodies [waited](super::DeliveryLogBuilder::max_queued_bytes).
    pub body_sha256: Option<[u8; 32]>,
    /// The length of the whole body, where it was read to its end.
    pub body_len: Option<u64>,
    /// Whether the request was proven genuine.
    pub verified: bool,
    /// The status of the answer; `None` when there was none.
    pub http_status: Option<u16>,
    /// Why it was refused: [`RejectionKind::as_str`](crate::RejectionKind::as_str).
    pub reason: Option<String>,
    /// What went wrong, or the handler's own words.
    pub message: Option<String>,
    /// The sender's address; see [`ClientIp`](crate::observe::ClientIp).
    pub ip: Option<IpAddr>,
    /// What the sender calls itself.
    pub user_agent: Option<String>,
    /// The request's `x-request-id`.
    pub request_id: Option<String>,
    /// The delivery's id, as the provider sent it.
    pub delivery_id: Option<String>,
    /// Which secret matched.
    pub key_index: Option<u32>,
    /// When the request's head arrived, in milliseconds.
    pub received_at: Option<SystemTime>,
    /// When it ended.
    pub processed_at: Option<SystemTime>,
    /// The time in between, in milliseconds.
    pub processing_ms: Option<u64>,
    /// Of a note: how many.
    pub count: Option<u64>,
}

impl Entry {
    /// An empty row, for a [`LogStore`](super::LogStore) that reads its own back.
    #[must_use]
    pub fn new(id: EntryId, status: impl Into<Cow<'static, str>>) -> Self {
        Self { id, status: status.into(), ..Self::default() }
    }

    /// Takes over what is known in the end: status, answer, times, the handler's words, and headers
    /// and payload where they are there. The rest has been known from the beginning.
    pub fn finish(&mut self, end: &Self) {
        self.status.clone_from(&end.status);
        self.event_name.clone_from(&end.event_name);
        self.http_status = end.http_status;
        self.reason.clone_from(&end.reason);
        self.message.clone_from(&end.message);
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

    /// About as many bytes as it takes, for [retention](super::Retention) by size.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        let texts = [&self.tenant, &self.event_name, &self.reason, &self.message];
        let more = [&self.user_agent, &self.request_id, &self.delivery_id];
        let texts = texts.into_iter().chain(more).flatten().map(String::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + 6);
        let payload = self.payload.as_ref().map_or(0, Bytes::len);
        // Numbers, times, the id and what the store adds.
        200 + self.url.len() + payload + texts.chain(headers).sum::<usize>()
    }
}

impl fmt::Debug for Entry {
    /// Without the payload and the headers, which may hold personal data.
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

/// Text of the application's own, fit to be stored: PostgreSQL takes no NUL, and a tenant may
/// come from a path. Cut after 256 bytes.
pub(crate) fn entry_text(text: &str) -> String {
    let is_unfit = |char: &char| {
        char.is_control()
            || matches!(char, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::new();
    for char in text.chars() {
        let char = if is_unfit(&char) { char::REPLACEMENT_CHARACTER } else { char };
        if clean.len() + char.len_utf8() > MAX_TEXT {
            break;
        }
        clean.push(char);
    }
    clean
}
