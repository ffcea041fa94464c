//! The catalogue's providers that are more than a scheme and less than a module of their own:
//! tokens, passwords, and keys with an id.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, request::Parts};
use tower_webhook::{
    ConfigError, Context, PublicUrl,
    RejectionKind::{self, Malformed, Missing, Repeated, SignatureMismatch},
    Secret, Secrets, SignatureLayer, Verifier,
    providers::{
        self, Ably, BasicAuth, Brevo, Chargebee, CloudflareNotifications, Deepgram, Flutterwave,
        GitLab, GoogleChannel, Mailjet, Okta, Persona, Postmark, Pusher, SharedToken, SparkPost,
        Telegram, Twilio, VMwareWorkspaceOne, WebSub, WebexContactCenter, Worldline, Worldpay,
        Wsapi, Xendit,
    },
    scheme::Tolerance,
    sign::{Sign, Signing, signed},
};

use crate::support::{AtTime, ByNameAtTime, Script, assert_refused, at, send, verify};

const NOW: u64 = 1_700_000_000;
const BODY: &str = r#"{"id":"evt_1"}"#;
const SECRET: &str = "s3cret-of-the-catalogue";
const OTHER: &str = "another-s3cret-of-the-catalogue";

fn secrets(texts: &[&str]) -> Secrets {
    texts.iter().copied().map(secret).collect()
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn genuine(signer: &impl Sign) -> Request<Bytes> {
    let request = Request::post("/hook").body(Bytes::from(BODY)).unwrap();
    signed(signer, request, at(NOW)()).unwrap()
}

fn kind(verifier: &impl Verifier, head: &Parts, body: &Bytes) -> Option<RejectionKind> {
    verify(verifier, head, body).err().map(|rejection| rejection.kind())
}

/// Where what decides stands.
#[derive(Clone, Copy, PartialEq)]
enum Covers {
    Body,
    Nothing,
}

/// Runs a verifier, another with its key as the second and one with another key, through the layer
/// and through each way to spoil a header.
async fn try_out<V>(name: &str, covers: Covers, [own, both, other]: [V; 3])
where
    V: Verifier<State: fmt::Debug> + Sign + Clone + fmt::Debug,
{
    let (head, body) = genuine(&own).into_parts();
    let proof = verify(&own, &head, &body).unwrap_or_else(|why| panic!("{name}: {why}"));
    assert_eq!((proof.provider(), proof.key_index()), (name, 0));
    assert_eq!(own.defaults().provider(), name);
    let status = match name {
        "websub" => StatusCode::ACCEPTED,
        "basic_auth" => StatusCode::UNAUTHORIZED,
        "worldpay" => StatusCode::BAD_REQUEST,
        _ => StatusCode::FORBIDDEN,
    };
    assert_eq!(own.defaults().status(), status, "{name}");
    assert_eq!(proof.replay_key().is_some(), covers == Covers::Body, "{name}");
    assert_eq!(verify(&both, &head, &body).unwrap().key_index(), 1, "{name}");
    assert_eq!(kind(&other, &head, &body), Some(SignatureMismatch), "{name}: another key");

    for at in 0..body.len() {
        let mut flipped = body.to_vec();
        flipped[at] ^= 1;
        let expected = (covers == Covers::Body).then_some(SignatureMismatch);
        assert_eq!(kind(&own, &head, &flipped.into()), expected, "{name}: body byte {at}");
    }

    let layer = SignatureLayer::new(own.clone()).rejection_status(StatusCode::FORBIDDEN);
    let sent = Request::from_parts(head.clone(), Script::data([body.clone()]));
    let (response, inner) = send(&layer, sent).await;
    assert_eq!(response.status(), StatusCode::OK, "{name}");
    assert_eq!(inner.only_call().body.bytes(), &body, "{name}");

    for (header, value) in &head.headers {
        let spoil = |spoiled: Option<&[u8]>| {
            let mut head = head.clone();
            head.headers.remove(header);
            if let Some(spoiled) = spoiled {
                head.headers.insert(header, HeaderValue::from_bytes(spoiled).unwrap());
            }
            head
        };
        let refuse = async |case: &str, kind, head: Parts| {
            let request = Request::from_parts(head, Script::untouchable());
            let answer = send(&layer, request).await;
            assert_refused(&format!("{name}: {header} {case}"), kind, &answer);
        };
        // None of these costs a byte of the body.
        refuse("dropped", Missing, spoil(None)).await;
        refuse("emptied", Missing, spoil(Some(b""))).await;
        let mut twice = head.clone();
        twice.headers.append(header, value.clone());
        refuse("repeated", Repeated, twice).await;
        for (at, bit) in (0..value.len()).flat_map(|at| [(at, 1), (at, 0x10), (at, 0x20)]) {
            let mut flipped = value.as_bytes().to_vec();
            flipped[at] ^= bit;
            let Ok(spoiled) = HeaderValue::from_bytes(&flipped) else { continue };
            let is_case = flipped.eq_ignore_ascii_case(value.as_bytes());
            let mut head = head.clone();
            head.headers.insert(header, spoiled);
            let is_accepted = kind(&own, &head, &body).is_none();
            // The two cases of a hex digit, or of `Basic`, are one.
            let may_be = is_case && (covers == Covers::Body || at < 5);
            assert!(!is_accepted || may_be, "{name}: {header}, byte {at}, bit {bit}");
            if covers == Covers::Nothing && !is_accepted {
                let (response, _) =
                    send(&layer, Request::from_parts(head, Script::untouchable())).await;
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}: byte {at}");
            }
        }
    }

    let state = own.begin(&Context::new(&head)).unwrap();
    let shown = format!("{own:?} {layer:?} {state:?} {proof:?}");
    for canary in [SECRET, &STANDARD.encode(SECRET), &STANDARD.encode(format!("user:{SECRET}"))] {
        assert!(!shown.contains(canary), "{shown}");
    }
}

