//! Signatures in several lines of a header or in the query, several names of signatures, and bodies
//! of which the digest is signed. Signatures are made with the primitives.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use sha2::{Digest, Sha256};
use tower_webhook::{
    ConfigError, PublicUrl, RejectionKind, Scheme, Secret, SignatureLayer, Verified, Verifier,
    scheme::{
        Component, ContactField, DigestEncoding, Encoding, FirstContact, SignatureFormat,
        TimestampFormat, TimestampSource,
    },
    sign::signed,
    verifier::Field,
};

use crate::{
    genuine::NOW,
    support::{AtTime, SECRET, Script, Sha256Mac, at, head_of, hex, mac, secret, send, verify},
};

const BODY: &str = r#"{"a":1}"#;
const DOT: Component = Component::Literal(".");
const QUERY: Scheme = Scheme::hmac_sha256("unused").query("signature");
const LINES: Scheme = Scheme::hmac_sha256("x-s")
    .lines()
    .signature_format(SignatureFormat::OptionalPrefix { prefix: "sha256=", separator: b',' });

type Verdict = Result<Verified, RejectionKind>;

fn tag(key: &str, message: impl AsRef<[u8]>) -> String {
    hex(&mac::<Sha256Mac>(key.as_bytes(), message.as_ref()))
}

fn head(target: &str, lines: &[&str]) -> Parts {
    let request =
        lines.iter().fold(Request::post(target), |request, line| request.header("x-s", *line));
    head_of(request.body(()).unwrap())
}

fn judge(verifier: &impl Verifier, head: &Parts) -> Verdict {
    verify(verifier, head, &Bytes::from_static(BODY.as_bytes())).map_err(|why| why.kind())
}

#[test]
fn signature_in_the_query_must_be_there_once_and_whole() {
    let verifier = QUERY.verifier(secret()).unwrap();
    let tag = tag(SECRET, BODY);
    let judge = |target: &str| judge(&verifier, &head(target, &[])).err();
    for target in [
        format!("/hook?signature={tag}"),
        format!("/hook?a=1&signature={tag}"),
        format!("/hook?signature={tag}&signatures=2&b"),
        format!("/hook?signature={}", tag.to_uppercase()),
    ] {
        assert_eq!(judge(&target), None, "{target}");
    }
    let other = format!("{}{}", if tag.starts_with('0') { '1' } else { '0' }, &tag[1..]);
    use RejectionKind::{Malformed, Missing, Repeated, SignatureMismatch};
    for (target, kind) in [
        ("/hook".to_owned(), Missing),
        ("/hook?".to_owned(), Missing),
        ("/hook?signature".to_owned(), Missing),
        ("/hook?signature=".to_owned(), Missing),
        (format!("/hook?Signature={tag}"), Missing),
        (format!("/hook?x=signature={tag}"), Missing),
        (format!("/hook?signature=&signature={tag}"), Repeated),
        (format!("/hook?signature={tag}&signature={tag}"), Repeated),
        (format!("/hook?signature={tag}0"), Malformed),
        (format!("/hook?signature={}", &tag[1..]), Malformed),
        (format!("/hook?signature=%{:x}{}", tag.as_bytes()[0], &tag[1..]), Malformed),
        (format!("/hook?signature={}", "0".repeat(9 << 10)), Malformed),
        (format!("/hook?signature={other}"), SignatureMismatch),
    ] {
        assert_eq!(judge(&target), Some(kind), "{target}");
    }
    // A signature in a header is not one in the query.
    let head = head("/hook", &[&tag]);
    let refused = verify(&verifier, &head, &Bytes::from_static(BODY.as_bytes())).unwrap_err();
    assert_eq!(refused.field(), Some(Field::Query("signature".into())));
}

#[test]
fn query_signature_is_hidden_and_its_request_is_signed() {
    assert!(QUERY.sensitive_parts().has_url());
    let verifier = QUERY.verifier(secret()).unwrap();
    let request = Request::post("/hook?signature=old&a=1").body(Bytes::from(BODY)).unwrap();
    let request = signed(&verifier, request, at(NOW)()).unwrap();
    assert_eq!(request.uri(), &*format!("/hook?a=1&signature={}", tag(SECRET, BODY)));
    let (head, body) = request.into_parts();
    verify(&verifier, &head, &body).unwrap();
}

#[tokio::test]
async fn query_signature_passes_the_layer_and_an_empty_one_fails() {
    let layer = SignatureLayer::new(QUERY.verifier(secret()).unwrap());
    for (signature, status) in
        [(tag(SECRET, BODY), StatusCode::OK), (String::new(), StatusCode::FORBIDDEN)]
    {
        let request = Request::post(format!("/hook?signature={signature}"));
        let request = request.body(Script::data([BODY])).unwrap();
        assert_eq!(send(&layer, request).await.0.status(), status);
    }
}

