//! The entry to explanations, and its settings.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::request::Parts;

use crate::{
    explain::{
        other::Other,
        places::PER_MINUTE,
        search::{search, search_head},
    },
    outcome::{explanation::Explanation, rejection::Rejection},
    parse::clock::Clock,
    verifier::{context::Context, probe::Effort, verifier::Verifier},
};

/// Explains why a verifier rejects a request, with the default [effort](Effort::DEFAULT) and the
/// system's clock. See [the module](crate::explain) for an example.
pub fn explain<V: Verifier + ?Sized>(verifier: &V, head: &Parts, body: &Bytes) -> Explanation {
    Explainer::new().explain(verifier, head, body)
}

/// Explains rejections, with settings.
///
/// ```
/// use tower_webhook::{explain::Explainer, providers::Stripe};
///
/// let live = Stripe::new("whsec_made-up-secret-of-live-mode")?;
/// let test = Stripe::new("whsec_made-up-secret-of-test-mode")?;
/// let explainer = Explainer::new().also("test mode", test);
/// # let (head, ()) = http::Request::post("/").body(())?.into_parts();
/// let explanation = explainer.explain(&live, &head, &bytes::Bytes::from("{}"));
/// # assert_eq!(explanation.proven(), None);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Explainer {
    clock: Option<Clock>,
    effort: Effort,
    hides_url: bool,
    others: Vec<Arc<Other>>,
    pub(crate) per_minute: u32,
}

impl Explainer {
    /// Creates an explainer with the default effort.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "as the other builders")]
    pub const fn new() -> Self {
        Self {
            clock: None,
            effort: Effort::DEFAULT,
            hides_url: false,
            others: Vec::new(),
            per_minute: PER_MINUTE,
        }
    }

    /// Sets the clock, for a request that was saved earlier and for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = Some(clock.into());
        self
    }

    /// Sets the limits of each explanation.
    #[must_use]
    pub const fn effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    /// Hides the path of the signed URL in findings, because the path holds a secret.
    ///
    /// A verifier that has its secret in the URL needs no such setting. Use it where the layer has
    /// [`with_secret_url`](crate::verifier::VerifierDefaults::with_secret_url).
    #[must_use]
    pub const fn secret_url(mut self) -> Self {
        self.hides_url = true;
        self
    }

    /// Adds another verifier: of another endpoint, of test mode, or with an earlier secret.
    ///
    /// If it accepts the request, the cause is
    /// [`SecretOfAnother`](crate::explain::Cause::SecretOfAnother). The
    /// finding has this name, and is [for the operator](crate::explain::Finding::is_for_operator) alone.
    #[must_use]
    pub fn also<V>(mut self, name: impl Into<Arc<str>>, verifier: V) -> Self
    where
        V: Verifier,
    {
        self.others.push(Arc::new(Other::new(name.into(), verifier)));
        self
    }

    /// Sets how many rejections a layer [explains](crate::SignatureLayer::explainer) in one minute,
    /// 6 by default.
    ///
    /// A third is for the first rejection after a verified request, and a third for the first
    /// rejection of each tenant, client network and reason, so that a flood leaves room for others.
    /// Only a layer with a [`client_ip`](crate::SignatureLayer::client_ip) can tell networks apart:
    /// IPv4 networks of 24 bits, and IPv6 networks of 48 bits.
    #[must_use]
    pub const fn per_minute(mut self, rejections: u32) -> Self {
        self.per_minute = rejections;
        self
    }

    /// Explains why a verifier rejects a request.
    pub fn explain<V: Verifier + ?Sized>(
        &self,
        verifier: &V,
        head: &Parts,
        body: &Bytes,
    ) -> Explanation {
        let request = Context::new(head);
        let request = match &self.clock {
            Some(clock) => request.at(clock),
            None => request,
        };
        self.search(verifier, &request, body, false, Vec::new())
    }

    /// Explains a rejection, also by these verifiers of other layers.
    pub(crate) fn search<V: Verifier + ?Sized>(
        &self,
        verifier: &V,
        request: &Context<'_>,
        body: &Bytes,
        hides_url: bool,
        layers: Vec<Arc<Other>>,
    ) -> Explanation {
        let hides_url = hides_url || self.hides_url;
        let others = [&*self.others, &layers].concat();
        search(verifier, request, body, (self.effort, hides_url), &others)
    }

    /// Explains the rejection of a request for which there is no verifier.
    pub(crate) fn search_head(
        &self,
        rejection: &Rejection,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Explanation {
        search_head(rejection, request, body, self.effort)
    }
}

impl fmt::Debug for Explainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.others.iter().map(|other| other.name()).collect();
        let mut debug = f.debug_struct("Explainer");
        debug.field("effort", &self.effort).field("also", &others).finish_non_exhaustive()
    }
}
