//! Dates in the formats of senders, strictly: `jiff` knows the calendar.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// Parses a number of plain digits.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Returns `true` if the text has this shape: `0` stands for a digit, `A` and `a` for a letter of
/// their case, and any other byte for itself, in either case.
///
/// `jiff` accepts more than a sender may write: one-digit hours, a space instead of the `T`, offsets
/// without a colon, names of months in any case.
fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'a' => byte.is_ascii_lowercase(),
            shape => byte.eq_ignore_ascii_case(shape),
        })
}

/// Parses `2025-05-19T00:51:44.816Z`: date, time, fraction of one to nine digits, zone. Returns
/// milliseconds since 1970.
pub(crate) fn rfc3339(text: &[u8], zoned: bool) -> Option<i64> {
    // RFC 3339, section 5.6, leaves the case of `T` and `Z` to the sender.
    let (head, rest) = text.split_at_checked(19)?;
    let zone = match rest {
        [b'.', fraction @ ..] => {
            let len = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (1..=9).contains(&len).then(|| fraction.split_at(len).1)?
        }
        zone => zone,
    };
    let is_zone = match zone {
        b"Z" | b"z" => true,
        [b'+' | b'-', offset @ ..] => has_shape(offset, b"00:00") && offset < &b"24:00"[..],
        _ => false,
    };
    if !has_shape(head, b"0000-00-00T00:00:00") || if zoned { !is_zone } else { !zone.is_empty() } {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let time = if zoned {
        text.parse::<Timestamp>().ok().filter(|_| !head.starts_with(b"0000"))
    } else {
        text.parse::<DateTime>().ok().and_then(in_utc)
    };
    Some(millis(time?, head))
}

/// Parses `Thu 07 Sep 2017 06:30:04 UTC`, and checks the day of the week. Returns milliseconds
/// since 1970.
pub(crate) fn date(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_suffix(" UTC").or_else(|| text.strip_suffix(" GMT"))?;
    let (weekday, rest) = text.split_at_checked(3)?;
    let rest = rest.strip_prefix(',').unwrap_or(rest);
    let is_date = has_shape(weekday.as_bytes(), b"Aaa")
        && has_shape(rest.as_bytes(), b" 00 Aaa 0000 00:00:00");
    let parse = || DateTime::strptime(DATE, format!("{weekday}{rest}")).ok().and_then(in_utc);
    Some(millis(is_date.then(parse)??, rest.as_bytes()))
}

/// The form of [`date`], without the zone.
pub(crate) const DATE: &str = "%a %d %b %Y %H:%M:%S";

/// `jiff` takes the year 0, which no calendar has, for the year before 1.
fn in_utc(time: DateTime) -> Option<Timestamp> {
    (time.year() > 0).then(|| Offset::UTC.to_timestamp(time).ok())?
}

/// Returns milliseconds since 1970. `jiff` takes a leap second for the second before it; POSIX, for
/// the second after it.
fn millis(time: Timestamp, clock: &[u8]) -> i64 {
    let leap = i64::from(clock.ends_with(b":60")) * 1000;
    let millis = time.as_nanosecond().div_euclid(1_000_000);
    i64::try_from(millis).unwrap_or(i64::MAX).saturating_add(leap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::timestamp::{Timestamp, TimestampFormat};

    #[test]
    fn a_date_may_have_a_leap_second() {
        let parse = |text: &str| Timestamp::parse(text.as_bytes(), TimestampFormat::HttpDate);
        let leap = parse("Sat 31 Dec 2016 23:59:60 UTC").unwrap();
        assert_eq!(leap.millis, 1_483_228_800_000);
        assert!(parse("Sat 31 Dec 2016 23:59:61 UTC").is_none());
    }

    #[test]
    fn rfc3339_is_read_as_other_tools_read_it() {
        // Computed with `date -u -d … +%s%3N`.
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
        // Computed with `date -u -d … +%s`.
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
}
