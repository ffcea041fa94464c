//! Macro for verifiers that wrap another verifier.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    outcome::{rejection::Rejection, verified::Verified},
    verifier::{context::Context, outcome::Outcome, verifier::Verifier},
};

/// Implements the methods of [`Verifier`] by forwarding to another verifier.
///
/// Hooks change single steps, in this order. All other steps are forwarded.
///
/// - `before(request) => …`: a check before the request's verification begins.
/// - `rejected(rejection) => …`: a rejection by the other verifier, changed.
/// - `after(outcome, request, body) => …`: the result, from that of the other verifier.
/// - `challenge(request) => …`: the response to a challenge.
/// - `defaults => …` and `sensitive_parts => …`.
/// - `explain(probe) => …`: variants to try after those of the other verifier.
macro_rules! delegate_verifier {
    (
        $self:ident => $inner:expr, $state:ty
        $(; before($starting:ident) => $before:expr)?
        $(; rejected($rejection:ident) => $rejected:expr)?
        $(; after($outcome:ident, $after_request:ident, $body:ident) => $after:expr)?
        $(; challenge($asking:ident) => $challenge:expr)?
        $(; defaults => $defaults:expr)?
        $(; sensitive_parts => $sensitive_parts:expr)?
        $(; explain($probe:ident) => $explain:expr)?
        $(;)?
    ) => {
        type State = $state;

        fn begin(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
        ) -> Result<Self::State, $crate::outcome::rejection::Rejection> {
            $crate::verifier::delegate::begin($self, request)
        }

        fn begin_in(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
            state: &mut Option<Self::State>,
        ) -> Result<(), $crate::outcome::rejection::Rejection> {
            $(
                let $starting = request;
                $before?;
            )?
            let begun = $crate::verifier::verifier::Verifier::begin_in(&$inner, request, state);
            $(let begun = begun.map_err(|$rejection| $rejected);)?
            begun
        }

        fn update(&$self, state: &mut Self::State, chunk: &[u8]) {
            $crate::verifier::verifier::Verifier::update(&$inner, state, chunk);
        }

        fn finish(
            &$self,
            state: &mut Self::State,
            request: &$crate::verifier::context::Context<'_>,
            body: &bytes::Bytes,
        ) -> Result<$crate::verifier::outcome::Outcome, $crate::outcome::rejection::Rejection> {
            $crate::verifier::delegate::finish($self, state, request, body)
        }

        fn finish_in(
            &$self,
            state: &mut Self::State,
            request: &$crate::verifier::context::Context<'_>,
            body: &bytes::Bytes,
            proof: &mut $crate::outcome::verified::Verified,
        ) -> Result<
            Option<http::Response<bytes::Bytes>>,
            $crate::outcome::rejection::Rejection,
        > {
            let reply =
                $crate::verifier::verifier::Verifier::finish_in(&$inner, state, request, body, proof);
            $(let reply = reply.map_err(|$rejection| $rejected);)?
            $(
                let verified = std::mem::replace(proof, $crate::outcome::verified::Verified::new(""));
                let outcome = $crate::verifier::outcome::Outcome::of(reply?, verified);
                let ($outcome, $after_request, $body) = (outcome, request, body);
                let outcome: Result<$crate::verifier::outcome::Outcome, _> = $after;
                let reply = outcome.map(|outcome| outcome.split(proof));
            )?
            reply
        }

        fn challenge(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
        ) -> Option<Result<http::Response<bytes::Bytes>, $crate::outcome::rejection::Rejection>> {
            let response = $crate::verifier::delegate::first!(
                $({
                    let $asking = request;
                    $challenge
                },)?
                $crate::verifier::verifier::Verifier::challenge(&$inner, request)
            );
            $(let response = response.map(|it| it.map_err(|$rejection| $rejected));)?
            response
        }

        fn first_contact(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
            body: &bytes::Bytes,
        ) -> Option<http::Response<bytes::Bytes>> {
            $crate::verifier::verifier::Verifier::first_contact(&$inner, request, body)
        }

        #[cfg(feature = "explain")]
        fn explain(&$self, probe: &mut $crate::verifier::probe::Probe<'_>) {
            $crate::verifier::verifier::Verifier::explain(&$inner, probe);
            $(
                let $probe = probe;
                $explain;
            )?
        }

        fn defaults(&$self) -> $crate::verifier::defaults::VerifierDefaults {
            $crate::verifier::delegate::first!(
                $($defaults,)? $crate::verifier::verifier::Verifier::defaults(&$inner)
            )
        }

        fn sensitive_parts(&$self) -> $crate::verifier::sensitive::SensitiveParts {
            $crate::verifier::delegate::first!(
                $($sensitive_parts,)? $crate::verifier::verifier::Verifier::sensitive_parts(&$inner)
            )
        }
    };
}
pub(crate) use delegate_verifier;

/// Expands to the first of its arguments.
macro_rules! first {
    ($first:expr $(, $other:expr)*) => {
        $first
    };
}
pub(crate) use first;

/// Runs [`Verifier::begin_in`], and returns the state.
pub(crate) fn begin<V: Verifier + ?Sized>(
    verifier: &V,
    request: &Context<'_>,
) -> Result<V::State, Rejection> {
    let mut state = None;
    verifier.begin_in(request, &mut state)?;
    // A verifier that leaves no state accepts nothing.
    state.ok_or(Rejection::mismatch())
}

/// Runs [`Verifier::finish_in`], and returns the outcome.
pub(crate) fn finish<V: Verifier + ?Sized>(
    verifier: &V,
    state: &mut V::State,
    request: &Context<'_>,
    body: &Bytes,
) -> Result<Outcome, Rejection> {
    let mut proof = Verified::new("");
    let reply = verifier.finish_in(state, request, body, &mut proof)?;
    Ok(Outcome::of(reply, proof))
}

impl<V: Verifier + ?Sized> Verifier for Arc<V> {
    delegate_verifier!(self => **self, V::State);
}
