//! Type of a vendor's delivery policy: retries, signed timestamps, body sizes and statuses.

use std::time::Duration;

use http::StatusCode;

use crate::{
    outcome::event_id::EventId, parse::tolerance::Tolerance, verifier::defaults::VerifierDefaults,
};

/// A vendor's documented delivery policy: the retry schedule, the largest body, and the statuses
/// that matter.
///
/// [`Provider::delivery_policy`](super::Provider::delivery_policy) returns it. The verifier's
/// defaults follow from it:
///
/// - **Signed timestamp.** If each attempt is re-signed, the timestamp can be as old as the
///   vendor's own window, which is 5 minutes unless documented. The same holds if the vendor's
///   documentation or library tells receivers to keep a window, unless retries are known to repeat
///   the timestamp of the first attempt. In all other cases, the timestamp can be as old as the
///   whole retry schedule and a tenth of it, or 24 hours if no schedule is known, and never more
///   than 7 days. It can be at most 5 minutes ahead.
/// - **Body limit.** The vendor's documented maximum, and at least 2 MiB. If no maximum is
///   documented, the limit of [`VerifierDefaults::DEFAULT`].
/// - **Status.** `403 Forbidden`, unless the vendor's own test demands another status.
///
/// If a signed timestamp can be older than 5 minutes, a captured delivery can be sent again for as
/// long. A [`ReplayLayer`](crate::replay::ReplayLayer) remembers the delivery for longer than that,
/// if the delivery is [unique](crate::Verified::has_unique_replay_key) or the layer [names the
/// provider](crate::replay::ReplayLayer::guard_body_only).
#[derive(Clone, Copy, Debug)]
pub struct DeliveryPolicy {
    pub(crate) name: &'static str,
    pub(crate) retries: Retries,
    signed_anew: Option<bool>,
    signed_anew_source: &'static str,
    window: Option<u64>,
    window_source: &'static str,
    covers_body: bool,
    max_body: Option<usize>,
    max_body_source: &'static str,
    status: Option<StatusCode>,
    status_source: &'static str,
    retries_refused: Option<bool>,
    retried_status: Option<u16>,
    refused_source: &'static str,
    event_id: Option<&'static str>,
    event_id_source: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Retries {
    /// The provider signs no timestamp, and no search for a schedule was made.
    Unasked,
    Unknown,
    Known {
        seconds: u64,
        source: &'static str,
    },
}

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

const MINUTES_5: u64 = 5 * MINUTE;
/// The smallest default body limit, in bytes: a documented maximum does not include the envelope.
const MIN_BODY_LIMIT: usize = 2 * MIB;

impl DeliveryPolicy {
    /// The policy of a vendor about which nothing is known.
    ///
    /// Each fact needs its source. Schedules run from the first attempt to the last. Durations are
    /// those of the provider's live environment.
    pub(crate) const UNKNOWN: Self = Self {
        name: "",
        retries: Retries::Unasked,
        signed_anew: None,
        signed_anew_source: "",
        window: None,
        window_source: "",
        covers_body: true,
        max_body: None,
        max_body_source: "",
        status: None,
        status_source: "",
        retries_refused: None,
        retried_status: None,
        refused_source: "",
        event_id: None,
        event_id_source: "",
    };

    /// Returns the policy of this provider.
    pub(crate) const fn of(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Sets the time from the first attempt to the last.
    pub(crate) const fn retried_for(mut self, seconds: u64, source: &'static str) -> Self {
        self.retries = Retries::Known { seconds, source };
        self
    }

    /// Records that a search found no retry schedule.
    pub(crate) const fn unknown_retries(mut self) -> Self {
        self.retries = Retries::Unknown;
        self
    }

    /// Sets whether each attempt carries a new signed timestamp.
    pub(crate) const fn signs_anew(mut self, is: bool, source: &'static str) -> Self {
        self.signed_anew = Some(is);
        self.signed_anew_source = source;
        self
    }

    /// Sets the vendor's own limit for the age of a signed timestamp.
    pub(crate) const fn window(mut self, seconds: u64, source: &'static str) -> Self {
        self.window = Some(seconds);
        self.window_source = source;
        self
    }

    /// Marks a signature that does not cover the body, so that the window stays short.
    pub(crate) const fn leaves_body_open(mut self) -> Self {
        self.covers_body = false;
        self
    }

    /// Sets the largest body in bytes that the vendor documents.
    pub(crate) const fn largest_body(mut self, bytes: usize, source: &'static str) -> Self {
        self.max_body = Some(bytes);
        self.max_body_source = source;
        self
    }

    /// Sets the status that the vendor's own test demands.
    pub(crate) const fn demands(mut self, status: StatusCode, source: &'static str) -> Self {
        self.status = Some(status);
        self.status_source = source;
        self
    }

    /// Sets the field of the signed JSON body that holds the event's ID: its name, or a path such
    /// as `data.id`.
    ///
    /// The ID stays the same when a delivery is retried.
    pub(crate) const fn known_by(mut self, path: &'static str, source: &'static str) -> Self {
        self.event_id = Some(path);
        self.event_id_source = source;
        self
    }

    /// Records that the vendor retries a delivery that was rejected with a 4xx status.
    pub(crate) const fn comes_again(mut self, source: &'static str) -> Self {
        self.retries_refused = Some(true);
        self.refused_source = source;
        self
    }

    /// Records that the vendor does not retry a delivery that was rejected with a 403, and the
    /// status after which it does.
    pub(crate) const fn gives_up(
        mut self,
        retried_status: Option<u16>,
        source: &'static str,
    ) -> Self {
        self.retries_refused = Some(false);
        self.retried_status = retried_status;
        self.refused_source = source;
        self
    }
}

impl DeliveryPolicy {
    /// Returns the provider's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the time from a delivery's first attempt to its last, or `None` if no schedule is
    /// documented.
    #[must_use]
    pub const fn retry_schedule(&self) -> Option<Duration> {
        match self.retries {
            Retries::Known { seconds, .. } => Some(Duration::from_secs(seconds)),
            Retries::Unasked | Retries::Unknown => None,
        }
    }

