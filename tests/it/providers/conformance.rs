//! Every provider of the catalogue, through the same trials: signed as its sender signs, and then
//! spoiled in every way that a sender could.

#[cfg(feature = "tenants")]
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::{
    fmt::Debug,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header::CONTENT_TYPE, request::Parts};
use proptest::prelude::*;
use tower_webhook::{
    Context, PublicUrl, Rejection, RejectionKind, Scheme, Secret, Secrets, SignatureLayer,
    Verifier,
    layer::Requires,
    providers::*,
    scheme::SchemeVerifier,
    sign::{Sign, signed},
};
#[cfg(feature = "tenants")]
use tower_webhook::{tenants::Tenants, verifier::any_of};

use crate::support::{AtTime, ByNameAtTime, Script, Timed, assert_refused_with, hex, send, verify};

pub(crate) const NOW: u64 = 1_700_000_000;
/// With every field that a provider signs a time in.
const BODY: &str = r#"{"id":"evt_1","webhookTimestamp":1700000000000,"note":"caf\u00e9"}"#;
const FORM: &str = "Body=hello&From=alice&To=bob";
const EVENTS: &str = r#"mandrill_events=[{"a":1}]"#;
const ADYEN: &str = r#"{"notificationItems":[{"NotificationRequestItem":{"pspReference":"p","amount":{"value":1130,"currency":"EUR"},"success":"true","additionalData":{"a":"1"}}}]}"#;
const BRAINTREE: &str = "bt_payload=PG5vdGlmaWNhdGlvbj4%2B%0A";
const DROPBOX_SIGN: &str =
    r#"{"event":{"event_time":"1700000000","event_type":"signature_request_sent"}}"#;
const MIDTRANS: &str = r#"{"order_id":"order-1","status_code":"200","gross_amount":"15000.00"}"#;

const DINGTALK: &str = r#"{"encrypt":"QUFBQUFBQUFBQUFBQUFBQQ=="}"#;
const WECOM: &str = "<xml><Encrypt><![CDATA[QUFBQUFBQUFBQUFBQUFBQQ==]]></Encrypt></xml>";

/// Providers whose proof is in the body, each with a body to sign.
const IN_BODY: [(&str, &str); 8] = [
    ("adyen", ADYEN),
    ("braintree", BRAINTREE),
    ("dropbox_sign", DROPBOX_SIGN),
    ("figma", "{}"),
    ("live_chat", "{}"),
    ("mailgun", "{}"),
    ("microsoft_graph", r#"{"value":[{}]}"#),
    ("midtrans", MIDTRANS),
];

fn is_in_body(name: &str) -> bool {
    IN_BODY.iter().any(|(other, _)| *other == name)
}

/// The type of the bodies that a provider sends.
fn media_type(name: &str) -> &'static str {
    match name {
        "braintree" | "mandrill" | "plivo" => FORM_TYPE,
        "wechat" | "wecom" => "text/xml",
        _ => "application/json",
    }
}
pub(crate) const KEY: &[u8] = b"a key of 32 bytes for the tests!";
const OTHER: &[u8] = b"another key that nobody signs with";

fn secret(key: &[u8]) -> Secret {
    // Key bytes, which every key rule leaves alone.
    Secret::from_bytes(key).unwrap()
}

fn url() -> PublicUrl {
    PublicUrl::base("https://example.com").unwrap()
}

fn at(unix: u64) -> impl Fn() -> SystemTime + Send + Sync + 'static {
    move || UNIX_EPOCH + Duration::from_secs(unix)
}

pub(crate) fn declared_verifier(scheme: &Scheme, key: &[u8]) -> Timed<SchemeVerifier> {
    scheme.verifier_at(secret(key), url()).unwrap().clock(at(NOW))
}

fn request(body: &'static str) -> Request<Bytes> {
    Request::post("/hook").body(Bytes::from(body)).unwrap()
}

const FORM_TYPE: &str = "application/x-www-form-urlencoded";

fn form(body: &'static str) -> Request<Bytes> {
    let mut form = request(body);
    form.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FORM_TYPE));
    form
}

/// Returns `true` if the proof is in the body.
fn has_proof_in_body(name: &str) -> bool {
    is_in_body(name) || name.starts_with("vonage_sms") || name == "wix"
}

/// Returns `true` if other tests have the trials of the provider: `callbacks.rs` those of
/// encrypted messages.
fn is_tried_elsewhere(name: &str) -> bool {
    has_proof_in_body(name) || ["dingtalk", "wechat", "wecom"].contains(&name)
}

