//! Twilio, which signs the URL and the parameters: ports, proxies, pollution, bodies that are not
//! forms, and shared keys. Signatures are made with the primitives.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, StatusCode};
use sha2::{Digest, Sha256};
use tower_webhook::{
    PublicUrl, RejectionKind, Secret, SignatureLayer, Verifier, layer::TrustedProxies,
    providers::Twilio,
};

use crate::{
    genuine::Sent,
    support::{SECRET, Script, Sha1Mac, Sha256Mac, assert_refused, hex, mac, secret, send, verify},
};

const FORM: &str = "application/x-www-form-urlencoded";
const ORIGIN: &str = "https://example.com";

fn sign(signed: &str) -> String {
    STANDARD.encode(mac::<Sha1Mac>(SECRET.as_bytes(), signed.as_bytes()))
}

fn at(base: &str) -> Twilio {
    Twilio::new(secret(), PublicUrl::base(base).unwrap()).unwrap()
}

fn twilio() -> Twilio {
    at(ORIGIN)
}

struct Message<'a> {
    method: &'a str,
    target: &'a str,
    /// What the signature is made over.
    signed: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

impl<'a> Message<'a> {
    fn form(target: &'a str, signed: &'a str, body: &'a str) -> Self {
        Message { method: "POST", target, signed, headers: &[("content-type", FORM)], body }
    }

    fn request(&self) -> Request<Script> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.target)
            .header("x-twilio-signature", sign(self.signed));
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        request.body(Script::data([self.body.to_owned()])).unwrap()
    }

    async fn send(&self, twilio: impl Verifier + Clone) -> Sent {
        send(&SignatureLayer::new(twilio), self.request()).await
    }
}

fn assert_accepted(name: &str, (response, inner): &Sent) {
    assert_eq!(response.status(), StatusCode::OK, "{name}: {response:?}");
    assert_eq!(inner.count(), 1, "{name}");
}

fn sha256(body: &str) -> String {
    hex(&Sha256::digest(body))
}

