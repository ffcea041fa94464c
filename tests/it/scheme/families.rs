//! A provider's other headers: the first family that is there decides, and no weaker one is a way round
//! it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{KeyInit, Mac};
use http::{Request, request::Parts};
use tower_webhook::{
    RejectionKind::{self, Malformed, Missing, Repeated, SignatureMismatch},
    Scheme, Secret, Verified,
    providers::{self, Flutterwave, GitHub, Meta, Shopify, Vanta},
    scheme::{Component, TimestampFormat, TimestampSource, Tolerance},
};

use crate::support::{self, AtTime, Sha1Mac, Sha256Mac, Sha512Mac, at, mac, verify};

const SECRET: &str = "the secret of both families";
const BODY: &str = r#"{"id":"1"}"#;

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn base64(body: &str) -> String {
    BASE64_STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), body.as_bytes()))
}

fn hex<M: Mac + KeyInit>(body: &str) -> String {
    support::hex(&mac::<M>(SECRET.as_bytes(), body.as_bytes()))
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let request =
        headers.iter().fold(Request::post("/"), |r, (name, value)| r.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn judged(
    verifier: &impl tower_webhook::Verifier,
    headers: &[(&str, &str)],
) -> Result<Verified, RejectionKind> {
    verify(verifier, &head(headers), &Bytes::from(BODY)).map_err(|why| why.kind())
}

#[test]
fn each_family_is_verified_by_type_and_by_name() {
    let good = base64(BODY);
    let (sha256, sha512) = (hex::<Sha256Mac>(BODY), hex::<Sha512Mac>(BODY));
    for (name, header, value) in [
        ("shopify", "x-shopify-hmac-sha256", good.clone()),
        ("shopify", "shopify-hmac-sha256", good.clone()),
        ("aftership", "aftership-hmac-sha256", good.clone()),
        ("aftership", "as-signature-hmac-sha256", good.clone()),
        ("aftership", "am-webhook-signature", format!("hmac-sha256={good}")),
        ("sentry", "sentry-hook-signature", sha256.clone()),
        ("sentry", "sentry-app-signature", sha256.clone()),
        ("terraform", "x-tfe-notification-signature", sha512.clone()),
        ("terraform", "x-tfc-task-signature", sha512),
        ("intercom", "x-body-signature", sha256),
        ("flutterwave", "flutterwave-signature", good),
        ("flutterwave", "verif-hash", SECRET.to_owned()),
    ] {
        let provider = providers::by_name(name).unwrap();
        let verifier = provider.verifier(secret()).unwrap();
        let verified = judged(&verifier, &[(header, &value)]).unwrap();
        assert_eq!((verified.provider(), verified.key_index()), (name, 0), "{header}");
        let other = provider.verifier(Secret::new("another secret").unwrap()).unwrap();
        assert_eq!(judged(&other, &[(header, &value)]).unwrap_err(), SignatureMismatch, "{header}");
        let hidden = verifier.sensitive_parts_shown();
        assert!(hidden.contains(header), "{header} in {hidden}");
    }
}

/// What a log must not show.
trait Shown {
    fn sensitive_parts_shown(&self) -> String;
}

impl<V: tower_webhook::Verifier> Shown for V {
    fn sensitive_parts_shown(&self) -> String {
        format!("{:?}", self.sensitive_parts())
    }
}

#[test]
fn where_two_are_there_the_first_decides() {
    let (good, bad) = (base64(BODY), base64("another body"));
    let shopify = Shopify::new([Secret::new("new").unwrap(), secret()]).unwrap();
    let (old, new) = ("x-shopify-hmac-sha256", "shopify-hmac-sha256");
    let both = judged(&shopify, &[(old, &good), (new, &good), ("shopify-webhook-id", "e-1")]);
    let both = both.unwrap();
    assert_eq!((both.key_index(), both.delivery_id().unwrap().as_bytes()), (1, &b"e-1"[..]));
    // The same delivery, whichever of the two somebody leaves out.
    for header in [old, new] {
        let one = judged(&shopify, &[(header, &good)]).unwrap();
        assert_eq!(one.replay_key(), both.replay_key());
    }
    for (headers, kind) in [
        (vec![(old, &*good), (new, &*bad)], SignatureMismatch),
        (vec![(old, &good), (new, "")], Missing),
        (vec![(old, &good), (new, "x")], Malformed),
        (vec![(old, &bad)], SignatureMismatch),
        (vec![], Missing),
    ] {
        assert_eq!(judged(&shopify, &headers).unwrap_err(), kind, "{headers:?}");
    }
    assert!(judged(&shopify, &[(old, &bad), (new, &good)]).is_ok());
    let twice = judged(&shopify, &[(new, &good), (new, &good)]);
    assert_eq!(twice.unwrap_err(), Repeated);
}

#[test]
fn a_token_is_no_way_round_a_bad_signature() {
    let (good, bad) = (base64(BODY), base64("another body"));
    let (signature, token) = ("flutterwave-signature", "verif-hash");
    let flutterwave = Flutterwave::new(secret()).unwrap();
    let refused = judged(&flutterwave, &[(signature, &bad), (token, SECRET)]);
    assert_eq!(refused.unwrap_err(), SignatureMismatch);
    assert!(judged(&flutterwave, &[(signature, &good), (token, "x")]).is_ok());
    let signed = judged(&flutterwave, &[(signature, &good)]).unwrap();
    assert!(signed.replay_key().is_some());
    assert!(judged(&flutterwave, &[(token, SECRET)]).unwrap().replay_key().is_none());
    let strict = flutterwave.signed_only();
    assert_eq!(judged(&strict, &[(token, SECRET)]).unwrap_err(), Missing);
    assert!(judged(&strict, &[(signature, &good)]).is_ok());
    // Intercom's is SHA-1 otherwise.
    let intercom = providers::by_name("intercom").unwrap().verifier(secret()).unwrap();
    let weak = format!("sha1={}", hex::<Sha1Mac>(BODY));
    assert!(judged(&intercom, &[("x-hub-signature", &weak)]).is_ok());
    let beside = [("x-hub-signature", &*weak), ("x-body-signature", "00")];
    assert!(judged(&intercom, &beside).is_err());
}

/// Clock and further secrets reach each family.
#[test]
fn family_of_a_scheme_gets_its_secrets_and_clock() {
    const NEW: Scheme = Scheme::hmac_sha256("x-new")
        .provider("acme")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds);
    const ACME: Scheme = Scheme::hmac_sha256("x-old").provider("acme").families(&[NEW]);
    let verifier = |now| {
        let first = Secret::new("first").unwrap();
        ACME.verifier([first, secret()]).unwrap().clock(at(now))
    };
    let tag = hex::<Sha256Mac>(&format!("1700000000.{BODY}"));
    let headers = [("x-new", &*tag), ("x-time", "1700000000")];
    assert_eq!(judged(&verifier(1_700_000_000), &headers).unwrap().key_index(), 1);
    let late = judged(&verifier(1_700_000_000 + 86_401), &headers);
    assert_eq!(late.unwrap_err(), RejectionKind::TimestampStale);
}

/// A first contact has a signature in none of the families' headers.
#[tokio::test]
async fn what_a_family_has_signed_is_no_first_contact() {
    use http_body_util::Full;
    use tower_webhook::{
        SignatureLayer,
        scheme::{ContactField, FirstContact},
    };
    const ACME: Scheme = Scheme::hmac_sha256("x-old")
        .families(&[Scheme::hmac_sha256("x-new")])
        .first_contacts(&[FirstContact::json(&[("id", ContactField::Digits)])]);
    let layer = SignatureLayer::new(ACME.verifier(secret()).unwrap());
    for (header, value, status, calls) in [
        ("x-other", "1", 200, 0),
        ("x-old", "00", 403, 0),
        ("x-new", "00", 403, 0),
        ("x-new", &*hex::<Sha256Mac>(BODY), 200, 1),
    ] {
        let request = Request::post("/").header(header, value);
        let request = request.body(Full::<Bytes>::from(BODY)).unwrap();
        let (response, inner) = support::send(&layer, request).await;
        assert_eq!((response.status().as_u16(), inner.count()), (status, calls), "{header}");
    }
}

#[tokio::test]
async fn first_contact_with_any_family_header_is_rejected() {
    use http_body_util::Full;
    use tower_webhook::{
        SignatureLayer,
        scheme::{ContactField, FirstContact},
    };
    const FAMILIES: &[Scheme] = &[
        Scheme::hmac_sha256("x-1"),
        Scheme::hmac_sha256("x-2"),
        Scheme::hmac_sha256("x-3"),
        Scheme::hmac_sha256("x-4"),
    ];
    const ACME: Scheme = Scheme::hmac_sha256("x-own")
        .legacy(&Scheme::hmac_sha1("x-legacy"))
        .first_contacts(&[FirstContact::json(&[("id", ContactField::Digits)])]);
    let layer = SignatureLayer::new(ACME.families(&FAMILIES[..3]).verifier(secret()).unwrap());
    for (header, status) in [
        ("x-other", 200),
        ("x-own", 403),
        ("x-1", 403),
        ("x-2", 403),
        ("x-3", 403),
        ("x-legacy", 403),
    ] {
        let request = Request::post("/").header(header, "00");
        let request = request.body(Full::<Bytes>::from(BODY)).unwrap();
        let (response, inner) = support::send(&layer, request).await;
        assert_eq!((response.status().as_u16(), inner.count()), (status, 0), "{header}");
    }
    // One more would have no room, and its signed requests would pass for unsigned ones.
    assert!(ACME.families(FAMILIES).verifier(secret()).is_err());
    assert!(ACME.first_contacts(&[]).families(FAMILIES).verifier(secret()).is_ok());
}

type Judged<'a> = &'a dyn Fn(&[(&str, &str)]) -> Result<Verified, RejectionKind>;

/// On request alone, and whatever the older header says, the newer one decides where it is there.
#[test]
fn legacy_signature_is_accepted_only_when_enabled() {
    const OWN: Scheme = Scheme::hmac_sha256("x-hub-signature-256")
        .prefix("sha256=")
        .legacy(&Scheme::hmac_sha1("x-hub-signature").prefix("sha1="));
    let own = || OWN.verifier(secret()).unwrap();
    let other = || Secret::new("another secret").unwrap();
    let (new, old) = ("x-hub-signature-256", "x-hub-signature");
    let sha256 = format!("sha256={}", hex::<Sha256Mac>(BODY));
    let bad_sha256 = format!("sha256={}", hex::<Sha256Mac>("another body"));
    let sha1 = format!("sha1={}", hex::<Sha1Mac>(BODY));
    let bad_sha1 = format!("sha1={}", hex::<Sha1Mac>("another body"));
    let meta = Meta::new(secret()).unwrap().accept_legacy_sha1();
    let (own, own_legacy) = (own(), own().accept_legacy());
    let (early, late) = (
        GitHub::new([other(), secret()]).unwrap().accept_legacy_sha1(),
        GitHub::new([other(), secret()]).unwrap().accept_legacy_sha1(),
    );
    let (github, github_legacy) =
        (GitHub::new(secret()).unwrap(), GitHub::new(secret()).unwrap().accept_legacy_sha1());
    let strict: [Judged<'_>; 3] = [
        &|headers| judged(&Meta::new(secret()).unwrap(), headers),
        &|headers| judged(&github, headers),
        &|headers| judged(&own, headers),
    ];
    let legacy: [(Judged<'_>, usize); 5] = [
        (&|headers| judged(&meta, headers), 0),
        (&|headers| judged(&github_legacy, headers), 0),
        (&|headers| judged(&own_legacy, headers), 0),
        (&|headers| judged(&early, headers), 1),
        (&|headers| judged(&late, headers), 1),
    ];
    for (headers, by_strict, by_legacy) in [
        (vec![(new, &*sha256)], None, None),
        (vec![(new, &sha256), (old, &sha1)], None, None),
        (vec![(new, &sha256), (old, &bad_sha1)], None, None),
        (vec![(new, &sha256), (old, &sha1), (old, &sha1)], None, None),
        (vec![(old, &sha1)], Some(Missing), None),
        (vec![(old, &bad_sha1)], Some(Missing), Some(SignatureMismatch)),
        (vec![(old, &sha256)], Some(Missing), Some(Malformed)),
        (vec![(old, "")], Some(Missing), Some(Missing)),
        (vec![(old, &sha1), (old, &sha1)], Some(Missing), Some(Repeated)),
        (vec![(new, &sha1)], Some(Malformed), Some(Malformed)),
        (vec![(new, &bad_sha256), (old, &sha1)], Some(SignatureMismatch), Some(SignatureMismatch)),
        (vec![(new, ""), (old, &sha1)], Some(Missing), Some(Missing)),
        (vec![(new, "x"), (old, &sha1)], Some(Malformed), Some(Malformed)),
        (vec![(new, &sha256), (new, &sha256), (old, &sha1)], Some(Repeated), Some(Repeated)),
        (vec![], Some(Missing), Some(Missing)),
    ] {
        for judged in strict {
            assert_eq!(judged(&headers).err(), by_strict, "{headers:?}");
        }
        for (judged, key_index) in legacy {
            let verdict = judged(&headers).map(|verified| verified.key_index());
            assert_eq!(verdict, by_legacy.map_or(Ok(key_index), Err), "{headers:?}");
        }
    }
    // A log shows neither.
    for shown in
        [Meta::new(secret()).unwrap().sensitive_parts_shown(), github.sensitive_parts_shown()]
    {
        assert!(shown.contains(new) && shown.contains(&format!("{old}\"")), "{shown}");
    }
    // One delivery, whichever header somebody takes off it, and whatever the rotation.
    for (judged, _) in legacy {
        let key = |headers: &[(&str, &str)]| judged(headers).unwrap().replay_key().unwrap();
        let both = key(&[(new, &sha256), (old, &sha1)]);
        assert_eq!(both, key(&[(old, &sha1)]));
        assert_eq!(both, key(&[(new, &sha256)]));
    }
    let delivery = [(old, &*sha1), ("x-github-delivery", "d-1")];
    let verified = judged(&github_legacy, &delivery).unwrap();
    assert_eq!(verified.delivery_id().unwrap(), "d-1");
    assert_eq!(verified.provider(), "github");
}

/// Without a legacy of the scheme's, nothing is accepted that was not before; with one, each
/// request that has its header is verified by it, first contacts among them.
#[tokio::test]
async fn a_legacy_header_is_no_first_contact_either() {
    use http_body_util::Full;
    use tower_webhook::{
        SignatureLayer,
        scheme::{ContactField, FirstContact},
    };
    const PLAIN: Scheme = Scheme::hmac_sha256("x-new")
        .first_contacts(&[FirstContact::json(&[("id", ContactField::Digits)])]);
    const ACME: Scheme = PLAIN.legacy(&Scheme::hmac_sha1("x-old"));
    let plain = SignatureLayer::new(PLAIN.verifier(secret()).unwrap().accept_legacy());
    let acme = SignatureLayer::new(ACME.verifier(secret()).unwrap().accept_legacy());
    let (good, bad) = (hex::<Sha1Mac>(BODY), hex::<Sha1Mac>("another body"));
    for (layer, value, status, calls) in [
        (&plain, &*good, 200, 0),
        (&acme, &good, 200, 1),
        (&acme, &bad, 403, 0),
        (&acme, "", 403, 0),
    ] {
        let request = Request::post("/").header("x-old", value);
        let request = request.body(Full::<Bytes>::from(BODY)).unwrap();
        let (response, inner) = support::send(layer, request).await;
        assert_eq!((response.status().as_u16(), inner.count()), (status, calls), "{value}");
    }
}

#[test]
fn clock_and_tolerance_of_a_legacy_are_its_own() {
    const OLD: Scheme = Scheme::hmac_sha1("x-old")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds);
    const ACME: Scheme = Scheme::hmac_sha256("x-new").legacy(&OLD);
    let tag = hex::<Sha1Mac>(&format!("1700000000.{BODY}"));
    let headers = [("x-old", &*tag), ("x-time", "1700000000")];
    let verifier = ACME.verifier(secret()).unwrap().accept_legacy();
    assert!(judged(&verifier.clone().clock(at(1_700_000_000)), &headers).is_ok());
    let late = judged(&verifier.clock(at(1_700_000_000 + 86_401)), &headers);
    assert_eq!(late.unwrap_err(), RejectionKind::TimestampStale);
}

/// What a stranger is told in answer to a challenge is a signature in no family and by no legacy.
#[test]
fn a_keyed_handshake_signs_for_no_family() {
    use tower_webhook::scheme::Challenge;
    const CRC: Scheme = Scheme::hmac_sha256("x-new").challenge(Challenge::CrcToken);
    const TOKEN: Scheme =
        Scheme::hmac_sha256("x-old").signed_content(&[Component::Literal("v0"), Component::Body]);
    const SPACE: Scheme =
        Scheme::hmac_sha256("x-old").signed_content(&[Component::Literal("v 0"), Component::Body]);
    const SHA1: Scheme =
        Scheme::hmac_sha1("x-old").signed_content(&[Component::Literal("v0"), Component::Body]);
    const PLAIN: Scheme = Scheme::hmac_sha256("x-old");
    let is_built = |scheme: Scheme| scheme.verifier(secret()).is_ok();
    assert!(!is_built(CRC.legacy(&TOKEN)));
    assert!(!is_built(CRC.families(&[TOKEN])));
    for scheme in [CRC.legacy(&SPACE), CRC.legacy(&SHA1), CRC.families(&[SPACE, SHA1])] {
        assert!(is_built(scheme));
    }
    // A body that is a challenge is refused where it alone is signed.
    let verifier = CRC.legacy(&PLAIN).verifier(secret()).unwrap().accept_legacy();
    let tag = hex::<Sha256Mac>("attack");
    let verdict = verify(&verifier, &head(&[("x-old", &tag)]), &Bytes::from("attack"));
    assert_eq!(verdict.unwrap_err().kind(), SignatureMismatch);
    assert!(judged(&verifier, &[("x-old", &hex::<Sha256Mac>(BODY))]).is_ok());
}

/// A family without a name or a tolerance has those of its scheme.
#[test]
fn family_inherits_name_and_tolerance() {
    const NEW: Scheme = Scheme::hmac_sha256("x-new")
        .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
        .time(TimestampSource::Header("x-time"), TimestampFormat::UnixSeconds);
    const ACME: Scheme =
        NEW.headers(&["x-old"]).provider("acme").tolerance(Tolerance::seconds(60)).families(&[NEW]);
    let verifier = |now| ACME.verifier(secret()).unwrap().clock(at(now));
    let tag = hex::<Sha256Mac>(&format!("1700000000.{BODY}"));
    let headers = [("x-new", &*tag), ("x-time", "1700000000")];
    assert_eq!(judged(&verifier(1_700_000_060), &headers).unwrap().provider(), "acme");
    let late = judged(&verifier(1_700_000_061), &headers);
    assert_eq!(late.unwrap_err(), RejectionKind::TimestampStale);
}

/// The same delivery under other header names is one delivery, and the type's tolerance holds for
/// both.
#[test]
fn either_family_of_a_sender_is_one_delivery() {
    let whsec = format!("whsec_{}", BASE64_STANDARD.encode(SECRET));
    let content = format!("msg_1.1700000000.{BODY}");
    let tag = BASE64_STANDARD.encode(mac::<Sha256Mac>(SECRET.as_bytes(), content.as_bytes()));
    let tag = format!("v1,{tag}");
    let by = |now, [signature, id, time]: [&str; 3]| {
        let vanta = Vanta::new(&*whsec).unwrap().tolerance(Tolerance::seconds(60));
        judged(&vanta.clock(at(now)), &[(signature, &tag), (id, "msg_1"), (time, "1700000000")])
    };
    let webhook = ["webhook-signature", "webhook-id", "webhook-timestamp"];
    let svix = ["svix-signature", "svix-id", "svix-timestamp"];
    let proofs = [webhook, svix].map(|family| by(1_700_000_060, family).unwrap());
    assert_eq!(proofs[0].replay_key(), proofs[1].replay_key());
    for (family, proof) in [webhook, svix].into_iter().zip(&proofs) {
        assert_eq!(proof.provider(), "vanta");
        assert_eq!(proof.delivery_id().unwrap(), "msg_1");
        assert_eq!(by(1_700_000_061, family).unwrap_err(), RejectionKind::TimestampStale);
    }
    // The ID of the other family is not the signed one.
    assert_eq!(by(1_700_000_000, [svix[0], webhook[1], svix[2]]).unwrap_err(), Missing);
}
