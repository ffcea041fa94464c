//! Signed times: how they are written, and how far off they may be.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::outcome::{kind::RejectionKind, rejection::Rejection};

/// How a signed time is written. Numbers are plain digits: no sign, no leading zero, no fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampFormat {
    /// `Thu, 07 Sep 2017 06:30:04 GMT` as HTTP writes it, or `Thu 07 Sep 2017 06:30:04 UTC`.
    HttpDate,
    /// RFC 3339 with a zone, up to nine digits of a second's fraction.
    Rfc3339,
    /// RFC 3339 without a zone, meant as UTC.
    Rfc3339NoOffset,
    /// Milliseconds since 1970.
    UnixMillis,
    /// Seconds since 1970.
    UnixSeconds,
}

/// How far a signed time may be off, inclusive. Both sides are bounded: a time far in the future
/// would let a captured request be replayed until then (T-23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    pub(crate) past: Duration,
    pub(crate) future: Duration,
}

impl Tolerance {
    /// 24 hours back and 5 minutes ahead: for senders whose retries may carry the first attempt's
    /// time. Most schedules end within a day.
    pub const DEFAULT: Self = Self::new(Duration::from_secs(24 * 3600), Duration::from_secs(300));

    /// Any time is accepted. Where nothing else bounds it, a captured delivery can be sent again for
    /// ever, and a [`ReplayLayer`](crate::replay::ReplayLayer) remembers deliveries without end.
    pub const UNBOUNDED: Self = Self::new(Duration::MAX, Duration::MAX);

    /// The same tolerance on both sides, in seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self::new(Duration::from_secs(seconds), Duration::from_secs(seconds))
    }

    /// How long ago, and how far ahead, the signed time may be.
    #[must_use]
    pub const fn new(past: Duration, future: Duration) -> Self {
        Self { past, future }
    }

    /// Checks a signed time against this clock, for times that do not stand where a scheme reads them.
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
    /// [`TimestampStale`](RejectionKind::TimestampStale) or
    /// [`TimestampInFuture`](RejectionKind::TimestampInFuture) where it is too far off, and
    /// [`ClockUnreliable`](RejectionKind::ClockUnreliable) where the clock cannot be right.
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

/// Tells the time: the system's, or in tests their own.
///
/// A closure and a [`SystemTime`] are clocks, too:
///
/// ```
/// use std::time::SystemTime;
/// use tower_webhook::{SignatureLayer, providers::Stripe};
///
/// let layer = SignatureLayer::new(Stripe::new("whsec_of_the_test")?);
/// let stopped = layer.clone().clock(SystemTime::UNIX_EPOCH);
/// let running = layer.clock(|| SystemTime::now());
/// # let _ = (stopped, running);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>);

impl Clock {
    /// Creates a clock of this function.
    #[must_use]
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// Creates a clock that always tells this time.
    #[must_use]
    pub fn fixed(time: SystemTime) -> Self {
        Self::new(move || time)
    }

    /// Creates the system's clock, which is the default.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// Returns the time. `wasm32-unknown-unknown` has none of its own: the system's clock tells 1970 there.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Some(now) => now(),
            // To ask the system there ends the program.
            None if HAS_NO_SYSTEM => UNIX_EPOCH,
            None => SystemTime::now(),
        }
    }

    pub(crate) const fn is_system(&self) -> bool {
        self.0.is_none()
    }

    /// Milliseconds since 1970. A clock that cannot be right would refuse every genuine request
    /// for good, so that case asks the sender to come again.
    pub(crate) fn millis(&self) -> Result<i64, Rejection> {
        const PLAUSIBLE: std::ops::Range<i64> = 631_152_000_000..4_102_444_800_000; // 1990 to 2100
        let now = self.now();
        now.duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .filter(|millis| PLAUSIBLE.contains(millis))
            .ok_or(Rejection::new(RejectionKind::ClockUnreliable))
    }
}

impl<F: Fn() -> SystemTime + Send + Sync + 'static> From<F> for Clock {
    fn from(now: F) -> Self {
        Self::new(now)
    }
}

impl From<SystemTime> for Clock {
    fn from(time: SystemTime) -> Self {
        Self::fixed(time)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "<fn>" } else { "system" })
    }
}

/// Whether the target has no system that can be asked for the time.
pub(crate) const HAS_NO_SYSTEM: bool = cfg!(all(target_family = "wasm", target_os = "unknown"));