#[tokio::test]
async fn tokens_decide_from_the_head_alone() {
    macro_rules! try_tokens {
        ($($name:literal: $type:ident,)*) => {$(
            let new = |texts: &[&str]| $type::new(secrets(texts)).unwrap();
            let verifiers = [new(&[SECRET]), new(&[OTHER, SECRET]), new(&[OTHER])];
            let (head, body) = genuine(&verifiers[0]).into_parts();
            try_out($name, Covers::Nothing, verifiers).await;
            let any = providers::by_name($name).unwrap().verifier(secret(SECRET)).unwrap();
            assert_eq!(kind(&any, &head, &body), None, $name);
        )*};
    }
    let datadog = |texts: &[&str]| {
        let header = http::HeaderName::from_static("x-token");
        providers::Datadog::new(header, secrets(texts)).unwrap()
    };
    let verifiers = [datadog(&[SECRET]), datadog(&[OTHER, SECRET]), datadog(&[OTHER])];
    try_out("datadog", Covers::Nothing, verifiers).await;
    try_tokens! {
        "cloudflare_notifications": CloudflareNotifications,
        "deepgram": Deepgram,
        "flutterwave": Flutterwave,
        "google_channel": GoogleChannel,
        "okta": Okta,
        "telegram": Telegram,
        "xendit": Xendit,
    }
}

