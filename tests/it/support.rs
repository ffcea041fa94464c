//! What the tests share: signatures made with the primitives alone, scripted bodies, and an inner
//! service that counts its calls.

use std::{
    any::Any,
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    fs,
    future::{Future, Ready, ready},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use tower::{Layer, Service, ServiceExt};
use tower_webhook::{
    BufferedBody, ConfigError, IntoSecrets, Outcome, PublicUrl, Rejection, RejectionKind, Secret,
    SignatureLayer, Verified, Verifier,
    layer::{ResponseBody, Source},
    observe::SensitiveParts,
    providers::{BoxVerifier, Meta, Provider},
    verifier::{Clock, VerifierDefaults},
};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The secret of most tests.
pub(crate) const SECRET: &str = "test-secret-0123456789abcdef-0123";

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A layer without explanations, which come at any time, from another thread.
pub(crate) fn unexplained<M>(layer: SignatureLayer<M>) -> SignatureLayer<M> {
    #[cfg(feature = "explain")]
    let layer = layer.without_explanations();
    layer
}

/// The MAC by the primitive.
pub(crate) fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

pub(crate) type Sha1Mac = Hmac<Sha1>;
pub(crate) type Sha256Mac = Hmac<Sha256>;
pub(crate) type Sha384Mac = Hmac<Sha384>;
pub(crate) type Sha512Mac = Hmac<Sha512>;

/// Hex HMAC-SHA256.
pub(crate) fn hmac_sha256(key: &str, message: &[u8]) -> String {
    hex(&mac::<Sha256Mac>(key.as_bytes(), message))
}

/// The layer that most tests use: Meta's, with [`SECRET`].
pub(crate) fn meta_layer() -> SignatureLayer<Meta> {
    SignatureLayer::new(Meta::new(secret()).unwrap())
}

/// The value of Meta's signature header.
pub(crate) fn meta_signature(body: &[u8]) -> String {
    format!("sha256={}", hmac_sha256(SECRET, body))
}

/// A request as Meta sends it, signed over `signed` and carrying `body`.
pub(crate) fn meta_request<B>(signed: &[u8], body: B) -> Request<B> {
    Request::post("/webhook")
        .header("content-type", "application/json")
        .header("x-hub-signature-256", meta_signature(signed))
        .body(body)
        .unwrap()
}

pub(crate) fn at(unix_seconds: u64) -> impl Fn() -> SystemTime + Clone + Send + Sync + 'static {
    move || UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

/// A clock that tests set, in milliseconds after its start.
#[cfg(any(feature = "fetched-keys", feature = "tenants"))]
#[derive(Clone)]
pub(crate) struct SetClock(Arc<std::sync::atomic::AtomicU64>);

#[cfg(any(feature = "fetched-keys", feature = "tenants"))]
impl SetClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(1_700_000_000_000.into()))
    }

    pub(crate) fn set(&self, millis_later: i64) {
        let now = 1_700_000_000_000_u64.checked_add_signed(millis_later).unwrap();
        self.0.store(now, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let now = Arc::clone(&self.0);
        move || UNIX_EPOCH + Duration::from_millis(now.load(Ordering::SeqCst))
    }
}

/// The proof of a request, whoever is to answer it.
pub(crate) fn verify<V: Verifier>(
    verifier: &V,
    head: &Parts,
    body: &Bytes,
) -> Result<Verified, Rejection> {
    tower_webhook::verify(verifier, head, body).map(|outcome| outcome.verified().clone())
}

/// A verifier that sees the test's own time, whatever its layer's is.
#[derive(Clone, Debug)]
pub(crate) struct Timed<V>(pub(crate) V, Clock);

pub(crate) trait AtTime: Verifier + Sized {
    fn clock(self, clock: impl Into<Clock>) -> Timed<Self> {
        Timed(self, clock.into())
    }
}

impl<V: Verifier> AtTime for V {}

