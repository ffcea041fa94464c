//! Signatures in several lines, in the query and under two names, signed digests and plain hashes, held
//! to a plain reading of the same request.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use http::Method;
use libfuzzer_sys::fuzz_target;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tower_webhook::{
    Context, Scheme, Verifier,
    scheme::{
        Component, DigestEncoding, SchemeVerifier, SignatureFormat, TimestampFormat,
        TimestampSource, Tolerance,
    },
};
use tower_webhook_fuzz::{Edit, KEYS, NOW, add, at, edit, head, hmac_sha256, secret, trimmed};

const DOT: Component = Component::Literal(".");
const BASE: Scheme = Scheme::hmac_sha256("x-signature").provider("fuzz");

static SCHEMES: [Scheme; 6] = [
    BASE.lines()
        .signature_format(SignatureFormat::OptionalPrefix { prefix: "sha256=", separator: b',' }),
    BASE.query("signature"),
    BASE.signed_content(&[Component::Time, DOT, Component::BodySha256(DigestEncoding::Hex)])
        .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds)
        .tolerance(Tolerance::seconds(300)),
    Scheme::plain_sha256("x-signature")
        .provider("fuzz")
        .signed_content(&[Component::Secret, Component::Body]),
    Scheme::plain_sha1("x-signature")
        .provider("fuzz")
        .signed_content(&[Component::Body, Component::Secret]),
    BASE.signature_format(SignatureFormat::pairs("t", "v1").or_named("v2"))
        .signed_content(&[Component::Time, DOT, Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .tolerance(Tolerance::seconds(300)),
];

static VERIFIERS: LazyLock<Vec<[SchemeVerifier; 2]>> = LazyLock::new(|| {
    let build = |scheme: &Scheme| {
        [vec![secret(0)], vec![secret(0), secret(1)]].map(|keys| scheme.verifier(keys).unwrap())
    };
    SCHEMES.iter().map(build).collect()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    scheme: u8,
    is_rotating: bool,
    late: i16,
    time: Option<&'a [u8]>,
    /// Set if a header that is right comes first, with one of its names.
    right: Option<bool>,
    values: Vec<Vec<Piece<'a>>>,
    body: &'a [u8],
    changed_body: Option<&'a [u8]>,
}

#[derive(Arbitrary, Clone, Debug)]
enum Piece<'a> {
    Tag { key: u8, edits: Vec<Edit> },
    Text(u8),
    Time,
    Raw(&'a [u8]),
}

const TEXTS: [&str; 9] = ["sha256=", ",", " ", "\t", "t=", "v1=", "v2=", "&", "signature="];

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

/// Returns the tag of a scheme by primitives.
fn tag(index: usize, key: &[u8], time: &[u8], body: &[u8]) -> Vec<u8> {
    match index {
        2 => {
            let digest = HEXLOWER_PERMISSIVE.encode(&Sha256::digest(body));
            hmac_sha256(key, &[time, b".", digest.as_bytes()])
        }
        3 => Sha256::digest([key, body].concat()).to_vec(),
        4 => Sha1::digest([body, key].concat()).to_vec(),
        5 => hmac_sha256(key, &[time, b".", body]),
        _ => hmac_sha256(key, &[body]),
    }
}

/// Returns the candidates, and the time that stands beside them.
fn read<'a>(
    index: usize,
    values: &[&'a [u8]],
    query: &'a [u8],
) -> Option<(Vec<&'a [u8]>, Option<&'a [u8]>)> {
    if index == 1 {
        let found = query.split(|byte| *byte == b'&');
        let found: Vec<_> = found.filter_map(|pair| pair.strip_prefix(b"signature=")).collect();
        return matches!(found[..], [one] if !one.is_empty()).then_some((found, None));
    }
    if values.is_empty() || values.iter().any(|value| value.is_empty()) {
        return None;
    }
    if index == 0 {
        let items = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
        let items = items.map(<[u8]>::trim_ascii);
        return Some((items.map(|it| it.strip_prefix(b"sha256=").unwrap_or(it)).collect(), None));
    }
    let [value] = values else { return None };
    if index != 5 {
        return Some((vec![value], None));
    }
    let items: Vec<_> = value.split(|byte| *byte == b',').collect();
    let named = |name: &[u8]| -> Vec<&'a [u8]> {
        items.iter().filter_map(|item| item.strip_prefix(name)).collect()
    };
    let times = named(b"t=");
    let candidates = [named(b"v1="), named(b"v2=")].concat();
    if let [time] = times[..] { Some((candidates, Some(time))) } else { None }
}

fn run(input: &Input<'_>) -> Option<()> {
    let index = usize::from(input.scheme) % SCHEMES.len();
    let now = NOW.checked_add_signed(input.late.into())?.to_string().into_bytes();
    let time = input.time.map_or(now, <[u8]>::to_vec);
    let mut values = Vec::new();
    let mut all = input.values.clone();
    if let Some(is_first) = input.right {
        let tag = Piece::Tag { key: 0, edits: vec![] };
        let mut right = match index {
            0 if is_first => vec![Piece::Text(0), tag],
            1 => vec![Piece::Text(8), tag],
            5 => {
                let name = Piece::Text(if is_first { 5 } else { 6 });
                vec![Piece::Text(4), Piece::Time, Piece::Text(1), name, tag]
            }
            _ => vec![tag],
        };
        // What is left of the input changes its end, and adds others.
        if !all.is_empty() {
            right.extend(all.remove(0));
        }
        all.insert(0, right);
    }
    for pieces in all.iter().take(20) {
        let mut value = Vec::new();
        for piece in pieces.iter().take(40) {
            match piece {
                Piece::Text(which) => {
                    value.extend(TEXTS[usize::from(*which) % TEXTS.len()].as_bytes());
                }
                Piece::Time => value.extend(&time),
                Piece::Raw(raw) => value.extend(*raw),
                Piece::Tag { key, edits } => {
                    let key = KEYS[usize::from(*key) % 3].as_bytes();
                    let tag = tag(index, key, trimmed(&time), input.body);
                    let mut text = HEXLOWER_PERMISSIVE.encode(&tag).into_bytes();
                    edit(&mut text, edits);
                    value.extend(text);
                }
            }
        }
        (value.len() <= 4096).then_some(())?;
        values.push(value);
    }
    let query = values.join(&b'&');
    let query: &[u8] = if index == 1 { &query } else { b"" };
    let target = [b"/?", query].concat();
    let mut request = head(Method::POST, &target)?;
    let is_kept = request.uri.query().unwrap_or_default().as_bytes() == &target[2..];
    is_kept.then_some(())?;
    if index != 1 {
        values.iter().try_for_each(|value| add(&mut request, "x-signature", value))?;
    }
    add(&mut request, "x-time", &time)?;
    let body = input.changed_body.unwrap_or(input.body);

    let keys = &KEYS[..1 + usize::from(input.is_rotating)];
    let expected = (|| {
        let values: Vec<_> = values.iter().map(|value| trimmed(value)).collect();
        let (candidates, time_beside) = read(index, &values, &target[2..])?;
        (candidates.len() <= 16).then_some(())?;
        let time = match index {
            2 => trimmed(&time),
            5 => time_beside?,
            _ => b"",
        };
        if index == 2 || index == 5 {
            let is_plain =
                time == b"0" || (time.first()? != &b'0' && time.iter().all(u8::is_ascii_digit));
            let number: i64 = str::from_utf8(time).ok().filter(|_| is_plain)?.parse().ok()?;
            (number.abs_diff(NOW.try_into().ok()?) <= 300).then_some(())?;
        }
        // Behind the secret, anyone could add the padding of the hash.
        (index != 3 || !body.contains(&0)).then_some(())?;
        let found: Vec<_> = candidates
            .into_iter()
            .filter_map(|text| HEXLOWER_PERMISSIVE.decode(text).ok())
            .collect();
        keys.iter().position(|key| found.contains(&tag(index, key.as_bytes(), time, body)))
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
    let found = verdict.as_ref().ok().map(|outcome| outcome.verified().key_index());
    assert_eq!(found, expected, "{index} {values:?} {verdict:?}");
    Some(())
}
