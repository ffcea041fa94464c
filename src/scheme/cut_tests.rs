//! Tests that no signed content can be split into another request that is accepted, for each
//! scheme.

mod any_body;

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request::Parts};

use crate::{
    crypto::{mac::Algorithm, secret::Secret},
    parse::{timestamp::TimestampFormat, tolerance::Tolerance},
    providers::{self, registration::Signature, registry::types},
    scheme::{
        component::{Component, SignatureSource, TimestampSource},
        declaration::Scheme,
        public_url::PublicUrl,
    },
    verifier::verify::{verify, verify_at},
};

const ORIGIN: &str = "https://a.example";
const TIME: u64 = 1_700_000_000;

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
            Component::Literal(_) => {}
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
    put(&mut head, scheme.signature_field(), signature.as_bytes())?;
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

/// Returns the number of splits that were tried of the accepted contents.
fn no_cut_is_accepted(scheme: Scheme) -> usize {
    let url = PublicUrl::base(ORIGIN).unwrap();
    let secret = Secret::from_bytes(*b"a key of 32 bytes for the tests!").unwrap();
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
                Component::Body => *body,
                Component::Header(_) => "n-1700",
                Component::HttpDate(_) => "Tue, 14 Apr 2026 03:50:12 GMT",
                Component::Host => "a.example",
                Component::Path => "/h/1",
                Component::Query => "x=1",
                Component::Id => "msg-17",
                Component::Literal(text) => text,
                Component::Method => "POST",
                Component::Time => &time,
                Component::Url => "https://a.example/h/1?x=1",
            };
            content.extend_from_slice(value.as_bytes());
            if !matches!(part, Component::Literal(_)) {
                genuine.push((*part, value.as_bytes()));
            }
        }
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
        let algorithm = Algorithm::HmacSha256;
        let is_timed = scheme.signed_content.contains(&Component::Time);
        // A timestamp in the body is not a component of its own, so it is not checked here.
        let time = scheme.time.filter(|_| is_timed);
        let tolerance = scheme.tolerance.filter(|_| is_timed);
        tried += in_both_ways(Scheme { algorithm, time, tolerance, challenge: None, ..scheme });
    }
    assert!(tried > 30_000, "{tried}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn custom_scheme_content_split_elsewhere_is_rejected() {
    const DOT: Component = Component::Literal(".");
    const DATE: Component = Component::HttpDate("x-date");
    const LINE: Component = Component::Literal("\n");
    const HEADER: Component = Component::Header("x-nonce");
    let contents: &[&'static [Component]] = &[
        &[Component::Url, Component::Body],
        &[Component::Body, Component::Url],
        &[Component::Url, DOT, Component::Body],
        &[Component::Body, DOT, Component::Url],
        &[Component::Method, Component::Body],
        &[Component::Method, DOT, Component::Body],
        &[Component::Body, Component::Method],
        &[Component::Method, Component::Url, Component::Body],
        &[Component::Method, Component::Url, Component::Literal("\n"), Component::Body],
        &[HEADER, Component::Body],
        &[Component::Body, HEADER],
        &[HEADER, DOT, Component::Body],
        &[Component::Body, DOT, HEADER],
        &[Component::Id, Component::Time, Component::Body],
        &[Component::Time, Component::Id, Component::Body],
        &[Component::Url, Component::Time, Component::Body],
        &[Component::Body, Component::Time, HEADER],
        &[Component::Body, DOT, Component::Time, HEADER],
        &[Component::Time, Component::Body],
        &[Component::Body, Component::Time],
        &[Component::Id, DOT, Component::Time, DOT, Component::Body],
        &[Component::Url, Component::Body, Component::Time],
        &[HEADER, Component::Body, Component::Id],
        &[Component::Url, Component::Body, HEADER],
        &[HEADER, Component::Body, Component::Time, Component::Id],
        &[DATE, Component::Body],
        &[Component::Body, DATE],
        &[HEADER, DATE, Component::Body],
        &[Component::Body, DATE, HEADER],
        &[DATE, Component::Body, Component::Time],
        &[DATE, Component::Body, DATE],
        &[Component::Path, Component::Body],
        &[Component::Body, Component::Path],
        &[Component::Path, DOT, Component::Body],
        &[Component::Query, DOT, Component::Body],
        &[Component::Body, DOT, Component::Query],
        &[Component::Host, LINE, Component::Body],
        &[Component::Host, Component::Body],
        &[Component::Path, Component::Literal("?"), Component::Query, LINE, Component::Body],
        &[Component::Method, LINE, Component::Host, LINE, Component::Path, LINE, Component::Body],
        &[Component::Query, Component::Time, Component::Body],
        &[Component::Path, Component::Body, Component::Host],
    ];
    let formats = [
        TimestampFormat::UnixSeconds,
        TimestampFormat::UnixMillis,
        TimestampFormat::Rfc3339,
        TimestampFormat::Rfc3339NoOffset,
        TimestampFormat::HttpDate,
    ];
    let mut tried = 0;
    let mut refused = 0;
    for signed_content in contents {
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