/// A provider, and a request that it has signed.
pub(crate) struct Trial {
    /// The provider's name, and perhaps which of its ways it is.
    pub(crate) name: String,
    pub(crate) provider: Provider,
    pub(crate) own: BoxVerifier,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    /// The `Debug` of everything that holds a secret.
    shown: String,
}

/// What the provider is verified with, under its own key or under another.
fn credentials(provider: Provider, key: &[u8]) -> Secret {
    match provider.credential_kind() {
        CredentialKind::Secret => secret(key),
        CredentialKind::UserAndPassword => secret(&[b"user:", key].concat()),
        CredentialKind::KeyIdAndSecret => secret(&[b"key-1:", key].concat()),
        CredentialKind::HeaderAndToken => secret(&[b"x-token:", key].concat()),
        #[cfg(feature = "asymmetric")]
        CredentialKind::PublicKey => {
            let keys = crate::crypto::private_keys::Keys::of(public_key_algorithm(provider));
            let pem = if key == KEY { keys.public } else { keys.other_public };
            Secret::new(pem.trim()).unwrap()
        }
        needs => panic!("{}: {needs}", provider.name()),
    }
}

/// The one of the algorithms whose keys the provider's verifier takes.
#[cfg(feature = "asymmetric")]
pub(crate) fn public_key_algorithm(provider: Provider) -> &'static str {
    let is_taken = |algorithm: &&str| {
        let keys = crate::crypto::private_keys::Keys::of(algorithm);
        provider.verifier(keys.public.trim()).is_ok()
    };
    ["ed25519", "ecdsa", "rsa"].into_iter().find(is_taken).unwrap()
}

