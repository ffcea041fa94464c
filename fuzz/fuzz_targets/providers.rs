//! Every provider: a request that it signed is accepted, and one that was changed on its way is
//! not.

#![no_main]

use std::{sync::LazyLock, time::Duration};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, request::Parts};
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    Context, PublicUrl, Rejection, Secret, Verifier,
    providers::{
        self, Ably, BoxVerifier, GitLab, Meta, Persona, Pusher, Slack, StandardWebhooks, Twilio,
        WebSub, WebexContactCenter, Worldline, Worldpay, Wsapi,
    },
    sign::{Sign, Signing},
};
use tower_webhook_fuzz::{Edit, KEYS, NOW, add, at, edit, head, hex, trimmed};

struct Provider {
    name: &'static str,
    verifier: BoxVerifier,
}

fn provider<V>(name: &'static str, verifier: V) -> Provider
where
    V: Sign,
{
    Provider { name, verifier: BoxVerifier::signing(verifier) }
}

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    // Key bytes, which every key rule leaves alone.
    let key = || Secret::from_bytes(KEYS[0]).unwrap();
    let url = || PublicUrl::base("https://example.com").unwrap();
    let mut all: Vec<_> = providers::all()
        .filter_map(|declared| {
            let verifier = declared.scheme()?.verifier_at(key(), url()).unwrap();
            Some(provider(declared.name(), verifier))
        })
        .collect();
    all.extend([
        provider("ably", Ably::new("key-1", key()).unwrap()),
        provider("gitlab", GitLab::signed(key()).unwrap()),
        provider("meta", Meta::new(key()).unwrap()),
        provider("persona", Persona::new(key()).unwrap()),
        provider("pusher", Pusher::new("key-1", key()).unwrap()),
        provider("slack", Slack::new(key()).unwrap()),
        provider("standard_webhooks", StandardWebhooks::new(key()).unwrap()),
        provider("twilio", Twilio::new(key(), url()).unwrap()),
        provider("webex_contact_center", WebexContactCenter::new(key()).unwrap()),
        provider("websub", WebSub::new(key()).unwrap()),
        provider("worldline", Worldline::new("key-1", key()).unwrap()),
        provider("worldpay", Worldpay::new("key-1", key()).unwrap()),
        provider("wsapi", Wsapi::new(key()).unwrap()),
    ]);
    all
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: u8,
    late: u8,
    body: &'a [u8],
    has_time: bool,
    is_form: bool,
    cuts: u8,
    changes: Vec<Change<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Change<'a> {
    Body(Vec<Edit>),
    Value(u8, Vec<Edit>),
    Replace(u8, &'a [u8]),
    Remove(u8),
    Repeat(u8, &'a [u8]),
    Foreign(u8),
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let all = &*PROVIDERS;
    let provider = &all[usize::from(input.provider) % all.len()];
    let body = if input.has_time {
        let time = NOW * 1000;
        let json = format!(r#"{{"webhookTimestamp":{time},"id":"{}"}}"#, hex(input.body));
        json.into_bytes()
    } else {
        input.body.to_vec()
    };
    let mut request = head(Method::POST, b"/hook")?;
    if input.is_form {
        add(&mut request, "content-type", b"application/x-www-form-urlencoded")?;
    }
    let before = request.headers.clone();
    // The shortest tolerance is five seconds.
    let time = at(NOW - 5)() + Duration::from_secs(u64::from(input.late % 11));
    provider.verifier.sign(&mut request, &body, &Signing::at(time)).ok()?;
    let signed: Vec<(HeaderName, HeaderValue)> = request
        .headers
        .iter()
        .filter(|(name, _)| !before.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // The target `places` changes signatures in the query.
    assert!(!signed.is_empty() || provider.name == "pandadoc", "{}", provider.name);
    if signed.is_empty() {
        return None;
    }
    let genuine = verdict(provider, &request, &body, input.cuts);
    if genuine.is_err() {
        // A time in the body that is not there, a body that is a challenge's answer, or one that
        // no form covers.
        let is_known = matches!(provider.name, "twitter" | "twilio") || !input.has_time;
        assert!(is_known, "{} {genuine:?}", provider.name);
        return None;
    }

    let mut changed = body.clone();
    for change in input.changes.iter().take(4) {
        let name = |which: u8| signed[usize::from(which) % signed.len()].0.clone();
        match change {
            Change::Body(edits) => edit(&mut changed, edits),
            Change::Value(which, edits) => {
                let name = name(*which);
                let mut value = request.headers.get(&name)?.as_bytes().to_vec();
                edit(&mut value, edits);
                request.headers.insert(name, HeaderValue::from_bytes(&value).ok()?);
            }
            Change::Replace(which, value) => {
                request.headers.insert(name(*which), HeaderValue::from_bytes(value).ok()?);
            }
            Change::Remove(which) => drop(request.headers.remove(name(*which))),
            Change::Repeat(which, value) => {
                request.headers.append(name(*which), HeaderValue::from_bytes(value).ok()?);
            }
            // What is not signed changes nothing.
            Change::Foreign(value) => {
                request.headers.append("x-fuzz", u16::from(*value).into());
            }
        }
    }
    let found = verdict(provider, &request, &changed, input.cuts.rotate_left(3));
    let is_same_body = changed == body || (provider.name == "twilio" && input.is_form);
    let is_same_head = signed.iter().all(|(name, value)| {
        let mut found = request.headers.get_all(name).iter();
        found.next().is_some_and(|found| trimmed(found.as_bytes()) == trimmed(value.as_bytes()))
            && found.next().is_none()
    });
    if is_same_head && changed == body {
        assert!(found.is_ok(), "{} {found:?}", provider.name);
    }
    let Ok(()) = found else { return None };
    // Its signature may stand in any of several lines.
    if provider.name == "mollie" {
        assert!(is_same_body, "another body");
        return None;
    }
    assert!(is_same_body, "{}: another body", provider.name);
    for (name, value) in &signed {
        let mut values = request.headers.get_all(name).iter();
        let (now, more) = (values.next(), values.next());
        let now = now.map(HeaderValue::as_bytes).unwrap_or_default();
        match tag(value.as_bytes()) {
            // The tag itself is there still, in either case if it is hexadecimal; a list may hold
            // others beside it.
            Some(tag) => {
                assert!(more.is_none(), "{}: {name} twice", provider.name);
                let is_there = now.windows(tag.len()).any(|window| {
                    let is_hex = tag.iter().all(u8::is_ascii_hexdigit);
                    window == tag || is_hex && window.eq_ignore_ascii_case(tag)
                });
                assert!(is_there, "{}: {name} {now:?}", provider.name);
            }
            None => {
                assert!(more.is_none(), "{}: {name} twice", provider.name);
                assert_eq!(trimmed(now), trimmed(value.as_bytes()), "{}: {name}", provider.name);
            }
        }
    }
    Some(())
}

/// The longest run that could be a tag.
fn tag(value: &[u8]) -> Option<&[u8]> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let runs = value.split(|byte| !is_part(byte));
    let run = runs.max_by_key(|run| run.len()).filter(|run| run.len() >= 26)?;
    // Worldpay writes the key's id and the algorithm before it.
    let last = run.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_hex = last.len() >= 26 && last.iter().all(u8::is_ascii_hexdigit);
    Some(if is_hex { last } else { run })
}

fn verdict(provider: &Provider, head: &Parts, body: &[u8], cuts: u8) -> Result<(), Rejection> {
    let verifier = &provider.verifier;
    let clock = at(NOW).into();
    let request = Context::new(head).at(&clock);
    let mut state = verifier.begin(&request)?;
    for chunk in body.chunks(1 + usize::from(cuts)) {
        verifier.update(&mut state, chunk);
    }
    verifier.finish(&mut state, &request, &Bytes::copy_from_slice(body)).map(drop)
}
