//! Macro for verifiers that wrap another verifier.

use std::sync::Arc;

use crate::verifier::verifier::Verifier;

/// Implements the methods of [`Verifier`] by forwarding to another verifier.
///
/// Hooks change single steps, in this order. All other steps are forwarded.
///
/// - `select(request) => …`: the verifier of a request, in place of the first one, which still
///   updates the state.
/// - `before(request) => …`: a check before the request's verification begins.
/// - `rejected(rejection) => …`: a rejection by the other verifier, changed.
/// - `after(outcome, request, body) => …`: the result, from that of the other verifier.
/// - `challenge(request) => …`: the response to a challenge.
/// - `defaults => …` and `sensitive_parts => …`.
/// - `explain(probe) => …`: variants to try after those of the other verifier.
macro_rules! delegate_verifier {
    (
        $self:ident => $inner:expr, $state:ty
        $(; select($selecting:ident) => $selected:expr)?
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
            $(
                let $starting = request;
                $before?;
            )?
            $(let $selecting = request;)?
            let inner = $crate::verifier::delegate::first!($($selected,)? &$inner);
            let begun = $crate::verifier::verifier::Verifier::begin(inner, request);
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
            $(let $selecting = request;)?
            let inner = $crate::verifier::delegate::first!($($selected,)? &$inner);
            let outcome = $crate::verifier::verifier::Verifier::finish(inner, state, request, body);
            $(let outcome = outcome.map_err(|$rejection| $rejected);)?
            $(
                let ($outcome, $after_request, $body) = (outcome?, request, body);
                let outcome = $after;
            )?
            outcome
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
            $(let $selecting = &$crate::verifier::context::Context::new(probe.head());)?
            let mut explain = || {
                let inner = $crate::verifier::delegate::first!($($selected,)? &$inner);
                $crate::verifier::verifier::Verifier::explain(inner, probe);
                $(
                    let $probe = &mut *probe;
                    $explain;
                )?
                Ok::<(), $crate::outcome::rejection::Rejection>(())
            };
            // A request without a verifier has no variants.
            let _ = explain();
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

impl<V: Verifier + ?Sized> Verifier for Arc<V> {
    delegate_verifier!(self => **self, V::State);
}
