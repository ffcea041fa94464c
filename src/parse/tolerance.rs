//! Tolerance of signed times: how far a time may be from the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        clock::Clock,
        timestamp::{Timestamp, TimestampFormat},
    },
};

/// Maximum distance of a signed time from the clock, inclusive.
///
/// Both sides are limited: a captured request with a time far in the future could be replayed until
/// then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    pub(crate) past: Duration,
    pub(crate) future: Duration,
}

impl Tolerance {
    /// 24 hours back and 5 minutes ahead, for senders whose retries may carry the time of the first
    /// attempt. Most retry schedules end within a day.
    pub const DEFAULT: Self = Self::new(Duration::from_secs(24 * 3600), Duration::from_secs(300));

    /// Any time is accepted.
    ///
    /// If nothing else limits it, a captured delivery can be replayed without end, and a
    /// [`ReplayLayer`](crate::replay::ReplayLayer) remembers deliveries without end.
    pub const UNBOUNDED: Self = Self::new(Duration::MAX, Duration::MAX);

    /// Creates a tolerance of this many seconds on both sides.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self::new(Duration::from_secs(seconds), Duration::from_secs(seconds))
    }

    /// Creates a tolerance for signed times that are up to `past` ago, or up to `future` ahead.
    #[must_use]
    pub const fn new(past: Duration, future: Duration) -> Self {
        Self { past, future }
    }

    /// Checks a signed time against this clock, for a time in a place that a scheme does not read.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use tower_webhook::{scheme::Tolerance, verifier::Clock};
    ///
    /// let signed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let clock = Clock::fixed(signed + Duration::from_secs(301));
    /// assert!(Tolerance::seconds(301).check(signed, &clock).is_ok());
    /// let error = Tolerance::seconds(300).check(signed, &clock).unwrap_err();
    /// assert_eq!(error.kind().as_str(), "timestamp_stale");
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`TimestampStale`](RejectionKind::TimestampStale) or
    /// [`TimestampInFuture`](RejectionKind::TimestampInFuture) if the time is outside the
    /// tolerance, and [`ClockUnreliable`](RejectionKind::ClockUnreliable) if the clock cannot be
    /// right.
    pub fn check(&self, signed: SystemTime, clock: &Clock) -> Result<(), Rejection> {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let millis = match signed.duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        };
        self.judge(Timestamp { millis, format: TimestampFormat::UnixMillis }, clock).map(drop)
    }

    /// Checks a signed time against this clock, which is read once. All providers share this check.
    pub(crate) fn judge(self, time: Timestamp, clock: &Clock) -> Result<SignedTime, Rejection> {
        if self == Self::UNBOUNDED {
            // Without a limit, a clock that cannot be right does no harm.
            return Ok(SignedTime { time, valid_for: None });
        }
        let now = clock.millis()?;
        let age = match time.format {
            // The sender cut off its own fraction of a second, so the clock's is cut off, too.
            TimestampFormat::HttpDate | TimestampFormat::UnixSeconds => {
                (now / 1000 - time.millis / 1000).saturating_mul(1000)
            }
            _ => now.saturating_sub(time.millis),
        };
        let limit = |limit: Duration| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        let past = limit(self.past);
        if age > past {
            Err(Rejection::new(RejectionKind::TimestampStale).with_age_millis(age))
        } else if age < -limit(self.future) {
            Err(Rejection::new(RejectionKind::TimestampInFuture).with_age_millis(age))
        } else {
            let left = time.millis.checked_add(past).and_then(|end| end.checked_sub(now));
            let valid_for = left.map(|left| Duration::from_millis(left.max(0).unsigned_abs()));
            Ok(SignedTime { time, valid_for })
        }
    }

    /// Returns how long ago the signed time may be.
    #[must_use]
    pub const fn past(&self) -> Duration {
        self.past
    }

    /// Returns how far ahead the signed time may be.
    #[must_use]
    pub const fn future(&self) -> Duration {
        self.future
    }
}

/// A signed time that is within its tolerance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedTime {
    time: Timestamp,
    /// Time for which the tolerance still accepts it, counted from the check of the head. The body
    /// arrives later, so that whoever remembers a delivery remembers it for longer. A time in seconds
    /// is accepted for up to one second more. `None` without an end.
    valid_for: Option<Duration>,
}

impl SignedTime {
    /// Records in a proof when the request was signed, and how long its bytes would still be
    /// accepted.
    pub(crate) fn record(self, verified: &mut Verified) {
        (verified.signed_at, verified.valid_for) = self.times();
    }

    /// Returns the time of the signature, and how long the request's bytes would still be accepted.
    pub(crate) fn times(self) -> Times {
        (self.time.to_system_time(), self.valid_for)
    }
}

/// The time of a signature, and how long the request's bytes would still be accepted: the state of
/// a verifier between head and body.
pub(crate) type Times = (Option<SystemTime>, Option<Duration>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_is_inclusive_at_the_senders_precision() {
        let at = |millis: u64| Clock::new(move || UNIX_EPOCH + Duration::from_millis(millis));
        let check = |format, text: &str, now| {
            let parsed = Timestamp::parse(text.as_bytes(), format).unwrap();
            let result = Tolerance::seconds(300).judge(parsed, &at(now)).map(drop);
            result.map_err(|rejection| rejection.kind())
        };
        use RejectionKind::{TimestampInFuture, TimestampStale};
        use TimestampFormat::{UnixMillis, UnixSeconds};
        for (format, text, now, expected) in [
            (UnixSeconds, "1700000000", 1_700_000_300_999, Ok(())),
            (UnixSeconds, "1700000000", 1_700_000_301_000, Err(TimestampStale)),
            (UnixSeconds, "1700000300", 1_700_000_000_000, Ok(())),
            (UnixSeconds, "1700000301", 1_700_000_000_999, Err(TimestampInFuture)),
            (UnixMillis, "1700000000000", 1_700_000_300_000, Ok(())),
            (UnixMillis, "1700000000000", 1_700_000_300_001, Err(TimestampStale)),
            (UnixMillis, "1700000300000", 1_700_000_000_000, Ok(())),
            (UnixMillis, "1700000300001", 1_700_000_000_000, Err(TimestampInFuture)),
            (UnixMillis, "9223372036854775807", 1_700_000_000_000, Err(TimestampInFuture)),
            (UnixSeconds, "1700000000", 0, Err(RejectionKind::ClockUnreliable)),
            (UnixSeconds, "1700000000", 4_291_747_200_000, Err(RejectionKind::ClockUnreliable)),
        ] {
            assert_eq!(check(format, text, now), expected, "{text} at {now}");
        }
        let signed = Timestamp::parse(b"1700000000", UnixSeconds).unwrap();
        assert!(Tolerance::UNBOUNDED.judge(signed, &at(0)).is_ok());
    }
}
