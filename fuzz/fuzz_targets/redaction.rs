//! What events show of a request: printable ASCII, cut, without what may be a secret.

#![no_main]

use std::fmt::Write;

use arbitrary::Arbitrary;
use http::{Method, request::Parts};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use tower_webhook::observe::{Attempt, Event, EventKind, SensitiveParts, is_sensitive};
use tower_webhook_fuzz::{add, head};

const CANARY: &str = "c4n4ry";
const NAMES: [&str; 12] = [
    "token",
    "hub.verify_token",
    "API_KEY",
    "sig",
    "x-mac",
    "crc_token",
    "password",
    "session_id",
    "code",
    "design",
    "page",
    "hub.challenge",
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_secret: bool,
    user: Option<&'a [u8]>,
    path: &'a [u8],
    is_canary_in_path: bool,
    parameters: Vec<Parameter<'a>>,
    agent: &'a [u8],
    id: &'a [u8],
    tenant: &'a str,
}

#[derive(Arbitrary, Debug)]
enum Parameter<'a> {
    /// A name with so many of its letters in escapes, and what stands round the canary.
    Named {
        which: u8,
        escapes: u16,
        is_upper: bool,
        before: &'a [u8],
        after: &'a [u8],
    },
    /// A name with a part of a word in it that tells a secret.
    Built {
        before: &'a [u8],
        which: u8,
        after: &'a [u8],
    },
    Raw(&'a [u8]),
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let mut uri = Vec::new();
    if let Some(user) = input.user {
        uri.extend([b"https://", user, b":", CANARY.as_bytes(), b"@a.example"].concat());
    }
    uri.push(b'/');
    uri.extend(input.path);
    if input.is_canary_in_path {
        uri.extend(CANARY.as_bytes());
    }
    for (at, parameter) in input.parameters.iter().take(8).enumerate() {
        uri.push(if at == 0 { b'?' } else { b'&' });
        uri.extend(write(parameter));
    }
    let mut request = head(Method::POST, &uri)?;
    add(&mut request, "user-agent", input.agent)?;
    add(&mut request, "x-request-id", input.id)?;
    add(&mut request, "authorization", b"Bearer c4n4ry")?;

    let mut attempt = Attempt::new("fuzz", &request).with_tenant(input.tenant);
    if input.is_secret {
        attempt = attempt.with_sensitive_parts(SensitiveParts::none().url());
    }
    let event = Event::new(&attempt, EventKind::Accepted);
    let (url, agent, id) = (event.url(), event.user_agent()?, event.request_id()?);
    for text in [&url, &agent, &id] {
        assert!(text.len() <= 256, "{text}");
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
    }
    // What is no name with a value after it, in no escapes and in no secret URL, is shown.
    if !input.is_secret
        && input.agent.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ')
    {
        let whole = escaped(input.agent);
        assert!(agent == whole || whole.len() > 256 && agent[..253] == whole[..253], "{agent}");
    }

    let expected = expected(&request, input.is_secret);
    let is_cut = expected.len() > 256;
    if !is_simple(&request) {
        // More may be hidden; nothing may be made up.
        let shown = url.replace("[redacted]", "").len();
        assert!(shown <= escaped(&uri).len() + 8, "{url:?} {expected:?}");
    } else if is_cut {
        assert!(url.len() == 256 && url.ends_with("..."), "{url:?} {expected:?}");
        // A parameter is cut too, before it is put there.
        let same = url.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
        assert!(same >= 253 || url[..same + 3].ends_with("..."), "{url:?} {expected:?}");
    } else {
        assert_eq!(url, expected);
    }
    // Where nothing but the canary's own places can hold it, it is gone.
    if is_plain(input)
        && input.parameters.iter().all(|parameter| input.is_secret || hides(parameter))
    {
        let is_shown = input.is_canary_in_path && !input.is_secret;
        assert!(is_shown || !url.contains(CANARY), "{url}");
    }
    let mut shown = String::new();
    write!(shown, "{event:?}").unwrap();
    assert!(shown.contains(&format!("{url:?}")), "{shown}");
    // What it shows of the canary is what the URL and the tenant show.
    let count = |text: &str| text.matches(CANARY).count();
    assert_eq!(count(&shown), count(&url) + count(&format!("{:?}", input.tenant)), "{shown}");
    Some(())
}

