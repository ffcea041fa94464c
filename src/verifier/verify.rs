//! Verification without a layer.

use bytes::Bytes;
use http::request::Parts;

use crate::{
    outcome::rejection::Rejection,
    parse::clock::Clock,
    verifier::{
        context::Context,
        outcome::Outcome,
        source::{FoundByHead, LayerContext, LookUpByBody, Source},
        verifier::Verifier,
    },
};

/// Verifies a message whose head and body are both in memory: for queues and streams, and for
/// servers without tower layers.
///
/// Guide: [without a server](crate::guide::frameworks#without-a-server).
///
/// It reports no event and writes nothing to the log: the [`Rejection`] holds the reason.
///
/// It does not answer unsigned requests. Call [`Verifier::challenge`] first, for challenges such as
/// Meta's GET. If the request has none of the signature headers, also call
/// [`Verifier::first_contact`]. `examples/actix/src/main.rs` answers a challenge this way.
///
/// ```
/// use bytes::Bytes;
/// use tower_webhook::{Secret, providers::GitHub, verify};
///
/// let github = GitHub::new("It's a Secret to Everybody")?;
/// let (head, ()) = http::Request::post("/")
///     .header(
///         "x-hub-signature-256",
///         "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
///     )
///     .body(())?
///     .into_parts();
/// let outcome = verify(&github, &head, &Bytes::from("Hello, World!"))?;
/// assert_eq!(outcome.verified().provider(), "github");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns a [`Rejection`] if the message is not authentic, or cannot be verified.
pub fn verify<V: Verifier>(verifier: &V, head: &Parts, body: &Bytes) -> Result<Outcome, Rejection> {
    run(verifier, &Context::new(head), body)
}

/// Verifies a message like [`verify`], with this clock instead of the system clock: for messages
/// that have waited in a queue, and for tests.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use bytes::Bytes;
/// use tower_webhook::{providers::Stripe, verifier::verify_at};
///
/// # fn received(
/// #     stripe: &Stripe, head: &http::request::Parts, body: &Bytes,
/// # ) -> Result<(), tower_webhook::Rejection> {
/// let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000); // when it was received
/// let verified = verify_at(stripe, head, body, at)?.accepted();
/// # let _ = verified;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns a [`Rejection`] if the message is not authentic, or cannot be verified.
pub fn verify_at<V: Verifier>(
    verifier: &V,
    head: &Parts,
    body: &Bytes,
    clock: impl Into<Clock>,
) -> Result<Outcome, Rejection> {
    run(verifier, &Context::new(head).at(&clock.into()), body)
}

/// Verifies a message like [`verify`], with a verifier that is looked up in this [`Source`]: a
/// provider whose keys are fetched, or tenants.
///
/// Poll the future within a Tokio runtime whose timer is enabled.
///
/// ```
/// use bytes::Bytes;
/// use tower_webhook::{layer::Source, verifier::verify_with};
///
/// # async fn received(
/// #     source: &impl Source, head: &http::request::Parts, body: &Bytes,
/// # ) -> Result<(), tower_webhook::Rejection> {
/// let verified = verify_with(source, head, body).await?.accepted();
/// # let _ = verified;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns a [`Rejection`] if the message is not authentic, or cannot be verified. If the lookup
/// failed, its status is `503 Service Unavailable`: keep the message in the queue.
pub async fn verify_with<S: Source>(
    source: &S,
    head: &Parts,
    body: &Bytes,
) -> Result<Outcome, Rejection> {
    look_up(source, &Context::new(head), body).await
}

/// Verifies a message like [`verify_with`], with this clock instead of the system clock.
///
/// The clock is that of the verifier. Fetched keys and cached tenants expire by the clock of their
/// cache.
///
/// # Errors
///
/// See [`verify_with`].
pub async fn verify_with_at<S: Source>(
    source: &S,
    head: &Parts,
    body: &Bytes,
    clock: impl Into<Clock>,
) -> Result<Outcome, Rejection> {
    look_up(source, &Context::new(head).at(&clock.into()), body).await
}

async fn look_up<S: Source>(
    source: &S,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Outcome, Rejection> {
    if let Some(verifier) = source.at_hand() {
        return run(verifier, request, body);
    }
    let defaults = source.shared_defaults();
    let failed = |rejection| {
        let has_secret_url = || source.shared_sensitive_parts().has_url();
        defaults.complete(rejection, has_secret_url).with_status(defaults.status)
    };
    let layer = LayerContext { client_ip: None, defaults: &defaults };
    let found = source.look_up_by_head(request, &layer).await.map_err(failed)?;
    let verifier = match found {
        FoundByHead::Verifier(verifier) => verifier,
        FoundByHead::NeedsBody(by_body) => {
            by_body.look_up(request.head(), body).await.map_err(failed)?
        }
    };
    run(&verifier, request, body)
}

pub(crate) fn run<V: Verifier>(
    verifier: &V,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Outcome, Rejection> {
    let mut state = None;
    let mut decide = || {
        verifier.begin_in(request, &mut state)?;
        // A verifier that leaves no state accepts nothing.
        let state = state.as_mut().ok_or(Rejection::mismatch())?;
        verifier.update(state, body);
        verifier.finish(state, request, body)
    };
    // The outcome is large, and not moved through a closure.
    match decide() {
        Ok(outcome) => Ok(outcome),
        Err(rejection) => {
            let defaults = verifier.defaults();
            let has_secret_url = || verifier.sensitive_parts().has_url();
            Err(defaults.complete(rejection, has_secret_url).with_status(defaults.status))
        }
    }
}
