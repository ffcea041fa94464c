//! Mailgun's messages with attachments, as its routes send them.

use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use tower_webhook::{
    RejectionKind::{self, Malformed, Missing, Repeated, SignatureMismatch},
    SignatureLayer, Verified,
    providers::Mailgun,
};

use crate::support::{AtTime, SECRET, Script, Timed, at, hmac_sha256, secret, send, verify};

const NOW: u64 = 1_700_000_000;
const TIME: &str = "1700000000";
const TOKEN: &str = "7VwW7k6Ak7zcTwoSoNm7aTtbk1g67MKAnsYLfUB7PdszbgR5Xi";
const TYPE: &str = "multipart/form-data; boundary=\"--b0undary\"";

fn mailgun() -> Timed<Mailgun> {
    Mailgun::new(secret()).unwrap().clock(at(NOW))
}

fn head(content_type: &str) -> Parts {
    Request::post("/").header("content-type", content_type).body(()).unwrap().into_parts().0
}

fn tag() -> String {
    hmac_sha256(SECRET, format!("{TIME}{TOKEN}").as_bytes())
}

fn part(disposition: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("----b0undary\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    [head.as_bytes(), value, b"\r\n"].concat()
}

fn field(name: &str, value: &str) -> Vec<u8> {
    part(&format!("name=\"{name}\""), value.as_bytes())
}

fn proof() -> [Vec<u8>; 3] {
    [field("timestamp", TIME), field("token", TOKEN), field("signature", &tag())]
}

fn body(parts: &[Vec<u8>]) -> Bytes {
    [&parts.concat()[..], b"----b0undary--\r\n"].concat().into()
}

fn checked(body: &Bytes) -> Result<Verified, RejectionKind> {
    verify(&mailgun(), &head(TYPE), body).map_err(|rejection| rejection.kind())
}

#[tokio::test]
async fn a_message_with_attachments_is_verified() {
    let [time, token, signature] = proof();
    // No UTF-8, and pieces of the boundary in it.
    let file =
        [&b"\xff\xfe\r\n--\r\n----b0undar\r"[..], &[0; 100_000], b"\r\n----b0undar"].concat();
    let attachment = part("name=\"attachment-1\"; filename=\"token\"", &file);
    let text = field("body-plain", "name=\"signature\"");
    for parts in [
        vec![text.clone(), attachment.clone(), time.clone(), token.clone(), signature.clone()],
        vec![signature.clone(), token.clone(), time.clone(), attachment.clone(), text.clone()],
        vec![time.clone(), attachment.clone(), token, text, signature, attachment],
    ] {
        let body = body(&parts);
        let verified = checked(&body).unwrap();
        assert_eq!((verified.provider(), verified.signed_at()), ("mailgun", Some(at(NOW)())));
        assert_eq!(verified.delivery_id().unwrap(), TOKEN);
        let request = Request::post("/").header("content-type", TYPE);
        let request = request.body(Script::data([body.clone()])).unwrap();
        let (response, inner) = send(&SignatureLayer::new(mailgun()), request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(inner.only_call().body.bytes(), &body);
    }
}

/// What RFC 9110 and RFC 7578 allow, and what is sent all the same.
#[test]
fn every_spelling_of_the_form_is_read() {
    let body = |disposition: &str| {
        let [time, token, signature] =
            [("timestamp", TIME), ("token", TOKEN), ("signature", &*tag())].map(|(name, value)| {
                let head = disposition.replace("{}", name);
                [format!("--B\r\n{head}\r\n\r\n").as_bytes(), value.as_bytes(), b"\r\n"].concat()
            });
        [b"a preamble\r\n", &time[..], &token, &signature, b"--B--\r\nan epilogue"].concat()
    };
    const PLAIN: &str = "Content-Disposition: form-data; name=\"{}\"";
    for (content_type, disposition) in [
        ("multipart/form-data; boundary=B", PLAIN),
        ("Multipart/Form-Data; Boundary=B", PLAIN),
        ("multipart/form-data ; boundary=B", PLAIN),
        ("multipart/form-data;\tboundary=B ", PLAIN),
        ("multipart/form-data;boundary=B;", PLAIN),
        ("multipart/form-data; charset=utf-8; boundary=\"B\"", PLAIN),
        ("multipart/form-data; boundary=B; charset=utf-8", PLAIN),
        ("multipart/form-data; boundary=\"\\B\"", PLAIN),
        ("multipart/form-data; boundary=B", "content-disposition:form-data;name={}"),
        (
            "multipart/form-data; boundary=B",
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\
             Content-Disposition: form-data; name=\"{}\"\r\nContent-Length: 10",
        ),
    ] {
        let verified = verify(&mailgun(), &head(content_type), &body(disposition).into());
        assert!(verified.is_ok(), "{content_type}: {disposition}: {verified:?}");
    }
    for content_type in [
        "multipart/form-data; boundary=B; boundary=B",
        "multipart/form-data; boundary=\"B",
        "multipart/form-data; boundary=\"\"",
    ] {
        let refused = verify(&mailgun(), &head(content_type), &body(PLAIN).into()).unwrap_err();
        assert_eq!(refused.kind(), Malformed, "{content_type}");
    }
}

#[test]
fn missing_repeated_or_long_proof_field_is_rejected() {
    let [time, token, signature] = proof();
    let with =
        |parts: &[&Vec<u8>]| body(&parts.iter().map(|part| (*part).clone()).collect::<Vec<_>>());
    let kind = |body: &Bytes| checked(body).err();
    assert_eq!(kind(&with(&[&time, &token, &signature])), None);
    for (at, name) in ["timestamp", "token", "signature"].into_iter().enumerate() {
        let all = [&time, &token, &signature];
        let others: Vec<_> = (0..3).filter(|other| *other != at).map(|other| all[other]).collect();
        assert_eq!(kind(&with(&others)), Some(Missing), "{name}");
        let once = |other: &Vec<u8>| kind(&with(&[&others[..], &[other]].concat()));
        assert_eq!(once(&field(name, "")), Some(Missing), "{name}");
        let twice = [&all[..], &[all[at]]].concat();
        assert_eq!(kind(&with(&twice)), Some(Repeated), "{name}");
        // What one reader takes for a field, another takes for a file.
        let file = part(&format!("name=\"{name}\"; filename=\"\""), b"1");
        assert_eq!(once(&file), Some(Malformed), "{name}");
        assert_eq!(once(&field(name, &"1".repeat(1024))), Some(Malformed), "{name}");
        assert_eq!(once(&field(name, &"1".repeat(1 << 20))), Some(Malformed), "{name}");
        assert_ne!(once(&field(&name.to_uppercase(), "1")), None, "{name}");
    }
    assert_eq!(
        kind(&with(&[&time, &token, &field("signature", &"0".repeat(64))])),
        Some(SignatureMismatch)
    );
}

#[test]
fn malformed_form_of_any_size_is_rejected() {
    let proof = proof().concat();
    let end = b"----b0undary--\r\n";
    let cases: Vec<Bytes> = vec![
        Bytes::new(),
        Bytes::from_static(b"x"),
        // No boundary, a part without an end of its headers, and parts without number.
        vec![b'x'; 20 << 20].into(),
        [&b"----b0undary\r\nX: "[..], &vec![b'x'; 20 << 20]].concat().into(),
        [b"----b0undary\r\n\r\n\r\n".repeat(500_000), proof.clone(), end.to_vec()].concat().into(),
        // It breaks off.
        proof.clone().into(),
        [&proof[..], b"----b0undary"].concat().into(),
        [&proof[..], b"----b0undary\r\n"].concat().into(),
    ];
    for (case, body) in cases.iter().enumerate() {
        assert_eq!(checked(body).err(), Some(Malformed), "{case}");
    }
    let body = [&proof[..], end].concat().into();
    for content_type in
        ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; b=1"]
    {
        let refused = verify(&mailgun(), &head(content_type), &body).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.field().map(|field| field.to_string()).as_deref()),
            (Malformed, Some("content-type"))
        );
    }
}

#[cfg(feature = "sign")]
#[test]
fn changed_byte_in_a_signed_form_proof_is_rejected() {
    use tower_webhook::sign::signed;
    let content = body(&[part("name=\"attachment-1\"; filename=\"a\"", &[0xff; 64])]);
    let request = Request::post("/").header("content-type", TYPE).body(content).unwrap();
    let (head, body) = signed(&mailgun(), request, at(NOW)()).unwrap().into_parts();
    assert!(verify(&mailgun(), &head, &body).is_ok());
    let end = body.windows(10).position(|window| window == b"attachment").unwrap();
    let mut changed = 0;
    for at in 0..end {
        let mut spoiled = body.to_vec();
        spoiled[at] ^= 1;
        changed += usize::from(verify(&mailgun(), &head, &spoiled.into()).is_err());
    }
    assert!(changed > 200, "{changed}");
}
