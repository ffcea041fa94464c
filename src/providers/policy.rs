//! Delivery policies of vendors: retry schedules, windows of signed times, largest bodies, statuses.

use std::time::Duration;

use http::StatusCode;

use crate::{
    outcome::event_id::EventId, parse::timestamp::Tolerance, verifier::defaults::VerifierDefaults,
};

/// A vendor's documented delivery of webhooks: the retry schedule, the largest body, and the statuses
/// that matter.
///
/// [`Provider::delivery_policy`](super::Provider::delivery_policy) finds it. The verifier's defaults
/// follow from it:
///
/// - **Signed time.** Where each attempt is signed anew, the time may be as old as the vendor's own
///   window, 5 minutes unless documented. A window that the vendor's documentation or library tells
///   its receivers to keep counts as such, unless retries are known to repeat the first attempt's
///   time. Where they do, or nobody knows, the time may be as old as the whole retry schedule and a
///   tenth of it, 24 hours where no schedule is known, and never more than 7 days. It may be 5 minutes
///   ahead at most.
/// - **Body limit.** The vendor's documented maximum, and 2 MiB at least; [`VerifierDefaults::DEFAULT`]'s where
///   none is documented.
/// - **Status.** 403, unless the vendor's own test demands another.
///
/// Where a signed time may be older than 5 minutes, a captured delivery can be sent again for as long.
/// A [`ReplayLayer`](crate::replay::ReplayLayer) remembers it longer than that, where the delivery is
/// [unique](crate::Verified::has_unique_replay_key) or the provider is [named to
/// it](crate::replay::ReplayLayer::guard_body_only).
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
    /// No time is signed, and nobody has looked.
    Unasked,
    Unknown,
    Known {
        seconds: u64,
        source: &'static str,
    },
}

const MINUTES_5: u64 = 300;
const DAY: u64 = 24 * 3600;
/// The smallest default body limit, in bytes: a documented maximum leaves out the envelope.
const MIN_BODY_LIMIT: usize = 2 << 20;

impl DeliveryPolicy {
    /// A vendor of which nothing is known. Data begin here.
    pub(crate) const fn of(name: &'static str) -> Self {
        Self {
            name,
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
        }
    }

    /// From the first attempt to the last.
    pub(crate) const fn retried_for(mut self, seconds: u64, source: &'static str) -> Self {
        self.retries = Retries::Known { seconds, source };
        self
    }

    /// Looked for, and not found.
    pub(crate) const fn unknown_retries(mut self) -> Self {
        self.retries = Retries::Unknown;
        self
    }

    pub(crate) const fn signs_anew(mut self, is: bool, source: &'static str) -> Self {
        self.signed_anew = Some(is);
        self.signed_anew_source = source;
        self
    }

    /// The vendor's own bound on the age of a signed time.
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

    pub(crate) const fn largest_body(mut self, bytes: usize, source: &'static str) -> Self {
        self.max_body = Some(bytes);
        self.max_body_source = source;
        self
    }

    /// The status that the vendor's own test demands.
    pub(crate) const fn demands(mut self, status: StatusCode, source: &'static str) -> Self {
        self.status = Some(status);
        self.status_source = source;
        self
    }

    /// The field of the signed JSON body with the event's id, which stays the same when a delivery is repeated: its
    /// name, or a path such as `data.id`.
    pub(crate) const fn known_by(mut self, path: &'static str, source: &'static str) -> Self {
        self.event_id = Some(path);
        self.event_id_source = source;
        self
    }

    /// A delivery that was refused with a 4xx comes again.
    pub(crate) const fn comes_again(mut self, source: &'static str) -> Self {
        self.retries_refused = Some(true);
        self.refused_source = source;
        self
    }

    /// A delivery that was refused with a 403 does not come again, but after this status.
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
    /// The provider's id.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the time from a delivery's first attempt to its last. `None` where no schedule is
    /// documented.
    #[must_use]
    pub const fn retry_schedule(&self) -> Option<Duration> {
        match self.retries {
            Retries::Known { seconds, .. } => Some(Duration::from_secs(seconds)),
            Retries::Unasked | Retries::Unknown => None,
        }
    }

    /// Returns whether each attempt carries a new signed time. `None` where nobody knows.
    #[must_use]
    pub const fn is_signed_anew(&self) -> Option<bool> {
        self.signed_anew
    }

    /// Returns the largest body in bytes that the vendor documents.
    #[must_use]
    pub const fn max_body(&self) -> Option<usize> {
        self.max_body
    }

    /// Returns the field of the JSON body with the event's id, or its path, such as `data.id`. `None` where no id is
    /// documented that stays the same when a delivery is repeated.
    #[must_use]
    pub const fn event_id(&self) -> Option<&'static str> {
        self.event_id
    }

    /// Returns whether a delivery that was refused with [403](StatusCode::FORBIDDEN) comes again. `None`
    /// where nobody knows.
    #[must_use]
    pub const fn retries_refused(&self) -> Option<bool> {
        self.retries_refused
    }

    /// Returns the status after which a refused delivery comes again, where a 403 ends the retries:
    /// what to give to [`rejection_status`](crate::SignatureLayer::rejection_status). `None` where the
    /// vendor has no such status.
    #[must_use]
    pub fn retried_status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.retried_status?).ok()
    }

    /// Returns the sources of what is known, each with the name of its fact.
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

    /// Returns how far a signed time may be off by default: see the type's rules. It is for providers
    /// that sign a time.
    #[must_use]
    pub const fn tolerance(&self) -> Tolerance {
        let window = match self.window {
            Some(seconds) => seconds,
            None => MINUTES_5,
        };
        let is_short = match (self.signed_anew, self.window) {
            _ if !self.covers_body => true,
            (Some(is), _) => is,
            // The vendor's own receivers would refuse its retries otherwise.
            (None, window) => window.is_some(),
        };
        let past = if is_short { window } else { self.past_retries() };
        Tolerance::new(Duration::from_secs(past), Duration::from_secs(MINUTES_5))
    }

    /// As [`tolerance`](Self::tolerance), for each documented retry of the first attempt's bytes.
    pub(crate) const fn tolerance_of_retries(&self) -> Tolerance {
        Self { covers_body: true, signed_anew: Some(false), ..*self }.tolerance()
    }

    /// Returns where bodies have the id of their event. A guard remembers it as long as the delivery may come again.
    pub(crate) const fn event(&self) -> Option<EventId> {
        match self.event_id {
            Some(path) => {
                Some(EventId { path, retention: Duration::from_secs(self.past_retries()) })
            }
            None => None,
        }
    }

    /// The whole schedule and a tenth, in seconds.
    const fn past_retries(&self) -> u64 {
        let past = match self.retries {
            Retries::Known { seconds, .. } => seconds + seconds.div_ceil(10),
            Retries::Unasked | Retries::Unknown => DAY,
        };
        // A vendor that gives up at once can be behind a queue or a gateway.
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

    /// Returns the longest body in bytes that the verifier accepts by default.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        match self.max_body {
            Some(bytes) if bytes < MIN_BODY_LIMIT => MIN_BODY_LIMIT,
            Some(bytes) => bytes,
            None => VerifierDefaults::DEFAULT.body_limit,
        }
    }

    /// Returns the default status of refusals.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.status {
            Some(status) => status,
            None => StatusCode::FORBIDDEN,
        }
    }
}
