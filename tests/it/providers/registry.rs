//! Providers by name: the catalogue, its aliases, and what each is configured with.

use std::collections::BTreeMap;

use http::Request;
use serde::Deserialize;
use tower_webhook::{
    ConfigError, PublicUrl, RejectionKind, Secret,
    providers::{self, CredentialKind},
};

use crate::support::{ByNameAtTime, at, head_of, verify};

const NOW: u64 = 1_700_000_000;

/// Ids that must be found, as data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    /// Providers that can be declared, with data only or with one thing more.
    declarable: Vec<String>,
    gateway: Gateway,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gateway {
    source: String,
    ids: Vec<String>,
    not_yet: Vec<String>,
}

impl Catalogue {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../data/catalogue.json")).unwrap()
    }
}

/// Those that are there with the feature `asymmetric`.
pub(crate) const ASYMMETRIC: [&str; 21] = [
    "bridge",
    "circle",
    "discord",
    "ebay",
    "fal_ai",
    "freshchat",
    "gemini",
    "github_copilot",
    "github_secret_scanning",
    "highlevel",
    "integrated_finance",
    "postal",
    "sendgrid",
    "shipstation",
    "standard_webhooks_v1a",
    "telnyx",
    "token_io",
    "turnkey",
    "wechat_pay",
    "wise",
    "wix",
];

/// Those that are there with the feature `jwt`.
const JWT: [&str; 9] = [
    "atlassian_connect",
    "fusionauth",
    "livekit",
    "messagebird",
    "monday",
    "netlify",
    "upstash",
    "vonage",
    "wix",
];

/// Those that are there with the feature `md5`.
const MD5: [&str; 2] = ["vonage_sms", "vonage_sms_hmac_md5"];

/// Those that are there with the feature `xml`.
const XML: [&str; 2] = ["wechat", "wecom"];

/// Returns the feature that a provider needs and this build does not have.
fn missing_feature(id: &str) -> Option<&'static str> {
    let needs = [
        ("asymmetric", cfg!(feature = "asymmetric"), &ASYMMETRIC[..]),
        ("jwt", cfg!(feature = "jwt"), &JWT[..]),
        ("md5", cfg!(feature = "md5"), &MD5[..]),
        ("xml", cfg!(feature = "xml"), &XML[..]),
    ];
    let is_missing = |(_, is_on, ids): &&(&str, bool, &[&str])| !is_on && ids.contains(&id);
    needs.iter().find(is_missing).map(|(feature, ..)| *feature)
}

pub(crate) fn is_built(id: &str) -> bool {
    missing_feature(id).is_none()
}

#[test]
fn every_id_of_the_catalogue_is_found() {
    let catalogue = Catalogue::read();
    assert_eq!(catalogue.declarable.len(), 143);
    let missing: Vec<_> = catalogue
        .declarable
        .iter()
        .chain(&catalogue.gateway.ids)
        .filter(|id| is_built(id) && providers::by_name(id).is_err())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let all = providers::all().count();
    eprintln!("{all} providers; {} ids of the catalogue", catalogue.declarable.len());
    for id in ASYMMETRIC.into_iter().chain(JWT).chain(MD5).chain(XML) {
        match (providers::by_name(id), missing_feature(id)) {
            (Ok(_), missing) => assert_eq!(missing, None, "{id}"),
            (Err(unknown), missing) => {
                let needs = format!("needs the feature `{}`", missing.expect(id));
                assert!(unknown.to_string().ends_with(&needs), "{id}");
            }
        }
    }
    #[cfg(feature = "asymmetric")]
    for provider in providers::all() {
        let has_key = provider.credential_kind() == CredentialKind::PublicKey;
        assert_eq!(ASYMMETRIC.contains(&provider.name()), has_key, "{provider:?}");
    }
}

#[test]
fn every_id_of_the_gateway_is_accounted_for() {
    let Gateway { source, ids, not_yet } = Catalogue::read().gateway;
    assert_eq!((ids.len(), not_yet.len()), (66, 3), "{source}");
    // One that has come in the meantime belongs into the other list.
    for id in not_yet {
        assert!(providers::by_name(&id).is_err(), "{id}");
    }
}