impl<V> Timed<V> {
    pub(crate) fn map(self, change: impl FnOnce(V) -> V) -> Self {
        Self(change(self.0), self.1)
    }
}

/// A provider's verifier by name, which sees the test's own time.
pub(crate) trait ByNameAtTime {
    fn verifier_at_time(
        &self,
        secrets: impl IntoSecrets,
        url: Option<PublicUrl>,
        clock: impl Into<Clock>,
    ) -> Result<BoxVerifier, ConfigError>;
}

impl ByNameAtTime for Provider {
    fn verifier_at_time(
        &self,
        secrets: impl IntoSecrets,
        url: Option<PublicUrl>,
        clock: impl Into<Clock>,
    ) -> Result<BoxVerifier, ConfigError> {
        let verifier = match url {
            Some(url) => self.verifier_at(secrets, url)?,
            None => self.verifier(secrets)?,
        };
        let verifier = verifier.clock(clock);
        #[cfg(feature = "sign")]
        return Ok(BoxVerifier::signing(verifier));
        #[cfg(not(feature = "sign"))]
        Ok(BoxVerifier::new(verifier))
    }
}

impl<V: Verifier> Verifier for Timed<V> {
    type State = V::State;

    fn begin(&self, request: &tower_webhook::Context<'_>) -> Result<V::State, Rejection> {
        self.0.begin(&request.at(&self.1))
    }

    fn update(&self, state: &mut V::State, chunk: &[u8]) {
        self.0.update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut V::State,
        request: &tower_webhook::Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.0.finish(state, &request.at(&self.1), body)
    }

    fn challenge(
        &self,
        request: &tower_webhook::Context<'_>,
    ) -> Option<Result<Response<Bytes>, Rejection>> {
        self.0.challenge(&request.at(&self.1))
    }

    fn defaults(&self) -> VerifierDefaults {
        self.0.defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.sensitive_parts()
    }
}

#[cfg(feature = "sign")]
impl<V: tower_webhook::sign::Sign> tower_webhook::sign::Sign for Timed<V> {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &tower_webhook::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        self.0.sign(head, body, with)
    }
}

pub(crate) fn head_of<B>(request: Request<B>) -> Parts {
    request.into_parts().0
}

/// What a scripted body does when it is polled.
#[derive(Debug)]
pub(crate) enum Event {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(BoxError),
    /// `Pending` once, with the waker woken.
    Pending,
    /// `Pending` for ever.
    Stall,
    /// A panic: nobody may poll this body.
    Panic,
}

/// A body that follows a script, never says that it ended before it has, and counts its polls.
#[derive(Debug)]
pub(crate) struct Script {
    events: VecDeque<Event>,
    pub(crate) polls: Arc<AtomicUsize>,
    declared: Option<u64>,
}

impl Script {
    pub(crate) fn new(events: impl IntoIterator<Item = Event>) -> Self {
        Self { events: events.into_iter().collect(), polls: Arc::default(), declared: None }
    }

    pub(crate) fn data(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self::new(chunks.into_iter().map(|chunk| Event::Data(chunk.into())))
    }

    /// A body that must never be polled. [`send`] says that its sender waits for `100 Continue`:
    /// other bodies are read and discarded behind a refusal.
    pub(crate) fn untouchable() -> Self {
        Self::new([Event::Panic])
    }

    pub(crate) fn is_untouchable(&self) -> bool {
        matches!(self.events.front(), Some(Event::Panic))
    }

    pub(crate) fn declared(mut self, bytes: u64) -> Self {
        self.declared = Some(bytes);
        self
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        match self.events.pop_front() {
            None => Poll::Ready(None),
            Some(Event::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Event::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Event::Error(error)) => Poll::Ready(Some(Err(error))),
            Some(Event::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Event::Stall) => {
                self.events.push_front(Event::Stall);
                Poll::Pending
            }
            Some(Event::Panic) => panic!("the body was polled"),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What the inner service was called with.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) head: Parts,
    pub(crate) body: BufferedBody,
}

impl Call {
    pub(crate) fn verified(&self) -> &Verified {
        self.head.extensions.get().expect("`Verified` is in the extensions")
    }
}

/// An inner service that answers 200 `handled` and keeps its calls. It panics when it is called
/// without having been ready.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    is_ready: bool,
}

