//! Every declared provider of the catalogue, through the same trials: signed as its sender signs,
//! and then spoiled in every way that a sender could.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, request::Parts};
use proptest::prelude::*;
use tower_webhook::{
    PublicUrl, RejectionKind, Scheme, Secret, SignatureLayer, Verifier,
    providers::{self, AnyVerifier, Provider},
    scheme::SchemeVerifier,
    sign::{Sign, signed},
    verify,
};

use crate::support::{Script, assert_refused, hex, send};

const NOW: u64 = 1_700_000_000;
const URL: &str = "https://example.com/hook";
/// With every field that a provider signs a time in.
const BODY: &str = r#"{"id":"evt_1","webhookTimestamp":1700000000000,"note":"caf\u00e9"}"#;
const KEY: &[u8] = b"a key of 32 bytes for the tests!";

fn secret(key: &[u8]) -> Secret {
    // Key bytes, which every key rule leaves alone.
    Secret::from_bytes(key).unwrap()
}

fn at(unix: u64) -> impl Fn() -> SystemTime + Send + Sync + 'static {
    move || UNIX_EPOCH + Duration::from_secs(unix)
}

fn verifier(scheme: &Scheme, key: &[u8]) -> SchemeVerifier {
    let url = PublicUrl::fixed(URL).unwrap();
    scheme.verifier_at(secret(key), url).unwrap().clock(at(NOW))
}

fn declared() -> impl Iterator<Item = (Provider, &'static Scheme)> {
    providers::all().filter_map(|provider| Some((provider, provider.scheme()?)))
}

fn genuine(signer: &impl Sign) -> Request<Bytes> {
    let request = Request::post("/hook").body(Bytes::from(BODY)).unwrap();
    signed(signer, request, at(NOW)()).unwrap()
}

fn split(request: Request<Bytes>) -> (Parts, Bytes) {
    request.into_parts()
}

fn is_accepted(verifier: &impl Verifier, head: &Parts, body: &Bytes) -> bool {
    match verify(verifier, head, body) {
        Ok(_) => true,
        Err(rejection) => {
            assert!(rejection.kind().is_verdict(), "{rejection}");
            false
        }
    }
}

/// The headers that a genuine request carries, all of which matter.
fn headers(head: &Parts) -> Vec<(HeaderName, Vec<u8>)> {
    head.headers.iter().map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect()
}

#[test]
fn what_a_provider_signs_is_accepted_by_its_verifier_and_by_its_name() {
    let mut count = 0;
    for (provider, scheme) in declared() {
        let name = provider.name();
        let own = verifier(scheme, KEY);
        let (head, body) = split(genuine(&own));
        let proof = verify(&own, &head, &body).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!((proof.provider(), proof.key_index()), (name, 0));
        assert!(proof.replay_key().is_some(), "{name}");

        let url = PublicUrl::fixed(URL).ok();
        let any = provider.verifier_with_clock(secret(KEY), url, at(NOW)).unwrap();
        assert!(is_accepted(&any, &head, &body), "{name}");
        count += 1;
    }
    assert!(count >= 110, "{count}");
}

#[test]
fn every_bit_of_what_is_signed_counts() {
    for (provider, scheme) in declared() {
        let name = provider.name();
        let own = verifier(scheme, KEY);
        let (head, body) = split(genuine(&own));
        for at in 0..body.len() {
            let mut flipped = body.to_vec();
            flipped[at] ^= 1 << (at % 8);
            assert!(!is_accepted(&own, &head, &flipped.into()), "{name}: body byte {at}");
        }
        for other in [&body[1..], &body[..body.len() - 1], b""] {
            let other = Bytes::copy_from_slice(other);
            assert!(!is_accepted(&own, &head, &other), "{name}: body cut");
        }
        for (header, value) in headers(&head) {
            for at in 0..value.len() {
                for bit in 0..8 {
                    let mut flipped = value.clone();
                    flipped[at] ^= 1 << bit;
                    // The two cases of a hex digit, or of an authorization scheme, are one.
                    let is_same = flipped.eq_ignore_ascii_case(&value) && !is_base64(scheme);
                    let is_scheme = header == "authorization" && at < 4;
                    let Ok(flipped) = HeaderValue::from_bytes(&flipped) else { continue };
                    let mut head = head.clone();
                    head.headers.insert(&header, flipped);
                    let accepted = is_accepted(&own, &head, &body);
                    let may_be = is_same || is_scheme;
                    assert!(!accepted || may_be, "{name}: {header}, byte {at}, bit {bit}");
                }
            }
        }
    }
}

