//! Cache of fetched documents, and the fetches that fill it.

use std::{
    fmt,
    future::poll_fn,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch, time::timeout};

use crate::{
    fetched_keys::{
        asked::Millis,
        document::KeyDocument,
        fetcher::Settings,
        key_set::NoKeys,
        request::KeyRequest,
        state::{Decision, Fetched, Question, State, Unavailable},
        tell::tell_failure,
    },
    outcome::rejection::Rejection,
    panic::catch_panic,
};

/// Parses a document, or returns what is wrong with it.
pub(crate) type Parse<D> = Box<dyn Fn(&KeyRequest, &[u8]) -> Result<D, NoKeys> + Send + Sync>;

/// Cache of one provider's documents. `D` is what a document is parsed into.
pub(crate) struct Resolver<D> {
    provider: &'static str,
    settings: Arc<Settings>,
    parse: Parse<D>,
    state: Mutex<State<D>>,
}

/// The document that has the key, or `None` if the source has no such key.
pub(crate) type Resolved<D> = Result<Option<Arc<D>>, Rejection>;

/// An answer of the cache.
pub(crate) enum Answer<D> {
    Now(Resolved<D>),
    /// The answer follows when this channel closes.
    Later(watch::Receiver<()>),
}

/// A fetch in progress. When it is dropped, the requests that wait for it go on.
struct Flight<D> {
    resolver: Arc<Resolver<D>>,
    request: KeyRequest,
    /// Time of the answer: a document can be as old as the beginning of the fetch, and a failure
    /// counts from its end.
    at: Millis,
    fetched: Option<Fetched<D>>,
    /// Closes the channel when it is dropped.
    end: watch::Sender<()>,
}

/// Time beside the time limit of a fetch that a request waits for its end.
const GRACE: Duration = Duration::from_secs(1);

impl<D: Send + Sync + 'static> Resolver<D> {
    pub(crate) fn new(provider: &'static str, settings: Arc<Settings>, parse: Parse<D>) -> Self {
        Self { provider, settings, parse, state: Mutex::new(State::new()) }
    }

    /// Returns the time of the fetcher's clock. Without one, no key is current.
    pub(crate) fn now(&self) -> Millis {
        self.settings.clock.millis().unwrap_or(Millis::MAX)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings)
    }

    /// Returns the document that has the key, if it need not be fetched.
    pub(crate) fn ask(
        self: &Arc<Self>,
        request: &KeyRequest,
        has_key: &dyn Fn(&D) -> bool,
        address: Option<IpAddr>,
    ) -> Answer<D> {
        let now = match self.settings.clock.millis() {
            Ok(now) => now,
            Err(rejection) => return Answer::Now(Err(rejection)),
        };
        let slot = request.slot();
        let is_of_one_key = request.key_id().is_some();
        let question = Question { slot: &slot, is_of_one_key, has_key, address, now };
        let mut state = self.lock();
        let decision = state.decide(&question, &self.settings);
        let is_start = matches!(decision, Decision::UseAndFetch(_) | Decision::Fetch);
        let flight = is_start.then(|| self.prepare(&mut state, request, now)).flatten();
        drop(state);
        let started = flight.map(Flight::start);
        match decision {
            Decision::Use(document) => Answer::Now(Ok(Some(document))),
            Decision::Unknown => Answer::Now(Ok(None)),
            Decision::Wait(flight) => Answer::Later(flight),
            Decision::Unavailable(why) => Answer::Now(Err(unavailable(&why))),
            // Without a runtime, it is fetched when it has expired, and then this is an error.
            Decision::UseAndFetch(document) => Answer::Now(Ok(Some(document))),
            Decision::Fetch => match started {
                Some(flight) => Answer::Later(flight),
                None => Answer::Now(Err(no_runtime())),
            },
        }
    }

    /// Returns the document that has the key, after waiting for a fetch.
    pub(crate) async fn wait(
        self: Arc<Self>,
        mut flight: watch::Receiver<()>,
        request: KeyRequest,
        has_key: impl Fn(&D) -> bool,
        address: Option<IpAddr>,
    ) -> Resolved<D> {
        // The fetch has a time limit, and the channel carries nothing. But the fetch could be a task
        // of a runtime that stands still.
        let limit = self.settings.time_limit.saturating_add(GRACE);
        let stuck = flight.clone();
        match catch_panic(|| timeout(limit, flight.changed())) {
            Ok(ended) => {
                if ended.await.is_err() {
                    self.lock().end_flight(&request.slot(), &stuck);
                    return Err(Rejection::unavailable(
                        "the fetch of the keys did not end in time",
                    ));
                }
            }
            // Without a timer, the fetch ends at once.
            Err(_) => _ = stuck.clone().changed().await,
        }
        match self.ask(&request, &has_key, address) {
            Answer::Now(resolved) => resolved,
            // The clock was set meanwhile, or the entry was evicted.
            Answer::Later(_) => Err(Rejection::unavailable("the fetched keys were not kept")),
        }
    }

    /// Prepares a fetch. Returns `None` without a runtime.
    fn prepare(
        self: &Arc<Self>,
        state: &mut State<D>,
        request: &KeyRequest,
        now: Millis,
    ) -> Option<(Handle, Flight<D>)> {
        let slot = request.slot();
        let Ok(runtime) = Handle::try_current() else {
            state.take_back(&slot);
            return None;
        };
        let (end, flight) = watch::channel(());
        state.flights.insert(slot, flight);
        let (resolver, request) = (Arc::clone(self), request.clone());
        Some((runtime, Flight { resolver, request, at: now, fetched: None, end }))
    }

    async fn fetch(&self, request: &KeyRequest) -> Fetched<D> {
        let failed = |why: String| Fetched::Failed(why.into());
        let document = match timeout(self.settings.time_limit, self.call(request)).await {
            Ok(Ok(Some(document))) => document,
            // A document with all keys is not absent because one of them is.
            Ok(Ok(None)) if request.key_id().is_none() => {
                return failed("the source has no keys at this URL".into());
            }
            Ok(Ok(None)) => return Fetched::Absent,
            Ok(Err(why)) => return failed(why),
            Err(_) => return failed("the source did not respond in time".into()),
        };
        if document.bytes.len() > KeyDocument::MAX_LEN {
            return failed(format!("its response is longer than {} bytes", KeyDocument::MAX_LEN));
        }
        match catch_panic(|| (self.parse)(request, &document.bytes)) {
            Ok(Ok(parsed)) => Fetched::Document(parsed, document.max_age),
            // As if the source did not have it.
            Ok(Err(NoKeys::Expired)) if request.key_id().is_some() => {
                let why = "its key has expired: requests that name it are rejected";
                _ = catch_panic(|| tell_failure(self.provider, request.url(), why));
                Fetched::Absent
            }
            Ok(Err(NoKeys::Expired)) => failed("its keys have expired".into()),
            Ok(Err(NoKeys::Because(why))) => {
                failed(format!("its response has no usable key: {why}"))
            }
            Err(_) => failed("reading its response panicked".into()),
        }
    }

    /// Calls the user's function, which may panic.
    async fn call(&self, request: &KeyRequest) -> Result<Option<KeyDocument>, String> {
        let panicked = |_| "the function that fetches keys panicked".to_owned();
        let mut fetching = catch_panic(|| self.settings.call(request.clone())).map_err(panicked)?;
        poll_fn(|cx| match catch_panic(|| fetching.as_mut().poll(cx)) {
            Ok(poll) => poll.map_err(|error| chain(&*error)),
            Err(panic) => Poll::Ready(Err(panicked(panic))),
        })
        .await
    }
}