    /// Returns whether each attempt carries a new signed timestamp, or `None` if that is unknown.
    #[must_use]
    pub const fn is_signed_anew(&self) -> Option<bool> {
        self.signed_anew
    }

    /// Returns the largest body in bytes that the vendor documents.
    #[must_use]
    pub const fn max_body(&self) -> Option<usize> {
        self.max_body
    }

    /// Returns the field of the JSON body that holds the event's ID: its name, or a path such as
    /// `data.id`.
    ///
    /// Returns `None` if the vendor documents no ID that stays the same when a delivery is retried.
    #[must_use]
    pub const fn event_id(&self) -> Option<&'static str> {
        self.event_id
    }

    /// Returns whether a delivery that was rejected with [403](StatusCode::FORBIDDEN) is retried,
    /// or `None` if that is unknown.
    #[must_use]
    pub const fn retries_refused(&self) -> Option<bool> {
        self.retries_refused
    }

    /// Returns the status after which a rejected delivery is retried, if a 403 ends the retries.
    ///
    /// Pass it to [`rejection_status`](crate::SignatureLayer::rejection_status). Returns `None` if
    /// the vendor has no such status.
    #[must_use]
    pub fn retried_status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.retried_status?).ok()
    }

    /// Returns the sources of the known facts, each with the name of its fact.
    pub fn sources(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let retries = match self.retries {
            Retries::Known { source, .. } => source,
            Retries::Unasked | Retries::Unknown => "",
        };
        let facts = [
            ("retry_schedule", retries),
            ("is_signed_anew", self.signed_anew_source),
            ("tolerance", self.window_source),
            ("max_body", self.max_body_source),
            ("status", self.status_source),
            ("retries_refused", self.refused_source),
            ("event_id", self.event_id_source),
        ];
        facts.into_iter().filter(|(_, source)| !source.is_empty())
    }

    /// Returns how far a signed timestamp can be off by default, by the rules of [this type](Self).
    ///
    /// It is meaningful only for providers that sign a timestamp.
    #[must_use]
    pub const fn tolerance(&self) -> Tolerance {
        let window = match self.window {
            Some(seconds) => seconds,
            None => MINUTES_5,
        };
        let is_short = match (self.signed_anew, self.window) {
            _ if !self.covers_body => true,
            (Some(is), _) => is,
            // The vendor's own receivers would otherwise reject its retries.
            (None, window) => window.is_some(),
        };
        let past = if is_short { window } else { self.past_retries() };
        Tolerance::new(Duration::from_secs(past), Duration::from_secs(MINUTES_5))
    }

    /// Returns the tolerance that accepts each documented retry with the bytes of the first
    /// attempt.
    pub(crate) const fn tolerance_of_retries(&self) -> Tolerance {
        Self { covers_body: true, signed_anew: Some(false), ..*self }.tolerance()
    }

    /// Returns the place of the event's ID in the body, and how long the replay guard remembers the
    /// ID: as long as a delivery can be retried.
    pub(crate) const fn event(&self) -> Option<EventId> {
        match self.event_id {
            Some(path) => {
                let seconds = self.past_retries();
                assert!(seconds <= u32::MAX as u64, "a retry schedule ends within a century");
                #[expect(clippy::cast_possible_truncation, reason = "it is checked")]
                Some(EventId { path, retention_secs: seconds as u32 })
            }
            None => None,
        }
    }

    /// Returns the whole retry schedule and a tenth of it, in seconds, within the bounds above.
    const fn past_retries(&self) -> u64 {
        let past = match self.retries {
            Retries::Known { seconds, .. } => seconds + seconds.div_ceil(10),
            Retries::Unasked | Retries::Unknown => DAY,
        };
        // Even without retries, a queue or a gateway can delay a delivery.
        let window = match self.window {
            Some(seconds) if seconds > MINUTES_5 => seconds,
            _ => MINUTES_5,
        };
        if past < window {
            window
        } else if past > 7 * DAY {
            7 * DAY
        } else {
            past
        }
    }

    /// Returns the maximum length in bytes of a body that the verifier accepts by default.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        match self.max_body {
            Some(bytes) if bytes < MIN_BODY_LIMIT => MIN_BODY_LIMIT,
            Some(bytes) => bytes,
            None => VerifierDefaults::DEFAULT.body_limit,
        }
    }

    /// Returns the default status of rejections.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.status {
            Some(status) => status,
            None => StatusCode::FORBIDDEN,
        }
    }
}
