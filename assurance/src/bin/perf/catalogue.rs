//! All providers whose proof is an HMAC in the head, each with a request of 1 KiB.

use std::{
    convert::Infallible,
    future::{Ready, ready as at_once},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::Full;
use tower::{Layer, Service};
use tower_webhook::{
    PublicUrl, Scheme, Secret, SignatureLayer, Verifier,
    providers::{self, *},
    scheme::SchemeVerifier,
    sign::{Sign, signed},
};

use crate::support::{frames::Frames, marks::leave_mark, ready};

/// Drops its requests, and allocates for a mark at most.
#[derive(Clone)]
pub(crate) struct Inner {
    marks: bool,
}

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.marks {
            leave_mark(request.extensions_mut());
        }
        drop(std::hint::black_box(request));
        at_once(Ok(Response::new(Full::default())))
    }
}

/// Sends a request in so many frames.
type Send = Box<dyn FnMut(usize)>;

fn send<S>(mut service: S, head: Parts, body: Bytes) -> Send
where
    S: Service<Request<Frames>, Error = Infallible> + 'static,
    S::Response: IsAccepted,
{
    Box::new(move |frames| {
        let body = Frames::new(body.clone(), body.len().div_ceil(frames));
        let Ok(response) = ready(service.call(Request::from_parts(head.clone(), body)));
        assert!(response.is_accepted());
    })
}

trait IsAccepted {
    fn is_accepted(&self) -> bool;
}

impl<B> IsAccepted for Response<B> {
    fn is_accepted(&self) -> bool {
        self.status().is_success()
    }
}

/// One request: with the layer, without one, and without one but with a mark.
pub(crate) struct Sender {
    pub(crate) name: &'static str,
    pub(crate) layer: Send,
    pub(crate) no_layer: Send,
    pub(crate) mark: Send,
}

impl Sender {
    pub(crate) fn new<V>(
        name: &'static str,
        layer: &SignatureLayer<V>,
        request: Request<Bytes>,
    ) -> Self
    where
        V: Verifier + Clone + 'static,
    {
        let (head, body) = request.into_parts();
        let service = layer.layer(Inner { marks: false });
        Self {
            name,
            layer: send(service, head.clone(), body.clone()),
            no_layer: send(Inner { marks: false }, head.clone(), body.clone()),
            mark: send(Inner { marks: true }, head, body),
        }
    }

    fn of<V: Verifier + Sign + Clone + 'static>(name: &'static str, verifier: V) -> Self {
        let request = signed(&verifier, json(), now()).unwrap();
        Self::new(name, &SignatureLayer::new(verifier).clock(now()), request)
    }
}

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// The time of the requests, which their bodies have, too.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

fn json() -> Request<Bytes> {
    let body = format!(
        r#"{{"webhookTimestamp":1767225600000,"receivedAt":"2026-01-01T00:00:00Z","x":"{}"}}"#,
        "x".repeat(1 << 10)
    );
    Request::post("/hook").body(Bytes::from(body)).unwrap()
}

fn declared(scheme: &Scheme) -> SchemeVerifier {
    let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let url = PublicUrl::fixed("https://example.com/hook").unwrap();
    let built = [KEY, hex].into_iter().find_map(|key| {
        let secret = Secret::new(key).unwrap();
        scheme.verifier(secret.clone()).or_else(|_| scheme.verifier_at(secret, url.clone())).ok()
    });
    built.unwrap_or_else(|| panic!("{} takes neither secret", scheme.defaults().provider()))
}

/// Returns the declared providers and those with code of their own.
pub(crate) fn all() -> Vec<Sender> {
    let secret = || Secret::new(KEY).unwrap();
    let whsec = || Secret::new(format!("whsec_{KEY}")).unwrap();
    let schemes = providers::all()
        .filter_map(|provider| Some((provider.name(), provider.scheme()?)))
        .map(|(name, scheme)| Sender::of(name, declared(scheme)));
    let own = [
        Sender::of("ably", Ably::new("key-1", secret()).unwrap()),
        Sender::of("gitlab_signed", GitLab::signed(whsec()).unwrap()),
        Sender::of("meta", Meta::new(secret()).unwrap()),
        Sender::of("okta", Okta::new(secret()).unwrap()),
        Sender::of("persona", Persona::new(secret()).unwrap()),
        Sender::of("pusher", Pusher::new("key-1", secret()).unwrap()),
        Sender::of("slack", Slack::new(secret()).unwrap()),
        Sender::of("standard_webhooks", StandardWebhooks::new(whsec()).unwrap()),
        Sender::of("webex_contact_center", WebexContactCenter::new(secret()).unwrap()),
        Sender::of("websub", WebSub::new(secret()).unwrap()),
        Sender::of("worldline", Worldline::new("key-1", secret()).unwrap()),
        Sender::of("worldpay", Worldpay::new("key-1", secret()).unwrap()),
        Sender::of("wsapi", Wsapi::new(secret()).unwrap()),
    ];
    schemes.chain(own).collect()
}
