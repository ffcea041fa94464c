//! Providers that sign a text built from parameters, headers or the query. Signatures are made with
//! the primitives.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, request::Parts};
use tower_webhook::{
    PublicUrl, RejectionKind, Verified, Verifier,
    observe::SensitiveParts,
    providers::{Contentful, MercadoPago, MessageBirdLegacy, VonageSms},
    scheme::Tolerance,
    verifier::Field,
};

use crate::support::{
    AtTime, SECRET, Sha256Mac, Timed, at, head_of, hex, hmac_sha256, mac, secret, verify,
};

const NOW: u64 = 1_700_000_000;
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn head(method: Method, target: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(target);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    head_of(request.body(()).unwrap())
}

fn judge(verifier: &impl Verifier, head: &Parts, body: &str) -> Result<Verified, RejectionKind> {
    verify(verifier, head, &Bytes::copy_from_slice(body.as_bytes())).map_err(|why| why.kind())
}

fn vonage() -> Timed<VonageSms> {
    VonageSms::hmac_sha256(secret()).unwrap().clock(at(NOW))
}

/// The pairs are decoded, and in the order of their names.
fn vonage_signature(pairs: &[(&str, &str)]) -> String {
    let content: String = pairs
        .iter()
        .map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_")))
        .collect();
    hmac_sha256(SECRET, content.as_bytes())
}

#[test]
fn vonage_parameters_have_one_replay_key() {
    let sig = vonage_signature(&[("a", "1_2"), ("timestamp", "1700000000")]);
    let post = |kind| head(Method::POST, "/sms", &[("content-type", kind)]);
    let get = |query: &str| head(Method::GET, &format!("/sms?{query}&sig={sig}"), &[]);
    let requests = [
        (get("a=1_2&timestamp=1700000000"), String::new()),
        (get("timestamp=1700000000&a=1%5f2"), String::new()),
        // Not covered: which of the three characters it was.
        (get("timestamp=1700000000&a=1%262"), String::new()),
        (post(FORM), format!("sig={sig}&a=1%3D2&timestamp=1700000000")),
        (post(JSON), format!(r#"{{"timestamp":"1700000000","a":"1&2","sig":"{sig}"}}"#)),
    ];
    let keys: Vec<_> = requests
        .iter()
        .map(|(head, body)| {
            let verified = judge(&vonage(), head, body).unwrap();
            assert!(!verified.body_is_signed());
            assert_eq!(verified.signed_at(), Some(at(NOW)()));
            verified.replay_key().unwrap()
        })
        .collect();
    assert!(keys.windows(2).all(|keys| keys[0] == keys[1]));
}

#[test]
fn vonage_get_with_a_body_is_rejected() {
    let sig = vonage_signature(&[("timestamp", "1700000000")]);
    let head = head(Method::GET, &format!("/?timestamp=1700000000&sig={sig}"), &[]);
    assert!(judge(&vonage(), &head, "").is_ok());
    assert_eq!(judge(&vonage(), &head, "a=1").unwrap_err(), RejectionKind::BodyNotSigned);
}

#[test]
fn vonage_parameter_is_read_once() {
    let twice = "a=1&a=2&timestamp=1700000000";
    let sig = vonage_signature(&[("a", "1"), ("a", "2"), ("timestamp", "1700000000")]);
    let head = head(Method::GET, &format!("/?{twice}&sig={sig}"), &[]);
    assert_eq!(judge(&vonage(), &head, "").unwrap_err(), RejectionKind::Repeated);
    let sig = vonage_signature(&[("timestamp", "1700000000")]);
    let head = self::head(Method::GET, &format!("/?timestamp=1700000000&sig={sig}&sig={sig}"), &[]);
    assert_eq!(judge(&vonage(), &head, "").unwrap_err(), RejectionKind::Repeated);
}

#[test]
fn vonage_name_cannot_hold_a_parameter() {
    // The same signed text as that of `a=1` and `b=2`.
    let sig = vonage_signature(&[("a", "1"), ("b", "2"), ("timestamp", "1700000000")]);
    for (query, is_accepted) in
        [("a=1&b=2", true), ("a%3D1%26b=2", false), ("%26b=2&a=1", false), ("a%3D=1&b=2", false)]
    {
        let head = head(Method::GET, &format!("/?{query}&timestamp=1700000000&sig={sig}"), &[]);
        let verdict = judge(&vonage(), &head, "");
        assert_eq!(verdict.is_ok(), is_accepted, "{query}");
        assert!(is_accepted || verdict.unwrap_err() == RejectionKind::Malformed, "{query}");
    }
}

#[test]
fn vonage_signature_is_sensitive() {
    let parts: SensitiveParts = vonage().sensitive_parts();
    assert!(parts.has_url() && parts.has_field("sig"));
    let signs = vonage().map(|vonage| vonage.tolerance(Tolerance::UNBOUNDED));
    let sig = vonage_signature(&[("timestamp", "1")]);
    let old = head(Method::GET, &format!("/?timestamp=1&sig={sig}"), &[]);
    assert_eq!(judge(&vonage(), &old, "").unwrap_err(), RejectionKind::TimestampStale);
    assert!(judge(&signs, &old, "").is_ok());
}

fn messagebird(query: &str, body: &str) -> String {
    use sha2::{Digest, Sha256};

    let digest = Sha256::digest(body.as_bytes());
    let content = [format!("{NOW}\n{query}\n").as_bytes(), &digest].concat();
    STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), &content))
}

