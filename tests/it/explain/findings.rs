//! Causes that need a configuration of their own, and the limits of an explanation.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, request::Parts};
use sha2::Digest;
use tower_webhook::{
    Context, Outcome, PublicUrl, Rejection, RejectionKind, Scheme, Secret, Verified, Verifier,
    explain::{Cause, Effort, Explainer, Explanation, Finding, Probe, Strength},
    providers::{
        self, BasicAuth, GitHub, HubSpot, Meta, Persona, Pusher, SharedToken, Shopify, Slack,
        StandardWebhooks, Stripe, Twilio, Twitter, Worldpay, Zoom,
    },
    scheme::{Challenge, Component, TimestampFormat, TimestampSource},
    verifier::{all_of, any_of, verifier_fn},
};

use crate::{
    genuine::{NOW, genuine},
    support::{SECRET, Sha1Mac, Sha256Mac, Sha512Mac, at, hex, hmac_sha256, mac, secret},
};

const BODY: &str = r#"{"id": "1", "text": "a & b"}"#;

/// The same without white space.
const COMPACT: &str = r#"{"id":"1","text":"a & b"}"#;

/// No test depends on speed.
fn explainer() -> Explainer {
    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::from_secs(3600);
    Explainer::new().effort(effort)
}

fn explain<V: Verifier>(verifier: &V, head: &Parts, body: &Bytes) -> Explanation {
    explainer().explain(verifier, head, body)
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let request =
        headers.iter().fold(Request::post("/hook"), |r, (name, value)| r.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn body() -> Bytes {
    Bytes::from_static(BODY.as_bytes())
}

fn github() -> GitHub {
    GitHub::new(secret()).unwrap()
}

/// GitHub's header for a body, by this key.
fn hub(key: &str, body: &str) -> Parts {
    let tag = hmac_sha256(key, body.as_bytes());
    head(&[("x-hub-signature-256", &format!("sha256={tag}"))])
}

fn of_github(head: &Parts, body: &str) -> Explanation {
    explain(&github(), head, &Bytes::from(body.to_owned()))
}

#[track_caller]
fn assert_proven(cause: Cause, explanation: &Explanation) {
    assert_eq!(explanation.proven(), Some(cause), "{explanation}");
}

#[track_caller]
fn assert_clue(cause: Cause, explanation: &Explanation) {
    let clue = explanation.findings().iter().find(|finding| finding.cause() == cause);
    assert_eq!(clue.map(Finding::strength), Some(Strength::Clue), "{explanation}");
    assert_eq!(explanation.proven(), None, "{explanation}");
}

#[test]
fn accepted_request_has_no_finding() {
    let explanation = of_github(&hub(SECRET, BODY), BODY);
    assert_eq!(explanation.rejection(), None);
    assert!(explanation.findings().is_empty());
    assert_eq!(explanation.to_string(), "github: the request is accepted");
}

#[test]
fn keys_that_everyone_knows_prove_nothing() {
    for (key, cause) in [("", Cause::SecretEmpty), ("mysecret", Cause::SecretDocumented)] {
        let explanation = of_github(&hub(key, BODY), BODY);
        assert_eq!(explanation.proven(), None, "{explanation}");
        let found = explanation.findings().iter().find(|finding| finding.cause() == cause);
        assert_eq!(found.map(Finding::strength), Some(Strength::ByAnyone), "{explanation}");
        // A finding that anyone can produce is never the first of several.
        assert_eq!(explanation.findings().last().map(Finding::cause), Some(cause));
    }
}

#[test]
fn guessable_part_of_a_secret_is_no_proof() {
    for (configured, key) in [
        ("3q2+7wABAgMEBQYHCAkKCw==", "="),
        ("k3y=1", "1"),
        ("correct-horse-battery x", "x"),
        ("key=mysecret", "mysecret"),
        ("00000000000000000000000000000000", ""),
        ("AAAAAAAAAAAAAAAAAAAAAA==", ""),
    ] {
        let github = GitHub::new(Secret::documented(configured).unwrap()).unwrap();
        let explanation = explain(&github, &hub(key, BODY), &body());
        assert_eq!(explanation.proven(), None, "{configured}: {explanation}");
    }
}

#[test]
fn challenge_response_in_a_family_is_no_proof() {
    const OLD: Scheme = Scheme::hmac_sha256("x-old-signature").prefix("sha256=");
    const NEW: Scheme =
        Scheme::hmac_sha256("x-new-signature").challenge(Challenge::CrcToken).families(&[OLD]);
    let verifier = NEW.verifier(secret()).unwrap();
    let token = "1700000000attack";
    let told = mac::<Sha256Mac>(SECRET.as_bytes(), token.as_bytes());
    for tag in [hex(&told), format!("sha256={}", hex(&told)), STANDARD.encode(&told)] {
        for sent in [token.to_owned(), format!("{token}\n")] {
            let head = head(&[("x-old-signature", &tag)]);
            let explanation = explain(&verifier, &head, &Bytes::from(sent));
            assert_eq!(explanation.proven(), None, "{explanation}");
        }
    }
}

#[test]
fn secret_of_another_verifier_is_for_the_operator() {
    let head = hub("the secret of test mode", BODY);
    let other = GitHub::new("the secret of test mode").unwrap();
    let explainer = explainer().also("test mode", other);
    let explanation = explainer.explain(&github(), &head, &body());
    assert_proven(Cause::SecretOfAnother, &explanation);
    assert!(explanation.to_string().contains("test mode"));
    assert!(format!("{explainer:?}").contains("test mode"));
    let first = explanation.first().unwrap();
    assert!(first.is_for_operator());
    let shown = explanation.for_tenant();
    assert!(!shown.to_string().contains("test mode"), "{shown}");
}

#[test]
fn secret_of_another_kind_is_a_clue() {
    let key = Secret::documented("sk_test_4eC39HqLyjWDarjtT1zdp7dc").unwrap();
    let stripe = Stripe::new(key).unwrap();
    let tag = hmac_sha256("whsec_the right one", format!("{NOW}.{BODY}").as_bytes());
    let head = head(&[("stripe-signature", &format!("t={NOW},v1={tag}"))]);
    let explanation = explainer().clock(at(NOW)).explain(&stripe, &head, &body());
    assert_clue(Cause::SecretOfOtherKind, &explanation);
}

#[test]
fn another_algorithm_is_proven() {
    let sha1 = hex(&mac::<Sha1Mac>(SECRET.as_bytes(), BODY.as_bytes()));
    let sha512 = hex(&mac::<Sha512Mac>(SECRET.as_bytes(), BODY.as_bytes()));
    for value in [format!("sha1={sha1}"), format!("sha512={sha512}"), sha512] {
        let explanation = of_github(&head(&[("x-hub-signature-256", &value)]), BODY);
        assert_proven(Cause::Algorithm, &explanation);
    }
}

#[test]
fn other_signed_content_is_proven() {
    let scheme = Scheme::hmac_sha256("x-sig")
        .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds)
        .delivery_id("x-id")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body]);
    let verifier = scheme.verifier(secret()).unwrap();
    for content in [
        BODY.to_owned(),
        format!("msg_1.{NOW}.{BODY}"),
        format!("v0:{NOW}:{BODY}"),
        format!("{NOW}{BODY}"),
        format!("{BODY}{NOW}"),
        format!("{BODY}.{NOW}"),
    ] {
        let tag = hmac_sha256(SECRET, content.as_bytes());
        let head = head(&[("x-sig", &tag), ("x-time", &NOW.to_string()), ("x-id", "msg_1")]);
        let explanation = explainer().clock(at(NOW)).explain(&verifier, &head, &body());
        assert_proven(Cause::SignedContent, &explanation);
    }
}

