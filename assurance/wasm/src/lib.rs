//! Requests through the default build, each of which ends in a trap if anything asks the target for the time.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use tower_layer::Layer;
use tower_service::Service;
use tower_webhook::{
    SignatureLayer,
    observe::{Alerts, Event, Throttled},
    providers::{GitHub, StandardWebhooks},
    replay::{MemoryReplayStore, ReplayLayer},
    sign::{Sign, signed},
};
use tracing_core::{Dispatch, Metadata, dispatcher, span};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0";
const BODY: &str = r#"{"id":"1"}"#;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A body that makes its request wait before it is there.
struct Slow {
    data: Option<Bytes>,
    waits: u32,
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.waits > 0 {
            self.waits -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(data))))
    }
}

#[derive(Clone)]
struct Handler;

impl<B> Service<Request<B>> for Handler {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::ACCEPTED;
        ready(Ok(response))
    }
}

/// Takes every event, so that all fields are made.
struct Subscriber;

impl tracing_core::Subscriber for Subscriber {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing_core::Event<'_>) {
        struct Fields(String);

        impl tracing_core::field::Visit for Fields {
            fn record_debug(&mut self, _: &tracing_core::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{value:?}"));
            }
        }

        event.record(&mut Fields(String::new()));
    }

    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Polls until it is done: there is no runtime.
fn status<S, R>(mut service: S, request: Request<Slow>) -> u16
where
    S: Service<Request<Slow>, Response = Response<R>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut future = pin!(service.call(request));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(response)) => return response.status().as_u16(),
            Poll::Ready(Err(_)) => return 0,
            Poll::Pending => {}
        }
    }
}

fn request(signer: &impl Sign, waits: u32) -> Request<Slow> {
    let request = Request::post("/hook").body(BODY).expect("it is well-formed");
    let request = signed(signer, request, now()).expect("it can be signed");
    request.map(|body| Slow { data: Some(body), waits })
}

fn forged(signer: &impl Sign, waits: u32) -> Request<Slow> {
    request(signer, waits).map(|body| Slow { data: Some(Bytes::from_static(b"other")), ..body })
}

fn github() -> GitHub {
    GitHub::new(SECRET).expect("it is a secret")
}

fn standard() -> StandardWebhooks {
    StandardWebhooks::new(SECRET).expect("it is a secret")
}

/// Returns the answer to one of several requests, or 0 where there is none of this number.
#[unsafe(no_mangle)]
pub extern "C" fn answer(number: u32) -> u32 {
    let later = now() + Duration::from_secs(3600);
    let answer = || match number {
        1 => status(SignatureLayer::new(github()).layer(Handler), request(&github(), 0)),
        2 => status(SignatureLayer::new(github()).layer(Handler), forged(&github(), 0)),
        // Waits for its body, and then for the rest of one that is refused.
        3 => status(SignatureLayer::new(github()).layer(Handler), request(&github(), 3)),
        4 => {
            let mut unsigned = request(&github(), 3);
            unsigned.headers_mut().clear();
            status(SignatureLayer::new(github()).layer(Handler), unsigned)
        }
        // The clock is not set, and cannot be right.
        5 => status(SignatureLayer::new(standard()).layer(Handler), request(&standard(), 0)),
        6 => {
            let layer = SignatureLayer::new(standard()).clock(now());
            status(layer.layer(Handler), request(&standard(), 3))
        }
        7 => {
            let layer = SignatureLayer::new(standard()).clock(later);
            status(layer.layer(Handler), request(&standard(), 3))
        }
        8 | 9 => {
            let layer = SignatureLayer::new(github())
                .observer(|event: &Event<'_>| assert!(event.elapsed() < Duration::from_secs(1)))
                .observer(Throttled::new(Alerts::new(|_| {}), 60));
            let layer = if number == 8 { layer } else { layer.clock(now()) };
            let service = layer.layer(Handler);
            assert_eq!(status(service.clone(), forged(&github(), 1)), 403);
            status(service, request(&github(), 1))
        }
        // Handled once.
        10 | 11 => {
            let store = MemoryReplayStore::new(10);
            let store = if number == 10 { store } else { store.clock(now()) };
            let guard = ReplayLayer::new("/hook", store);
            let layer = SignatureLayer::new(standard()).clock(now());
            let service = layer.layer(guard.layer(Handler));
            assert_eq!(status(service.clone(), request(&standard(), 1)), 202);
            status(service, request(&standard(), 1))
        }
        _ => 0,
    };
    let silent = answer();
    let told = dispatcher::with_default(&Dispatch::new(Subscriber), answer);
    assert_eq!(silent, told);
    u32::from(told)
}