#[test]
fn messagebird_query_has_one_replay_key() {
    let verifier = MessageBirdLegacy::new(secret()).unwrap().clock(at(NOW));
    let time = NOW.to_string();
    let judge = |query: &str, signature: &str| {
        let headers =
            [("messagebird-signature", signature), ("messagebird-request-timestamp", &*time)];
        judge(&verifier, &head(Method::POST, &format!("/mb?{query}"), &headers), "{}")
    };
    let signature = messagebird("a=+1&b=2", "{}");
    let keys = ["a=+1&b=2", "b=2&a=%201", "%61=+1&b=2"]
        .map(|query| judge(query, &signature).unwrap().replay_key().unwrap());
    assert!(keys[0] == keys[1] && keys[1] == keys[2]);
    assert!(judge("a=+1&b=2", &signature).unwrap().body_is_signed());
    for query in ["a=+1&b=3", "a=+1", "a=+1&b=2&b=2", "a=+1&b=2&c=3"] {
        assert!(judge(query, &signature).is_err(), "{query}");
    }
    let twice = messagebird("a=1&a=2", "{}");
    assert_eq!(judge("a=1&a=2", &twice).unwrap_err(), RejectionKind::Repeated);
}

fn mercado_pago(content: &str) -> String {
    format!("ts=1700000000,v1={}", hmac_sha256(SECRET, content.as_bytes()))
}

#[test]
fn mercado_pago_proves_ids_and_not_the_body() {
    let verifier = MercadoPago::new(secret()).unwrap().clock(at(NOW));
    let signature = mercado_pago("id:ab1;request-id:r;ts:1700000000;");
    let judge = |query: &str, body: &str| {
        let headers = [("x-signature", &*signature), ("x-request-id", "r")];
        judge(&verifier, &head(Method::POST, &format!("/mp?{query}"), &headers), body)
    };
    let proof = judge("data.id=ab1&type=payment", "{}").unwrap();
    assert!(!proof.body_is_signed() && proof.delivery_id_is_signed());
    assert_eq!(proof.delivery_id().unwrap(), "r");
    // What the signature leaves open does not make another delivery of a captured request.
    for (query, body) in [("data.id=AB1", "{}"), ("data.id=aB1&x=1", "[]"), ("data%2Eid=ab1", "")] {
        assert_eq!(judge(query, body).unwrap().replay_key(), proof.replay_key(), "{query}");
    }
    assert_eq!(judge("data.id=ab1&data.id=ab1", "").unwrap_err(), RejectionKind::Repeated);
    assert_eq!(judge("data.id=ab2", "").unwrap_err(), RejectionKind::SignatureMismatch);
}

