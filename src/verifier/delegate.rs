//! Macro for verifiers that wrap another verifier.

use std::sync::Arc;

use crate::verifier::verifier::Verifier;

/// Implements the methods of [`Verifier`] by forwarding to another verifier.
macro_rules! delegate_verifier {
    ($self:ident => $inner:expr, $state:ty) => {
        type State = $state;

        fn begin(&$self, request: &$crate::verifier::context::Context<'_>) -> Result<Self::State, $crate::outcome::rejection::Rejection> {
            $crate::verifier::verifier::Verifier::begin(&$inner, request)
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
            $crate::verifier::verifier::Verifier::finish(&$inner, state, request, body)
        }

        fn challenge(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
        ) -> Option<Result<http::Response<bytes::Bytes>, $crate::outcome::rejection::Rejection>> {
            $crate::verifier::verifier::Verifier::challenge(&$inner, request)
        }

        fn first_contact(
            &$self,
            request: &$crate::verifier::context::Context<'_>,
            body: &bytes::Bytes,
        ) -> Option<http::Response<bytes::Bytes>> {
            $crate::verifier::verifier::Verifier::first_contact(&$inner, request, body)
        }

        fn defaults(&$self) -> $crate::verifier::defaults::VerifierDefaults {
            $crate::verifier::verifier::Verifier::defaults(&$inner)
        }

        fn sensitive_parts(&$self) -> $crate::verifier::sensitive::SensitiveParts {
            $crate::verifier::verifier::Verifier::sensitive_parts(&$inner)
        }
    };
}
pub(crate) use delegate_verifier;

impl<V: Verifier + ?Sized> Verifier for Arc<V> {
    delegate_verifier!(self => **self, V::State);
}