#[test]
fn another_provider_is_named() {
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), BODY.as_bytes()));
    let head = head(&[("x-shopify-hmac-sha256", &tag)]);
    let by_name = providers::by_name("gitea").unwrap().verifier(secret()).unwrap();
    let explanation = explain(&by_name, &head, &body());
    assert_proven(Cause::OtherProvider, &explanation);
    assert!(explanation.to_string().contains("Shopify"), "{explanation}");
    // A type does not know the other ones, and names the header.
    let explanation = of_github(&head, BODY);
    assert_proven(Cause::OtherProvider, &explanation);
    assert!(explanation.to_string().contains("x-shopify-hmac-sha256"), "{explanation}");
}

#[test]
fn secret_under_another_key_id_is_proven() {
    let tag = hmac_sha256(SECRET, BODY.as_bytes());
    let pusher = Pusher::new("key-0", "another secret").unwrap().key("key-1", secret()).unwrap();
    for named in ["key-0", "key-2"] {
        let head = head(&[("x-pusher-signature", &tag), ("x-pusher-key", named)]);
        let explanation = explain(&pusher, &head, &body());
        assert_proven(Cause::KeyId, &explanation);
        assert!(explanation.to_string().contains("key-1"), "{explanation}");
    }
    let worldpay = Worldpay::new("1", "another secret").unwrap().key("2", secret()).unwrap();
    let head = head(&[("event-signature", &format!("3/SHA256/{tag}"))]);
    assert_proven(Cause::KeyId, &explain(&worldpay, &head, &body()));
}

