//! Signatures by a private key: vectors, keys, and what must not pass for a signature. The derived
//! vectors were made with Python's `cryptography`.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower_webhook::{
    ConfigError, PublicKey, Rejection, RejectionKind, Scheme, Secret, SignatureLayer, Verified,
    Verifier,
    layer::ResponseBody,
    providers::{
        self, Bridge, Circle, CredentialKind, Discord, EBay, FalAi, Freshchat, Gemini,
        GitHubCopilot, GitHubSecretScanning, HighLevel, IntegratedFinance, Postal, SendGrid,
        ShipStation, StandardWebhooks, Telnyx, TokenIo, Turnkey, WeChatPay, Wise,
    },
    scheme::{Component, Encoding, SchemeVerifier, SignatureFormat, Tolerance},
    verifier::any_of,
};

use crate::support::{
    AtTime, Inner, Script, Sha256Mac, Timed, at, head_of, hex, mac, secret, send, verify,
};

#[derive(Clone, Debug, Deserialize)]
struct Vector {
    /// The provider, unless its scheme is declared here.
    #[serde(default)]
    provider: String,
    description: String,
    /// Where it was published, or what it was derived from.
    source: String,
    origin: String,
    headers: BTreeMap<String, String>,
    body: String,
    /// The public key.
    secret: String,
    now: Option<u64>,
    valid: bool,
    algorithm: Option<String>,
}

type Sent = (Response<ResponseBody<String>>, Inner);

/// The verifiers of this module behind one type, so that a table can hold them.
#[derive(Clone, Debug)]
enum Any {
    Discord(Timed<Discord>),
    EBay(EBay),
    SendGrid(Timed<SendGrid>),
    StandardWebhooks(Timed<StandardWebhooks>),
    Telnyx(Timed<Telnyx>),
    Wise(Wise),
    /// A provider that consists of a scheme.
    Scheme(Timed<SchemeVerifier>),
    Declared(SchemeVerifier),
}

macro_rules! each {
    ($any:expr, $verifier:ident => $run:expr) => {
        match $any {
            Any::Discord($verifier) => $run,
            Any::EBay($verifier) => $run,
            Any::SendGrid($verifier) => $run,
            Any::StandardWebhooks($verifier) => $run,
            Any::Telnyx($verifier) => $run,
            Any::Wise($verifier) => $run,
            Any::Scheme($verifier) => $run,
            Any::Declared($verifier) => $run,
        }
    };
}

const BOTH_SIDES: &[Component] = &[
    Component::Literal("a:"),
    Component::Body,
    Component::Literal(":"),
    Component::Header("x-nonce"),
];

fn declared(algorithm: &str) -> Scheme {
    let scheme = match algorithm {
        "ed25519" => Scheme::ed25519("x-sig"),
        "ecdsa" => Scheme::ecdsa_p256_sha256("x-sig"),
        "rsa" => Scheme::rsa_pkcs1_sha256("x-sig"),
        other => panic!("{other}"),
    };
    scheme.encoding(Encoding::Base64).signed_content(BOTH_SIDES)
}

impl Vector {
    fn all() -> Vec<Self> {
        let mut all = Self::read("tests/data/asymmetric.json");
        // `fetched_keys/body_tokens.rs` has those of Wix, whose bodies are tokens.
        for name in crate::providers::registry::ASYMMETRIC.into_iter().filter(|name| *name != "wix")
        {
            let of_provider = Self::read(&format!("src/providers/vectors/{name}.json"));
            let provider = || name.to_owned();
            all.extend(of_provider.into_iter().map(|it| Self { provider: provider(), ..it }));
        }
        all
    }

    fn read(path: &str) -> Vec<Self> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn find(provider: &str, description: &str) -> Self {
        let mut all = Self::all().into_iter();
        all.find(|v| v.provider == provider && v.description.starts_with(description)).unwrap()
    }

    /// One that is accepted, for each provider.
    fn genuine() -> Vec<Self> {
        let mut by_provider = BTreeMap::new();
        for vector in Self::all().into_iter().filter(|vector| vector.valid) {
            by_provider.entry(vector.provider.clone()).or_insert(vector);
        }
        assert_eq!(by_provider.len(), 21);
        by_provider.into_values().collect()
    }

    fn name(&self) -> String {
        format!("{}: {} ({})", self.provider, self.description, self.source)
    }

    fn key(&self) -> PublicKey {
        let text = &*self.secret;
        let key = match &*self.provider {
            "discord" => PublicKey::from_hex(text),
            "fal_ai" | "gemini" | "integrated_finance" | "telnyx" | "token_io" | "turnkey" => {
                PublicKey::from_base64(text)
            }
            "standard_webhooks_v1a" => PublicKey::from_whpk(text),
            "wise" => PublicKey::from_pem(text),
            _ => PublicKey::from_spki_base64(text),
        };
        key.unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }

