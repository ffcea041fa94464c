//! The kinds of events.

use http::StatusCode;

use crate::outcome::replay_answer::ReplayAnswer;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The request is genuine, and goes to the inner service.
    Accepted,
    /// The request was dropped before its end: its sender went away, or a layer above gave up.
    Cancelled,
    /// The inner service has answered.
    Completed {
        /// Its status; `None` when it failed with an error of its own.
        status: Option<StatusCode>,
    },
    /// The replay guard knows deliveries [by an id in the body](crate::replay::ReplayLayer::event_id), and the signature
    /// does not cover the body: the delivery has its usual key. Each guard reports it once.
    EventIdNotSigned,
    /// The replay store forgot handled deliveries before their time, to make room. Should one of
    /// them come again now, it is handled again.
    Evicted {
        /// How many since it last spoke.
        count: u64,
    },
    /// An unsigned [first contact](crate::scheme::FirstContact) was answered in the handler's place.
    FirstContact {
        /// The answer's status.
        status: StatusCode,
    },
    /// The replay store answers again, a second or more after the last unguarded request.
    GuardRestored {
        /// How many requests passed unguarded during the outage.
        count: u64,
    },
    /// An ownership challenge was answered in the handler's place.
    Challenge {
        /// The answer's status.
        status: StatusCode,
    },
    /// The handler took longer than the replay guard's lease, so a repetition of the delivery may
    /// have been handled beside it.
    LeaseLost,
    /// The inner service panicked.
    Panicked,
    /// A layer of yours refused the request because there were too many.
    RateLimited,
    /// The request was refused.
    Rejected {
        /// The answer's status.
        status: StatusCode,
    },
    /// The replay guard remembers deliveries without end, because the verifier would accept them for
    /// ever and no [retention](crate::replay::ReplayLayer::retention) is set. Each guard reports it
    /// once.
    RetentionUnbounded,
    /// [`Throttled`](super::Throttled) kept events back since it last spoke.
    Suppressed {
        /// How many.
        count: u64,
    },
    /// The replay guard lets deliveries pass, because two genuine ones can be signed alike; see
    /// [`Verified::has_unique_replay_key`](crate::Verified::has_unique_replay_key). Each guard reports it once.
    Unguardable,
    /// The replay store failed and the guard [fails
    /// open](crate::replay::ReplayLayer::dangerously_fail_open): repetitions are dispatched, too. The
    /// first request of an outage reports it, and one request a minute while it goes on.
    Unguarded {
        /// How many requests passed unguarded since the last report, this one included.
        count: u64,
    },
    /// The handler has answered, and the replay store could not be told. Should the delivery come
    /// again, it is handled again once its lease has run out.
    Unsettled,
    /// The request is not proven genuine and goes to the inner service all the same, because the
    /// layer only reports.
    Unverified,
    /// The replay guard answered in the handler's place. The layer above takes that for the inner
    /// service's answer: [`Completed`](Self::Completed) follows.
    Replay(ReplayAnswer),
}
