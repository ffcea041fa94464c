//! Signed times: their format, and their tolerance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        calendar::{date, number, rfc3339},
        clock::Clock,
    },
};

/// Format of a signed time.
///
/// Numbers are plain digits, without a sign, a leading zero or a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampFormat {
    /// `Thu, 07 Sep 2017 06:30:04 GMT` as in HTTP, or `Thu 07 Sep 2017 06:30:04 UTC`.
    HttpDate,
    /// RFC 3339 with a zone, and up to nine digits of a fraction of a second.
    Rfc3339,
    /// RFC 3339 without a zone, read as UTC.
    Rfc3339NoOffset,
    /// Milliseconds since 1970.
    UnixMillis,
    /// Seconds since 1970.
    UnixSeconds,
}

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
        Timestamp { millis, format: TimestampFormat::UnixMillis }.check(*self, clock)
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

/// A signed time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp {
    pub(crate) millis: i64,
    format: TimestampFormat,
}

impl Timestamp {
    /// Parses the text strictly. Returns `None` if it is malformed or out of range.
    pub(crate) fn parse(text: &[u8], format: TimestampFormat) -> Option<Self> {
        let millis = match format {
            TimestampFormat::HttpDate => date(text)?,
            TimestampFormat::UnixSeconds => digits(text)?.checked_mul(1000)?,
            TimestampFormat::UnixMillis => digits(text)?,
            TimestampFormat::Rfc3339 => rfc3339(text, true)?,
            TimestampFormat::Rfc3339NoOffset => rfc3339(text, false)?,
        };
        Some(Self { millis, format })
    }

    /// Returns how much longer [`check`](Self::check) would accept this time, or `None` without an
    /// end.
    fn valid_for(self, tolerance: Tolerance, clock: &Clock) -> Option<Duration> {
        let signed = self.to_system_time()?;
        let end = signed.checked_add(tolerance.past)?;
        Some(end.duration_since(clock.now()).unwrap_or_default())
    }

    pub(crate) fn check(self, tolerance: Tolerance, clock: &Clock) -> Result<(), Rejection> {
        if tolerance == Tolerance::UNBOUNDED {
            // Without a limit, a clock that cannot be right does no harm.
            return Ok(());
        }
        let now = clock.millis()?;
        let age = match self.format {
            // The sender cut off its own fraction of a second, so the clock's is cut off, too.
            TimestampFormat::HttpDate | TimestampFormat::UnixSeconds => {
                (now / 1000 - self.millis / 1000).saturating_mul(1000)
            }
            _ => now.saturating_sub(self.millis),
        };
        let limit = |limit: Duration| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        if age > limit(tolerance.past) {
            Err(Rejection::new(RejectionKind::TimestampStale).with_age_millis(age))
        } else if age < -limit(tolerance.future) {
            Err(Rejection::new(RejectionKind::TimestampInFuture).with_age_millis(age))
        } else {
            Ok(())
        }
    }

    /// Records in a proof when the request was signed, and how long its bytes would still be
    /// accepted.
    pub(crate) fn record(
        self,
        verified: Verified,
        tolerance: Option<Tolerance>,
        clock: &Clock,
    ) -> Verified {
        let mut verified = verified;
        if let Some(signed_at) = self.to_system_time() {
            verified = verified.with_signed_at(signed_at);
        }
        if let Some(valid_for) = tolerance.and_then(|it| self.valid_for(it, clock)) {
            verified = verified.with_valid_for(valid_for);
        }
        verified
    }

    pub(crate) fn to_system_time(self) -> Option<SystemTime> {
        let millis = Duration::from_millis(self.millis.unsigned_abs());
        if self.millis < 0 {
            UNIX_EPOCH.checked_sub(millis)
        } else {
            UNIX_EPOCH.checked_add(millis)
        }
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.millis == other.millis
    }
}

/// Parses a number of plain digits without a leading zero.
fn digits(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => number(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_digits() {
        let parse = |text: &str| Timestamp::parse(text.as_bytes(), TimestampFormat::UnixSeconds);
        for good in ["0", "1", "1700000000", "9223372036854775"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "+1",
            "-1",
            " 1",
            "1 ",
            "01",
            "00",
            "1.0",
            "1e9",
            "NaN",
            "0x1",
            "1_000",
            "١",
            "9223372036854775807",
            "18446744073709551616",
            "-9223372036854775808",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_time_before_1970_stays_before_it() {
        let signed =
            Timestamp::parse(b"Wed 31 Dec 1969 23:59:59 UTC", TimestampFormat::HttpDate).unwrap();
        assert_eq!(signed.to_system_time(), UNIX_EPOCH.checked_sub(Duration::from_secs(1)));
    }

    #[test]
    fn tolerance_is_inclusive_on_both_sides_and_cuts_what_the_sender_cut() {
        let at = |millis: u64| Clock::new(move || UNIX_EPOCH + Duration::from_millis(millis));
        let check = |format, text: &str, now| {
            let parsed = Timestamp::parse(text.as_bytes(), format).unwrap();
            let result = parsed.check(Tolerance::seconds(300), &at(now));
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
        assert!(signed.check(Tolerance::UNBOUNDED, &at(0)).is_ok());
    }
}
