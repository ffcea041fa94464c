//! Calls of a verifier. It is user code and may panic.

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    layer::respond::EarlyResponse,
    outcome::{
        rejection::Rejection,
        verified::{Unverified, Verified},
    },
    panic::catch_panic,
    parse::clock::Clock,
    verifier::{context::Context, defaults::VerifierDefaults, verifier::Verifier},
};

/// Runs the steps that need only the head.
pub(crate) fn start<V: Verifier>(
    verifier: &V,
    request: &Context<'_>,
    state: &mut Option<V::State>,
) -> Result<(), EarlyResponse> {
    let mut challenge = None;
    decide(verifier, || {
        challenge = verifier.challenge(request).transpose()?;
        if challenge.is_none() { verifier.begin_in(request, state) } else { Ok(()) }
    })?;
    match challenge {
        Some(response) => Err(EarlyResponse::Challenge(Box::new((response, None)))),
        None => Ok(()),
    }
}

/// Passes bytes of the body to the verifier.
pub(crate) fn update<V: Verifier>(
    verifier: &V,
    state: &mut Option<V::State>,
    chunk: &[u8],
) -> Result<(), Rejection> {
    let Some(state) = state else { return Ok(()) };
    catch_panic(|| verifier.update(state, chunk))
}

/// Marks a verified request, or returns the reply to a signed challenge.
///
/// `accept` completes the proof before it becomes the mark. The proof is large, so it is completed
/// where it lies.
pub(crate) fn finish<V: Verifier>(
    verifier: &V,
    state: &mut V::State,
    head: &mut Parts,
    clock: &Clock,
    body: &Bytes,
    accept: impl FnOnce(&mut Verified),
) -> Result<(), EarlyResponse> {
    let (mut proof, mut reply) = (Verified::new(""), None);
    decide(verifier, || {
        reply = verifier.finish_in(state, &Context::new(head).at(clock), body, &mut proof)?;
        if reply.is_none() {
            accept(&mut proof);
        }
        Ok(())
    })?;
    if let Some(response) = reply {
        return Err(replied(response, proof));
    }
    // A layer above may have inserted the other mark. A request never carries both.
    head.extensions.remove::<Unverified>();
    head.extensions.insert(proof);
    Ok(())
}

#[cold]
fn replied(response: Response<Bytes>, proof: Verified) -> EarlyResponse {
    EarlyResponse::Challenge(Box::new((response, Some(proof))))
}

/// Runs a step of the verifier, and completes its rejection.
///
/// The step writes its result where it stays: a large `Ok` would be copied on the way up.
fn decide<V: Verifier>(
    verifier: &V,
    step: impl FnOnce() -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    match catch_panic(step) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(rejection)) | Err(rejection) => Err(complete(verifier, rejection)),
    }
}

/// Completes a rejection with the verifier's own defaults: a lookup may return a verifier of any
/// provider.
#[cold]
fn complete<V: Verifier>(verifier: &V, rejection: Rejection) -> Rejection {
    let has_secret_url = || catch_panic(|| verifier.sensitive_parts().has_url()).unwrap_or(false);
    let defaults = catch_panic(|| verifier.defaults());
    let mut defaults = defaults.unwrap_or(VerifierDefaults::DEFAULT);
    if defaults.provider == VerifierDefaults::DEFAULT.provider {
        // Without a name of the verifier's own, the layer's name says more.
        defaults = defaults.with_provider("");
    }
    defaults.complete(rejection, has_secret_url)
}
