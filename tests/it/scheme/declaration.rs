//! Schemes that a third party declares: each of the eight choices, and what must not follow from
//! them. Signatures are made with the primitives.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use proptest::prelude::*;
use tower_webhook::{
    ConfigError, Context, PublicUrl, RejectionKind, Scheme, Secret, SignatureLayer, Verified,
    Verifier,
    scheme::{
        Component, Encoding, SchemeVerifier, SecretEncoding, SignatureFormat, TimestampFormat,
        TimestampSource, Tolerance,
    },
    verifier::all_of,
};

use crate::{
    genuine::NOW,
    support::{
        AtTime, SECRET, Script, Sha1Mac, Sha256Mac, Sha384Mac, Sha512Mac, Timed, at, head_of, hex,
        hmac_sha256, mac, secret, send, verify,
    },
};

const BODY: &str = r#"{"a":1}"#;
const DOT: Component = Component::Literal(".");

type Verdict = Result<Verified, RejectionKind>;

fn tag(message: impl AsRef<[u8]>) -> Vec<u8> {
    mac::<Sha256Mac>(SECRET.as_bytes(), message.as_ref())
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post("/hook?x=1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    head_of(request.body(()).unwrap())
}

fn judge_with(verifier: &impl Verifier, headers: &[(&str, &str)], body: &str) -> Verdict {
    verify(verifier, &head(headers), &Bytes::from(body.to_owned())).map_err(|r| r.kind())
}

fn judge(scheme: Scheme, headers: &[(&str, &str)], body: &str) -> Verdict {
    judge_with(&scheme.verifier(secret()).unwrap().clock(at(NOW)), headers, body)
}

fn kind(verdict: Verdict) -> Option<RejectionKind> {
    verdict.err()
}

#[test]
fn every_algorithm_signs_and_takes_no_other_ones_tag() {
    const ALL: [Scheme; 4] = [
        Scheme::hmac_sha1("x-s"),
        Scheme::hmac_sha256("x-s"),
        Scheme::hmac_sha384("x-s"),
        Scheme::hmac_sha512("x-s"),
    ];
    let (key, body) = (SECRET.as_bytes(), BODY.as_bytes());
    let tags = [
        mac::<Sha1Mac>(key, body),
        mac::<Sha256Mac>(key, body),
        mac::<Sha384Mac>(key, body),
        mac::<Sha512Mac>(key, body),
    ];
    for (mine, scheme) in ALL.iter().enumerate() {
        for (theirs, tag) in tags.iter().enumerate() {
            for (encoding, text) in [
                (Encoding::Hex, hex(tag)),
                (Encoding::Hex, hex(tag).to_uppercase()),
                (Encoding::Base64, STANDARD.encode(tag)),
                (Encoding::Base64Url, URL_SAFE_NO_PAD.encode(tag)),
            ] {
                let verdict = judge(scheme.encoding(encoding), &[("x-s", &text)], BODY);
                // The algorithm is the scheme's, whatever the tag looks like.
                let expected = (mine != theirs).then_some(RejectionKind::Malformed);
                assert_eq!(kind(verdict), expected, "{mine} {theirs} {encoding:?}");
            }
        }
    }
}

#[test]
fn signature_in_another_spelling_is_rejected() {
    let (hexed, base64, url) =
        (hex(&tag(BODY)), STANDARD.encode(tag(BODY)), URL_SAFE_NO_PAD.encode(tag(BODY)));
    assert!(base64.contains(['+', '/']), "the two alphabets differ for it: {base64}");
    // 32 bytes leave two unused bits in the last of 43 characters.
    let stray = |text: &str| {
        let at = text.trim_end_matches('=').len() - 1;
        let stray = char::from(text.as_bytes()[at] + 1);
        format!("{}{stray}{}", &text[..at], &text[at + 1..])
    };
    for (name, encoding, text) in [
        ("odd length", Encoding::Hex, hexed[1..].to_owned()),
        ("space inside", Encoding::Hex, format!("{} {}", &hexed[..32], &hexed[33..])),
        ("sign", Encoding::Hex, format!("+{}", &hexed[1..])),
        ("minus", Encoding::Hex, format!("-{}", &hexed[1..])),
        ("0x", Encoding::Hex, format!("0x{hexed}")),
        ("0x in place", Encoding::Hex, format!("0x{}", &hexed[2..])),
        ("colons", Encoding::Hex, format!("{}:{}", &hexed[..2], &hexed[3..])),
        ("underscore", Encoding::Hex, format!("{}_{}", &hexed[..2], &hexed[3..])),
        ("other letters", Encoding::Hex, format!("g{}", &hexed[1..])),
        ("twice", Encoding::Hex, format!("{hexed}{hexed}")),
        ("as base64", Encoding::Hex, base64.clone()),
        ("no padding", Encoding::Base64, base64.trim_end_matches('=').to_owned()),
        ("more padding", Encoding::Base64, format!("{base64}=")),
        ("stray bits", Encoding::Base64, stray(&base64)),
        ("space inside", Encoding::Base64, format!("{} {}", &base64[..20], &base64[20..])),
        ("URL alphabet", Encoding::Base64, format!("{url}=")),
        ("as hex", Encoding::Base64, hexed.clone()),
        ("padding", Encoding::Base64Url, format!("{url}=")),
        ("stray bits", Encoding::Base64Url, stray(&url)),
        ("standard alphabet", Encoding::Base64Url, base64.trim_end_matches('=').to_owned()),
        ("nothing", Encoding::Hex, "".to_owned()),
        ("padding alone", Encoding::Base64, "====".to_owned()),
    ] {
        let scheme = Scheme::hmac_sha256("x-s").encoding(encoding);
        let verdict = kind(judge(scheme, &[("x-s", &text)], BODY));
        let expected =
            if text.is_empty() { RejectionKind::Missing } else { RejectionKind::Malformed };
        assert_eq!(verdict, Some(expected), "{encoding:?}: {name}");
    }
}

#[test]
fn every_grammar_finds_its_signature_and_nothing_else() {
    const ITEMS: SignatureFormat = SignatureFormat::Unnamed { separator: b';', time_first: false };
    const SPACED: SignatureFormat = SignatureFormat::Named {
        separator: b';',
        assign: b':',
        signature: "sig",
        other: None,
        time: None,
        spaced: true,
    };
    use RejectionKind::Malformed;
    let tag = hex(&tag(BODY));
    let prefix = |prefix| SignatureFormat::Single { prefix };
    for (name, grammar, value, expected) in [
        ("whole", prefix(""), "{}", None),
        ("prefix", prefix("sha256="), "sha256={}", None),
        ("other prefix of one length", prefix("sha256="), "sha512={}", Some(Malformed)),
        ("prefix in capitals", prefix("sha256="), "SHA256={}", Some(Malformed)),
        ("prefix left out", prefix("sha256="), "{}", Some(Malformed)),
        ("prefix twice", prefix("sha256="), "sha256=sha256={}", Some(Malformed)),
        ("space after the prefix", prefix("sha256="), "sha256= {}", Some(Malformed)),
        ("list where one belongs", prefix(""), "{},{}", Some(Malformed)),
        ("quoted", prefix(""), "\"{}\"", Some(Malformed)),
        ("tagged", SignatureFormat::tagged("v1"), "v1,{}", None),
        ("tagged second", SignatureFormat::tagged("v1"), "v2,00 v1,{}", None),
        ("undecodable beside it", SignatureFormat::tagged("v1"), "v1,zz v1,{}", None),
        ("wrong beside it", SignatureFormat::tagged("v1"), "v1,{0} v1,{}", None),
        ("other tag", SignatureFormat::tagged("v1"), "v2,{}", Some(Malformed)),
        ("tag alone", SignatureFormat::tagged("v1"), "v1,", Some(Malformed)),
        ("longer tag", SignatureFormat::tagged("v1"), "v1a,{}", Some(Malformed)),
        ("spaced", SPACED, "x:y; sig:{}", None),
        ("two spaces", SPACED, "x:y;  sig:{}", Some(Malformed)),
        ("positional", ITEMS, "{}", None),
        ("positional second", ITEMS, "{0};{}", None),
        ("positional, other separator", ITEMS, "{0},{}", Some(Malformed)),
    ] {
        let value = value.replace("{}", &tag).replace("{0}", &"0".repeat(64));
        let scheme = Scheme::hmac_sha256("x-s").signature_format(grammar);
        assert_eq!(kind(judge(scheme, &[("x-s", &value)], BODY)), expected, "{name}");
    }
}

#[test]
fn time_in_signature_header_is_signed_as_received() {
    use RejectionKind::{Malformed, SignatureMismatch, TimestampInFuture, TimestampStale};
    const PAIRS: Scheme = Scheme::hmac_sha256("x-s")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, DOT, Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
        .tolerance(Tolerance::seconds(300));
    const FIRST: Scheme =
        PAIRS.signature_format(SignatureFormat::Unnamed { separator: b',', time_first: true });
    for (name, time, expected) in [
        ("now", "1700000000", None),
        ("oldest", "1699999700", None),
        ("too old", "1699999699", Some(TimestampStale)),
        ("newest", "1700000300", None),
        ("too new", "1700000301", Some(TimestampInFuture)),
        // What would be read and printed again as a good time is not one.
        ("leading zero", "01700000000", Some(Malformed)),
        ("sign", "+1700000000", Some(Malformed)),
        ("space", " 1700000000", Some(Malformed)),
        ("fraction", "1700000000.0", Some(Malformed)),
        ("exponent", "17e8", Some(Malformed)),
        ("hexadecimal", "0x6553f100", Some(Malformed)),
        ("milliseconds", "1700000000000", Some(TimestampInFuture)),
        ("empty", "", Some(Malformed)),
        // Nothing overflows.
        ("zero", "0", Some(TimestampStale)),
        ("least i64", "-9223372036854775808", Some(Malformed)),
        ("greatest i64", "9223372036854775807", Some(Malformed)),
        ("greatest i64 in milliseconds", "9223372036854775", Some(TimestampInFuture)),
        ("greatest u64", "18446744073709551615", Some(Malformed)),
        ("long", &"9".repeat(4000), Some(Malformed)),
        ("word", "Infinity", Some(Malformed)),
    ] {
        let tag = hex(&tag(format!("{time}.{BODY}")));
        for (scheme, value) in
            [(PAIRS, format!("t={time},v1={tag}")), (FIRST, format!("{time},{tag}"))]
        {
            // The header's own white space is trimmed, so a leading space is the header's.
            if scheme.defaults() == FIRST.defaults() && value.starts_with(' ') {
                continue;
            }
            let verdict = judge(scheme, &[("x-s", &value)], BODY);
            assert_eq!(verdict.as_ref().err(), expected.as_ref(), "{name} in {value}");
            if let Ok(verified) = verdict {
                let seconds = Duration::from_secs(time.parse().unwrap());
                assert_eq!(verified.signed_at(), Some(std::time::UNIX_EPOCH + seconds), "{name}");
            }
        }
    }
    let tag = hex(&tag(format!("1700000000.{BODY}")));
    for (name, value, expected) in [
        ("another time", format!("t=1700000001,v1={tag}"), SignatureMismatch),
        ("two times", format!("t=1700000000,v1={tag},t=1700000000"), Malformed),
        ("no time", format!("v1={tag}"), Malformed),
    ] {
        assert_eq!(kind(judge(PAIRS, &[("x-s", &value)], BODY)), Some(expected), "{name}");
    }
}

#[test]
fn past_and_future_tolerance_apply_separately() {
    const BASE: Scheme = Scheme::hmac_sha256("x-s")
        .signed_content(&[Component::Time, DOT, Component::Body])
        .time(TimestampSource::Header("x-t"), TimestampFormat::UnixMillis);
    let sides = Tolerance::new(Duration::from_secs(60), Duration::from_millis(5));
    let widest = Tolerance::new(Duration::MAX, Duration::MAX);
    use RejectionKind::{TimestampInFuture, TimestampStale};
    for (name, scheme, millis, expected) in [
        ("oldest", BASE.tolerance(sides), 1_699_999_940_000_i64, None),
        ("older", BASE.tolerance(sides), 1_699_999_939_999, Some(TimestampStale)),
        ("newest", BASE.tolerance(sides), 1_700_000_000_005, None),
        ("newer", BASE.tolerance(sides), 1_700_000_000_006, Some(TimestampInFuture)),
        ("none set, oldest", BASE, 1_699_913_600_000, None),
        ("none set, older", BASE, 1_699_913_599_999, Some(TimestampStale)),
        ("none set, newest", BASE, 1_700_000_300_000, None),
        ("none set, newer", BASE, 1_700_000_300_001, Some(TimestampInFuture)),
        ("unbounded", BASE.tolerance(Tolerance::UNBOUNDED), 1, None),
        ("unbounded, far off", BASE.tolerance(Tolerance::UNBOUNDED), i64::MAX, None),
        ("widest", BASE.tolerance(widest), i64::MAX, None),
        ("zero", BASE.tolerance(Tolerance::seconds(0)), 1_700_000_000_000, None),
        (
            "zero, off by one",
            BASE.tolerance(Tolerance::seconds(0)),
            1_699_999_999_999,
            Some(TimestampStale),
        ),
    ] {
        let time = millis.to_string();
        let tag = hex(&tag(format!("{time}.{BODY}")));
        let headers = [("x-s", &*tag), ("x-t", &time)];
        assert_eq!(kind(judge(scheme, &headers, BODY)), expected, "{name}");
    }
}

#[test]
fn body_time_is_checked_after_the_signature() {
    use RejectionKind::{Malformed, Missing, SignatureMismatch, TimestampStale};
    const JSON: Scheme = Scheme::hmac_sha256("x-s")
        .time(TimestampSource::Json("at"), TimestampFormat::UnixSeconds)
        .tolerance(Tolerance::seconds(300));
    for (name, body, expected) in [
        ("number", r#"{"at":1700000000}"#, None),
        ("text", r#"{"x":{"at":1},"at":"1700000000"}"#, None),
        ("stale", r#"{"at":1600000000}"#, Some(TimestampStale)),
        ("nested alone", r#"{"x":{"at":1700000000}}"#, Some(Missing)),
        ("twice", r#"{"at":1700000000,"at":1700000000}"#, Some(Malformed)),
        ("fraction", r#"{"at":1700000000.5}"#, Some(Malformed)),
        ("null", r#"{"at":null}"#, Some(Malformed)),
        ("no object", "[1700000000]", Some(Malformed)),
        ("no JSON", "at=1700000000", Some(Malformed)),
        ("empty", "", Some(Malformed)),
    ] {
        let good = hex(&tag(body));
        assert_eq!(kind(judge(JSON, &[("x-s", &good)], body)), expected, "{name}");
        let bad = hex(&tag("other"));
        let verdict = kind(judge(JSON, &[("x-s", &bad)], body));
        assert_eq!(verdict, Some(SignatureMismatch), "{name}: the body is not read before");
    }
}

#[test]
fn secret_encoding_decodes_text_but_not_bytes() {
    for (name, rule, text, key) in [
        ("text", SecretEncoding::Text, "whsec_YWJj", &b"whsec_YWJj"[..]),
        ("base64", SecretEncoding::Base64 { prefix: "" }, "YWJj", b"abc"),
        ("prefixed base64", SecretEncoding::Base64 { prefix: "whsec_" }, "whsec_YWJj", b"abc"),
        ("prefix left out", SecretEncoding::Base64 { prefix: "whsec_" }, "YWJj", b"abc"),
        ("unpadded", SecretEncoding::Base64 { prefix: "" }, "YWFhYWFhYWFhYWFhYWFhYQ", &[b'a'; 16]),
        (
            "bits to spare",
            SecretEncoding::Base64 { prefix: "" },
            "YWFhYWFhYWFhYWFhYWFhYf",
            &[b'a'; 16],
        ),
        ("hex", SecretEncoding::Hex, "6162Ff", b"ab\xff"),
        ("stripped", SecretEncoding::Stripped { prefix: "sk_" }, "sk_YWJj", b"YWJj"),
    ] {
        let scheme = Scheme::hmac_sha256("x-s").secret_encoding(rule);
        let value = hex(&mac::<Sha256Mac>(key, BODY.as_bytes()));
        for secret in [Secret::new(text), Secret::from_bytes(key)] {
            let verifier = scheme.verifier(secret.unwrap()).unwrap();
            assert_eq!(kind(judge_with(&verifier, &[("x-s", &value)], BODY)), None, "{name}");
        }
    }
    for (rule, text) in [
        (SecretEncoding::Base64 { prefix: "whsec_" }, "not base64!"),
        (SecretEncoding::Base64 { prefix: "whsec_" }, "whsec_"),
        (SecretEncoding::Base64 { prefix: "" }, "YWJ"),
        (SecretEncoding::Base64 { prefix: "" }, "YWI"),
        (SecretEncoding::Base64 { prefix: "" }, "AAAA"),
        (SecretEncoding::Hex, "616"),
        (SecretEncoding::Hex, "0000"),
        (SecretEncoding::Stripped { prefix: "sk_" }, "sk_"),
    ] {
        let made =
            Scheme::hmac_sha256("x-s").secret_encoding(rule).verifier(Secret::new(text).unwrap());
        assert!(made.is_err(), "{rule:?} {text}");
    }
}

#[test]
fn signature_is_read_from_any_declared_header() {
    use RejectionKind::{Malformed, Missing, Repeated, SignatureMismatch};
    const TWO: Scheme = Scheme::hmac_sha256("x-a").headers(&["x-a", "x-b"]);
    const AUTHORIZATION: Scheme = Scheme::hmac_sha256("x-s").authorization("HMAC");
    let (good, wrong) = (hex(&tag(BODY)), hex(&tag("other")));
    let with = |scheme: &str| format!("{scheme}{good}");
    for (name, scheme, headers, expected) in [
        ("first", TWO, vec![("x-a", &*good)], None),
        ("second", TWO, vec![("x-b", &good)], None),
        ("both", TWO, vec![("x-a", &good), ("x-b", &good)], None),
        ("second of both", TWO, vec![("x-a", &wrong), ("x-b", &good)], None),
        ("first empty", TWO, vec![("x-a", ""), ("x-b", &good)], None),
        ("neither", TWO, vec![("x-c", &good)], Some(Missing)),
        ("both empty", TWO, vec![("x-a", ""), ("x-b", "")], Some(Missing)),
        ("both wrong", TWO, vec![("x-a", &wrong), ("x-b", &wrong)], Some(SignatureMismatch)),
        ("one repeated", TWO, vec![("x-a", &good), ("x-b", &good), ("x-b", &good)], Some(Repeated)),
        ("authorization", AUTHORIZATION, vec![("authorization", &with("HMAC "))], None),
        ("scheme in small letters", AUTHORIZATION, vec![("authorization", &with("hmac "))], None),
        ("other scheme", AUTHORIZATION, vec![("authorization", &with("Bearer "))], Some(Malformed)),
        ("no space", AUTHORIZATION, vec![("authorization", &with("HMAC"))], Some(Malformed)),
        ("two spaces", AUTHORIZATION, vec![("authorization", &with("HMAC  "))], None),
        ("no scheme", AUTHORIZATION, vec![("authorization", &good)], Some(Malformed)),
        ("in the wrong header", AUTHORIZATION, vec![("x-s", &with("HMAC "))], Some(Missing)),
        (
            "repeated",
            AUTHORIZATION,
            vec![("authorization", &with("HMAC ")), ("authorization", "Basic x")],
            Some(Repeated),
        ),
    ] {
        assert_eq!(kind(judge(scheme, &headers, BODY)), expected, "{name}");
    }
}

/// Every kind of part, on both sides of the body.
const AROUND: Scheme = Scheme::hmac_sha256("x-s")
    .delivery_id("x-id")
    .signed_content(&[
        Component::Method,
        Component::Literal(" "),
        Component::Url,
        Component::Literal("\n"),
        Component::Id,
        DOT,
        Component::Body,
        DOT,
        Component::Header("x-nonce"),
        DOT,
        Component::Time,
    ])
    .time(TimestampSource::Header("x-t"), TimestampFormat::Rfc3339)
    .tolerance(Tolerance::seconds(300));

fn around() -> Timed<SchemeVerifier> {
    let url = PublicUrl::base("https://example.com").unwrap();
    AROUND.verifier_at(secret(), url).unwrap().clock(at(NOW))
}

const TIME: &str = "2023-11-14T22:13:20.5Z";

fn around_headers(id: &str, nonce: &str, body: &str) -> [(&'static str, String); 4] {
    let signed = format!("POST https://example.com/hook?x=1\n{id}.{body}.{nonce}.{TIME}");
    [
        ("x-s", hex(&tag(signed))),
        ("x-id", id.to_owned()),
        ("x-nonce", nonce.to_owned()),
        ("x-t", TIME.to_owned()),
    ]
}

fn judge_around(headers: &[(&'static str, String)], body: &str) -> Verdict {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
    judge_with(&around(), &headers, body)
}

#[test]
fn every_signed_part_around_the_body_is_verified() {
    let good = around_headers("msg_1", "n0", BODY);
    let verified = judge_around(&good, BODY).unwrap();
    assert_eq!(verified.delivery_id().unwrap(), "msg_1");
    assert!(verified.delivery_id_is_signed());
    for at in 1..good.len() {
        let mut dropped = good.to_vec();
        dropped.remove(at);
        assert_eq!(kind(judge_around(&dropped, BODY)), Some(RejectionKind::Missing), "{at}");
        let mut repeated = good.to_vec();
        repeated.push(good[at].clone());
        assert_eq!(kind(judge_around(&repeated, BODY)), Some(RejectionKind::Repeated), "{at}");
        let mut changed = good.to_vec();
        changed[at].1 = changed[at].1.replace(['1', '0'], "2");
        assert!(judge_around(&changed, BODY).is_err(), "{at}");
    }
    let mut head = head(&good.each_ref().map(|(name, value)| (*name, &**value)));
    let body = Bytes::from(BODY);
    assert!(verify(&around(), &head, &body).is_ok());
    head.method = http::Method::PUT;
    assert!(verify(&around(), &head, &body).is_err());
}

#[test]
fn a_time_that_is_refused_names_its_header() {
    for (time, kind) in [
        ("2023-11-14T22:13:20", RejectionKind::Malformed),
        ("2013-11-14T22:13:20Z", RejectionKind::TimestampStale),
        ("2033-11-14T22:13:20Z", RejectionKind::TimestampInFuture),
    ] {
        let mut headers = around_headers("msg_1", "n0", BODY);
        headers[3].1 = time.to_owned();
        let head = head(&headers.each_ref().map(|(name, value)| (*name, &**value)));
        let refused = verify(&around(), &head, &Bytes::from(BODY)).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.field().map(|field| field.to_string()).as_deref()),
            (kind, Some("x-t"))
        );
    }
}

#[test]
fn signed_part_with_its_delimiter_is_rejected() {
    for (name, id, nonce) in [("id", "msg.1", "n"), ("header", "msg", "n.0"), ("end", "msg.", "n")]
    {
        let verdict = judge_around(&around_headers(id, nonce, BODY), BODY);
        assert_eq!(kind(verdict), Some(RejectionKind::Malformed), "{name}");
    }
    // Only the literal that follows it matters.
    assert!(judge_around(&around_headers("msg 1", "n\t0", BODY), BODY).is_ok());
}

#[test]
fn part_after_body_with_leading_delimiter_is_rejected() {
    const LAST: Scheme = Scheme::hmac_sha256("x-s").signed_content(&[
        Component::Body,
        DOT,
        Component::Header("x-nonce"),
        Component::Literal("|"),
        Component::Header("x-region"),
    ]);
    let good = hex(&tag("a.b.c|eu"));
    for (name, body, nonce, region, expected) in [
        ("genuine", "a.b", "c", "eu", None),
        ("end of the body in the nonce", "a", "b.c", "eu", Some(RejectionKind::Malformed)),
        ("all in the region", "a.b", "c", "x|eu", Some(RejectionKind::Malformed)),
    ] {
        let headers = [("x-s", &*good), ("x-nonce", nonce), ("x-region", region)];
        assert_eq!(kind(judge(LAST, &headers, body)), expected, "{name}");
        // A head that is bad costs no body.
        let begun = LAST.verifier(secret()).unwrap().begin(&Context::new(&head(&headers)));
        assert_eq!(begun.is_err(), expected.is_some(), "{name}");
    }
    // What ends a part after the body cannot be mistaken, read from the end.
    let good = hex(&tag("a.b|c|eu"));
    let headers = [("x-s", &*good), ("x-nonce", "b|c"), ("x-region", "eu")];
    assert_eq!(kind(judge(LAST, &headers, "a")), None);
}

#[test]
fn shifted_multi_character_delimiter_is_rejected() {
    const FRONT: Scheme = Scheme::hmac_sha256("x-s").signed_content(&[
        Component::Header("x-a"),
        Component::Literal("||"),
        Component::Body,
        Component::Literal("||"),
        Component::Header("x-b"),
    ]);
    for (a, body, b, expected) in [
        ("a", "|x|", "b", None),
        ("a|", "x|", "b", Some(RejectionKind::Malformed)),
        ("a", "|x", "|b", Some(RejectionKind::Malformed)),
        ("|a", "x", "b|", None),
    ] {
        let good = hex(&tag(format!("{a}||{body}||{b}")));
        let headers = [("x-s", &*good), ("x-a", a), ("x-b", b)];
        assert_eq!(kind(judge(FRONT, &headers, body)), expected, "{a} {body} {b}");
    }
}

proptest! {
    /// Whatever the parts are, the tag of another request that is accepted does not carry them.
    /// One whose id has the delimiter is refused, so that no such sender is served.
    #[test]
    fn tag_of_one_request_is_rejected_for_another(
        id in "[a. ]{1,4}", nonce in "[a. ]{1,4}", body in "[a.\n]{0,6}",
        other_id in "[a. ]{1,4}", other_nonce in "[a. ]{1,4}", other_body in "[a.\n]{0,6}",
    ) {
        let trimmed = |text: &str| text.trim().to_owned();
        let mine = (trimmed(&id), trimmed(&nonce), body);
        let theirs = (trimmed(&other_id), trimmed(&other_nonce), other_body);
        let genuine = around_headers(&mine.0, &mine.1, &mine.2);
        let is_accepted = judge_around(&genuine, &mine.2).is_ok();
        let mut headers = around_headers(&theirs.0, &theirs.1, &theirs.2);
        headers[0].1 = genuine[0].1.clone();
        let verdict = judge_around(&headers, &theirs.2);
        prop_assert!(verdict.is_err() || mine == theirs || !is_accepted, "{mine:?} {theirs:?}");
    }

    #[test]
    fn any_cut_into_frames_gives_the_same_verdict(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        cuts in proptest::collection::vec(0usize..300, 0..12),
        is_genuine: bool,
    ) {
        let signed = [b"POST https://example.com/hook?x=1\nid.", &body[..], b".n.", TIME.as_bytes()];
        let mut tag = tag(signed.concat());
        tag[7] ^= u8::from(!is_genuine);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let frames = cuts.windows(2).map(|cut| Bytes::copy_from_slice(&body[cut[0]..cut[1]]));
        let request = Request::post("/hook?x=1")
            .header("x-s", hex(&tag))
            .header("x-id", "id")
            .header("x-nonce", "n")
            .header("x-t", TIME)
            .body(Script::data(frames))
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (response, inner) = runtime.block_on(send(&SignatureLayer::new(around()), request));
        prop_assert_eq!(response.status() == StatusCode::OK, is_genuine);
        prop_assert_eq!(inner.count(), usize::from(is_genuine));
        if is_genuine {
            let call = inner.only_call();
            prop_assert_eq!(call.body.bytes(), &body);
        }
    }
}

#[test]
fn any_candidate_and_any_key_up_to_sixteen_of_each() {
    const LIST: Scheme = Scheme::hmac_sha256("x-s").signature_format(SignatureFormat::tagged("v1"));
    let keys: Vec<_> = (0..16).map(|index| format!("key number {index}")).collect();
    let verifier = LIST.verifier(keys.clone()).unwrap();
    let more = [&keys[..], &["one more".to_owned()]].concat();
    assert_eq!(LIST.verifier(more).unwrap_err(), ConfigError::TooManySecrets);

    let item =
        |key: &str| format!("v1,{}", hex(&mac::<Sha256Mac>(key.as_bytes(), BODY.as_bytes())));
    let wrong = item("unknown");
    for (at, key) in keys.iter().enumerate() {
        let mut items = vec![wrong.clone(); 16];
        items[15 - at] = item(key);
        let verified = judge_with(&verifier, &[("x-s", &items.join(" "))], BODY).unwrap();
        assert_eq!(verified.key_index(), at);
        // Seventeen are an attack, wherever the good one is.
        items.push(wrong.clone());
        let verdict = judge_with(&verifier, &[("x-s", &items.join(" "))], BODY);
        assert_eq!(kind(verdict), Some(RejectionKind::Malformed), "{at}");
        // Those under other names do not count.
        items[16] = wrong.replace("v1", "v2");
        assert!(judge_with(&verifier, &[("x-s", &items.join(" "))], BODY).is_ok(), "{at}");
    }
    let both = format!("{} {}", item(&keys[9]), item(&keys[4]));
    let verified = judge_with(&verifier, &[("x-s", &both)], BODY).unwrap();
    assert_eq!(verified.key_index(), 4, "the first key that matches");
    let none = kind(judge_with(&verifier, &[("x-s", &wrong)], BODY));
    assert_eq!(none, Some(RejectionKind::SignatureMismatch));
}

#[test]
fn header_over_eight_kibibytes_is_rejected() {
    const LIST: Scheme = Scheme::hmac_sha256("x-s").signature_format(SignatureFormat::tagged("v1"));
    let verifier = LIST.verifier(Secret::new("key").unwrap()).unwrap();
    let good = format!("v1,{} v2,", hex(&mac::<Sha256Mac>(b"key", BODY.as_bytes())));
    for (len, expected) in [(8192, None), (8193, Some(RejectionKind::Malformed))] {
        let value = format!("{good}{}", "a".repeat(len - good.len()));
        assert_eq!(kind(judge_with(&verifier, &[("x-s", &value)], BODY)), expected, "{len}");
    }
}

#[test]
fn a_scheme_that_signs_the_url_needs_one() {
    const SIGNED: Scheme =
        Scheme::hmac_sha256("x-s").signed_content(&[Component::Url, Component::Body]);
    assert_eq!(SIGNED.verifier(secret()).unwrap_err(), ConfigError::UrlMissing);
    let good = hex(&tag(format!("https://a.example/hook?x=1{BODY}")));
    for (name, url, expected) in [
        ("base", PublicUrl::base("https://a.example").unwrap(), None),
        ("fixed", PublicUrl::fixed("https://a.example/hook?x=1").unwrap(), None),
        ("custom", PublicUrl::custom(|_| Some("https://a.example/hook?x=1".into())), None),
        (
            "port",
            PublicUrl::base("https://a.example:443").unwrap(),
            Some(RejectionKind::SignatureMismatch),
        ),
        ("unknown", PublicUrl::custom(|_| None), Some(RejectionKind::UrlUnresolved)),
    ] {
        let verifier = SIGNED.verifier_at(secret(), url).unwrap();
        let verdict = judge_with(&verifier, &[("x-s", &good), ("host", "evil.example")], BODY);
        assert_eq!(kind(verdict), expected, "{name}");
    }
}

#[test]
fn invalid_scheme_declaration_panics() {
    for (name, declare) in [
        ("capitals", (|| Scheme::hmac_sha256("X-Signature")) as fn() -> Scheme),
        ("empty", || Scheme::hmac_sha1("")),
        ("space", || Scheme::hmac_sha512("x signature")),
        ("colon", || Scheme::hmac_sha384("x:")),
        ("no header at all", || Scheme::hmac_sha256("x").headers(&[])),
        ("one of several", || Scheme::hmac_sha256("x").headers(&["x", "Y"])),
        ("id", || Scheme::hmac_sha256("x").delivery_id("Id")),
        ("time", || {
            Scheme::hmac_sha256("x")
                .time(TimestampSource::Header("T"), TimestampFormat::UnixSeconds)
        }),
        ("part", || {
            Scheme::hmac_sha256("x").signed_content(&[Component::Header("N"), Component::Body])
        }),
        ("no body", || Scheme::hmac_sha256("x").signed_content(&[Component::Id, Component::Time])),
        ("two bodies", || {
            Scheme::hmac_sha256("x").signed_content(&[Component::Body, Component::Body])
        }),
    ] {
        assert!(std::panic::catch_unwind(declare).is_err(), "{name}");
    }
}

#[test]
fn contradictory_scheme_is_rejected_at_construction() {
    const HEADER: Scheme = Scheme::hmac_sha256("x-s")
        .time(TimestampSource::Header("x-t"), TimestampFormat::UnixSeconds)
        .tolerance(Tolerance::seconds(300));
    const SIGNED: &[Component] = &[Component::Time, DOT, Component::Body];
    let in_signature = HEADER.time(TimestampSource::Signature, TimestampFormat::UnixSeconds);
    let in_body = HEADER.time(TimestampSource::Json("at"), TimestampFormat::UnixSeconds);
    for (name, scheme, is_valid) in [
        ("signed time", HEADER.signed_content(SIGNED), true),
        (
            "signed as a header",
            HEADER.signed_content(&[Component::Header("x-t"), Component::Body]),
            true,
        ),
        ("time judged but not signed", HEADER, false),
        (
            "another header signed",
            HEADER.signed_content(&[Component::Header("x-u"), Component::Body]),
            false,
        ),
        (
            "time in the signature",
            in_signature.signature_format(SignatureFormat::pairs("t", "s")).signed_content(SIGNED),
            true,
        ),
        ("not signed", in_signature.signature_format(SignatureFormat::pairs("t", "s")), false),
        ("grammar without a time", in_signature.signed_content(SIGNED), false),
        (
            "list without a time",
            in_signature.signature_format(SignatureFormat::tagged("s")).signed_content(SIGNED),
            false,
        ),
        ("time in the body", in_body, true),
        ("time in the body, and before it", in_body.signed_content(SIGNED), false),
        ("signed time without a source", Scheme::hmac_sha256("x-s").signed_content(SIGNED), false),
        (
            "tolerance without a time",
            Scheme::hmac_sha256("x-s").tolerance(Tolerance::seconds(1)),
            false,
        ),
        (
            "time in one of several headers",
            in_signature
                .signature_format(SignatureFormat::pairs("t", "s"))
                .signed_content(SIGNED)
                .headers(&["x-a", "x-b"]),
            false,
        ),
        (
            "digits after the time",
            HEADER.signed_content(&[Component::Time, Component::Literal("1"), Component::Body]),
            false,
        ),
        (
            "fraction after the time",
            HEADER
                .time(TimestampSource::Header("x-t"), TimestampFormat::Rfc3339NoOffset)
                .signed_content(&[Component::Time, Component::Literal("."), Component::Body]),
            false,
        ),
        (
            "id without a name",
            Scheme::hmac_sha256("x-s").signed_content(&[Component::Id, Component::Body]),
            false,
        ),
    ] {
        let made = scheme.verifier(secret());
        assert_eq!(made.is_ok(), is_valid, "{name}");
        let is_invalid = matches!(made, Err(ConfigError::SchemeInvalid { .. }));
        assert_eq!(is_invalid, !is_valid, "{name}");
    }
}

/// Two letters that are no digits must not make up for each other: `zz` is not `ff`.
#[test]
fn pair_of_invalid_hex_digits_is_rejected() {
    let scheme = Scheme::hmac_sha256("x-s");
    let (body, signature) = (0..)
        .map(|n: u32| (n.to_string(), hex(&tag(n.to_string()))))
        .find(|(_, signature)| signature.starts_with("ff"))
        .unwrap();
    assert!(judge(scheme, &[("x-s", &signature)], &body).is_ok());
    for pair in ["zz", "z0", "0z", "  ", "gg", "@@", "::", "``"] {
        let spelled = signature.replacen("ff", pair, 1);
        let verdict = judge(scheme, &[("x-s", &spelled)], &body);
        assert_eq!(kind(verdict), Some(RejectionKind::Malformed), "{pair:?}");
    }
}

#[test]
fn first_of_two_unique_proofs_gives_the_replay_key() {
    const FIRST: Scheme = Scheme::hmac_sha256("x-s")
        .time(TimestampSource::Header("x-t"), TimestampFormat::UnixSeconds)
        .signed_content(&[Component::Time, DOT, Component::Body])
        .tolerance(Tolerance::seconds(300));
    const SECOND: Scheme = Scheme::hmac_sha256("x-z")
        .time(TimestampSource::Header("x-u"), TimestampFormat::UnixSeconds)
        .signed_content(&[Component::Time, DOT, Component::Body])
        .tolerance(Tolerance::seconds(300));
    let (early, late) = (NOW.to_string(), (NOW + 1).to_string());
    let (first, second) = (tag(format!("{early}.{BODY}")), tag(format!("{late}.{BODY}")));
    let head =
        head(&[("x-s", &hex(&first)), ("x-t", &early), ("x-z", &hex(&second)), ("x-u", &late)]);
    let of = |scheme: Scheme| scheme.verifier(secret()).unwrap().clock(at(NOW));
    let body = Bytes::from(BODY);
    let alone = verify(&of(FIRST), &head, &body).unwrap();
    let both = verify(&all_of(of(FIRST), of(SECOND)), &head, &body).unwrap();
    assert_eq!(both.signed_at(), alone.signed_at());
    assert_eq!(both.replay_key(), alone.replay_key());
    let turned = verify(&all_of(of(SECOND), of(FIRST)), &head, &body).unwrap();
    assert_ne!(turned.replay_key(), alone.replay_key());
}

#[test]
fn a_scheme_states_its_name_its_status_and_its_limit() {
    const DEFAULTS: Scheme =
        Scheme::hmac_sha256("x-s").provider("acme").status(StatusCode::UNAUTHORIZED).body_limit(10);
    let verifier = DEFAULTS.verifier(secret()).unwrap();
    let refused = verify(&verifier, &head(&[]), &Bytes::new()).unwrap_err();
    assert_eq!((refused.provider(), refused.status()), ("acme", StatusCode::UNAUTHORIZED));
    assert_eq!(Verifier::defaults(&verifier).body_limit(), 10);
    let verified = judge_with(&verifier, &[("x-s", &hex(&tag(BODY)))], BODY).unwrap();
    assert_eq!(verified.provider(), "acme");
}

/// Path, query and host as received, each in a piece of the signed content.
#[test]
fn path_query_and_host_are_signed_as_received() {
    const NEWLINE: Component = Component::Literal("\n");
    const SCHEME: Scheme = Scheme::hmac_sha256("x-s").signed_content(&[
        Component::Method,
        NEWLINE,
        Component::Host,
        NEWLINE,
        Component::Path,
        NEWLINE,
        Component::Query,
        NEWLINE,
        Component::Body,
    ]);
    let verifier = SCHEME.verifier(secret()).unwrap();
    let judge = |uri: &str, host: Option<&str>, signed: &str| {
        let tag = hmac_sha256(SECRET, format!("{signed}\nbody").as_bytes());
        let mut request = Request::post(uri).header("x-s", tag);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let head = head_of(request.body(()).unwrap());
        verify(&verifier, &head, &Bytes::from("body")).map(drop).map_err(|why| why.kind())
    };
    for (uri, host, signed) in [
        ("/a/b?x=1&y=%20", Some("a.example"), "POST\na.example\n/a/b\nx=1&y=%20"),
        ("/a", Some("a.example:8443"), "POST\na.example:8443\n/a\n"),
        // No query, and an empty one.
        ("/a?", Some("a.example"), "POST\na.example\n/a\n"),
        // HTTP/2 names the authority; with both, they must be the same.
        ("https://a.example/a?x", None, "POST\na.example\n/a\nx"),
        ("https://a.example/a?x", Some("A.example"), "POST\nA.example\n/a\nx"),
        ("/A//b/../c", Some("a.example"), "POST\na.example\n/A//b/../c\n"),
    ] {
        assert_eq!(judge(uri, host, signed), Ok(()), "{uri} {host:?}");
    }
    for (uri, host, signed, kind) in [
        ("/a", Some("b.example"), "POST\na.example\n/a\n", RejectionKind::SignatureMismatch),
        ("/b", Some("a.example"), "POST\na.example\n/a\n", RejectionKind::SignatureMismatch),
        ("/a?x", Some("a.example"), "POST\na.example\n/a\n", RejectionKind::SignatureMismatch),
        ("/a", None, "POST\na.example\n/a\n", RejectionKind::Missing),
        (
            "https://a.example/a",
            Some("b.example"),
            "POST\nb.example\n/a\n",
            RejectionKind::Malformed,
        ),
    ] {
        assert_eq!(judge(uri, host, signed), Err(kind), "{uri} {host:?}");
    }
    let error = Scheme::hmac_sha256("x-s")
        .signed_content(&[Component::Path, Component::Query, Component::Body])
        .verifier(secret())
        .unwrap_err();
    assert!(error.to_string().contains("adjacent components"), "{error}");
}

/// A signature in a query, a form or JSON: by the scheme's format, encoding and key rule.
#[test]
fn a_signature_is_checked_wherever_it_stands() {
    use tower_webhook::scheme::{Encoding, SecretEncoding};

    const PLAIN: Scheme = Scheme::hmac_sha256("unused");
    const PREFIXED: Scheme = Scheme::hmac_sha1("unused").prefix("sha1=").encoding(Encoding::Base64);
    const LISTED: Scheme = Scheme::hmac_sha512("unused")
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .secret_encoding(SecretEncoding::Hex);
    let kind = |checked: Result<usize, tower_webhook::Rejection>| checked.map_err(|why| why.kind());
    let tag = hmac_sha256("new", b"id=1");
    assert_eq!(kind(PLAIN.check(&tag, "id=1", "new")), Ok(0));
    assert_eq!(kind(PLAIN.check(&tag, "id=1", ["newest", "new"])), Ok(1));
    assert_eq!(kind(PLAIN.check(tag.to_uppercase(), b"id=1", "new")), Ok(0));
    for (signature, content, secret, expected) in [
        (&*tag, "id=2", "new", RejectionKind::SignatureMismatch),
        (&tag, "id=1", "old", RejectionKind::SignatureMismatch),
        (&tag[1..], "id=1", "new", RejectionKind::Malformed),
        ("", "id=1", "new", RejectionKind::Malformed),
        ("\u{0}", "id=1", "new", RejectionKind::Malformed),
        (&tag, "id=1", "", RejectionKind::VerifierUnavailable),
    ] {
        assert_eq!(kind(PLAIN.check(signature, content, secret)), Err(expected), "{signature}");
    }
    // By Python's hmac and base64.
    assert_eq!(kind(PREFIXED.check("sha1=P4e1CsFkMG03PuHXPdr3rtdToBQ=", "id=1", "new")), Ok(0));
    assert_eq!(
        kind(PREFIXED.check("P4e1CsFkMG03PuHXPdr3rtdToBQ=", "id=1", "new")),
        Err(RejectionKind::Malformed)
    );
    let listed = "t=1,v1=00,v1=fb16b4c1093c380ae1d2dc7f783dda04adff793f1b05a8f2151b5e045f27896894fef42073e32b28e647bb3e3718b7bc4c5f0970fcde03a414672202c6fc8028";
    assert_eq!(kind(LISTED.check(listed, "id=1", "6e6577")), Ok(0));
    assert_eq!(kind(LISTED.check("t=1", "id=1", "6e6577")), Err(RejectionKind::Malformed));
    let many = "v1=00,".repeat(16);
    let many = format!("{many}v1={}", &listed[listed.len() - 128..]);
    assert_eq!(kind(LISTED.check(many, "id=1", "6e6577")), Err(RejectionKind::Malformed));
    #[cfg(feature = "asymmetric")]
    assert_eq!(
        kind(Scheme::ed25519("unused").check("00", "", "new")),
        Err(RejectionKind::VerifierUnavailable)
    );
}

/// A time that no scheme reads.
#[test]
fn a_time_is_checked_wherever_it_stands() {
    use std::time::{Duration, UNIX_EPOCH};
    use tower_webhook::verifier::Clock;

    let tolerance = Tolerance::new(Duration::from_secs(300), Duration::from_secs(60));
    let judge = |signed: u64, now: u64| {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        tolerance.check(at(signed), &Clock::fixed(at(now))).map_err(|why| why.kind())
    };
    assert_eq!(judge(NOW, NOW), Ok(()));
    assert_eq!(judge(NOW - 300, NOW), Ok(()));
    assert_eq!(judge(NOW - 301, NOW), Err(RejectionKind::TimestampStale));
    assert_eq!(judge(NOW + 60, NOW), Ok(()));
    assert_eq!(judge(NOW + 61, NOW), Err(RejectionKind::TimestampInFuture));
    assert_eq!(judge(0, 0), Err(RejectionKind::ClockUnreliable));
    let before_1970 = UNIX_EPOCH - Duration::from_secs(1);
    let kind = |tolerance: Tolerance| {
        tolerance.check(before_1970, &Clock::fixed(at(NOW)())).map_err(|why| why.kind())
    };
    assert_eq!(kind(tolerance), Err(RejectionKind::TimestampStale));
    assert_eq!(kind(Tolerance::UNBOUNDED), Ok(()));
}
