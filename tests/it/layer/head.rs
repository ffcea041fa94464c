//! What is refused from the head alone costs no body: each provider, each header, each way to get
//! it wrong. The table of genuine requests serves other modules too.

use std::{collections::BTreeSet, fmt, pin::Pin, sync::atomic::Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use tower::Layer;
use tower_webhook::{
    Context, PublicUrl, RejectionKind, Secret, SignatureLayer, Verified, Verifier,
    layer::ResponseBody,
    providers::{
        self, Ably, CredentialKind, GitHub, HubSpot, Meta, Persona, Pusher, SharedToken, Shopify,
        Slack, StandardWebhooks, Stripe, Twilio, WebSub, Webex, WebexContactCenter, Worldline,
        Worldpay, Wsapi,
    },
};

use crate::support::{
    AtTime, Inner, SECRET, Script, assert_refused, at, head_of, hex, secret, send,
};

pub(crate) const NOW: u64 = 1_700_000_000;

/// A secret that is also base64, for the providers that decode it.
pub(crate) const WHSEC: &str = "whsec_dGVzdC1zZWNyZXQtMDEyMzQ1Njc4OWFiY2RlZi0wMTIz";

pub(crate) fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

pub(crate) type Sha1Mac = Hmac<Sha1>;
pub(crate) type Sha256Mac = Hmac<Sha256>;
pub(crate) type Sha384Mac = Hmac<Sha384>;
pub(crate) type Sha512Mac = Hmac<Sha512>;

pub(crate) type Sent = (Response<ResponseBody<String>>, Inner);
type Send = Box<dyn Fn(Request<Script>) -> Pin<Box<dyn Future<Output = Sent>>>>;

/// What a header is to its provider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// Must equal a time in the body, and may be absent.
    EchoedTime,
    SignedId,
    SignedTime,
    Signature,
    /// A token or the name of a key, judged before the body.
    Token,
    /// A delivery id that is not signed, and may be absent.
    UnsignedId,
    Unrelated,
}