#[test]
fn mercado_pago_id_cannot_hold_a_part() {
    let verifier = MercadoPago::new(secret()).unwrap().clock(at(NOW));
    let judge = |query: &str, id: Option<&str>, signature: &str| {
        let mut headers = vec![("x-signature", signature)];
        headers.extend(id.map(|id| ("x-request-id", id)));
        judge(&verifier, &head(Method::POST, &format!("/?{query}"), &headers), "")
    };
    let signature = mercado_pago("id:1;request-id:r;ts:1700000000;");
    assert!(judge("data.id=1", Some("r"), &signature).is_ok());
    let moved = judge("data.id=1%3Brequest-id:r", None, &signature);
    assert_eq!(moved.unwrap_err(), RejectionKind::Malformed);
    let signature = mercado_pago("request-id:r;id:1;ts:1700000000;");
    let moved = judge("", Some("r;id:1"), &signature);
    assert_eq!(moved.unwrap_err(), RejectionKind::Malformed);
    let of = |count: usize| {
        let tag = hmac_sha256(SECRET, b"ts:1700000000;");
        judge("", None, &format!("ts=1700000000{}", format!(",v1={tag}").repeat(count)))
    };
    assert!(of(16).is_ok());
    assert_eq!(of(17).unwrap_err(), RejectionKind::Malformed);
    assert_eq!(of(0).unwrap_err(), RejectionKind::Malformed);
}

fn contentful() -> Timed<Contentful> {
    let url = PublicUrl::base("https://example.com/behind").unwrap();
    Contentful::new(secret(), url).unwrap().clock(at(NOW))
}

const LIST: &str = "x-contentful-signed-headers";
const TIME: &str = "x-contentful-timestamp";
const MILLIS: &str = "1700000000000";

/// The headers of a request with this list, these other headers, and a signature of this content
/// before the body.
fn contentful_headers<'a>(
    list: &'a str,
    others: &[(&'a str, &'a str)],
    signature: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let own = [(LIST, list), (TIME, MILLIS), ("x-contentful-signature", signature)];
    [&own, others].concat()
}

#[test]
fn contentful_path_is_that_of_the_public_url() {
    let list = format!("{LIST},{TIME}");
    let of = |path: &str| {
        let content = format!("POST\n{path}\n{LIST}:{list};{TIME}:{MILLIS}\n{{}}");
        hmac_sha256(SECRET, content.as_bytes())
    };
    let judge = |target: &str, signature: &str| {
        let headers = contentful_headers(&list, &[], signature);
        judge(&contentful(), &head(Method::POST, target, &headers), "{}")
    };
    for (target, path) in [
        ("/hook", "/behind/hook"),
        ("/a%20b?c=1&d=%2F", "/behind/a%2520b?c%253D1%2526d%253D%25252F"),
        ("/hook?", "/behind/hook"),
    ] {
        assert!(judge(target, &of(path)).unwrap().body_is_signed(), "{target}");
    }
    assert_eq!(judge("/hook", &of("/hook")).unwrap_err(), RejectionKind::SignatureMismatch);
    // The vendor signs nothing from the second question mark on.
    let signature = of("/behind/hook?a%253D1");
    assert!(judge("/hook?a=1", &signature).is_ok());
    assert_eq!(judge("/hook?a=1?b=2", &signature).unwrap_err(), RejectionKind::Malformed);
}

