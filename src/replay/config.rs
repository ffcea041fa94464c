//! The settings of the replay guard, and its decisions.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Extensions, HeaderValue, Response, StatusCode, header};

use crate::{
    observe::kind::EventKind,
    outcome::{
        event_id::EventId,
        replay_answer::ReplayAnswer,
        replay_key::{ReplayKey, Scope},
        response::grpc_status,
        verified::{Unverified, Verified},
    },
    parse::json::json_path,
    replay::{outage::Outage, store::StoreError},
};

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) scope: Scope,
    pub(crate) lease: Duration,
    pub(crate) retention: Option<Duration>,
    pub(crate) body_only: Vec<&'static str>,
    pub(crate) event_id: Option<KnownBy>,
    pub(crate) duplicate_status: StatusCode,
    pub(crate) fails_open: bool,
    pub(crate) said: Arc<Said>,
    pub(crate) outage: Outage,
}

/// Events that each guard reports once.
#[derive(Default)]
pub(crate) struct Said {
    unguardable: AtomicBool,
    event_id_not_signed: AtomicBool,
    unbounded: AtomicBool,
    /// Limits the log lines about requests that no layer has verified.
    #[cfg(feature = "tracing")]
    pub(crate) not_verified: std::sync::Mutex<crate::observe::window::Window>,
}

/// Maximum length of an event ID, in bytes.
const MAX_EVENT_ID: usize = 256;

type OwnId = dyn Fn(&Verified, &Bytes) -> Option<String> + Send + Sync;

/// Source of the event ID in a signed body.
#[derive(Clone)]
pub(crate) enum KnownBy {
    OfProvider,
    Own(Arc<OwnId>),
}

/// Key and retention of a delivery that is guarded.
pub(crate) struct Guarded {
    pub(crate) key: ReplayKey,
    pub(crate) retention: Duration,
}

/// Minimum retention before `SKEW` is added: twice the usual tolerance.
const MIN_RETENTION: Duration = Duration::from_secs(2 * 300);

/// Added to the tolerance: a clock that is set back by up to this time makes no expired delivery
/// acceptable again.
const SKEW: Duration = Duration::from_secs(3600);

impl Config {
    /// Returns the key and the retention of the delivery; `None` if it passes unguarded.
    ///
    /// Calls `say` once for each problem that the operator should fix.
    pub(crate) fn decide(
        &self,
        extensions: &Extensions,
        say: impl Fn(EventKind),
    ) -> Result<Option<Guarded>, ReplayAnswer> {
        let Some(verified) = extensions.get::<Verified>() else {
            // Only a layer in report-only mode inserts this marker.
            let is_report_only = extensions.get::<Unverified>().is_some();
            return if is_report_only { Ok(None) } else { Err(ReplayAnswer::NotVerified) };
        };
        let once = |said: &AtomicBool, kind| {
            if !said.load(Ordering::Relaxed) && !said.swap(true, Ordering::Relaxed) {
                say(kind);
            }
        };
        let event = self.event(verified, || {
            once(&self.said.event_id_not_signed, EventKind::EventIdNotSigned);
        });
        if let Some((key, retention)) = event {
            let retention = self.retention(verified, retention).unwrap_or_else(|| {
                once(&self.said.unbounded, EventKind::RetentionUnbounded);
                Duration::MAX
            });
            return Ok(Some(Guarded { key, retention }));
        }
        // Without unique signed content, two authentic deliveries can be identical.
        if !verified.has_unique_replay_key() && !self.body_only.contains(&verified.provider()) {
            once(&self.said.unguardable, EventKind::Unguardable);
            return Ok(None);
        }
        let key = verified.scoped_replay_key(&self.scope).ok_or(ReplayAnswer::NothingSigned)?;
        let retention = self.retention(verified, None).unwrap_or_else(|| {
            once(&self.said.unbounded, EventKind::RetentionUnbounded);
            Duration::MAX
        });
        Ok(Some(Guarded { key, retention }))
    }

    /// Returns how long a delivery is kept; `None` if indefinitely.
    ///
    /// The time is longer than the verifier accepts the same bytes: otherwise a replay at the edge
    /// of the window would find the delivery expired.
    fn retention(&self, verified: &Verified, least: Option<Duration>) -> Option<Duration> {
        let set = self.retention.into_iter().chain(least).max();
        match verified.valid_for() {
            Some(time) => {
                let time = time.max(MIN_RETENTION).saturating_add(SKEW);
                Some(time.max(set.unwrap_or_default()))
            }
            None => set,
        }
    }

    /// Returns the key of the event that the signed body names, and its minimum retention.
    fn event(
        &self,
        verified: &Verified,
        not_signed: impl FnOnce(),
    ) -> Option<(ReplayKey, Option<Duration>)> {
        let event_id = self.event_id.as_ref()?;
        // A signed delivery ID takes precedence.
        if verified.delivery_id_is_signed() {
            return None;
        }
        let body = verified.body()?;
        if !verified.body_is_signed() {
            not_signed();
            return None;
        }
        let (id, least) = match event_id {
            KnownBy::Own(id) => (id(verified, body)?, None),
            KnownBy::OfProvider => {
                let EventId { path, retention_secs } = verified.event_id?;
                (json_path(body, path)?, Some(Duration::from_secs(retention_secs.into())))
            }
        };
        let is_in_form = (1..=MAX_EVENT_ID).contains(&id.len());
        is_in_form.then(|| (verified.scoped_event_key(&self.scope, &id), least))
    }

    pub(crate) fn answer(&self, answer: Answer, grpc: Option<HeaderValue>) -> Response<Bytes> {
        let kind = answer.kind;
        let status = kind.status(self.duplicate_status);
        let mut response = match grpc {
            Some(content_type) => grpc_status(kind.grpc_status(), content_type),
            None => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = status;
                response
            }
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // 5 to 30 seconds, spread by the key, so that not all senders retry at the same time.
            let spread = answer.key.and_then(|key| key.as_ref().first().copied());
            let seconds = 5 + u16::from(spread.unwrap_or_default() % 26);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(kind);
        if let Some(error) = answer.error {
            response.extensions_mut().insert(error);
        }
        response
    }
}

/// Response that the guard sends instead of calling the handler.
pub(crate) struct Answer {
    pub(crate) kind: ReplayAnswer,
    pub(crate) key: Option<ReplayKey>,
    pub(crate) error: Option<StoreError>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("lease", &self.lease)
            .field("retention", &self.retention)
            .field("body_only", &self.body_only)
            .field("has_event_id", &self.event_id.is_some())
            .field("duplicate_status", &self.duplicate_status)
            .field("fails_open", &self.fails_open)
            .finish_non_exhaustive()
    }
}
