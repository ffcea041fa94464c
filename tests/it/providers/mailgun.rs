//! Mailgun's signature stands in the body and covers a time and a token, not the body.

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, request::Parts};
use tower_webhook::{
    Rejection,
    RejectionKind::{
        self, Malformed, Missing, Repeated, SignatureMismatch, TimestampInFuture, TimestampStale,
    },
    Secret, SignatureLayer, Verified, Verifier,
    providers::{self, Mailgun},
    scheme::Tolerance,
};

use crate::support::{
    AtTime, ByNameAtTime, SECRET, Script, Timed, at, hmac_sha256, secret, send, verify,
};

const NOW: u64 = 1_700_000_000;
const TIME: &str = "1700000000";
const TOKEN: &str = "7VwW7k6Ak7zcTwoSoNm7aTtbk1g67MKAnsYLfUB7PdszbgR5Xi";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn mailgun() -> Timed<Mailgun> {
    Mailgun::new(secret()).unwrap().clock(at(NOW))
}

fn head(content_type: &str) -> Parts {
    let request = Request::post("/").header("content-type", content_type);
    request.body(()).unwrap().into_parts().0
}

fn tag(time: &str, token: &str) -> String {
    hmac_sha256(SECRET, format!("{time}{token}").as_bytes())
}

fn json(time: &str, token: &str, tag: &str) -> String {
    format!(
        r#"{{"signature":{{"timestamp":"{time}","token":"{token}","signature":"{tag}"}},"event-data":{{}}}}"#
    )
}

fn form(time: &str, token: &str, tag: &str) -> String {
    format!("timestamp={time}&token={token}&signature={tag}&body-plain=a+b")
}

fn checked(mailgun: &impl Verifier, head: &Parts, body: &str) -> Result<Verified, RejectionKind> {
    let verified = verify(mailgun, head, &Bytes::from(body.to_owned()));
    verified.map_err(|rejection| rejection.kind())
}

#[test]
fn both_forms_are_verified() {
    let tag = tag(TIME, TOKEN);
    let charset = format!("{}; charset=utf-8", JSON.to_uppercase());
    for (content_type, body) in [
        (JSON, json(TIME, TOKEN, &tag)),
        (&*charset, json(TIME, TOKEN, &tag.to_uppercase())),
        (FORM, form(TIME, TOKEN, &tag)),
    ] {
        let verified = checked(&mailgun(), &head(content_type), &body).unwrap();
        assert_eq!((verified.provider(), verified.key_index()), ("mailgun", 0));
        assert_eq!(verified.signed_at(), Some(at(NOW)()));
        assert_eq!(verified.delivery_id().unwrap(), TOKEN);
        assert!(verified.delivery_id_is_signed());
        let named = providers::by_name("mailgun").unwrap();
        let named = named.verifier_at_time(secret(), None, at(NOW)).unwrap();
        assert!(verify(&named, &head(content_type), &body.into()).is_ok());
    }
    let other = || Secret::new("another key").unwrap();
    let body = json(TIME, TOKEN, &tag);
    let rotated = Mailgun::new([other(), secret()]).unwrap().clock(at(NOW));
    assert_eq!(checked(&rotated, &head(JSON), &body).unwrap().key_index(), 1);
    let other = Mailgun::new(other()).unwrap().clock(at(NOW));
    assert_eq!(checked(&other, &head(JSON), &body).unwrap_err(), SignatureMismatch);
    assert!(!format!("{rotated:?}").contains(SECRET));
}

