//! The guard's layer, and its own answers.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use tower_layer::Layer;

use crate::{
    outcome::{replay_key::Scope, verified::Verified},
    replay::{
        config::{Config, KnownBy},
        outage::Outage,
        service::ReplayService,
        store::ReplayStore,
    },
};

/// Lets each delivery reach the handler once; see [the module](super).
///
/// It stands below the [`SignatureLayer`](crate::SignatureLayer), and above everything that may
/// fail: what fails is released, and handled when the sender repeats it.
///
/// A request without [`Verified`] is answered with 500 and never dispatched: without a
/// `SignatureLayer` above there is nothing to know a delivery by. In
/// [report-only mode](crate::SignatureLayer::dangerously_report_only) requests that carry
/// [`Unverified`](crate::Unverified) pass unguarded, because nothing is proven of them.
#[derive(Clone)]
#[must_use]
pub struct ReplayLayer<T> {
    store: T,
    config: Arc<Config>,
}

impl<T: ReplayStore> ReplayLayer<T> {
    /// A guard with this store. Deliveries of different scopes are different, so that endpoints
    /// which share a store do not share deliveries: the endpoint's path is a good one. Processes
    /// that serve the same endpoint must use the same scope.
    pub fn new(scope: impl AsRef<str>, store: T) -> Self {
        let config = Config {
            scope: Scope::new(scope.as_ref()),
            lease: Duration::from_secs(60),
            retention: None,
            body_only: Vec::new(),
            event_id: None,
            duplicate_status: StatusCode::OK,
            fails_open: false,
            said: Arc::default(),
            outage: Outage::default(),
        };
        Self { store, config: Arc::new(config) }
    }

    /// How long the handler may take: one minute unless set. It must be longer than the handler
    /// ever takes, its time limit included, or two of them may work on one delivery. After a
    /// crash the delivery waits for so long.
    pub fn lease(self, lease: Duration) -> Self {
        self.update(|config| config.lease = lease)
    }

    /// Sets for how long a handled delivery is remembered at least.
    ///
    /// | the verifier | unless set | if set |
    /// |---|---|---|
    /// | judges a signed time | one hour longer than it accepts the delivery, and 70 minutes at least | as long as this, if that is longer |
    /// | accepts the delivery for ever | without end | as long as this |
    ///
    /// The hour is for a clock that is set back. "Without end" is until a
    /// [`MemoryReplayStore`](super::MemoryReplayStore) is full, or a Redis: set a tolerance in the verifier, or a
    /// retention here, after which a replay is handled again. The guard reports
    /// [`RetentionUnbounded`](crate::observe::EventKind::RetentionUnbounded) once where neither is set.
    ///
    /// For providers that sign an id, set as long as they go on sending it again: a day or more.
    pub fn retention(self, retention: Duration) -> Self {
        self.update(|config| config.retention = Some(retention))
    }

    /// Guards this provider's deliveries although they are not
    /// [unique](Verified::has_unique_replay_key) by what is signed.
    ///
    /// **Two genuine deliveries with one body are then one**: the second is not handled while the
    /// first is remembered. Turn it on where each body is unique, for example because it holds the
    /// event's id and time. It takes the provider's name, as [`Verified::provider`] has it.
    pub fn guard_body_only(self, provider: &'static str) -> Self {
        self.update(|config| config.body_only.push(provider))
    }

    /// Knows each delivery by an id in its **signed body**, so that a repetition with a new signature and time is the
    /// same delivery.
    ///
    /// The function sees the proof and the body, never the head: most ids in headers are not signed. With `None`, or an
    /// id of more than 256 bytes, the delivery has its usual key, and so where the signature does not cover the whole
    /// body ([`Verified::body_is_signed`]), which the guard reports once
    /// ([`EventIdNotSigned`](crate::observe::EventKind::EventIdNotSigned)). A signed delivery id comes first. Deliveries of different
    /// scopes, tenants and providers are different ones.
    ///
    /// A delivery that a person sends again on purpose is then a duplicate. Set [`retention`](Self::retention) to the
    /// time for which the sender repeats a delivery.
    ///
    /// ```
    /// use tower_webhook::replay::{MemoryReplayStore, ReplayLayer, json_field};
    ///
    /// let guard = ReplayLayer::new("/orders", MemoryReplayStore::new(100_000))
    ///     .event_id(|_verified, body| json_field(body, "order_event"));
    /// # let _ = guard;
    /// ```
    pub fn event_id(
        self,
        id: impl Fn(&Verified, &Bytes) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.update(|config| config.event_id = Some(KnownBy::Own(Arc::new(id))))
    }

    /// Knows each delivery by the event's id that its provider documents, such as Stripe's `id` and Square's
    /// `event_id`; see [`event_id`](Self::event_id). It is remembered for the provider's whole retry schedule at least.
    ///
    /// [`DeliveryPolicy::event_id`](crate::providers::DeliveryPolicy::event_id) tells which providers have one. The
    /// deliveries of others, and of verifiers of your own, have their usual key.
    pub fn by_event_id(self) -> Self {
        self.update(|config| config.event_id = Some(KnownBy::OfProvider))
    }

    /// The answer to a delivery that has been handled, in place of 200: 409, for example. Most
    /// senders take anything but a 2xx for a failure, and repeat.
    pub fn duplicate_status(self, status: StatusCode) -> Self {
        self.update(|config| config.duplicate_status = status)
    }

    /// **Lets deliveries pass unguarded while the store is down**, in place of the 503 that makes
    /// their senders come again.
    ///
    /// The first unguarded delivery of an outage reports
    /// [`EventKind::Unguarded`](crate::observe::EventKind::Unguarded) at once, and one delivery a
    /// minute while the outage goes on, with the number of deliveries since. When the store answers
    /// again, [`EventKind::GuardRestored`](crate::observe::EventKind::GuardRestored) reports the
    /// number of all. [`Event::is_unguarded`](crate::observe::Event::is_unguarded) marks each such
    /// delivery for observers, and [`Attempt::is_unguarded`](crate::observe::Attempt::is_unguarded)
    /// for the handler.
    ///
    /// A layer, its clones and its services count together.
    pub fn dangerously_fail_open(self) -> Self {
        self.update(|config| config.fails_open = true)
    }

    fn update(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl<S, T: ReplayStore> Layer<S> for ReplayLayer<T> {
    type Service = ReplayService<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        ReplayService::new(inner, self.store.clone(), Arc::clone(&self.config))
    }
}

impl<T> fmt::Debug for ReplayLayer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayLayer").field("config", &self.config).finish_non_exhaustive()
    }
}
