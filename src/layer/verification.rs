//! Verification of a request by its verifier.

use bytes::Bytes;

use crate::{
    layer::{
        config::Config,
        evidence::Suspect,
        respond::{EarlyResponse, Refused},
    },
    outcome::{rejection::Rejection, verified::Verified},
    panic::catch_panic,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, source::FoundByHead,
        verifier::Verifier,
    },
};

/// The decision that is due at the end of the body.
pub(crate) enum Verification<V, T, L> {
    Verifier(V, T),
    /// The lookup of the verifier by the body.
    AfterBody(L),
    /// The request has already been rejected, and the layer is in report-only mode.
    Rejected(Rejection, Suspect<V>),
}

pub(crate) fn begin<V: Verifier, L>(
    found: FoundByHead<V, L>,
    request: &Context<'_>,
) -> Result<Verification<V, V::State, L>, Refused<V>> {
    match found {
        FoundByHead::NeedsBody(look_up) => Ok(Verification::AfterBody(look_up)),
        FoundByHead::Verifier(verifier) => match start(&verifier, request) {
            Ok(state) => Ok(Verification::Verifier(verifier, state)),
            Err(early) => Err(Refused::by(verifier, early)),
        },
    }
}

/// Runs all steps, for a body that has been read.
pub(crate) fn verify<V: Verifier>(
    verifier: &V,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Verified, EarlyResponse> {
    let mut state = start(verifier, request)?;
    catch_panic(|| verifier.update(&mut state, body))?;
    finish(verifier, &mut state, request, body)
}

/// Runs the steps that need only the head.
fn start<V: Verifier>(verifier: &V, request: &Context<'_>) -> Result<V::State, EarlyResponse> {
    match decide(verifier, || verifier.challenge(request).transpose())? {
        Some(response) => Err(EarlyResponse::Challenge(Box::new((response, None)))),
        None => Ok(decide(verifier, || verifier.begin(request))?),
    }
}

/// Runs a step of the verifier, and completes its rejection with the verifier's own defaults: a
/// lookup may return a verifier of any provider.
fn decide<V: Verifier, T>(
    verifier: &V,
    run: impl FnOnce() -> Result<T, Rejection>,
) -> Result<T, Rejection> {
    catch_panic(run).and_then(|result| result).map_err(|rejection| {
        let parts = catch_panic(|| verifier.sensitive_parts()).unwrap_or_default();
        let defaults = catch_panic(|| verifier.defaults());
        let mut defaults = defaults.unwrap_or(VerifierDefaults::DEFAULT);
        if defaults.provider == VerifierDefaults::DEFAULT.provider {
            // Without a name of the verifier's own, the layer's name says more.
            defaults = defaults.with_provider("");
        }
        defaults.complete(rejection, &parts)
    })
}

/// Returns the result of verification, or the reply to a signed challenge.
pub(crate) fn finish<V: Verifier>(
    verifier: &V,
    state: &mut V::State,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Verified, EarlyResponse> {
    // The reply is boxed, so that less is moved on the way up.
    let split = |outcome| match outcome {
        Outcome::Accept(verified) => Ok(verified),
        Outcome::Reply(response, verified) => Err(Box::new((response, Some(verified)))),
    };
    decide(verifier, || verifier.finish(state, request, body).map(split))?
        .map_err(EarlyResponse::Challenge)
}

impl<V: Verifier, L> Verification<V, V::State, L> {
    /// Passes bytes of the body to the verifier.
    pub(crate) fn update(&mut self, chunk: &[u8], config: &Config) -> Result<(), Refused<V>> {
        if let Self::Verifier(verifier, state) = self
            && let Err(panic) = catch_panic(|| verifier.update(state, chunk))
        {
            let (rejection, suspect) = config.report_only(panic.into())?;
            *self = Self::Rejected(rejection, suspect);
        }
        Ok(())
    }
}
