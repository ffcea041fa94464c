//! Tests that no signed content can be split into another request that is accepted, for each
//! scheme.

mod any_body;
mod contents;

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use contents::CONTENTS;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request::Parts};

use crate::{
    crypto::{mac::Algorithm, secret::Secret},
    parse::{timestamp::TimestampFormat, tolerance::Tolerance},
    providers::{self, registration::Signature, registry::types},
    scheme::{
        component::{Component, DigestEncoding, SignatureSource, TimestampSource},
        declaration::Scheme,
        public_url::PublicUrl,
    },
    verifier::verify::{verify, verify_at},
};

const ORIGIN: &str = "https://a.example";
const TIME: u64 = 1_700_000_000;

/// Returns the digest of a body that is this component.
fn digest(body: &str, part: Component) -> Vec<u8> {
    let mut digest = part.body_digest().unwrap();
    digest.update(body.as_bytes());
    let mut text = Vec::new();
    digest.finish(|bytes| text.extend_from_slice(bytes));
    text
}

/// One value for each component, except for literals.
type Values<'a> = Vec<(Component, &'a [u8])>;

/// Returns a request whose components have these values, or `None` if HTTP does not allow it.
fn request(scheme: &Scheme, values: &Values<'_>, tag: &[u8]) -> Option<(Parts, Bytes)> {
    let (mut head, ()) = Request::post("/").body(()).unwrap().into_parts();
    let (mut body, mut time) = (Bytes::new(), String::new());
    let (mut path, mut query) = ("/".to_owned(), String::new());
    let put = |head: &mut Parts, name: &'static str, value: &[u8]| {
        // A server trims whitespace.
        let value = HeaderValue::from_bytes(value.trim_ascii()).ok()?;
        head.headers.insert(HeaderName::from_static(name), value);
        Some(())
    };
    for (part, value) in values {
        match *part {
            Component::Body => body = Bytes::copy_from_slice(value),
            // Nobody finds a body for another digest.
            Component::BodySha256(_) | Component::BodySha512(_) => {
                let known = BODIES.iter().find(|body| digest(body, *part) == *value)?;
                body = Bytes::from_static(known.as_bytes());
            }
            Component::Header(name) | Component::HttpDate(name) => put(&mut head, name, value)?,
            Component::Id => put(&mut head, scheme.delivery_id?, value)?,
            Component::Method => head.method = Method::from_bytes(value).ok()?,
            Component::Time => {
                time = String::from_utf8(value.to_vec()).ok()?;
                if let Some((TimestampSource::Header(name), _)) = scheme.time {
                    put(&mut head, name, value)?;
                }
            }
            Component::Url => {
                let target = std::str::from_utf8(value).ok()?.strip_prefix(ORIGIN)?;
                head.uri = target.parse::<Uri>().ok().filter(|uri| *uri == target)?;
            }
            Component::Host => put(&mut head, "host", value)?,
            Component::Path => path = std::str::from_utf8(value).ok()?.to_owned(),
            Component::Query => query = std::str::from_utf8(value).ok()?.to_owned(),
            Component::Literal(_) | Component::Secret => {}
        }
    }
    if values.iter().any(|(part, _)| matches!(part, Component::Path | Component::Query)) {
        let is_there = !query.is_empty();
        let target = if is_there { format!("{path}?{query}") } else { path.clone() };
        head.uri = target.parse::<Uri>().ok()?;
        let is_kept = head.uri.path() == path && head.uri.query().unwrap_or_default() == query;
        is_kept.then_some(())?;
    }
    for (name, value) in scheme.required {
        put(&mut head, name, value.as_bytes())?;
    }
    let signature = scheme.signature_format.write(&time, &scheme.encoding.encode(tag));
    let signature = match scheme.source {
        SignatureSource::Authorization(name) => format!("{name} {signature}"),
        _ => signature,
    };
    put(&mut head, scheme.signature_name(), signature.as_bytes())?;
    Some((head, body))
}