/// A request that its provider's layer accepts.
pub(crate) struct Genuine {
    pub(crate) name: &'static str,
    pub(crate) headers: Vec<(&'static str, Role, Vec<u8>)>,
    pub(crate) body: &'static str,
    pub(crate) send: Send,
    /// `Debug` of the verifier, its layer, service and state.
    pub(crate) debug: String,
    signed_at: Option<u64>,
}

pub(crate) type Headers = Vec<(&'static str, Vec<u8>)>;

impl Genuine {
    fn new<V>(
        name: &'static str,
        verifier: V,
        headers: &[(&'static str, Role, String)],
        body: &'static str,
        signed_at: Option<u64>,
    ) -> Self
    where
        V: Verifier<State: fmt::Debug> + Clone + fmt::Debug + 'static,
    {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, role, value)| (*name, *role, value.clone().into()))
            .collect();
        // WebSub and Worldpay have statuses of their own, which their own tests look at.
        let layer = SignatureLayer::new(verifier.clone());
        let layer = layer.rejection_status(StatusCode::FORBIDDEN);
        let service = layer.layer(Inner::default());
        let mut genuine = Self {
            name,
            headers,
            body,
            debug: String::new(),
            send: Box::new({
                let layer = layer.clone();
                move |request| {
                    let layer = layer.clone();
                    Box::pin(async move { send(&layer, request).await })
                }
            }),
            signed_at,
        };
        let head = head_of(genuine.request(&genuine.pairs(), Script::untouchable()));
        let state = verifier.begin(&Context::new(&head)).unwrap();
        genuine.debug = format!("{verifier:?} {layer:?} {service:?} {state:?}");
        genuine
    }

    pub(crate) fn pairs(&self) -> Headers {
        self.headers.iter().map(|(name, _, value)| (*name, value.clone())).collect()
    }

    pub(crate) fn request<B>(&self, headers: &Headers, body: B) -> Request<B> {
        let mut request = Request::post("/hook").body(body).unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        request
    }

    pub(crate) async fn send(&self, headers: &Headers, body: impl Into<Bytes>) -> Sent {
        (self.send)(self.request(headers, Script::data([body.into()]))).await
    }
}

/// One request of each provider, signed with the second of two secrets.
pub(crate) fn genuine() -> Vec<Genuine> {
    use Role::{EchoedTime, Signature, SignedId, SignedTime, Token, Unrelated, UnsignedId};

    const JSON: &str = r#"{"id":"1","text":"h\u00e4"}"#;
    const TIMED: &str = r#"{"comciscotimestamp":"1700000000000"}"#;
    const FORM: &str = "Empty=&To=%2B1&Body=a+b&To=%2B2";
    let key = SECRET.as_bytes();
    let old = || Secret::new("the secret before this one").unwrap();
    let sha256 = |message: &str| mac::<Sha256Mac>(key, message.as_bytes());
    let hub = || format!("sha256={}", hex(&sha256(JSON)));
    let time = NOW.to_string();
    let stripe = format!("t={time},v1={},v0=00", hex(&sha256(&format!("{time}.{JSON}"))));
    let list = |signed: &str| {
        let key = STANDARD.decode(&WHSEC[6..]).unwrap();
        let tag = mac::<Sha256Mac>(&key, signed.as_bytes());
        format!("v1,{} v2,AAAA", STANDARD.encode(tag))
    };
    let whsec = || StandardWebhooks::new(["whsec_b2xkIHNlY3JldA==", WHSEC]).unwrap().clock(at(NOW));
    let signed = format!("msg_1.{time}.{JSON}");
    let twilio = {
        // Sorted, and without delimiters.
        let signed = "https://example.com/hookBodya bEmptyTo+1To+2";
        STANDARD.encode(mac::<Sha1Mac>(key, signed.as_bytes()))
    };
    let id = |id: &str| id.to_owned();
    let millis = format!("{NOW}000");
    let hubspot = STANDARD.encode(sha256(&format!("POSThttps://example.com/hook{JSON}{millis}")));
    vec![
        Genuine::new(
            "GitHub",
            GitHub::new([old(), secret()]).unwrap(),
            &[
                ("x-hub-signature-256", Signature, hub()),
                ("x-github-delivery", UnsignedId, id("72d3162e")),
            ],
            JSON,
            None,
        ),
        Genuine::new(
            "HubSpot",
            HubSpot::new([old(), secret()], PublicUrl::base("https://example.com").unwrap())
                .unwrap()
                .clock(at(NOW)),
            &[
                ("x-hubspot-signature-v3", Signature, hubspot),
                ("x-hubspot-request-timestamp", SignedTime, millis.clone()),
            ],
            JSON,
            Some(NOW),
        ),
        Genuine::new(
            "Persona",
            Persona::new([old(), secret()]).unwrap().clock(at(NOW)),
            &[("persona-signature", Signature, stripe.clone())],
            JSON,
            Some(NOW),
        ),
        Genuine::new(
            "Worldpay",
            Worldpay::new("1", old()).unwrap().key("2", secret()).unwrap(),
            &[("event-signature", Signature, format!("2/SHA256/{}", hex(&sha256(JSON))))],
            JSON,
            None,
        ),
        Genuine::new(
            "Meta",
            Meta::new([old(), secret()]).unwrap(),
            &[("x-hub-signature-256", Signature, hub())],
            JSON,
            None,
        ),
        Genuine::new(
            "Meta, legacy",
            Meta::new([old(), secret()]).unwrap().accept_legacy_sha1(),
            &[(
                "x-hub-signature",
                Signature,
                format!("sha1={}", hex(&mac::<Sha1Mac>(key, JSON.as_bytes()))),
            )],
            JSON,
            None,
        ),
        Genuine::new(
            "SharedToken",
            SharedToken::new(HeaderName::from_static("x-token"), [old(), secret()]).unwrap(),
            &[("x-token", Token, SECRET.to_owned())],
            JSON,
            None,
        ),
        Genuine::new(
            "Shopify",
            Shopify::new([old(), secret()]).unwrap(),
            &[
                ("x-shopify-hmac-sha256", Signature, STANDARD.encode(sha256(JSON))),
                ("x-shopify-webhook-id", UnsignedId, id("b54557e4")),
            ],
            JSON,
            None,
        ),
        Genuine::new(
            "Slack",
            Slack::new([old(), secret()]).unwrap().clock(at(NOW)),
            &[
                (
                    "x-slack-signature",
                    Signature,
                    format!("v0={}", hex(&sha256(&format!("v0:{time}:{JSON}")))),
                ),
                ("x-slack-request-timestamp", SignedTime, time.clone()),
            ],
            JSON,
            Some(NOW),
        ),
        Genuine::new(
            "StandardWebhooks",
            whsec(),
            &[
                ("webhook-signature", Signature, list(&signed)),
                ("webhook-id", SignedId, id("msg_1")),
                ("webhook-timestamp", SignedTime, time.clone()),
            ],
            JSON,
            Some(NOW),
        ),
        Genuine::new(
            "StandardWebhooks, svix",
            whsec(),
            &[
                ("svix-signature", Signature, list(&signed)),
                ("svix-id", SignedId, id("msg_1")),
                ("svix-timestamp", SignedTime, time),
            ],
            JSON,
            Some(NOW),
        ),
        Genuine::new(
            "Stripe",
            Stripe::new([old(), secret()]).unwrap().clock(at(NOW)),
            &[("stripe-signature", Signature, stripe)],
            JSON,
            Some(NOW),
        ),
        Genuine::new(
            "Twilio",
            Twilio::new([old(), secret()], PublicUrl::base("https://example.com").unwrap())
                .unwrap(),
            &[
                ("x-twilio-signature", Signature, twilio),
                ("i-twilio-idempotency-token", UnsignedId, id("8a2c")),
                ("content-type", Unrelated, "application/x-www-form-urlencoded".to_owned()),
            ],
            FORM,
            None,
        ),
        Genuine::new(
            "Webex",
            Webex::new([old(), secret()]).unwrap(),
            &[("x-spark-signature", Signature, hex(&mac::<Sha1Mac>(key, JSON.as_bytes())))],
            JSON,
            None,
        ),
        Genuine::new(
            "WebexContactCenter",
            WebexContactCenter::new([old(), secret()]).unwrap().clock(at(NOW)),
            &[
                ("x-webexcc-signature", Signature, hex(&sha256(TIMED))),
                ("x-webexcc-timestamp", EchoedTime, millis),
            ],
            TIMED,
            Some(NOW),
        ),
        Genuine::new(
            "Ably",
            Ably::new("key-0", old()).unwrap().key("key-1", secret()).unwrap(),
            &[
                ("x-ably-signature", Signature, STANDARD.encode(sha256(JSON))),
                ("x-ably-key", Token, "key-1".to_owned()),
            ],
            JSON,
            None,
        ),
        Genuine::new(
            "Pusher",
            Pusher::new("key-0", old()).unwrap().key("key-1", secret()).unwrap(),
            &[
                ("x-pusher-signature", Signature, hex(&sha256(JSON))),
                ("x-pusher-key", Token, "key-1".to_owned()),
            ],
            JSON,
            None,
        ),
        Genuine::new(
            "Worldline",
            Worldline::new("key-0", old()).unwrap().key("key-1", secret()).unwrap(),
            &[
                ("x-gcs-signature", Signature, STANDARD.encode(sha256(JSON))),
                ("x-gcs-keyid", Token, "key-1".to_owned()),
            ],
            JSON,
            None,
        ),
        Genuine::new(
            "WebSub",
            WebSub::new([old(), secret()]).unwrap(),
            &[("x-hub-signature", Signature, hub())],
            JSON,
            None,
        ),
        Genuine::new(
            "Wsapi",
            Wsapi::new([old(), secret()]).unwrap(),
            &[("x-webhook-signature", Signature, hub())],
            JSON,
            None,
        ),
    ]
}

#[test]
fn table_covers_every_provider_beyond_a_scheme() {
    let table = genuine();
    // Tokens have tests of their own, and so have public keys.
    let others = [
        "BasicAuth",
        "Brevo",
        "Chargebee",
        "Datadog",
        "Deepgram",
        "Flutterwave",
        "GitLab",
        "Mailgun",
        "Mailjet",
        "MicrosoftGraph",
        "Okta",
        "Postmark",
        "SparkPost",
        "Telegram",
    ];
    let own = providers::all().filter(|provider| provider.scheme().is_none());
    let own = own.filter(|provider| provider.credential_kind() != CredentialKind::PublicKey);
    let own: BTreeSet<_> = own.map(|provider| provider.type_name()).collect();
    let listed: Vec<_> = own.into_iter().filter(|name| !others.contains(name)).collect();
    assert_eq!(listed.len(), 14);
    for name in listed {
        assert!(table.iter().any(|genuine| genuine.name == name), "{name}");
    }
}

#[tokio::test]
async fn genuine_request_of_each_provider_is_accepted() {
    for genuine in genuine() {
        let name = genuine.name;
        let (response, inner) = genuine.send(&genuine.pairs(), genuine.body).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}: {response:?}");
        let call = inner.only_call();
        assert_eq!(call.body.bytes(), genuine.body, "{name}");
        let verified: &Verified = call.verified();
        let provider = match name.split(',').next().unwrap() {
            "SharedToken" => "shared_token",
            "StandardWebhooks" => "standard_webhooks",
            "WebexContactCenter" => "webex_contact_center",
            other => &other.to_lowercase(),
        };
        assert_eq!(verified.provider(), provider, "{name}");
        assert_eq!(verified.key_index(), 1, "{name}");
        assert_eq!(verified.signed_at(), genuine.signed_at.map(|time| at(time)()), "{name}");
        let has_role =
            |roles: &[Role]| genuine.headers.iter().find(|(_, role, _)| roles.contains(role));
        let id = has_role(&[Role::SignedId, Role::UnsignedId]).map(|(_, _, id)| &id[..]);
        assert_eq!(verified.delivery_id().map(HeaderValue::as_bytes), id, "{name}");
        let is_signed = has_role(&[Role::SignedId]).is_some();
        assert_eq!(verified.delivery_id_is_signed(), is_signed, "{name}");
        assert_eq!(verified.replay_key().is_some(), name != "SharedToken", "{name}");
        assert_eq!(verified.tenant(), None, "{name}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Accepted,
    /// Before the body is polled.
    FromTheHead(RejectionKind),
    AfterTheBody(RejectionKind),
}

/// Each way to get a header wrong.
const MUTATIONS: [&str; 9] = [
    "dropped",
    "emptied",
    "blank",
    "repeated",
    "cut by one character",
    "one character longer",
    "9 KiB long",
    "not ASCII",
    "under another prefix",
];

fn mutate(headers: &mut Headers, index: usize, mutation: &str) {
    let value = &mut headers[index].1;
    match mutation {
        "dropped" => drop(headers.remove(index)),
        "emptied" => value.clear(),
        "blank" => *value = b" \t ".to_vec(),
        "repeated" => headers.push(headers[index].clone()),
        "cut by one character" => drop(value.pop()),
        "one character longer" => value.push(b'0'),
        "9 KiB long" => value.resize(9 << 10, b'0'),
        "not ASCII" => *value.last_mut().unwrap() = 0xe9,
        _ => match prefix_len(value) {
            0 => drop(value.splice(..0, *b"x=")),
            len => value[len - 2] = b'x',
        },
    }
}

/// What stands before a tag: `sha256=`, `v1,`, `2/SHA256/`, or nothing.
fn prefix_len(value: &[u8]) -> usize {
    match value.windows(8).position(|run| run == b"/SHA256/") {
        Some(at) => at + 8,
        None => value.iter().take(10).position(|b| b"=,".contains(b)).map_or(0, |at| at + 1),
    }
}

fn expected(role: Role, mutation: &str) -> Outcome {
    use Outcome::{Accepted, AfterTheBody, FromTheHead};
    use RejectionKind::{
        Malformed, Missing, Repeated, SignatureMismatch, TimestampInFuture, TimestampStale,
    };
    match (role, mutation) {
        (_, "repeated") => FromTheHead(Repeated),
        (_, "9 KiB long") => FromTheHead(Malformed),
        (Role::UnsignedId, _) | (Role::EchoedTime, "dropped") => Accepted,
        (Role::EchoedTime, "cut by one character" | "one character longer") => {
            AfterTheBody(Malformed)
        }
        (Role::EchoedTime, _) => FromTheHead(Malformed),
        (_, "dropped" | "emptied" | "blank") => FromTheHead(Missing),
        (Role::SignedTime, "cut by one character") => FromTheHead(TimestampStale),
        (Role::SignedTime, "one character longer") => FromTheHead(TimestampInFuture),
        // Well-formed, and not what was signed.
        (Role::SignedId, _) => AfterTheBody(SignatureMismatch),
        (Role::Token, _) => FromTheHead(SignatureMismatch),
        _ => FromTheHead(Malformed),
    }
}

#[tokio::test]
async fn a_head_that_can_be_refused_costs_no_body() {
    let mut refused = 0;
    for genuine in genuine() {
        for (index, (header, role, _)) in genuine.headers.iter().enumerate() {
            for mutation in MUTATIONS.iter().filter(|_| *role != Role::Unrelated) {
                let name = format!("{}: {header} {mutation}", genuine.name);
                let mut headers = genuine.pairs();
                // Only the signature that counts: a second one is not cut.
                if let Some(end) = headers[index].1.iter().position(|b| *b == b' ') {
                    headers[index].1.truncate(end);
                }
                if let Some(end) = headers[index].1.windows(4).position(|part| part == b",v0=") {
                    headers[index].1.truncate(end);
                }
                mutate(&mut headers, index, mutation);
                let expected = expected(*role, mutation);
                let body = match expected {
                    Outcome::FromTheHead(_) => Script::untouchable(),
                    _ => Script::data([genuine.body]),
                };
                let polls = body.polls.clone();
                let sent = (genuine.send)(genuine.request(&headers, body)).await;
                match expected {
                    Outcome::Accepted => {
                        assert_eq!(sent.0.status(), StatusCode::OK, "{name}");
                        continue;
                    }
                    Outcome::FromTheHead(kind) => {
                        assert_refused(&name, kind, &sent);
                        assert_eq!(polls.load(Ordering::SeqCst), 0, "{name}");
                    }
                    Outcome::AfterTheBody(kind) => {
                        assert_refused(&name, kind, &sent);
                        assert_ne!(polls.load(Ordering::SeqCst), 0, "{name}");
                    }
                }
                refused += 1;
            }
        }
    }
    assert!(refused > 150, "{refused}");
}

#[tokio::test]
async fn a_well_formed_wrong_tag_is_refused_after_the_body() {
    for genuine in genuine() {
        let mut headers = genuine.pairs();
        let (_, role, value) = &genuine.headers[0];
        let at = if value.starts_with(b"t=") { 20 } else { prefix_len(value) + 5 };
        headers[0].1[at] = if value[at] == b'a' { b'b' } else { b'a' };
        // A token is judged by the head, while its sender waits to send the body.
        let body = match role {
            Role::Token => Script::untouchable(),
            _ => Script::data([genuine.body]),
        };
        let polls = body.polls.clone();
        let sent = (genuine.send)(genuine.request(&headers, body)).await;
        assert_refused(genuine.name, RejectionKind::SignatureMismatch, &sent);
        assert_eq!(polls.load(Ordering::SeqCst) == 0, *role == Role::Token, "{}", genuine.name);
    }
}

#[tokio::test]
async fn every_changed_byte_of_a_body_is_noticed() {
    for genuine in genuine().iter().filter(|genuine| genuine.name != "SharedToken") {
        for at in 0..genuine.body.len() {
            let mut body = genuine.body.as_bytes().to_vec();
            body[at] ^= 1;
            let (response, inner) = genuine.send(&genuine.pairs(), body).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{} {at}", genuine.name);
            assert_eq!(inner.count(), 0, "{} {at}", genuine.name);
        }
        for body in [&genuine.body[1..], &genuine.body[..genuine.body.len() - 1], ""] {
            let (response, _) = genuine.send(&genuine.pairs(), body.to_owned()).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{} {body}", genuine.name);
        }
    }
}