    fn with_key(&self, key: PublicKey) -> Result<Any, ConfigError> {
        let now = at(self.now.unwrap_or(1_700_000_000));
        Ok(match &*self.provider {
            "discord" => Any::Discord(Discord::new(key)?.clock(now)),
            "sendgrid" => Any::SendGrid(SendGrid::new(key)?.clock(now)),
            "standard_webhooks_v1a" => {
                Any::StandardWebhooks(StandardWebhooks::new_asymmetric(key)?.clock(now))
            }
            "telnyx" => Any::Telnyx(Telnyx::new(key)?.clock(now)),
            "wise" => Any::Wise(Wise::new(key)?),
            "ebay" => Any::EBay(EBay::new(key)?),
            "fal_ai" => Any::Scheme(FalAi::SCHEME.verifier(key)?.clock(now)),
            "gemini" => Any::Scheme(Gemini::SCHEME.verifier(key)?.clock(now)),
            "github_copilot" => Any::Scheme(GitHubCopilot::SCHEME.verifier(key)?.clock(now)),
            "shipstation" => Any::Scheme(ShipStation::SCHEME.verifier(key)?.clock(now)),
            "turnkey" => Any::Scheme(Turnkey::SCHEME.verifier(key)?.clock(now)),
            "bridge" => Any::Scheme(Bridge::SCHEME.verifier(key)?.clock(now)),
            "circle" => Any::Scheme(Circle::SCHEME.verifier(key)?.clock(now)),
            "integrated_finance" => {
                Any::Scheme(IntegratedFinance::SCHEME.verifier(key)?.clock(now))
            }
            "freshchat" => Any::Scheme(Freshchat::SCHEME.verifier(key)?.clock(now)),
            "github_secret_scanning" => {
                Any::Scheme(GitHubSecretScanning::SCHEME.verifier(key)?.clock(now))
            }
            "highlevel" => Any::Scheme(HighLevel::SCHEME.verifier(key)?.clock(now)),
            "postal" => Any::Scheme(Postal::SCHEME.verifier(key)?.clock(now)),
            "token_io" => Any::Scheme(TokenIo::SCHEME.verifier(key)?.clock(now)),
            "wechat_pay" => Any::Scheme(WeChatPay::SCHEME.verifier(key)?.clock(now)),
            _ => {
                let scheme = declared(self.algorithm.as_deref().unwrap());
                Any::Declared(scheme.verifier(key)?)
            }
        })
    }

    fn verifier(&self) -> Any {
        self.with_key(self.key()).unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }

    fn request<B>(&self, body: B) -> Request<B> {
        let mut request = Request::post("/hook");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(body).unwrap()
    }

    fn verify(&self) -> Result<Verified, Rejection> {
        self.verify_by(&self.verifier())
    }

    fn verify_by(&self, verifier: &Any) -> Result<Verified, Rejection> {
        let (head, body) = (head_of(self.request(())), Bytes::from(self.body.clone()));
        each!(verifier, verifier => verify(verifier, &head, &body))
    }

    async fn send(&self, body: Script) -> Sent {
        self.send_request(self.request(body)).await
    }

    async fn send_request(&self, request: Request<Script>) -> Sent {
        each!(self.verifier(), verifier => send(&SignatureLayer::new(verifier), request).await)
    }

    fn signature_header(&self) -> &str {
        let is_signature = |name: &&String| {
            let name = name.to_lowercase();
            ["ed25519", "x-sig", "-signature"].iter().any(|part| name.contains(part))
                && !name.ends_with("timestamp")
        };
        self.headers.keys().find(is_signature).unwrap()
    }

