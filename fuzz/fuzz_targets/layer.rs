//! The layer over bodies of any frames, held to a plain account of what becomes of the request.

#![no_main]

use std::{
    cell::RefCell,
    future::Future,
    pin::{Pin, pin},
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, request::Parts};
use http_body::Body;
use libfuzzer_sys::fuzz_target;
use tower_layer::Layer;
use tower_service::Service;
use tower_webhook::{
    BufferedBody, Rejection, RejectionKind, SignatureLayer, Unverified, Verified,
    observe::{Event as Told, EventKind},
    scheme::{Scheme, SchemeVerifier},
};
use tower_webhook_fuzz::{
    KEYS, add,
    engine::{Event, POLLS, Script, whole},
    head, hex, hmac_sha256, secret,
};

const LIMITS: [usize; 4] = [0, 5, 40, 1 << 20];

thread_local! {
    static CALLS: RefCell<Vec<(Parts, Bytes, Option<HeaderMap>)>> = const { RefCell::new(Vec::new()) };
    static TOLD: RefCell<Vec<EventKind>> = const { RefCell::new(Vec::new()) };
}

static LAYERS: LazyLock<Vec<SignatureLayer<SchemeVerifier>>> = LazyLock::new(|| {
    let scheme = Scheme::hmac_sha256("x-signature").provider("fuzz");
    let build = |index: usize| {
        let layer = SignatureLayer::new(scheme.verifier(secret(0)).unwrap())
            .body_limit(LIMITS[index / 2])
            .body_deadline(None)
            .observer(|event: &Told<'_>| TOLD.with_borrow_mut(|told| told.push(event.kind())));
        if index % 2 == 1 { layer.dangerously_report_only() } else { layer }
    };
    (0..8).map(build).collect()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    layer: u8,
    signature: Signature<'a>,
    frames: Vec<Event<'a>>,
    declared: Option<u16>,
    is_http2: bool,
    inner: Inner,
}

#[derive(Arbitrary, Debug)]
enum Signature<'a> {
    OfBody { key: u8, is_twice: bool },
    Of(&'a [u8]),
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Inner {
    not_ready: u8,
    at_work: u8,
    error: u8,
    status: u8,
}

/// The inner service, which must be asked for room before it is called.
#[derive(Clone)]
struct Handler {
    inner: Inner,
    is_ready: bool,
}

struct Work(Inner);

impl Future for Work {
    type Output = Result<Response<String>, &'static str>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(left) = (self.0.at_work % 4).checked_sub(1) {
            self.0.at_work = left;
            return Poll::Pending;
        }
        if self.0.error % 4 == 1 {
            return Poll::Ready(Err("the handler"));
        }
        let mut response = Response::new(String::new());
        *response.status_mut() = status(self.0);
        Poll::Ready(Ok(response))
    }
}

fn status(inner: Inner) -> StatusCode {
    if inner.status.is_multiple_of(2) { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
}

impl Service<Request<BufferedBody>> for Handler {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Work;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if let Some(left) = (self.inner.not_ready % 4).checked_sub(1) {
            self.inner.not_ready = left;
            return Poll::Pending;
        }
        if self.inner.error % 4 == 2 {
            return Poll::Ready(Err("no room"));
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BufferedBody>) -> Work {
        assert!(std::mem::take(&mut self.is_ready), "called without having been ready");
        let (head, body) = request.into_parts();
        let bytes = body.bytes().clone();
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let mut body = pin!(body);
        let (mut read, mut trailers) = (Vec::new(), None);
        while let Poll::Ready(Some(Ok(frame))) =
            body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()))
        {
            match frame.into_data() {
                Ok(data) => read.extend(data),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        assert_eq!(read, bytes);
        CALLS.with_borrow_mut(|calls| calls.push((head, bytes, trailers)));
        Work(self.inner)
    }
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn run(input: &Input<'_>) -> Option<()> {
    let index = usize::from(input.layer % 8);
    let (limit, reports) = (LIMITS[index / 2], index % 2 == 1);
    let frames = &input.frames[..input.frames.len().min(200)];
    let declared = input.declared.unwrap_or(0).into();
    let body = whole(frames);

    let mut request = head(Method::POST, b"/hook?a=1")?;
    request.version = if input.is_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    let signed = body.clone().unwrap_or_default().0;
    let by = |key: u8, body: &[u8]| {
        hex(&hmac_sha256(KEYS[usize::from(key) % 3].as_bytes(), &[body])).into_bytes()
    };
    let (value, is_twice) = match input.signature {
        Signature::OfBody { key, is_twice } => (by(key, &signed), is_twice),
        Signature::Of(other) => (by(0, other), false),
        Signature::Raw(raw) => (raw.to_vec(), false),
    };
    add(&mut request, "x-signature", &value)?;
    if is_twice {
        add(&mut request, "x-signature", &value)?;
    }

    // What must become of it, and after how many frames.
    let is_head_good = !is_twice
        && data_encoding::HEXLOWER_PERMISSIVE
            .decode(tower_webhook_fuzz::trimmed(&value))
            .is_ok_and(|tag| tag.len() == 32);
    let mut refused = None;
    let mut polls = 0;
    // Whether the end of a refused body is seen; the rest of it is drained.
    let mut is_read = true;
    if !is_head_good && !reports {
        refused = Some(StatusCode::FORBIDDEN);
    } else if declared > limit as u64 {
        refused = Some(StatusCode::PAYLOAD_TOO_LARGE);
    } else {
        let mut len = 0;
        for event in frames {
            polls += 1;
            len += match event {
                Event::Data(data) => data.len(),
                Event::Pieces(a, b) => a.len() + b.len(),
                _ => 0,
            };
            if len > limit {
                refused = Some(StatusCode::PAYLOAD_TOO_LARGE);
            } else if *event == Event::Error {
                refused = Some(StatusCode::BAD_REQUEST);
            } else {
                continue;
            }
            break;
        }
        polls += usize::from(refused.is_none());
        is_read = refused != Some(StatusCode::BAD_REQUEST);
    }
    if refused.is_some() && is_read {
        // 200 frames stay below the limit of 1 MiB, at 4 KiB for each that is empty.
        is_read = declared <= limit.max(1 << 20) as u64;
        if is_read {
            let rest = &frames[polls..];
            let error = rest.iter().position(|event| *event == Event::Error);
            polls += error.unwrap_or(rest.len()) + 1;
            is_read = error.is_none();
        }
    }
    let is_genuine = is_head_good
        && body.as_ref().is_some_and(|(body, _)| {
            let tag = hmac_sha256(KEYS[0].as_bytes(), &[body]);
            value.trim_ascii().eq_ignore_ascii_case(hex(&tag).as_bytes())
        });
    if refused.is_none() && !is_genuine && !reports {
        refused = Some(StatusCode::FORBIDDEN);
    }

    CALLS.take();
    TOLD.take();
    let handler = Handler { inner: input.inner, is_ready: false };
    let script = Script::new(frames, declared);
    POLLS.set(0);
    let mut service = LAYERS[index].layer(handler);
    let mut future = pin!(service.call(Request::from_parts(request.clone(), script)));
    let mut cx = Context::from_waker(Waker::noop());
    let pendings = frames.iter().filter(|event| **event == Event::Pending).count();
    let mut turns = 1 + pendings + frames.len() / 64 + 8;
    let result = loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(result) => break result,
            Poll::Pending => turns = turns.checked_sub(1).expect("it ends"),
        }
    };

    let (calls, told) = (CALLS.take(), TOLD.take());
    assert_eq!(POLLS.get(), polls, "{input:?}");
    if let Some(status) = refused {
        let response = result.unwrap();
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!((response.status(), calls.len()), (status, 0), "{input:?} {rejection:?}");
        assert_eq!(rejection.status(), status);
        assert_eq!(told, [EventKind::Rejected { status }], "{input:?}");
        let closes = response.headers().contains_key("connection");
        assert_eq!(closes, !is_read && !input.is_http2, "{input:?}");
        assert!(response.body().is_end_stream());
        return Some(());
    }
    let first = if is_genuine { EventKind::Accepted } else { EventKind::Unverified };
    let has_room = input.inner.error % 4 != 2;
    let expected = if !has_room {
        Err("no room")
    } else if input.inner.error % 4 == 1 {
        Err("the handler")
    } else {
        Ok(status(input.inner))
    };
    assert_eq!(result.map(|response| response.status()), expected);
    assert_eq!(told, [first, EventKind::Completed { status: expected.ok() }], "{input:?}");
    assert_eq!(calls.len(), usize::from(has_room));
    for (found, bytes, found_trailers) in calls {
        let (body, trailers) = body.as_ref().unwrap();
        assert_eq!(&bytes[..], &body[..]);
        assert_eq!(found_trailers, *trailers);
        assert_eq!((&found.uri, &found.headers), (&request.uri, &request.headers));
        let (verified, unverified) =
            (found.extensions.get::<Verified>(), found.extensions.get::<Unverified>());
        assert_eq!((verified.is_some(), unverified.is_some()), (is_genuine, !is_genuine));
        let kind = unverified.map(|mark| mark.rejection().kind());
        assert!(kind.is_none_or(
            |kind| kind.is_authentication_failure() && kind != RejectionKind::UnknownTenant
        ));
    }
    Some(())
}
