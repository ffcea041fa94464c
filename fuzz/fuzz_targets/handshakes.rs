//! Ownership challenges through the layer: which requests are answered in the handler's place, and
//! with what, held to a plain reading of each provider's exchange.

#![no_main]

use std::{
    cell::Cell,
    convert::Infallible,
    future::{Ready, ready},
    sync::LazyLock,
    task::{Context, Poll},
};

use arbitrary::Arbitrary;
use http::{Method, Request, Response, request::Parts};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service;
use tower_webhook::{
    BufferedBody, Secret, SignatureLayer, Verified,
    providers::{
        BoxVerifier, Dropbox, GitHub, Meta, MicrosoftGraph, Okta, Slack, Twitch, Twitter, WebSub,
        Zoom,
    },
    scheme::{Challenge, Scheme},
    verifier::with_challenge,
};
use tower_webhook_fuzz::{
    KEYS, NOW, add, at, base64,
    challenges::{
        Outcome::{Answer, Handled, Refused},
        TOKEN, TOPIC, expected,
    },
    engine::{self, Event, Script},
    head, hex, hmac_sha256, secret,
};

const PROVIDERS: usize = 12;

fn layers() -> Vec<SignatureLayer<BoxVerifier>> {
    let (clock, key) = (at(NOW), || secret(0));
    let head = Scheme::hmac_sha256("x-signature").challenge(Challenge::Head);
    let signed = Scheme::hmac_sha256("x-signature").challenge(Challenge::SignedHeader {
        header: "x-challenge",
        field: "type",
        value: "sync",
    });
    let origins = Challenge::WebHookOrigins(&["eventgrid.azure.net"]);
    let verifiers: [BoxVerifier; PROVIDERS] = [
        BoxVerifier::new(
            Meta::new(key()).unwrap().verify_token(Secret::new(TOKEN).unwrap()).unwrap(),
        ),
        BoxVerifier::new(Twitter::new(key()).unwrap()),
        BoxVerifier::new(Dropbox::new(key()).unwrap()),
        BoxVerifier::new(Okta::new(key()).unwrap()),
        BoxVerifier::new(MicrosoftGraph::new(key()).unwrap()),
        BoxVerifier::new(Slack::new(key()).unwrap()),
        BoxVerifier::new(Zoom::new(key()).unwrap()),
        BoxVerifier::new(Twitch::new(key()).unwrap()),
        BoxVerifier::new(WebSub::new(key()).unwrap().topic(TOPIC)),
        BoxVerifier::new(with_challenge(GitHub::new(key()).unwrap(), origins).unwrap()),
        BoxVerifier::new(head.verifier(key()).unwrap()),
        BoxVerifier::new(signed.verifier(key()).unwrap()),
    ];
    let layer = |verifier| SignatureLayer::new(verifier).clock(clock.clone()).body_deadline(None);
    verifiers.map(layer).into()
}

static LAYERS: LazyLock<Vec<SignatureLayer<BoxVerifier>>> = LazyLock::new(layers);

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: u8,
    method: u8,
    query: Option<Vec<Query<'a>>>,
    header: Vec<&'a [u8]>,
    is_marked: bool,
    body: Content<'a>,
    is_signed: bool,
}

#[derive(Arbitrary, Debug)]
enum Query<'a> {
    Name(u8),
    Word(u8),
    And,
    Equals,
    Long(u8),
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    Json(Vec<(Text<'a>, Member<'a>)>),
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Word(u8),
    Long(u8),
    Raw(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Member<'a> {
    Text(Text<'a>),
    Object(Vec<(Text<'a>, Text<'a>)>),
    Number(i32),
}

const NAMES: [&str; 7] = [
    "hub.mode",
    "hub.verify_token",
    "hub.challenge",
    "hub.topic",
    "crc_token",
    "challenge",
    "validationToken",
];
const WORDS: [&str; 14] = [
    "subscribe",
    TOKEN,
    "1158201444",
    "denied",
    "https%3A%2F%2Fa.example%2Ffeed%3Fx=1%26y%3D2",
    "type",
    "url_verification",
    "challenge",
    "event",
    "endpoint.url_validation",
    "payload",
    "plainToken",
    "sync",
    "unsubscribe",
];

impl Text<'_> {
    fn text(&self) -> String {
        match *self {
            Text::Word(which) => WORDS[usize::from(which) % WORDS.len()].to_owned(),
            Text::Long(len) => "a".repeat(254 + usize::from(len % 4)),
            Text::Raw(text) => text.to_owned(),
        }
    }
}

thread_local! {
    static IS_CALLED: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone)]
struct Handler;

