//! The settings of a layer, shared by its requests.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, request::Parts};
use http_body::Body;

use crate::{
    error::warn_once,
    layer::{budget::Budget, buffer::is_small, drain::Drain, evidence::Explaining},
    observe::settings::Settings,
    outcome::{kind::RejectionKind, rejection::Rejection},
    panic::catch_panic,
    parse::headers::awaits_continue,
    verifier::{
        context::Context,
        defaults::VerifierDefaults,
        source::{LayerContext, Source},
    },
};

/// A layer's source of verifiers and its settings, which each request holds.
pub(crate) struct Shared<M> {
    pub(crate) source: M,
    pub(crate) config: Arc<Config>,
}

/// The settings of a layer.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) defaults: VerifierDefaults,
    /// The first `WWW-Authenticate` value of a verifier that was looked up. All rejections carry it
    /// from then on: if only some carried it, they would reveal whose ID is known.
    pub(crate) found_challenge: OnceLock<&'static str>,
    pub(crate) budget: Budget,
    pub(crate) drain: Drain,
    /// Places for requests that wait for the rest of a body to discard.
    pub(crate) drain_places: Budget,
    pub(crate) body_deadline: Option<Duration>,
    pub(crate) rejection_response: Option<OnRejection>,
    pub(crate) report_only: bool,
    pub(crate) observe: Settings,
    pub(crate) explaining: Explaining,
}

pub(crate) type OnRejection = Arc<dyn Fn(&Rejection) -> Response<Bytes> + Send + Sync>;

impl Config {
    /// Creates the default settings of a layer with this source of verifiers.
    pub(crate) fn new<M: Source>(source: &M) -> Self {
        let drain = Drain::new();
        Self {
            defaults: source.shared_defaults(),
            found_challenge: OnceLock::new(),
            budget: Budget::of_bytes(256 << 20),
            drain_places: drain.places(),
            drain,
            body_deadline: cfg!(feature = "tokio").then_some(Duration::from_secs(10)),
            rejection_response: None,
            report_only: false,
            observe: Settings::new(source.shared_sensitive_parts()),
            explaining: Explaining::new(source),
        }
    }

    /// Returns the settings that the source may use.
    pub(crate) const fn shared(&self) -> LayerContext<'_> {
        LayerContext { client_ip: self.observe.client_ip.as_ref(), defaults: &self.defaults }
    }

    /// Returns the context in which a verifier sees this request.
    pub(crate) const fn context<'a>(&'a self, head: &'a Parts) -> Context<'a> {
        Context::new(head).at(&self.observe.clock)
    }

    /// Warns of a clock with which no signed time can be checked.
    pub(crate) fn check_clock(&self) {
        // The clock may be a user's function.
        if catch_panic(|| self.observe.clock.millis().is_err()).unwrap_or(false) {
            warn_once(
                Some(self.defaults.provider()),
                format_args!(
                    "the clock shows a date before 1990 or after 2099: requests with a signed time \
                     get 503 until it is set"
                ),
            );
        }
    }

    /// Returns whether the rest of this body is drained before an early response.
    pub(crate) fn drains(&self, body: &impl Body) -> bool {
        self.drain.reaches_end(body, self.defaults.body_limit)
    }

    /// Rejects a body that exceeds the limit, and a body for which the budget has no room while its
    /// sender waits for `100 Continue`.
    ///
    /// Any other body may have arrived completely, and then needs no room.
    pub(crate) fn check_declared(
        &self,
        declared: usize,
        head: &Parts,
    ) -> Result<(), RejectionKind> {
        if declared > self.body_limit() {
            return Err(RejectionKind::BodyTooLarge);
        }
        let is_full = !is_small(declared, &self.budget) && !self.budget.has_room(declared);
        if is_full && awaits_continue(head) {
            return Err(RejectionKind::Overloaded);
        }
        Ok(())
    }

    /// Returns the length of the longest body that the layer can hold, in bytes.
    pub(crate) fn body_limit(&self) -> usize {
        self.defaults.body_limit.min(self.budget.limit())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("defaults", &self.defaults)
            .field("byte_budget", &self.budget.limit())
            .field("drain", &self.drain)
            .field("body_deadline", &self.body_deadline)
            .field("rejection_response", &self.rejection_response.as_ref().map(|_| "<fn>"))
            .field("report_only", &self.report_only)
            .field("observers", &self.observe.observers.len())
            .field("client_ip", &self.observe.client_ip)
            .finish()
    }
}