#[test]
fn contentful_list_has_itself_and_the_time() {
    for (list, is_accepted) in [
        (format!("{LIST},{TIME}"), true),
        (LIST.to_owned(), false),
        (TIME.to_owned(), false),
        (format!("{TIME},{LIST}"), false),
        (format!("{LIST},{LIST},{TIME}"), false),
        (format!("{LIST}, {TIME}"), false),
        (format!("{LIST},{TIME},"), false),
    ] {
        let mut names: Vec<_> =
            list.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
        names.sort_unstable();
        let line: Vec<_> = names
            .iter()
            .map(|name| format!("{name}:{}", if *name == LIST { &*list } else { MILLIS }))
            .collect();
        let content = format!("POST\n/behind/\n{}\n", line.join(";"));
        let signature = hmac_sha256(SECRET, content.as_bytes());
        let headers = contentful_headers(&list, &[], &signature);
        let verdict = judge(&contentful(), &head(Method::POST, "/", &headers), "");
        assert_eq!(verdict.is_ok(), is_accepted, "{list}: {verdict:?}");
    }
}

#[test]
fn contentful_value_cannot_hold_a_header() {
    // One signed text, from which two requests could be read.
    let list = format!("a,b,{LIST},{TIME}");
    let content = format!("POST\n/behind/\na:1;b:2;b:3;{LIST}:{list};{TIME}:{MILLIS}\n");
    let signature = hmac_sha256(SECRET, content.as_bytes());
    let judge = |a: &str, b: &str| {
        let headers = contentful_headers(&list, &[("a", a), ("b", b)], &signature);
        judge(&contentful(), &head(Method::POST, "/", &headers), "")
    };
    assert!(judge("1", "2;b:3").is_ok());
    assert_eq!(judge("1;b:2", "3").unwrap_err(), RejectionKind::Malformed);

    // A signed header that could hold another list.
    let list = format!("a,{LIST},{TIME},z");
    let value = format!("1;{LIST}:a,{LIST},{TIME};{TIME}:1");
    let line = format!("a:1;{LIST}:{list};{TIME}:{MILLIS};z:{value}");
    let content = format!("POST\n/behind/\n{line}\n");
    let signature = hmac_sha256(SECRET, content.as_bytes());
    let headers = contentful_headers(&list, &[("a", "1"), ("z", &value)], &signature);
    let head = head(Method::POST, "/", &headers);
    let verdict = verify(&contentful(), &head, &Bytes::new()).unwrap_err();
    assert_eq!(verdict.kind(), RejectionKind::Malformed);
    assert_eq!(verdict.field(), Some(Field::Header("z".parse().unwrap())));
}

#[test]
fn contentful_signed_header_occurs_once() {
    let list = format!("a,{LIST},{TIME}");
    let content = format!("POST\n/behind/\na:1;{LIST}:{list};{TIME}:{MILLIS}\n");
    let signature = hex(&mac::<Sha256Mac>(SECRET.as_bytes(), content.as_bytes()));
    for (others, expected) in [
        (&[("a", "1")][..], None),
        (&[("a", "1"), ("a", "1")], Some(RejectionKind::Repeated)),
        (&[("a", "1"), ("b", "2")], None),
        (&[], Some(RejectionKind::Missing)),
        (&[("a", "2")], Some(RejectionKind::SignatureMismatch)),
    ] {
        let headers = contentful_headers(&list, others, &signature);
        let verdict = judge(&contentful(), &head(Method::POST, "/", &headers), "");
        assert_eq!(verdict.err(), expected, "{others:?}");
    }
}

#[cfg(feature = "explain")]
#[test]
fn vonage_algorithm_is_explained() {
    use tower_webhook::explain::{Cause, Effort, Explainer};

    let mut effort = Effort::DEFAULT;
    effort.max_time = std::time::Duration::from_secs(3600);
    let sig = vonage_signature(&[("timestamp", "1700000000")]);
    let head = head(Method::GET, &format!("/?timestamp=1700000000&sig={sig}"), &[]);
    let verifier = VonageSms::hmac_sha1(secret()).unwrap();
    let explainer = Explainer::new().effort(effort).clock(at(NOW));
    let explanation = explainer.explain(&verifier, &head, &Bytes::new());
    assert_eq!(explanation.proven(), Some(Cause::Algorithm), "{explanation}");
    assert!(explanation.to_string().contains("HMAC with SHA-256"), "{explanation}");
}
