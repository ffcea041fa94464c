//! What is counted and not timed: G2, G9.

use std::{
    convert::Infallible,
    future::Pending,
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::{Empty, Full};
use tower::{Layer, Service};
use tower_webhook::{
    BufferedBody, PublicUrl, Secret, SignatureLayer, SignatureService, Verifier,
    layer::ResponseFuture,
    providers::{self, *},
    scheme::SchemeVerifier,
    sign::{Sign, signed},
};

use crate::{
    report::{Row, row},
    subjects,
    support::{allocations as count, cases, frames::Frames, ready, rounds},
};

fn calls<M>(layer: &SignatureLayer<M>, head: &Parts, body: &Bytes, frames: usize) -> u64
where
    SignatureLayer<M>: Layer<Inner, Service = SignatureService<M, Inner>>,
    M: Verifier + Clone,
{
    let mut service = layer.layer(Inner);
    // The first call may do what is done once.
    let mut last = 0;
    for _ in 0..2 {
        let request = Request::from_parts(
            head.clone(),
            Frames::new(body.clone(), body.len().div_ceil(frames)),
        );
        let before = count();
        let Ok(response) = ready(service.call(request));
        last = count() - before;
        assert!(response.status().is_success(), "{}", response.status());
    }
    last
}

/// It allocates nothing.
#[derive(Clone)]
struct Inner;

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        std::future::ready(Ok(Response::new(Full::default())))
    }
}

/// Allocations of a request with this signer: in one frame, and in four.
fn of<V: Verifier + Sign + Clone>(verifier: V, request: Request<Bytes>) -> (u64, u64) {
    let request = signed(&verifier, request, SystemTime::now()).unwrap();
    let (head, body) = request.into_parts();
    let layer = SignatureLayer::new(verifier);
    (calls(&layer, &head, &body, 1), calls(&layer, &head, &body, 4))
}

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

fn json() -> Request<Bytes> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let body = format!(
        r#"{{"webhookTimestamp":{},"receivedAt":"2026-01-01T00:00:00Z","x":"{}"}}"#,
        now.as_millis(),
        "x".repeat(1 << 10)
    );
    Request::post("/hook").body(Bytes::from(body)).unwrap()
}

fn url() -> PublicUrl {
    PublicUrl::fixed("https://example.com/hook").unwrap()
}

fn declared(scheme: &tower_webhook::Scheme) -> SchemeVerifier {
    let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let built = [KEY, hex].into_iter().find_map(|key| {
        let secret = Secret::new(key).unwrap();
        scheme.verifier(secret.clone()).or_else(|_| scheme.verifier_at(secret, url())).ok()
    });
    built.unwrap_or_else(|| panic!("{} takes neither secret", scheme.defaults().provider()))
}

/// Those with code of their own whose proof is an HMAC and stands in the head.
fn own() -> Vec<(&'static str, (u64, u64))> {
    let secret = || Secret::new(KEY).unwrap();
    let whsec = || Secret::new(format!("whsec_{KEY}")).unwrap();
    vec![
        ("ably", of(Ably::new("key-1", secret()).unwrap(), json())),
        ("gitlab_signed", of(GitLab::signed(whsec()).unwrap(), json())),
        ("meta", of(Meta::new(secret()).unwrap(), json())),
        ("okta", of(Okta::new(secret()).unwrap(), json())),
        ("persona", of(Persona::new(secret()).unwrap(), json())),
        ("pusher", of(Pusher::new("key-1", secret()).unwrap(), json())),
        ("slack", of(Slack::new(secret()).unwrap(), json())),
        ("standard_webhooks", of(StandardWebhooks::new(whsec()).unwrap(), json())),
        ("webex_contact_center", of(WebexContactCenter::new(secret()).unwrap(), json())),
        ("websub", of(WebSub::new(secret()).unwrap(), json())),
        ("worldline", of(Worldline::new("key-1", secret()).unwrap(), json())),
        ("worldpay", of(Worldpay::new("key-1", secret()).unwrap(), json())),
        ("wsapi", of(Wsapi::new(secret()).unwrap(), json())),
    ]
}

pub(crate) fn allocations() -> Vec<Row> {
    let marks = rounds(cases::tower(1 << 10), 10);
    let mark = marks.get("no layer, a mark").allocations - marks.get("no layer").allocations;
    let schemes =
        providers::all().filter_map(|provider| Some((provider.name(), provider.scheme()?)));
    let mut found: Vec<_> =
        schemes.map(|(name, scheme)| (name, of(declared(scheme), json()))).collect();
    found.extend(own());
    let most = |pick: fn(&(u64, u64)) -> u64| found.iter().map(|(_, found)| pick(found)).max();
    let (one, four) = (most(|found| found.0).unwrap(), most(|found| found.1).unwrap());
    let odd = |least: u64, pick: fn(&(u64, u64)) -> u64| {
        let odd = found.iter().filter(|(_, found)| pick(found) > least);
        let odd: Vec<_> = odd.map(|(name, found)| format!("{name} {}", pick(found))).collect();
        if odd.is_empty() { String::new() } else { format!("; above that: {}", odd.join(", ")) }
    };
    let usual = found.iter().filter(|(_, found)| found.0 <= mark).count();
    let twilio = subjects::twilio();
    let (form, _) = of(twilio.verifier, twilio.request);
    vec![
        row(
            format!("{} HMAC providers, one frame: the mark's {mark} and none more", found.len()),
            format!("{mark} for {usual} of them{}", odd(mark, |found| found.0)),
            format!("an inner service that leaves a mark in the extensions: {mark}"),
            one <= mark,
        ),
        row(
            "the same in four frames: the mark's and 1 more",
            format!("at most {}{}", mark + 1, odd(mark + 1, |found| found.1)),
            format!("at most {four}"),
            four <= mark + 1,
        ),
        row(
            "Twilio's form of 1 KiB: at most 6",
            format!("{form}, {mark} of them the mark"),
            "",
            form <= 6,
        ),
    ]
}

/// Its future takes no room.
struct Nothing;

impl Service<Request<BufferedBody>> for Nothing {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pending<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<BufferedBody>) -> Self::Future {
        std::future::pending()
    }
}

pub(crate) fn sizes() -> Vec<Row> {
    fn size<V: Verifier + Clone>() -> usize {
        size_of::<ResponseFuture<V, Nothing, Empty<Bytes>>>()
    }
    let meta = size::<Meta>();
    vec![row(
        "`ResponseFuture` without inner future and body, HMAC-SHA256: ≤ 600 bytes",
        format!("{meta} bytes with `Meta`"),
        format!(
            "its state {}, the head {}; with `StandardWebhooks` {}, `Twilio` {}",
            size_of::<<Meta as Verifier>::State>(),
            size_of::<Parts>(),
            size::<StandardWebhooks>(),
            size::<Twilio>()
        ),
        meta <= 600,
    )]
}
