//! Verification of a request by its verifier.

use bytes::Bytes;

use crate::{
    layer::{config::Config, respond::EarlyResponse},
    outcome::{rejection::Rejection, verified::Verified},
    panic::catch_panic,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, source::Found,
        verifier::Verifier,
    },
};

/// The decision at the end of the body.
pub(crate) enum Verification<V, T, L> {
    Verifier(V, T),
    /// The verifier that is looked up by the body.
    AfterBody(L),
    /// It is decided already, and the layer only reports.
    Rejected(Rejection),
}

pub(crate) fn begin<V: Verifier, L>(
    found: Found<V, L>,
    request: &Context<'_>,
) -> Result<Verification<V, V::State, L>, EarlyResponse> {
    Ok(match found {
        Found::Later(later) => Verification::AfterBody(later),
        Found::Verifier(verifier) => {
            let state = start(&verifier, request)?;
            Verification::Verifier(verifier, state)
        }
    })
}

/// The steps that need the head alone.
pub(crate) fn start<V: Verifier>(
    verifier: &V,
    request: &Context<'_>,
) -> Result<V::State, EarlyResponse> {
    match decide(verifier, || verifier.challenge(request).transpose())? {
        Some(response) => Err(EarlyResponse::Challenge(Box::new((response, None)))),
        None => Ok(decide(verifier, || verifier.begin(request))?),
    }
}

/// What a verifier decides, under its own provider's name: a look-up may find any provider's.
fn decide<V: Verifier, T>(
    verifier: &V,
    run: impl FnOnce() -> Result<T, Rejection>,
) -> Result<T, Rejection> {
    catch_panic(run).and_then(|result| result).map_err(|rejection| {
        let parts = catch_panic(|| verifier.sensitive_parts()).unwrap_or_default();
        let defaults = catch_panic(|| verifier.defaults());
        let mut defaults = defaults.unwrap_or(VerifierDefaults::DEFAULT);
        if defaults.provider == VerifierDefaults::DEFAULT.provider {
            // Without a name the layer's own says more.
            defaults = defaults.with_provider("");
        }
        defaults.complete(rejection, &parts)
    })
}

/// The verdict, and the reply to a signed challenge.
pub(crate) fn finish<V: Verifier>(
    verifier: &V,
    state: &mut V::State,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Verified, EarlyResponse> {
    // Without the room for a reply, so that less is moved on the way up.
    let split = |outcome| match outcome {
        Outcome::Accept(verified) => Ok(verified),
        Outcome::Reply(response, verified) => Err(Box::new((response, Some(verified)))),
    };
    decide(verifier, || verifier.finish(state, request, body).map(split))?
        .map_err(EarlyResponse::Challenge)
}

impl<V: Verifier, L> Verification<V, V::State, L> {
    /// Shows bytes of the body to the verifier.
    pub(crate) fn update(&mut self, chunk: &[u8], config: &Config) -> Result<(), EarlyResponse> {
        if let Self::Verifier(verifier, state) = self
            && let Err(panic) = catch_panic(|| verifier.update(state, chunk))
        {
            *self = Self::Rejected(config.report_only(panic.into())?);
        }
        Ok(())
    }
}