#[tokio::test]
async fn unsigned_body_is_rejected_for_any_method_or_type() {
    let body = r#"{"a":1}"#;
    let hashed = format!("/x?bodySHA256={}", sha256(body));
    let upper = format!("/x?bodySHA256={}", sha256(body).to_uppercase());
    let of_nothing = format!("/x?bodySHA256={}", sha256(""));
    let wrong = format!("/x?bodySHA256={}", sha256("other"));
    let twice = format!("{hashed}&bodySHA256={}", sha256(body).to_uppercase());
    let twice_of_other = format!("{wrong}&a=b&bodySHA256={}", sha256("other"));
    let beside_short = format!("{hashed}&bodySHA256=00");
    let second = format!("{hashed}&bodySHA256={}", sha256("other"));
    let encoded = hashed.replace("bodySHA256", "body%53HA256");
    let short = &hashed[..hashed.len() - 1];
    let json = "application/json";
    use RejectionKind::{BodyNotSigned, Malformed, SignatureMismatch};
    for (name, method, target, content_type, body, verdict) in [
        ("covered JSON", "POST", &*hashed, json, body, None),
        ("covered, in capitals", "POST", &upper, json, body, None),
        ("covered, without a type", "POST", &hashed, "", body, None),
        ("covered PUT", "PUT", &hashed, json, body, None),
        ("covered GET", "GET", &hashed, json, body, None),
        ("covered GET of form type", "GET", &hashed, FORM, body, None),
        ("no body", "POST", "/x", json, "", None),
        ("no body, GET", "GET", "/x?a=1", "", "", None),
        ("no body, HEAD", "HEAD", "/x", "", "", None),
        ("no body, hashed", "POST", &of_nothing, json, "", None),
        // What is signed is all there is: the URL.
        ("GET, hash of another body", "GET", &hashed, "", "", None),
        ("GET of form type, hash of another body", "GET", &hashed, FORM, "", None),
        ("GET, hash of another body twice", "GET", &twice_of_other, "", "", None),
        ("hash twice", "POST", &twice, json, body, None),
        ("uncovered JSON", "POST", "/x", json, body, Some(BodyNotSigned)),
        ("uncovered, without a type", "POST", "/x", "", "a=1", Some(BodyNotSigned)),
        ("uncovered, form-data", "POST", "/x", "multipart/form-data", "a", Some(BodyNotSigned)),
        (
            "uncovered, form-like type",
            "POST",
            "/x",
            "application/x-www-form-urlencoded-x",
            "a=1",
            Some(BodyNotSigned),
        ),
        ("uncovered PUT", "PUT", "/x", json, body, Some(BodyNotSigned)),
        ("uncovered DELETE", "DELETE", "/x", json, body, Some(BodyNotSigned)),
        ("uncovered GET", "GET", "/x", "", "a=1", Some(BodyNotSigned)),
        ("uncovered GET of form type", "GET", "/x", FORM, "a=1", Some(BodyNotSigned)),
        ("uncovered HEAD", "HEAD", "/x", FORM, "a=1", Some(BodyNotSigned)),
        // Forms that add nothing to the signed URL.
        ("blank form", "POST", "/x", FORM, "=", Some(BodyNotSigned)),
        ("form of separators", "POST", "/x", FORM, "&&&", Some(BodyNotSigned)),
        ("form of blanks", "POST", "/x", FORM, "=&=&=", Some(BodyNotSigned)),
        ("wrong hash", "POST", &wrong, json, body, Some(BodyNotSigned)),
        ("body stripped", "POST", &hashed, json, "", Some(BodyNotSigned)),
        ("body stripped, form type", "POST", &hashed, FORM, "", Some(BodyNotSigned)),
        ("body stripped, HEAD", "HEAD", &hashed, "", "", Some(BodyNotSigned)),
        ("body stripped, DELETE", "DELETE", &hashed, "", "", Some(BodyNotSigned)),
        ("wrong hash, GET with a body", "GET", &wrong, "", body, Some(BodyNotSigned)),
        ("wrong hash twice", "POST", &twice_of_other, json, body, Some(BodyNotSigned)),
        ("hash in capitals elsewhere", "POST", "/x?bodysha256=00", json, body, Some(BodyNotSigned)),
        ("encoded name", "POST", &encoded, json, body, Some(BodyNotSigned)),
        ("form under a hash", "POST", &hashed, FORM, "a=1", Some(SignatureMismatch)),
        ("two hashes", "POST", &second, json, body, Some(Malformed)),
        ("two hashes, GET", "GET", &second, "", "", None),
        ("two hashes, GET with a body", "GET", &second, "", body, Some(Malformed)),
        ("a hash and none", "POST", &beside_short, json, body, Some(Malformed)),
        ("short hash, GET", "GET", short, "", "", None),
        ("short hash, HEAD", "HEAD", short, "", "", Some(Malformed)),
        ("short hash", "POST", short, json, body, Some(Malformed)),
        ("empty hash", "POST", "/x?bodySHA256=", json, body, Some(Malformed)),
    ] {
        // The signature is always good: it is the body that is not covered.
        let signed = format!("{ORIGIN}{target}");
        let headers = [("content-type", content_type)];
        let headers = if content_type.is_empty() { &[][..] } else { &headers };
        let message = Message { method, target, signed: &signed, headers, body };
        let sent = message.send(twilio()).await;
        match verdict {
            None => assert_accepted(name, &sent),
            Some(kind) => assert_refused(name, kind, &sent),
        }
    }
}

#[tokio::test]
async fn blank_pair_in_a_form_is_rejected() {
    for (form, is_accepted) in
        [("a=1", true), ("a=1&", true), ("a=1&=", false), ("=&a=1", false), ("a=1&&=&", false)]
    {
        let signed = format!("{ORIGIN}/xa1");
        let headers = &[("content-type", FORM)];
        let message =
            Message { method: "POST", target: "/x", signed: &signed, headers, body: form };
        let sent = message.send(twilio()).await;
        if is_accepted {
            assert_accepted(form, &sent);
        } else {
            assert_refused(form, RejectionKind::BodyNotSigned, &sent);
        }
    }
}

#[tokio::test]
async fn form_type_is_matched_in_any_case_with_parameters() {
    for content_type in [
        FORM,
        "APPLICATION/X-WWW-Form-UrlEncoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded ;charset=UTF-8",
    ] {
        for method in ["POST", "PUT", "DELETE"] {
            let headers = &[("content-type", content_type)];
            let signed = "https://example.com/xa1";
            let message = Message { method, target: "/x", signed, headers, body: "a=1" };
            assert_accepted(content_type, &message.send(twilio()).await);
        }
    }
    let mut twice = Message::form("/x", "https://example.com/xa1", "a=1").request();
    twice.headers_mut().append("content-type", "application/json".parse().unwrap());
    let sent = send(&SignatureLayer::new(twilio()), twice).await;
    assert_refused("two types", RejectionKind::Repeated, &sent);
}

