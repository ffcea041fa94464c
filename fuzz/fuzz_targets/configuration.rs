//! A provider's name and credentials, as they stand in a configuration: nothing panics, no message
//! shows the credentials, and a verifier that was built takes what its own scheme signs and nothing
//! else.

#![no_main]

use std::{collections::HashMap, sync::LazyLock};

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    PublicUrl, Secret,
    providers::{self, CredentialKind, Provider},
    sign::signed,
};
use tower_webhook_fuzz::{NOW, at, verify};

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| providers::all().collect());
static URL: LazyLock<PublicUrl> = LazyLock::new(|| PublicUrl::base("https://example.com").unwrap());
static NAMES: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
    PROVIDERS.iter().enumerate().map(|(at, provider)| (provider.name(), at)).collect()
});

const BODY: &str = r#"{"id":"evt_1","webhookTimestamp":1700000000000}"#;
const CANARY: &str = "c4n4ry";
const PREFIXES: [&str; 8] =
    ["", "whsec_", "whpk_", "user:", "x-token:", ":", "-----BEGIN PUBLIC KEY-----\n", "key.1:"];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: Result<u8, &'a str>,
    prefix: u8,
    text: Text<'a>,
    has_url: bool,
}

#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Plain(&'a str),
    Canary(&'a str, &'a str),
    Bytes(&'a [u8]),
    Base64(&'a [u8]),
}

fuzz_target!(|input: Input<'_>| {
    let provider = match input.provider {
        Ok(which) => PROVIDERS[usize::from(which) % PROVIDERS.len()],
        Err(name) => match providers::by_name(name) {
            Ok(provider) => provider,
            Err(error) => {
                assert!(!NAMES.contains_key(name) && error.near().len() <= 3, "{name:?}");
                assert!(!error.to_string().contains(char::is_control), "{error}");
                return;
            }
        },
    };
    let prefix = PREFIXES[usize::from(input.prefix) % PREFIXES.len()];
    let (text, secret) = match input.text {
        Text::Plain(text) => {
            let text = format!("{prefix}{text}");
            (text.clone().into_bytes(), Secret::new(text))
        }
        Text::Canary(before, after) => {
            let text = format!("{prefix}{before}{CANARY}{after}");
            (text.clone().into_bytes(), Secret::new(text))
        }
        Text::Base64(bytes) => {
            let text = format!("{prefix}{}", BASE64.encode(bytes));
            (text.clone().into_bytes(), Secret::new(text))
        }
        Text::Bytes(bytes) => {
            let bytes = [prefix.as_bytes(), bytes].concat();
            (bytes.clone(), Secret::from_bytes(bytes))
        }
    };
    let Ok(secret) = secret else { return };
    let url = input.has_url.then(|| URL.clone());
    let built = match url {
        Some(url) => provider.verifier_at(secret.clone(), url),
        None => provider.verifier(secret.clone()),
    };

    let shown =
        format!("{built:?} {}", built.as_ref().err().map_or(String::new(), |e| e.to_string()));
    assert!(!shown.contains(CANARY), "{provider:?}: {shown}");
    if let Ok(verifier) = &built {
        let colon = text.iter().position(|byte| *byte == b':');
        let name = colon.map(|at| &text[..at]);
        let has_both = name.is_some_and(|name| !name.is_empty() && name.len() + 1 < text.len());
        match provider.credential_kind() {
            CredentialKind::Secret => assert!(!text.starts_with(b"whpk_")),
            CredentialKind::HeaderAndToken => {
                assert!(has_both && HeaderName::from_bytes(name.unwrap()).is_ok())
            }
            CredentialKind::KeyIdAndSecret | CredentialKind::UserAndPassword => assert!(has_both),
            _ => {}
        }
        assert!(input.has_url || !provider.needs_url());
        basic(provider, verifier, &text);
    }
    let Some(scheme) = provider.scheme() else { return };
    let Ok(signer) = scheme.verifier_at(secret, URL.clone()) else {
        assert!(built.is_err(), "{provider:?}");
        return;
    };
    let is_public = text.starts_with(b"whpk_") || text.starts_with(b"-----BEGIN PUBLIC KEY-----");
    let Ok(verifier) = built else {
        assert!(is_public || provider.needs_url() && !input.has_url, "{provider:?} {built:?}");
        return;
    };
    let request = Request::post("/hook").body(BODY).unwrap();
    let (head, body) = signed(&signer, request, at(NOW)()).unwrap().into_parts();
    let is_accepted = |body: &Bytes| verify(&verifier, &head, body).is_ok();
    assert!(is_accepted(&body), "{provider:?}");
    let other = Bytes::from(r#"{"id":"evt_2","webhookTimestamp":1700000000000}"#);
    assert!(!is_accepted(&other), "{provider:?}");
});

/// A user and password are those that others write into the header.
fn basic(provider: Provider, verifier: &providers::BoxVerifier, text: &[u8]) {
    if provider.credential_kind() != CredentialKind::UserAndPassword {
        return;
    }
    let verdict = |text: &[u8]| {
        let value = format!("Basic {}", BASE64.encode(text));
        let mut request = Request::post("/").body(()).unwrap();
        request.headers_mut().insert("authorization", HeaderValue::try_from(value).unwrap());
        verify(verifier, &request.into_parts().0, &Bytes::new()).is_ok()
    };
    assert!(verdict(text), "{provider:?} {}", BASE64_NOPAD.encode(text));
    assert!(!verdict(&[text, b"x"].concat()), "{provider:?}");
}