impl<D> Resolver<D> {
    fn lock(&self) -> MutexGuard<'_, State<D>> {
        // A panic under the lock leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Send + Sync + 'static> Flight<D> {
    /// Starts a fetch in a task of its own, so that it does not end with the request that caused
    /// it: the sender could disconnect and cause the next one.
    ///
    /// A runtime that has shut down drops the task here, so the lock must not be held.
    fn start((runtime, mut flight): (Handle, Self)) -> watch::Receiver<()> {
        let end = flight.end.subscribe();
        runtime.spawn(async move { flight.run().await });
        end
    }

    fn now(&self) -> Option<Millis> {
        catch_panic(|| self.resolver.settings.clock.millis()).ok()?.ok()
    }

    async fn run(&mut self) {
        // The runtime may have stood still since the fetch was started.
        self.at = self.now().unwrap_or(self.at);
        let fetched = self.resolver.fetch(&self.request).await;
        if let Fetched::Failed(why) = &fetched {
            self.at = self.now().unwrap_or(self.at);
            // The subscriber may panic.
            _ = catch_panic(|| tell_failure(self.resolver.provider, self.request.url(), why));
        }
        self.fetched = Some(fetched);
    }
}

impl<D> Drop for Flight<D> {
    fn drop(&mut self) {
        // The runtime shuts down, or has no timer.
        let fetched = self.fetched.take();
        let fetched = fetched.unwrap_or_else(|| Fetched::Failed("the fetch was aborted".into()));
        let (slot, mut state) = (self.request.slot(), self.resolver.lock());
        state.end_flight(&slot, &self.end.subscribe());
        state.keep(&slot, self.at, fetched, &self.resolver.settings);
    }
}

fn unavailable(why: &Unavailable) -> Rejection {
    match why {
        Unavailable::Failed(why) => {
            Rejection::unavailable(format!("the provider's keys could not be fetched: {why}"))
        }
        Unavailable::Crowded => Rejection::unavailable(
            "too many unknown key IDs within the refresh interval: \
             the provider's keys were not fetched",
        ),
    }
}

fn no_runtime() -> Rejection {
    Rejection::unavailable("the provider's keys were not fetched: there is no Tokio runtime")
}

/// Returns the message of an error and of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl<D> fmt::Debug for Resolver<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("settings", &self.settings).finish_non_exhaustive()
    }
}