#[test]
fn form_written_again_is_proven() {
    let sent = "text=a+b&name=%C3%A9%2F";
    let received = "text=a%20b&name=%c3%a9%2f";
    assert_proven(Cause::FormRewritten, &of_github(&hub(SECRET, sent), received));
}

#[test]
fn html_and_unicode_escapes_of_json_are_proven() {
    for sent in [
        r#"{"id":"1","text":"a \u0026 b"}"#,
        r#"{"id":"1","text":"a & b"}"#,
        "{\n  \"id\": \"1\",\n  \"text\": \"a & b\"\n}",
        "{\n  \"id\": \"1\",\n  \"text\": \"a & b\"\n}\n",
    ] {
        assert_proven(Cause::JsonRewritten, &of_github(&hub(SECRET, sent), BODY));
    }
}

#[test]
fn two_causes_at_once_are_both_named() {
    let github = GitHub::new(Secret::documented(format!("\"{SECRET}\"")).unwrap()).unwrap();
    let received = Bytes::from(format!("{BODY}\n"));
    let explanation = explain(&github, &hub(SECRET, BODY), &received);
    let causes: Vec<_> = explanation.findings().iter().map(Finding::cause).collect();
    assert!(causes.contains(&Cause::SecretQuoted), "{explanation}");
    assert!(causes.contains(&Cause::FinalNewline), "{explanation}");
}

#[test]
fn late_request_with_a_changed_body_has_both_causes() {
    let stripe = Stripe::new(secret()).unwrap();
    let tag = hmac_sha256(SECRET, format!("{NOW}.{BODY}").as_bytes());
    let head = head(&[("stripe-signature", &format!("t={NOW},v1={tag}"))]);
    let received = Bytes::from_static(COMPACT.as_bytes());
    let explanation = explainer().clock(at(NOW + 600)).explain(&stripe, &head, &received);
    let causes: Vec<_> = explanation.findings().iter().map(Finding::cause).collect();
    assert!(causes.contains(&Cause::TimeOutsideTolerance), "{explanation}");
    let explanation = explainer().clock(at(NOW + 600)).explain(&stripe, &head, &body());
    assert_proven(Cause::TimeOutsideTolerance, &explanation);
    assert!(explanation.to_string().contains("600 seconds ago"), "{explanation}");
}

#[test]
fn tokens_and_passwords_are_explained() {
    let quoted = Secret::documented(format!("\"{SECRET}\"")).unwrap();
    let header = http::HeaderName::from_static("x-token");
    let token = SharedToken::new(header, quoted.clone()).unwrap();
    let explanation = explain(&token, &head(&[("x-token", SECRET)]), &body());
    assert_proven(Cause::SecretQuoted, &explanation);

    let basic = BasicAuth::new("anna", quoted).unwrap();
    let value = format!("Basic {}", STANDARD.encode(format!("anna:{SECRET}")));
    let explanation = explain(&basic, &head(&[("authorization", &value)]), &body());
    assert_proven(Cause::SecretQuoted, &explanation);
}

#[test]
fn combinations_and_tenants_are_explained() {
    let wrong = || Shopify::new("another secret of another shop").unwrap();
    let head = hub(SECRET, BODY);
    let body = Bytes::from_static(COMPACT.as_bytes());
    assert_proven(Cause::JsonRewritten, &explain(&any_of(wrong(), github()), &head, &body));
    assert_proven(Cause::JsonRewritten, &explain(&all_of(github(), github()), &head, &body));
    let tenant = github().for_tenant("anna");
    assert_proven(Cause::JsonRewritten, &explain(&tenant, &head, &body));
    let boxed = providers::BoxVerifier::new(github());
    assert_proven(Cause::JsonRewritten, &explain(&boxed, &head, &body));
}