#[tokio::test]
async fn form_is_signed_as_the_handler_decodes_it() {
    // What the handler decodes is this body; each is signed as the URL standard decodes it.
    for (name, body, parameters) in [
        ("plain", "b=2&a=1", "a1b2"),
        ("duplicate pair counts once", "a=1&a=1", "a1"),
        ("two values, sorted", "a=2&a=1", "a1a2"),
        ("no value", "a", "a"),
        ("empty value", "a=", "a"),
        ("no value and a value", "a&a=1", "aa1"),
        ("no name", "=1", "1"),
        ("empty pieces", "&&a=1&", "a1"),
        ("plus and %20", "a=x+y%20z", "ax y z"),
        ("encoded plus", "a=%2B", "a+"),
        ("NUL", "a=%00b", "a\0b"),
        ("encoded name", "%61=1", "a1"),
        ("encoded separators", "a=%26b%3D1", "a&b=1"),
        ("second equals sign", "a=1=2", "a1=2"),
        ("broken escape stands for itself", "a=%zz%4", "a%zz%4"),
        ("semicolon is no separator", "a=1;b=2", "a1;b=2"),
        ("capitals before small letters", "b=1&B=2&a=3", "B2a3b1"),
        ("name that begins another", "SidAccount=1&Sid=2", "Sid2SidAccount1"),
        ("white space is kept", "a=+x+", "a x "),
        ("brackets", "a[]=1&a[]=2", "a[]1a[]2"),
    ] {
        let signed = format!("{ORIGIN}/x{parameters}");
        let sent = Message::form("/x", &signed, body).send(twilio()).await;
        assert_accepted(name, &sent);
        assert_eq!(sent.1.only_call().body.bytes(), body, "{name}");
        let signed = format!("{ORIGIN}/x{parameters}!");
        let sent = Message::form("/x", &signed, body).send(twilio()).await;
        assert_refused(name, RejectionKind::SignatureMismatch, &sent);
    }
    for (name, body, parameters) in [
        ("last of two values alone", "a=1&a=2", "a2"),
        ("first of two values alone", "a=1&a=2", "a1"),
        ("values unsorted", "a=2&a=1", "a2a1"),
        ("duplicate counted twice", "a=1&a=1", "a1a1"),
        ("blank value dropped", "a=1&b=", "a1"),
        ("value trimmed", "a=+x+", "ax"),
        ("not decoded", "a=%41", "a%41"),
    ] {
        let signed = format!("{ORIGIN}/x{parameters}");
        let sent = Message::form("/x", &signed, body).send(twilio()).await;
        assert_refused(name, RejectionKind::SignatureMismatch, &sent);
    }
    let flood = "a=1&".repeat(5000);
    let sent = Message::form("/x", "https://example.com/xa1", &flood).send(twilio()).await;
    assert_refused("flood", RejectionKind::Malformed, &sent);
    let mut binary = Message::form("/x", "", "").request();
    let tag = mac::<Sha1Mac>(SECRET.as_bytes(), b"https://example.com/xa\xff\xfe");
    binary.headers_mut().insert("x-twilio-signature", STANDARD.encode(tag).parse().unwrap());
    *binary.body_mut() = Script::data([&b"a=\xff%fe"[..]]);
    assert_accepted("not UTF-8", &send(&SignatureLayer::new(twilio()), binary).await);
}

#[tokio::test]
async fn known_parameters_reject_shifted_form_names() {
    let signed = "https://example.com/xBodyxToy";
    let strict = || twilio().known_parameters(["Body", "To"]);
    for (name, target, body, without, with) in [
        ("genuine", "/x", "Body=x&To=y", true, true),
        ("names and values shifted", "/x", "B=odyxToy", true, false),
        // A value may still swallow what follows it: the scheme cannot tell.
        ("two parameters in one", "/x", "Body=xToy", true, true),
        ("end of the URL shifted", "/xBody", "x=Toy", true, false),
        ("name in small letters", "/x", "body=x&To=y", false, false),
        ("unknown name beside", "/x", "Body=x&To=y&Z=", false, false),
    ] {
        let message = Message::form(target, signed, body);
        let loose = message.send(twilio()).await.0.status().is_success();
        assert_eq!(loose, without, "{name}");
        let sent = message.send(strict()).await;
        assert_eq!(sent.0.status().is_success(), with, "{name}");
        assert_eq!(sent.1.count(), usize::from(with), "{name}");
    }
}

