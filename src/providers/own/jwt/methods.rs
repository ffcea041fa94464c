//! Methods and traits that all types of tokens have.

/// Implements what a provider with a `JwtVerifier` in `self.0` shares with the others.
macro_rules! verifies_tokens {
    ($type:ident) => {
        impl $type {
            /// Default layer settings for this provider: its name, the status of rejections and the
            /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
            pub const DEFAULTS: $crate::verifier::defaults::VerifierDefaults =
                Self::POLICY.defaults().with_sensitive_headers(&[HEADER]);
        }

        impl $crate::verifier::verifier::Verifier for $type {
            $crate::verifier::delegate::delegate_verifier!(
                self => self.0, $crate::providers::own::jwt::verifier::JwtState
            );
        }

        $crate::providers::macros::sign_as!($type, self => &self.0);
    };
}
pub(crate) use verifies_tokens;

/// Returns a setting that a token must name, if it is not empty.
#[cfg(feature = "fetched-keys")]
pub(crate) fn setting(text: &str) -> Result<&str, crate::error::ConfigError> {
    if text.is_empty() {
        return Err(crate::error::ConfigError::IdInvalid {
            why: "the audience is empty; pass the one that the provider's tokens name",
        });
    }
    Ok(text)
}
