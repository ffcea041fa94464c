//! How signatures, times and ids stand in headers: every grammar, held to a plain reading of it.
//! The header is put together of right and wrong pieces, and a request is accepted if and only if a
//! signature that the plain reading finds there is an HMAC of the content.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use http::Method;
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    Context, Verified, Verifier,
    scheme::{
        Component, Encoding, Scheme, SchemeVerifier, SignatureFormat, TimestampFormat,
        TimestampSource, Tolerance,
    },
};
use tower_webhook_fuzz::{
    Edit, KEYS, NOW, add, at, edit, head, hmac_sha1, hmac_sha256, hmac_sha512, secret, trimmed,
};

const TIMED: &[Component] = &[Component::Time, Component::Literal("."), Component::Body];
const BASE: Scheme = Scheme::hmac_sha256("x-signature").provider("fuzz");
const TAGGED: SignatureFormat = SignatureFormat::Named {
    separator: b' ',
    assign: b':',
    signature: "sha256",
    other: None,
    time: None,
    spaced: false,
};

/// How a header is read: the same said once more, for the plain reading.
enum Reading {
    Whole(&'static str),
    Positional {
        time_first: bool,
    },
    Named {
        separator: u8,
        assign: u8,
        name: &'static str,
        time: Option<&'static str>,
        spaced: bool,
    },
}

use Reading::{Named, Positional, Whole};

struct Case {
    scheme: Scheme,
    reading: Reading,
    hmac: fn(&[u8], &[&[u8]]) -> Vec<u8>,
}

const STRIPE: Reading =
    Named { separator: b',', assign: b'=', name: "v1", time: Some("t"), spaced: false };
const PADDLE: Reading =
    Named { separator: b';', assign: b'=', name: "h1", time: Some("ts"), spaced: true };
const SPACED: Reading =
    Named { separator: b',', assign: b'=', name: "v1", time: Some("t"), spaced: true };
const STANDARD: Reading =
    Named { separator: b' ', assign: b',', name: "v1", time: None, spaced: false };
const COLON: Reading =
    Named { separator: b' ', assign: b':', name: "sha256", time: None, spaced: false };

const fn by(scheme: Scheme, reading: Reading) -> Case {
    Case { scheme, reading, hmac: hmac_sha256 }
}

static CASES: [Case; 13] =
    [
        by(
            BASE.signature_format(SignatureFormat::pairs("t", "v1"))
                .signed_content(TIMED)
                .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
                .tolerance(Tolerance::seconds(300)),
            STRIPE,
        ),
        by(
            BASE.signature_format(SignatureFormat::pairs("ts", "h1").separated_by(b';').spaced())
                .signed_content(TIMED)
                .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
                .tolerance(Tolerance::seconds(300)),
            PADDLE,
        ),
        by(
            BASE.signature_format(SignatureFormat::pairs("t", "v1").spaced())
                .encoding(Encoding::Base64Url)
                .signed_content(TIMED)
                .time(TimestampSource::Signature, TimestampFormat::UnixMillis)
                .tolerance(Tolerance::UNBOUNDED),
            SPACED,
        ),
        by(
            BASE.signature_format(SignatureFormat::tagged("v1"))
                .encoding(Encoding::Base64)
                .signed_content(&[
                    Component::Id,
                    Component::Literal("."),
                    Component::Time,
                    Component::Literal("."),
                    Component::Body,
                ])
                .delivery_id("x-id")
                .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds)
                .tolerance(Tolerance::seconds(300)),
            STANDARD,
        ),
        by(BASE.prefix("sha256="), Whole("sha256=")),
        by(BASE.encoding(Encoding::Base64), Whole("")),
        by(
            BASE.signature_format(SignatureFormat::Unnamed { separator: b',', time_first: true })
                .signed_content(TIMED)
                .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
                .tolerance(Tolerance::seconds(300)),
            Positional { time_first: true },
        ),
        by(
            BASE.signature_format(SignatureFormat::Unnamed { separator: b',', time_first: false }),
            Positional { time_first: false },
        ),
        by(BASE.headers(&["x-signature", "x-signature-2"]), Whole("")),
        by(BASE.authorization("HMAC").encoding(Encoding::Base64), Whole("")),
        by(BASE.signature_format(TAGGED), COLON),
        Case {
            scheme: Scheme::hmac_sha1("x-signature").provider("fuzz").prefix("v0=").signed_content(
                &[Component::Body, Component::Literal("--"), Component::Header("x-id")],
            ),
            reading: Whole("v0="),
            hmac: hmac_sha1,
        },
        Case {
            scheme: Scheme::hmac_sha512("x-signature").provider("fuzz").delivery_id("x-id"),
            reading: Whole(""),
            hmac: hmac_sha512,
        },
    ];