#[test]
fn twilio_names_the_signed_url() {
    let url = PublicUrl::base("https://example.com").unwrap();
    let twilio = Twilio::new(secret(), url).unwrap();
    let signed = "https://shop.example/hook/TextHi";
    let tag = STANDARD.encode(mac::<Sha1Mac>(SECRET.as_bytes(), signed.as_bytes()));
    let head = head(&[
        ("x-twilio-signature", &tag),
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", "shop.example"),
    ]);
    let explanation = explain(&twilio, &head, &Bytes::from("Text=Hi"));
    assert_proven(Cause::UrlHost, &explanation);
    assert!(explanation.to_string().contains("https://shop.example/hook/"), "{explanation}");
}

#[test]
fn every_part_of_another_url_is_named() {
    let url = PublicUrl::base("http://internal.example").unwrap();
    let scheme = Scheme::hmac_sha256("x-sig").signed_content(&[
        Component::Url,
        Component::Literal("|"),
        Component::Body,
    ]);
    let verifier = scheme.verifier_at(secret(), url).unwrap();
    let tag = hmac_sha256(SECRET, format!("https://shop.example/hook/|{BODY}").as_bytes());
    let head = head(&[("x-sig", &tag), ("x-forwarded-host", "shop.example")]);
    let explanation = explain(&verifier, &head, &body());
    let causes: Vec<_> = explanation.findings().iter().map(Finding::cause).collect();
    assert_eq!(causes, [Cause::UrlHost, Cause::UrlScheme, Cause::UrlTrailingSlash]);
}

#[test]
fn challenge_is_no_missing_signature() {
    let meta = Meta::new(secret()).unwrap().verify_token("made-up-token").unwrap();
    let get = |token: &str| {
        let query = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1");
        let request = Request::get(format!("/hook?{query}")).body(()).unwrap();
        explain(&meta, &request.into_parts().0, &Bytes::new())
    };
    assert!(get("made-up-token").is_accepted());
    let failed = get("another");
    assert_eq!(failed.rejection(), Some(RejectionKind::ChallengeFailed));
    assert!(failed.findings().is_empty(), "{failed}");
}

