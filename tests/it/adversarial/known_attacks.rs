//! Bugs that receivers of signed webhooks have had. More of them are in the modules that they belong
//! to: Twilio, schemes, secrets, challenges, frames, composition.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, StatusCode};
use proptest::{collection::vec, prelude::*, sample::Index};
use tower_webhook::{
    RejectionKind, SignatureLayer,
    providers::{
        GitHub, Meta, Shopify, Slack, StandardWebhooks, Stripe, Webex, WebexContactCenter, Wsapi,
    },
};

use crate::{
    code::statements,
    genuine::{Headers, NOW, Role, Sent, WHSEC, genuine},
    support::{
        AtTime, SECRET, Script, Sha1Mac, Sha256Mac, assert_refused, at, hex, hmac_sha256, mac,
        meta_layer, secret, send,
    },
};

/// Where a tag's text stands in the value of a signature header.
fn tag_span(header: &str, value: &[u8]) -> std::ops::Range<usize> {
    let find = |from: usize, bytes: &[u8]| {
        let found = value[from..].iter().position(|byte| bytes.contains(byte));
        found.map(|at| from + at)
    };
    let start = match header {
        "event-signature" => find(2, b"/").unwrap() + 1,
        "persona-signature" | "stripe-signature" => find(3, b"=").unwrap() + 1,
        "messagebird-signature"
        | "x-ably-signature"
        | "x-gcs-signature"
        | "x-hubspot-signature-v3"
        | "x-shopify-hmac-sha256"
        | "x-twilio-signature" => 0,
        _ => find(0, b"=,").map_or(0, |at| at + 1),
    };
    start..find(start, b" ,").unwrap_or(value.len())
}

#[tokio::test]
async fn truncated_or_extended_tag_is_rejected() {
    for genuine in genuine().iter().filter(|genuine| genuine.headers[0].1 == Role::Signature) {
        let (header, _, value) = &genuine.headers[0];
        let span = tag_span(header, value);
        let tag = &value[span.clone()];
        assert!(tag.len() >= 28, "{}: {}", genuine.name, String::from_utf8_lossy(tag));
        let cut = (0..tag.len()).flat_map(|len| [tag[..len].to_vec(), tag[len + 1..].to_vec()]);
        let longer = [b"0".repeat(2), b"00==".to_vec(), tag.to_vec(), b"\xff".to_vec()];
        let longer = longer.iter().flat_map(|more| [[tag, more].concat(), [more, tag].concat()]);
        for text in cut.chain(longer) {
            let name = format!("{}: {}", genuine.name, String::from_utf8_lossy(&text));
            let mut headers = genuine.pairs();
            headers[0].1.splice(span.clone(), text);
            let body = Script::data([genuine.body]);
            let (response, inner) = (genuine.send)(genuine.request(&headers, body)).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}");
            assert_eq!(inner.count(), 0, "{name}");
        }
    }
}

fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'\t'), 0x20u8..=0x7e, 0x80u8..=0xff], 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A panic of a verifier is answered with 500: it would be seen here.
    #[test]
    fn arbitrary_header_value_never_panics_or_verifies(
        bytes in header_bytes(), from: Index, to: Index,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for genuine in genuine() {
            for (at, (header, role, value)) in genuine.headers.iter().enumerate() {
                let mut cuts = [from.index(value.len() + 1), to.index(value.len() + 1)];
                cuts.sort_unstable();
                let mut spliced = value.clone();
                spliced.splice(cuts[0]..cuts[1], bytes.iter().copied());
                for (is_arbitrary, value) in [(true, bytes.clone()), (false, spliced)] {
                    let mut headers = genuine.pairs();
                    headers[at].1 = value;
                    let sent = genuine.send(&headers, genuine.body);
                    let (response, inner) = runtime.block_on(sent);
                    let is_accepted = response.status() == StatusCode::OK;
                    prop_assert_eq!(inner.count(), usize::from(is_accepted));
                    // A splice can hit what nobody looks at.
                    let may_be_accepted = !is_arbitrary || *role == Role::UnsignedId;
                    prop_assert!(
                        response.status() == StatusCode::FORBIDDEN || is_accepted && may_be_accepted,
                        "{} {header}: {response:?}", genuine.name
                    );
                }
            }
        }
    }
}

