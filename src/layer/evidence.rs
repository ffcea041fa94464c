//! Evidence of rejected requests, from which the feature `explain` explains them.
//!
//! Nothing of it reaches the sender: a response has been decided before its request is explained,
//! on another thread. Whether it is explained depends on public facts alone.

use std::{
    sync::{Arc, LazyLock},
    task::Waker,
};

use bytes::Bytes;
use http::request::Parts;

use crate::{
    explain::{
        explainer::Explainer,
        layers,
        other::Other,
        places::{Facts, PER_MINUTE, Places},
        thread,
    },
    layer::{
        budget::{Budget, NoRoom, Reservation},
        buffer::BodyBuffer,
    },
    observe::{
        attempt::{Attempt, Proof},
        event::Event,
        here::Here,
        kind::EventKind,
        recorder::Recorder,
    },
    outcome::{explanation::Explanation, kind::RejectionKind, rejection::Rejection},
    panic::catch_panic,
    parse::clock::Clock,
    verifier::{context::Context, source::Source, verifier::Verifier},
};

/// Longest body that is explained, so that a few senders that stall do not take all of the bytes.
const MAX_BODY: usize = 1 << 20;

/// Bytes of all bodies that wait to be explained. They come from strangers.
static BYTES: LazyLock<Budget> = LazyLock::new(|| Budget::of_bytes(8 * MAX_BODY));

/// Settings of a layer's explanations.
#[derive(Clone)]
pub(crate) struct Explaining {
    /// `None` if the layer explains nothing.
    pub(crate) explainer: Option<Arc<Explainer>>,
    places: Arc<Places>,
    /// The verifier of this layer, for the explanations of others.
    own: Option<Arc<Other>>,
}

impl Explaining {
    pub(crate) fn new<M: Source>(source: &M) -> Self {
        let explainer = Some(Arc::new(Explainer::new()));
        // The verifier is user code and may panic.
        let own = catch_panic(|| source.own_verifier().map(layers::register)).ok().flatten();
        Self { explainer, places: Arc::new(Places::new()), own }
    }

    pub(crate) fn disable(&mut self) {
        (self.explainer, self.own) = (None, None);
    }

    /// Records that a request has been verified: the next rejection of its tenant and network is
    /// news.
    pub(crate) fn verified(&self, recorder: &Recorder) {
        if let Some(attempt) = recorder.attempt() {
            self.places.verified(&facts(attempt));
        }
    }

    /// Returns the evidence of a rejected request if it is to be explained. `len` is the length of its
    /// body, as far as it is known: one that is too long takes no place.
    pub(crate) fn evidence<V: Verifier>(
        &self,
        rejected: Option<Arc<Attempt>>,
        suspect: impl FnOnce() -> Option<V>,
        head: impl FnOnce() -> Parts,
        len: usize,
    ) -> Evidence {
        let is_short = len <= MAX_BODY;
        let Some(attempt) = rejected.filter(|attempt| is_short && self.has_place(attempt)) else {
            return Evidence::none();
        };
        let Some(explainer) = &self.explainer else { return Evidence::none() };
        // Subscribers are user code, and so are the values in a head.
        catch_panic(|| self.pending(attempt, explainer, suspect(), head()))
            .map_or_else(|_| Evidence::none(), |pending| Evidence(Some(Box::new(pending))))
    }

    fn pending<V: Verifier>(
        &self,
        attempt: Arc<Attempt>,
        explainer: &Arc<Explainer>,
        suspect: Option<V>,
        head: Parts,
    ) -> Pending {
        let (here, explainer) = (Here::now(), Arc::clone(explainer));
        // The time at which the verifier decided.
        let clock = Clock::fixed(attempt.told_at());
        let own = self.own.clone();
        let explain = move |body: &Bytes| {
            // Also values in the head may need the runtime when they are dropped.
            let _runtime = here.enter();
            let (head, suspect) = (head, suspect);
            let request = Context::new(&head).at(&clock);
            let layers = layers::others(own.as_ref());
            let explanation =
                explain(&explainer, suspect.as_ref(), &attempt, &request, body, layers);
            // A verifier may accept now what it rejected before.
            if let Some(explanation) = explanation.filter(|it| !it.is_accepted()) {
                attempt.explained.set(explanation);
                here.run(|| attempt.report(EventKind::Explained));
            }
        };
        let (body, room) = (BodyBuffer::new(0), Reservation::default());
        Pending { explain: Box::new(explain), body, room }
    }

    /// A layer that explains nothing takes places, too, so that its responses take as long.
    fn has_place(&self, attempt: &Attempt) -> bool {
        let per_minute = self.explainer.as_ref().map_or(PER_MINUTE, |it| it.per_minute);
        let event = Event::new(attempt, EventKind::Unverified);
        // Neither scanners' GETs nor challenges have a signature to explain.
        let reason = match event.rejection().map(Rejection::kind) {
            // A sender cannot tell whether a tenant exists.
            Some(RejectionKind::UnknownTenant) => RejectionKind::SignatureMismatch.as_str(),
            Some(kind) => kind.as_str(),
            None => return false,
        };
        event.name() == "invalid_webhook_signature"
            && self.places.take(&facts(attempt), reason, attempt.told_at(), per_minute)
    }
}

fn facts(attempt: &Attempt) -> Facts<'_> {
    let event = Event::new(attempt, EventKind::Unverified);
    let tenant = event.tenant().or(event.claimed_tenant());
    Facts { provider: attempt.provider, tenant, client_ip: attempt.client_ip }
}

fn explain<V: Verifier>(
    explainer: &Explainer,
    verifier: Option<&V>,
    attempt: &Attempt,
    request: &Context<'_>,
    body: &Bytes,
    layers: Vec<Arc<Other>>,
) -> Option<Explanation> {
    let hides_url = attempt.has_secret_url();
    match (verifier, attempt.proof()) {
        (Some(verifier), _) => Some(explainer.search(verifier, request, body, hides_url, layers)),
        (None, Some(Proof::Refused(rejection))) => {
            Some(explainer.search_head(rejection, request, body))
        }
        (None, _) => None,
    }
}

/// A rejected request that is explained once its body is known. Empty for nearly all requests.
pub(crate) struct Evidence(Option<Box<Pending>>);

struct Pending {
    explain: Box<dyn FnOnce(&Bytes) + Send + Sync>,
    body: BodyBuffer,
    room: Reservation,
}

impl Evidence {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Adds bytes of the body, which is drained.
    pub(crate) fn push(&mut self, data: impl FnOnce() -> Bytes) {
        let Some(pending) = &mut self.0 else { return };
        let data = data();
        let len = pending.body.len().saturating_add(data.len());
        let has_room = len <= MAX_BODY
            && pending.room.reserve(len, &BYTES, NoRoom::GiveUp, Waker::noop()).is_ok();
        if has_room {
            pending.body.push(data, MAX_BODY);
        } else {
            self.discard();
        }
    }

    fn discard(&mut self) {
        // It holds values of users, whose `Drop` may panic.
        let _ = catch_panic(|| drop(self.0.take()));
    }

    /// Explains the request, whose body is complete, on another thread.
    pub(crate) fn explain(mut self, body: &Bytes) {
        self.push(|| body.clone());
        let Some(pending) = self.0.take() else { return };
        let Pending { explain, mut body, room } = *pending;
        thread::run(move || {
            let (body, _) = body.take();
            explain(&body);
            drop(room);
        });
    }
}

impl Drop for Evidence {
    fn drop(&mut self) {
        self.discard();
    }
}