/// Returns the time since the process first asked, by a clock that no correction moves. It stands still where there is
/// no such clock.
pub(crate) fn steady() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    if HAS_NO_SYSTEM { Duration::ZERO } else { START.elapsed() }
}

/// A signed time, as milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp {
    millis: i64,
    format: TimestampFormat,
}

impl Timestamp {
    /// Reads the text strictly; `None` when it is out of form or out of range (T-24, T-25).
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

    /// For how long from now on [`check`](Self::check) would accept this time.
    pub(crate) fn valid_for(self, tolerance: Tolerance, clock: &Clock) -> Option<Duration> {
        let signed = self.to_system_time()?;
        let end = signed.checked_add(tolerance.past)?;
        Some(end.duration_since(clock.now()).unwrap_or_default())
    }

    pub(crate) fn check(self, tolerance: Tolerance, clock: &Clock) -> Result<(), Rejection> {
        if tolerance == Tolerance::UNBOUNDED {
            // A clock that cannot be right is nobody's concern then.
            return Ok(());
        }
        let now = clock.millis()?;
        let age = match self.format {
            // The sender cut its own fraction off, so ours is cut off too.
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

/// A number of plain digits without a leading zero.
fn digits(text: &[u8]) -> Option<i64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => number(text),
        _ => None,
    }
}

/// A number of plain digits.
fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// `2025-05-19T00:51:44.816Z`: date, time, fraction of one to nine digits, zone.
fn rfc3339(text: &[u8], zoned: bool) -> Option<i64> {
    let (head, mut rest) = text.split_at_checked(19)?;
    // RFC 3339, section 5.6, leaves the case of `T` and `Z` to the sender.
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| head[at].to_ascii_uppercase() != byte) {
        return None;
    }
    let part = |from: usize, to: usize, range: std::ops::RangeInclusive<i64>| {
        number(&head[from..to]).filter(|value| range.contains(value))
    };
    let (year, month) = (part(0, 4, 1..=9999)?, part(5, 7, 1..=12)?);
    let day = part(8, 10, 1..=days_in_month(year, month))?;
    // A leap second is written as 60.
    let (hour, minute, second) =
        (part(11, 13, 0..=23)?, part(14, 16, 0..=59)?, part(17, 19, 0..=60)?);

    let mut millis = 0;
    if let [b'.', fraction @ ..] = rest {
        let len = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&len) {
            return None;
        }
        let (fraction, zone) = fraction.split_at(len);
        millis = number(fraction)? * 1000 / 10i64.checked_pow(u32::try_from(len).ok()?)?;
        rest = zone;
    }
    let offset_minutes = match rest {
        [] if !zoned => 0,
        [b'Z' | b'z'] if zoned => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if zoned => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_minutes)
        * 60
        + second;
    Some(seconds * 1000 + millis)
}