#[test]
fn tags_and_secrets_are_compared_in_constant_time() {
    const SECRETS: [&str; 7] =
        ["Tag", "Mac", "Secret", "Wiped", "SchemeState", "TwilioState", "WorldpayState"];
    let words = ["tag", "mac", "token", "secret", "hash", "candidate", "expected"];
    let mut types = BTreeSet::new();
    for statement in statements() {
        let about = format!("{}: {}", statement.path, statement.tokens.join(" "));
        for name in statement.after(&["PartialEq", "for"]) {
            assert!(!SECRETS.contains(&name), "{about}");
        }
        let declared = [statement.after(&["struct"]), statement.after(&["enum"])].concat();
        for name in declared.into_iter().filter(|name| SECRETS.contains(name)) {
            assert!(!statement.has("Eq") && !statement.has("PartialEq"), "{about}");
            types.insert(name.to_owned());
        }
        let is_comparison = statement.has("==") || statement.has("!=");
        let is_secret = words.iter().any(|word| statement.has(word));
        assert!(!(is_comparison && is_secret), "{about}");
    }
    assert_eq!(types.len(), SECRETS.len(), "the types are where they were: {types:?}");
}

#[tokio::test]
async fn request_without_its_headers_is_rejected() {
    for genuine in genuine() {
        for (at, (header, role, _)) in genuine.headers.iter().enumerate() {
            let name = format!("{}: {header}", genuine.name);
            let mut headers = genuine.pairs();
            headers.remove(at);
            let (response, inner) = genuine.send(&headers, genuine.body).await;
            let is_needed = !matches!(role, Role::UnsignedId | Role::EchoedTime);
            assert_eq!(response.status() == StatusCode::FORBIDDEN, is_needed, "{name}");
            assert_eq!(inner.count(), usize::from(!is_needed), "{name}");
            // It alone is not enough either.
            let mut alone = genuine.pairs();
            alone.swap(0, at);
            alone.truncate(1);
            if genuine.headers.iter().filter(|(_, role, _)| *role != Role::UnsignedId).count() > 1
                && !header.starts_with("x-webexcc")
            {
                let (response, inner) = genuine.send(&alone, genuine.body).await;
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name} alone");
                assert_eq!(inner.count(), 0, "{name} alone");
            }
        }
        let sent = (genuine.send)(genuine.request(&Headers::new(), Script::untouchable())).await;
        assert_refused(genuine.name, RejectionKind::Missing, &sent);
        // The answer is the layer's own, and is the whole answer.
        assert!(!sent.0.headers().contains_key("content-type"), "{}", genuine.name);
    }
}

#[tokio::test]
async fn repeated_header_is_rejected() {
    for genuine in genuine() {
        for (at, (header, role, value)) in genuine.headers.iter().enumerate() {
            for other in [value.clone(), b"x".to_vec(), Vec::new()] {
                let name = format!("{}: {header} {role:?}", genuine.name);
                let mut after = genuine.pairs();
                after.push((header, other.clone()));
                let mut before = genuine.pairs();
                before.insert(at, (header, other.clone()));
                for headers in [after, before] {
                    let request = genuine.request(&headers, Script::untouchable());
                    assert_refused(&name, RejectionKind::Repeated, &(genuine.send)(request).await);
                }
            }
        }
        // As a proxy may join them: one value with a comma.
        let (header, role, value) = &genuine.headers[0];
        let takes_lists = [
            "event-signature",
            "persona-signature",
            "stripe-signature",
            "svix-signature",
            "webhook-signature",
        ];
        if takes_lists.contains(header) || *role == Role::Unrelated {
            continue;
        }
        for joined in [[value, &b", "[..], value].concat(), [value, &b","[..], value].concat()] {
            let mut headers = genuine.pairs();
            headers[0].1 = joined;
            let (response, _) = genuine.send(&headers, genuine.body).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{} {header}", genuine.name);
        }
    }
}

