//! Plain hashes with the secret in them. The hashes are made with the primitives, and the extended one
//! with a compression function in Python.

use bytes::Bytes;
use http::{Request, request::Parts};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tower_webhook::{
    ConfigError, Rejection, RejectionKind, Scheme, Secret, Verified, Verifier,
    providers::HubSpot,
    scheme::{Component, DigestEncoding, TimestampFormat, TimestampSource},
    sign::signed,
    verifier::Field,
};

use crate::{
    genuine::NOW,
    support::{AtTime, SECRET, at, head_of, hex, secret, verify},
};

const BODY: &str = r#"{"a":1}"#;
const FIRST: Scheme =
    Scheme::plain_sha256("x-s").signed_content(&[Component::Secret, Component::Body]);
const LAST: Scheme =
    Scheme::plain_sha1("x-s").signed_content(&[Component::Body, Component::Secret]);

fn head(headers: &[(&str, &str)]) -> Parts {
    let request = headers
        .iter()
        .fold(Request::post("/hook"), |request, (name, value)| request.header(*name, *value));
    head_of(request.body(()).unwrap())
}

fn judge(
    verifier: &impl Verifier,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Verified, Rejection> {
    verify(verifier, &head(headers), &body.into())
}

#[test]
fn secret_stands_where_the_scheme_has_it() {
    let first = hex(&Sha256::digest(format!("{SECRET}{BODY}")));
    let last = hex(&Sha1::digest(format!("{BODY}{SECRET}")));
    for (scheme, right, wrong) in [
        (FIRST, &first, hex(&Sha256::digest(format!("{BODY}{SECRET}")))),
        (FIRST, &first, hex(&Sha256::digest(BODY))),
        (LAST, &last, hex(&Sha1::digest(format!("{SECRET}{BODY}")))),
        (LAST, &last, hex(&Sha1::digest(BODY))),
    ] {
        let verifier = scheme.verifier(secret()).unwrap();
        judge(&verifier, &[("x-s", right)], BODY).unwrap();
        for (value, body) in [(&wrong, BODY), (right, r#"{"a":2}"#)] {
            let refused = judge(&verifier, &[("x-s", value)], body).unwrap_err();
            assert_eq!(refused.kind(), RejectionKind::SignatureMismatch);
        }
    }
}

#[test]
fn each_secret_of_a_plain_hash_is_tried() {
    let keys = [Secret::new("the new one").unwrap(), secret()];
    let verifier = FIRST.verifier(keys).unwrap();
    let value = hex(&Sha256::digest(format!("{SECRET}{BODY}")));
    assert_eq!(judge(&verifier, &[("x-s", &value)], BODY).unwrap().key_index(), 1);
    let shown = format!("{verifier:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("the new one"), "{shown}");
}

#[test]
fn components_of_a_plain_hash_are_signed() {
    let scheme = Scheme::plain_sha256("x-s")
        .signed_content(&[
            Component::Time,
            Component::Header("x-nonce"),
            Component::Secret,
            Component::Body,
        ])
        .time(TimestampSource::Header("x-t"), TimestampFormat::UnixSeconds);
    let verifier = scheme.verifier(secret()).unwrap().clock(at(NOW));
    let value = hex(&Sha256::digest(format!("{NOW}n-1{SECRET}{BODY}")));
    let judge = |time: u64, nonce| {
        let headers = [("x-s", &*value), ("x-t", &time.to_string()), ("x-nonce", nonce)];
        judge(&verifier, &headers, BODY).is_ok()
    };
    assert!(judge(NOW, "n-1"));
    assert!(!judge(NOW + 1, "n-1") && !judge(NOW, "n-2"));
    let request = Request::post("/").body(Bytes::from(BODY)).unwrap();
    let (head, body) = signed(&verifier.0, request, at(NOW)()).unwrap().into_parts();
    verify(&verifier, &head, &body).unwrap();
}

/// From `sha256("made-up-secret" + body)` follows the hash of a longer body, without the secret.
#[test]
fn hash_of_a_longer_body_is_rejected() {
    const AUTHENTIC: &str = "b5f79e002afd9a88d70e4ecf0be84cc61f4445f1a7283dae99a28fd004507dc2";
    const FORGED: &str = "fed8d82184a02f3e93d0c19e184e91d3131bdb50aed4062a5f1f2c6689573a90";
    let mut body = b"{\"a\":1}\x80".to_vec();
    body.resize(49, 0);
    body.extend(b"\xa8{\"a\":2}");
    let verifier = FIRST.verifier("made-up-secret").unwrap();
    judge(&verifier, &[("x-s", AUTHENTIC)], BODY).unwrap();
    assert_eq!(hex(&Sha256::digest([b"made-up-secret", &body[..]].concat())), FORGED);
    let refused = judge(&verifier, &[("x-s", FORGED)], body).unwrap_err();
    assert_eq!((refused.kind(), refused.field()), (RejectionKind::Malformed, Some(Field::Body)));
    // The padding completes a character that was cut, so it can be UTF-8.
    let cut = b"cut at \xc3";
    let padded = [&cut[..], b"\x80", &[0; 39], b"\xb8&admin=1"].concat();
    assert!(std::str::from_utf8(&padded[..9]).is_ok());
    let value = hex(&Sha256::digest([b"made-up-secret", &padded[..]].concat()));
    let refused = judge(&verifier, &[("x-s", &value)], padded).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::Malformed);
    // Before the secret, nobody can add anything, and any bytes are a body.
    let binary = b"\x80\xff\0";
    let value = hex(&Sha1::digest([&binary[..], SECRET.as_bytes()].concat()));
    judge(&LAST.verifier(secret()).unwrap(), &[("x-s", &value)], &binary[..]).unwrap();
}

#[test]
fn secret_belongs_to_a_plain_hash_alone() {
    const WITH_SECRET: &[Component] = &[Component::Secret, Component::Body];
    for scheme in [
        Scheme::hmac_sha256("x-s").signed_content(WITH_SECRET),
        Scheme::plain_sha256("x-s"),
        Scheme::plain_sha1("x-s").signed_content(&[Component::BodySha256(DigestEncoding::Hex)]),
    ] {
        let refused = scheme.verifier(secret()).unwrap_err();
        assert!(matches!(refused, ConfigError::SchemeInvalid { .. }), "{refused}");
    }
}

#[test]
fn hubspot_needs_version_3_unless_told_otherwise() {
    let url = tower_webhook::PublicUrl::base("https://a.example").unwrap();
    let hubspot = HubSpot::new(secret(), url).unwrap();
    let v1 = hex(&Sha256::digest(format!("{SECRET}{BODY}")));
    let v2 = hex(&Sha256::digest(format!("{SECRET}POSThttps://a.example/hook{BODY}")));
    let of =
        |version, value| [("x-hubspot-signature-version", version), ("x-hubspot-signature", value)];
    for (version, value) in [("v1", &*v1), ("v2", &*v2)] {
        let refused = judge(&hubspot, &of(version, value), BODY).unwrap_err();
        assert_eq!(refused.kind(), RejectionKind::Missing);
        assert_eq!(refused.field().unwrap().name(), "x-hubspot-signature-v3");
    }
    let both = hubspot.accept_v1().accept_v2();
    judge(&both, &of("v1", &v1), BODY).unwrap();
    judge(&both, &of("v2", &v2), BODY).unwrap();
    // The text that version 2 hashes is no body of version 1.
    let text = format!("POSThttps://a.example/hook{BODY}");
    let refused = judge(&both, &of("v1", &v2), text).unwrap_err();
    assert_eq!(refused.field(), Some(Field::Body));
    for (version, value) in [("v1", &*v2), ("v2", &*v1), ("v3", &*v1), ("V1", &*v1)] {
        assert!(judge(&both, &of(version, value), BODY).is_err(), "{version}");
    }
}

#[test]
fn older_hash_of_a_delivery_has_its_replay_key() {
    const LEGACY: Scheme =
        Scheme::plain_sha1("x-old").signed_content(&[Component::Secret, Component::Body]);
    let verifier = FIRST.legacy(&LEGACY).verifier(secret()).unwrap().accept_legacy();
    let new = hex(&Sha256::digest(format!("{SECRET}{BODY}")));
    let old = hex(&Sha1::digest(format!("{SECRET}{BODY}")));
    let both = judge(&verifier, &[("x-s", &new), ("x-old", &old)], BODY).unwrap();
    let alone = judge(&verifier, &[("x-old", &old)], BODY).unwrap();
    assert!(both.replay_key().is_some());
    assert_eq!(both.replay_key(), alone.replay_key());
}

#[test]
fn plain_hash_has_no_check_of_a_text() {
    let refused = FIRST.check("00", "content", secret()).unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::VerifierUnavailable);
    assert!(format!("{refused:?}").contains("only an HMAC"), "{refused:?}");
    assert_eq!(FIRST.describe().algorithm, "plain SHA-256");
}

/// Anyone can compute the hash of a body alone.
#[cfg(feature = "explain")]
#[test]
fn hash_without_the_secret_is_no_proof() {
    let verifier = FIRST.verifier(secret()).unwrap();
    let head = head(&[("x-s", &hex(&Sha256::digest(BODY)))]);
    let body = Bytes::from_static(BODY.as_bytes());
    let explanation = tower_webhook::explain::explain(&verifier, &head, &body);
    let strengths = explanation.findings().iter().map(|finding| finding.strength());
    let proven = tower_webhook::explain::Strength::Proven;
    assert!(strengths.clone().all(|strength| strength != proven), "{explanation}");
}

#[test]
fn cloudinary_accounts_have_one_of_two_hashes() {
    use tower_webhook::providers::Cloudinary;
    let content = format!("{BODY}{NOW}{SECRET}");
    let [sha1, sha256] = [hex(&Sha1::digest(&content)), hex(&Sha256::digest(&content))];
    let one = Cloudinary::new(secret()).unwrap().clock(at(NOW));
    let other = Cloudinary::sha256(secret()).unwrap().clock(at(NOW));
    let time = NOW.to_string();
    let of = |value| [("x-cld-signature", value), ("x-cld-timestamp", &*time)];
    for (verifier, right, wrong) in [(&one, &*sha1, &*sha256), (&other, &sha256, &sha1)] {
        judge(verifier, &of(right), BODY).unwrap();
        assert!(judge(verifier, &of(wrong), BODY).is_err());
    }
}