fn is_base64(scheme: &Scheme) -> bool {
    !format!("{scheme:?}").contains("encoding: Hex")
}

#[test]
fn every_header_must_be_there_once_and_whole() {
    for (provider, scheme) in declared() {
        let name = provider.name();
        let own = verifier(scheme, KEY);
        let (head, body) = split(genuine(&own));
        for (header, value) in headers(&head) {
            let long = [&value[..], &vec![b'0'; 9 << 10]].concat();
            let prefixed = [b"x", &value[..]].concat();
            let extended = [&value[..], b"0"].concat();
            for (case, spoiled) in [
                ("dropped", None),
                ("emptied", Some(&b""[..])),
                ("blank", Some(&b" \t "[..])),
                ("cut", Some(&value[..value.len() - 1])),
                ("begun later", Some(&value[1..])),
                ("extended", Some(&extended[..])),
                ("prefixed", Some(&prefixed[..])),
                ("over-long", Some(&long[..])),
                ("not ASCII", Some(&b"\xff\xfe\x80"[..])),
            ] {
                let mut head = head.clone();
                head.headers.remove(&header);
                if let Some(spoiled) = spoiled {
                    head.headers.insert(&header, HeaderValue::from_bytes(spoiled).unwrap());
                }
                assert!(!is_accepted(&own, &head, &body), "{name}: {header} {case}");
            }
            let mut head = head.clone();
            head.headers.append(&header, HeaderValue::from_bytes(&value).unwrap());
            let refused = verify(&own, &head, &body).unwrap_err();
            assert_eq!(refused.kind(), RejectionKind::Repeated, "{name}: {header}");
        }
    }
}

#[test]
fn times_are_bounded_on_both_sides() {
    let mut count = 0;
    for (provider, scheme) in declared() {
        let name = provider.name();
        let shown = format!("{scheme:?}");
        let Some((_, past)) = shown.split_once("past: ") else { continue };
        let tolerance: u64 = past.split_once('s').unwrap().0.parse().unwrap();
        let (head, body) = split(genuine(&verifier(scheme, KEY)));
        for (now, kind) in [
            (NOW + tolerance, None),
            (NOW - tolerance, None),
            (NOW + tolerance + 1, Some(RejectionKind::TimestampStale)),
            (NOW - tolerance - 1, Some(RejectionKind::TimestampInFuture)),
        ] {
            let refused = verify(&verifier(scheme, KEY).clock(at(now)), &head, &body).err();
            assert_eq!(refused.map(|why| why.kind()), kind, "{name}: {now}");
        }
        count += 1;
    }
    assert!(count >= 40, "{count}");
}

#[test]
fn a_second_secret_is_tried_and_another_one_is_not_enough() {
    for (provider, scheme) in declared() {
        let name = provider.name();
        let other = verifier(scheme, b"another key that nobody signs with");
        let (head, body) = split(genuine(&verifier(scheme, KEY)));
        let refused = verify(&other, &head, &body).unwrap_err();
        assert_eq!(refused.kind(), RejectionKind::SignatureMismatch, "{name}");
        let both = other.or_secret(secret(KEY)).unwrap();
        assert_eq!(verify(&both, &head, &body).unwrap().key_index(), 1, "{name}");
    }
}

#[tokio::test]
async fn the_layer_takes_any_provider_by_name_in_any_cut() {
    for (provider, scheme) in declared() {
        let name = provider.name();
        let url = PublicUrl::fixed(URL).ok();
        let any: AnyVerifier = provider.verifier_with_clock(secret(KEY), url, at(NOW)).unwrap();
        let layer = SignatureLayer::new(any);
        let request = genuine(&verifier(scheme, KEY));
        for cut in [1, 7, BODY.len()] {
            let chunks = BODY.as_bytes().chunks(cut).map(Bytes::from_static);
            let (head, _) = request.clone().into_parts();
            let request = Request::from_parts(head, Script::data(chunks.collect::<Vec<_>>()));
            let (response, inner) = send(&layer, request).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            assert_eq!(inner.only_call().verified().provider(), name);
        }
        let unsigned = Request::post("/hook").body(Script::untouchable()).unwrap();
        let answer = send(&layer, unsigned).await;
        if scheme.profile().status() == StatusCode::FORBIDDEN {
            assert_refused(name, RejectionKind::Missing, &answer);
        } else {
            assert_eq!(answer.0.status(), scheme.profile().status(), "{name}");
        }
    }
}