fn write(parameter: &Parameter<'_>) -> Vec<u8> {
    match *parameter {
        Parameter::Raw(raw) => raw.to_vec(),
        Parameter::Built { before, which, after } => {
            let name = NAMES[usize::from(which) % NAMES.len()].as_bytes();
            [before, name, after, b"=", CANARY.as_bytes()].concat()
        }
        Parameter::Named { which, escapes, is_upper, before, after } => {
            let mut text = Vec::new();
            for (at, byte) in NAMES[usize::from(which) % NAMES.len()].bytes().enumerate() {
                let byte = if is_upper { byte.to_ascii_uppercase() } else { byte };
                if escapes >> (at % 16) & 1 == 1 {
                    text.extend(format!("%{byte:02x}").bytes());
                } else {
                    text.push(byte);
                }
            }
            text.extend([b"=", before, CANARY.as_bytes(), after].concat());
            text
        }
    }
}

/// Whether names and values can be told at a glance: each parameter is one name with one value.
fn is_simple(request: &Parts) -> bool {
    let is_plain = |text: &str| {
        text.bytes().all(|byte| b"/_.&=-".contains(&byte) || byte.is_ascii_alphanumeric())
    };
    let query = request.uri.query().unwrap_or_default();
    let is_single = |parameter: &str| parameter.matches('=').count() < 2;
    let path = request.uri.path();
    is_plain(path)
        && !path.contains('=')
        && is_plain(query)
        && !query.contains('/')
        && query.split('&').all(is_single)
}

/// Whether the raw parts hold nothing that ends the part they are in.
fn is_plain(input: &Input<'_>) -> bool {
    let ends = |raw: &[u8]| {
        raw.iter().any(|byte| b"/?#&=;".contains(byte)) || raw.windows(3).any(|part| part == b"c4n")
    };
    let parameters = input.parameters.iter().flat_map(|parameter| match *parameter {
        Parameter::Named { before, after, .. } | Parameter::Built { before, after, .. } => {
            [before, after]
        }
        Parameter::Raw(raw) => [raw, raw],
    });
    let raw = parameters.chain(input.user).chain([input.path]);
    !raw.into_iter().any(ends)
}

fn hides(parameter: &Parameter<'_>) -> bool {
    match *parameter {
        // Parts of any word.
        Parameter::Built { which, .. } => {
            [0, 1, 2, 5, 6, 7].contains(&(usize::from(which) % NAMES.len()))
        }
        Parameter::Named { which, .. } => usize::from(which) % NAMES.len() < 8,
        Parameter::Raw(_) => true,
    }
}

/// An apostrophe ends no value of a log, so it stands as it is.
fn escaped(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'\'' => "'".to_owned(),
        byte => byte.escape_ascii().to_string(),
    };
    bytes.iter().map(escape).collect()
}

/// The URL as it is to be shown, but for its length.
fn expected(request: &Parts, is_secret: bool) -> String {
    const REDACTED: &str = "[redacted]";
    let mut url = String::new();
    if let (Some(scheme), Some(host)) = (request.uri.scheme_str(), request.uri.authority()) {
        let host = host.as_str();
        let host = &host[host.rfind('@').map_or(0, |at| at + 1)..];
        write!(url, "{scheme}://{}", escaped(host.as_bytes())).unwrap();
    }
    url += &if is_secret { format!("/{REDACTED}") } else { escaped(request.uri.path().as_bytes()) };
    let Some(query) = request.uri.query() else { return url };
    let parameters = query.split('&').map(|parameter| {
        let name = parameter.split('=').next().unwrap();
        let decoded = percent_decode_str(&name.replace('+', " ")).decode_utf8_lossy().into_owned();
        match parameter.contains('=') {
            // As padding of base64 would.
            true if is_secret && parameter.ends_with('=') => format!("{REDACTED}={REDACTED}"),
            true if is_secret || is_known(&decoded) => {
                format!("{}={REDACTED}", escaped(name.as_bytes()))
            }
            false if is_secret && !parameter.is_empty() => REDACTED.to_owned(),
            _ => escaped(parameter.as_bytes()),
        }
    });
    url + "?" + &parameters.collect::<Vec<_>>().join("&")
}

/// The target's own names are known to be sensitive, whatever stands round them.
fn is_known(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let own = ["token", "key", "password", "session"].iter().any(|part| lower.contains(part));
    assert!(!own || is_sensitive(name), "{name}");
    is_sensitive(name)
}
