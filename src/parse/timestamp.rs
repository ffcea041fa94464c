//! Signed times, and their formats.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::parse::calendar::{date, number, rfc3339};

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

/// A signed time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timestamp {
    pub(crate) millis: i64,
    pub(crate) format: TimestampFormat,
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
}