/// A verifier by a user, with a variant of its own.
struct Acme(&'static str);

impl Verifier for Acme {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    fn finish(&self, (): &mut (), of: &Context<'_>, body: &Bytes) -> Result<Outcome, Rejection> {
        let tag = hmac_sha256(self.0, body);
        let is_it = of.head().headers.get("x-acme").is_some_and(|value| *value == *tag);
        if is_it { Ok(Verified::new("acme").into()) } else { Err(Rejection::mismatch()) }
    }

    fn explain(&self, probe: &mut Probe<'_>) {
        let shown = format!("{probe:?}");
        assert!(!shown.contains("x-acme") && !shown.contains("text"), "{shown}");
        let finding = Finding::proven(Cause::SecretOfAnother).with_detail("the old one");
        probe.verifier(finding, &Self("old"));
    }
}

#[test]
fn custom_verifier_gets_bodies_and_its_own_variants() {
    let signed = |key| head(&[("x-acme", &hmac_sha256(key, BODY.as_bytes()))]);
    let received = Bytes::from(format!("{BODY}\n"));
    assert_proven(Cause::FinalNewline, &explain(&Acme("new"), &signed("new"), &received));
    assert_proven(Cause::SecretOfAnother, &explain(&Acme("new"), &signed("old"), &body()));
    let closure = verifier_fn(|head: &Parts, body: &Bytes| {
        let tag = hmac_sha256("new", body);
        let is_it = head.headers.get("x-acme").is_some_and(|value| *value == *tag);
        if is_it { Ok(Verified::new("acme")) } else { Err(Rejection::mismatch()) }
    });
    assert_proven(Cause::FinalNewline, &explain(&closure, &signed("new"), &received));
}

#[test]
fn missing_header_names_the_proxy() {
    let explanation = of_github(&head(&[("cf-ray", "8a")]), BODY);
    assert_eq!(explanation.rejection(), Some(RejectionKind::Missing));
    assert_clue(Cause::HeaderMissing, &explanation);
    assert!(explanation.to_string().contains("cf-ray"), "{explanation}");
}

#[test]
fn effort_bounds_bytes_variants_and_time() {
    let unsigned = hub("another secret than the configured one", BODY);
    let mut effort = Effort::DEFAULT;
    effort.max_variants = 10;
    let explanation = explainer().effort(effort).explain(&github(), &unsigned, &body());
    assert!(!explanation.is_complete() && explanation.tried() <= 11, "{explanation}");

    let mut effort = Effort::DEFAULT;
    effort.max_hashed = 100;
    let explanation = explainer().effort(effort).explain(&github(), &unsigned, &body());
    assert!(!explanation.is_complete() && explanation.hashed() <= 100, "{explanation}");

    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::ZERO;
    let explanation = explainer().effort(effort).explain(&github(), &unsigned, &body());
    assert!(!explanation.is_complete() && explanation.tried() <= 33, "{explanation}");

    // The largest body that providers send.
    let large = Bytes::from(vec![b'{'; 4 << 20]);
    let explanation = explain(&github(), &unsigned, &large);
    assert!(explanation.hashed() <= 16 << 20, "{}", explanation.hashed());
    assert!(explanation.tried() <= 512);
}

#[test]
fn nested_searches_share_the_effort() {
    // Each set of Persona's header is a search of its own.
    let set = format!("t={NOW},v1={}", "0".repeat(64));
    let head = head(&[("persona-signature", &[&*set; 4].join(" "))]);
    let persona = Persona::new(secret()).unwrap();
    let mut effort = Effort::DEFAULT;
    effort.max_time = Duration::ZERO;
    let explainer = Explainer::new().clock(at(NOW)).effort(effort);
    // A body of few changes, so that the searches of the sets begin before the time is over.
    let explanation = explainer.explain(&persona, &head, &Bytes::from_static(b"x"));
    assert!(!explanation.is_complete() && explanation.tried() <= 33, "{explanation}");

    // The limit is reached among the pairs.
    let unsigned = hub("another secret than the configured one", BODY);
    let all = explain(&github(), &unsigned, &body());
    assert!(all.is_complete(), "{all}");
    let mut effort = Effort::DEFAULT;
    (effort.max_variants, effort.max_time) = (all.tried() - 20, Duration::from_secs(3600));
    let explanation = Explainer::new().effort(effort).explain(&github(), &unsigned, &body());
    assert!(!explanation.is_complete(), "{explanation}");
    assert!(explanation.tried() <= effort.max_variants, "{explanation}");
}

/// Accepts nothing, counts its calls, and has many variants.
struct Counted(AtomicU32);

impl Verifier for Counted {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    fn finish(&self, (): &mut (), _: &Context<'_>, _: &Bytes) -> Result<Outcome, Rejection> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(Rejection::mismatch())
    }

    fn explain(&self, probe: &mut Probe<'_>) {
        for _ in 0..100 {
            probe.verifier(Finding::proven(Cause::KeyId), self);
        }
    }
}

#[test]
fn every_call_of_a_verifier_is_counted() {
    for max_variants in [50, 150, 512] {
        let counted = Counted(AtomicU32::new(0));
        let mut effort = Effort::DEFAULT;
        (effort.max_variants, effort.max_time) = (max_variants, Duration::from_secs(3600));
        let explanation = Explainer::new().effort(effort).explain(&counted, &head(&[]), &body());
        let calls = counted.0.into_inner();
        assert_eq!(explanation.tried(), calls, "{explanation}");
        assert_eq!(explanation.is_complete(), calls < max_variants, "{explanation}");
    }
}

#[test]
fn digests_in_a_header_are_counted_and_few() {
    let body = body();
    let digest = STANDARD.encode(sha2::Sha512::digest(&body));
    let many = vec![format!("sha-512=:{digest}:"); 600].join(",");
    let mut head = hub("another secret than the configured one", BODY);
    head.headers.insert("content-digest", many.parse().unwrap());
    let mut effort = Effort::DEFAULT;
    effort.max_variants = 1;
    let explanation = Explainer::new().effort(effort).explain(&github(), &head, &body);
    assert_eq!(explanation.hashed(), 3 * body.len() as u64, "the request, and two digests");
}

#[test]
fn renamed_header_is_found_beside_another_fault() {
    let tag = format!("sha256={}", hmac_sha256(SECRET, BODY.as_bytes()));
    for name in ["x_hub_signature_256", "x-amzn-remapped-x-hub-signature-256"] {
        let head = head(&[(name, &tag)]);
        for received in [BODY.to_owned(), format!("{BODY}\n"), COMPACT.to_owned()] {
            let explanation = of_github(&head, &received);
            assert_proven(Cause::HeaderRenamed, &explanation);
        }
    }
    // Another provider's header is not a renamed one.
    let explanation = of_github(&head(&[("x-goog-signature", "AAAA")]), BODY);
    assert!(!explanation.to_string().contains("header_renamed"), "{explanation}");
}

#[test]
fn configured_url_is_no_other_url() {
    let url = PublicUrl::base("https://example.com").unwrap();
    let hubspot = HubSpot::new(secret(), url).unwrap();
    // Each escape is decoded in the signed URL. Such a body could be the end of the URL.
    let sent = "text that could be a query";
    let signed = format!("POSThttps://example.com/hook?a=:{sent}{NOW}000");
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), signed.as_bytes()));
    let mut head = head(&[
        ("x-hubspot-signature-v3", &tag),
        ("x-hubspot-request-timestamp", &format!("{NOW}000")),
    ]);
    head.uri = "/hook?a=%3A".parse().unwrap();
    let explanation = explainer().clock(at(NOW)).explain(&hubspot, &head, &Bytes::from(sent));
    assert_eq!(explanation.rejection(), Some(RejectionKind::Malformed), "{explanation}");
    assert_eq!(explanation.proven(), None, "{explanation}");
}