impl Service<Request<BufferedBody>> for Handler {
    type Response = Response<BufferedBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BufferedBody>) -> Self::Future {
        IS_CALLED.set(true);
        assert!(request.extensions().get::<Verified>().is_some());
        ready(Ok(Response::new(request.into_body())))
    }
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let index = usize::from(input.provider) % PROVIDERS;
    let methods = [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS];
    let method = methods[usize::from(input.method) % 4].clone();
    let mut target = b"/hook".to_vec();
    for (at, piece) in input.query.iter().flatten().take(24).enumerate() {
        target.extend((at == 0).then_some(b'?'));
        match *piece {
            Query::Name(which) => target.extend(NAMES[usize::from(which) % NAMES.len()].bytes()),
            Query::Word(which) => target.extend(WORDS[usize::from(which) % WORDS.len()].bytes()),
            Query::And => target.push(b'&'),
            Query::Equals => target.push(b'='),
            Query::Long(len) => target.extend("a".repeat(254 + usize::from(len % 4)).bytes()),
            Query::Raw(raw) => target.extend(raw),
        }
    }
    let body = write(&input.body);
    let mut request = head(method, &target)?;
    let challenge = match index {
        3 => "x-okta-verification-challenge",
        9 => "webhook-request-origin",
        _ => "x-challenge",
    };
    for value in input.header.iter().take(2) {
        add(&mut request, challenge, value)?;
    }
    sign(index, &mut request, &body, input.is_signed)?;
    if input.is_marked {
        add(&mut request, "twitch-eventsub-message-type", b"webhook_callback_verification")?;
    }
    let headers = &input.header[..input.header.len().min(2)];
    let expected = expected(index, &request, &body, headers, input.is_signed, input.is_marked);
    let Ok(expected) = expected else { return None };

    IS_CALLED.set(false);
    let script = Script::new(&[Event::Data(&body)], 0);
    let (parts, answer) =
        engine::answer(LAYERS[index].layer(Handler), Request::from_parts(request.clone(), script));
    let found = if IS_CALLED.get() {
        assert_eq!(answer, body);
        Handled
    } else if parts.status == 403 || (parts.status == 202 && index == 8) {
        assert!(answer.is_empty());
        Refused
    } else {
        Answer(parts.status.as_u16(), answer)
    };
    assert_eq!(found, expected, "{index} {request:?} {:?}", String::from_utf8_lossy(&body));
    if let Answer(200, answer) = found
        && !answer.is_empty()
    {
        // No browser runs it.
        let media_type = parts.headers["content-type"].to_str().unwrap();
        let is_json = matches!(index, 1 | 3 | 6);
        let media_types = ["text/plain; charset=utf-8", "application/json"];
        assert_eq!(media_type, media_types[usize::from(is_json)]);
        assert_eq!(parts.headers["x-content-type-options"], "nosniff");
        assert!(!is_json || serde_json::from_slice::<Value>(&answer).is_ok());
    }
    Some(())
}

fn write(content: &Content<'_>) -> Vec<u8> {
    let quoted = |text: &Text<'_>| Value::from(text.text()).to_string();
    let members = match content {
        Content::Raw(raw) => return raw.to_vec(),
        Content::Json(members) => members,
    };
    let write = |(name, value): &(Text<'_>, Member<'_>)| {
        let value = match value {
            Member::Text(text) => quoted(text),
            Member::Number(number) => number.to_string(),
            Member::Object(members) => {
                let member = |(name, value): &(_, _)| format!("{}:{}", quoted(name), quoted(value));
                let members: Vec<_> = members.iter().take(4).map(member).collect();
                format!("{{{}}}", members.join(","))
            }
        };
        format!("{}:{value}", quoted(name))
    };
    let members: Vec<_> = members.iter().take(6).map(write).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// By the right key, or by another one.
fn sign(index: usize, request: &mut Parts, body: &[u8], is_good: bool) -> Option<()> {
    let key = KEYS[if is_good { 0 } else { 2 }];
    let time = NOW.to_string();
    let tag = |parts: &[&[u8]]| hmac_sha256(key.as_bytes(), parts);
    let of_body = tag(&[body]);
    match index {
        0 | 9 => {
            add(request, "x-hub-signature-256", format!("sha256={}", hex(&of_body)).as_bytes())
        }
        1 => {
            let value = format!("sha256={}", base64(&of_body));
            add(request, "x-twitter-webhooks-signature", value.as_bytes())
        }
        2 => add(request, "x-dropbox-signature", hex(&of_body).as_bytes()),
        3 => add(request, "authorization", key.as_bytes()),
        4 => Some(()),
        5 | 6 => {
            let names = [
                ("x-slack-signature", "x-slack-request-timestamp"),
                ("x-zm-signature", "x-zm-request-timestamp"),
            ];
            let (signature, timestamp) = names[index - 5];
            let tag = tag(&[b"v0:", time.as_bytes(), b":", body]);
            add(request, timestamp, time.as_bytes())?;
            add(request, signature, format!("v0={}", hex(&tag)).as_bytes())
        }
        7 => {
            let time = "2023-11-14T22:13:20Z";
            let tag = tag(&[b"id-1", time.as_bytes(), body]);
            add(request, "twitch-eventsub-message-id", b"id-1")?;
            add(request, "twitch-eventsub-message-timestamp", time.as_bytes())?;
            let value = format!("sha256={}", hex(&tag));
            add(request, "twitch-eventsub-message-signature", value.as_bytes())
        }
        8 => add(request, "x-hub-signature", format!("sha256={}", hex(&of_body)).as_bytes()),
        _ => add(request, "x-signature", hex(&of_body).as_bytes()),
    }
}
