//! The kinds of events.

use http::StatusCode;

use crate::outcome::replay_answer::ReplayAnswer;

/// Kind of an [`Event`](super::Event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The request is authentic and is forwarded to the inner service.
    Accepted,
    /// The request was dropped before its end: the client disconnected, or an outer layer gave up.
    Cancelled,
    /// The inner service has responded.
    Completed {
        /// Status of the response; `None` if the inner service returned an error.
        status: Option<StatusCode>,
    },
    /// The replay guard identifies deliveries [by an ID in the
    /// body](crate::replay::ReplayLayer::event_id), but the signature does not cover the body.
    ///
    /// The delivery keeps its default replay key. Each guard reports this once.
    EventIdNotSigned,
    /// The replay store evicted handled deliveries before they expired, to make room.
    ///
    /// If an evicted delivery is repeated, it is handled again.
    Evicted {
        /// Number of evicted deliveries since the last report.
        count: u64,
    },
    /// The layer responded to an unsigned [first contact](crate::scheme::FirstContact) instead of
    /// the handler.
    FirstContact {
        /// Status of the response.
        status: StatusCode,
    },
    /// The replay store responds again, a second or more after the last unguarded request.
    GuardRestored {
        /// Number of requests that were dispatched unguarded during the outage.
        count: u64,
    },
    /// The layer responded to a [challenge](crate::scheme::Challenge) instead of the handler.
    Challenge {
        /// Status of the response.
        status: StatusCode,
    },
    /// The handler ran longer than the lease of the replay guard.
    ///
    /// A repetition of the delivery may have been handled at the same time.
    LeaseLost,
    /// The inner service panicked.
    Panicked,
    /// A custom layer rejected the request because there were too many requests.
    RateLimited,
    /// The request was rejected.
    Rejected {
        /// Status of the response.
        status: StatusCode,
    },
    /// The replay guard keeps deliveries indefinitely, because the verifier accepts them
    /// indefinitely and no [retention](crate::replay::ReplayLayer::retention) is set.
    ///
    /// Each guard reports this once.
    RetentionUnbounded,
    /// [`Throttled`](super::Throttled) has suppressed events since its last report.
    Suppressed {
        /// Number of suppressed events.
        count: u64,
    },
    /// The replay guard dispatches deliveries unguarded, because two authentic ones can have the
    /// same signed content; see
    /// [`Verified::has_unique_replay_key`](crate::Verified::has_unique_replay_key).
    ///
    /// Each guard reports this once.
    Unguardable,
    /// The replay store failed and the guard [fails
    /// open](crate::replay::ReplayLayer::dangerously_fail_open): repetitions are dispatched, too.
    ///
    /// The first request of an outage reports this, and then one request a minute while the outage
    /// lasts.
    Unguarded {
        /// Number of requests dispatched unguarded since the last report, including this one.
        count: u64,
    },
    /// The handler has responded, but the replay store could not record it.
    ///
    /// If the delivery is repeated, it is handled again once its lease has expired.
    Unsettled,
    /// The request failed verification and is forwarded to the inner service anyway, because the
    /// layer is in [report-only mode](crate::SignatureLayer::dangerously_report_only).
    Unverified,
    /// The replay guard responded instead of the handler.
    ///
    /// The layer above treats this response as the inner service's: [`Completed`](Self::Completed)
    /// follows.
    Replay(ReplayAnswer),
}