#[test]
fn a_token_in_the_url_is_found_in_one_place() {
    let in_query = SharedToken::in_query("code", [secret(SECRET), secret(OTHER)]).unwrap();
    let in_path = SharedToken::in_path([secret(SECRET), secret(OTHER)]).unwrap();
    for (verifier, uri, expected) in [
        (&in_query, format!("/hook?x=1&code={SECRET}"), Ok(0)),
        (&in_query, format!("/hook?%63ode={}", OTHER.replace('-', "%2D")), Ok(1)),
        (&in_query, "/hook".to_owned(), Err(Missing)),
        (&in_query, "/hook?code".to_owned(), Err(Missing)),
        (&in_query, format!("/hook?Code={SECRET}"), Err(Missing)),
        (&in_query, format!("/hook/{SECRET}"), Err(Missing)),
        (&in_query, format!("/hook?code={SECRET}&code={OTHER}"), Err(Repeated)),
        (&in_query, format!("/hook?code=&code={SECRET}"), Err(Repeated)),
        (&in_query, format!("/hook?code={}", &SECRET[1..]), Err(SignatureMismatch)),
        (&in_query, format!("/hook?{}code={SECRET}", "a&".repeat(5000)), Err(Malformed)),
        (&in_path, format!("/hook/{SECRET}"), Ok(0)),
        (&in_path, format!("/{OTHER}?x=1"), Ok(1)),
        (&in_path, format!("/hook/{SECRET}/"), Err(Missing)),
        (&in_path, format!("/{SECRET}/hook"), Err(SignatureMismatch)),
        (&in_path, format!("/hook/{}", SECRET.replace('-', "%2D")), Err(SignatureMismatch)),
        (&in_path, format!("/hook?code={SECRET}"), Err(SignatureMismatch)),
        (&in_path, "/".to_owned(), Err(Missing)),
    ] {
        let (mut head, ()) = Request::post(&uri).body(()).unwrap().into_parts();
        let body = Bytes::from(BODY);
        let proof = verify(verifier, &head, &body);
        let proof = proof.map(|proof| proof.key_index()).map_err(|why| why.kind());
        assert_eq!(proof, expected, "{uri}");
        let is_signed = verifier.sign(&mut head, BODY.as_bytes(), &Signing::at(at(NOW)())).is_ok();
        assert_eq!(is_signed, expected.is_ok(), "{uri}");
        assert!(!format!("{verifier:?}").contains(SECRET));
    }
}

#[tokio::test]
async fn passwords_decide_from_the_head_alone() {
    macro_rules! try_passwords {
        ($($name:literal: $type:ident,)*) => {$(
            let new = |text| $type::new("user", secret(text)).unwrap();
            let both = new(OTHER).user("user", secret(SECRET)).unwrap();
            try_out($name, Covers::Nothing, [new(SECRET), both, new(OTHER)]).await;
        )*};
    }
    try_passwords! {
        "basic_auth": BasicAuth,
        "brevo": Brevo,
        "chargebee": Chargebee,
        "mailjet": Mailjet,
        "postmark": Postmark,
        "sparkpost": SparkPost,
        "vmware_workspace": VMwareWorkspaceOne,
    }
}

#[test]
fn basic_credentials_are_read_strictly() {
    let basic = BasicAuth::new("Aladdin", secret("open sesame")).unwrap();
    for (value, expected) in [
        // RFC 7617, section 2.
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
        ("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
        ("Basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", Some(SignatureMismatch)),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==", Some(SignatureMismatch)),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== ,", Some(SignatureMismatch)),
        ("Basic Aladdin:open sesame", Some(SignatureMismatch)),
        ("Basic", Some(Malformed)),
        ("BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(Malformed)),
        ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(Malformed)),
        ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(Malformed)),
    ] {
        let request = Request::post("/").header("authorization", value).body(()).unwrap();
        let (head, ()) = request.into_parts();
        assert_eq!(kind(&basic, &head, &Bytes::new()), expected, "{value}");
    }
}