/// Readiness belongs to the instance that was asked.
impl Clone for Inner {
    fn clone(&self) -> Self {
        Self { calls: Arc::clone(&self.calls), is_ready: false }
    }
}

impl Inner {
    pub(crate) fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    pub(crate) fn only_call(&self) -> Call {
        let mut calls = self.calls.lock().unwrap();
        assert_eq!(calls.len(), 1, "called once");
        calls.remove(0)
    }
}

impl Service<Request<BufferedBody>> for Inner {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<BufferedBody>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been ready");
        let (head, body) = request.into_parts();
        self.calls.lock().unwrap().push(Call { head, body });
        ready(Ok(Response::new("handled".to_owned())))
    }
}

/// Sends one request through the layer, and returns the answer and the inner service.
pub(crate) async fn send<M, B>(
    layer: &SignatureLayer<M>,
    mut request: Request<B>,
) -> (Response<ResponseBody<String>>, Inner)
where
    M: Source + Clone,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let inner = Inner::default();
    let body: &dyn Any = request.body();
    if body.downcast_ref().is_some_and(Script::is_untouchable) {
        let waits = HeaderValue::from_static("100-continue");
        request.headers_mut().insert(header::EXPECT, waits);
    }
    let response = layer.layer(inner.clone()).oneshot(request).await;
    let Ok(response) = response;
    (response, inner)
}

/// The response of [`run`].
pub(crate) type Answer = Response<ResponseBody<String>>;
pub(crate) type Running = Pin<Box<dyn Future<Output = Answer>>>;

/// One request on its way through the layer, for tests that poll it themselves.
pub(crate) fn run<M, B>(layer: &SignatureLayer<M>, request: Request<B>) -> Running
where
    M: Source + Clone + 'static,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    let service = layer.layer(Inner::default());
    Box::pin(async move {
        let Ok(response) = service.oneshot(request).await;
        response
    })
}

pub(crate) fn poll(running: &mut Running) -> Poll<Answer> {
    running.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// The reason that the layer left in a response.
pub(crate) fn kind<B>(response: &Response<B>) -> Option<RejectionKind> {
    response.extensions().get().map(Rejection::kind)
}

/// Asserts that a request was refused for this reason, with the empty 403, and went no further.
pub(crate) fn assert_refused(
    name: &str,
    kind: RejectionKind,
    answer: &(Response<ResponseBody<String>>, Inner),
) {
    assert_refused_with(name, StatusCode::FORBIDDEN, kind, answer);
}

/// As [`assert_refused`], for a provider whose verdicts have this status.
pub(crate) fn assert_refused_with(
    name: &str,
    verdict: StatusCode,
    kind: RejectionKind,
    (response, inner): &(Response<ResponseBody<String>>, Inner),
) {
    assert_eq!(inner.count(), 0, "{name}: the inner service was called");
    let rejection = response.extensions().get::<Rejection>();
    let rejection = rejection.unwrap_or_else(|| panic!("{name}: no reason in the extensions"));
    assert_eq!(rejection.kind(), kind, "{name}");
    assert_eq!(response.status(), rejection.status(), "{name}");
    assert_eq!(response.body().size_hint().exact(), Some(0), "{name}: the answer has a body");
    assert!(response.body().is_end_stream(), "{name}: the answer has a body");
    if kind.is_authentication_failure() {
        assert_eq!(response.status(), verdict, "{name}");
    }
}

/// Returns the Rust files below this directory of the project.
pub(crate) fn files(directory: &str) -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut found);
    assert!(found.len() > 20, "{directory}: {found:?}");
    found
}