#[tokio::test]
async fn url_is_verified_with_and_without_its_port() {
    for (name, configured, signed, verdict) in [
        ("none", "https://a", "https://a", true),
        ("default added", "https://a", "https://a:443", true),
        ("default of http added", "http://a", "http://a:80", true),
        ("default of wss added", "wss://a", "wss://a:443", true),
        ("default of ws added", "ws://a", "ws://a:80", true),
        ("another default", "https://a", "https://a:80", false),
        ("another default of http", "http://a", "http://a:443", false),
        ("kept", "https://a:8443", "https://a:8443", true),
        ("dropped", "https://a:8443", "https://a", true),
        ("default in place of another", "https://a:8443", "https://a:443", false),
        ("another", "https://a:8443", "https://a:8444", false),
        ("IPv6 alone", "https://[2001:db8::1]", "https://[2001:db8::1]", true),
        ("IPv6, default added", "https://[2001:db8::1]", "https://[2001:db8::1]:443", true),
        ("IPv6, dropped", "https://[2001:db8::1]:8443", "https://[2001:db8::1]", true),
        ("IPv6, cut inside", "https://[2001:db8::1]:8443", "https://[2001:db8:", false),
        ("user, kept", "https://u:p@a:8443", "https://u:p@a:8443", true),
        ("user, port dropped", "https://u:p@a:8443", "https://u:p@a", true),
        ("user, port added", "https://u:p@a", "https://u:p@a:443", true),
        // The vendor's page drops both; its libraries keep what they are given.
        ("user dropped", "https://u:p@a", "https://a", true),
        ("user and port dropped", "https://u:p@a:8443", "https://a", true),
        ("user dropped, port added", "https://u:p@a", "https://a:443", true),
        ("only half a user", "https://u:p@a", "https://u@a", false),
        ("another user", "https://u:p@a", "https://u:q@a", false),
        ("a user where there is none", "https://a", "https://u:p@a", false),
        ("capitals stay", "https://A.Example", "https://A.Example", true),
        ("capitals are not lowered", "https://A.Example", "https://a.example", false),
        ("scheme", "https://a", "http://a", false),
        ("scheme in capitals stays", "HTTP://a", "HTTP://a", true),
        ("scheme in capitals, default added", "HTTP://a", "HTTP://a:80", true),
        ("scheme in capitals, default of https", "Https://a", "Https://a:443", true),
        ("scheme in capitals, default of wss", "WSS://a", "WSS://a:443", true),
        ("scheme in capitals, another default", "HTTPS://a", "HTTPS://a:80", false),
        ("scheme is not lowered", "HTTP://a", "http://a", false),
    ] {
        // A port in the query is text.
        for target in ["/x?u=http://b:99/", "/", "/x:8443"] {
            let signed = format!("{signed}{target}");
            let message =
                Message { method: "GET", target, signed: &signed, headers: &[], body: "" };
            let sent = message.send(at(configured)).await;
            assert_eq!(sent.0.status().is_success(), verdict, "{name} {target}");
            assert_eq!(sent.1.count(), usize::from(verdict), "{name} {target}");
        }
    }
}

#[tokio::test]
async fn a_websocket_with_a_slash_at_its_end_has_a_switch() {
    for (name, configured, target, signed, verdict) in [
        ("slash", "wss://e", "/ws", "wss://e/ws/", true),
        ("slash and query", "wss://e", "/ws?a", "wss://e/ws/?a", true),
        ("slash, scheme in capitals", "WSS://e", "/ws", "WSS://e/ws/", true),
        ("slash for https", "https://e", "/x", "https://e/x/", false),
        ("slash taken away", "wss://e", "/ws/", "wss://e/ws", false),
        ("https for wss", "wss://e", "/ws", "https://e/ws", false),
    ] {
        let message = Message { method: "GET", target, signed, headers: &[], body: "" };
        let sent = message.send(at(configured)).await;
        assert_refused(name, RejectionKind::SignatureMismatch, &sent);
        let sent = message.send(at(configured).accept_trailing_slash()).await;
        assert_eq!(sent.0.status().is_success(), verdict, "{name}");
        let signed = format!("{configured}{target}");
        let as_it_is = Message { signed: &signed, ..message };
        assert_accepted(name, &as_it_is.send(at(configured).accept_trailing_slash()).await);
    }
}

/// Twilio signs the one form, or the other, and a URL holds the same parameters in both.
#[tokio::test]
async fn legacy_query_accepts_other_form_of_apostrophe() {
    for (name, target, signed, verdict) in [
        ("escaped since", "/x?a='b'", "/x?a=%27b%27", true),
        ("not escaped yet", "/x?a=%27b%27", "/x?a='b'", true),
        ("one of both escaped since", "/x?a='b%27", "/x?a=%27b%27", true),
        ("none was escaped", "/x?a='b%27", "/x?a='b'", false),
        ("escaped in the path", "/x'?a", "/x%27?a", false),
        ("not escaped in the path", "/x%27?a", "/x'?a", false),
        ("escaped in the path alone", "/x'?a='", "/x%27?a='", false),
        ("another escape", "/x?a=%28", "/x?a=(", false),
        ("left out", "/x?a='", "/x?a=", false),
        ("quotation mark", "/x?a='", "/x?a=%22", false),
    ] {
        for (method, body, parameters) in [("GET", "", ""), ("POST", "b=1", "b1")] {
            let signed = format!("{ORIGIN}{signed}{parameters}");
            let headers = &[("content-type", FORM)];
            let message = Message { method, target, signed: &signed, headers, body };
            let sent = message.send(twilio()).await;
            assert_refused(name, RejectionKind::SignatureMismatch, &sent);
            let sent = message.send(twilio().accept_legacy_query()).await;
            assert_eq!(sent.0.status().is_success(), verdict, "{name}");
            let signed = format!("{ORIGIN}{target}{parameters}");
            let as_it_is = Message { signed: &signed, ..message };
            assert_accepted(name, &as_it_is.send(twilio().accept_legacy_query()).await);
        }
    }
}

