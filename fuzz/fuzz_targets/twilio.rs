//! Twilio's canonical form, of URL and parameters, held to a plain one. The target signs one request
//! and sends another, which is accepted if and only if both have one canonical form.

#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{Method, request::Parts};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;
use sha2::{Digest, Sha256};
use tower_webhook::{PublicUrl, Secret, providers::Twilio};
use tower_webhook_fuzz::{
    Edit, KEYS, add, base64, edit, head, hex, hmac_sha1, secret, trimmed, verify,
};

const FORM: &str = "application/x-www-form-urlencoded";
const TYPES: [&str; 5] = [
    FORM,
    "application/json",
    "",
    "Application/X-WWW-Form-Urlencoded ; charset=utf-8",
    "application/x-www-form-urlencodedx",
];

/// The URL that Twilio was given, in its pieces.
struct Place {
    scheme: &'static str,
    user: &'static str,
    host: &'static str,
    port: &'static str,
    other_port: &'static str,
}

const fn place(
    scheme: &'static str,
    user: &'static str,
    host: &'static str,
    [port, other_port]: [&'static str; 2],
) -> Place {
    Place { scheme, user, host, port, other_port }
}

const PLACES: [Place; 4] = [
    place("https://", "", "example.com", ["", ":443"]),
    place("HTTP://", "user:p@ss@", "example.com", [":8080", ""]),
    place("wss://", "", "[2001:db8::7]", ["", ":443"]),
    place("http://", "", "a.example", ["", ":80"]),
];
/// That place's whole URL is fixed.
const FIXED: usize = 3;
const FIXED_TARGET: &str = "/hook?a='b'";
const KNOWN: [&str; 4] = ["Body", "From", "To", ""];

static VERIFIERS: LazyLock<Vec<Twilio>> = LazyLock::new(|| {
    let url = |place: &Place| format!("{}{}{}{}", place.scheme, place.user, place.host, place.port);
    let with = |index: usize, secrets: Vec<Secret>| {
        let url = url(&PLACES[index]);
        let url = if index == FIXED {
            PublicUrl::fixed(&format!("{url}{FIXED_TARGET}"))
        } else {
            PublicUrl::base(&url)
        };
        Twilio::new(secrets, url.unwrap()).unwrap()
    };
    let at = |index| with(index, vec![secret(0)]);
    vec![
        at(0).known_parameters(KNOWN),
        with(1, vec![secret(0), secret(1)]).accept_legacy_query(),
        at(2).accept_trailing_slash(),
        at(FIXED).accept_legacy_query(),
    ]
});

#[derive(Arbitrary, Debug)]
struct Message<'a> {
    method: u8,
    media_type: u8,
    path: &'a [u8],
    query: Option<Vec<Query<'a>>>,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Query<'a> {
    Raw(&'a [u8]),
    Hash { of_body: bool, edits: Vec<Edit> },
    Quote { is_escaped: bool },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Parameter<'a> {
    Known(u8, &'a [u8]),
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    place: u8,
    key: u8,
    /// Which of the URL's forms is signed.
    variant: u8,
    sent: Message<'a>,
    /// What was signed in its place; its order, in any case, does not matter.
    signed: Option<Message<'a>>,
    is_reversed: bool,
    flip: Option<u8>,
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let at = usize::from(input.place) % PLACES.len();
    let key = usize::from(input.key) % 3;
    let (mut request, body) = build(&input.sent, false)?;
    let sent = canonical(at, &request, &body);

    let other = input.signed.as_ref().unwrap_or(&input.sent);
    let (signed_request, signed_body) = build(other, input.is_reversed)?;
    let texts = canonical(at, &signed_request, &signed_body).unwrap_or_default();
    // A request that nothing would be signed for carries a signature of its URL alone.
    let text = match texts.get(usize::from(input.variant) % texts.len().max(1)) {
        Some(text) => text.clone(),
        None => url_forms(at, &request)?.swap_remove(0),
    };
    let mut tag = hmac_sha1(KEYS[key].as_bytes(), &[&text]);
    if let Some(bit) = input.flip {
        tag[usize::from(bit) % 20] ^= 1 << (bit % 8);
    }
    add(&mut request, "x-twilio-signature", base64(&tag).as_bytes())?;

    let keys = if at == 1 { 2 } else { 1 };
    let expected = sent.is_some_and(|texts| {
        KEYS[..keys]
            .iter()
            .any(|key| texts.iter().any(|text| hmac_sha1(key.as_bytes(), &[text]) == tag))
    });
    let verdict = verify(&VERIFIERS[at], &request, &Bytes::from(body));
    assert_eq!(verdict.is_ok(), expected, "{request:?} {verdict:?}");
    Some(())
}

fn build(message: &Message<'_>, is_reversed: bool) -> Option<(Parts, Vec<u8>)> {
    let mut parameters: Vec<_> = message.parameters.iter().take(8).collect();
    if is_reversed {
        parameters.reverse();
    }
    let pieces = parameters.into_iter().map(|parameter| match *parameter {
        Parameter::Known(name, value) => {
            [KNOWN[usize::from(name) % KNOWN.len()].as_bytes(), value].join(&b'=')
        }
        Parameter::Raw(raw) => raw.to_vec(),
    });
    let body = pieces.collect::<Vec<_>>().join(&b'&');
    let mut target = [b"/", message.path].concat();
    for (at, part) in message.query.iter().flatten().take(4).enumerate() {
        target.push(if at == 0 { b'?' } else { b'&' });
        match part {
            Query::Raw(raw) => target.extend(*raw),
            Query::Quote { is_escaped } => {
                target.extend(if *is_escaped { &b"q=%27"[..] } else { b"q='" });
            }
            Query::Hash { of_body, edits } => {
                let hash = Sha256::digest(if *of_body { &body[..] } else { b"other" });
                let mut hash = hex(&hash).into_bytes();
                edit(&mut hash, edits);
                target.extend(b"bodySHA256=");
                target.extend(hash);
            }
        }
    }
    let method = [Method::POST, Method::GET, Method::PUT, Method::HEAD];
    let method = method[usize::from(message.method) % 4].clone();
    let mut request = head(method, &target)?;
    let media_type = TYPES[usize::from(message.media_type) % TYPES.len()];
    if !media_type.is_empty() {
        add(&mut request, "content-type", media_type.as_bytes())?;
    }
    Some((request, body))
}

fn target(at: usize, request: &Parts) -> Option<String> {
    if at == FIXED {
        return Some(FIXED_TARGET.to_owned());
    }
    request.uri.path_and_query().map(|target| target.as_str().to_owned())
}

/// Every form of the URL that may have been signed.
fn url_forms(at: usize, request: &Parts) -> Option<Vec<Vec<u8>>> {
    let Place { scheme, user, host, port, other_port } = PLACES[at];
    let target = target(at, request)?;
    let mut targets = vec![target.clone()];
    if let (1 | FIXED, Some((path, query))) = (at, target.split_once('?')) {
        if query.contains('\'') {
            targets.push(format!("{path}?{}", query.replace('\'', "%27")));
        } else if query.contains("%27") {
            targets.push(format!("{path}?{}", query.replace("%27", "'")));
        }
    }
    if at == 2 {
        let (path, query) = match target.find('?') {
            Some(at) => target.split_at(at),
            None => (&target[..], ""),
        };
        targets.push(format!("{path}/{query}"));
    }
    let users = if user.is_empty() { vec![""] } else { vec![user, ""] };
    let mut forms = Vec::new();
    for target in &targets {
        for user in &users {
            for port in [port, other_port] {
                forms.push(format!("{scheme}{user}{host}{port}{target}").into_bytes());
            }
        }
    }
    Some(forms)
}

/// Every text that may have been signed; `None` where the body is not covered by any.
fn canonical(at: usize, request: &Parts, body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let forms = url_forms(at, request)?;
    let media_type =
        request.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    let media_type = trimmed(media_type.split(';').next()?.as_bytes()).to_ascii_lowercase();
    let has_parameters = media_type == FORM.as_bytes()
        && !matches!(request.method, Method::GET | Method::HEAD)
        && !body.is_empty();
    if !has_parameters {
        let target = target(at, request)?;
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let hashes: Vec<_> =
            query.split('&').filter_map(|part| part.strip_prefix("bodySHA256=")).collect();
        let is_alone = body.is_empty() && request.method == Method::GET;
        let is_covered = match hashes.first() {
            _ if is_alone => true,
            None => body.is_empty(),
            Some(hash) => {
                hashes.iter().all(|other| other.eq_ignore_ascii_case(hash))
                    && hash.eq_ignore_ascii_case(&hex(&Sha256::digest(body)))
            }
        };
        return is_covered.then_some(forms);
    }
    let decode = |text: &[u8]| -> Vec<u8> {
        let text: Vec<u8> =
            text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&text).collect()
    };
    let mut pairs = BTreeSet::new();
    for piece in body.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        let mut parts = piece.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next()?, parts.next().unwrap_or_default());
        pairs.insert((decode(name), decode(value)));
    }
    let is_known = |name: &[u8]| at != 0 || KNOWN.iter().any(|known| known.as_bytes() == name);
    let tail: Vec<u8> =
        pairs.iter().flat_map(|(name, value)| [&name[..], value].concat()).collect();
    // A blank pair would let a form go with the signature of another.
    let is_blank = |pair: &(Vec<u8>, Vec<u8>)| pair.0.is_empty() && pair.1.is_empty();
    let is_covered =
        !tail.is_empty() && pairs.iter().all(|pair| is_known(&pair.0) && !is_blank(pair));
    is_covered.then(|| forms.into_iter().map(|form| [form, tail.clone()].concat()).collect())
}
