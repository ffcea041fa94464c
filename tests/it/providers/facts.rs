//! What vendors say and send, found wanting or not to be in the catalogue: each as a request that is
//! accepted, and as one that is not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, request::Parts};
use tower_webhook::{
    PublicUrl,
    RejectionKind::{self, Malformed, Missing, Repeated, SignatureMismatch, TimestampStale},
    Secret, Verified, Verifier,
    providers::{self, GitLab, HubSpot, Klaviyo, Linear, WooCommerce, Zoom},
    scheme::Tolerance,
};

use crate::support::{self, AtTime, Sha256Mac, at, hex, verify};

const SECRET: &str = "the secret of a vendor";
const NOW: u64 = 1_700_000_000;

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn mac(key: &str, content: &[u8]) -> Vec<u8> {
    support::mac::<Sha256Mac>(key.as_bytes(), content)
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let request =
        headers.iter().fold(Request::post("/"), |r, (name, value)| r.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn judged(
    verifier: &impl Verifier,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Verified, RejectionKind> {
    verify(verifier, &head(headers), &body.into()).map_err(|why| why.kind())
}

/// The vectors have fixed URLs, and here path and query are those of the request.
#[test]
fn hubspot_decodes_twelve_escapes_of_the_url() {
    const TIME: &str = "1700000000000";
    let url = PublicUrl::base("https://example.com").unwrap();
    let hubspot = HubSpot::new(secret(), url).unwrap().clock(at(NOW));
    let body = r#"[{"eventId":1}]"#;
    let verdict = |target: &str, signed: &str| {
        let content = format!("POSThttps://example.com{signed}{body}{TIME}");
        let tag = STANDARD.encode(mac(SECRET, content.as_bytes()));
        let mut head =
            head(&[("x-hubspot-signature-v3", &tag), ("x-hubspot-request-timestamp", TIME)]);
        head.uri = target.parse().unwrap();
        verify(&hubspot, &head, &body.into()).map_err(|why| why.kind())
    };
    let escaped = "/a%3A%2F%3F%40%21%24?b=%27%28%29%2A%2C%3B";
    let decoded = "/a:/?@!$?b='()*,;";
    assert!(verdict(escaped, decoded).is_ok());
    assert_eq!(verdict(escaped, escaped).unwrap_err(), SignatureMismatch);
    // The signature does not cover which form was sent.
    assert!(verdict(decoded, decoded).is_ok());
    // Neither does it decode twice, nor other escapes, nor the ones that are cut off.
    for same in ["/a%253A", "/a?b=%20%25%26%3D%23%2B", "/a?b=%2", "/a?b=%%3", "/a?b=%3a"] {
        assert!(verdict(same, same).is_ok(), "{same}");
    }
}

/// In token mode the id is there, and not signed.
#[test]
fn gitlabs_token_mode_has_a_delivery_id() {
    let token = ("x-gitlab-token", SECRET);
    let by_name = providers::by_name("gitlab").unwrap().verifier(secret()).unwrap();
    for id in [Some("908a6d9e-45fd-46c8-97e6-c4f350f219dd"), None] {
        let id_header = id.map(|id| ("idempotency-key", id));
        let headers: Vec<_> = [Some(token), id_header].into_iter().flatten().collect();
        for verified in [
            judged(&GitLab::token(secret()).unwrap(), &headers, "{}").unwrap(),
            judged(&by_name, &headers, "{}").unwrap(),
        ] {
            let found = verified.delivery_id().map(|id| id.to_str().unwrap());
            assert_eq!((found, verified.delivery_id_is_signed()), (id, false));
            assert!(verified.replay_key().is_none(), "nothing of the request is signed");
        }
    }
    let twice = [token, ("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(judged(&GitLab::token(secret()).unwrap(), &twice, "{}").unwrap_err(), Repeated);
}

/// The time in the body decides, and the header with the same time is not looked at: it is not signed.
#[test]
fn linears_time_is_the_bodys() {
    let body = format!(r#"{{"action":"create","webhookTimestamp":{NOW}000}}"#);
    let tag = hex(&mac(SECRET, body.as_bytes()));
    let linear =
        |now| Linear::new(secret()).unwrap().tolerance(Tolerance::seconds(60)).clock(at(now));
    let late = (NOW + 61).to_string() + "000";
    let headers = [("linear-signature", &*tag), ("linear-timestamp", &late)];
    assert!(judged(&linear(NOW), &headers, body.clone()).is_ok());
    assert_eq!(judged(&linear(NOW + 61), &headers, body).unwrap_err(), TimestampStale);
    let body = r#"{"action":"create"}"#;
    let tag = hex(&mac(SECRET, body.as_bytes()));
    let headers = [("linear-signature", &*tag), ("linear-timestamp", &late)];
    assert_eq!(judged(&linear(NOW + 61), &headers, body).unwrap_err(), Missing);
}

/// WooCommerce signs with the characters that the entities stand for.
#[test]
fn woocommerce_secret_entities_are_not_decoded() {
    let tag = STANDARD.encode(mac("a&b<c\"'", b"{}"));
    let headers = [("x-wc-webhook-signature", &*tag)];
    let by = |text: &str| judged(&WooCommerce::new(text).unwrap(), &headers, "{}").map(|_| ());
    assert_eq!(by("a&b<c\"'"), Ok(()));
    assert_eq!(by("a&amp;b&lt;c&quot;&#039;"), Err(SignatureMismatch));
}

/// Its header can be hours off the body's own time.
#[test]
fn klaviyos_http_date_is_signed_and_not_judged() {
    let body = r#"{"timestamp":"2026-04-13T22:50:12Z"}"#;
    let date = "Tue, 14 Apr 2026 03:50:12 GMT";
    let tag = hex(&mac(SECRET, format!("{body}{date}").as_bytes()));
    let headers = |date: &'static str| {
        [("klaviyo-signature", tag.clone()), ("klaviyo-timestamp", date.to_owned())]
    };
    let by = |date: &'static str| {
        let headers = headers(date);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        judged(&Klaviyo::new(secret()).unwrap(), &headers, body).map(|_| ())
    };
    assert_eq!(by(date), Ok(()));
    assert_eq!(by("Tue, 14 Apr 2026 04:50:12 GMT"), Err(SignatureMismatch));
    // Of another form nobody could tell where the body ends.
    for other in ["GMT", "1776138612", "2026-04-14T03:50:12Z", ""] {
        assert!(matches!(by(other), Err(Malformed | Missing)), "{other}");
    }
}

/// Zoom names no window; an operator who wants the usual five minutes sets them.
#[test]
fn zooms_window_is_ours_and_can_be_set() {
    let tag = format!("v0={}", hex(&mac(SECRET, format!("v0:{NOW}:{{}}").as_bytes())));
    let time = NOW.to_string();
    let headers = [("x-zm-signature", &*tag), ("x-zm-request-timestamp", &time)];
    let zoom = |now| Zoom::new(secret()).unwrap().clock(at(now));
    assert!(judged(&zoom(NOW + 3600), &headers, "{}").is_ok());
    let strict = zoom(NOW + 3600).map(|zoom| zoom.tolerance(Tolerance::seconds(300)));
    assert_eq!(judged(&strict, &headers, "{}").unwrap_err(), TimestampStale);
}

#[cfg(all(feature = "asymmetric", feature = "sign"))]
mod asymmetric {
    use std::time::{Duration, UNIX_EPOCH};

    use tower_webhook::{
        SignatureLayer,
        providers::{SendGrid, StandardWebhooks},
        sign::{PrivateKey, Signing, signed},
    };

    use super::*;
    use crate::{
        crypto::private_keys::Keys,
        support::{Script, send},
    };

    /// Gemini: three keys without ids, each of which may have signed.
    #[test]
    fn any_of_three_pinned_keys_may_have_signed() {
        let keys = [1, 2, 3, 4].map(|n| PrivateKey::from_ed25519_seed(&[n; 32]).unwrap());
        let public = |at: usize| keys[at].public_key().unwrap();
        let verifier = StandardWebhooks::new_asymmetric([0, 1, 2].map(public)).unwrap();
        let verifier = verifier.clock(at(NOW));
        let time = UNIX_EPOCH + Duration::from_secs(NOW);
        for (at, key) in keys.iter().enumerate() {
            let request = Request::post("/").header("webhook-id", "msg_1").body("{}").unwrap();
            let (head, body) = signed(&verifier, request, Signing::at(time).private_key(key))
                .unwrap()
                .into_parts();
            let verdict = verify(&verifier, &head, &body).map(|v| v.key_index()).ok();
            assert_eq!(verdict, (at < 3).then_some(at));
        }
    }

    /// Inbound Parse under a security policy: a mail with attachments that are not UTF-8.
    #[tokio::test]
    async fn sendgrids_inbound_parse_is_verified_like_events() {
        let key = PrivateKey::from_pem(&Keys::of("ecdsa").private).unwrap();
        let verifier = SendGrid::new(key.public_key().unwrap()).unwrap().clock(at(NOW));
        let mut mail =
            b"--xYz\r\nContent-Disposition: form-data; name=\"attachment1\"\r\n\r\n".to_vec();
        mail.extend((0..20 << 20).map(|n: u32| (n % 251) as u8));
        mail.extend(b"\r\n--xYz--\r\n");
        let request =
            Request::post("/").header("content-type", "multipart/form-data; boundary=xYz");
        let request = request.body(mail).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(NOW);
        let signed = signed(&verifier, request, Signing::at(time).private_key(&key)).unwrap();
        let layer = SignatureLayer::new(verifier);
        let pieces = |body: &[u8]| Script::data(body.chunks(1 << 16).map(<[u8]>::to_vec));
        let (response, inner) = send(&layer, signed.clone().map(|body| pieces(&body))).await;
        assert!(response.status().is_success(), "{response:?}");
        assert_eq!(inner.only_call().body.bytes().len(), signed.body().len());
        let changed = signed.map(|body| {
            let mut body = body.to_vec();
            body[1 << 20] ^= 1;
            body
        });
        let (response, _) = send(&layer, changed.map(|body| pieces(&body))).await;
        assert_eq!(response.status(), 403);
    }
}