    /// The signature's bytes.
    fn signature(&self) -> Vec<u8> {
        let text = &self.headers[self.signature_header()];
        match &*self.provider {
            "ebay" => STANDARD.decode(ebay_header(text)["signature"].as_str().unwrap()).unwrap(),
            "discord" | "fal_ai" | "turnkey" => (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                .collect(),
            "token_io" => URL_SAFE_NO_PAD.decode(text).unwrap(),
            "bridge" => STANDARD.decode(text.split_once("v0=").unwrap().1).unwrap(),
            _ => STANDARD.decode(text.strip_prefix("v1a,").unwrap_or(text)).unwrap(),
        }
    }

    fn with_signature(&self, signature: &[u8]) -> Self {
        let text = match &*self.provider {
            "ebay" => {
                let mut header = ebay_header(&self.headers[self.signature_header()]);
                header["signature"] = STANDARD.encode(signature).into();
                STANDARD.encode(header.to_string())
            }
            "discord" | "fal_ai" | "turnkey" => hex(signature),
            "token_io" => URL_SAFE_NO_PAD.encode(signature),
            "gemini" | "standard_webhooks_v1a" => format!("v1a,{}", STANDARD.encode(signature)),
            "bridge" => {
                let text = &self.headers[self.signature_header()];
                let (time, _) = text.split_once("v0=").unwrap();
                format!("{time}v0={}", STANDARD.encode(signature))
            }
            _ => STANDARD.encode(signature),
        };
        self.with_signature_text(text)
    }

    fn with_signature_text(&self, text: String) -> Self {
        let mut other = self.clone();
        other.headers.insert(self.signature_header().to_owned(), text);
        other
    }
}

/// The JSON of eBay's header.
fn ebay_header(text: &str) -> serde_json::Value {
    serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap()
}

/// Refused as the provider has it, with an empty answer, and not passed on.
fn assert_refused(name: &str, status: StatusCode, kind: RejectionKind, (response, inner): &Sent) {
    assert_eq!(inner.count(), 0, "{name}: the inner service was called");
    assert_eq!(response.status(), status, "{name}");
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(rejection.kind(), kind, "{name}: {rejection}");
}

#[tokio::test]
async fn every_vector_gives_its_stated_verdict() {
    let vectors = Vector::all();
    for vector in &vectors {
        let (name, verdict) = (vector.name(), vector.verify());
        assert_eq!(verdict.is_ok(), vector.valid, "{name}: {verdict:?}");

        let chunks = vector.body.as_bytes().chunks(3).map(Bytes::copy_from_slice);
        let sent = vector.send(Script::data(chunks)).await;
        match verdict {
            Ok(verified) => {
                assert_eq!(sent.1.count(), usize::from(!name.contains("PING")), "{name}");
                if sent.1.count() == 1 {
                    let call = sent.1.only_call();
                    assert_eq!(call.body.bytes(), &vector.body, "{name}");
                    assert_eq!(call.verified().replay_key(), verified.replay_key(), "{name}");
                    assert!(verified.replay_key().is_some(), "{name}");
                }
            }
            Err(rejection) => {
                assert!(rejection.kind().is_authentication_failure(), "{name}: {rejection}");
                assert_refused(&name, rejection.status(), rejection.kind(), &sent);
            }
        }
    }
    let derived = vectors.iter().filter(|vector| vector.origin == "derived").count();
    let valid = vectors.iter().filter(|vector| vector.valid).count();
    // A vector that is dropped is noticed here.
    assert!(
        vectors.len() >= 54 && vectors.len() - derived >= 5 && valid >= 18,
        "{derived}, {valid}"
    );
}

#[test]
fn what_was_proven_is_told() {
    for vector in Vector::genuine() {
        let (name, verified) = (vector.name(), vector.verify().unwrap());
        let provider = match &*vector.provider {
            "standard_webhooks_v1a" => "standard_webhooks",
            "declared" => "custom",
            other => other,
        };
        assert_eq!(verified.provider(), provider, "{name}");
        assert_eq!(verified.key_index(), 0, "{name}");
        let is_time = |name: &String| name.to_lowercase().ends_with("timestamp");
        let has_time = vector.headers.keys().any(is_time) || provider == "bridge";
        assert_eq!(verified.signed_at().is_some(), has_time, "{name}");
        let id = verified.delivery_id().map(|id| id.to_str().unwrap());
        let expected = match provider {
            "standard_webhooks" => Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
            "fal_ai" => Some("024ca5b1-45d3-4afd-883e-ad3abe2a1c4d"),
            "gemini" => Some("msg_5f2d1c1e-8d0f-4a53-9d57-1a2b3c4d5e6f"),
            "integrated_finance" => Some("e-1"),
            "turnkey" => Some("evt-madeup-1"),
            "wise" => Some("d-1"),
            _ => None,
        };
        assert_eq!(id, expected, "{name}");
        let is_signed = ["fal_ai", "gemini", "integrated_finance", "standard_webhooks", "turnkey"]
            .contains(&provider);
        assert_eq!(verified.delivery_id_is_signed(), is_signed, "{name}");
    }
}

#[test]
fn second_valid_signature_keeps_the_replay_key() {
    let published = Vector::find("sendgrid", "valid");
    let twin = Vector::find("sendgrid", "the other signature, n - s");
    assert_ne!(published.signature(), twin.signature());
    let replay_key = |vector: &Vector| vector.verify().unwrap().replay_key().unwrap();
    assert_eq!(replay_key(&published), replay_key(&twin));
    assert_ne!(replay_key(&published), replay_key(&Vector::find("sendgrid", "short")));

    let commands = ["command", "interaction PING", "the last retry"];
    let [a, b, c] = commands.map(|command| replay_key(&Vector::find("discord", command)));
    assert!(a != b && b != c && a != c);
}

#[test]
fn every_flipped_bit_is_noticed() {
    for vector in Vector::genuine() {
        let verifier = vector.verifier();
        vector.verify_by(&verifier).unwrap();
        let signature = vector.signature();
        for bit in 0..signature.len() * 8 {
            let mut signature = signature.clone();
            signature[bit / 8] ^= 1 << (bit % 8);
            let verdict = vector.with_signature(&signature).verify_by(&verifier);
            let rejection = verdict.expect_err(&format!("{}: bit {bit}", vector.name()));
            assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch, "{}", vector.name());
        }
        for at in 0..vector.body.len() {
            let mut body = vector.body.clone().into_bytes();
            body[at] ^= 1;
            let other = Vector { body: String::from_utf8(body).unwrap(), ..vector.clone() };
            assert!(other.verify_by(&verifier).is_err(), "{}: byte {at}", vector.name());
        }
        let signed = ["telnyx-timestamp", "webhook-id", "webhook-timestamp", "x-nonce"];
        let signed = |name: &str| signed.contains(&name) || name.ends_with("Timestamp");
        for header in vector.headers.keys().filter(|name| signed(name)) {
            for at in 0..vector.headers[header].len() {
                let mut other = vector.clone();
                let mut value = vector.headers[header].clone().into_bytes();
                value[at] ^= 1;
                other.headers.insert(header.clone(), String::from_utf8(value).unwrap());
                assert!(other.verify_by(&verifier).is_err(), "{}: {header} {at}", vector.name());
            }
        }
    }
}

