//! Verifier of a scheme in the registry.

use crate::{
    providers::macros::sign_as,
    scheme::{state::SchemeState, verifier::SchemeVerifier},
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// Verifier of a provider's scheme.
pub(crate) struct NamedScheme {
    pub(crate) verifier: SchemeVerifier,
    /// Tries the schemes of other providers.
    #[cfg(feature = "explain")]
    pub(crate) probe_others: fn(&SchemeVerifier, &mut crate::verifier::probe::Probe<'_>),
}

impl Verifier for NamedScheme {
    delegate_verifier! {
        self => self.verifier, SchemeState;
        explain(probe) => (self.probe_others)(&self.verifier, probe)
    }
}

sign_as!(NamedScheme, self => &self.verifier);