#[tokio::test]
async fn gitlab_is_verified_in_the_mode_that_was_chosen() {
    let token = |text| GitLab::token(secret(text)).unwrap();
    let both = GitLab::token(secrets(&[OTHER, SECRET])).unwrap();
    try_out("gitlab", Covers::Nothing, [token(SECRET), both, token(OTHER)]).await;

    let key = |text: &str| secret(&format!("whsec_{}", STANDARD.encode(text)));
    let signing = |text| GitLab::signed(key(text)).unwrap().clock(at(NOW));
    let both = GitLab::signed([key(OTHER), key(SECRET)]).unwrap().clock(at(NOW));
    try_out("gitlab", Covers::Body, [signing(SECRET), both, signing(OTHER)]).await;
    assert!(GitLab::signed(secret("not base64!")).is_err());

    // Neither is asked for by the request, whatever else it carries.
    let (token_head, body) = genuine(&token(SECRET)).into_parts();
    let (signed_head, _) = genuine(&signing(SECRET)).into_parts();
    assert_eq!(kind(&token(SECRET), &signed_head, &body), Some(Missing));
    assert_eq!(kind(&signing(SECRET), &token_head, &body), Some(Missing));
    let mut stale = signed_head.clone();
    stale.headers.extend(token_head.headers);
    let late = signing(SECRET).0.clock(at(NOW + 301));
    assert_eq!(kind(&late, &stale, &body), Some(RejectionKind::TimestampStale));

    for (name, secret, head) in
        [("gitlab", secret(SECRET), &stale), ("gitlab_signed", key(SECRET), &signed_head)]
    {
        let provider = providers::by_name(name).unwrap();
        let any = provider.verifier_at_time(secret, None, at(NOW)).unwrap();
        assert_eq!(verify(&any, head, &body).unwrap().provider(), "gitlab", "{name}");
    }
}

#[tokio::test]
async fn persona_judges_each_set_by_its_own_time() {
    let new = |text| Persona::new(secret(text)).unwrap().clock(at(NOW));
    let both = Persona::new(secrets(&[OTHER, SECRET])).unwrap().clock(at(NOW));
    try_out("persona", Covers::Body, [new(SECRET), both.clone(), new(OTHER)]).await;

    // The sets as data: `vectors.json`. Here what is told of them.
    let set = |secret_text, time| {
        let request = Request::post("/").body(Bytes::from(BODY)).unwrap();
        let request =
            signed(&Persona::new(secret(secret_text)).unwrap(), request, at(time)()).unwrap();
        request.headers()["persona-signature"].to_str().unwrap().to_owned()
    };
    let proof = |value: &str| {
        let request = Request::post("/").header("persona-signature", value).body(()).unwrap();
        verify(&both, &request.into_parts().0, &Bytes::from(BODY)).unwrap()
    };
    let (ours, theirs) = (set(SECRET, NOW - 7), set(OTHER, NOW - 9));
    let whole = proof(&format!("{ours} {theirs}"));
    assert_eq!((whole.key_index(), whole.signed_at()), (1, Some(at(NOW - 7)())));
    // Whoever leaves out a set makes no new delivery of it.
    for part in [&ours, &theirs] {
        assert_eq!(proof(part).replay_key(), whole.replay_key());
    }
    let stale = proof(&format!("{} {theirs}", set(SECRET, NOW - 86_401)));
    assert_eq!((stale.key_index(), stale.signed_at()), (0, Some(at(NOW - 9)())));
}

#[tokio::test]
async fn worldpay_takes_each_signature_by_its_key_id() {
    let new = |text| Worldpay::new("1", secret(text)).unwrap();
    let both = Worldpay::new("2", secret(OTHER)).unwrap().key("1", secret(SECRET)).unwrap();
    let (mut head, body) = genuine(&new(SECRET)).into_parts();
    let ours = head.headers["event-signature"].to_str().unwrap().to_owned();
    let theirs = genuine(&both).headers()["event-signature"].to_str().unwrap().to_owned();
    let mut proof = |value: &str| {
        head.headers.insert("event-signature", HeaderValue::try_from(value).unwrap());
        verify(&both, &head, &body)
    };
    let whole = proof(&format!("{ours},{theirs}")).unwrap();
    assert_eq!(whole.key_index(), 0);
    assert_eq!(proof(&ours).unwrap().key_index(), 1);
    // Whoever leaves out a signature makes no new delivery of it.
    for part in [&ours, &theirs] {
        assert_eq!(proof(part).unwrap().replay_key(), whole.replay_key(), "{part}");
    }
    // Each only under its own id, though both secrets are configured.
    for value in [ours.replacen('1', "2", 1), theirs.replacen('2', "1", 1)] {
        assert_eq!(proof(&value).unwrap_err().kind(), SignatureMismatch, "{value}");
    }
    assert_eq!(proof(&format!("{ours},{ours}")).unwrap().key_index(), 1, "one that is sent twice");
    let many = |count| [&*vec!["3/SHA256/00"; count].join(","), &*ours].join(",");
    assert!(proof(&many(15)).is_ok());
    assert_eq!(proof(&many(16)).unwrap_err().kind(), Malformed);
}