#[test]
fn a_signature_of_another_length_is_refused() {
    for vector in Vector::genuine() {
        let (verifier, signature) = (vector.verifier(), vector.signature());
        let refused = |name: &str, signature: &[u8]| {
            let verdict = vector.with_signature(signature).verify_by(&verifier);
            assert!(verdict.is_err(), "{}: {name}", vector.name());
        };
        for len in 0..signature.len() {
            refused("cut", &signature[..len]);
            refused("cut in front", &signature[signature.len() - len..]);
        }
        for more in [1, 8, 700, 3000] {
            refused("extended", &[&signature[..], &vec![0; more]].concat());
            refused("extended in front", &[&vec![0; more], &signature[..]].concat());
        }
        refused("twice", &signature.repeat(2));
    }
}

#[tokio::test]
async fn a_head_that_can_be_refused_costs_no_body() {
    use RejectionKind::{Malformed, Missing, Repeated};
    for vector in Vector::genuine() {
        let status = vector.verifier();
        let status = each!(status, verifier => verifier.defaults().status());
        let expected = match &*vector.provider {
            "bridge" => StatusCode::BAD_REQUEST,
            "discord" => StatusCode::UNAUTHORIZED,
            "ebay" => StatusCode::PRECONDITION_FAILED,
            _ => StatusCode::FORBIDDEN,
        };
        assert_eq!(status, expected, "{}", vector.name());
        let header = vector.signature_header();
        let text = vector.headers[header].clone();
        for (name, kind, value) in [
            ("dropped", Missing, None),
            ("empty", Missing, Some(String::new())),
            ("of spaces", Missing, Some("  ".to_owned())),
            ("cut", Malformed, Some(text[..text.len() - 1].to_owned())),
            ("one longer", Malformed, Some(format!("{text}0"))),
            ("of another alphabet", Malformed, Some(format!("{}!", &text[..text.len() - 1]))),
            ("in quotes", Malformed, Some(format!("\"{text}\""))),
            ("of 2000 bytes", Malformed, Some("00".repeat(2000))),
            ("of 9 KiB", Malformed, Some("0".repeat(9 << 10))),
        ] {
            let name = format!("{}: {name}", vector.name());
            let mut other = vector.clone();
            other.headers.remove(header);
            other.headers.extend(value.map(|value| (header.to_owned(), value)));
            let sent = other.send(Script::untouchable()).await;
            assert_refused(&name, status, kind, &sent);
        }
        for (header, value) in &vector.headers {
            let mut request = vector.request(Script::untouchable());
            let name: http::HeaderName = header.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
            let sent = vector.send_request(request).await;
            assert_refused(&format!("{header} twice"), status, Repeated, &sent);
        }
    }
}