/// Calls `visit` with each way to split the content into its components.
fn cuts<'a>(
    signed_content: &[Component],
    content: &'a [u8],
    values: &mut Values<'a>,
    visit: &mut dyn FnMut(&Values<'a>),
) {
    match signed_content {
        [] if content.is_empty() => visit(values),
        [] => {}
        [Component::Literal(text), rest @ ..] => {
            if let Some(content) = content.strip_prefix(text.as_bytes()) {
                cuts(rest, content, values, visit);
            }
        }
        // The sender of another request does not know it, so it stands where it stands.
        [Component::Secret, rest @ ..] => {
            if let Some(content) = content.strip_prefix(KEY.as_bytes()) {
                cuts(rest, content, values, visit);
            }
        }
        [part] => {
            values.push((*part, content));
            visit(values);
            values.pop();
        }
        [part, rest @ ..] => {
            for len in 0..=content.len() {
                let (value, content) = content.split_at(len);
                values.push((*part, value));
                cuts(rest, content, values, visit);
                values.pop();
            }
        }
    }
}

const KEY: &str = "a key of 32 bytes for the tests!";

/// Number of documents (JSON or XML) at the beginning of `BODIES`.
const DOCUMENTS: usize = 6;
/// Bodies that contain text that could belong to other components.
const BODIES: [&str; 12] = [
    "\n{\"a\":\"https://a.example/h\"}\r\n",
    "<a>https://a.example/h 1700000000</a>",
    r#"{"a":"https://a.example/h","b":"2023-11-14T22:13:20Z."}"#,
    r#"{"a":".https://a.example/h?x=1.","b":"1700000000"}"#,
    r#"{"1700000000.1700000000000":"Tue 14 Nov 2023 22:13:20 UTC"}"#,
    "[1700000000]",
    "1700000000",
    "0.5.msg|x:y,z",
    "Tue, 14 Apr 2026 03:50:12 GMT",
    "GMT Tue, 14 Apr 2026 03:50:12 ",
    "a=https://a.example/&t=1700000000000",
    "",
];

/// Returns the text of a component of an authentic request.
fn text_of<'a>(part: Component, body: &'a str, time: &'a str) -> &'a str {
    match part {
        Component::Body | Component::BodySha256(_) | Component::BodySha512(_) => body,
        Component::Header(_) => "n-1700",
        Component::HttpDate(_) => "Tue, 14 Apr 2026 03:50:12 GMT",
        Component::Host => "a.example",
        Component::Path => "/h/1",
        Component::Query => "x=1",
        Component::Secret => KEY,
        Component::Id => "msg-17",
        Component::Literal(text) => text,
        Component::Method => "POST",
        Component::Time => time,
        Component::Url => "https://a.example/h/1?x=1",
    }
}

/// Returns the number of splits that were tried of the accepted contents.
fn no_cut_is_accepted(scheme: Scheme) -> usize {
    let url = PublicUrl::base(ORIGIN).unwrap();
    let secret = Secret::from_bytes(KEY).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(TIME);
    let verifier = scheme.verifier_at(secret, url).unwrap();
    let time = scheme.time.map(|(_, format)| format.write(now)).unwrap_or_default();
    let mut tried = 0;
    // The provider's page states that other bodies are not protected.
    let bodies = if scheme.takes_any_body { &BODIES[..DOCUMENTS] } else { &BODIES[..] };
    let parts = scheme.signed_content.iter().filter(|part| !matches!(part, Component::Literal(_)));
    // The number of splits grows with the length to the power of the parts.
    let longest = if parts.count() > 3 { 20 } else { usize::MAX };
    for body in bodies.iter().filter(|body| body.len() <= longest) {
        let mut content = Vec::new();
        let mut genuine = Vec::new();
        for part in scheme.signed_content {
            let value = match *part {
                part if part.body_digest().is_some() => &digest(body, part),
                part => text_of(part, body, &time).as_bytes(),
            };
            content.extend_from_slice(value);
            if !matches!(part, Component::Literal(_) | Component::Secret) {
                genuine.push((*part, value.to_vec()));
            }
        }
        let genuine: Values<'_> = genuine.iter().map(|(part, value)| (*part, &value[..])).collect();
        let tag = verifier.tag(&content).unwrap();
        let accepts = |values: &Values<'_>| {
            let Some((head, body)) = request(&scheme, values, tag.as_bytes()) else { return false };
            verify_at(&verifier, &head, &body, now).is_ok()
        };
        // If the scheme rejects such a body, this sender sends no other request with it either.
        if !accepts(&genuine) {
            continue;
        }
        cuts(scheme.signed_content, &content, &mut Vec::new(), &mut |values| {
            tried += 1;
            assert!(!accepts(values) || *values == genuine, "{scheme:?}: {values:?}");
        });
    }
    assert!(tried > 0, "{scheme:?} takes no body");
    tried
}