/// A request, signed as the provider does.
fn signed_by(provider: Provider, signer: &impl Sign, request: Request<Bytes>) -> Request<Bytes> {
    let time = at(NOW)();
    let name = provider.name();
    #[cfg(feature = "asymmetric")]
    if provider.credential_kind() == CredentialKind::PublicKey {
        let keys = crate::crypto::private_keys::Keys::of(public_key_algorithm(provider));
        let key = tower_webhook::sign::PrivateKey::from_pem(&keys.private).unwrap();
        let signing = tower_webhook::sign::Signing::at(time).private_key(&key);
        return signed(signer, request, signing).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    signed(signer, request, time).unwrap_or_else(|why| panic!("{name}: {why}"))
}

pub(crate) fn verifier(provider: Provider, key: &[u8], now: u64) -> BoxVerifier {
    verifier_by(provider, key, at(now))
}

pub(crate) fn verifier_by(
    provider: Provider,
    key: &[u8],
    clock: impl Fn() -> SystemTime + Send + Sync + 'static,
) -> BoxVerifier {
    provider.verifier_at_time(credentials(provider, key), Some(url()), clock).unwrap()
}

#[test]
fn a_provider_that_is_named_signs_what_it_verifies() {
    let all = all().collect::<Vec<_>>();
    for &provider in &all {
        let name = provider.name();
        let named = verifier(provider, KEY, NOW);
        let bodies = match name {
            "adyen" => [
                ADYEN,
                r#"{"notificationItems":[{"NotificationRequestItem":{"amount":{"value":"0"},"success":false}}]}"#,
            ],
            "braintree" => [BRAINTREE, "x=1&bt_payload=YQ"],
            "dropbox_sign" => [
                DROPBOX_SIGN,
                r#"{"event":{"event_type":"a","event_time":"1700000000"},"account_guid":"1"}"#,
            ],
            "mailgun" => [r#"{"event-data":{}}"#, r#"{"event-data":{"event":"opened"}}"#],
            "midtrans" => {
                [MIDTRANS, r#"{"order_id":"1","gross_amount":"0.50","status_code":"407","x":1}"#]
            }
            "mandrill" => [EVENTS, "mandrill_events=[]"],
            "plivo" => [FORM, "Body=hi"],
            "dingtalk" => [DINGTALK, r#"{"encrypt":"QUFBQUFBQUFBQUFBQUFBQg==","a":1}"#],
            "wechat" | "wecom" => {
                [WECOM, "<xml><a>b</a><Encrypt>QUFBQUFBQUFBQUFBQUFBQg==</Encrypt></xml>"]
            }
            "microsoft_graph" => [r#"{"value":[{}]}"#, r#"{"value":[{"id":"1"},{"id":"2"}]}"#],
            name if name.starts_with("vonage_sms") => ["{}", r#"{"text":"a"}"#],
            _ => [BODY, r#"{"id":"evt_2","webhookTimestamp":1700000000000}"#],
        };
        for body in bodies {
            let mut request = request(body);
            let media_type = HeaderValue::from_static(media_type(name));
            request.headers_mut().insert(CONTENT_TYPE, media_type);
            let request = signed_by(provider, &named, request);
            let (head, body) = request.into_parts();
            verify(&named, &head, &body).unwrap_or_else(|why| panic!("{name}: {why}"));
            let other = verifier(provider, OTHER, NOW);
            let why = verify(&other, &head, &body).unwrap_err();
            assert_eq!(why.secrets_tried(), Some(1), "{name}: {why}");
        }
    }
    assert!(all.len() >= 150, "only {} providers", all.len());
}

/// What a person compares with the provider's console.
#[test]
fn mismatch_reports_secrets_tried_and_signed_url() {
    let mut count = 0;
    for trial in Trial::all() {
        let name = &trial.name;
        let other = verifier(trial.provider, OTHER, NOW);
        let why = verify(&other, &trial.head, &trial.body).unwrap_err();
        assert_eq!(why.kind(), RejectionKind::SignatureMismatch, "{name}");
        assert_eq!(why.secrets_tried(), Some(1), "{name}: {why}");
        let signed_url = why.signed_url();
        assert_eq!(signed_url.is_some(), trial.provider.needs_url(), "{name}: {why}");
        assert!(signed_url.is_none_or(|url| url.starts_with("https://example.com/")), "{name}");
        assert!(why.to_string().contains(": 1 secret tried"), "{name}: {why}");
        count += 1;
        if trial.provider.credential_kind() == CredentialKind::Secret {
            let secrets = [secret(OTHER), secret(&OTHER[1..]), secret(&OTHER[2..])];
            let three = trial.provider.verifier_at_time(secrets, Some(url()), at(NOW));
            let why = verify(&three.unwrap(), &trial.head, &trial.body).unwrap_err();
            assert_eq!(why.secrets_tried(), Some(3), "{name}: {why}");
        }
    }
    assert!(count >= 145, "{count}");
}

/// By how much the sender's clock, or the receiver's, is off.
#[test]
fn a_time_that_is_off_says_by_how_much() {
    let mut count = 0;
    for trial in Trial::all() {
        for (now, age) in [(NOW + 1_000_000, 1_000_000_000), (NOW - 1000, -1_000_000)] {
            let late = verifier(trial.provider, KEY, now);
            let Err(why) = verify(&late, &trial.head, &trial.body) else { continue };
            if !matches!(
                why.kind(),
                RejectionKind::TimestampStale | RejectionKind::TimestampInFuture
            ) {
                continue;
            }
            assert_eq!(why.age_millis(), Some(age), "{}: {why}", trial.name);
            let shown = if age > 0 { "1000000.000 s ago" } else { "1000.000 s ahead" };
            assert!(why.to_string().ends_with(shown), "{}: {why}", trial.name);
            assert_eq!(why.secrets_tried(), None, "{}", trial.name);
            count += 1;
        }
    }
    assert!(count >= 80, "{count}");
}

/// A verifier that only verifies says so.
#[test]
fn a_boxed_verifier_that_cannot_sign_says_so() {
    let mute = BoxVerifier::new(GitHub::new(secret(KEY)).unwrap());
    let why = signed(&mute, request(BODY), at(NOW)()).unwrap_err();
    assert_eq!(why.kind(), RejectionKind::VerifierUnavailable);
    assert!(format!("{why:?}").contains("does not sign"), "{why}");
    let signs = BoxVerifier::signing(GitHub::new(secret(KEY)).unwrap());
    let (head, body) = signed(&signs, request(BODY), at(NOW)()).unwrap().into_parts();
    verify(&mute, &head, &body).unwrap();
}

impl Trial {
    pub(crate) fn all() -> Vec<Self> {
        all().flat_map(Self::of).collect()
    }

    /// Requests of the providers that other tests try.
    pub(crate) fn elsewhere() -> Vec<Self> {
        let callbacks = [("dingtalk", DINGTALK), ("wechat", WECOM), ("wecom", WECOM)];
        let sms = all().map(|provider| provider.name());
        let sms = sms.filter(|name| name.starts_with("vonage_sms")).map(|name| (name, "{}"));
        let bodies = IN_BODY.into_iter().chain(callbacks).chain(sms);
        let trial = |(name, body)| {
            let provider = by_name(name).ok()?;
            let mut request = request(body);
            let media_type = HeaderValue::from_static(media_type(name));
            request.headers_mut().insert(CONTENT_TYPE, media_type);
            Some(Self::by(provider, &verifier(provider, KEY, NOW), request))
        };
        bodies.filter_map(trial).collect()
    }

    /// Those of a provider: each must be signable.
    fn of(provider: Provider) -> Vec<Self> {
        if let Some(scheme) = provider.scheme() {
            return vec![Self::by(provider, &declared_verifier(scheme, KEY), request(BODY))];
        }
        let own = verifier(provider, KEY, NOW);
        match provider.name() {
            // See the trials of their own.
            name if is_tried_elsewhere(name) => vec![],
            "twilio" => {
                let ways = [("form", form(FORM)), ("JSON", request(BODY))];
                let trials = ways.map(|(way, request)| {
                    let trial = Self::by(provider, &own, request);
                    Self { name: format!("{}, {way}", trial.name), ..trial }
                });
                trials.into()
            }
            "mandrill" => vec![Self::by(provider, &own, form(EVENTS))],
            "plivo" => vec![Self::by(provider, &own, form(FORM))],
            _ => vec![Self::signed(provider, &own, signed_by(provider, &own, request(BODY)))],
        }
    }

    fn by<V>(provider: Provider, signer: &V, request: Request<Bytes>) -> Self
    where
        V: Verifier<State: Debug> + Sign + Debug,
    {
        Self::signed(provider, signer, signed(signer, request, at(NOW)()).unwrap())
    }

    fn signed<V>(provider: Provider, verifier_type: &V, request: Request<Bytes>) -> Self
    where
        V: Verifier<State: Debug> + Debug,
    {
        let (head, body) = request.into_parts();
        let name = provider.name().to_owned();
        let proof = verify(verifier_type, &head, &body);
        let proof = proof.unwrap_or_else(|why| panic!("{name}: {why}"));
        let state = verifier_type.begin(&Context::new(&head)).unwrap();
        let own = verifier(provider, KEY, NOW);
        let shown = format!("{verifier_type:?} {state:?} {own:?} {proof:?} {provider:?}");
        Self { name, provider, own, head, body, shown }
    }

    /// The name by which it is told.
    fn told(&self) -> &'static str {
        match self.provider.name() {
            "gitlab_signed" => "gitlab",
            "standard_webhooks_v1a" => "standard_webhooks",
            name => name,
        }
    }

    /// Whether what decides covers the body.
    pub(crate) fn covers_body(&self) -> bool {
        let is_token = [
            "atlassian_connect",
            "cloudflare_notifications",
            "deepgram",
            "flutterwave",
            "gitlab",
            "google_channel",
            "monday",
            // Signs IDs and a time.
            "mercado_pago",
            "okta",
            "telegram",
            "xendit",
        ];
        !matches!(
            self.provider.credential_kind(),
            CredentialKind::UserAndPassword | CredentialKind::HeaderAndToken
        ) && !is_token.contains(&self.provider.name())
    }

    /// Whether the signature is written in hex, whose digits have two cases.
    fn is_hex(&self) -> bool {
        let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
        let has_run =
            |value: &HeaderValue| value.as_bytes().windows(40).any(|run| run.iter().all(is_digit));
        self.head.headers.values().any(has_run)
    }

    fn is_accepted(&self, head: &Parts, body: &Bytes) -> bool {
        match verify(&self.own, head, body) {
            Ok(_) => true,
            Err(rejection) => {
                assert!(rejection.kind().is_authentication_failure(), "{}: {rejection}", self.name);
                false
            }
        }
    }

    /// The headers that a genuine request carries, all of which matter.
    fn headers(&self) -> Vec<(HeaderName, Vec<u8>)> {
        let headers = self.head.headers.iter();
        headers.map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect()
    }

    fn with_header(&self, header: &HeaderName, value: Option<&[u8]>) -> Option<Parts> {
        let mut head = self.head.clone();
        head.headers.remove(header);
        if let Some(value) = value {
            head.headers.insert(header, HeaderValue::from_bytes(value).ok()?);
        }
        Some(head)
    }
}

#[test]
fn signed_request_of_each_provider_is_accepted() {
    let trials = Trial::all();
    for trial in &trials {
        let name = &trial.name;
        let proof = verify(&trial.own, &trial.head, &trial.body);
        let proof = proof.unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!((proof.provider(), proof.key_index()), (trial.told(), 0));
        let has_key = trial.covers_body() || name == "mercado_pago";
        assert_eq!(proof.replay_key().is_some(), has_key, "{name}");
        // `tests/it/scheme/places.rs` tests signatures in the query.
        assert!(!trial.headers().is_empty() || name == "pandadoc", "{name}");
    }
    let elsewhere = all().filter(|provider| is_tried_elsewhere(provider.name())).count();
    let all = all().count();
    eprintln!("{all} providers in {} ways", trials.len());
    assert_eq!(trials.len(), all + 1 - elsewhere, "Twilio signs in two ways");
}

/// The signature in eBay's header, which has names beside it that nobody signs.
fn ebay_signature(header: &[u8]) -> Option<String> {
    let json = STANDARD.decode(header).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&json).ok()?;
    Some(json["signature"].as_str()?.to_owned())
}

#[test]
fn every_bit_of_what_is_signed_counts() {
    for trial in Trial::all() {
        let name = &trial.name;
        for at in 0..trial.body.len() {
            let mut flipped = trial.body.to_vec();
            flipped[at] ^= 1 << (at % 8);
            let accepted = trial.is_accepted(&trial.head, &flipped.into());
            assert_eq!(accepted, !trial.covers_body(), "{name}: body byte {at}");
        }
        for other in [&trial.body[1..], &trial.body[..trial.body.len() - 1], b""] {
            let accepted = trial.is_accepted(&trial.head, &Bytes::copy_from_slice(other));
            assert_eq!(accepted, !trial.covers_body(), "{name}: body cut");
        }
        let is_hex = trial.is_hex();
        for (header, value) in trial.headers() {
            for (at, bit) in (0..value.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut flipped = value.clone();
                flipped[at] ^= 1 << bit;
                // The two cases of a hex digit, of a media type, or of an authorization scheme, are
                // one.
                let has_case = !is_hex && header != CONTENT_TYPE;
                let is_same = flipped.eq_ignore_ascii_case(&value) && !has_case;
                let scheme = value.iter().position(|byte| *byte == b' ').unwrap_or_default();
                let is_scheme = header == "authorization"
                    && at < scheme
                    && flipped.eq_ignore_ascii_case(&value);
                let Some(head) = trial.with_header(&header, Some(&flipped)) else { continue };
                let accepted = trial.is_accepted(&head, &trial.body);
                let is_beside =
                    name == "ebay" && ebay_signature(&flipped) == ebay_signature(&value);
                let may_be = is_same || is_scheme || is_beside;
                assert!(!accepted || may_be, "{name}: {header}, byte {at}, bit {bit}");
            }
        }
    }
}

#[test]
fn every_header_must_be_there_once_and_whole() {
    for trial in Trial::all() {
        let name = &trial.name;
        for (header, value) in trial.headers() {
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
                let head = trial.with_header(&header, spoiled).unwrap();
                assert!(!trial.is_accepted(&head, &trial.body), "{name}: {header} {case}");
            }
            let mut head = trial.head.clone();
            head.headers.append(&header, HeaderValue::from_bytes(&value).unwrap());
            let repeated = verify(&trial.own, &head, &trial.body);
            // Its header can have several lines, each with a signature.
            if name == "mollie" {
                repeated.unwrap();
                continue;
            }
            let refused = repeated.unwrap_err();
            assert_eq!(refused.kind(), RejectionKind::Repeated, "{name}: {header}");
        }
    }
}

#[test]
fn another_key_is_not_enough() {
    for trial in Trial::all() {
        let other = verifier(trial.provider, OTHER, NOW);
        let refused = verify(&other, &trial.head, &trial.body).unwrap_err();
        assert_eq!(refused.kind(), RejectionKind::SignatureMismatch, "{}", trial.name);
    }
}

#[test]
fn a_second_secret_of_a_scheme_is_tried() {
    for trial in Trial::all() {
        let Some(scheme) = trial.provider.scheme() else { continue };
        let both = scheme.verifier_at([secret(OTHER), secret(KEY)], url()).unwrap().clock(at(NOW));
        let proof = verify(&both, &trial.head, &trial.body).unwrap();
        assert_eq!(proof.key_index(), 1, "{}", trial.name);
    }
}

#[tokio::test]
async fn the_layer_takes_any_provider_by_name_in_any_cut() {
    for trial in Trial::all() {
        let (name, body) = (&trial.name, &trial.body);
        let layer = SignatureLayer::new(trial.own.clone());
        for cut in [1, 7, body.len()] {
            let chunks = body.chunks(cut).map(Bytes::copy_from_slice);
            let script = Script::data(chunks.collect::<Vec<_>>());
            let request = Request::from_parts(trial.head.clone(), script);
            let (response, inner) = send(&layer, request).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            let call = inner.only_call();
            assert_eq!(call.verified().provider(), trial.told());
            assert_eq!(call.body.bytes(), body, "{name}");
        }
        let status = trial.own.defaults().status();
        let unsigned = Request::post("/hook").body(Script::untouchable()).unwrap();
        let answer = send(&layer, unsigned).await;
        assert_refused_with(name, status, RejectionKind::Missing, &answer);

        if trial.covers_body() {
            let other = Request::from_parts(trial.head.clone(), Script::data(["another body"]));
            let (response, inner) = send(&layer, other).await;
            assert_eq!((response.status(), inner.count()), (status, 0), "{name}");
        }
    }
}

#[test]
fn nothing_shown_holds_the_key_or_the_tag() {
    let key = std::str::from_utf8(KEY).unwrap();
    for trial in Trial::all() {
        let shown = &trial.shown;
        for canary in [key, &hex(KEY)] {
            assert!(!shown.contains(canary), "{shown}");
        }
        // But for names and ids, what a sender wrote.
        let values = trial.head.headers.values().map(|value| value.to_str().unwrap());
        for tag in values.flat_map(|value| value.split(['=', ',', ' ', '/'])) {
            assert!(
                tag.len() < 27 || tag.contains("urlencoded") || !shown.contains(tag),
                "{shown}"
            );
        }
    }
}

/// Names of the fields that providers add.
const NAMES: [&str; 4] = ["hmacSignature", "event_hash", "signature_key", "bt_signature"];

/// What stands in the body, spoiled as headers are.
fn proof_in_the_body<V: Sign + Debug>(signer: &V, content_type: &str, content: &str) {
    let name = match signer.defaults().provider() {
        "vonage_sms" => "vonage_sms_hmac_sha256",
        name => name,
    };
    let provider = by_name(name).unwrap();
    let name = format!("{} {content_type}", provider.name());
    let request = Request::post("/hook").header(CONTENT_TYPE, content_type);
    let request = signed(signer, request.body(content.to_owned()).unwrap(), at(NOW)());
    let (head, body) = request.unwrap().into_parts();
    let own = verifier(provider, KEY, NOW);
    assert_eq!(verify(&own, &head, &body).unwrap().provider(), signer.defaults().provider());
    let other = verify(&verifier(provider, OTHER, NOW), &head, &body).unwrap_err();
    assert_eq!(other.kind(), RejectionKind::SignatureMismatch, "{name}");
    let kind = |body: &[u8]| {
        verify(&own, &head, &Bytes::copy_from_slice(body)).err().map(|why| why.kind())
    };
    assert!(kind(content.as_bytes()).is_some(), "{name}: without its proof");

    // The proof is what the content has not; each bit of its values counts, but for a hex digit's
    // case.
    let text = std::str::from_utf8(&body).unwrap();
    let key = std::str::from_utf8(KEY).unwrap();
    let values = text.split(['"', '&', '=', '{', '}', ':', ',']).filter(|value| {
        let names =
            ["timestamp", "token", "signature", "sig", "clientState", "passcode", "secret_key"];
        let is_name = names.contains(value) || NAMES.contains(value);
        !value.is_empty() && !is_name && !content.contains(value)
    });
    let mut count = 0;
    for value in values {
        count += 1;
        let start = text.find(value).unwrap();
        for (at, bit) in
            (start..start + value.len()).flat_map(|at| (0..8).map(move |bit| (at, bit)))
        {
            let mut flipped = body.to_vec();
            flipped[at] ^= 1 << bit;
            let is_hex =
                matches!(value.len(), 40 | 64 | 128) && flipped.eq_ignore_ascii_case(&body);
            assert!(kind(&flipped).is_some() || is_hex, "{name}: byte {at}, bit {bit}");
        }
        for spoiled in ["", &value[1..], &value[..value.len() - 1], &format!("{value}0")] {
            let spoiled = text.replacen(value, spoiled, 1);
            assert!(kind(spoiled.as_bytes()).is_some(), "{spoiled}");
        }
    }
    assert!(count > 0, "{name}");
    let shown = format!("{signer:?} {own:?} {:?}", verify(&own, &head, &body).unwrap());
    let longest = text.split(['"', '&', '=']).max_by_key(|value| value.len()).unwrap();
    assert!(!shown.contains(key) && !shown.contains(&hex(KEY)), "{shown}");
    assert!(longest.len() < 64 || !shown.contains(longest), "{shown}");
}

#[test]
fn changed_bit_of_a_proof_in_the_body_is_rejected() {
    let mailgun = Mailgun::new(secret(KEY)).unwrap().clock(at(NOW));
    let json = "application/json";
    proof_in_the_body(&mailgun, json, r#"{"event-data":{}}"#);
    proof_in_the_body(&mailgun, json, " { } ");
    proof_in_the_body(&mailgun, "application/x-www-form-urlencoded", "body-plain=a+b");
    proof_in_the_body(&mailgun, "application/x-www-form-urlencoded", "");
    let vonage = VonageSms::hmac_sha256(secret(KEY)).unwrap().clock(at(NOW));
    proof_in_the_body(&vonage, json, r#"{"text":"a"}"#);
    proof_in_the_body(&vonage, "application/x-www-form-urlencoded", "text=a+b");
    let graph = MicrosoftGraph::new(secret(KEY)).unwrap();
    proof_in_the_body(&graph, json, r#"{"value":[{"changeType":"created"},{}]}"#);
    proof_in_the_body(&Adyen::new(secret(KEY)).unwrap(), json, ADYEN);
    proof_in_the_body(&DropboxSign::new(secret(KEY)).unwrap(), json, DROPBOX_SIGN);
    proof_in_the_body(&Midtrans::new(secret(KEY)).unwrap(), json, MIDTRANS);
    proof_in_the_body(&Figma::new(secret(KEY)).unwrap(), json, r#"{"event_type":"PING"}"#);
    proof_in_the_body(&LiveChat::new(secret(KEY)).unwrap(), json, "{}");

    let odd = MicrosoftGraph::new(Secret::from_bytes("a\"quote\\and\u{1}more").unwrap()).unwrap();
    let request = Request::post("/").body(r#"{"value":[{}]}"#).unwrap();
    let (head, body) = signed(&odd, request, at(NOW)()).unwrap().into_parts();
    assert!(verify(&odd, &head, &body).is_ok());
    for content in ["", "[]", r#"{"value":{}}"#] {
        let request = Request::post("/").body(content).unwrap();
        assert!(signed(&graph, request, at(NOW)()).is_err(), "{content}");
    }
    let request = Request::post("/").header(CONTENT_TYPE, json).body("[]").unwrap();
    assert!(signed(&mailgun, request, at(NOW)()).is_err());
}

#[cfg(feature = "tenants")]
type Wrap = fn(BoxVerifier) -> BoxVerifier;

/// One tenant, whose key is [`KEY`], behind a cold cache, and the calls of its store.
#[cfg(feature = "tenants")]
fn tenants(provider: Provider, wrap: Wrap) -> (Tenants<BoxVerifier>, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&calls);
    let store = move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok::<_, Rejection>(Some(secret(KEY))))
    };
    let make = move |secrets: Secrets| {
        let key = secrets.into_iter().next().unwrap();
        let credentials = match (provider.credential_kind(), key.expose()) {
            // The decoy's user and key id are its own, too.
            (CredentialKind::UserAndPassword, key) if key != KEY => {
                secret(&[b"nobody:", key].concat())
            }
            (CredentialKind::KeyIdAndSecret, key) if key != KEY => {
                secret(&[b"key-2:", key].concat())
            }
            (_, key) => credentials(provider, key),
        };
        provider.verifier_at_time(credentials, Some(url()), at(NOW)).map(wrap)
    };
    (Tenants::new(store, make).unwrap(), calls)
}

#[cfg(feature = "tenants")]
#[tokio::test]
async fn every_genuine_request_is_looked_up() {
    fn guess() -> BasicAuth {
        BasicAuth::new("user", secret(OTHER)).unwrap()
    }
    let ways: [(&str, Wrap); 3] = [
        ("alone", |own| own),
        ("before another", |own| BoxVerifier::new(any_of(own, guess()))),
        ("behind another", |own| BoxVerifier::new(any_of(guess(), own))),
    ];
    let mut requests: Vec<_> = Trial::all()
        .into_iter()
        .map(|trial| (trial.name, trial.provider, trial.head, trial.body))
        .collect();
    for (name, content) in IN_BODY {
        let request = Request::post("/hook").header(CONTENT_TYPE, media_type(name));
        let request = request.body(content.to_owned()).unwrap();
        let provider = by_name(name).unwrap();
        let (head, body) =
            signed(&verifier(provider, KEY, NOW), request, at(NOW)()).unwrap().into_parts();
        requests.push((name.to_owned(), provider, head, body));
    }
    for (name, provider, head, body) in requests {
        for (way, wrap) in ways {
            let request = || Request::from_parts(head.clone(), Script::data([body.clone()]));
            let (tenants, calls) = tenants(provider, wrap);
            let layer = SignatureLayer::new(tenants.by_head(|_| Some("t".to_owned())));
            let (response, _) = send(&layer, request()).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}, {way}");
            tenants.clear();
            let layer = SignatureLayer::new(
                tenants.by_body(Requires::nothing(), |_, _| Some("t".to_owned())),
            );
            let (response, _) = send(&layer, request()).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}, {way}, by the body");
            assert_eq!(calls.load(Ordering::SeqCst), 2, "{name}, {way}");
        }
    }
}

#[cfg(feature = "tenants")]
#[tokio::test]
async fn no_unsigned_request_is_looked_up() {
    for provider in all() {
        let name = provider.name();
        let (tenants, calls) = tenants(provider, |own| own);
        let media_type = if name == "braintree" { FORM_TYPE } else { "application/json" };
        let request = || Request::post("/hook").header(CONTENT_TYPE, media_type);
        // Their proof stands in the body.
        let expected = usize::from(has_proof_in_body(name));
        let by_head = SignatureLayer::new(tenants.by_head(|_| Some("t".to_owned())));
        let by_body =
            SignatureLayer::new(tenants.by_body(Requires::nothing(), |_, _| Some("t".to_owned())));
        let (response, _) = send(&by_head, request().body(Script::data([BODY])).unwrap()).await;
        let refused = response.extensions().get::<Rejection>().unwrap();
        assert!(expected == 1 || refused.kind() == RejectionKind::Missing, "{name}: {refused}");
        assert_eq!(calls.load(Ordering::SeqCst), expected, "{name}");
        tenants.clear();
        send(&by_body, request().body(Script::data([BODY])).unwrap()).await;
        assert_eq!(calls.load(Ordering::SeqCst), 2 * expected, "{name}, by the body");
    }
}

#[tokio::test]
async fn tenants_of_different_providers_share_one_layer() {
    let layer = SignatureLayer::by_head(|head: &Parts| {
        let (_, name) = head.uri.path().rsplit_once('/').unwrap_or_default();
        let provider = by_name(name).map_err(Rejection::unavailable);
        async move { Ok(provider?.verifier_at_time(secret(KEY), None, at(NOW))?.for_tenant("t")) }
    });
    for name in ["github", "stripe", "slack", "zoom"] {
        let scheme = match name {
            "slack" => &Slack::SCHEME,
            _ => by_name(name).unwrap().scheme().unwrap(),
        };
        let signer = scheme.verifier(secret(KEY)).unwrap().clock(at(NOW));
        let request = Request::post("/").body(Bytes::from("{}")).unwrap();
        let (mut head, body) = signed(&signer, request, at(NOW)()).unwrap().into_parts();
        head.uri = format!("/hooks/{name}").parse().unwrap();
        let (response, inner) = send(&layer, Request::from_parts(head, Script::data([body]))).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let call = inner.only_call();
        assert_eq!((call.verified().provider(), call.verified().tenant()), (name, Some("t")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No bytes in a header make a verifier panic or accept.
    #[test]
    fn junk_in_any_header_is_refused(junk in prop::collection::vec(any::<u8>(), 0..80)) {
        static TRIALS: std::sync::LazyLock<Vec<Trial>> = std::sync::LazyLock::new(Trial::all);
        for trial in TRIALS.iter() {
            for (header, genuine) in trial.headers() {
                // A version such as `1` is short enough to be drawn.
                if junk.trim_ascii() == genuine.trim_ascii() {
                    continue;
                }
                let Some(head) = trial.with_header(&header, Some(&junk)) else { return Ok(()) };
                let accepted = trial.is_accepted(&head, &trial.body);
                prop_assert!(!accepted, "{}: {header}", trial.name);
            }
        }
    }
}

/// By name, too: the current secret first, and the one that matched is told.
#[test]
fn a_rotation_by_name_tells_which_secret_matched() {
    for trial in Trial::all() {
        let (name, provider) = (&trial.name, trial.provider);
        let (own, other) = (credentials(provider, KEY), credentials(provider, OTHER));
        let other = match (provider.credential_kind(), other.expose()) {
            // A rotation there brings another id.
            (CredentialKind::KeyIdAndSecret, other) => {
                Secret::from_bytes([b"other-", other].concat()).unwrap()
            }
            _ => other,
        };
        let build = |secrets: Vec<Secret>| provider.verifier_at_time(secrets, Some(url()), at(NOW));
        for (secrets, index) in [
            (vec![own.clone()], 0),
            (vec![own.clone(), other.clone()], 0),
            (vec![other.clone(), own.clone()], 1),
        ] {
            let verified = verify(&build(secrets).unwrap(), &trial.head, &trial.body);
            assert_eq!(verified.unwrap().key_index(), index, "{name}");
        }
        assert!(verify(&build(vec![other]).unwrap(), &trial.head, &trial.body).is_err(), "{name}");
        assert_eq!(
            build(vec![own; 17]).unwrap_err(),
            tower_webhook::ConfigError::TooManySecrets,
            "{name}"
        );
        assert_eq!(
            build(Vec::new()).unwrap_err(),
            tower_webhook::ConfigError::SecretEmpty,
            "{name}"
        );
    }
    let datadog = by_name("datadog").unwrap();
    assert!(datadog.verifier(["x-a:token", "X-A:other token"]).is_ok());
    let mixed = datadog.verifier(["x-a:token", "x-b:other token"]).unwrap_err();
    assert!(mixed.to_string().contains("`x-header:token`"), "{mixed}");
}