#[tokio::test]
async fn the_key_is_the_one_that_the_request_names() {
    macro_rules! try_key_ids {
        ($($name:literal: $type:ident, $header:literal;)*) => {$(
            let new = |text| $type::new("key-1", secret(text)).unwrap();
            let both = $type::new("key-0", secret(OTHER)).unwrap();
            let both = both.key("key-1", secret(SECRET)).unwrap();
            // A second call for an id adds to it.
            let twice = new("a third secret").key("key-2", secret(OTHER)).unwrap();
            let twice = twice.key("key-1", secret(SECRET)).unwrap();
            let (head, body) = genuine(&new(SECRET)).into_parts();
            assert_eq!(verify(&twice, &head, &body).unwrap().key_index(), 2, $name);
            try_out($name, Covers::Body, [new(SECRET), both.clone(), new(OTHER)]).await;

            let (mut head, body) = genuine(&new(SECRET)).into_parts();
            for (id, expected) in [("key-0", "finish"), ("key-2", "begin"), ("KEY-1", "begin")] {
                head.headers.insert($header, HeaderValue::from_static(id));
                assert_eq!(kind(&both, &head, &body), Some(SignatureMismatch), "{id}");
                assert_eq!(both.begin(&Context::new(&head)).is_err(), expected == "begin", "{}: {id}", $name);
            }
        )*};
    }
    try_key_ids! {
        "ably": Ably, "x-ably-key";
        "pusher": Pusher, "x-pusher-key";
        "worldline": Worldline, "x-gcs-keyid";
    }
}

#[tokio::test]
async fn websub_rejects_other_hash_algorithms() {
    let all: [fn(Secrets) -> Result<WebSub, ConfigError>; 4] =
        [WebSub::sha1, WebSub::new, WebSub::sha384, WebSub::sha512];
    let methods = ["sha1=", "sha256=", "sha384=", "sha512="];
    for (own, new) in all.iter().enumerate() {
        let new = |texts: &[&str]| new(secrets(texts)).unwrap();
        let verifiers = [new(&[SECRET]), new(&[OTHER, SECRET]), new(&[OTHER])];
        try_out("websub", Covers::Body, verifiers).await;
        let (head, body) = genuine(&new(&[SECRET])).into_parts();
        let value = head.headers["x-hub-signature"].to_str().unwrap();
        assert!(value.starts_with(methods[own]), "{value}");
        for (other, new) in all.iter().enumerate() {
            let expected = (other != own).then_some(Malformed);
            let verifier = new(secrets(&[SECRET])).unwrap();
            assert_eq!(kind(&verifier, &head, &body), expected, "{value}");
        }
        let is_default = methods[own] == "sha256=";
        let any = providers::by_name("websub").unwrap().verifier(secret(SECRET)).unwrap();
        assert_eq!(kind(&any, &head, &body).is_none(), is_default, "{value}");
    }
}