/// The replay guard knows both forms of the URL for one delivery.
#[tokio::test]
async fn both_forms_of_an_apostrophe_have_one_replay_key() {
    let mut keys = Vec::new();
    for target in ["/x?a='", "/x?a=%27"] {
        let signed = "https://example.com/x?a='";
        let message = Message { method: "GET", target, signed, headers: &[], body: "" };
        let sent = message.send(twilio().accept_legacy_query()).await;
        keys.push(sent.1.only_call().verified().replay_key().unwrap());
    }
    assert_eq!(keys[0], keys[1]);
}

/// As a regulatory bundle's callback is.
#[tokio::test]
async fn a_get_that_names_its_hash_twice_is_accepted() {
    let hash = "b7a80df52b4d45926de7e92a63219b4dec8e93e3527a65188d147b54c880ea9f";
    let state = "Status=pending-review&FailureReason=";
    for query in [
        format!("bodySHA256={hash}&{state}"),
        format!("bodySHA256={hash}&bodySHA256={hash}&{state}"),
        format!("{state}&bodySHA256={hash}"),
    ] {
        let target = format!("/status?{query}");
        let signed = format!("{ORIGIN}{target}");
        let message =
            Message { method: "GET", target: &target, signed: &signed, headers: &[], body: "" };
        assert_accepted(&query, &message.send(twilio()).await);
        let other = target.replace("pending-review", "approved");
        let message = Message { target: &other, ..message };
        let sent = message.send(twilio()).await;
        assert_refused(&query, RejectionKind::SignatureMismatch, &sent);
    }
}

/// A proxy that takes `/api` off, and a query that differs each time.
#[tokio::test]
async fn a_prefix_that_a_proxy_took_off_belongs_to_the_base() {
    let body = r#"{"a":1}"#;
    let hashed = format!("/twilio?bodySHA256={}", sha256(body));
    let json = &[("content-type", "application/json")];
    let form = &[("content-type", FORM)];
    for (method, target, headers, body, parameters) in [
        ("POST", &*hashed, json, body, ""),
        ("POST", "/twilio", form, "a=1", "a1"),
        ("POST", "/twilio?b=2", form, "a=1", "a1"),
        ("GET", "/twilio?a=1&b='2'", form, "", ""),
        ("GET", "/", form, "", ""),
        ("GET", "/?a", form, "", ""),
        ("GET", "/api/twilio", form, "", ""),
        ("GET", "//twilio/../x", form, "", ""),
    ] {
        for (base, prefix) in [
            ("https://example.com/api", "https://example.com/api"),
            ("https://example.com/api/", "https://example.com/api"),
            ("https://u:p@example.com:8443/a/b", "https://u:p@example.com:8443/a/b"),
            ("https://u:p@example.com:8443/a/b", "https://example.com/a/b"),
            ("HTTPS://Example.com/Api", "HTTPS://Example.com:443/Api"),
        ] {
            let signed = format!("{prefix}{target}{parameters}");
            let message = Message { method, target, signed: &signed, headers, body };
            assert_accepted(&signed, &message.send(at(base)).await);
            let without = format!("https://example.com{target}{parameters}");
            let message = Message { signed: &without, ..message };
            let sent = message.send(at(base)).await;
            assert_refused(base, RejectionKind::SignatureMismatch, &sent);
        }
    }
}

