//! Unsigned first contacts through the layer: which bodies are answered, held to a plain reading of each
//! vendor's form. The handler is never called, and no answer depends on the secret.

#![no_main]

use std::{
    convert::Infallible,
    future::Ready,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{Method, Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service;
use tower_webhook::{
    BufferedBody, SignatureLayer,
    providers::{BoxVerifier, by_name},
    scheme::{ContactField, FirstContact, Scheme},
};
use tower_webhook_fuzz::{Edit, add, edit, engine, head, members, secret};

const NAMES: [&str; 4] = ["woocommerce", "bitbucket", "slack", "salesforce_marketing_cloud"];
const SIGNATURES: [&str; 5] = [
    "x-wc-webhook-signature",
    "x-hub-signature",
    "x-slack-signature",
    "x-sfmc-ens-signature",
    "x-acme-signature",
];
const GENUINE: [&str; 6] = [
    "webhook_id=123",
    r#"{"test":true}"#,
    "ssl_check=1&token=Jhj5",
    r#"{"callbackId":"1","verificationKey":"2"}"#,
    r#"{"challenge":"abc"}"#,
    "challenge=abc",
];
const ECHO: Scheme = Scheme::hmac_sha256("x-acme-signature").first_contacts(&[
    FirstContact::json(&[("challenge", ContactField::Token)]).echo_json("challenge"),
    FirstContact::form(&[("challenge", ContactField::Token)]).echo_text("challenge"),
]);

static LAYERS: LazyLock<Vec<[SignatureLayer<BoxVerifier>; 2]>> = LazyLock::new(|| {
    let layer = |verifier| SignatureLayer::new(verifier).body_deadline(None);
    let named = NAMES
        .map(|name| [0, 1].map(|key| layer(by_name(name).unwrap().verifier(secret(key)).unwrap())));
    let own = [0, 1].map(|key| layer(BoxVerifier::new(ECHO.verifier(secret(key)).unwrap())));
    named.into_iter().chain([own]).collect()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: u8,
    is_post: bool,
    event_key: u8,
    signature: Option<&'a [u8]>,
    genuine: Option<u8>,
    body: &'a [u8],
    edits: Vec<Edit>,
    pad: u16,
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let index = usize::from(input.provider) % LAYERS.len();
    let mut body = match input.genuine {
        Some(which) => GENUINE[usize::from(which) % GENUINE.len()].into(),
        None => input.body.to_vec(),
    };
    edit(&mut body, &input.edits);
    body.resize(body.len() + usize::from(input.pad % 1100), b' ');
    let method = if input.is_post { Method::POST } else { Method::PUT };
    let mut request = head(method, b"/hook")?;
    let key: &[u8] = match input.event_key % 3 {
        0 => b"diagnostics:ping",
        _ => b"pr:opened",
    };
    for _ in 0..input.event_key % 4 {
        add(&mut request, "x-event-key", key)?;
    }
    if let Some(signature) = input.signature {
        add(&mut request, SIGNATURES[index], signature)?;
    }
    let is_ping = input.event_key % 4 == 1 && key == b"diagnostics:ping";
    let is_candidate =
        input.is_post && input.signature.is_none() && (1..=1024).contains(&body.len());
    let expected = answer(index, is_ping, &body).filter(|_| is_candidate);

    let [first, second] = LAYERS[index].each_ref().map(|layer| send(layer, &request, &body));
    assert_eq!(first.0 == 200, expected.is_some(), "{index} {:?}", String::from_utf8_lossy(&body));
    if let Some(expected) = expected {
        assert_eq!(first.1, expected.as_bytes());
    }
    // Of what is verified the reason may depend on the secret, the answer may not.
    assert_eq!(first, second);
    Some(())
}

/// Returns the answer to a first contact.
fn answer(index: usize, is_ping: bool, body: &[u8]) -> Option<String> {
    let is_token = |text: &str| {
        let is_allowed = |char: char| char.is_ascii_alphanumeric() || "-._~+/=".contains(char);
        (1..=256).contains(&text.len()) && text.chars().all(is_allowed)
    };
    let form = || -> Vec<(Vec<u8>, Vec<u8>)> {
        // As bytes: what is no UTF-8 must not become U+FFFD.
        body.split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let decode = |text: &[u8]| {
                    let spaced: Vec<_> =
                        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
                    percent_encoding::percent_decode(&spaced).collect::<Vec<u8>>()
                };
                let mut halves = pair.splitn(2, |byte| *byte == b'=');
                let name = decode(halves.next().unwrap());
                (name, decode(halves.next().unwrap_or_default()))
            })
            .collect()
    };
    let only = |name: &str| -> Option<String> {
        let mut pairs = form();
        let (found, value) = pairs.pop()?;
        let is_only = pairs.is_empty() && found == name.as_bytes();
        String::from_utf8(value).ok().filter(|_| is_only)
    };
    let json = || -> Option<Vec<(String, Value)>> {
        let members = members(body).ok()?;
        let read = |(name, value): (String, Box<serde_json::value::RawValue>)| {
            Some((name, serde_json::from_str(value.get()).ok()?))
        };
        members.into_iter().map(read).collect()
    };
    let is_answered = match index {
        0 => only("webhook_id").is_some_and(|id| {
            (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
        }),
        1 => is_ping && matches!(&json()?[..], [(name, Value::Bool(true))] if name == "test"),
        2 => {
            let pairs = form();
            let count = |name: &[u8]| pairs.iter().filter(|(found, _)| found == name).count();
            let is_pair = |(name, value): &(Vec<u8>, Vec<u8>)| match &name[..] {
                b"ssl_check" => value == b"1",
                b"token" => str::from_utf8(value).is_ok_and(is_token),
                _ => false,
            };
            pairs.iter().all(is_pair) && count(b"ssl_check") == 1 && count(b"token") <= 1
        }
        3 => {
            let members = json()?;
            let has = |name: &str| {
                members
                    .iter()
                    .any(|(found, value)| found == name && value.as_str().is_some_and(is_token))
            };
            members.len() == 2 && has("callbackId") && has("verificationKey")
        }
        _ => {
            let json = json().and_then(|members| match &members[..] {
                [(name, Value::String(text))] if name == "challenge" && is_token(text) => {
                    Some(format!(r#"{{"challenge":"{text}"}}"#))
                }
                _ => None,
            });
            return json.or_else(|| only("challenge").filter(|text| is_token(text)));
        }
    };
    is_answered.then(String::new)
}

fn send(
    layer: &SignatureLayer<BoxVerifier>,
    request: &Parts,
    body: &[u8],
) -> (u16, Vec<u8>, Vec<(String, Vec<u8>)>) {
    let whole = Whole(Some(Bytes::copy_from_slice(body)));
    let request = Request::from_parts(request.clone(), whole);
    let (parts, answer) = engine::answer(layer.layer(Handler), request);
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    (parts.status.as_u16(), answer, headers.collect())
}

struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |data| data.len() as u64))
    }
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
        panic!("the handler is called: {request:?}")
    }
}
