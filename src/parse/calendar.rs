//! Dates in the formats of senders.

/// Parses a number of plain digits.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Parses `2025-05-19T00:51:44.816Z`: date, time, fraction of one to nine digits, zone. Returns
/// milliseconds since 1970.
pub(crate) fn rfc3339(text: &[u8], zoned: bool) -> Option<i64> {
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

/// Parses `Thu 07 Sep 2017 06:30:04 UTC`, and checks the day of the week. Returns milliseconds
/// since 1970.
pub(crate) fn date(text: &[u8]) -> Option<i64> {
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

/// Returns the days since 1970 in the proleptic Gregorian calendar, for years from 1.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    years + months + day - 1 - 719_162
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
