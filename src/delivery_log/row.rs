//! What becomes a row.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, header::GetAll};
use sha2::{Digest, Sha256};

use crate::{
    delivery_log::{
        entry::{Entry, MAX_TEXT, RECEIVED, entry_text},
        id::EntryId,
        json::REDACTED,
        sensitive::SensitiveFields,
        settings::{HEADERS, Settings},
    },
    observe::{event::Event, kind::EventKind},
    outcome::{redact::text::escape, replay_answer::ReplayAnswer},
    panic::catch_panic,
};

const SUCCESS: &str = "success";
const ERROR: &str = "error";
const DUPLICATE: &str = "duplicate";
/// The message of every refusal: the log says why in `reason`.
const REFUSED: &str = "Signature verification failed";

/// A row on its way, and the body that is still to be hashed, masked and cut: not on the request's
/// own task.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Shared with the store while it is being written.
    pub(crate) entry: Arc<Entry>,
    body: Option<Bytes>,
    sensitive: Option<Box<SensitiveFields>>,
}

impl Draft {
    pub(crate) fn note(entry: Entry) -> Self {
        Self { entry: Arc::new(entry), body: None, sensitive: None }
    }

    #[cfg(test)]
    pub(crate) fn with_body(entry: Entry, body: Bytes) -> Self {
        Self { entry: Arc::new(entry), body: Some(body), sensitive: None }
    }

    /// Only a note counts something.
    pub(crate) fn is_note(&self) -> bool {
        self.entry.count.is_some()
    }

    /// The first row of a request that goes to the inner service.
    pub(crate) fn received(event: &Event<'_>, id: EntryId, settings: &Settings) -> Self {
        let mut entry = head(event, id);
        entry.status = RECEIVED.into();
        Self::with_request(entry, event, settings)
    }

    /// The row of a request that has ended. `is_written` says that the first row is there.
    pub(crate) fn ended(
        event: &Event<'_>,
        id: EntryId,
        settings: &Settings,
        is_written: bool,
    ) -> Self {
        let mut entry = head(event, id);
        (entry.status, entry.message) = outcome(event);
        entry.http_status = match event.kind() {
            EventKind::Completed { status } => status.map(|status| status.as_u16()),
            EventKind::FirstContact { status }
            | EventKind::Challenge { status }
            | EventKind::Rejected { status } => Some(status.as_u16()),
            _ => None,
        };
        entry.event_name = event.delivery_event().map(|name| entry_text(&name));
        let elapsed = event.elapsed();
        entry.processed_at = event.received_at().checked_add(elapsed);
        entry.processing_ms = u64::try_from(elapsed.as_millis()).ok();
        if is_written {
            return Self::note(entry);
        }
        Self::with_request(entry, event, settings)
    }

    fn with_request(mut entry: Entry, event: &Event<'_>, settings: &Settings) -> Self {
        entry.headers = headers(event, settings);
        let sensitive = SensitiveFields::of(event).map(Box::new);
        Self { entry: Arc::new(entry), body: event.body().map(kept), sensitive }
    }

    /// Whether nothing proves who sent the request.
    pub(crate) fn is_strangers(&self) -> bool {
        !self.entry.verified
    }

    /// `None` when there is nothing left to finish.
    pub(crate) fn body_len(&self) -> Option<usize> {
        self.body.as_ref().map(Bytes::len)
    }

    /// The row then has neither digest nor payload.
    pub(crate) fn drop_body(&mut self) {
        self.body = None;
    }

    /// What it holds of the request's body.
    pub(crate) fn content_len(&self) -> usize {
        self.body_len().or(self.entry.payload.as_ref().map(Bytes::len)).unwrap_or(0)
    }

    /// About as many bytes as it holds.
    pub(crate) fn len(&self) -> usize {
        self.entry.stored_len() + self.body_len().unwrap_or(0)
    }

    /// Hashes, masks and cuts the body, which can take long. Doing it again does nothing.
    pub(crate) fn finish(&mut self, settings: &Settings) {
        let Some(body) = self.body.take() else { return };
        let entry = Arc::make_mut(&mut self.entry);
        entry.body_sha256 = Some(Sha256::digest(&body).into());
        let is_kept = entry.verified || settings.stores_rejected_payloads;
        if !is_kept || settings.payload_limit == 0 {
            return;
        }
        // Before all else: what a mask of the user's leaves is not asked for.
        let body = match &self.sensitive {
            Some(sensitive) => sensitive.hide(&body),
            None => body,
        };
        let masked = match &settings.mask {
            // Before it is cut: half a secret is one too, and half a document is no JSON.
            Some(mask) => catch_panic(|| Bytes::from(mask.apply(&body)))
                .unwrap_or(Bytes::from_static(REDACTED.as_bytes())),
            None => body,
        };
        entry.payload_truncated = masked.len() > settings.payload_limit;
        entry.payload = Some(if entry.payload_truncated {
            // A copy, so that the rest does not stay in memory with it.
            Bytes::copy_from_slice(masked.get(..settings.payload_limit).unwrap_or_default())
        } else {
            masked
        });
    }
}

