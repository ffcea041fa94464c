//! The name of an event, and whether it is the last one of its request.

use http::Method;

use crate::{
    observe::{event::Event, kind::EventKind},
    outcome::{kind::RejectionKind, rejection::Rejection, replay_answer::ReplayAnswer},
};

impl Event<'_> {
    /// Returns the stable name of the event kind.
    ///
    /// | kind | name |
    /// |---|---|
    /// | [`Accepted`](EventKind::Accepted) | `webhook_accepted` |
    /// | [`Cancelled`](EventKind::Cancelled) | `webhook_cancelled` |
    /// | [`Challenge`](EventKind::Challenge) | `webhook_handshake` |
    /// | [`Completed`](EventKind::Completed) | `webhook_completed` |
    /// | [`EventIdNotSigned`](EventKind::EventIdNotSigned) | `webhook_event_id_not_signed` |
    /// | [`Evicted`](EventKind::Evicted) | `webhook_replay_evicted` |
    /// | [`Explained`](EventKind::Explained) | `webhook_explained` |
    /// | [`FirstContact`](EventKind::FirstContact) | `webhook_first_contact` |
    /// | [`GuardRestored`](EventKind::GuardRestored) | `webhook_guard_restored` |
    /// | [`LeaseLost`](EventKind::LeaseLost) | `webhook_lease_lost` |
    /// | [`Panicked`](EventKind::Panicked) | `webhook_panicked` |
    /// | [`RateLimited`](EventKind::RateLimited) | `rate_limit_exceeded` |
    /// | [`Rejected`](EventKind::Rejected) | `invalid_webhook_signature` for an authentication failure, `webhook_unsigned_probe` for a GET or HEAD without a signature (a browser or a health check), `webhook_verification_failed` for a failed challenge, `webhook_config_error` if verification is not possible (store down, clock wrong, verifier panicked), `webhook_body_refused` for a body that is too long, too slow or unreadable, `webhook_overload` if the byte budget is exhausted |
    /// | [`Replay`](EventKind::Replay) | `webhook_duplicate` if the delivery has been handled, `webhook_in_flight` if it is being handled, `webhook_replay_store_failed` if the store failed, `webhook_config_error` if the guard is misconfigured |
    /// | [`RetentionUnbounded`](EventKind::RetentionUnbounded) | `webhook_replay_unbounded` |
    /// | [`Suppressed`](EventKind::Suppressed) | `webhook_events_suppressed` |
    /// | [`Unguardable`](EventKind::Unguardable) | `webhook_unguardable` |
    /// | [`Unguarded`](EventKind::Unguarded) | `webhook_unguarded` |
    /// | [`Unsettled`](EventKind::Unsettled) | `webhook_unsettled` |
    /// | [`Unverified`](EventKind::Unverified) | as for [`Rejected`](EventKind::Rejected) |
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind() {
            EventKind::Accepted => "webhook_accepted",
            EventKind::Cancelled => "webhook_cancelled",
            EventKind::Completed { .. } => "webhook_completed",
            EventKind::EventIdNotSigned => "webhook_event_id_not_signed",
            EventKind::Evicted { .. } => "webhook_replay_evicted",
            EventKind::Explained => "webhook_explained",
            EventKind::FirstContact { .. } => "webhook_first_contact",
            EventKind::GuardRestored { .. } => "webhook_guard_restored",
            EventKind::Challenge { .. } => "webhook_handshake",
            EventKind::LeaseLost => "webhook_lease_lost",
            EventKind::Panicked => "webhook_panicked",
            EventKind::RateLimited => "rate_limit_exceeded",
            EventKind::RetentionUnbounded => "webhook_replay_unbounded",
            EventKind::Suppressed { .. } => "webhook_events_suppressed",
            EventKind::Unguardable => "webhook_unguardable",
            EventKind::Unguarded { .. } => "webhook_unguarded",
            EventKind::Unsettled => "webhook_unsettled",
            EventKind::Replay(answer) => match answer {
                ReplayAnswer::Duplicate => "webhook_duplicate",
                ReplayAnswer::InFlight => "webhook_in_flight",
                ReplayAnswer::NothingSigned | ReplayAnswer::NotVerified => "webhook_config_error",
                ReplayAnswer::StoreFailed => "webhook_replay_store_failed",
            },
            EventKind::Rejected { .. } | EventKind::Unverified => {
                match self.rejection().map_or(RejectionKind::SignatureMismatch, Rejection::kind) {
                    RejectionKind::ChallengeFailed
                    | RejectionKind::ChallengeMalformed
                    | RejectionKind::ChallengeUnexpected => "webhook_verification_failed",
                    RejectionKind::ClockUnreliable
                    | RejectionKind::VerifierPanicked
                    | RejectionKind::VerifierUnavailable => "webhook_config_error",
                    RejectionKind::BodyTimeout
                    | RejectionKind::BodyTooLarge
                    | RejectionKind::BodyUnreadable => "webhook_body_refused",
                    RejectionKind::Overloaded => "webhook_overload",
                    RejectionKind::Missing
                        if matches!(*self.method(), Method::GET | Method::HEAD) =>
                    {
                        "webhook_unsigned_probe"
                    }
                    _ => "invalid_webhook_signature",
                }
            }
        }
    }

    /// Returns `true` if this is the last event of its request.
    ///
    /// [`Explained`](EventKind::Explained) may follow it.
    ///
    /// `RateLimited` is the last one unless a layer below reports it for a dispatched request,
    /// whose response is still to come.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self.kind() {
            EventKind::Cancelled
            | EventKind::Completed { .. }
            | EventKind::FirstContact { .. }
            | EventKind::Challenge { .. }
            | EventKind::Panicked
            | EventKind::Rejected { .. } => true,
            EventKind::RateLimited => !self.is_dispatched(),
            EventKind::Accepted
            | EventKind::EventIdNotSigned
            | EventKind::Evicted { .. }
            | EventKind::Explained
            | EventKind::GuardRestored { .. }
            | EventKind::LeaseLost
            | EventKind::RetentionUnbounded
            | EventKind::Suppressed { .. }
            | EventKind::Unguardable
            | EventKind::Unguarded { .. }
            | EventKind::Unsettled
            | EventKind::Unverified
            | EventKind::Replay(_) => false,
        }
    }
}