#[test]
fn older_signature_alone_is_not_another_provider() {
    let tag = hex(&mac::<Sha1Mac>(SECRET.as_bytes(), BODY.as_bytes()));
    let explanation = of_github(&head(&[("x-hub-signature", &format!("sha1={tag}"))]), BODY);
    assert_proven(Cause::Algorithm, &explanation);
}

#[test]
fn bytes_of_a_file_with_its_line_end_are_explained() {
    let file = Secret::from_bytes(format!("{SECRET}\n")).unwrap();
    let explanation = explain(&GitHub::new(file).unwrap(), &hub(SECRET, BODY), &body());
    assert_proven(Cause::SecretPadded, &explanation);
}

#[test]
fn challenge_response_is_no_proof() {
    // Twitter answers anyone with the HMAC of a token, and Zoom too.
    let token = "1700000000.attack";
    let twitter = Twitter::new(secret()).unwrap();
    let tag = STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), token.as_bytes()));
    let zoom = Zoom::new(secret()).unwrap();
    let zoom_tag = hmac_sha256(SECRET, token.as_bytes());
    for sent in [token, "attack", "\n1700000000.attack", "1700000000.attack\n"] {
        let head = head(&[
            ("x-twitter-webhooks-signature", &format!("sha256={tag}")),
            ("x-zm-signature", &format!("v0={zoom_tag}")),
            ("x-zm-request-timestamp", "1700000000"),
            ("webhook-timestamp", "1700000000"),
        ]);
        let body = Bytes::from(sent.to_owned());
        let explainer = explainer().clock(at(NOW));
        for explanation in
            [explainer.explain(&twitter, &head, &body), explainer.explain(&zoom, &head, &body)]
        {
            assert_eq!(explanation.proven(), None, "{sent:?}: {explanation}");
        }
    }
}

#[test]
fn explanation_has_no_secret_and_no_signature() {
    for genuine in genuine() {
        let mut headers = genuine.pairs();
        headers.push(("x-forwarded-host", b"example.com".to_vec()));
        let request = genuine.request(&headers, ());
        let (head, ()) = request.into_parts();
        let body = Bytes::from(format!("{}\n", genuine.body));
        let verifiers = [
            Box::new(Meta::new(secret()).unwrap()) as Box<dyn Fn2>,
            Box::new(Slack::new(secret()).unwrap()),
            Box::new(StandardWebhooks::new(crate::genuine::WHSEC).unwrap()),
        ];
        for verifier in verifiers {
            let text = verifier.explained(&head, &body);
            assert!(!text.contains(SECRET), "{text}");
            for (name, value) in &headers {
                let value = String::from_utf8_lossy(value);
                let is_long = value.len() >= 20 && *name != "content-type";
                assert!(!is_long || !text.contains(&*value), "{name}: {text}");
            }
            assert!(!text.contains("h\\u00e4"), "{text}");
        }
    }
}

