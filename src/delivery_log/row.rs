//! Conversion of events to rows.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, header::GetAll};
use sha2::{Digest, Sha256};

use crate::{
    delivery_log::{
        annotation::Annotation,
        entry::{Entry, RECEIVED},
        id::EntryId,
        redact_body::SensitiveFields,
        redact_json::REDACTED,
        settings::{HEADERS, Settings},
        text::{MAX_TEXT, entry_text},
    },
    observe::{event::Event, kind::EventKind},
    outcome::{redact::text::escape, replay_answer::ReplayAnswer},
    panic::catch_panic,
};

const SUCCESS: &str = "success";
const ERROR: &str = "error";
const DUPLICATE: &str = "duplicate";
/// Message of every authentication failure. The column `reason` has the reason.
const REFUSED: &str = "Signature verification failed";

/// Row that is not finished yet, and the body that is still to be hashed, masked and truncated.
/// This work does not run on the request's own task.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Shared with the store while the store writes the row.
    pub(crate) entry: Arc<Entry>,
    body: Option<Bytes>,
    sensitive: Option<Box<SensitiveFields>>,
}

impl Draft {
    pub(crate) fn without_body(entry: Entry) -> Self {
        Self { entry: Arc::new(entry), body: None, sensitive: None }
    }

    #[cfg(test)]
    pub(crate) fn with_body(entry: Entry, body: Bytes) -> Self {
        Self { entry: Arc::new(entry), body: Some(body), sensitive: None }
    }

    /// Returns `true` if the row is a note. Only notes have a count.
    pub(crate) fn is_note(&self) -> bool {
        self.entry.count.is_some()
    }

    /// Creates the first row of a request that goes to the inner service.
    pub(crate) fn received(event: &Event<'_>, id: EntryId, settings: &Settings) -> Self {
        let mut entry = head(event, id);
        entry.status = RECEIVED.into();
        Self::with_request(entry, event, settings)
    }

    /// Creates the row of a request that has ended. `is_written` means that the first row is in the
    /// store.
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
            return Self::without_body(entry);
        }
        Self::with_request(entry, event, settings)
    }

    fn with_request(mut entry: Entry, event: &Event<'_>, settings: &Settings) -> Self {
        entry.headers = headers(event, settings);
        let sensitive = SensitiveFields::of(event).map(Box::new);
        Self { entry: Arc::new(entry), body: event.body().map(kept), sensitive }
    }

    /// Returns `true` if the request is not verified, so that anyone may have sent it.
    pub(crate) fn is_strangers(&self) -> bool {
        !self.entry.verified
    }

    /// Returns the length of the body, or `None` if there is nothing left to finish.
    pub(crate) fn body_len(&self) -> Option<usize> {
        self.body.as_ref().map(Bytes::len)
    }

    /// Removes the body. The row then has neither digest nor payload.
    pub(crate) fn drop_body(&mut self) {
        self.body = None;
    }

    /// Returns the number of bytes of the request body that the row holds.
    pub(crate) fn content_len(&self) -> usize {
        self.body_len().or(self.entry.payload.as_ref().map(Bytes::len)).unwrap_or(0)
    }

    /// Returns the approximate number of bytes that the row holds.
    pub(crate) fn len(&self) -> usize {
        self.entry.stored_len() + self.body_len().unwrap_or(0)
    }

    /// Hashes, masks and truncates the body, which can take long. A second call does nothing.
    pub(crate) fn finish(&mut self, settings: &Settings) {
        let Some(body) = self.body.take() else { return };
        let entry = Arc::make_mut(&mut self.entry);
        entry.body_sha256 = Some(Sha256::digest(&body).into());
        let is_kept = entry.verified || settings.stores_rejected_payloads;
        if !is_kept || settings.payload_limit == 0 {
            return;
        }
        // Secrets of the verifier are redacted first, so that this does not depend on the user's
        // mask.
        let body = match &self.sensitive {
            Some(sensitive) => sensitive.hide(&body),
            None => body,
        };
        let masked = match &settings.mask {
            // Masked before truncation: half a secret is a secret, too, and half a document is not
            // valid JSON.
            Some(mask) => catch_panic(|| Bytes::from(mask.apply(&body)))
                .unwrap_or(Bytes::from_static(REDACTED.as_bytes())),
            None => body,
        };
        entry.payload_truncated = masked.len() > settings.payload_limit;
        entry.payload = Some(if entry.payload_truncated {
            // A copy, so that the rest of the body is freed.
            Bytes::copy_from_slice(masked.get(..settings.payload_limit).unwrap_or_default())
        } else {
            masked
        });
    }
}