#[test]
fn names_are_found_and_near_ones_are_named() {
    let names: Vec<_> = providers::all().map(|provider| provider.name()).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "each name stands once");
    for &name in &names {
        assert_eq!(providers::by_name(name).unwrap().name(), name);
    }
    let mut aliases = BTreeMap::new();
    for provider in providers::all() {
        for alias in provider.aliases() {
            let alias = alias.to_lowercase().replace(' ', "_");
            assert!(!names.contains(&&*alias), "{alias}");
            assert_eq!(providers::by_name(&alias).unwrap().type_name(), provider.type_name());
            let other = aliases.insert(alias.clone(), provider.type_name());
            assert!(other.is_none_or(|other| other == provider.type_name()), "{alias}: {other:?}");
        }
    }
    assert!(aliases.len() >= 19, "{aliases:?}");
    for (alias, name) in [
        ("whatsapp", "meta"),
        ("facebook_graph_api", "meta"),
        ("coinbase", "coinbase_commerce"),
        ("svix", "standard_webhooks"),
        ("x", "twitter"),
    ] {
        assert_eq!(providers::by_name(alias).unwrap().name(), name);
    }
    for (name, near) in [("strpe", "stripe"), ("Stripe", "stripe"), ("shopfy", "shopify")] {
        let unknown = providers::by_name(name).unwrap_err();
        assert_eq!(unknown.near()[0], near, "{unknown}");
    }
    let unknown = providers::by_name("strpe").unwrap_err().to_string();
    assert!(unknown.starts_with("unknown provider `strpe`; did you mean `stripe`"), "{unknown}");
    assert!(unknown.ends_with('?'), "{unknown}");
    // A quarter of the letters and one more may differ.
    for (name, is_near) in
        [("strp", true), ("xxstripe", true), ("str", false), ("xxxstripe", false)]
    {
        let unknown = providers::by_name(name).unwrap_err();
        assert_eq!(unknown.near().contains(&"stripe".to_owned()), is_near, "{unknown}");
    }
    // Nor is a name near into which most letters would have to be put.
    assert!(providers::by_name("qzj").unwrap_err().near().is_empty());
    let unknown = providers::by_name("\n<nothing like it>").unwrap_err();
    assert_eq!(unknown.to_string(), r"unknown provider `\n<nothing like it>`");
}

/// By the text that a configuration would hold.
fn by_text(name: &str, text: &str) -> Result<providers::BoxVerifier, ConfigError> {
    let url = PublicUrl::base("https://example.com")?;
    let provider = providers::by_name(name).unwrap();
    provider.verifier_at_time(Secret::new(text)?, Some(url), at(NOW))
}