/// Runs the test with the scheme's tolerance, and with one that accepts any timestamp.
fn in_both_ways(scheme: Scheme) -> usize {
    let tried = no_cut_is_accepted(scheme);
    match scheme.time {
        Some(_) => tried + no_cut_is_accepted(scheme.tolerance(Tolerance::UNBOUNDED)),
        None => tried,
    }
}

#[test]
fn no_cut_of_a_providers_content_is_another_request() {
    // Those of types with several schemes; each other one is that of its type's registration.
    let several = [providers::StandardWebhooks::SCHEME, providers::GitLab::SCHEME];
    let registered = types().filter_map(|it| match it.signature {
        Signature::Scheme(scheme) => Some(*scheme),
        Signature::Words(_) => None,
    });
    let mut tried = 0;
    for scheme in registered.chain(several) {
        // Only the signed content matters.
        let is_plain = scheme.algorithm.is_plain_hash();
        let algorithm = if is_plain { scheme.algorithm } else { Algorithm::HmacSha256 };
        let is_timed = scheme.signed_content.contains(&Component::Time);
        // A timestamp in the body is not a component of its own, so it is not checked here.
        let time = scheme.time.filter(|_| is_timed);
        let tolerance = scheme.tolerance.filter(|_| is_timed);
        let source = match scheme.source {
            SignatureSource::Query(_) => SignatureSource::Header("x-s"),
            source => source,
        };
        let scheme = Scheme { algorithm, source, time, tolerance, challenge: None, ..scheme };
        tried += in_both_ways(scheme);
    }
    assert!(tried > 30_000, "{tried}");
}