trait Fn2 {
    fn explained(&self, head: &Parts, body: &Bytes) -> String;
}

impl<V: Verifier> Fn2 for V {
    fn explained(&self, head: &Parts, body: &Bytes) -> String {
        let explanation = explainer().clock(at(NOW)).explain(self, head, body);
        format!("{explanation} {explanation:?}")
    }
}

#[test]
fn secret_path_and_query_values_are_not_shown() {
    let scheme = Scheme::hmac_sha256("x-sig").signed_content(&[
        Component::Url,
        Component::Literal("|"),
        Component::Body,
    ]);
    let url = PublicUrl::base("https://example.com/path-4711").unwrap();
    let verifier = scheme.verifier_at(secret(), url).unwrap();
    let signed = format!("http://example.com/path-4711/hook?token=value-4711|{BODY}");
    let mut head = head(&[("x-sig", &hmac_sha256(SECRET, signed.as_bytes()))]);
    head.uri = "/hook?token=value-4711".parse().unwrap();
    let explanation = explain(&verifier, &head, &body());
    assert_proven(Cause::UrlScheme, &explanation);
    assert!(explanation.to_string().contains("http://example.com/path-4711/"), "{explanation}");
    assert!(!explanation.to_string().contains("value-4711"), "{explanation}");
    // The path is a secret: by the verifier, or by the layer.
    let by_path = any_of(verifier.clone(), SharedToken::in_path(secret()).unwrap());
    for explanation in [
        explain(&by_path, &head, &body()),
        explainer().secret_url().explain(&verifier, &head, &body()),
    ] {
        assert_proven(Cause::UrlScheme, &explanation);
        assert!(!explanation.to_string().contains("4711"), "{explanation}");
    }
}

#[test]
fn forged_requests_are_never_proven() {
    let mut state = 1_u64;
    let mut random = move || {
        // Xorshift, for requests that are the same in each run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let bodies = [BODY, "", "a=1&b=2", "\u{feff}{\"a\":1}\r\n", "eyJhIjoxfQ==", "\"{}\""];
    for _ in 0..15 {
        for body in bodies {
            let tag: Vec<u8> = (0..4).flat_map(|_| random().to_be_bytes()).collect();
            let mut head = head(&[("stripe-signature", &format!("t={NOW},v1={}", hex(&tag)))]);
            for (name, text) in [
                ("x-hub-signature-256", format!("sha256={}", hex(&tag))),
                ("x-shopify-hmac-sha256", STANDARD.encode(&tag)),
                ("x-twilio-signature", STANDARD.encode(&tag[..20])),
            ] {
                head.headers.insert(name, HeaderValue::try_from(text).unwrap());
            }
            let body = Bytes::from(body);
            let url = PublicUrl::base("https://example.com").unwrap();
            let explainer = explainer().clock(at(NOW));
            let explanations = [
                explainer.explain(&github(), &head, &body),
                explainer.explain(&Stripe::new(secret()).unwrap(), &head, &body),
                explainer.explain(&Shopify::new(secret()).unwrap(), &head, &body),
                explainer.explain(&Twilio::new(secret(), url).unwrap(), &head, &body),
            ];
            for explanation in explanations {
                let found = explanation
                    .findings()
                    .iter()
                    .filter(|finding| finding.strength() != Strength::Clue);
                assert_eq!(found.count(), 0, "{explanation}");
            }
        }
    }
}

#[test]
fn every_cause_has_a_stable_name_and_a_fix() {
    let mut names: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert!(names.len() >= 25, "{}", names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Cause::ALL.len());
    for cause in Cause::ALL {
        assert!(!cause.fix().is_empty() && !cause.description().is_empty());
        assert_eq!(cause.anchor(), format!("troubleshooting#{cause}"));
    }
}