#[tokio::test]
async fn discord_pings_are_answered_and_events_are_not() {
    for (description, answer) in [
        ("command", None),
        ("interaction PING", Some((StatusCode::OK, r#"{"type":1}"#))),
        ("interaction PING with", Some((StatusCode::OK, r#"{"type":1}"#))),
        ("webhook event PING", Some((StatusCode::NO_CONTENT, ""))),
        ("webhook event, whose type is 1 too", None),
    ] {
        let vector = Vector::find("discord", description);
        let (response, inner) = vector.send(Script::data([vector.body.clone()])).await;
        assert_eq!(inner.count(), usize::from(answer.is_none()), "{description}");
        let Some((status, text)) = answer else { continue };
        assert_eq!(response.status(), status, "{description}");
        assert_eq!(response.headers()["content-type"], "application/json", "{description}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, text, "{description}");

        let forged = vector.with_signature(&[0; 64]);
        let body = Script::data([vector.body.clone()]);
        let polls = body.polls.clone();
        let sent = forged.send(body).await;
        let kind = RejectionKind::SignatureMismatch;
        assert_refused(description, StatusCode::UNAUTHORIZED, kind, &sent);
        assert_ne!(polls.load(Ordering::SeqCst), 0, "{description}");
    }
}

#[test]
fn sendgrids_tolerance_can_be_set() {
    let vector = Vector::find("sendgrid", "short");
    let verifier = SendGrid::new(vector.key()).unwrap().tolerance(Tolerance::seconds(300));
    for (now, kind) in [
        (1_600_112_502, None),
        (1_600_112_802, None),
        (1_600_112_803, Some(RejectionKind::TimestampStale)),
        (1_600_112_201, Some(RejectionKind::TimestampInFuture)),
    ] {
        let verifier = Any::SendGrid(verifier.clone().clock(at(now)));
        let rejection = vector.verify_by(&verifier).err();
        assert_eq!(rejection.map(|rejection| rejection.kind()), kind, "{now}");
    }
}

#[test]
fn another_key_is_refused() {
    let vectors = Vector::all();
    let mut refused = 0;
    for vector in Vector::genuine() {
        for other in vectors.iter().filter(|other| other.secret != vector.secret) {
            match vector.with_key(other.key()) {
                Ok(verifier) => {
                    let kind = vector.verify_by(&verifier).unwrap_err().kind();
                    assert_eq!(kind, RejectionKind::SignatureMismatch, "{}", vector.name());
                    refused += 1;
                }
                Err(ConfigError::PublicKeyInvalid { .. }) => {}
                Err(error) => panic!("{}: {error}", vector.name()),
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

/// SPKI of one key of each algorithm, in base64.
fn spki(algorithm: &str) -> String {
    Vector::find("declared", algorithm).secret
}

fn key(algorithm: &str) -> PublicKey {
    PublicKey::from_spki_base64(&spki(algorithm)).unwrap()
}

const ALGORITHMS: [&str; 3] = ["ecdsa", "ed25519", "rsa"];

#[test]
fn key_of_another_algorithm_is_a_config_error() {
    for scheme in ALGORITHMS {
        for other in ALGORITHMS {
            let name = format!("{scheme} with a key of {other}");
            let verifier = declared(scheme).verifier(key(other));
            let further = declared(scheme).verifier([key(scheme), key(other)]);
            assert_eq!(verifier.is_ok(), scheme == other, "{name}");
            assert_eq!(further.is_ok(), scheme == other, "{name}");
            for error in [verifier.err(), further.err()].into_iter().flatten() {
                assert!(matches!(error, ConfigError::PublicKeyInvalid { .. }), "{name}: {error}");
            }
        }
    }
    for (name, is_ok) in [
        ("discord", Discord::new(key("ecdsa")).is_ok()),
        ("sendgrid", SendGrid::new(key("ed25519")).is_ok()),
        ("telnyx", Telnyx::new(key("rsa")).is_ok()),
        ("wise", Wise::new(key("ed25519")).is_ok()),
        ("circle", Circle::new(key("rsa")).is_ok()),
        ("ebay", EBay::new(key("rsa")).is_ok()),
        ("fal.ai", FalAi::new(key("ecdsa")).is_ok()),
        ("gemini", Gemini::new(key("rsa")).is_ok()),
        ("github copilot", GitHubCopilot::new(key("rsa")).is_ok()),
        ("shipstation", ShipStation::new(key("ed25519")).is_ok()),
        ("turnkey", Turnkey::new(key("ecdsa")).is_ok()),
        ("freshchat", Freshchat::new(key("ecdsa")).is_ok()),
        ("github secret scanning", GitHubSecretScanning::new(key("rsa")).is_ok()),
        ("highlevel", HighLevel::new(key("rsa")).is_ok()),
        ("postal", Postal::new(key("ed25519")).is_ok()),
        ("token.io", TokenIo::new(key("ecdsa")).is_ok()),
        ("wechat pay", WeChatPay::new(key("ed25519")).is_ok()),
        ("standard webhooks", StandardWebhooks::new_asymmetric(key("rsa")).is_ok()),
    ] {
        assert!(!is_ok, "{name}");
    }
}

/// What people paste in the place of a public key, and what the error says that it saw.
#[test]
fn the_error_of_a_public_key_says_what_it_saw() {
    let spki = spki("ecdsa");
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
    let hex = "98".repeat(32);
    let broken = format!("{}\n{}", &spki[..64], &spki[64..]);
    PublicKey::from_pem(&pem).unwrap();
    let error = |made: Result<PublicKey, ConfigError>| made.unwrap_err().to_string();
    let from_pem = |text: &str| error(PublicKey::from_pem(text));
    for (error, seen) in [
        (error(PublicKey::from_spki_base64(&broken)), "line break"),
        (error(PublicKey::from_spki_base64(&format!("{spki}\n"))), "line break"),
        (error(PublicKey::from_spki_base64(&pem)), "`PublicKey::from_pem`"),
        (error(PublicKey::from_spki_base64(&spki[1..])), "too few"),
        (error(PublicKey::from_spki_base64(&spki.replacen('A', "-", 1))), "URL-safe"),
        (error(PublicKey::from_hex(&format!("{hex}\n"))), "line break"),
        (error(PublicKey::from_hex(&hex[1..])), "digit"),
        (error(PublicKey::from_hex(&hex[2..])), "64 hexadecimal digits"),
        (error(PublicKey::from_hex(&format!("0x{hex}"))), "`0x`"),
        (error(PublicKey::from_hex(&spki)), "not a hexadecimal digit"),
        (error(PublicKey::from_base64("whpk_1SiA")), "`whpk_`"),
        (error(PublicKey::from_whpk("whsec_1SiA")), "`whsec_`"),
        (error(PublicKey::from_whpk("whsk_1SiA")), "private key"),
        (error(format!("{hex}\n").parse()), "line break"),
        (error(format!("{spki} ").parse()), "white space"),
        (from_pem(&spki), "-----BEGIN PUBLIC KEY-----"),
        (from_pem(&pem.replace("PUBLIC", "PRIVATE")), "private key"),
        (from_pem(&pem.replace("PUBLIC", "RSA PUBLIC")), "-RSAPublicKey_in"),
        (from_pem(&pem.replace("PUBLIC KEY", "CERTIFICATE")), "openssl x509"),
        (from_pem(&pem.replace('\n', "\\n")), "two characters"),
        (from_pem(&format!("{pem}{pem}")), "one PEM block"),
    ] {
        assert!(error.contains(seen), "{seen}: {error}");
        assert!(!error.contains(&spki[..8]) && !error.contains(&hex[..8]), "{error}");
    }
}

#[test]
fn secret_and_public_key_are_not_interchangeable() {
    let is_scheme_error = |name: &str, result: Result<SchemeVerifier, ConfigError>| {
        let error = result.expect_err(name);
        assert!(matches!(error, ConfigError::SchemeInvalid { .. }), "{name}: {error}");
    };
    for algorithm in ALGORITHMS {
        let scheme = declared(algorithm);
        is_scheme_error(algorithm, scheme.verifier(secret()));
        for hmac in [Scheme::hmac_sha1("x-sig"), Scheme::hmac_sha256("x-sig")] {
            is_scheme_error("HMAC", hmac.verifier(key(algorithm)));
        }
    }
}

/// What a verifier would accept that took the algorithm from the request.
#[test]
fn an_hmac_keyed_with_the_public_key_is_refused() {
    let vector = Vector::find("standard_webhooks_v1a", "");
    let text = vector.secret.strip_prefix("whpk_").unwrap();
    let raw = STANDARD.decode(text).unwrap();
    let id = &vector.headers["webhook-id"];
    let signed = format!("{id}.{}.{}", vector.headers["webhook-timestamp"], vector.body);
    for key in [&raw[..], text.as_bytes(), vector.secret.as_bytes(), b""] {
        let tag = mac::<Sha256Mac>(key, signed.as_bytes());
        let text = STANDARD.encode(&tag);
        let twice = STANDARD.encode(tag.repeat(2));
        for value in [
            format!("v1,{text}"),
            format!("v1a,{text}"),
            format!("v1,{text} v1a,{text}"),
            format!("v1a,{twice}"),
            format!("v1,{text} v1a,{twice}"),
        ] {
            assert!(vector.with_signature_text(value.clone()).verify().is_err(), "{value}");
        }
        // The same tag does pass where the key is the secret of `v1`.
        if key == raw {
            let secret = Secret::from_bytes(raw.clone()).unwrap();
            let now = at(vector.now.unwrap());
            let verifier = Any::StandardWebhooks(StandardWebhooks::new(secret).unwrap().clock(now));
            vector.with_signature_text(format!("v1,{text}")).verify_by(&verifier).unwrap();
            assert!(vector.verify_by(&verifier).is_err(), "v1a under a secret");
        }
    }
}

#[test]
fn v1a_is_found_among_versions_in_one_header_family() {
    let vector = Vector::find("standard_webhooks_v1a", "");
    let good = vector.headers["webhook-signature"].clone();
    let wrong = format!("v1a,{}", STANDARD.encode([7; 64]));
    for (name, value, expected) in [
        ("first", format!("{good} v1,AAAA"), Ok(())),
        ("last", format!("v1,AAAA v2,x {wrong} v1a,? {good}"), Ok(())),
        ("sixteenth", format!("{} {good}", vec![&*wrong; 15].join(" ")), Ok(())),
        (
            "seventeenth",
            format!("{} {good}", vec![&*wrong; 16].join(" ")),
            Err(RejectionKind::Malformed),
        ),
        ("as v1", good.replace("v1a,", "v1,"), Err(RejectionKind::Malformed)),
        ("in capitals", good.replace("v1a,", "V1A,"), Err(RejectionKind::Malformed)),
    ] {
        let verdict = vector.with_signature_text(value).verify();
        assert_eq!(verdict.map(drop).map_err(|rejection| rejection.kind()), expected, "{name}");
    }

    let svix = |name: &String| name.replace("webhook-", "svix-");
    let headers = vector.headers.iter().map(|(name, value)| (svix(name), value.clone()));
    let other = Vector { headers: headers.collect(), ..vector.clone() };
    other.verify().expect("the svix family");
    for name in vector.headers.keys() {
        let mut mixed = vector.clone();
        let value = mixed.headers.remove(name).unwrap();
        mixed.headers.insert(svix(name), value);
        assert_eq!(mixed.verify().unwrap_err().kind(), RejectionKind::Repeated, "{name}");
    }

    // The id is signed, and so tells the delivery, whatever was sent.
    let by_id =
        Verified::new("standard_webhooks").with_replay_material(b"msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(vector.verify().unwrap().replay_key(), by_id.replay_key());
}

#[test]
fn either_kind_can_be_accepted_during_a_change() {
    let vector = Vector::find("standard_webhooks_v1a", "");
    let now = at(vector.now.unwrap());
    let symmetric = StandardWebhooks::new("whsec_b2xkIHNlY3JldA==").unwrap();
    let asymmetric = StandardWebhooks::new_asymmetric(vector.key()).unwrap();
    let either = any_of(symmetric.clock(now.clone()), asymmetric.clock(now));
    let (head, body) = (head_of(vector.request(())), Bytes::from(vector.body.clone()));
    verify(&either, &head, &body).unwrap();
}

#[test]
fn keys_are_rotated() {
    let vector = Vector::find("telnyx", "event");
    let old = Vector::find("discord", "command").key();
    let telnyx = Telnyx::new(old.clone()).unwrap().clock(at(1_700_000_000));
    assert!(vector.verify_by(&Any::Telnyx(telnyx.clone())).is_err());
    let verified = |verifier| vector.verify_by(&Any::Telnyx(verifier)).unwrap();
    let second = Telnyx::new([old.clone(), vector.key()]).unwrap();
    let second = verified(second.clock(at(1_700_000_000)));
    assert_eq!(second.key_index(), 1);
    let first = Telnyx::new([vector.key(), old.clone()]).unwrap();
    let first = verified(first.clock(at(1_700_000_000)));
    assert_eq!(first.key_index(), 0);
    // Which key it was does not make another delivery of it.
    assert_eq!(first.replay_key(), second.replay_key());

    assert!(Telnyx::new(vec![old.clone(); 16]).is_ok());
    assert_eq!(Telnyx::new(vec![old; 17]).unwrap_err(), ConfigError::TooManySecrets);
}

#[test]
fn each_listed_signature_is_tried_at_any_length() {
    let vector = Vector::find("sendgrid", "short");
    let good = STANDARD.encode(vector.signature());
    let scheme = Scheme::ecdsa_p256_sha256("x-sig")
        .encoding(Encoding::Base64)
        .signature_format(SignatureFormat::tagged("e"))
        .signed_content(&[Component::Literal("1600112502"), Component::Body]);
    let verifier = scheme.verifier(vector.key()).unwrap();
    let long = STANDARD.encode([1; 72]);
    for (name, value, is_ok) in [
        ("alone", format!("e,{good}"), true),
        ("after a longer one", format!("e,{long} e,{good}"), true),
        ("before a longer one", format!("e,{good} e,{long}"), true),
        ("after one that is none", format!("e,AA== e, e,? e,{good}"), true),
        ("cut after a longer one", format!("e,{long} e,{}", &good[..good.len() - 4]), false),
    ] {
        let request = Request::post("/").header("x-sig", value).body(()).unwrap();
        let verdict = verify(&verifier, &head_of(request), &Bytes::from("[]"));
        assert_eq!(verdict.is_ok(), is_ok, "{name}");
    }
}

const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCouC1WH7H5Ue6SuQX15pP7pT0v
2huLdkfsmPtWz62yqixCLTYDCiWvvN1yF7HBkPRBQ5QiVABG4uLEeEmMJWvckhjQ
EDujaFF7vlOgqnxJq0XRZZI/czDiP8o0HH0sUm/B8wG6D6EK5AMnCy1iIToiRa9g
N5hdehVKkKsQr5UEhwIDAQAB
-----END PUBLIC KEY-----
";
const P384: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEoQwHj3m9bXtVwcRSP0RRIdW86PGAwiftGTKiZT7JSwWBEctr\
                    99BpFbqZ2qr3jEy18LAfKteLOTFSOcenSLFppTFb6OBlPvDD8jvl/UEL2WaTbMcDOgTTNpy+RxQ0QvQF";

#[test]
fn keys_are_read_strictly() {
    let pem =
        |base64: &str| format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
    for algorithm in ALGORITHMS {
        let base64 = spki(algorithm);
        let der = STANDARD.decode(&base64).unwrap();
        let from_der = |der: &[u8]| PublicKey::from_spki_base64(&STANDARD.encode(der));
        from_der(&der).expect(algorithm);
        PublicKey::from_pem(&pem(&base64)).expect(algorithm);
        PublicKey::from_pem(&pem(&base64).replace('\n', "\r\n")).expect(algorithm);
        PublicKey::from_spki_base64(base64.trim_end_matches('=')).expect("without padding");

        for (name, der) in [
            ("cut", der[..der.len() - 1].to_vec()),
            ("extended", [&der[..], &[0]].concat()),
            ("cut in front", der[1..].to_vec()),
            ("twice", der.repeat(2)),
            ("the key alone", der[der.len() - 32..].to_vec()),
            ("the point alone", der[der.len().saturating_sub(65).max(1)..].to_vec()),
            ("nothing", vec![]),
        ] {
            assert!(from_der(&der).is_err(), "{algorithm}: {name}");
        }
        for (name, text) in [
            ("no PEM", base64.clone()),
            ("two keys", pem(&base64).repeat(2)),
            ("no end", pem(&base64).replace("END", "E")),
            ("a private key", pem(&base64).replace("PUBLIC", "PRIVATE")),
            ("the older form's label", pem(&base64).replace("PUBLIC", "RSA PUBLIC")),
            ("with headers", pem(&format!("A: b\n\n{base64}"))),
        ] {
            assert!(PublicKey::from_pem(&text).is_err(), "{algorithm}: {name}");
        }
        assert!(PublicKey::from_spki_base64(&format!("{base64}\n")).is_err(), "{algorithm}");
        assert!(PublicKey::from_spki_base64(&pem(&base64)).is_err(), "{algorithm}");
    }
    assert!(PublicKey::from_pem(RSA_1024).is_err(), "1024 bits");
    assert!(PublicKey::from_spki_base64(P384).is_err(), "another curve");
    let mut off_the_curve = STANDARD.decode(spki("ecdsa")).unwrap();
    *off_the_curve.last_mut().unwrap() ^= 1;
    assert!(PublicKey::from_spki_base64(&STANDARD.encode(off_the_curve)).is_err());

    let good = Vector::find("discord", "command").secret;
    PublicKey::from_hex(&good.to_uppercase()).unwrap();
    for text in ["", &good[2..], &good[1..], &format!("{good}00"), &good.replace('a', "g")] {
        assert!(PublicKey::from_hex(text).is_err(), "{text}");
    }
    let good = Vector::find("telnyx", "event").secret;
    PublicKey::from_whpk(&good).unwrap();
    PublicKey::from_base64(good.trim_end_matches('=')).unwrap();
    for text in ["", "whpk_", &format!("whsec_{good}"), &format!("{good} "), &spki("ed25519")] {
        assert!(PublicKey::from_whpk(text).is_err(), "{text}");
        assert!(PublicKey::from_base64(text).is_err(), "{text}");
    }
}

#[test]
fn keys_for_which_anybody_can_sign_are_refused() {
    let reversed = |first: u8, rest: u8, last: u8| {
        let mut bytes = [rest; 32];
        (bytes[0], bytes[31]) = (first, last);
        hex(&bytes)
    };
    for (name, y) in [
        ("0", reversed(0, 0, 0)),
        ("1", reversed(1, 0, 0)),
        ("p - 1", reversed(0xec, 0xff, 0x7f)),
        ("p", reversed(0xed, 0xff, 0x7f)),
        ("p + 1", reversed(0xee, 0xff, 0x7f)),
        ("order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned()),
        (
            "order 8, negative",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
        ),
    ] {
        let last = u8::from_str_radix(&y[62..], 16).unwrap();
        for key in [y.clone(), format!("{}{:02x}", &y[..62], last | 0x80)] {
            let error = PublicKey::from_hex(&key).expect_err(name);
            assert!(error.to_string().contains("anyone can sign"), "{name}: {error}");
        }
    }
}

#[test]
fn every_provider_with_a_public_key_is_tested() {
    let tested = Vector::genuine();
    let with_key = providers::all().filter(|p| p.credential_kind() == CredentialKind::PublicKey);
    let names: Vec<_> = with_key.map(|provider| provider.name()).collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names.into_iter().filter(|name| !["standard_webhooks_v1a", "wix"].contains(name)) {
        assert!(tested.iter().any(|vector| vector.provider == name), "{name}");
    }
}

#[test]
fn debug_says_the_algorithm_and_errors_the_way_out() {
    assert_eq!(format!("{:?}", key("ecdsa")), "PublicKey(EcdsaP256Sha256)");
    let verifier = declared("rsa").verifier([key("rsa"), key("rsa")]).unwrap();
    assert!(format!("{verifier:?}").contains("public_keys: 2"), "{verifier:?}");
    let error = Wise::new(key("ed25519")).unwrap_err().to_string();
    assert!(error.ends_with("check that it is this provider's key"), "{error}");
    let error = declared("rsa").verifier(secret()).unwrap_err().to_string();
    assert!(error.contains("`PublicKey`"), "{error}");
}

#[test]
fn highlevels_published_key_is_a_key() {
    let published = PublicKey::from_spki_base64(HighLevel::PUBLISHED_KEY).unwrap();
    assert!(HighLevel::new(published).is_ok() && HighLevel::with_published_key().is_ok());
    // The key of the vectors is another one.
    let vector = Vector::find("highlevel", "an event");
    let (head, body) = (head_of(vector.request(())), Bytes::from(vector.body.clone()));
    let rejection = verify(&HighLevel::with_published_key().unwrap(), &head, &body).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::SignatureMismatch);
}