#[test]
fn twilio_signs_a_non_form_body_by_its_query_hash() {
    let sha256 = "bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let sign = |url: PublicUrl, target: &str| {
        let request = Request::post(target).body(Bytes::from("{}")).unwrap();
        let twilio = Twilio::new(secret(SECRET), url).unwrap();
        let (head, body) = signed(&twilio, request, at(NOW)())?.into_parts();
        verify(&twilio, &head, &body).map(|_| head.uri.to_string())
    };
    let origin = || PublicUrl::base("https://example.com").unwrap();
    for (target, expected) in [
        ("/hook", format!("/hook?{sha256}")),
        ("/hook?a=b", format!("/hook?a=b&{sha256}")),
        (&format!("/hook?{sha256}&a=b"), format!("/hook?{sha256}&a=b")),
    ] {
        assert_eq!(sign(origin(), target).unwrap(), expected);
    }
    // Nothing of the request changes a fixed URL.
    let fixed = |url: &str| PublicUrl::fixed(url).unwrap();
    let refused = sign(fixed("https://example.com/hook"), "/hook").unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::BodyNotSigned);
    assert!(sign(fixed(&format!("https://example.com/hook?{sha256}")), "/hook").is_ok());
}

#[test]
fn a_tolerance_that_is_set_counts() {
    let hour = || Tolerance::seconds(3600);
    let key = || secret(&format!("whsec_{}", STANDARD.encode(SECRET)));
    fn check(name: &str, body: &'static str, signer: &impl Sign, lax: &impl Verifier, stale: bool) {
        let mut head = Request::post("/").body(()).unwrap().into_parts().0;
        signer.sign(&mut head, body.as_bytes(), &Signing::at(at(NOW - 3600)())).unwrap();
        let stale = stale.then_some(RejectionKind::TimestampStale);
        assert_eq!(kind(lax, &head, &body.into()), stale, "{name}");
    }
    let gitlab = |now| GitLab::signed(key()).unwrap().clock(at(now));
    check("gitlab", BODY, &gitlab(NOW), &gitlab(NOW), true);
    check("gitlab", BODY, &gitlab(NOW), &gitlab(NOW).map(|it| it.tolerance(hour())), false);
    check("gitlab", BODY, &gitlab(NOW), &gitlab(NOW + 1).map(|it| it.tolerance(hour())), true);
    let standard = |now| providers::StandardWebhooks::new(key()).unwrap().clock(at(now));
    check("standard", BODY, &standard(NOW), &standard(NOW), true);
    check("standard", BODY, &standard(NOW), &standard(NOW).map(|it| it.tolerance(hour())), false);
    check(
        "standard",
        BODY,
        &standard(NOW),
        &standard(NOW + 1).map(|it| it.tolerance(hour())),
        true,
    );
    let wsapi = |now| Wsapi::new(secret(SECRET)).unwrap().tolerance(hour()).clock(at(now));
    let timed = r#"{"receivedAt":"2023-11-14T21:13:20Z"}"#;
    let own = |now| Wsapi::new(secret(SECRET)).unwrap().clock(at(now));
    check("wsapi, as it is", timed, &wsapi(NOW), &own(NOW), true);
    check("wsapi", timed, &wsapi(NOW), &wsapi(NOW), false);
    check("wsapi", timed, &wsapi(NOW), &wsapi(NOW + 1), true);
}

#[test]
fn a_time_can_be_asked_for() {
    let webex = || WebexContactCenter::new(secret(SECRET)).unwrap().clock(at(NOW));
    let mut head = Request::post("/").body(()).unwrap().into_parts().0;
    webex().sign(&mut head, BODY.as_bytes(), &Signing::at(at(NOW)())).unwrap();
    assert_eq!(kind(&webex(), &head, &BODY.into()), None);
    assert_eq!(
        kind(&webex().map(WebexContactCenter::require_time), &head, &BODY.into()),
        Some(Missing)
    );

    let wsapi = || Wsapi::new(secret(SECRET)).unwrap();
    let mut head = Request::post("/").body(()).unwrap().into_parts().0;
    wsapi().sign(&mut head, BODY.as_bytes(), &Signing::at(at(NOW)())).unwrap();
    assert_eq!(kind(&wsapi(), &head, &BODY.into()), None);
    assert_eq!(kind(&wsapi().require_time(), &head, &BODY.into()), Some(Missing));
}