#[tokio::test]
async fn headers_of_two_families_are_rejected() {
    let table = genuine();
    let family = |name: &str| table.iter().find(|genuine| genuine.name == name).unwrap();
    let (webhook, svix) = (family("StandardWebhooks"), family("StandardWebhooks, svix"));
    // Each way to take three headers from two families, but for the two pure ones.
    for mix in 1..7 {
        let pairs = [webhook.pairs(), svix.pairs()];
        let headers: Headers = (0..3).map(|at| pairs[mix >> at & 1][at].clone()).collect();
        let sent = (webhook.send)(webhook.request(&headers, Script::untouchable())).await;
        assert_refused(&format!("mix {mix}"), RejectionKind::Repeated, &sent);
    }
    // A whole second family, or one stray header of it.
    for count in 1..=3 {
        let headers: Headers =
            webhook.pairs().into_iter().chain(svix.pairs().into_iter().take(count)).collect();
        let sent = (webhook.send)(webhook.request(&headers, Script::untouchable())).await;
        assert_refused(&format!("{count} more"), RejectionKind::Repeated, &sent);
    }
    // One provider's good signature is nothing to another, under its own or the other's header.
    for from in &table {
        for to in &table {
            if from.headers[0].0 == to.headers[0].0 {
                continue;
            }
            let name = format!("{} to {}", from.name, to.name);
            let (response, _) = to.send(&from.pairs(), from.body).await;
            let is_family = [from, to].iter().all(|side| side.name.starts_with("StandardW"))
                || to.name == "Meta, legacy" && from.headers[0].0 == "x-hub-signature-256";
            assert_eq!(response.status() == StatusCode::OK, is_family, "{name}");
        }
    }
}

#[tokio::test]
async fn webex_families_do_not_take_each_others_tags() {
    let body = r#"{"id":"1"}"#;
    let sha1 = hex(&mac::<Sha1Mac>(SECRET.as_bytes(), body.as_bytes()));
    let sha256 = hmac_sha256(SECRET, body.as_bytes());
    let request = |header: &str, tag: &str| {
        Request::post("/").header(header, tag).body(Script::data([body])).unwrap()
    };
    let webex = SignatureLayer::new(Webex::new(secret()).unwrap());
    let contact_center = SignatureLayer::new(WebexContactCenter::new(secret()).unwrap());
    let spark = "x-spark-signature";
    let cc = "x-webexcc-signature";
    assert_eq!(send(&webex, request(spark, &sha1)).await.1.count(), 1);
    assert_eq!(send(&contact_center, request(cc, &sha256)).await.1.count(), 1);
    let sent = send(&webex, request(spark, &sha256)).await;
    assert_refused("SHA-256 for SHA-1", RejectionKind::Malformed, &sent);
    let sent = send(&contact_center, request(cc, &sha1)).await;
    assert_refused("SHA-1 for SHA-256", RejectionKind::Malformed, &sent);
    let sent = send(&webex, request(cc, &sha1)).await;
    assert_refused("the other header", RejectionKind::Missing, &sent);
}

/// A Slack request at this signed time, as text.
fn slack_request(time: &str, body: &[u8]) -> Request<Script> {
    let signed = [b"v0:", time.as_bytes(), b":", body].concat();
    Request::post("/")
        .header("x-slack-request-timestamp", time)
        .header("x-slack-signature", format!("v0={}", hmac_sha256(SECRET, &signed)))
        .body(Script::data([Bytes::copy_from_slice(body)]))
        .unwrap()
}

#[tokio::test]
async fn odd_time_with_valid_signature_is_rejected() {
    use RejectionKind::{Malformed, Missing, TimestampInFuture, TimestampStale};
    let slack = SignatureLayer::new(Slack::new(secret()).unwrap().clock(at(NOW)));
    for (name, time, expected) in [
        ("least i64", "-9223372036854775808", Malformed),
        ("greatest i64", "9223372036854775807", Malformed),
        ("greatest u64", "18446744073709551615", Malformed),
        ("more than that", "99999999999999999999999999", Malformed),
        ("greatest that fits", "9223372036854775", TimestampInFuture),
        ("negative", "-1", Malformed),
        ("signed", "+1700000000", Malformed),
        ("fraction", "1700000000.0", Malformed),
        ("exponent", "1.7e9", Malformed),
        ("leading zero", "01700000000", Malformed),
        ("space inside", "1700 000000", Malformed),
        ("separator", "1_700_000_000", Malformed),
        ("date", "2023-11-14T22:13:20Z", Malformed),
        ("not a number", "NaN", Malformed),
        ("list", "1700000000,1700000000", Malformed),
        ("empty", "", Missing),
        ("milliseconds", "1700000000000", TimestampInFuture),
        ("zero", "0", TimestampStale),
    ] {
        let sent = send(&slack, slack_request(time, b"x")).await;
        assert_refused(name, expected, &sent);
    }
    let (_, inner) = send(&slack, slack_request("1700000000", b"x")).await;
    assert_eq!(inner.count(), 1, "the plain one is accepted");
}

