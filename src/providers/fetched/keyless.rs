//! Verifiers that wait for their keys.

use crate::{
    error::ConfigError,
    scheme::{
        asymmetric::PublicKeys,
        declaration::Scheme,
        verifier::{Keys, SchemeVerifier},
    },
};

/// Creates a verifier of this scheme without a key, which accepts no request.
pub(crate) fn keyless(scheme: Scheme) -> Result<SchemeVerifier, ConfigError> {
    SchemeVerifier::without_keys(scheme, Keys::Public(PublicKeys::none()), None)
}
