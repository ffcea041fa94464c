//! Public URLs: what is taken for one is one to others too, no message shows what may be a
//! secret, and what is signed is the URL as it was received.

#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{Method, request::Parts};
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    ConfigError, PublicUrl,
    scheme::{Component, Scheme},
};
use tower_webhook_fuzz::{KEYS, add, head, hex, hmac_sha256, secret, verify};

const CANARY: &str = "c4n4ry";
const SCHEMES: [&str; 7] = ["https://", "http://", "wss://", "ws://", "HTTPS://", "ftp://", ""];
const HOSTS: [&str; 6] = [
    "example.com",
    "a_b.example:8443",
    "[2001:db8::7]:80",
    "192.0.2.7",
    "b\u{fc}cher.example.",
    "[::1",
];
const ENDS: [&str; 3] = ["/", "?", "#"];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    scheme: u8,
    user: Option<(&'a str, &'a str, &'a str)>,
    host: Result<u8, &'a str>,
    /// What follows the host, and where in it the secret stands.
    tail: Option<(u8, &'a str, &'a str)>,
    /// A text that is no such thing.
    other: Option<&'a str>,
    target: &'a [u8],
    method: u8,
}

fuzz_target!(|input: Input<'_>| {
    let scheme = SCHEMES[usize::from(input.scheme) % SCHEMES.len()];
    let host = match input.host {
        Ok(which) => HOSTS[usize::from(which) % HOSTS.len()],
        // What ends a host, or would make another part of it.
        Err(raw) if !raw.contains(['/', '?', '#', '@', ':']) && !raw.contains(CANARY) => raw,
        Err(_) => return,
    };
    let mut text = scheme.to_owned();
    if let Some((user, before, after)) = input.user {
        text.extend([user, ":", before, CANARY, after, "@"]);
    }
    text.push_str(host);
    if let Some((end, before, after)) = input.tail {
        text.extend([ENDS[usize::from(end) % 3], before, CANARY, after]);
    }
    for text in [&*text, input.other.unwrap_or_default()] {
        check(text, PublicUrl::base(text), true, &input);
        check(text, PublicUrl::fixed(text), false, &input);
    }
});

fn check(text: &str, url: Result<PublicUrl, ConfigError>, is_base: bool, input: &Input<'_>) {
    let shown = format!("{url:?} {}", url.as_ref().err().map_or(String::new(), |e| e.to_string()));
    assert!(input.other == Some(text) || !shown.contains(CANARY), "{text:?}: {shown}");
    let Ok(url) = url else { return };

    // It begins with a host that others find there too.
    let (scheme, rest) = text.split_once("://").expect("a scheme");
    let scheme = scheme.to_ascii_lowercase();
    assert!(["https", "http", "wss", "ws"].contains(&&*scheme), "{text:?}");
    let authority = rest.split(['/', '?']).next().unwrap();
    assert!(!authority.is_empty() && !rest.contains(char::is_whitespace), "{text:?}");
    let host = authority.rsplit('@').next().unwrap();
    if host.is_ascii() {
        // Every authority of ours is one to the crate `http`.
        let parsed: Result<http::uri::Authority, _> = authority.parse();
        assert!(parsed.is_ok() || !authority.is_ascii() || authority != host, "{text:?}");
        if let Ok(parsed) = parsed {
            assert!(!parsed.host().is_empty(), "{text:?}");
            let port = parsed.port_u16();
            assert_eq!(port.is_some(), host.rsplit(']').next().unwrap().contains(':'), "{text:?}");
        }
    }
    assert!(!is_base || !rest.contains('?') && !rest.ends_with("//"), "{text:?}");

    let Some(mut request) = request(input) else { return };
    let target = request.uri.path_and_query().map(|target| target.as_str().to_owned());
    let target =
        target.filter(|target| target.starts_with('/') && request.method != Method::CONNECT);
    let base = text.strip_suffix('/').unwrap_or(text);
    let signed = if is_base {
        format!("{base}{}", target.as_deref().unwrap_or("/"))
    } else {
        text.to_owned()
    };
    let tag = hmac_sha256(KEYS[0].as_bytes(), &[signed.as_bytes(), b"\nbody"]);
    add(&mut request, "x-signature", hex(&tag).as_bytes()).unwrap();
    // Neither of these is anything to a configured URL.
    add(&mut request, "x-forwarded-host", b"other.example").unwrap();
    add(&mut request, "host", b"other.example").unwrap();
    let scheme = Scheme::hmac_sha256("x-signature").signed_content(&[
        Component::Url,
        Component::Literal("\n"),
        Component::Body,
    ]);
    let verifier = scheme.verifier_at(secret(0), url).unwrap();
    let verdict = verify(&verifier, &request, &Bytes::from_static(b"body"));
    assert_eq!(verdict.is_ok(), !is_base || target.is_some(), "{text:?} {request:?} {verdict:?}");
}

fn request(input: &Input<'_>) -> Option<Parts> {
    let methods = [Method::POST, Method::GET, Method::CONNECT, Method::OPTIONS];
    head(methods[usize::from(input.method) % 4].clone(), input.target)
}
