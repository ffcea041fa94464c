//! What the observers of the layer above are told of a guard.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::Request;

use crate::{
    observe::{attempt::Attempt, kind::EventKind},
    outcome::replay_answer::ReplayAnswer,
    parse::clock::Clock,
    replay::{
        config::{Answer, Config},
        guard::{ClaimGuard, Claimed},
        outage::Outage,
        store::{Claim, ReplayStore, Settled, StoreError},
    },
};

/// Tells the observers of the layer above, where there are any.
pub(crate) struct ReplayRecorder(Option<Arc<Attempt>>);

impl ReplayRecorder {
    /// Returns the recorder of this request.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self(request.extensions().get().cloned())
    }

    fn event(&self, kind: EventKind) {
        if let Some(attempt) = &self.0 {
            attempt.report(kind);
        }
    }

    /// What the operator should change. It is said once, so it is said where nobody observes, too.
    pub(crate) fn setup(&self, kind: EventKind) {
        self.event(kind);
        #[cfg(feature = "tracing")]
        if self.0.is_none() {
            let what = match kind {
                EventKind::EventIdNotSigned => {
                    "deliveries are not known by their event id: the signature does not cover the body"
                }
                EventKind::Unguardable => "deliveries that can be signed alike are not guarded",
                _ => "deliveries are remembered without end; set a tolerance or a retention",
            };
            tracing::warn!(target: "tower_webhook::delivery", "{what}");
        }
    }

    pub(crate) fn answered<B>(&self, answer: ReplayAnswer, request: &Request<B>, config: &Config) {
        self.event(EventKind::Replay(answer));
        #[cfg(feature = "tracing")]
        if answer == ReplayAnswer::NotVerified {
            use crate::{observe::tracing::take_line, outcome::redact::text::escape};

            // Nobody observes a request that no layer above has seen.
            if let Some(suppressed) = take_line(&config.said.not_verified) {
                tracing::error!(
                    target: "tower_webhook::security",
                    method = request.method().as_str(),
                    path = escape(request.uri().path().as_bytes()),
                    suppressed = (suppressed > 0).then_some(suppressed),
                    "{answer}"
                );
            }
        }
        #[cfg(not(feature = "tracing"))]
        let _ = (request, config);
    }

    /// Returns the claim that the store has granted; `None` for a request that passes unguarded while the store is out.
    /// A guard that fails open has an outage to count.
    ///
    /// # Errors
    ///
    /// The guard's answer in the handler's place.
    pub(crate) fn claimed<T: ReplayStore>(
        &self,
        answer: Result<Claim, StoreError>,
        claim: Claimed<T>,
        outage: Option<&Outage>,
    ) -> Result<Option<Claimed<T>>, Answer> {
        let key = Some(*claim.guard.key());
        if let Some(count) = outage
            .filter(|outage| answer.is_ok() && outage.is_on())
            .and_then(|outage| outage.answered_at(self.now()))
        {
            self.event(EventKind::GuardRestored { count });
        }
        let kind = match answer {
            Ok(Claim::Granted { evicted }) => {
                if evicted > 0 {
                    self.event(EventKind::Evicted { count: evicted });
                }
                return Ok(Some(claim));
            }
            Ok(Claim::Completed) => ReplayAnswer::Duplicate,
            Ok(Claim::InFlight) => ReplayAnswer::InFlight,
            Err(error) => {
                self.store_failed(&error);
                // It may have been granted all the same. If so, this gives it back.
                drop(claim);
                let Some(outage) = outage else {
                    return Err(Answer {
                        kind: ReplayAnswer::StoreFailed,
                        key,
                        error: Some(error),
                    });
                };
                self.unguarded(outage);
                return Ok(None);
            }
        };
        // It is another's, and nothing is to be given back.
        claim.guard.forget();
        Err(Answer { kind, key, error: None })
    }

    /// The layer's time, where one observes the request. Elsewhere nobody is told.
    fn now(&self) -> Duration {
        let now =
            self.0.as_ref().map_or_else(|| Clock::system().now(), |attempt| attempt.told_at());
        now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn unguarded(&self, outage: &Outage) {
        if let Some(attempt) = &self.0 {
            attempt.set_unguarded();
        }
        if let Some(count) = outage.unguarded_at(self.now()) {
            self.event(EventKind::Unguarded { count });
        }
    }

    pub(crate) fn settled<T: ReplayStore>(
        &self,
        settled: Result<Settled, StoreError>,
        guard: ClaimGuard<T>,
    ) {
        match settled {
            Ok(settled) => {
                guard.forget();
                if settled == Settled::Lost {
                    self.event(EventKind::LeaseLost);
                }
            }
            // The answer stands. Dropped unsettled, the guard tries once more, and nobody waits.
            Err(error) => {
                self.store_failed(&error);
                self.event(EventKind::Unsettled);
            }
        }
    }

    fn store_failed(&self, error: &StoreError) {
        #[cfg(feature = "tracing")]
        tracing::warn!(target: "tower_webhook::delivery", error = %error, "replay store failed");
        let _ = error;
    }
}
