//! The fixes of causes that no published vector has: each is set, and the request verifies.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, request::Parts};
use tower_webhook::{
    Scheme, Verifier,
    explain::{Cause, Effort, Explainer, Strength},
    providers::{self, GitHub, Pusher},
    scheme::{Component, Encoding, TimestampFormat, TimestampSource},
};

use crate::support::{SECRET, Sha256Mac, Sha512Mac, at, hex, hmac_sha256, mac, secret};

const NOW: u64 = 1_700_000_000;
const BODY: &str = r#"{"id": 1}"#;

fn explainer() -> Explainer {
    let mut effort = Effort::DEFAULT;
    // No test depends on speed.
    effort.max_time = Duration::from_secs(3600);
    Explainer::new().effort(effort).clock(at(NOW))
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let request =
        headers.iter().fold(Request::post("/hook"), |r, (name, value)| r.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

/// The configured verifier rejects the request for this proven cause, with this in its detail, and
/// the fixed one accepts it.
#[track_caller]
fn assert_fixed(
    (cause, detail): (Cause, &str),
    explainer: &Explainer,
    configured: &impl Verifier,
    fixed: &impl Verifier,
    head: &Parts,
) {
    let body = Bytes::from_static(BODY.as_bytes());
    let explanation = explainer.explain(configured, head, &body);
    let finding = explanation.first().unwrap_or_else(|| panic!("{explanation}"));
    assert_eq!((finding.cause(), finding.strength()), (cause, Strength::Proven), "{explanation}");
    assert!(finding.detail().contains(detail), "{explanation}");
    let explanation = explainer.explain(fixed, head, &body);
    assert!(explanation.is_accepted(), "{explanation}");
}

#[test]
fn settings_of_a_scheme_that_a_finding_names_accept_the_request() {
    const SCHEME: Scheme = Scheme::hmac_sha256("x-sig");
    const TIMED: Scheme = SCHEME
        .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds)
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body]);
    let tag = mac::<Sha256Mac>(SECRET.as_bytes(), BODY.as_bytes());
    let sha512 = hex(&mac::<Sha512Mac>(SECRET.as_bytes(), BODY.as_bytes()));
    let joined = hmac_sha256(SECRET, format!("{NOW}{BODY}").as_bytes());
    let time = NOW.to_string();
    for (found, configured, fixed, signature) in [
        (
            (Cause::Algorithm, "HMAC-SHA512 in `x-sig: <hex>`"),
            SCHEME,
            Scheme::hmac_sha512("x-sig"),
            sha512,
        ),
        (
            (Cause::SignatureEncoding, "HMAC-SHA256 in `x-sig: <base64>`"),
            SCHEME,
            SCHEME.encoding(Encoding::Base64),
            STANDARD.encode(&tag),
        ),
        (
            (Cause::SignatureFormat, "HMAC-SHA256 in `x-sig: sha256=<hex>`"),
            SCHEME,
            SCHEME.prefix("sha256="),
            format!("sha256={}", hex(&tag)),
        ),
        (
            (Cause::SignedContent, "it is time and body"),
            TIMED,
            TIMED.signed_content(&[Component::Time, Component::Body]),
            joined,
        ),
    ] {
        let head = head(&[("x-sig", &signature), ("x-time", &time)]);
        let [configured, fixed] = [configured, fixed].map(|it| it.verifier(secret()).unwrap());
        assert_fixed(found, &explainer(), &configured, &fixed, &head);
    }
}

#[test]
fn verifiers_that_a_finding_names_accept_the_request() {
    // Another provider.
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), BODY.as_bytes()));
    let [gitea, shopify] =
        ["gitea", "shopify"].map(|it| providers::by_name(it).unwrap().verifier(secret()).unwrap());
    let of_shopify = head(&[("x-shopify-hmac-sha256", &tag)]);
    assert_fixed((Cause::OtherProvider, "Shopify"), &explainer(), &gitea, &shopify, &of_shopify);
    // Another key ID.
    let tag = hmac_sha256(SECRET, BODY.as_bytes());
    let of_pusher = head(&[("x-pusher-signature", &tag), ("x-pusher-key", "key-2")]);
    let pusher = || Pusher::new("key-0", "another secret").unwrap();
    let [configured, fixed] = ["key-1", "key-2"].map(|id| pusher().key(id, secret()).unwrap());
    assert_fixed((Cause::KeyId, "key-1"), &explainer(), &configured, &fixed, &of_pusher);
    // Another endpoint.
    let of_github = head(&[("x-hub-signature-256", &format!("sha256={tag}"))]);
    let live = GitHub::new("the secret of live mode").unwrap();
    let test = GitHub::new(secret()).unwrap();
    let explainer = explainer().also("test mode", test.clone());
    assert_fixed((Cause::SecretOfAnother, "test mode"), &explainer, &live, &test, &of_github);
}