#[tokio::test]
async fn signed_time_outside_tolerance_is_rejected() {
    let body = |time: u64| format!(r#"{{"comciscotimestamp":{time}000,"receivedAt":"{NOW}"}}"#);
    for (name, offset, expected) in [
        ("300 s ago", 300_i64, None),
        ("301 s ago", 301, Some(RejectionKind::TimestampStale)),
        ("300 s ahead", -300, None),
        ("301 s ahead", -301, Some(RejectionKind::TimestampInFuture)),
        ("a year ahead", -31_536_000, Some(RejectionKind::TimestampInFuture)),
    ] {
        let clock = at(NOW.checked_add_signed(offset).unwrap());
        let check = |provider: &str, sent: Sent| {
            let name = format!("{provider}: {name}");
            match expected {
                None => assert_eq!(sent.1.count(), 1, "{name}"),
                Some(kind) => assert_refused(&name, kind, &sent),
            }
        };
        let slack = SignatureLayer::new(Slack::new(secret()).unwrap().clock(clock.clone()));
        check("slack", send(&slack, slack_request(&NOW.to_string(), b"x")).await);

        let stripe = SignatureLayer::new(Stripe::new(secret()).unwrap().clock(clock.clone()));
        let tag = hmac_sha256(SECRET, format!("{NOW}.x").as_bytes());
        let request = Request::post("/").header("stripe-signature", format!("t={NOW},v1={tag}"));
        check("stripe", send(&stripe, request.body(Script::data(["x"])).unwrap()).await);

        let secret = || tower_webhook::Secret::new(WHSEC).unwrap();
        let standard = StandardWebhooks::new(secret()).unwrap().clock(clock.clone());
        let table = genuine();
        let genuine = table.iter().find(|genuine| genuine.name == "StandardWebhooks").unwrap();
        let request = genuine.request(&genuine.pairs(), Script::data([genuine.body]));
        check("standard", send(&SignatureLayer::new(standard), request).await);

        let verifier =
            WebexContactCenter::new(crate::support::secret()).unwrap().clock(clock.clone());
        let body = body(NOW);
        let tag = hmac_sha256(SECRET, body.as_bytes());
        let request = Request::post("/").header("x-webexcc-signature", tag);
        let request = request.body(Script::data([body])).unwrap();
        check("webexcc", send(&SignatureLayer::new(verifier), request).await);
    }
}

#[tokio::test]
async fn body_that_is_not_text_is_verified() {
    let body: Vec<u8> = (0..=255).chain([0, 0xff, 0xfe, 0xc0]).collect();
    let key = SECRET.as_bytes();
    let tag = mac::<Sha256Mac>(key, &body);
    let hub = format!("sha256={}", hex(&tag));
    macro_rules! check {
        ($($verifier:expr, $header:literal, $value:expr;)*) => {$(
            let request = Request::post("/").header($header, $value);
            let request = request.body(Script::data([body.clone()])).unwrap();
            let (_, inner) = send(&SignatureLayer::new($verifier), request).await;
            assert_eq!(inner.only_call().body.bytes(), &body, stringify!($verifier));
        )*};
    }
    check! {
        GitHub::new(secret()).unwrap(), "x-hub-signature-256", hub.clone();
        Meta::new(secret()).unwrap(), "x-hub-signature-256", hub.clone();
        Wsapi::new(secret()).unwrap(), "x-webhook-signature", hub.clone();
        Shopify::new(secret()).unwrap(), "x-shopify-hmac-sha256", STANDARD.encode(&tag);
        Webex::new(secret()).unwrap(), "x-spark-signature", hex(&mac::<Sha1Mac>(key, &body));
    }
    let slack = SignatureLayer::new(Slack::new(secret()).unwrap().clock(at(NOW)));
    let (_, inner) = send(&slack, slack_request(&NOW.to_string(), &body)).await;
    assert_eq!(inner.only_call().body.bytes(), &body);
}

#[tokio::test]
async fn request_cannot_choose_a_weaker_signature() {
    let body = "x";
    let sha1 = format!("sha1={}", hex(&mac::<Sha1Mac>(SECRET.as_bytes(), b"x")));
    let sha256 = format!("sha256={}", hmac_sha256(SECRET, b"x"));
    let wrong = format!("sha256={}", hmac_sha256(SECRET, b"y"));
    let (old, new) = ("x-hub-signature", "x-hub-signature-256");
    let legacy = SignatureLayer::new(Meta::new(secret()).unwrap().accept_legacy_sha1());
    use RejectionKind::{Malformed, Missing, SignatureMismatch};
    for (name, layer, headers, expected) in [
        ("old alone", &meta_layer(), vec![(old, &sha1)], Some(Missing)),
        ("old under the new name", &meta_layer(), vec![(new, &sha1)], Some(Malformed)),
        ("both", &meta_layer(), vec![(old, &sha1), (new, &sha256)], None),
        ("switched on", &legacy, vec![(old, &sha1)], None),
        ("switched on, new", &legacy, vec![(new, &sha256)], None),
        ("the new decides", &legacy, vec![(old, &sha1), (new, &wrong)], Some(SignatureMismatch)),
        (
            "the new decides, empty",
            &legacy,
            vec![(old, &sha1), (new, &String::new())],
            Some(Missing),
        ),
        ("new under the old name", &legacy, vec![(old, &sha256)], Some(Malformed)),
    ] {
        let mut request = Request::post("/");
        for (header, value) in headers {
            request = request.header(header, value);
        }
        let sent = send(layer, request.body(Script::data([body])).unwrap()).await;
        match expected {
            None => assert_eq!(sent.1.count(), 1, "{name}"),
            Some(kind) => assert_refused(name, kind, &sent),
        }
    }
}

#[test]
fn no_accept_all_verifier_is_exported() {
    // The one way to let a request through unverified, the mark it leaves, and the one to let it
    // through unguarded.
    const LOUD: [&str; 3] = ["dangerously_report_only", "Unverified", "dangerously_fail_open"];
    const WORDS: [&str; 13] = [
        "noop",
        "no_op",
        "insecure",
        "dangerous",
        "disable",
        "bypass",
        "skip",
        "unverified",
        "allow_all",
        "accept_all",
        "accept_any",
        "unchecked",
        "dummy",
    ];
    const HARMLESS: [&str; 5] =
        ["ResponseBody", "MetricsObserver", "Filter", "DeliveryLogBuilder", "Drain"];
    let roots =
        ["src/lib.rs", "src/providers/mod.rs", "src/providers/own/list.rs", "src/scheme/mod.rs"];
    let mut exported = BTreeSet::new();
    for statement in statements() {
        let about = format!("{}: {}", statement.path, statement.tokens.join(" "));
        let methods =
            [statement.after(&["pub", "fn"]), statement.after(&["pub", "const", "fn"])].concat();
        let mut names: Vec<_> = methods.into_iter().map(str::to_owned).collect();
        assert!(!names.iter().any(|name| name == "enabled"), "{about}");
        // The names in the braces of `pub use` are statements of their own.
        if roots.iter().any(|root| statement.path.ends_with(root)) {
            exported.extend(statement.tokens.iter().cloned());
            names.extend(statement.tokens.iter().cloned());
        }
        for name in names.iter().filter(|name| !LOUD.contains(&&***name)) {
            let name = name.to_lowercase();
            assert!(!WORDS.iter().any(|word| name.contains(word)), "{about}");
        }
        // No verifier exists without having been given a secret.
        for name in statement.after(&["Default", "for"]) {
            assert!(HARMLESS.contains(&name), "{about}");
        }
    }
    assert!(exported.contains("SignatureLayer") && exported.contains("Twilio"), "{exported:?}");
}
