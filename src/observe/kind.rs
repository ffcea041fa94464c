//! The kinds of events.

use http::StatusCode;

use crate::outcome::replay_answer::ReplayAnswer;

/// Kind of an [`Event`](super::Event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The request is authentic and is forwarded to the inner service.
    ///
    /// Event name: `webhook_accepted`.
    Accepted,
    /// The request was dropped before its end: the client disconnected, or an outer layer gave up.
    ///
    /// Event name: `webhook_cancelled`.
    Cancelled,
    /// The inner service has responded.
    ///
    /// Event name: `webhook_completed`.
    Completed {
        /// Status of the response; `None` if the inner service returned an error.
        status: Option<StatusCode>,
    },
    /// The replay guard identifies deliveries [by an ID in the
    /// body](crate::replay::ReplayLayer::event_id), but the signature does not cover the body.
    ///
    /// The delivery keeps its default replay key. Each guard reports this once.
    ///
    /// Event name: `webhook_event_id_not_signed`.
    EventIdNotSigned,
    /// The replay store evicted handled deliveries before they expired, to make room.
    ///
    /// If an evicted delivery is repeated, it is handled again.
    ///
    /// Event name: `webhook_replay_evicted`.
    Evicted {
        /// Number of evicted deliveries since the last report.
        count: u64,
    },
    /// The cause of a rejection was searched, with the feature `explain`. The layer explains a few
    /// rejections a minute, on a thread of its own, within about a second after it has responded.
    ///
    /// It has the [explanation](super::Event::explanation), and follows
    /// [`Rejected`](Self::Rejected) or [`Unverified`](Self::Unverified), also as the last event of
    /// its request.
    ///
    /// Event name: `webhook_explained`.
    Explained,
    /// The layer responded to an unsigned [first contact](crate::scheme::FirstContact) instead of
    /// the handler.
    ///
    /// Event name: `webhook_first_contact`.
    FirstContact {
        /// Status of the response.
        status: StatusCode,
    },
    /// The replay store responds again, a second or more after the last unguarded request.
    ///
    /// Event name: `webhook_guard_restored`.
    GuardRestored {
        /// Number of requests that were dispatched unguarded during the outage.
        count: u64,
    },
    /// The layer responded to a [challenge](crate::scheme::Challenge) instead of the handler.
    ///
    /// Event name: `webhook_handshake`.
    Challenge {
        /// Status of the response.
        status: StatusCode,
    },
    /// The handler ran longer than the lease of the replay guard.
    ///
    /// A repetition of the delivery may have been handled at the same time.
    ///
    /// Event name: `webhook_lease_lost`.
    LeaseLost,
    /// The inner service panicked.
    ///
    /// Event name: `webhook_panicked`.
    Panicked,
    /// A custom layer rejected the request because there were too many requests.
    ///
    /// Event name: `rate_limit_exceeded`.
    RateLimited,
    /// The request was rejected.
    ///
    /// Event names: `invalid_webhook_signature`, `webhook_unsigned_probe`,
    /// `webhook_verification_failed`, `webhook_config_error`, `webhook_body_refused` or
    /// `webhook_overload`; see [`Event::name`](super::Event::name).
    Rejected {
        /// Status of the response.
        status: StatusCode,
    },
    /// The replay guard keeps deliveries until the store is full, because the verifier accepts them
    /// indefinitely and no [retention](crate::replay::ReplayLayer::retention) is set.
    ///
    /// Each guard reports this once.
    ///
    /// Event name: `webhook_replay_unbounded`.
    RetentionUnbounded,
    /// [`Throttled`](super::Throttled) has suppressed events since its last report.
    ///
    /// Event name: `webhook_events_suppressed`.
    Suppressed {
        /// Number of suppressed events.
        count: u64,
    },
    /// The replay guard dispatches deliveries unguarded, because two authentic ones can have the
    /// same signed content; see
    /// [`Verified::has_unique_replay_key`](crate::Verified::has_unique_replay_key).
    ///
    /// Each guard reports this once.
    ///
    /// Event name: `webhook_unguardable`.
    Unguardable,
    /// The replay store failed and the guard [fails
    /// open](crate::replay::ReplayLayer::dangerously_fail_open): repetitions are dispatched, too.
    ///
    /// The first request of an outage reports this, and then one request a minute while the outage
    /// lasts.
    ///
    /// Event name: `webhook_unguarded`.
    Unguarded {
        /// Number of requests dispatched unguarded since the last report, including this one.
        count: u64,
    },
    /// The handler has responded, but the replay store could not record it.
    ///
    /// If the delivery is repeated, it is handled again once its lease has expired.
    ///
    /// Event name: `webhook_unsettled`.
    Unsettled,
    /// The request failed verification and is forwarded to the inner service anyway, because the
    /// layer is in [report-only mode](crate::SignatureLayer::dangerously_report_only).
    ///
    /// Event name: as for [`Rejected`](Self::Rejected).
    Unverified,
    /// The replay guard responded instead of the handler.
    ///
    /// The layer above treats this response as the inner service's: [`Completed`](Self::Completed)
    /// follows.
    ///
    /// Event names: `webhook_duplicate`, `webhook_in_flight`, `webhook_replay_store_failed` or
    /// `webhook_config_error`; see [`Event::name`](super::Event::name).
    Replay(ReplayAnswer),
}