/// Returns the body to keep. A short body is copied: it may be a slice of the connection's buffer,
/// which is longer and could not be reused while the row waits.
fn kept(body: &Bytes) -> Bytes {
    const SHORT: usize = 16 << 10;
    if body.len() <= SHORT { Bytes::copy_from_slice(body) } else { body.clone() }
}

/// Creates a row from the request head and the result of verification.
fn head(event: &Event<'_>, id: EntryId) -> Entry {
    let mut entry = Entry::new(id, "");
    entry.provider = event.provider().into();
    entry.tenant = event.tenant().map(entry_text);
    entry.method = method(event.method());
    entry.url = event.url();
    entry.body_len = event.body_len().and_then(|len| u64::try_from(len).ok());
    entry.verified = event.verified().is_some();
    entry.reason = event.reason().map(str::to_owned);
    if let Some(summary) = event.attempt().explained.summary_for_tenant() {
        entry.annotate(&Annotation::new(&summary));
    }
    entry.ip = event.client_ip();
    entry.user_agent = event.user_agent();
    entry.request_id = event.request_id();
    entry.delivery_id = event.delivery_id();
    entry.key_index = event.key_index().and_then(|index| u32::try_from(index).ok());
    entry.received_at = Some(event.received_at());
    entry
}

/// Returns the name of the method, without a copy for the common ones.
fn method(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET => "GET".into(),
        Method::POST => "POST".into(),
        Method::PUT => "PUT".into(),
        _ => escape(method.as_str().as_bytes()).into(),
    }
}

/// Returns the status and the message.
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
        // The request was not verified, however it ended.
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
                    (ERROR, Some(format!("The handler responded with {}", status.as_u16())))
                }
                (None, None) => (ERROR, Some("The handler returned an error".to_owned())),
            }
        }
        EventKind::Panicked => (ERROR, Some("The handler panicked".to_owned())),
        _ => (ERROR, Some("Cancelled before the handler responded".to_owned())),
    };
    (status.into(), message)
}

/// Returns the listed headers without the provider's sensitive ones. Values that contain a secret
/// are redacted.
fn headers(event: &Event<'_>, settings: &Settings) -> Vec<(String, String)> {
    let Some(map) = event.headers() else { return Vec::new() };
    let sensitive = event.sensitive_parts();
    let mut headers: Vec<_> = map
        .keys()
        .filter(|name| settings.headers.contains(name) && !sensitive.has_header(name))
        // Without a verifier, any other header may be the one that holds the signature.
        .filter(|name| !event.is_open() || HEADERS.contains(&name.as_str()))
        .map(|name| (name.as_str().to_owned(), header(event, map.get_all(name))))
        .collect();
    headers.sort_unstable();
    headers
}

fn header(event: &Event<'_>, lines: GetAll<'_, HeaderValue>) -> String {
    let shown = |line: &HeaderValue| {
        if event.is_secret(line) { REDACTED.to_owned() } else { escape(line.as_bytes()) }
    };
    let mut lines = lines.iter().map(shown);
    let mut value = lines.next().unwrap_or_default();
    for line in lines {
        value.push_str(", ");
        value.push_str(&line);
    }
    // The value is escaped ASCII, so each byte is a character.
    value.truncate(MAX_TEXT);
    value
}