#[tokio::test]
async fn request_header_cannot_change_configured_url() {
    let forged: [&[(&str, &str)]; 6] = [
        &[("host", "evil.example")],
        &[("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http")],
        &[("forwarded", "host=evil.example;proto=http")],
        &[("x-forwarded-port", "8443"), ("x-forwarded-prefix", "/evil")],
        &[("x-original-url", "/evil"), ("x-rewrite-url", "/evil")],
        &[("host", "example.com"), ("x-forwarded-host", "a"), ("x-forwarded-host", "b")],
    ];
    let fixed =
        || Twilio::new(secret(), PublicUrl::fixed("https://example.com/x").unwrap()).unwrap();
    for headers in forged {
        for target in ["/x", "http://evil.example/x"] {
            let genuine = Message {
                method: "GET",
                target,
                signed: "https://example.com/x",
                headers,
                body: "",
            };
            assert_accepted("base", &genuine.send(twilio()).await);
            assert_accepted("fixed", &genuine.send(fixed()).await);
            for signed in ["https://evil.example/x", "http://evil.example/x"] {
                let message = Message { signed, ..genuine };
                for (name, twilio) in [("base", twilio()), ("fixed", fixed())] {
                    let sent = message.send(twilio).await;
                    assert_refused(name, RejectionKind::SignatureMismatch, &sent);
                }
            }
        }
    }
    // The `*` of OPTIONS is no path: nothing can be signed for it.
    let signed = "https://example.com*";
    let star = Message { method: "OPTIONS", target: "*", signed, headers: &[], body: "" };
    assert_refused("OPTIONS", RejectionKind::UrlUnresolved, &star.send(twilio()).await);
    let headers = &[("host", "a.example"), ("host", "b.example")];
    let signed = "https://example.com/x";
    let two_hosts = Message { method: "GET", target: "/x", signed, headers, body: "" };
    for twilio in [twilio(), fixed()] {
        assert_refused("two hosts", RejectionKind::Repeated, &two_hosts.send(twilio).await);
    }
}

#[tokio::test]
async fn forwarded_headers_need_listed_peer_and_host() {
    const PROXY: Option<&str> = Some("10.1.2.3");
    let a = ("x-forwarded-host", "a.example");
    let https = ("x-forwarded-proto", "https");
    for (name, peer, headers, url, verdict) in [
        ("proxy", PROXY, &[a, https][..], "https://a.example", None),
        ("IPv4-mapped proxy", Some("::ffff:10.1.2.3"), &[a], "https://a.example", None),
        ("IPv6 proxy", Some("fd00::7"), &[a], "https://a.example", None),
        ("http", PROXY, &[a, ("x-forwarded-proto", "http")], "http://a.example", None),
        (
            "host kept by the proxy",
            PROXY,
            &[("host", "b.example:8443")],
            "https://b.example:8443",
            None,
        ),
        (
            "host in capitals",
            PROXY,
            &[("x-forwarded-host", "A.EXAMPLE")],
            "https://a.example",
            None,
        ),
        ("forwarded host wins", PROXY, &[("host", "internal"), a], "https://a.example", None),
        ("unlisted peer", Some("192.0.2.1"), &[a], "https://a.example", Some(())),
        ("unlisted mapped peer", Some("::ffff:192.0.2.1"), &[a], "https://a.example", Some(())),
        ("no peer", None, &[a], "https://a.example", Some(())),
        (
            "unlisted host",
            PROXY,
            &[("x-forwarded-host", "evil.example")],
            "https://evil.example",
            Some(()),
        ),
        (
            "host with another port",
            PROXY,
            &[("x-forwarded-host", "a.example:1")],
            "https://a.example:1",
            Some(()),
        ),
        (
            "list of hosts",
            PROXY,
            &[("x-forwarded-host", "a.example, b.example:8443")],
            "https://a.example",
            Some(()),
        ),
        (
            "list of schemes",
            PROXY,
            &[a, ("x-forwarded-proto", "https, http")],
            "https://a.example",
            Some(()),
        ),
        ("other scheme", PROXY, &[a, ("x-forwarded-proto", "wss")], "wss://a.example", Some(())),
        (
            "scheme in capitals",
            PROXY,
            &[a, ("x-forwarded-proto", "HTTPS")],
            "https://a.example",
            Some(()),
        ),
        ("empty scheme", PROXY, &[a, ("x-forwarded-proto", "")], "https://a.example", Some(())),
        (
            "empty host",
            PROXY,
            &[("host", "a.example"), ("x-forwarded-host", "")],
            "https://a.example",
            Some(()),
        ),
        ("no host", PROXY, &[], "https://a.example", Some(())),
        (
            "the standard header is not read",
            PROXY,
            &[("forwarded", "host=a.example")],
            "https://a.example",
            Some(()),
        ),
    ] {
        let url_of = PublicUrl::forwarded(
            ["a.example", "b.example:8443"],
            TrustedProxies::new(["10.0.0.0/8", "fd00::/8"], move |_| {
                peer.map(|peer| peer.parse::<IpAddr>().unwrap())
            })
            .unwrap(),
        );
        let twilio = Twilio::new(secret(), url_of.unwrap()).unwrap();
        let signed = format!("{url}/x");
        let message = Message { method: "GET", target: "/x", signed: &signed, headers, body: "" };
        let sent = message.send(twilio.clone()).await;
        match verdict {
            None => assert_accepted(name, &sent),
            Some(()) => assert_refused(name, RejectionKind::UrlUnresolved, &sent),
        }
        for twice in ["x-forwarded-host", "x-forwarded-proto"] {
            let headers = [headers, &[(twice, "a.example"), (twice, "a.example")]].concat();
            let sent = Message { headers: &headers, ..message }.send(twilio.clone()).await;
            assert_eq!(sent.0.status(), StatusCode::FORBIDDEN, "{name}");
        }
    }
}

