//! Formatting of times and signatures.

use std::time::SystemTime;

use crate::{
    parse::{
        calendar::{MONTHS, WEEKDAYS},
        timestamp::TimestampFormat,
    },
    scheme::signature_format::SignatureFormat,
};

impl SignatureFormat {
    pub(crate) fn write(self, time: &str, signature: &str) -> String {
        match self {
            Self::Single { prefix } => format!("{prefix}{signature}"),
            Self::Unnamed { separator, time_first: true } => {
                format!("{time}{}{signature}", char::from(separator))
            }
            Self::Unnamed { .. } => signature.to_owned(),
            Self::Named { separator, assign, signature: name, time: time_name, spaced } => {
                let (separator, assign) = (char::from(separator), char::from(assign));
                let space = if spaced { " " } else { "" };
                let time = time_name
                    .map(|name| format!("{name}{assign}{time}{separator}{space}"))
                    .unwrap_or_default();
                format!("{time}{name}{assign}{signature}")
            }
        }
    }
}

impl TimestampFormat {
    pub(crate) fn write(self, time: SystemTime) -> String {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = (since.as_secs(), since.subsec_millis());
        match self {
            Self::HttpDate => written(seconds, |[year, month, day], weekday, clock| {
                let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month));
                let month = month.copied().unwrap_or_default();
                format!("{weekday} {day:02} {month} {year:04} {clock} UTC")
            }),
            Self::UnixSeconds => seconds.to_string(),
            Self::UnixMillis => since.as_millis().to_string(),
            Self::Rfc3339 => format!("{}Z", Self::Rfc3339NoOffset.write(time)),
            Self::Rfc3339NoOffset => written(seconds, |[year, month, day], _, clock| {
                format!("{year:04}-{month:02}-{day:02}T{clock}.{millis:03}")
            }),
        }
    }
}

/// Calls `write` with year, month and day, the day of the week, and the time as `00:51:44`.
fn written(seconds: u64, write: impl FnOnce([u64; 3], &str, &str) -> String) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let weekday = usize::try_from(days % 7).ok().and_then(|day| WEEKDAYS.get(day));
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < len {
            break;
        }
        days -= len;
        month += 1;
    }
    let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    write([year, month, days + 1], weekday.copied().unwrap_or_default(), &clock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::parse::timestamp::Timestamp;

    #[test]
    fn a_day_that_is_written_is_read_as_the_same() {
        // The years from 1970, and around 2000 and 2100. Of these two, only 2000 is a leap year.
        for day in (0..1_500).chain(10_900..11_400).chain(47_450..47_950) {
            for second in [0, 86_399] {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400 + second);
                for format in [TimestampFormat::Rfc3339, TimestampFormat::HttpDate] {
                    let text = format.write(time);
                    let read = Timestamp::parse(text.as_bytes(), format);
                    assert_eq!(read.and_then(Timestamp::to_system_time), Some(time), "{text}");
                }
            }
        }
    }
}