#[test]
fn a_pair_is_split_at_its_first_colon() {
    for (name, text, header, value) in [
        (
            "basic_auth",
            "Aladdin:open sesame",
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        // RFC 7617: the user has no colon, the password may.
        ("mailjet", "user:pass:word", "authorization", "Basic dXNlcjpwYXNzOndvcmQ="),
        ("shared_token", "X-Own-Header:to:ken", "x-own-header", "to:ken"),
        ("datadog", "x-datadog-token:token", "X-Datadog-Token", "token"),
    ] {
        let request = Request::post("/").header(header, value).body(()).unwrap();
        let verifier = by_text(name, text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let verified = verify(&verifier, &head_of(request), &"".into());
        assert_eq!(verified.unwrap().provider(), name);
        let request = Request::post("/").header(header, "another").body(()).unwrap();
        assert!(verify(&verifier, &head_of(request), &"".into()).is_err(), "{name}");
    }
    // The vector of `vectors.json`, with the key's id before the secret.
    let tag = crate::support::hmac_sha256("s3cret", b"{}");
    for (id, kind) in [("k1", None), ("k2", Some(RejectionKind::SignatureMismatch))] {
        let request = Request::post("/").header("x-pusher-key", id);
        let head = head_of(request.header("x-pusher-signature", &tag).body(()).unwrap());
        let refused = verify(&by_text("pusher", "k1:s3cret").unwrap(), &head, &"{}".into()).err();
        assert_eq!(refused.map(|why| why.kind()), kind, "{id}");
    }
}

#[test]
fn malformed_credential_error_names_expected_form() {
    for provider in providers::all() {
        let (name, needs) = (provider.name(), provider.credential_kind());
        let form = match needs {
            CredentialKind::Secret => continue,
            CredentialKind::PublicKey => "public key",
            CredentialKind::KeyIdAndSecret => "`key id:secret`",
            CredentialKind::HeaderAndToken => "`x-header:token`",
            CredentialKind::UserAndPassword => "`user:password`",
            _ => panic!("{name}: {needs}"),
        };
        assert!(needs.to_string().contains(form), "{needs}");
        let mut bad = vec!["canary", ":canary", " :canary"];
        if needs == CredentialKind::HeaderAndToken {
            bad.push("x token:canary");
        }
        for text in bad {
            let secret = Secret::from_bytes(text).unwrap();
            let error = provider.verifier(secret).expect_err(name).to_string();
            assert!(error.contains(form) && !error.contains("canary"), "{name}: {error}");
        }
        if needs != CredentialKind::PublicKey {
            // The second part is a secret like any other.
            for (text, expected) in [
                ("x:", ConfigError::SecretEmpty),
                ("x: canary", ConfigError::SecretInWhitespace),
                ("x:changeme", ConfigError::SecretPlaceholder),
            ] {
                let secret = Secret::new(text).unwrap();
                assert_eq!(provider.verifier(secret).unwrap_err(), expected, "{name}: {text}");
            }
        }
    }
}

/// Whoever knows it could sign.
#[test]
fn a_public_key_is_no_secret() {
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----";
    for provider in
        providers::all().filter(|provider| provider.credential_kind() != CredentialKind::PublicKey)
    {
        for text in [PEM, "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="] {
            let url = PublicUrl::base("https://example.com").unwrap();
            let error = provider.verifier_at(Secret::new(text).unwrap(), url).unwrap_err();
            assert_eq!(error, ConfigError::SecretIsPublicKey, "{}", provider.name());
        }
    }
}

#[cfg(feature = "asymmetric")]
#[test]
fn public_key_is_parsed_in_every_provider_form() {
    use tower_webhook::PublicKey;
    const HEX: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    const BASE64: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let spki = format!("MCowBQYDK2VwAyEA{BASE64}");
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
    for text in [HEX, &HEX.to_uppercase(), BASE64, &format!("whpk_{BASE64}"), &spki, &pem] {
        text.parse::<PublicKey>().unwrap_or_else(|why| panic!("{text}: {why}"));
        for name in ["discord", "telnyx", "standard_webhooks_v1a"] {
            assert!(by_text(name, text.trim()).is_ok(), "{name}: {text}");
        }
        // Of another algorithm.
        assert!(by_text("sendgrid", text.trim()).is_err() && by_text("wise", text.trim()).is_err());
    }
    for text in ["", "whpk_", "-----BEGIN", &HEX[1..], &HEX[2..], &format!("{HEX}00"), "s3cret"] {
        assert!(text.parse::<PublicKey>().is_err(), "{text}");
    }
}

#[test]
fn only_those_that_sign_the_url_need_one() {
    let needing: Vec<_> = providers::all().filter(|p| p.needs_url()).map(|p| p.name()).collect();
    let jwt = |names: &'static [&'static str]| if cfg!(feature = "jwt") { names } else { &[] };
    let expected = [
        &["bird", "square", "trello", "contentful", "hubspot", "mandrill"][..],
        jwt(&["messagebird", "monday"]),
        &["plivo", "twilio"],
        jwt(&["upstash"]),
    ];
    assert_eq!(needing, expected.concat());
    for provider in
        providers::all().filter(|provider| provider.credential_kind() == CredentialKind::Secret)
    {
        // A text that every key rule can read.
        let made = provider.verifier(Secret::new("616263646566").unwrap());
        let is_missing = matches!(made, Err(ConfigError::UrlMissing));
        assert_eq!(is_missing, provider.needs_url(), "{}: {made:?}", provider.name());
        assert!(is_missing || made.is_ok(), "{}", provider.name());
    }
}
