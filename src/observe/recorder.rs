//! The engine's handle on an attempt.

use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, request::Parts};

use crate::{
    observe::{
        attempt::{Attempt, Proof},
        kind::EventKind,
        settings::Settings,
    },
    outcome::{rejection::Rejection, verified::Verified},
    panic::catch_panic,
    verifier::{sensitive::SensitiveParts, verifier::Verifier},
};

/// Handle on an attempt, with which the engine reports its events.
///
/// However the request ends, the last event is reported once.
pub(crate) struct Recorder(Option<Arc<Attempt>>);

impl Recorder {
    pub(crate) fn new(settings: &Settings, provider: &'static str, head: &Parts) -> Self {
        let attempt = settings.observers.listening().map(|observers| {
            let client_ip = settings.client_ip.as_ref();
            // The closure is user code and may panic.
            let client_ip = client_ip.and_then(|ip| catch_panic(|| ip.of(head)).ok().flatten());
            let (sensitive, clock) = (Arc::clone(&settings.sensitive), settings.clock.clone());
            Arc::new(Attempt::at(provider, head, sensitive, client_ip, clock, observers))
        });
        Self(attempt)
    }

    pub(crate) const fn attempt(&self) -> Option<&Arc<Attempt>> {
        self.0.as_ref()
    }

    /// Hides the sensitive parts of a verifier that was looked up from events, too. The layer knows
    /// the parts of a verifier that needs no lookup.
    pub(crate) fn looked_up(&self, verifier: &impl Verifier) {
        if let Some(attempt) = &self.0 {
            // User code. If it panics, its sensitive parts are unknown, so hide the URL.
            let parts = catch_panic(|| verifier.sensitive_parts());
            let parts = parts.unwrap_or(SensitiveParts::none().url());
            if !attempt.sensitive.covers(&parts) {
                let all = parts.and(SensitiveParts::clone(&attempt.sensitive).found());
                let _ = attempt.found_sensitive.set(all);
            }
        }
    }

    /// Searches the parts of a head that events show for its secrets, once the verifier is known.
    pub(crate) fn look_for_repetitions(&self, head: &Parts) {
        if let Some(attempt) = &self.0 {
            attempt.look_for_repetitions(head);
        }
    }

    /// Records that the body has been read to its end.
    pub(crate) fn body_read(&self, body: &Bytes) {
        if let Some(attempt) = &self.0 {
            let kept = attempt.observers.keep_request().then(|| body.clone());
            let _ = attempt.body.set((body.len(), kept));
        }
    }

    pub(crate) fn accepted(&self, verified: &Verified) {
        if let Some(attempt) = &self.0 {
            attempt.decide(Proof::Verified(verified.clone()));
            attempt.set_dispatched();
            attempt.report(EventKind::Accepted);
        }
    }

    pub(crate) fn unverified(&self, rejection: &Rejection) {
        if let Some(attempt) = &self.0 {
            attempt.decide(Proof::Refused(rejection.clone()));
            attempt.set_dispatched();
            attempt.report(EventKind::Unverified);
        }
    }

    /// Inserts the attempt into the extensions, for the layers below.
    pub(crate) fn insert_into(&self, extensions: &mut Extensions) {
        if let Some(attempt) = &self.0 {
            extensions.insert(Arc::clone(attempt));
        }
    }

    pub(crate) fn answered(&mut self, verified: Option<&Verified>, kind: EventKind) {
        if let (Some(attempt), Some(verified)) = (&self.0, verified) {
            attempt.decide(Proof::Verified(verified.clone()));
        }
        self.end(kind);
    }

    /// Reports a rejection as the last event, and returns the attempt for its explanation.
    pub(crate) fn rejected(
        &mut self,
        rejection: &Rejection,
        kind: EventKind,
    ) -> Option<Arc<Attempt>> {
        let attempt = self.0.take()?;
        attempt.decide(Proof::Refused(rejection.clone()));
        attempt.report(kind);
        Some(attempt)
    }

    /// Watches code of the inner service until the guard is [done](Watch::done). If the code panics,
    /// the guard reports it, and the panic unwinds.
    pub(crate) const fn watch(&mut self) -> Watch<'_> {
        Watch(Some(self))
    }

    /// Reports the last event.
    pub(crate) fn end(&mut self, kind: EventKind) {
        if let Some(attempt) = self.0.take() {
            attempt.report(kind);
        }
    }
}

/// Guard of code that may panic.
pub(crate) struct Watch<'a>(Option<&'a mut Recorder>);

impl Watch<'_> {
    /// Ends the watch after the code has returned.
    pub(crate) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(recorder) = self.0.take() {
            recorder.end(EventKind::Panicked);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end(EventKind::Cancelled);
    }
}
