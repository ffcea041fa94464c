//! Signed times in all their formats, held to `chrono`, and their tolerance, to plain arithmetic.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use chrono::{DateTime, Datelike, NaiveDateTime};
use http::Method;
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    RejectionKind,
    scheme::{Component, Scheme, TimestampFormat, TimestampSource, Tolerance},
    verifier::verify_at,
};
use tower_webhook_fuzz::{Edit, KEYS, NOW, add, at, edit, head, hex, hmac_sha256, secret, trimmed};

const FORMATS: [TimestampFormat; 5] = [
    TimestampFormat::HttpDate,
    TimestampFormat::UnixMillis,
    TimestampFormat::Rfc3339,
    TimestampFormat::Rfc3339NoOffset,
    TimestampFormat::UnixSeconds,
];

const DATES: [&str; 4] = [
    "%a %d %b %Y %H:%M:%S UTC",
    "%a %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S UTC",
    "%a, %d %b %Y %H:%M:%S GMT",
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    format: u8,
    tolerance: Option<(u16, u16)>,
    late: i32,
    text: Text<'a>,
    edits: Vec<Edit>,
}

#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Now { late: i16, millis: u16, style: u8, zone: i16 },
    Fields { year: u16, month: u8, day: u8, clock: [u8; 3], fraction: u32, zone: Option<[u8; 2]> },
    Raw(&'a [u8]),
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let format = FORMATS[usize::from(input.format) % FORMATS.len()];
    let mut text = write(&input.text, format)?;
    edit(&mut text, &input.edits);
    let mut request = head(Method::POST, b"/")?;
    add(&mut request, "x-time", &text)?;
    let text = trimmed(&text);
    let tag = hmac_sha256(KEYS[0].as_bytes(), &[text, b":body"]);
    add(&mut request, "x-signature", hex(&tag).as_bytes())?;

    let now = NOW.checked_add_signed(input.late.into())?;
    let scheme = Scheme::hmac_sha256("x-signature")
        .signed_content(&[Component::Time, Component::Literal(":"), Component::Body])
        .time(TimestampSource::Header("x-time"), format);
    let scheme =
        scheme.tolerance(input.tolerance.map_or(Tolerance::UNBOUNDED, |(past, future)| {
            Tolerance::new(Duration::from_secs(past.into()), Duration::from_secs(future.into()))
        }));
    let verifier = scheme.verifier(secret(0)).unwrap();
    let verdict = verify_at(&verifier, &request, &Bytes::from_static(b"body"), at(now));

    let millis = read(text, format);
    let verdict = verdict.map_err(|rejection| rejection.kind());
    let expected = match (millis, input.tolerance) {
        _ if text.is_empty() => Err(RejectionKind::Missing),
        (None, _) => Err(RejectionKind::Malformed),
        (Some(millis), None) => Ok(millis),
        // Before 1990 or after 2100.
        _ if !(631_152_000..4_102_444_800).contains(&now) => Err(RejectionKind::ClockUnreliable),
        (Some(millis), Some((past, future))) => {
            let age = i128::from(now) * 1000 - millis;
            if age > i128::from(past) * 1000 {
                Err(RejectionKind::TimestampStale)
            } else if -age > i128::from(future) * 1000 {
                Err(RejectionKind::TimestampInFuture)
            } else {
                Ok(millis)
            }
        }
    };
    let found = verdict.map(|outcome| {
        let signed_at = outcome.verified().signed_at().unwrap();
        match signed_at.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_millis()).unwrap(),
            Err(before) => -i128::try_from(before.duration().as_millis()).unwrap(),
        }
    });
    assert_eq!(found, expected, "{format:?} {:?}", String::from_utf8_lossy(text));
    Some(())
}

/// A text that is right, or nearly.
fn write(text: &Text<'_>, format: TimestampFormat) -> Option<Vec<u8>> {
    let text = match *text {
        Text::Raw(text) => return Some(text.to_vec()),
        Text::Now { late, millis, style, zone } => {
            let seconds = i64::try_from(NOW).ok()? + i64::from(late);
            let time = DateTime::from_timestamp(seconds, u32::from(millis % 1000) * 1_000_000)?;
            match format {
                TimestampFormat::HttpDate => {
                    time.format(DATES[usize::from(style) % DATES.len()]).to_string()
                }
                TimestampFormat::UnixMillis => time.timestamp_millis().to_string(),
                TimestampFormat::UnixSeconds => seconds.to_string(),
                TimestampFormat::Rfc3339 => {
                    let zone = chrono::FixedOffset::east_opt(i32::from(zone) * 60)?;
                    time.with_timezone(&zone).to_rfc3339()
                }
                _ => time.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            }
        }
        Text::Fields { year, month, day, clock: [hour, minute, second], fraction, zone } => {
            let zone = match zone {
                _ if format != TimestampFormat::Rfc3339 => String::new(),
                None => "Z".to_owned(),
                Some([hour, minute]) => format!("-{:02}:{:02}", hour % 30, minute % 64),
            };
            format!(
                "{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{fraction}{zone}",
                month % 14,
                day % 33,
                hour % 25,
                minute % 61,
                second % 62
            )
        }
    };
    Some(text.into_bytes())
}

/// Milliseconds since 1970.
fn read(text: &[u8], format: TimestampFormat) -> Option<i128> {
    let text = str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let number = || {
        let number: u64 = text.parse().ok()?;
        // Written as it would be again: no sign, no leading zero.
        (number.to_string() == text).then_some(i128::from(number))
    };
    let in_range = |millis: &i128| *millis <= i128::from(i64::MAX);
    // A leap second is the next minute's first.
    let millis = |time: DateTime<chrono::Utc>| i128::from(time.timestamp_millis());
    // 9999-12-30T22:00:00Z, where our calendar ends.
    let is_in_calendar = |millis: &i128| *millis < 253_402_207_200_000 + 1000;
    match format {
        TimestampFormat::UnixMillis => number().filter(in_range),
        TimestampFormat::UnixSeconds => number().map(|seconds| seconds * 1000).filter(in_range),
        TimestampFormat::HttpDate => DATES
            .iter()
            .find_map(|form| {
                let time = NaiveDateTime::parse_from_str(text, form).ok()?;
                let is_same = time.format(form).to_string() == text;
                (is_same && (1..=9999).contains(&time.year())).then(|| millis(time.and_utc()))
            })
            .filter(is_in_calendar),
        TimestampFormat::Rfc3339 => {
            let is_blank = text.contains([' ', '_']);
            let is_long = text
                .split_once('.')
                .is_some_and(|(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count() > 9);
            let time = DateTime::parse_from_rfc3339(text).ok()?;
            let year: u16 = text.get(..4)?.parse().ok()?;
            (!is_blank && !is_long && year > 0)
                .then(|| millis(time.to_utc()))
                .filter(is_in_calendar)
        }
        _ => read(format!("{text}Z").as_bytes(), TimestampFormat::Rfc3339)
            .filter(|_| !text.ends_with(|last: char| last.eq_ignore_ascii_case(&'z'))),
    }
}