pub(crate) const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Thu 07 Sep 2017 06:30:04 UTC`, with the right day of the week.
fn date(text: &[u8]) -> Option<i64> {
    let (weekday, rest) = text.split_at_checked(3)?;
    let rest = rest.strip_prefix(b",").unwrap_or(rest);
    let [b' ', d1, d2, b' ', m1, m2, m3, b' ', y1, y2, y3, y4, b' ', time @ .., b' ', z1, z2, z3] =
        rest
    else {
        return None;
    };
    let [h1, h2, b':', min1, min2, b':', s1, s2] = time else { return None };
    let month = 1 + MONTHS.iter().position(|name| name.as_bytes() == [*m1, *m2, *m3])?;
    let (month, year) = (i64::try_from(month).ok()?, number(&[*y1, *y2, *y3, *y4])?);
    let day = number(&[*d1, *d2])?;
    let (hour, minute, second) =
        (number(&[*h1, *h2])?, number(&[*min1, *min2])?, number(&[*s1, *s2])?);
    let is_in_range = year >= 1
        && (1..=days_in_month(year, month)).contains(&day)
        && (hour <= 23 && minute <= 59 && second <= 60)
        && matches!(&[*z1, *z2, *z3], b"UTC" | b"GMT");
    let days = days_since_1970(year, month, day);
    let known = WEEKDAYS.get(usize::try_from(days.rem_euclid(7)).ok()?)?;
    (is_in_range && weekday == known.as_bytes())
        .then_some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of the proleptic Gregorian calendar, for years from 1.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1 - 719_162
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
    fn a_date_may_have_a_leap_second() {
        let parse = |text: &str| Timestamp::parse(text.as_bytes(), TimestampFormat::HttpDate);
        let leap = parse("Sat 31 Dec 2016 23:59:60 UTC").unwrap();
        assert_eq!(leap.millis, 1_483_228_800_000);
        assert!(parse("Sat 31 Dec 2016 23:59:61 UTC").is_none());
    }

    #[test]
    fn rfc3339_is_read_as_other_tools_read_it() {
        // Made with `date -u -d … +%s%3N`.
        for (text, zoned, millis) in [
            ("1970-01-01T00:00:00Z", true, Some(0)),
            ("2025-05-19T00:51:44.816Z", true, Some(1_747_615_904_816)),
            ("2025-05-19t00:51:44.816z", true, Some(1_747_615_904_816)),
            ("2000-02-29T23:59:59+02:00", true, Some(951_861_599_000)),
            ("2024-03-01T00:00:00-00:30", true, Some(1_709_253_000_000)),
            ("2023-07-19T14:56:48.123456789Z", true, Some(1_689_778_608_123)),
            ("0001-01-01T00:00:00Z", true, Some(-62_135_596_800_000)),
            ("2024-03-07T11:22:33", false, Some(1_709_810_553_000)),
            ("2024-03-07T11:22:33.5", false, Some(1_709_810_553_500)),
            ("2024-03-07T11:22:33", true, None),
            ("2024-03-07T11:22:33Z", false, None),
            ("2023-02-29T00:00:00Z", true, None),
            ("2024-13-01T00:00:00Z", true, None),
            ("2024-01-00T00:00:00Z", true, None),
            ("2024-01-01T24:00:00Z", true, None),
            ("2024-01-01 00:00:00Z", true, None),
            ("2024-01-01T00:00:00.Z", true, None),
            ("2024-01-01T00:00:00.1234567890Z", true, None),
            ("2024-01-01T00:00:00+0100", true, None),
            ("2024-01-01T00:00:00+24:00", true, None),
            ("2024-03-07T11:22:33+23:59", true, Some(1_709_724_213_000)),
            ("2024-03-07T11:22:33+01:60", true, None),
            ("2024-03-07T11:22:33+01:00", false, None),
            ("+024-01-01T00:00:00Z", true, None),
            ("", true, None),
        ] {
            assert_eq!(rfc3339(text.as_bytes(), zoned), millis, "{text}");
        }
    }

    #[test]
    fn dates_are_read_as_other_tools_read_them() {
        // Made with `date -u -d … +%s`.
        for (text, seconds) in [
            ("Thu 07 Sep 2017 06:30:04 UTC", Some(1_504_765_804)),
            ("Thu, 07 Sep 2017 06:30:04 GMT", Some(1_504_765_804)),
            ("Thu 01 Jan 1970 00:00:00 UTC", Some(0)),
            ("Wed 31 Dec 1969 23:59:59 UTC", Some(-1)),
            ("Tue 29 Feb 2000 23:59:59 UTC", Some(951_868_799)),
            ("Mon 01 Jan 0001 00:00:00 UTC", Some(-62_135_596_800)),
            ("Fri 07 Sep 2017 06:30:04 UTC", None),
            ("thu 07 Sep 2017 06:30:04 UTC", None),
            ("Thu 07 sep 2017 06:30:04 UTC", None),
            ("Thu 7 Sep 2017 06:30:04 UTC", None),
            ("Thu 07 Sep 2017 06:30:04", None),
            ("Thu 07 Sep 2017 06:30:04 CET", None),
            ("Thu 07 Sep 2017 06:30:04 UTC ", None),
            ("Thu  07 Sep 2017 06:30:04 UTC", None),
            ("Thu 07 Sep 2017 24:30:04 UTC", None),
            ("Thu 07 Sep 2017 06:60:04 UTC", None),
            ("Thu 07 Sep 2017 06:30:61 UTC", None),
            ("Thu 07 Sep 2017 06:30:+4 UTC", None),
            ("Thu 07 Sep 2017 006:30:04 UTC", None),
            ("Thu 00 Sep 2017 06:30:04 UTC", None),
            ("Wed 29 Feb 2023 06:30:04 UTC", None),
            ("Sat 00 Jan 0000 06:30:04 UTC", None),
            ("Thu 07 Sep 20177 06:30:04 UTC", None),
            ("Th", None),
            ("", None),
        ] {
            assert_eq!(date(text.as_bytes()), seconds.map(|seconds: i64| seconds * 1000), "{text}");
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
