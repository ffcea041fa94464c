//! The table of genuine requests: one of each provider, signed with the second of two secrets.
//! Tests that change a request start from it.

use std::{fmt, pin::Pin};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sha2::Digest;
use tower::Layer;
use tower_webhook::{
    Context, PublicUrl, Secret, SignatureLayer, Verifier,
    layer::ResponseBody,
    providers::{
        Ably, GitHub, HubSpot, Hygraph, MessageBirdLegacy, Meta, Persona, Pusher, SharedToken,
        Shopify, Slack, StandardWebhooks, Stripe, Twilio, WebSub, Webex, WebexContactCenter,
        Worldline, Worldpay, Wsapi,
    },
};

use crate::support::{
    AtTime, Inner, SECRET, Script, Sha1Mac, Sha256Mac, at, head_of, hex, mac, secret, send,
};

pub(crate) const NOW: u64 = 1_700_000_000;

/// A secret that is also base64, for the providers that decode it.
pub(crate) const WHSEC: &str = "whsec_dGVzdC1zZWNyZXQtMDEyMzQ1Njc4OWFiY2RlZi0wMTIz";

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
    pub(crate) signed_at: Option<u64>,
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
    let messagebird = {
        let digest = sha2::Sha256::digest(JSON.as_bytes());
        STANDARD.encode(mac::<Sha256Mac>(key, &[format!("{NOW}\n\n").as_bytes(), &digest].concat()))
    };
    let hubspot = STANDARD.encode(sha256(&format!("POSThttps://example.com/hook{JSON}{millis}")));
    let wrapped =
        r#"{"Body":"{\"id\":\"1\",\"text\":\"h\\u00e4\"}","EnvironmentName":"e","TimeStamp":"#;
    let hygraph = STANDARD.encode(sha256(&format!("{wrapped}{millis}}}")));
    let hygraph = format!("sign={hygraph}, env=e, t={millis}");
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
            "MessageBirdLegacy",
            MessageBirdLegacy::new([old(), secret()]).unwrap().clock(at(NOW)),
            &[
                ("messagebird-signature", Signature, messagebird),
                ("messagebird-request-timestamp", SignedTime, time.clone()),
            ],
            JSON,
            Some(NOW),
        ),
        Genuine::new(
            "Hygraph",
            Hygraph::new([old(), secret()]).unwrap().clock(at(NOW)),
            &[("gcms-signature", Signature, hygraph)],
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
