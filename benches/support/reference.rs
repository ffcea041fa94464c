//! The baseline of the benches: the least that a layer of this design does for Meta's scheme.
//!
//! It decides from the head first, hashes frames as they arrive, and hands the body on in one piece.
//! It has no options, limits, deadlines or events.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hmac::Mac;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{self, HeaderName},
    request::Parts,
};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use subtle::{Choice, ConstantTimeEq};
use tower::{Layer, Service};

use super::{
    marks::{leave_mark, leave_reason},
    signature::{HmacSha256, keyed},
};

static SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// The layer. Each request clones the keyed state.
#[derive(Clone)]
pub(crate) struct ReferenceLayer {
    keyed: Arc<HmacSha256>,
    marks: bool,
    closes: bool,
}

impl ReferenceLayer {
    /// Creates the layer without a mark. Its rejections leave a reason in the response's extensions.
    pub(crate) fn new() -> Self {
        Self { keyed: Arc::new(keyed()), marks: false, closes: false }
    }

    /// Inserts a mark into the extensions of accepted requests.
    pub(crate) fn marking(self) -> Self {
        Self { marks: true, ..self }
    }

    /// Adds `connection: close` to rejections, whose bodies nobody reads.
    pub(crate) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }
}

impl<S> Layer<S> for ReferenceLayer {
    type Service = Reference<S>;

    fn layer(&self, inner: S) -> Reference<S> {
        Reference { layer: self.clone(), inner }
    }
}

/// The service of a [`ReferenceLayer`].
#[derive(Clone)]
pub(crate) struct Reference<S> {
    layer: ReferenceLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Reference<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ReferenceFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let value = head.headers.get(&SIGNATURE);
        let Some(tag) = value.and_then(|value| tag(value.as_bytes())) else {
            return ReferenceFuture { step: Step::Refuse { closes: self.layer.closes } };
        };
        let next = self.inner.clone();
        let request = Pending {
            mac: HmacSha256::clone(&self.layer.keyed),
            tag,
            head,
            // The service that was polled ready.
            inner: mem::replace(&mut self.inner, next),
            data: Data::default(),
            marks: self.layer.marks,
        };
        ReferenceFuture { step: Step::Read { body, request: Some(request) } }
    }
}

/// Decodes the header value. The table is indexed by the sender's text, which is no secret.
fn tag(value: &[u8]) -> Option<[u8; 32]> {
    const VALUES: [u8; 256] = {
        let mut values = [u8::MAX; 256];
        let mut digit = 0;
        while digit < 16 {
            values[b"0123456789abcdef"[digit] as usize] = digit as u8;
            values[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
            digit += 1;
        }
        values
    };
    let text: &[u8; 64] = value.strip_prefix(b"sha256=")?.try_into().ok()?;
    let (mut tag, mut all) = ([0; 32], 0);
    for (byte, pair) in tag.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = [VALUES[pair[0] as usize], VALUES[pair[1] as usize]];
        all |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    (all < 16).then_some(tag)
}

/// Compares word by word, without an early end.
fn is_equal(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let mut equal = Choice::from(1);
    for (left, right) in left.as_chunks().0.iter().zip(right.as_chunks().0) {
        equal &= u64::from_ne_bytes(*left).ct_eq(&u64::from_ne_bytes(*right));
    }
    equal.into()
}

/// The body so far. A single frame is not copied.
#[derive(Default)]
struct Data {
    first: Bytes,
    joined: Vec<u8>,
}

impl Data {
    fn push(&mut self, frame: Bytes) {
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = frame;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&frame);
    }

    fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.into() }
    }
}

/// Data of a request until its body is complete.
struct Pending<S> {
    mac: HmacSha256,
    tag: [u8; 32],
    head: Parts,
    inner: S,
    data: Data,
    marks: bool,
}

pin_project! {
    /// The response future of a [`Reference`].
    pub(crate) struct ReferenceFuture<S, B>
    where
        S: Service<Request<Full<Bytes>>>,
    {
        #[pin]
        step: Step<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StepProjection]
    enum Step<S, B, F> {
        Refuse { closes: bool },
        Read { #[pin] body: B, request: Option<Pending<S>> },
        Call { #[pin] future: F },
    }
}

impl<S, B, R> Future for ReferenceFuture<S, B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    R: Default,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            match step.as_mut().project() {
                StepProjection::Refuse { closes } => {
                    return Poll::Ready(Ok(refusal(StatusCode::FORBIDDEN, *closes)));
                }
                StepProjection::Call { future } => return future.poll(cx),
                StepProjection::Read { mut body, request } => {
                    let Some(reading) = request else { panic!("polled after completion") };
                    match ready!(body.as_mut().poll_frame(cx)) {
                        Some(Ok(frame)) => {
                            if let Ok(data) = frame.into_data() {
                                reading.mac.update(&data);
                                reading.data.push(data);
                            }
                            continue;
                        }
                        Some(Err(_)) => {
                            return Poll::Ready(Ok(refusal(StatusCode::BAD_REQUEST, true)));
                        }
                        None => {}
                    }
                    let Some(mut request) = request.take() else { continue };
                    if !is_equal(&request.mac.finalize().into_bytes().into(), &request.tag) {
                        return Poll::Ready(Ok(refusal(StatusCode::FORBIDDEN, false)));
                    }
                    if request.marks {
                        leave_mark(&mut request.head.extensions);
                    }
                    let body = Full::new(request.data.into_bytes());
                    let future = request.inner.call(Request::from_parts(request.head, body));
                    step.set(Step::Call { future });
                }
            }
        }
    }
}

fn refusal<R: Default>(status: StatusCode, closes: bool) -> Response<R> {
    let mut response = Response::new(R::default());
    *response.status_mut() = status;
    if closes {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    leave_reason(response.extensions_mut());
    response
}