static VERIFIERS: LazyLock<Vec<[SchemeVerifier; 2]>> = LazyLock::new(|| {
    let build = |case: &Case| {
        [vec![secret(0)], vec![secret(0), secret(1)]]
            .map(|secrets| case.scheme.verifier(secrets).unwrap())
    };
    CASES.iter().map(build).collect()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    case: u8,
    is_rotating: bool,
    times: u8,
    late: i16,
    time: Option<&'a [u8]>,
    id: &'a [u8],
    body: &'a [u8],
    /// What is done to a header that is right: where, and in the second one where there are two.
    changes: Vec<(u8, bool, Change<'a>)>,
    changed_body: Option<&'a [u8]>,
}

#[derive(Arbitrary, Clone, Debug)]
enum Change<'a> {
    Insert(Piece<'a>),
    Replace(Piece<'a>),
    Remove,
    Repeat(u8),
}

#[derive(Arbitrary, Clone, Debug)]
enum Piece<'a> {
    Sign(u8),
    Name(u8),
    Time,
    Tag { key: u8, edits: Vec<Edit> },
    Raw(&'a [u8]),
}

impl Piece<'_> {
    /// A header's pieces as the sender writes them.
    fn right(case: usize) -> Vec<Self> {
        let tag = Self::Tag { key: 0, edits: vec![] };
        let (comma, semicolon) = (Self::Sign(0), Self::Sign(3));
        match case {
            0 | 2 => vec![Self::Name(0), Self::Time, comma, Self::Name(1), tag],
            1 => vec![Self::Name(2), Self::Time, semicolon, Self::Name(3), tag],
            3 => vec![Self::Name(4), tag],
            4 => vec![Self::Name(5), tag],
            6 => vec![Self::Time, comma, tag],
            9 => vec![Self::Name(7), tag],
            10 => vec![Self::Name(6), tag],
            11 => vec![Self::Name(8), tag],
            _ => vec![tag],
        }
    }
}

const SIGNS: &[u8] = b",= ;:\t.";
const NAMES: [&str; 9] = ["t=", "v1=", "ts=", "h1=", "v1,", "sha256=", "sha256:", "HMAC ", "v0="];

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let index = usize::from(input.case) % CASES.len();
    let case = &CASES[index];
    let encode = |tag: &[u8]| match index {
        2 => BASE64URL_NOPAD.encode(tag),
        3 | 5 | 9 => BASE64.encode(tag),
        _ => HEXLOWER_PERMISSIVE.encode(tag),
    };
    let is_in_millis = index == 2;
    let now = NOW.checked_add_signed(input.late.into())?;
    let written = if is_in_millis { now * 1000 } else { now }.to_string().into_bytes();
    let time = input.time.map_or(written, <[u8]>::to_vec);

    // What the sender signs.
    let content = |body, time, id| -> Vec<&[u8]> {
        match index {
            0 | 1 | 2 | 6 => vec![time, b".", body],
            3 => vec![id, b".", time, b".", body],
            11 => vec![body, b"--", id],
            _ => vec![body],
        }
    };
    let (id, trimmed_time) = (trimmed(input.id), trimmed(&time));
    let mut pieces = [Piece::right(index), Piece::right(index)];
    for (at, is_second, change) in input.changes.iter().take(24) {
        let pieces = &mut pieces[usize::from(*is_second && index == 8)];
        let at = usize::from(*at) % (pieces.len() + 1);
        match change {
            Change::Insert(piece) => pieces.insert(at, piece.clone()),
            Change::Repeat(times) => {
                let again = pieces[at..].iter().cycle().take(usize::from(*times % 40)).cloned();
                pieces.extend(again.collect::<Vec<_>>());
            }
            _ if at == pieces.len() => {}
            Change::Replace(piece) => pieces[at] = piece.clone(),
            Change::Remove => drop(pieces.remove(at)),
        }
    }
    let mut values = [Vec::new(), Vec::new()];
    for (value, pieces) in values.iter_mut().zip(&pieces) {
        for piece in pieces.iter().take(40) {
            match piece {
                Piece::Sign(which) => value.push(SIGNS[usize::from(*which) % SIGNS.len()]),
                Piece::Name(which) => {
                    value.extend(NAMES[usize::from(*which) % NAMES.len()].as_bytes());
                }
                Piece::Time => value.extend(&time),
                Piece::Tag { key, edits } => {
                    let key = KEYS[usize::from(*key) % 3].as_bytes();
                    let signed = content(input.body, trimmed_time, id);
                    let mut text = encode(&(case.hmac)(key, &signed)).into_bytes();
                    edit(&mut text, edits);
                    value.extend(text);
                }
                Piece::Raw(raw) => value.extend(*raw),
            }
        }
        // What is too long is refused unread.
        (value.len() <= 8192).then_some(())?;
    }

    let is_twice = input.times % 8 == 1;
    let mut request = head(Method::POST, b"/")?;
    let name = if index == 9 { "authorization" } else { "x-signature" };
    for (name, value) in [(name, &values[0]), ("x-signature-2", &values[1])] {
        if name != "x-signature-2" || index == 8 {
            add(&mut request, name, value)?;
            if is_twice {
                add(&mut request, name, value)?;
            }
        }
    }
    add(&mut request, "x-time", &time)?;
    add(&mut request, "x-id", input.id)?;
    let body = input.changed_body.unwrap_or(input.body);

    let keys = &KEYS[..1 + usize::from(input.is_rotating)];
    let expected = (|| {
        if is_twice {
            return None;
        }
        let values = values.each_ref().map(|value| trimmed(value));
        let mut value = values[0];
        if index == 9 {
            let (name, rest) = value.split_at_checked(5)?;
            value = rest.trim_ascii_start();
            name.eq_ignore_ascii_case(b"HMAC ").then_some(())?;
        }
        let (time_in_value, mut candidates) = read(&case.reading, value);
        let time = match index {
            0 | 1 | 2 | 6 => Some(time_in_value?),
            3 => Some(trimmed_time),
            _ => None,
        };
        if index == 8 {
            candidates = values.into_iter().filter(|value| !value.is_empty()).collect();
        } else if values[0].is_empty() {
            return None;
        }
        (candidates.len() <= 16).then_some(())?;
        if let Some(time) = time {
            let is_plain =
                time == b"0" || (time.first()? != &b'0' && time.iter().all(u8::is_ascii_digit));
            let number: i64 = str::from_utf8(time).ok().filter(|_| is_plain)?.parse().ok()?;
            let is_fresh = number.abs_diff(NOW.try_into().ok()?) <= 300;
            (is_fresh || is_in_millis).then_some(())?;
        }
        let is_id_in_form = match index {
            3 => !id.is_empty() && !id.contains(&b'.'),
            // `x--` and `-id` would be `x-` and `--id`.
            11 => {
                !id.is_empty() && !id.starts_with(b"-") && !id.windows(2).any(|pair| pair == b"--")
            }
            _ => true,
        };
        is_id_in_form.then_some(())?;
        let content = content(body, time.unwrap_or_default(), id);
        let tags: Vec<_> = keys.iter().map(|key| (case.hmac)(key.as_bytes(), &content)).collect();
        let decode = |text: &[u8]| match index {
            2 => BASE64URL_NOPAD.decode(text).ok(),
            3 | 5 | 9 => BASE64.decode(text).ok(),
            _ => HEXLOWER_PERMISSIVE.decode(text).ok(),
        };
        let found: Vec<_> = candidates.into_iter().filter_map(decode).collect();
        let key_index = tags.iter().position(|tag| found.contains(tag))?;
        let identity = if index == 3 { id.to_vec() } else { tags.last()?.clone() };
        Some((key_index, Verified::new("fuzz").with_replay_material(&identity).replay_key()))
    })();

    let verifier = &VERIFIERS[index][usize::from(input.is_rotating)];
    let clock = at(NOW).into();
    let context = Context::new(&request).at(&clock);
    let verdict = verifier.begin(&context).and_then(|mut state| {
        for chunk in body.chunks(7) {
            verifier.update(&mut state, chunk);
        }
        verifier.finish(&mut state, &context, &Bytes::copy_from_slice(body))
    });
    let found = verdict.as_ref().ok().map(|outcome| {
        let verified = outcome.verified();
        (verified.key_index(), verified.replay_key())
    });
    assert_eq!(found, expected, "{index} {values:?} {verdict:?}");
    Some(())
}

/// The time, where the header has exactly one, and the candidates.
fn read<'a>(reading: &Reading, value: &'a [u8]) -> (Option<&'a [u8]>, Vec<&'a [u8]>) {
    let split = |by: u8| value.split(move |byte| *byte == by);
    match *reading {
        Whole(prefix) => {
            let is_prefixed = value.starts_with(prefix.as_bytes());
            (None, if is_prefixed { vec![&value[prefix.len()..]] } else { vec![] })
        }
        Positional { time_first } => {
            let mut items: Vec<_> = split(b',').collect();
            let time = time_first.then(|| items.remove(0));
            (time, items)
        }
        Named { separator, assign, name, time, spaced } => {
            let (mut times, mut candidates) = (vec![], vec![]);
            for mut item in split(separator) {
                if spaced && item.first() == Some(&b' ') {
                    item = &item[1..];
                }
                let Some(at) = item.iter().position(|byte| *byte == assign) else { continue };
                if &item[..at] == name.as_bytes() {
                    candidates.push(&item[at + 1..]);
                }
                if Some(&item[..at]) == time.map(str::as_bytes) {
                    times.push(&item[at + 1..]);
                }
            }
            (if let [time] = times[..] { Some(time) } else { None }, candidates)
        }
    }
}