#[test]
fn schemes_that_cannot_verify_do_not_build() {
    const PING: FirstContact = FirstContact::json(&[("ping", ContactField::True)]);
    let of_query = QUERY.signed_content(&[Component::Query, DOT, Component::Body]);
    let of_url = QUERY.signed_content(&[Component::Url, DOT, Component::Body]);
    let wrong = SignatureFormat::OptionalPrefix { prefix: "a,", separator: b',' };
    for scheme in [
        QUERY.encoding(Encoding::Base64),
        QUERY.first_contacts(&[PING]),
        QUERY.signature_format(SignatureFormat::tagged("v1")),
        of_query,
        of_url,
        LINES.signature_format(wrong),
        LINES.signature_format(SignatureFormat::OptionalPrefix { prefix: "", separator: b'a' }),
    ] {
        let url = PublicUrl::base("https://a.example").unwrap();
        let refused = scheme.verifier_at(secret(), url).unwrap_err();
        assert!(matches!(refused, ConfigError::SchemeInvalid { .. }), "{refused}");
    }
    for name in ["", "a=b", "a&b", "#", "a b"] {
        let named = move || Scheme::hmac_sha256("x-s").query(name);
        assert!(std::panic::catch_unwind(named).is_err(), "{name}");
    }
    QUERY.encoding(Encoding::Base64Url).verifier(secret()).unwrap();
}

#[test]
fn each_line_of_a_header_can_have_the_signature() {
    let verifier = LINES.verifier(secret()).unwrap();
    let judge = |lines: &[&str]| judge(&verifier, &head("/", lines)).err();
    let good = tag(SECRET, BODY);
    let prefixed = format!("sha256={good}");
    let other = tag("another secret", BODY);
    let joined = format!("sha256={other}, sha256={good}");
    for lines in [
        &[&*good][..],
        &[&prefixed],
        &[&other, &good],
        &[&prefixed, &other],
        &[&other, &joined],
        &["sha512=unknown", &prefixed],
    ] {
        assert_eq!(judge(lines), None, "{lines:?}");
    }
    use RejectionKind::{Malformed, Missing, SignatureMismatch};
    let sixteen = vec![&*other; 16];
    let seventeen = [&sixteen[..], &[&good]].concat();
    let long = "0".repeat(9 << 10);
    for (lines, kind) in [
        (&[][..], Missing),
        (&["", &good], Malformed),
        (&["sha256="], Malformed),
        (&[&long, &good], Malformed),
        (&[&other], SignatureMismatch),
        (&sixteen, SignatureMismatch),
        // A sender must not choose how many signatures are checked.
        (&seventeen, Malformed),
    ] {
        assert_eq!(judge(lines), Some(kind), "{lines:?}");
    }
    // Other headers must not be repeated.
    let single = Scheme::hmac_sha256("x-s").verifier(secret()).unwrap();
    assert_eq!(
        crate::scheme::places::judge(&single, &head("/", &[&good, &good])).err(),
        Some(RejectionKind::Repeated)
    );
}

#[test]
fn each_secret_matches_in_any_line() {
    let verifier = LINES.verifier([secret(), Secret::new("the old one").unwrap()]).unwrap();
    let [new, old] = [tag(SECRET, BODY), tag("the old one", BODY)];
    for (lines, key_index) in [(&[&*new][..], 0), (&[&*old], 1), (&[&old, &new], 0)] {
        let proof = judge(&verifier, &head("/", lines)).unwrap();
        assert_eq!(proof.key_index(), key_index, "{lines:?}");
    }
}

