//! What a handler learns of a genuine request, and what nobody can change of it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use tower_webhook::{
    Scheme, Secret, Verified, Verifier,
    providers::{BoxVerifier, GitHub, SharedToken, StandardWebhooks, Stripe},
    replay::ReplayKey,
    scheme::Component,
    verifier::{Clock, all_of, any_of, verifier_fn, verify_at},
};

use crate::support::{AtTime, Sha256Mac, at, head_of, hmac_sha256, mac, verify};

const NOW: u64 = 1_700_000_000;
const BODY: &str = "hello";

fn key_of(verifier: &impl Verifier, request: Request<()>) -> (Verified, ReplayKey) {
    let verified = verify(verifier, &head_of(request), &Bytes::from(BODY)).unwrap();
    let key = verified.replay_key().unwrap();
    (verified, key)
}

#[test]
fn unsigned_id_does_not_change_replay_key() {
    let github = GitHub::new("secret").unwrap();
    let request = |id| {
        let signature = format!("sha256={}", hmac_sha256("secret", BODY.as_bytes()));
        Request::post("/")
            .header("x-hub-signature-256", signature)
            .header("x-github-delivery", id)
            .body(())
            .unwrap()
    };
    let (first, second) = (key_of(&github, request("1")), key_of(&github, request("2")));
    assert_eq!(first.0.delivery_id().unwrap(), "1");
    assert!(!first.0.delivery_id_is_signed());
    assert_eq!(first.1, second.1);
}

#[test]
fn two_deliveries_have_two_replay_keys() {
    let github = GitHub::new("secret").unwrap();
    let key = |body: &'static str| {
        let signature = format!("sha256={}", hmac_sha256("secret", body.as_bytes()));
        let request = Request::post("/").header("x-hub-signature-256", signature).body(()).unwrap();
        let verified = verify(&github, &head_of(request), &Bytes::from(body)).unwrap();
        verified.replay_key().unwrap()
    };
    assert_eq!(key("one"), key("one"));
    assert_ne!(key("one"), key("two"));
}

#[test]
fn signature_in_other_case_has_same_replay_key() {
    let github = GitHub::new("secret").unwrap();
    let tag = hmac_sha256("secret", BODY.as_bytes());
    let request = |tag: &str| {
        let signature = format!("sha256={tag}");
        Request::post("/").header("x-hub-signature-256", signature).body(()).unwrap()
    };
    let (lower, upper) = (request(&tag), request(&tag.to_uppercase()));
    assert_eq!(key_of(&github, lower).1, key_of(&github, upper).1);
}

fn standard_webhooks(id: &'static [u8]) -> Request<()> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let signed = format!("msg_1.{NOW}.{BODY}");
    let tag = mac::<Sha256Mac>(b"key key key key key key ", signed.as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(tag));
    Request::post("/")
        .header("webhook-id", HeaderValue::from_bytes(id).unwrap())
        .header("webhook-timestamp", NOW)
        .header("webhook-signature", signature)
        .body(())
        .unwrap()
}

#[test]
fn white_space_round_a_signed_id_is_no_part_of_it() {
    // HTTP/2 does not take it off.
    let secret = Secret::from_bytes(*b"key key key key key key ").unwrap();
    let verifier = StandardWebhooks::new(secret).unwrap().clock(at(NOW));
    let (plain, key) = key_of(&verifier, standard_webhooks(b"msg_1"));
    assert!(plain.delivery_id_is_signed());
    for id in [&b" msg_1"[..], b"msg_1\t", b"  msg_1 "] {
        let (padded, padded_key) = key_of(&verifier, standard_webhooks(id));
        assert_eq!(padded.delivery_id().unwrap(), "msg_1");
        assert_eq!(padded_key, key);
    }
}