/// A short body is copied: it may be a piece of the connection's buffer, which could not be used
/// again while the row waits, and is longer.
fn kept(body: &Bytes) -> Bytes {
    const SHORT: usize = 16 << 10;
    if body.len() <= SHORT { Bytes::copy_from_slice(body) } else { body.clone() }
}

/// What the request's head and the verdict say.
fn head(event: &Event<'_>, id: EntryId) -> Entry {
    let mut entry = Entry::new(id, "");
    entry.provider = event.provider().into();
    entry.tenant = event.tenant().map(entry_text);
    entry.method = method(event.method());
    entry.url = event.url();
    entry.body_len = event.body_len().and_then(|len| u64::try_from(len).ok());
    entry.verified = event.verified().is_some();
    entry.reason = event.reason().map(str::to_owned);
    entry.ip = event.client_ip();
    entry.user_agent = event.user_agent();
    entry.request_id = event.request_id();
    entry.delivery_id = event.delivery_id();
    entry.key_index = event.key_index().and_then(|index| u32::try_from(index).ok());
    entry.received_at = Some(event.received_at());
    entry
}

/// No copy of those that are sent.
fn method(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET => "GET".into(),
        Method::POST => "POST".into(),
        Method::PUT => "PUT".into(),
        _ => escape(method.as_str().as_bytes()).into(),
    }
}

/// Status and message.
fn outcome(event: &Event<'_>) -> (Cow<'static, str>, Option<String>) {
    let (status, message) = match event.kind() {
        EventKind::FirstContact { .. } => ("first_contact", None),
        EventKind::Challenge { .. } => ("handshake", None),
        EventKind::RateLimited => ("rate_limited", None),
        EventKind::Rejected { .. } => match event.rejection() {
            Some(rejection) if !rejection.kind().is_authentication_failure() => {
                (ERROR, Some(escape(rejection.to_string().as_bytes())))
            }
            _ => ("unauthorized", Some(REFUSED.to_owned())),
        },
        EventKind::Cancelled if !event.is_dispatched() => ("cancelled", None),
        // However it ended, nothing was proven.
        _ if event.verified().is_none() => ("unverified", Some(REFUSED.to_owned())),
        EventKind::Completed { status } => {
            if let Some(status) = event.status_name() {
                let message = event.message().filter(|message| !message.is_empty());
                return (entry_text(&status).into(), message.map(|message| entry_text(&message)));
            }
            match (event.replay_answer(), status) {
                (Some(ReplayAnswer::Duplicate), _) => (DUPLICATE, None),
                (Some(answer), _) => (ERROR, Some(answer.to_string())),
                (None, Some(status)) if status.is_success() => (SUCCESS, None),
                (None, Some(status)) => {
                    (ERROR, Some(format!("The handler answered {}", status.as_u16())))
                }
                (None, None) => (ERROR, Some("The handler failed".to_owned())),
            }
        }
        EventKind::Panicked => (ERROR, Some("The handler panicked".to_owned())),
        _ => (ERROR, Some("Cancelled before the handler answered".to_owned())),
    };
    (status.into(), message)
}

/// The listed headers, and never what holds a secret: the provider's own, a URL with one.
fn headers(event: &Event<'_>, settings: &Settings) -> Vec<(String, String)> {
    let Some(map) = event.headers() else { return Vec::new() };
    let sensitive = event.sensitive_parts();
    let mut headers: Vec<_> = map
        .keys()
        .filter(|name| settings.headers.contains(name) && !sensitive.has_header(name))
        // Any other one may be what a verifier reads that was not found.
        .filter(|name| !event.is_open() || HEADERS.contains(&name.as_str()))
        .map(|name| (name.as_str().to_owned(), header(event, map.get_all(name))))
        .collect();
    headers.sort_unstable();
    headers
}

fn header(event: &Event<'_>, lines: GetAll<'_, HeaderValue>) -> String {
    let mut value = String::new();
    for (at, line) in lines.iter().enumerate() {
        value.push_str(if at == 0 { "" } else { ", " });
        if event.is_secret(line) {
            value.push_str(REDACTED);
        } else {
            value.push_str(&escape(line.as_bytes()));
        }
    }
    // Escaped, so each byte is a character.
    value.truncate(MAX_TEXT);
    value
}
