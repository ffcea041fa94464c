//! Every provider: a request that nobody with the configured secret has signed is never proven, and
//! no explanation panics, takes longer than it may, or shows the secret.

#![no_main]

use std::{sync::LazyLock, time::Duration};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    PublicUrl, Secret,
    explain::{Effort, Explainer},
    providers::{self, BoxVerifier, CredentialKind},
    sign::{Sign, Signing},
};
use tower_webhook_fuzz::{Edit, KEYS, NOW, add, at, edit, head};

struct Provider {
    name: &'static str,
    ours: BoxVerifier,
    /// With a secret that is not configured.
    foreign: BoxVerifier,
}

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    let all = providers::all().filter_map(|provider| {
        let build = |key: &str| {
            let secret = match provider.credential_kind() {
                CredentialKind::Secret => Secret::from_bytes(key),
                CredentialKind::HeaderAndToken => Secret::new(format!("x-token:{key}")),
                CredentialKind::KeyIdAndSecret | CredentialKind::UserAndPassword => {
                    Secret::new(format!("name:{key}"))
                }
                // There is no private key to sign with.
                _ => return None,
            };
            let url = PublicUrl::base("https://example.com/base").unwrap();
            provider.verifier_at(secret.unwrap(), url).ok()
        };
        Some(Provider { name: provider.name(), ours: build(KEYS[0])?, foreign: build(KEYS[2])? })
    });
    all.collect()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: u8,
    is_ours: bool,
    late: u16,
    uri: &'a [u8],
    body: &'a [u8],
    changes: Vec<Change<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Change<'a> {
    Body(Vec<Edit>),
    Value(u8, Vec<Edit>),
    Rename(u8, u8),
    Remove(u8),
    Add(u8, &'a [u8]),
}

/// Headers that an explanation looks at.
const NAMES: [&str; 12] = [
    "content-digest",
    "content-encoding",
    "content-length",
    "content-type",
    "forwarded",
    "host",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-hub-signature",
    "x-original-uri",
    "x_signature",
];

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let all = &*PROVIDERS;
    let provider = &all[usize::from(input.provider) % all.len()];
    let mut request = head(Method::POST, &[b"/", input.uri].concat())?;
    let signer = if input.is_ours { &provider.ours } else { &provider.foreign };
    let mut body = input.body.to_vec();
    // A token in the URL is not there, and some bodies cannot be signed.
    if let Ok(Some(signed)) = signer.sign(&mut request, &body, &Signing::at(at(NOW)())) {
        body = signed.to_vec();
    }
    for change in input.changes.iter().take(6) {
        let names: Vec<HeaderName> = request.headers.keys().cloned().collect();
        let name = |which: u8| names.get(usize::from(which) % names.len().max(1)).cloned();
        let known = |which: u8| NAMES[usize::from(which) % NAMES.len()];
        match change {
            Change::Body(edits) => edit(&mut body, edits),
            Change::Value(which, edits) => {
                let name = name(*which)?;
                let mut value = request.headers.get(&name)?.as_bytes().to_vec();
                edit(&mut value, edits);
                request.headers.insert(name, HeaderValue::from_bytes(&value).ok()?);
            }
            Change::Rename(which, to) => {
                let value = request.headers.remove(name(*which)?)?;
                request.headers.insert(known(*to), value);
            }
            Change::Remove(which) => drop(request.headers.remove(name(*which)?)),
            Change::Add(which, value) => add(&mut request, known(*which), value)?,
        }
    }
    // Time is not what bounds a search here.
    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::from_secs(60);
    let time = NOW + u64::from(input.late);
    let explainer = Explainer::new().clock(at(time)).effort(effort);
    let explanation = explainer.explain(&provider.ours, &request, &Bytes::from(body));
    assert!(explanation.tried() <= effort.max_variants + 1, "{}", explanation.tried());
    assert!(explanation.hashed() <= effort.max_hashed, "{}", explanation.hashed());
    let text = format!("{explanation} {explanation:?}");
    assert!(!text.contains(KEYS[0]), "{}: {text}", provider.name);
    if !input.is_ours {
        assert!(explanation.rejection().is_some(), "{}", provider.name);
        assert_eq!(explanation.proven(), None, "{}: {text}", provider.name);
    }
    Some(())
}