#[tokio::test]
async fn different_authority_and_host_are_rejected() {
    let proxies = TrustedProxies::new(["10.0.0.1"], |_| Some(IpAddr::from([10, 0, 0, 1])));
    let url = PublicUrl::forwarded(["a.example", "b.example"], proxies.unwrap());
    let layer = SignatureLayer::new(Twilio::new(secret(), url.unwrap()).unwrap());
    let signature = STANDARD.encode(mac::<Sha1Mac>(SECRET.as_bytes(), b"https://a.example/x"));
    for (name, host, is_known) in [
        ("authority alone", None, true),
        ("same", Some("a.example"), true),
        ("other", Some("b.example"), false),
    ] {
        let mut request =
            Request::get("http://a.example/x").header("x-twilio-signature", &signature);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let answer = send(&layer, request.body(Script::data([""])).unwrap()).await;
        if is_known {
            assert_accepted(name, &answer);
        } else {
            assert_refused(name, RejectionKind::UrlUnresolved, &answer);
        }
    }
}

#[tokio::test]
async fn settings_header_selects_key_never_weakens_token() {
    const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
    let signed = b"https://example.com/x";
    let [shared, next] = ["shared key", "next key"].map(|text| Secret::new(text).unwrap());
    let token_sha1 = STANDARD.encode(mac::<Sha1Mac>(SECRET.as_bytes(), signed));
    let token_sha256 = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), signed));
    let shared_sha1 = STANDARD.encode(mac::<Sha1Mac>(b"shared key", signed));
    let shared_sha256 = STANDARD.encode(mac::<Sha256Mac>(b"shared key", signed));
    let (t1, t256, s1, s256) = (&*token_sha1, &*token_sha256, &*shared_sha1, &*shared_sha256);
    for (name, settings, signature, verdict) in [
        ("no header", None, t1, true),
        ("no header, shared key", None, s1, false),
        ("no header, shared key, SHA-256", None, s256, false),
        ("no header, token, SHA-256", None, t256, false),
        ("key and SHA-256", Some("key=k1,algorithm=HMAC_SHA256"), s256, true),
        ("other order and case", Some("Algorithm=HMAC_SHA256, KEY=k1"), s256, true),
        ("key and SHA-1", Some("key=k1,algorithm=HMAC_SHA1"), s1, true),
        ("key alone means SHA-1", Some("key=k1"), s1, true),
        ("key, SHA-1 under SHA-256", Some("key=k1,algorithm=HMAC_SHA256"), s1, false),
        ("key, SHA-256 under SHA-1", Some("key=k1"), s256, false),
        ("key, token's signature", Some("key=k1"), t1, false),
        ("token, SHA-256 claimed", Some("algorithm=HMAC_SHA256"), t256, false),
        ("token, SHA-256 claimed, SHA-1 made", Some("algorithm=HMAC_SHA256"), t1, false),
        ("unknown key, SHA-256 claimed", Some("key=k2,algorithm=HMAC_SHA256"), t1, false),
        ("unknown key, SHA-256", Some("key=k2,algorithm=HMAC_SHA256"), t256, false),
        ("unknown key, SHA-1 of the shared one", Some("key=k2"), s1, false),
        ("key's id in capitals", Some("key=K1,algorithm=HMAC_SHA256"), s256, false),
        ("algorithm in small letters", Some("key=k1,algorithm=hmac_sha256"), s256, true),
        ("algorithm in both, SHA-1", Some("key=k1,algorithm=Hmac_Sha1"), s1, true),
        ("small letters, SHA-1 under SHA-256", Some("key=k1,algorithm=hmac_sha256"), s1, false),
        ("blanks", Some(" key = k1 ,\talgorithm =  HMAC_SHA256 "), s256, true),
        ("empty algorithm means SHA-1", Some("key=k1,algorithm="), s1, true),
        (
            "empty algorithm and a second",
            Some("key=k1,algorithm= ,algorithm=HMAC_SHA256"),
            s256,
            true,
        ),
        ("further settings", Some("v=2,key=k1,,algorithm=HMAC_SHA256,x"), s256, true),
        (
            "the first algorithm counts",
            Some("key=k1,algorithm=HMAC_SHA256,algorithm=HMAC_SHA1"),
            s1,
            false,
        ),
        ("the first key counts", Some("key=k2,key=k1"), s1, false),
        ("empty header, token", Some(""), t1, true),
        ("empty header, shared key", Some(""), s1, false),
        ("no setting, token", Some("k1"), t1, true),
        ("no setting, shared key", Some("k1"), s1, false),
        ("unknown algorithm", Some("key=k1,algorithm=none"), s1, false),
        ("unknown algorithm, token", Some("algorithm=HMAC_MD5"), t1, false),
        ("blank inside", Some("key=k1,algorithm=HMAC _SHA256"), s256, false),
    ] {
        let mut request = Request::get("/x").header("x-twilio-signature", signature);
        if let Some(settings) = settings {
            request = request.header(SETTINGS, settings);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let with = |secrets: &[&Secret]| {
            let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).clone()).collect();
            twilio().shared_key("k1", secrets).unwrap()
        };
        // In a rotation it is one of several: given at once, or by a call for each.
        let apart = with(&[&next]).shared_key("k1", shared.clone()).unwrap();
        let rotated = [with(&[&next, &shared]), with(&[&shared, &next]), apart];
        for verifier in rotated.into_iter().chain([with(&[&shared])]) {
            let request = Request::from_parts(head.clone(), Script::data([""; 0]));
            let (response, inner) = send(&SignatureLayer::new(verifier), request).await;
            assert_eq!(response.status().is_success(), verdict, "{name}");
            assert_eq!(inner.count(), usize::from(verdict), "{name}");
        }
        let index = |verifier| verify(&verifier, &head, &Bytes::new()).unwrap().key_index();
        if verdict && ![s1, s256].contains(&signature) {
            assert_eq!(index(with(&[&next])), 0, "{name}: the auth token");
        } else if verdict {
            assert_eq!(index(with(&[&next, &shared])), 1, "{name}");
        }
    }
    // Another verifier may know the key, so that it is no question of form.
    for (settings, kind) in [
        ("key=k2,algorithm=HMAC_SHA256", RejectionKind::SignatureMismatch),
        ("algorithm=HMAC_SHA256", RejectionKind::Malformed),
    ] {
        let headers = &[(SETTINGS, settings)];
        let signed = "https://example.com/x";
        let message = Message { method: "GET", target: "/x", signed, headers, body: "" };
        assert_refused(settings, kind, &message.send(twilio()).await);
    }
    let headers = &[(SETTINGS, "key=k1"), (SETTINGS, "key=k1")];
    let signed = "https://example.com/x";
    let twice = Message { method: "GET", target: "/x", signed, headers, body: "" };
    assert_refused("twice", RejectionKind::Repeated, &twice.send(twilio()).await);
}