#[test]
fn time_in_one_of_several_lines_is_a_mistake() {
    let scheme = LINES
        .signature_format(SignatureFormat::pairs("t", "v1"))
        .signed_content(&[Component::Time, DOT, Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);
    let refused = scheme.verifier(secret()).unwrap_err();
    assert!(refused.to_string().contains("several signature headers"), "{refused}");
}

#[test]
fn both_names_of_a_signature_are_accepted() {
    let scheme = Scheme::hmac_sha256("x-s")
        .signature_format(SignatureFormat::pairs("t", "v1").or_named("v2"))
        .signed_content(&[Component::Time, DOT, Component::Body])
        .time(TimestampSource::Signature, TimestampFormat::UnixSeconds);
    let verifier = scheme.verifier(secret()).unwrap().clock(at(NOW));
    let good = tag(SECRET, format!("{NOW}.{BODY}"));
    let other = tag("another secret", BODY);
    for (value, is_accepted) in [
        (format!("t={NOW},v1={good}"), true),
        (format!("t={NOW},v1={other},v2={good}"), true),
        (format!("t={NOW},v2={good}"), true),
        (format!("t={NOW},v1={other},v3={good}"), false),
        (format!("t={NOW},v1={other},v2={other}"), false),
    ] {
        assert_eq!(judge(&verifier, &head("/", &[&value])).is_ok(), is_accepted, "{value}");
    }
}

/// Returns the signed text of a body's digest.
fn digest(form: DigestEncoding, body: &str) -> Vec<u8> {
    let digest = Sha256::digest(body);
    match form {
        DigestEncoding::Base64 => STANDARD.encode(digest).into_bytes(),
        DigestEncoding::Hex => hex(&digest).into_bytes(),
        _ => digest.to_vec(),
    }
}

const DIGESTS: [(DigestEncoding, Scheme); 3] = [
    (DigestEncoding::Base64, of_digest(&[Component::BodySha256(DigestEncoding::Base64)])),
    (DigestEncoding::Hex, of_digest(&[Component::BodySha256(DigestEncoding::Hex)])),
    (DigestEncoding::Raw, of_digest(&[Component::BodySha256(DigestEncoding::Raw)])),
];

const fn of_digest(content: &'static [Component]) -> Scheme {
    Scheme::hmac_sha256("x-s").signed_content(content)
}

#[tokio::test]
async fn signed_digest_binds_the_body_in_any_frames() {
    for (form, scheme) in DIGESTS {
        let keys = [Secret::new("the new one").unwrap(), secret()];
        let layer = SignatureLayer::new(scheme.verifier(keys).unwrap());
        let signature = hex(&mac::<Sha256Mac>(SECRET.as_bytes(), &digest(form, BODY)));
        for (frames, status) in [
            (&[BODY][..], StatusCode::OK),
            (&[&BODY[..3], &BODY[3..]], StatusCode::OK),
            (&[r#"{"a":2}"#], StatusCode::FORBIDDEN),
            (&[BODY, " "], StatusCode::FORBIDDEN),
            (&[], StatusCode::FORBIDDEN),
        ] {
            let request = Request::post("/").header("x-s", &signature);
            let frames = frames.iter().map(|frame| frame.to_string());
            let request = request.body(Script::data(frames)).unwrap();
            let (response, inner) = send(&layer, request).await;
            assert_eq!(response.status(), status, "{form:?}");
            if status == StatusCode::OK {
                assert_eq!(inner.only_call().verified().key_index(), 1);
            }
        }
        // The digest itself is not the body.
        let of_body = tag(SECRET, BODY);
        let verifier = scheme.verifier(secret()).unwrap();
        assert_eq!(
            judge(&verifier, &head("/", &[&of_body])).err(),
            Some(RejectionKind::SignatureMismatch)
        );
    }
}

#[test]
fn digest_stands_where_the_scheme_has_it() {
    const CONTENT: &[Component] = &[
        Component::Time,
        Component::Literal("\n"),
        Component::Url,
        Component::Literal("\n"),
        Component::BodySha256(DigestEncoding::Raw),
        Component::Literal("\n"),
        Component::Header("x-nonce"),
    ];
    let scheme =
        of_digest(CONTENT).time(TimestampSource::Header("x-t"), TimestampFormat::UnixSeconds);
    let url = PublicUrl::base("https://a.example").unwrap();
    let verifier = scheme.verifier_at(secret(), url).unwrap().clock(at(NOW));
    let mut content = format!("{NOW}\nhttps://a.example/hook?x=1\n").into_bytes();
    content.extend(digest(DigestEncoding::Raw, BODY));
    content.extend(b"\nn-1");
    let signature = hex(&mac::<Sha256Mac>(SECRET.as_bytes(), &content));
    let judge = |target: &str, time: u64, nonce: &str, body: &'static str| {
        let request = Request::post(target).header("x-s", &signature).header("x-nonce", nonce);
        let head = head_of(request.header("x-t", time).body(()).unwrap());
        verify(&verifier, &head, &Bytes::from_static(body.as_bytes())).is_ok()
    };
    assert!(judge("/hook?x=1", NOW, "n-1", BODY));
    assert!(!judge("/hook?x=2", NOW, "n-1", BODY));
    assert!(!judge("/hook?x=1", NOW + 1, "n-1", BODY));
    assert!(!judge("/hook?x=1", NOW, "n-2", BODY));
    assert!(!judge("/hook?x=1", NOW, "n-1", r#"{"a":2}"#));
    let request = Request::post("/hook?x=1").body(Bytes::from(BODY)).unwrap();
    let (head, body) = signed(&verifier.0, request, at(NOW)()).unwrap().into_parts();
    verify(&verifier, &head, &body).unwrap();
}

#[test]
fn body_and_its_digest_cannot_both_be_signed() {
    let twice = || of_digest(&[Component::Body, Component::BodySha256(DigestEncoding::Hex)]);
    assert!(std::panic::catch_unwind(twice).is_err());
}
