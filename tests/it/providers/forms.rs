//! Providers that sign the URL and the parameters of a form. Signatures are made with the primitives.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE, request::Parts};
use tower_webhook::{
    PublicUrl, RejectionKind, SignatureLayer, Verified, Verifier,
    providers::{Mandrill, Plivo},
    verifier::Field,
};

use crate::support::{SECRET, Script, Sha1Mac, Sha256Mac, head_of, mac, secret, send, verify};

const FORM: &str = "application/x-www-form-urlencoded";
const ORIGIN: &str = "https://a.example";

fn base() -> PublicUrl {
    PublicUrl::base(ORIGIN).unwrap()
}

fn mandrill(content: &str) -> String {
    STANDARD.encode(mac::<Sha1Mac>(SECRET.as_bytes(), content.as_bytes()))
}

fn plivo(content: &str) -> String {
    STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), content.as_bytes()))
}

fn head(method: Method, target: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(target).header(CONTENT_TYPE, FORM);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    head_of(request.body(()).unwrap())
}

fn judge(
    verifier: &impl Verifier,
    head: &Parts,
    body: &'static str,
) -> Result<Verified, RejectionKind> {
    verify(verifier, head, &Bytes::from_static(body.as_bytes())).map_err(|why| why.kind())
}

#[tokio::test]
async fn mandrill_check_of_the_url_is_answered() {
    let layer = SignatureLayer::new(Mandrill::new(secret(), base()).unwrap());
    let request = |method: Method| {
        let body = Script::data([""; 0]);
        Request::builder().method(method).uri("/mandrill").body(body).unwrap()
    };
    let (response, inner) = send(&layer, request(Method::HEAD)).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 0));
    let (response, inner) = send(&layer, request(Method::POST)).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0));
}

#[test]
fn mandrill_signs_the_url_of_the_request() {
    let verifier = Mandrill::new(secret(), base()).unwrap();
    let signature = mandrill("https://a.example/m?x=1mandrill_events[]");
    let judge = |target: &str, body| {
        judge(&verifier, &head(Method::POST, target, &[("x-mandrill-signature", &signature)]), body)
    };
    assert!(judge("/m?x=1", "mandrill_events=%5B%5D").unwrap().body_is_signed());
    assert_eq!(
        judge("/m?x=2", "mandrill_events=%5B%5D").unwrap_err(),
        RejectionKind::SignatureMismatch
    );
    for body in ["", "mandrill_events", "mandrill_events=", "mandrill_events=[]&mandrill_events=[]"]
    {
        assert!(judge("/m?x=1", body).is_err(), "{body}");
    }
}

#[tokio::test]
async fn mandrill_rejects_another_type_before_the_body() {
    let layer = SignatureLayer::new(Mandrill::new(secret(), base()).unwrap());
    let request = Request::post("/m").header("x-mandrill-signature", mandrill("x"));
    let request = request.header(CONTENT_TYPE, "application/json");
    let body = Script::untouchable();
    let (response, inner) = send(&layer, request.body(body).unwrap()).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::FORBIDDEN, 0));
}

/// A part of the events must not become a part of the URL.
#[test]
fn mandrill_events_cannot_move_into_the_url() {
    let verifier = Mandrill::new(secret(), base()).unwrap();
    let signature = mandrill("https://a.example/mmandrill_eventsamandrill_eventsb");
    let headers = [("x-mandrill-signature", &*signature)];
    let authentic = head(Method::POST, "/m", &headers);
    assert!(judge(&verifier, &authentic, "mandrill_events=amandrill_eventsb").is_ok());
    let moved = head(Method::POST, "/mmandrill_eventsa", &headers);
    let body = Bytes::from_static(b"mandrill_events=b");
    let refused = verify(&verifier, &moved, &body).unwrap_err();
    assert_eq!(refused.field(), Some(Field::Url), "{refused}");
}

#[test]
fn plivo_parameters_are_sorted_and_bound_to_the_nonce() {
    let verifier = Plivo::new(secret(), base()).unwrap();
    let judge = |method: Method, target: &str, content: &str, nonce: &str, body| {
        let signature = plivo(content);
        let headers =
            [("x-plivo-signature-v3", &*signature), ("x-plivo-signature-v3-nonce", nonce)];
        judge(&verifier, &head(method, target, &headers), body)
    };
    let post = |target, content, body| judge(Method::POST, target, content, "7", body);
    assert!(!post("/p", "https://a.example/p?A1B2.7", "B=2&A=1").unwrap().body_is_signed());
    post("/p?d=4&c=%33", "https://a.example/p?c=3&d=4.A1.7", "A=1").unwrap();
    post("/p", "https://a.example/p.7", "").unwrap();
    judge(Method::GET, "/p?A=1", "https://a.example/p?A=1.7", "7", "").unwrap();
    use RejectionKind::{BodyNotSigned, Malformed, SignatureMismatch};
    for (method, nonce, body, kind) in [
        (Method::POST, "8", "A=1", SignatureMismatch),
        (Method::POST, "7", "A=2", SignatureMismatch),
        (Method::POST, "7", "A=1&A=1", SignatureMismatch),
        // Text of the form in the nonce.
        (Method::POST, "A1.7", "", Malformed),
        (Method::GET, "7", "A=1", BodyNotSigned),
    ] {
        let refused = judge(method, "/p", "https://a.example/p?A1.7", nonce, body).unwrap_err();
        assert_eq!(refused, kind, "{nonce} {body}");
    }
}

#[test]
fn plivo_version_2_is_accepted_on_request_alone() {
    let verifier = Plivo::new(secret(), base()).unwrap();
    let [v2, v3] = [plivo("https://a.example/p7"), plivo("https://a.example/p?A1.7")];
    let old = [("x-plivo-signature-v2", &*v2), ("x-plivo-signature-v2-nonce", "7")];
    let both = |v3| {
        let new = [("x-plivo-signature-v3", v3), ("x-plivo-signature-v3-nonce", "7")];
        head(Method::POST, "/p", &[&old[..], &new].concat())
    };
    let alone = head(Method::POST, "/p", &old);
    assert_eq!(judge(&verifier, &alone, "A=1").unwrap_err(), RejectionKind::Missing);
    let accepting = verifier.clone().accept_v2();
    assert!(!judge(&accepting, &alone, "A=1").unwrap().body_is_signed());
    judge(&accepting, &both(&v3), "A=1").unwrap();
    // Digits at the end of a path are not those of the nonce.
    let moved = [
        ("x-plivo-signature-v2", &*plivo("https://a.example/p12")),
        ("x-plivo-signature-v2-nonce", "2"),
    ];
    assert_eq!(
        judge(&accepting, &head(Method::POST, "/p1", &moved), "").unwrap_err(),
        RejectionKind::Malformed
    );
    // A valid version 2 does not replace an invalid version 3.
    assert!(judge(&accepting, &both(&v2), "A=1").is_err());
}