#[cfg(feature = "sign")]
#[test]
fn signing_adds_body_hash_unless_body_is_covered() {
    use tower_webhook::sign::{Sign, Signing};

    let hash = format!("bodySHA256={}", sha256("{}"));
    let (first, second) = (format!("/x?{hash}"), format!("/x?a=b&{hash}"));
    for (target, content_type, body, expected) in [
        ("/x", "application/json", "{}", first.as_str()),
        ("/x?a=b", "application/json", "{}", second.as_str()),
        (&second, "application/json", "{}", second.as_str()),
        ("/x", "application/json", "", "/x"),
        ("/x", FORM, "a=b", "/x"),
        ("/x?c=d", FORM, "a=b", "/x?c=d"),
    ] {
        let request = Request::post(target).header("content-type", content_type).body(()).unwrap();
        let mut head = request.into_parts().0;
        twilio().sign(&mut head, body.as_bytes(), &Signing::at(std::time::UNIX_EPOCH)).unwrap();
        assert_eq!(head.uri, expected);
        verify(&twilio(), &head, &body.into()).unwrap();
    }
}

/// A limit that the page of `Twilio` names.
#[tokio::test]
async fn parameter_order_and_repetition_are_not_signed() {
    for body in ["To=a&To=b", "To=b&To=a", "To=a&To=b&To=b&To=a"] {
        let message = Message::form("/x", "https://example.com/xToaTob", body);
        let sent = message.send(twilio()).await;
        assert_accepted(body, &sent);
        // The key of the replay guard is the same, so that only one of them is handled.
        let first = Message::form("/x", "https://example.com/xToaTob", "To=a&To=b");
        let key = |sent: &Sent| sent.1.only_call().verified().replay_key();
        assert_eq!(key(&sent), key(&first.send(twilio()).await), "{body}");
    }
}
