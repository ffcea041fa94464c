//! Formatting of times and signatures.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::{
    parse::{calendar::DATE, timestamp::TimestampFormat},
    scheme::signature_format::SignatureFormat,
};

impl SignatureFormat {
    pub(crate) fn write(self, time: &str, signature: &str) -> String {
        match self {
            Self::Single { prefix } | Self::OptionalPrefix { prefix, .. } => {
                format!("{prefix}{signature}")
            }
            Self::Unnamed { separator, time_first: true } => {
                format!("{time}{}{signature}", char::from(separator))
            }
            Self::Unnamed { .. } => signature.to_owned(),
            Self::Named { separator, assign, signature: name, time: time_name, spaced, .. } => {
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
        let date = || {
            let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
        };
        match self {
            Self::HttpDate => format!("{} UTC", date().strftime(DATE)),
            Self::UnixSeconds => since.as_secs().to_string(),
            Self::UnixMillis => since.as_millis().to_string(),
            Self::Rfc3339 => format!("{}Z", Self::Rfc3339NoOffset.write(time)),
            Self::Rfc3339NoOffset => date().strftime("%Y-%m-%dT%H:%M:%S.%3f").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::parse::timestamp;

    #[test]
    fn a_day_that_is_written_is_read_as_the_same() {
        // The years from 1970, and around 2000 and 2100. Of these two, only 2000 is a leap year.
        for day in (0..1_500).chain(10_900..11_400).chain(47_450..47_950) {
            for second in [0, 86_399] {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400 + second);
                for format in [TimestampFormat::Rfc3339, TimestampFormat::HttpDate] {
                    let text = format.write(time);
                    let read = timestamp::Timestamp::parse(text.as_bytes(), format);
                    assert_eq!(
                        read.and_then(timestamp::Timestamp::to_system_time),
                        Some(time),
                        "{text}"
                    );
                }
            }
        }
    }
}