#[test]
fn nothing_shown_holds_the_key_or_the_tag() {
    let key = std::str::from_utf8(KEY).unwrap();
    for (provider, scheme) in declared() {
        let own = verifier(scheme, KEY);
        let (head, body) = split(genuine(&own));
        let state = own.begin(&head).unwrap();
        let proof = verify(&own, &head, &body).unwrap();
        let url = PublicUrl::fixed(URL).unwrap();
        let any = provider.verifier_at(secret(KEY), url).unwrap();
        let shown = format!("{own:?} {state:?} {any:?} {proof:?} {provider:?}");
        for canary in [key, &hex(KEY)] {
            assert!(!shown.contains(canary), "{shown}");
        }
        let signature = head.headers.values().map(|value| value.to_str().unwrap());
        let signature = signature.max_by_key(|value| value.len()).unwrap();
        let tag = signature.rsplit(['=', ',', ' ']).find(|part| part.len() > 20).unwrap();
        assert!(!shown.contains(tag), "{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No bytes in a header make a verifier panic or accept.
    #[test]
    fn junk_in_any_header_is_refused(junk in prop::collection::vec(any::<u8>(), 0..80)) {
        let Ok(junk) = HeaderValue::from_bytes(&junk) else { return Ok(()) };
        for (provider, scheme) in declared() {
            let own = verifier(scheme, KEY);
            let (head, body) = split(genuine(&own));
            for (header, _) in headers(&head) {
                let mut head = head.clone();
                head.headers.insert(&header, junk.clone());
                prop_assert!(!is_accepted(&own, &head, &body), "{}: {header}", provider.name());
            }
        }
    }
}

#[test]
fn names_are_found_and_near_ones_are_named() {
    let names: Vec<_> = providers::all().map(|provider| provider.name()).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "each name stands once");
    for name in names {
        assert_eq!(providers::by_name(name).unwrap().name(), name);
    }
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
    let unknown = providers::by_name("\n<nothing like it>").unwrap_err();
    assert_eq!(unknown.to_string(), r"there is no provider `\n<nothing like it>`");
}

#[tokio::test]
async fn tenants_of_different_providers_share_one_layer() {
    let layer = SignatureLayer::new(tower_webhook::make_verifier_fn(|head: &Parts| {
        let (_, name) = head.uri.path().rsplit_once('/').unwrap_or_default();
        let provider = providers::by_name(name).map_err(tower_webhook::Rejection::unavailable);
        async move { Ok(provider?.verifier_with_clock(secret(KEY), None, at(NOW))?.for_tenant("t")) }
    }));
    for name in ["github", "stripe", "slack", "zoom"] {
        let scheme = match name {
            "slack" => &providers::Slack::SCHEME,
            _ => providers::by_name(name).unwrap().scheme().unwrap(),
        };
        let (mut head, body) = genuine(&verifier(scheme, KEY)).into_parts();
        head.uri = format!("/hooks/{name}").parse().unwrap();
        let (response, inner) = send(&layer, Request::from_parts(head, Script::data([body]))).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let call = inner.only_call();
        assert_eq!((call.verified().provider(), call.verified().tenant()), (name, Some("t")));
    }
}

/// The levels of evidence, as the providers' pages state them.
#[test]
fn every_provider_states_its_evidence() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers");
    let mut levels = std::collections::BTreeMap::<&str, usize>::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.split_once("| evidence | ")) {
            let level = ["vendor vector", "public vector", "vendor's", "**second-hand**"]
                .into_iter()
                .find(|level| line.1.starts_with(level))
                .unwrap_or_else(|| panic!("{}", line.1));
            *levels.entry(level).or_default() += 1;
        }
    }
    eprintln!("providers by evidence: {levels:?}");
    // A page without evidence is noticed. Those with code of their own are Meta, Slack,
    // StandardWebhooks, Twilio, WebexContactCenter, WebSub and Wsapi; four have a public key;
    // fifteen prove who sends and not what, and three stand in `key_ids.rs`.
    assert_eq!(levels.values().sum::<usize>(), declared().count() + 7 + 4 + 15 + 3);
}