#[test]
fn dropping_one_signature_keeps_replay_key() {
    let stripe = Stripe::new([Secret::new("new").unwrap(), Secret::new("old").unwrap()]).unwrap();
    let stripe = stripe.clock(at(NOW));
    let signed = |key| hmac_sha256(key, format!("{NOW}.{BODY}").as_bytes());
    let (new, old) = (signed("new"), signed("old"));
    let request = |signatures: String| {
        Request::post("/")
            .header("stripe-signature", format!("t={NOW}{signatures}"))
            .body(())
            .unwrap()
    };
    let (both, key) = key_of(&stripe, request(format!(",v1={new},v1={old}")));
    assert_eq!(both.key_index(), 0, "the first that matches");
    for (signatures, key_index) in
        [(format!(",v1={old}"), 1), (format!(",v1={new}"), 0), (format!(",v1={old},v1={new}"), 0)]
    {
        let (verified, other) = key_of(&stripe, request(signatures));
        assert_eq!(verified.key_index(), key_index);
        assert_eq!(other, key);
    }
}

/// A body can take long, so a second reading would shorten the time for which a delivery is
/// remembered.
#[test]
fn the_clock_is_read_once_at_the_head() {
    let readings = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&readings);
    // Each reading is 100 seconds later than the one before.
    let clock = Clock::new(move || {
        UNIX_EPOCH + Duration::from_secs(NOW + 100 * counted.fetch_add(1, Ordering::Relaxed))
    });
    let tag = hmac_sha256("secret", format!("{NOW}.{BODY}").as_bytes());
    let value = format!("t={NOW},v1={tag}");
    let request = Request::post("/").header("stripe-signature", value).body(()).unwrap();
    let (stripe, body) = (Stripe::new("secret").unwrap(), Bytes::from(BODY));
    let outcome = verify_at(&stripe, &head_of(request), &body, clock).unwrap();
    assert_eq!(outcome.verified().valid_for(), Some(Duration::from_secs(300)));
    assert_eq!(readings.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_unique_and_for_how_long_it_is_fresh() {
    let stripe = |now| Stripe::new("secret").unwrap().clock(at(now));
    let tag = hmac_sha256("secret", format!("{NOW}.{BODY}").as_bytes());
    for (now, seconds) in [(NOW - 300, 600), (NOW, 300), (NOW + 299, 1), (NOW + 300, 0)] {
        let value = format!("t={NOW},v1={tag}");
        let request = Request::post("/").header("stripe-signature", value).body(()).unwrap();
        let (verified, _) = key_of(&stripe(now), request);
        assert_eq!(verified.valid_for().unwrap().as_secs(), seconds);
        assert!(verified.has_unique_replay_key());
    }
    let verified = Verified::new("acme").with_replay_material(b"tag");
    assert!(!verified.has_unique_replay_key());
    let id = || HeaderValue::from_static("1");
    assert!(!verified.clone().with_delivery_id(id(), false).has_unique_replay_key());
    assert!(verified.clone().with_delivery_id(id(), true).has_unique_replay_key());
    // All of one second have the same time, and a retry may have the same id in its body.
    assert!(!verified.clone().with_signed_at(at(NOW)()).has_unique_replay_key());
    assert!(!verified.clone().with_unique_content().has_unique_replay_key());
    assert!(verified.with_signed_at(at(NOW)()).with_unique_content().has_unique_replay_key());
    // With nothing to tell them by, no two are different.
    assert!(!Verified::new("acme").with_delivery_id(id(), true).has_unique_replay_key());
}

#[test]
fn replay_key_depends_on_provider_tenant_and_identity() {
    let key = |provider, tenant: Option<&str>, identity: &[u8]| {
        let verified = Verified::new(provider).with_replay_material(identity);
        let verified = match tenant {
            Some(tenant) => verified.with_tenant(tenant),
            None => verified,
        };
        verified.with_key_index(7).replay_key().unwrap()
    };
    let (long, longer) = ([b'x'; 65], [b'x'; 66]);
    let keys = [
        key("a", None, b"1"),
        key("b", None, b"1"),
        key("a", Some("t"), b"1"),
        key("a", Some("u"), b"1"),
        key("a", None, b"1\0"),
        // Where the id ends and the tenant begins.
        key("a", Some("ut"), b"1"),
        key("a", Some("t"), b"1u"),
        key("a", None, b""),
        key("a", None, &long[..64]),
        key("a", None, &long),
        key("a", None, &longer),
    ];
    for (at, one) in keys.iter().enumerate() {
        assert!(!keys[at + 1..].contains(one), "{at}");
    }
    assert_eq!(key("a", Some("t"), b"1"), key("a", Some("t"), b"1"));
    assert!(Verified::new("a").replay_key().is_none());
}

#[test]
fn combined_replay_key_prefers_unique_then_first() {
    let none = Verified::new("acme");
    let body = |tag: &[u8]| Verified::new("acme").with_replay_material(tag);
    let timed = |tag: &[u8]| {
        let proof = body(tag).with_signed_at(at(NOW)()).with_valid_for(Duration::ZERO);
        proof.with_unique_content()
    };
    for (name, first, second, expected) in [
        ("neither", none.clone(), none.clone(), none.clone()),
        ("the second alone", none.clone(), body(b"2"), body(b"2")),
        ("the first alone", body(b"1"), none.clone(), body(b"1")),
        ("neither is unique", body(b"1"), body(b"2"), body(b"1")),
        ("the second is unique", body(b"1"), timed(b"2"), timed(b"2")),
        ("the first is unique", timed(b"1"), body(b"2"), timed(b"1")),
        ("the first is, and nothing else", timed(b"1"), none, timed(b"1")),
        ("both are unique", timed(b"1"), timed(b"2"), timed(b"1")),
    ] {
        let always = |proof: Verified| verifier_fn(move |_, _| Ok(proof.clone()));
        let verifier = all_of(always(first), always(second));
        let verified = verify(&verifier, &head_of(Request::new(())), &Bytes::new()).unwrap();
        assert_eq!(verified.replay_key(), expected.replay_key(), "{name}");
        assert_eq!(verified.has_unique_replay_key(), expected.has_unique_replay_key(), "{name}");
        assert_eq!(verified.signed_at(), expected.signed_at(), "{name}");
        assert_eq!(verified.valid_for(), expected.valid_for(), "{name}");
    }
}

/// Stores outlive this crate's versions.
#[test]
fn a_replay_key_is_made_as_it_ever_was() {
    use sha2::{Digest, Sha256};
    let long = [7; 65];
    for (identity, len, kept) in [
        (&b"id"[..], 2, b"id".to_vec()),
        (&long[..64], 64, long[..64].to_vec()),
        (&long, 255, Sha256::digest(long).to_vec()),
    ] {
        let mut hash = Sha256::new_with_prefix(b"tower-webhook replay key 1\0acme\0");
        hash.update([len]);
        hash.update(kept);
        hash.update("tenant");
        let verified = Verified::new("acme").with_tenant("tenant").with_replay_material(identity);
        assert_eq!(verified.replay_key().unwrap().as_ref(), &hash.finalize()[..], "{len}");
    }
}

/// Two deliveries have one replay key only if they are one: over senders, tenants, ids and ways to
/// compose verifiers.
#[test]
fn replay_keys_are_one_for_one_delivery_alone() {
    const UNNAMED: Scheme = Scheme::hmac_sha256("x-sig").signed_content(&[
        Component::Id,
        Component::Literal("."),
        Component::Body,
    ]);
    let senders = [
        UNNAMED.delivery_id("x-id"),
        UNNAMED.headers(&["x-other-sig"]).delivery_id("x-id"),
        UNNAMED.delivery_id("x-other-id"),
        UNNAMED.provider("acme").delivery_id("x-id"),
        UNNAMED.provider("bolt").delivery_id("x-id"),
    ];
    let secret = || Secret::new("secret").unwrap();
    let token = || SharedToken::new(HeaderName::from_static("x-token"), secret()).unwrap();
    let stranger = || GitHub::new(secret()).unwrap();
    let mut keys: HashMap<ReplayKey, String> = HashMap::new();
    let mut count = 0;
    for (sender, scheme) in senders.into_iter().enumerate() {
        for (id, tenant) in ["1", "2", "12"].iter().flat_map(|id| {
            [None, Some("a"), Some("b"), Some("2"), Some("a2")].map(|tenant| (*id, tenant))
        }) {
            let tag = hmac_sha256("secret", format!("{id}.{BODY}").as_bytes());
            let mut request = Request::post("/").header("x-token", "secret");
            for name in ["x-sig", "x-other-sig"] {
                request = request.header(name, &tag);
            }
            for name in ["x-id", "x-other-id"] {
                request = request.header(name, id);
            }
            let head = head_of(request.body(()).unwrap());
            let signed = || {
                let verifier = scheme.verifier(secret()).unwrap();
                let verifier = BoxVerifier::new(verifier);
                match tenant {
                    Some(tenant) => BoxVerifier::new(verifier.for_tenant(tenant)),
                    None => verifier,
                }
            };
            let of_tenant = |verifier: BoxVerifier| match tenant {
                Some(tenant) => BoxVerifier::new(verifier.for_tenant(tenant)),
                None => verifier,
            };
            let plain = || BoxVerifier::new(scheme.verifier(secret()).unwrap());
            for (way, verifier) in [
                ("alone", signed()),
                ("all_of, first", BoxVerifier::new(all_of(signed(), token()))),
                ("all_of, second", BoxVerifier::new(all_of(token(), signed()))),
                (
                    "all_of, token's tenant",
                    BoxVerifier::new(all_of(of_tenant(token_any()), plain())),
                ),
                ("any_of, first", BoxVerifier::new(any_of(signed(), stranger()))),
                ("any_of, second", BoxVerifier::new(any_of(stranger(), signed()))),
                ("all_of, outside", of_tenant(BoxVerifier::new(all_of(token(), plain())))),
            ] {
                let verified = verify(&verifier, &head, &Bytes::from(BODY)).unwrap();
                assert!(verified.has_unique_replay_key(), "{way}");
                assert_eq!(verified.tenant(), tenant, "{way}");
                // Whatever it is composed of, it is the same sender's delivery.
                let one = format!("sender {sender}, id {id}, tenant {tenant:?}");
                let key = verified.replay_key().unwrap();
                let known = keys.entry(key).or_insert_with(|| one.clone());
                assert_eq!(*known, one, "{way}");
                assert_eq!(
                    verify(&verifier, &head, &Bytes::from(BODY)).unwrap().replay_key(),
                    Some(key)
                );
                count += 1;
            }
        }
    }
    assert_eq!(count, 5 * 15 * 7);
}

/// Two senders of one scheme without a name number their deliveries alike.
#[test]
fn unnamed_scheme_replay_key_differs_by_secret() {
    const UNNAMED: Scheme = Scheme::hmac_sha256("x-sig")
        .signed_content(&[Component::Id, Component::Literal("."), Component::Body])
        .delivery_id("x-id");
    let by = |secret: &str| UNNAMED.verifier(Secret::new(secret).unwrap()).unwrap();
    let key = |verifier: &dyn Fn() -> BoxVerifier, secret: &str| {
        let tag = hmac_sha256(secret, format!("1.{BODY}").as_bytes());
        let request = Request::post("/").header("x-sig", tag).header("x-id", "1");
        let head = head_of(request.body(()).unwrap());
        verify(&verifier(), &head, &Bytes::from(BODY)).unwrap().replay_key().unwrap()
    };
    let both = || BoxVerifier::new(any_of(by("of a"), by("of b")));
    assert_ne!(key(&both, "of a"), key(&both, "of b"));
    // Through a rotation it is the same delivery.
    let before = || BoxVerifier::new(by("of a"));
    let rotated = UNNAMED.verifier(["new", "of a"]).unwrap();
    let rotated = || BoxVerifier::new(rotated.clone());
    assert_eq!(key(&before, "of a"), key(&rotated, "of a"));
    assert_eq!(key(&rotated, "new"), key(&rotated, "of a"));
}

/// The tag under the oldest secret tells a delivery that has no id.
#[test]
fn a_rotation_makes_no_new_delivery() {
    const ACME: Scheme = Scheme::hmac_sha256("x-acme").provider("acme");
    let secret = |text| Secret::new(text).unwrap();
    let rotated = ACME.verifier([secret("new"), secret("old")]).unwrap();
    let key = |verifier: &tower_webhook::scheme::SchemeVerifier, secrets: &[&str]| {
        let request = Request::post("/").header("x-acme", hmac_sha256(secrets[0], BODY.as_bytes()));
        let head = head_of(request.body(()).unwrap());
        verify(verifier, &head, &Bytes::from(BODY)).unwrap().replay_key().unwrap()
    };
    let before = key(&ACME.verifier(secret("old")).unwrap(), &["old"]);
    assert_eq!(key(&rotated, &["old"]), before);
    assert_eq!(key(&rotated, &["new"]), before);
}

#[cfg(all(feature = "asymmetric", feature = "sign"))]
#[test]
fn unnamed_scheme_replay_key_differs_by_public_key() {
    use tower_webhook::sign::{PrivateKey, Signing, signed};
    const UNNAMED: Scheme = Scheme::ed25519("x-sig")
        .signed_content(&[Component::Id, Component::Literal("."), Component::Body])
        .delivery_id("x-id");
    let keys = [1, 2].map(|seed| PrivateKey::from_ed25519_seed(&[seed; 32]).unwrap());
    let by = |key: &PrivateKey| UNNAMED.verifier(key.public_key().unwrap()).unwrap();
    let both = any_of(by(&keys[0]), by(&keys[1]));
    let [a, b] = keys.each_ref().map(|key| {
        let request = Request::post("/").header("x-id", "1").body(Bytes::from(BODY)).unwrap();
        let (head, body) = signed(&by(key), request, Signing::at(at(NOW)()).private_key(key))
            .unwrap()
            .into_parts();
        verify(&both, &head, &body).unwrap().replay_key().unwrap()
    });
    assert_ne!(a, b);
}

/// A replay guard must remember a delivery for as long as the composition accepts it.
#[test]
fn a_composition_accepts_for_as_long_as_its_parts_do() {
    let proof = |identity: &[u8], seconds: Option<u64>| {
        let proof = Verified::new("acme").with_replay_material(identity).with_unique_content();
        let proof = proof.with_signed_at(at(NOW)());
        seconds
            .into_iter()
            .fold(proof, |proof, seconds| proof.with_valid_for(Duration::from_secs(seconds)))
    };
    let always = |proof: Verified| verifier_fn(move |_, _| Ok(proof.clone()));
    let fresh = |verifier: BoxVerifier| {
        let verified = verify(&verifier, &head_of(Request::new(())), &Bytes::new()).unwrap();
        verified.valid_for().map(|time| time.as_secs())
    };
    for (first, second, either, both) in [
        (Some(5), Some(9), Some(9), Some(5)),
        (Some(9), Some(5), Some(9), Some(5)),
        (Some(5), None, None, Some(5)),
        (None, Some(5), None, Some(5)),
        (None, None, None, None),
    ] {
        let parts = |identity| (always(proof(b"1", first)), always(proof(identity, second)));
        let (a, b) = parts(b"1");
        assert_eq!(fresh(BoxVerifier::new(any_of(a, b))), either, "{first:?} {second:?}");
        let (a, b) = parts(b"1");
        assert_eq!(fresh(BoxVerifier::new(all_of(a, b))), both, "{first:?} {second:?}");
        // What the other one accepts again has its own key: the delivery is known by that.
        let (a, b) = parts(b"2");
        let both = verify(&any_of(a, b), &head_of(Request::new(())), &Bytes::new()).unwrap();
        let is_seconds = either != first;
        let known = proof(if is_seconds { b"2" } else { b"1" }, None).replay_key();
        assert_eq!(both.replay_key(), known, "{first:?} {second:?}");
        assert_eq!(both.valid_for().map(|time| time.as_secs()), either, "{first:?} {second:?}");
    }
}

fn token_any() -> BoxVerifier {
    let token =
        SharedToken::new(HeaderName::from_static("x-token"), Secret::new("secret").unwrap())
            .unwrap();
    BoxVerifier::new(token)
}
