//! Requests that are sent side by side, polled in any order and dropped at any point, through the
//! layer and the replay guard below it.

#![no_main]

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
    time::Duration,
};

use arbitrary::Arbitrary;
use http::{Method, Request, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use tower_layer::Layer;
use tower_service::Service;
use tower_webhook::{
    BufferedBody, SignatureLayer, Verified,
    observe::{Event as Told, EventKind},
    providers::StandardWebhooks,
    replay::{MemoryReplayStore, ReplayAnswer, ReplayLayer},
};
use tower_webhook_fuzz::{
    KEYS, NOW, add, at, base64,
    engine::{Event, Script, whole},
    head, hmac_sha256,
};

/// Requests at a time.
const SLOTS: usize = 4;
/// Deliveries.
const IDS: usize = 3;
const NAMES: [&str; IDS] = ["msg_a", "msg_b", "msg_c"];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Send { slot: u8, id: u8, is_forged: bool, inner: Inner, frames: Vec<Event<'a>> },
    Poll(u8),
    Drop(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Inner {
    not_ready: u8,
    at_work: u8,
    end: u8,
}

/// What is known of the deliveries and of the requests.
#[derive(Default)]
struct World {
    at_work: [usize; IDS],
    handled: [usize; IDS],
    /// Of each request, by its number: the body, and how often its end was told.
    bodies: Vec<Option<Vec<u8>>>,
    ends: Vec<usize>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

static SIGNATURE: LazyLock<SignatureLayer<StandardWebhooks>> = LazyLock::new(|| {
    let secret = tower_webhook::Secret::from_bytes(KEYS[0]).unwrap();
    let verifier = StandardWebhooks::new(secret).unwrap();
    SignatureLayer::new(verifier).clock(at(NOW)).body_deadline(None).body_limit(64).observer(
        |event: &Told<'_>| {
            if event.is_last() {
                let number: usize = event.request_id().unwrap().parse().unwrap();
                WORLD.with_borrow_mut(|world| world.ends[number] += 1);
            }
            assert!(event.kind() != EventKind::Unsettled && event.kind() != EventKind::LeaseLost);
        },
    )
});

#[derive(Clone)]
struct Handler {
    inner: Inner,
    is_ready: bool,
}

/// The handler at work on a delivery, until it is dropped.
struct Work {
    inner: Inner,
    id: usize,
}

impl Drop for Work {
    fn drop(&mut self) {
        WORLD.with_borrow_mut(|world| world.at_work[self.id] -= 1);
    }
}

impl Future for Work {
    type Output = Result<Response<()>, &'static str>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(left) = (self.inner.at_work % 4).checked_sub(1) {
            self.inner.at_work = left;
            return Poll::Pending;
        }
        Poll::Ready(match self.inner.end % 4 {
            0 | 1 => {
                WORLD.with_borrow_mut(|world| world.handled[self.id] += 1);
                Ok(Response::new(()))
            }
            2 => {
                let mut response = Response::new(());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                Ok(response)
            }
            _ => Err("the handler"),
        })
    }
}

impl Service<Request<BufferedBody>> for Handler {
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Work;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if let Some(left) = (self.inner.not_ready % 3).checked_sub(1) {
            self.inner.not_ready = left;
            return Poll::Pending;
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BufferedBody>) -> Work {
        assert!(std::mem::take(&mut self.is_ready), "called without having been ready");
        let (head, body) = request.into_parts();
        assert!(head.extensions.get::<Verified>().is_some_and(Verified::delivery_id_is_signed));
        let id = head.headers["webhook-id"].to_str().unwrap();
        let id = NAMES.iter().position(|name| *name == id).unwrap();
        let number: usize = head.headers["x-request-id"].to_str().unwrap().parse().unwrap();
        WORLD.with_borrow_mut(|world| {
            assert_eq!(world.bodies[number].as_deref(), Some(&body.bytes()[..]));
            assert_eq!(world.at_work[id], 0, "two handlers at a time");
            assert_eq!(world.handled[id], 0, "handled twice");
            world.at_work[id] += 1;
        });
        Work { inner: self.inner, id }
    }
}

fuzz_target!(|input: Input<'_>| {
    WORLD.take();
    let store = MemoryReplayStore::new(16).clock(at(NOW));
    let guard = ReplayLayer::new("fuzz", store.clone()).lease(Duration::from_secs(60));
    let mut slots: [Option<Pin<Box<_>>>; SLOTS] = [const { None }; SLOTS];
    let mut cx = Context::from_waker(Waker::noop());
    let send = |id: usize, is_forged: bool, inner: Inner, frames: &[Event<'_>]| {
        let body = whole(frames);
        let number = WORLD.with_borrow_mut(|world| {
            // One without a proof must reach nobody.
            let is_genuine = body.as_ref().is_some_and(|(body, _)| body.len() <= 64 && !is_forged);
            world.bodies.push(body.clone().filter(|_| is_genuine).map(|(body, _)| body));
            world.ends.push(0);
            world.ends.len() - 1
        });
        let signed = body.unwrap_or_default().0;
        let time = NOW.to_string();
        let content = [NAMES[id].as_bytes(), b".", time.as_bytes(), b".", &signed];
        let tag = hmac_sha256(KEYS[usize::from(is_forged)].as_bytes(), &content);
        let mut request = head(Method::POST, b"/").unwrap();
        let number = number.to_string();
        for (name, value) in [
            ("webhook-id", NAMES[id]),
            ("webhook-timestamp", &time),
            ("webhook-signature", &format!("v1,{}", base64(&tag))),
            ("x-request-id", &number),
        ] {
            add(&mut request, name, value.as_bytes()).unwrap();
        }
        let handler = Handler { inner, is_ready: false };
        let mut service = SIGNATURE.layer(guard.layer(handler));
        service.call(Request::from_parts(request, Script::new(frames, 0)))
    };

    for step in input.steps.iter().take(64) {
        match step {
            Step::Send { slot, id, is_forged, inner, frames } => {
                let frames = &frames[..frames.len().min(16)];
                let future = send(usize::from(*id) % IDS, *is_forged, *inner, frames);
                slots[usize::from(*slot) % SLOTS] = Some(Box::pin(future));
            }
            Step::Poll(slot) => {
                let slot = &mut slots[usize::from(*slot) % SLOTS];
                if slot.as_mut().is_some_and(|future| future.as_mut().poll(&mut cx).is_ready()) {
                    *slot = None;
                }
            }
            Step::Drop(slot) => slots[usize::from(*slot) % SLOTS] = None,
        }
        let open = slots.iter().flatten().count();
        WORLD.with_borrow(|world| {
            assert!(store.in_flight() >= world.at_work.iter().sum() && store.in_flight() <= open);
            assert!(world.ends.iter().all(|ends| *ends <= 1), "told twice");
            // A request whose body is drained is still open when its end has been told.
            assert!(world.ends.iter().filter(|ends| **ends == 0).count() <= open);
        });
    }
    drop(slots);
    WORLD.with_borrow(|world| {
        assert_eq!((store.in_flight(), world.at_work), (0, [0; IDS]));
        assert!(world.ends.iter().all(|ends| *ends == 1), "an end was not told");
    });

    // What was handled is known; the rest is handled now.
    for id in 0..IDS {
        let was_handled = WORLD.with_borrow(|world| world.handled[id]);
        let inner = Inner { not_ready: 0, at_work: 0, end: 0 };
        let mut future = Box::pin(send(id, false, inner, &[Event::Data(b"again")]));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else { panic!("it waits") };
        assert_eq!(response.status(), StatusCode::OK);
        let answered = response.extensions().get::<ReplayAnswer>();
        let expected = (was_handled == 1).then_some(&ReplayAnswer::Duplicate);
        assert_eq!(answered, expected);
        WORLD.with_borrow(|world| assert_eq!(world.handled[id], 1));
    }
});
