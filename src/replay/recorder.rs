//! Reports of the replay guard to the observers of the layer above.

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

/// Reports events of the guard to the observers of the layer above, if there are any.
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

    /// Reports a problem that the operator should fix.
    ///
    /// It is reported only once, so it is logged even if there is no observer.
    pub(crate) fn setup(&self, kind: EventKind) {
        self.event(kind);
        #[cfg(feature = "tracing")]
        if self.0.is_none() {
            let what = match kind {
                EventKind::EventIdNotSigned => {
                    "event id ignored by the replay guard: the signature does not cover the body"
                }
                EventKind::Unguardable => {
                    "deliveries without a unique replay key are not guarded; see `guard_body_only`"
                }
                _ => "replay store keeps deliveries indefinitely; set a tolerance or a retention",
            };
            tracing::warn!(target: "tower_webhook::delivery", "{what}");
        }
    }

    pub(crate) fn answered<B>(&self, answer: ReplayAnswer, request: &Request<B>, config: &Config) {
        self.event(EventKind::Replay(answer));
        #[cfg(feature = "tracing")]
        if answer == ReplayAnswer::NotVerified {
            use crate::{observe::tracing::take_line, outcome::redact::text::escape};

            // A request that no layer above has seen has no observer.
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

    /// Returns the claim if the store has granted it, and `None` for a request that passes
    /// unguarded while the store is down.
    ///
    /// `outage` is set if the guard fails open.
    ///
    /// # Errors
    ///
    /// Returns the response that the guard sends instead of calling the handler.
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
                // The claim may have been granted nevertheless. If so, this releases it.
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
        // The claim is not this request's, so there is nothing to release.
        claim.guard.forget();
        Err(Answer { kind, key, error: None })
    }

    /// Returns the time by the clock of the layer above, or by the system's if no observer needs
    /// it.
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
            // The response stands. The guard, dropped unsettled, tries once more in the background.
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