/// The weakness that its page tells, and what there is against it.
#[test]
fn one_signature_has_one_replay_key_for_any_body() {
    let tag = tag(TIME, TOKEN);
    let body = json(TIME, TOKEN, &tag);
    let other = body.replace("{}", r#"{"event":"forged"}"#);
    let key =
        |head: &Parts, body: &str| checked(&mailgun(), head, body).unwrap().replay_key().unwrap();
    let first = key(&head(JSON), &body);
    assert_eq!(key(&head(JSON), &other), first);
    assert_eq!(key(&head(JSON), &body.replace(&tag, &tag.to_uppercase())), first);
    assert_eq!(key(&head(FORM), &form(TIME, TOKEN, &tag)), first);
    let next = TOKEN.replace('7', "8");
    assert_ne!(key(&head(JSON), &json(TIME, &next, &self::tag(TIME, &next))), first);
}

#[test]
fn digits_moved_between_time_and_token_are_rejected() {
    let token = format!("00{TOKEN}");
    let tag = tag(TIME, &token);
    let lax = mailgun().0.tolerance(Tolerance::seconds(u32::MAX.into()));
    assert!(checked(&lax, &head(JSON), &json(TIME, &token, &tag)).is_ok());
    for (time, token) in [
        (&*format!("{TIME}0"), &token[1..]),
        (&*format!("{TIME}00"), &token[2..]),
        (&TIME[..9], &*format!("0{token}")),
    ] {
        assert_eq!(self::tag(time, token), tag, "it is signed alike");
        let refused = checked(&lax, &head(JSON), &json(time, token, &tag)).unwrap_err();
        assert_eq!(refused, Malformed, "{time}");
        let refused = checked(&lax, &head(FORM), &form(time, token, &tag)).unwrap_err();
        assert_eq!(refused, Malformed, "{time}");
    }
}

#[test]
fn times_are_bounded_on_both_sides() {
    let body = json(TIME, TOKEN, &tag(TIME, TOKEN));
    for (now, expected) in [
        (NOW + 300, None),
        (NOW - 300, None),
        (NOW + 301, Some(TimestampStale)),
        (NOW - 301, Some(TimestampInFuture)),
    ] {
        assert_eq!(checked(&mailgun().0.clock(at(now)), &head(JSON), &body).err(), expected);
    }
    let lax = mailgun().0.tolerance(Tolerance::seconds(3600)).clock(at(NOW + 3600));
    assert!(checked(&lax, &head(JSON), &body).is_ok());
}

#[test]
fn what_is_out_of_form_is_refused() {
    let tag = tag(TIME, TOKEN);
    let (good_json, good_form) = (json(TIME, TOKEN, &tag), form(TIME, TOKEN, &tag));
    let renamed = |name: &str| good_json.replace(&format!("\"{name}\":\""), "\"x\":\"");
    for (name, content_type, body, expected) in [
        ("forged", JSON, json(TIME, "another", &tag), SignatureMismatch),
        ("another time", JSON, json("1700000001", TOKEN, &tag), SignatureMismatch),
        ("cut tag", JSON, json(TIME, TOKEN, &tag[..62]), Malformed),
        ("empty tag", JSON, json(TIME, TOKEN, ""), Missing),
        ("no hex", JSON, json(TIME, TOKEN, &"z".repeat(64)), Malformed),
        ("no digits", JSON, json("170000000x", TOKEN, &tag), Malformed),
        ("no time", JSON, renamed("timestamp"), Missing),
        ("no token", JSON, renamed("token"), Missing),
        ("no tag", JSON, renamed("signature"), Missing),
        ("empty token", JSON, json(TIME, "", &hmac_sha256(SECRET, TIME.as_bytes())), Missing),
        ("tag as text", JSON, format!(r#"{{"signature":"{tag}"}}"#), Malformed),
        ("twice", JSON, format!(r#"{{"signature":{{}},{}"#, &good_json[1..]), Malformed),
        ("a form as JSON", JSON, good_form.clone(), Malformed),
        ("nothing", JSON, String::new(), Malformed),
        ("form, forged", FORM, form(TIME, "another", &tag), SignatureMismatch),
        ("form, time twice", FORM, format!("{good_form}&timestamp=1"), Repeated),
        ("form, token twice", FORM, format!("token=1&{good_form}"), Repeated),
        ("form, tag twice", FORM, format!("{good_form}&signature={tag}"), Repeated),
        ("form, empty token", FORM, form(TIME, "", &tag), Missing),
        ("JSON as a form", FORM, good_json.clone(), Missing),
        ("form, nothing", FORM, String::new(), Missing),
    ] {
        assert_eq!(
            checked(&mailgun(), &head(content_type), &body).unwrap_err(),
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn refusals_are_answered_with_403() {
    let layer = SignatureLayer::new(mailgun());
    let good = json(TIME, TOKEN, &tag(TIME, TOKEN));
    let request = |content_type: Option<&str>, body: Script| {
        let mut request = Request::post("/").body(body).unwrap();
        if let Some(content_type) = content_type {
            let value = HeaderValue::from_str(content_type).unwrap();
            request.headers_mut().insert("content-type", value);
        }
        request
    };
    let (response, inner) = send(&layer, request(Some(JSON), Script::data([good]))).await;
    assert_eq!((response.status(), inner.count()), (StatusCode::OK, 1));
    for (content_type, body, kind) in [
        (Some(JSON), Script::data([json(TIME, TOKEN, &tag(TIME, "x"))]), SignatureMismatch),
        (None, Script::untouchable(), Missing),
        #[cfg(not(feature = "multipart"))]
        (Some("multipart/form-data; boundary=x"), Script::untouchable(), Malformed),
        (Some("text/plain"), Script::untouchable(), Malformed),
    ] {
        let (response, inner) = send(&layer, request(content_type, body)).await;
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!((rejection.kind(), inner.count()), (kind, 0), "{content_type:?}");
        // The cure stands in the reason.
        let is_form = content_type.is_some_and(|it| it.starts_with("multipart"));
        let named = rejection.to_string().contains("the feature `multipart`");
        assert_eq!(named, is_form, "{rejection}");
        // A 406 would make Mailgun give up at once.
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{content_type:?}");
    }
}
