//! The layer of the replay guard, and its options.

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

/// Layer that keeps repeated deliveries from the handler; see [the module](super).
///
/// Guide: [replay protection](crate::guide::replay).
///
/// Put it below the [`SignatureLayer`](crate::SignatureLayer), and above everything that may fail:
/// a delivery that fails is released, and handled when the sender repeats it.
///
/// A request without [`Verified`] gets `500 Internal Server Error` and is never dispatched, because
/// the guard cannot identify a delivery without a `SignatureLayer` above. In [report-only
/// mode](crate::SignatureLayer::dangerously_report_only), requests that carry
/// [`Unverified`](crate::Unverified) pass unguarded, because nothing about them is proven.
#[derive(Clone)]
#[must_use]
pub struct ReplayLayer<T> {
    store: T,
    config: Arc<Config>,
}

impl<T: ReplayStore> ReplayLayer<T> {
    /// Creates a replay guard with this scope and this store.
    ///
    /// The scope separates endpoints that share a store. The path of the endpoint is a good scope.
    /// Processes that serve the same endpoint must use the same scope.
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

    /// Sets how long the handler may take.
    ///
    /// Defaults to one minute. The lease must be longer than the handler ever takes, including its
    /// time limit. Otherwise two handlers may process one delivery at the same time. After a crash,
    /// the delivery cannot be handled until its lease has expired.
    pub fn lease(self, lease: Duration) -> Self {
        self.update(|config| config.lease = lease)
    }

    /// Sets the minimum time for which a handled delivery is kept.
    ///
    /// | verifier | default | with this option |
    /// |---|---|---|
    /// | checks a signed timestamp | one hour longer than the verifier accepts the delivery, at least 70 minutes | this time, if it is longer than the default |
    /// | accepts the delivery indefinitely | unbounded | this time |
    ///
    /// The hour allows for a clock that is set back. An unbounded delivery is kept until the store
    /// is full. To bound it, set a tolerance in the verifier, or a retention here, after which a
    /// replay is handled again. The guard reports
    /// [`RetentionUnbounded`](crate::observe::EventKind::RetentionUnbounded) once if neither is
    /// set.
    ///
    /// For providers that sign an ID, set the time for which they repeat a delivery: a day or more.
    pub fn retention(self, retention: Duration) -> Self {
        self.update(|config| config.retention = Some(retention))
    }

    /// Guards deliveries of this provider although their signed content is not
    /// [unique](Verified::has_unique_replay_key).
    ///
    /// **Two authentic deliveries with the same body then count as one**: the second one is not
    /// handled while the first one is kept. Use this option only if each body is unique, for
    /// example because it contains the ID and the time of the event. `provider` is the name that
    /// [`Verified::provider`] returns.
    pub fn guard_body_only(self, provider: &'static str) -> Self {
        self.update(|config| config.body_only.push(provider))
    }

    /// Identifies each delivery by an ID in its **signed body**, so that a repetition with a new
    /// signature and time is the same delivery.
    ///
    /// The function receives the proof and the body, never the head, because most IDs in headers
    /// are not signed. The delivery keeps its default replay key if the function returns `None`, an
    /// empty ID, or an ID of more than 256 bytes. It also keeps that key if the signature does not
    /// cover the whole body ([`Verified::body_is_signed`]); the guard then reports
    /// [`EventIdNotSigned`](crate::observe::EventKind::EventIdNotSigned) once. A signed delivery ID
    /// takes precedence. Deliveries of different scopes, tenants and providers are different.
    ///
    /// A delivery that a person deliberately sends again is then a duplicate. Set
    /// [`retention`](Self::retention) to the time for which the sender repeats a delivery.
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

    /// Identifies each delivery by the event ID that its provider documents, such as Stripe's `id`
    /// and Square's `event_id`; see [`event_id`](Self::event_id).
    ///
    /// The delivery is kept at least for the whole retry schedule of the provider.
    /// [`DeliveryPolicy::event_id`](crate::providers::DeliveryPolicy::event_id) reports the field.
    /// Deliveries of other providers and of custom verifiers keep their default replay key.
    ///
    /// Fourteen providers document an event ID: [`CheckoutCom`](crate::providers::CheckoutCom),
    /// [`CircleCi`](crate::providers::CircleCi), [`CustomerIo`](crate::providers::CustomerIo),
    /// [`Intercom`](crate::providers::Intercom), `LiveKit`, [`Mux`](crate::providers::Mux),
    /// [`Notion`](crate::providers::Notion), [`Nylas`](crate::providers::Nylas),
    /// [`Paddle`](crate::providers::Paddle), [`Slack`](crate::providers::Slack),
    /// [`Square`](crate::providers::Square), [`Stripe`](crate::providers::Stripe),
    /// [`Telnyx`](crate::providers::Telnyx) and [`WorkOs`](crate::providers::WorkOs).
    pub fn by_event_id(self) -> Self {
        self.update(|config| config.event_id = Some(KnownBy::OfProvider))
    }

    /// Sets the status of the response to a delivery that has been handled before, for example
    /// `409 Conflict`.
    ///
    /// Defaults to 200. Most senders treat any status but 2xx as a failure, and retry.
    pub fn duplicate_status(self, status: StatusCode) -> Self {
        self.update(|config| config.duplicate_status = status)
    }

    /// **Dispatches deliveries unguarded while the store is down**, instead of responding with the
    /// 503 that makes their senders retry.
    ///
    /// The first unguarded delivery of an outage reports
    /// [`EventKind::Unguarded`](crate::observe::EventKind::Unguarded) immediately. While the outage
    /// lasts, one delivery a minute reports it again, with the number of deliveries since. When the
    /// store responds again, [`EventKind::GuardRestored`](crate::observe::EventKind::GuardRestored)
    /// reports the total. [`Event::is_unguarded`](crate::observe::Event::is_unguarded) marks each
    /// unguarded delivery for observers, and
    /// [`Attempt::is_unguarded`](crate::observe::Attempt::is_unguarded) for the handler.
    ///
    /// A layer, its clones and its services share these counts.
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