#[test]
fn custom_scheme_content_split_elsewhere_is_rejected() {
    let formats = [
        TimestampFormat::UnixSeconds,
        TimestampFormat::UnixMillis,
        TimestampFormat::Rfc3339,
        TimestampFormat::Rfc3339NoOffset,
        TimestampFormat::HttpDate,
    ];
    let mut tried = 0;
    let mut refused = 0;
    for signed_content in CONTENTS {
        let is_timed = signed_content.contains(&Component::Time);
        for format in formats.into_iter().take(if is_timed { formats.len() } else { 1 }) {
            let scheme =
                Scheme::hmac_sha256("x-s").signed_content(signed_content).delivery_id("x-id");
            let scheme = if is_timed {
                scheme
                    .time(TimestampSource::Header("x-t"), format)
                    .tolerance(Tolerance::seconds(300))
            } else {
                scheme
            };
            let url = PublicUrl::base(ORIGIN).unwrap();
            match scheme.verifier_at(Secret::new("a secret").unwrap(), url) {
                Ok(_) => tried += in_both_ways(scheme),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(tried > 100_000 && (1..30).contains(&refused), "{tried} {refused}");
}

#[test]
fn what_cannot_be_guarded_is_refused_when_it_is_built() {
    let url = || PublicUrl::base(ORIGIN).unwrap();
    let build = |signed_content: &'static [Component], url| {
        let scheme = Scheme::hmac_sha256("x-s").signed_content(signed_content).delivery_id("x-id");
        scheme.verifier_at(Secret::new("a secret").unwrap(), url)
    };
    const A: Component = Component::Header("x-a");
    const B: Component = Component::Header("x-b");
    for signed_content in [
        &[A, B, Component::Body][..],
        // The digest's length is fixed, but nothing says where it begins.
        &[A, Component::BodySha256(DigestEncoding::Raw), B],
        &[Component::Id, A, Component::Literal("."), Component::Body],
        &[Component::Url, Component::Id, Component::Body],
        &[Component::Body, Component::Url, A],
    ] {
        let why = build(signed_content, url()).unwrap_err().to_string();
        assert!(why.contains("adjacent components"), "{why}");
    }
    // The sender controls no part of a fixed URL.
    let fixed = PublicUrl::fixed("https://a.example/h.php").unwrap();
    build(&[Component::Url, Component::Id, Component::Body], fixed.clone()).unwrap();
    let verifier =
        build(&[Component::Url, Component::Literal("."), Component::Body], fixed).unwrap();
    let tag = verifier.tag(b"https://a.example/h.php.a.b").unwrap();
    let (mut head, ()) = Request::post("/any.thing").body(()).unwrap().into_parts();
    let signature = verifier.0.scheme.encoding.encode(tag.as_bytes());
    head.headers.insert("x-s", signature.parse().unwrap());
    verify(&verifier, &head, &Bytes::from("a.b")).unwrap();
}

/// A base keeps the case of its scheme.
#[test]
fn no_cut_at_a_url_in_capitals_is_another_request() {
    for base in
        ["HTTPS://a.example", "Https://a.example/api", "WSS://a.example", "https://a.example"]
    {
        for literal in [".", "::", "-"] {
            let signed_content: &'static [Component] = match literal {
                "." => &[Component::Body, Component::Literal("."), Component::Url],
                "::" => &[Component::Body, Component::Literal("::"), Component::Url],
                _ => &[Component::Body, Component::Literal("-"), Component::Url],
            };
            let scheme = Scheme::hmac_sha256("x-s").signed_content(signed_content);
            let url = PublicUrl::base(base).unwrap();
            let verifier = scheme.verifier_at(Secret::new("a secret").unwrap(), url).unwrap();
            let content = format!("{{}}{literal}{base}/x{literal}{base}/y");
            let tag = verifier.tag(content.as_bytes()).unwrap();
            let signature = scheme.encoding.encode(tag.as_bytes());
            let accepts = |target: &str, body: &str| {
                let request = Request::post(target).header("x-s", &signature).body(()).unwrap();
                verify(&verifier, &request.into_parts().0, &body.to_owned().into()).is_ok()
            };
            let one = accepts(&format!("/x{literal}{base}/y"), "{}");
            let other = accepts("/y", &format!("{{}}{literal}{base}/x"));
            assert_eq!((one, other), (false, true), "{content}");
        }
    }
}

/// A function can return a path as the URL. No part of that URL is fixed.
#[test]
fn no_cut_of_a_path_is_another_request() {
    let path = || PublicUrl::custom(|head| Some(head.uri.path_and_query()?.as_str().to_owned()));
    let accepts =
        |signed_content: &'static [Component], content: &str, target: &str, body: &'static str| {
            let scheme = Scheme::hmac_sha256("x-s").signed_content(signed_content);
            let verifier = scheme.verifier_at(Secret::new("a secret").unwrap(), path()).unwrap();
            let tag = verifier.tag(content.as_bytes()).unwrap();
            let signature = scheme.encoding.encode(tag.as_bytes());
            let request = Request::post(target).header("x-s", signature).body(()).unwrap();
            verify(&verifier, &request.into_parts().0, &Bytes::from(body)).is_ok()
        };
    const DOT: Component = Component::Literal(".");
    let content = "/h?x=1.u=https://x.example/y.z=1";
    let signed_content = &[Component::Url, DOT, Component::Body];
    assert!(accepts(signed_content, content, "/h?x=1", "u=https://x.example/y.z=1"));
    assert!(!accepts(signed_content, content, "/h?x=1.u=https://x.example/y", "z=1"));
    let content = r#"/h{"u":"https://x.example/a"}"#;
    let signed_content = &[Component::Url, Component::Body];
    assert!(accepts(signed_content, content, "/h", r#"{"u":"https://x.example/a"}"#));
    assert!(!accepts(signed_content, content, r#"/h{"u":"https://x.example/a"#, "\"}"));
    let content = "a./h?b./h";
    let signed_content = &[Component::Body, DOT, Component::Url];
    assert!(accepts(signed_content, content, "/h", "a./h?b"));
    assert!(!accepts(signed_content, content, "/h?b./h", "a"));
}
