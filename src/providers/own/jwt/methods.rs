//! Methods and traits that all types of tokens have.

/// Implements what a provider with a `JwtVerifier` in `self.0` shares with the others.
macro_rules! verifies_tokens {
    ($type:ident) => {
        verifies_tokens!($type, [HEADER]);
    };
    ($type:ident, $sensitive:expr) => {
        impl $type {
            /// Default layer settings for this provider: its name, the status of rejections and the
            /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
            pub const DEFAULTS: $crate::verifier::defaults::VerifierDefaults =
                Self::POLICY.defaults().with_sensitive_headers(&$sensitive);
        }

        impl $crate::verifier::verifier::Verifier for $type {
            $crate::verifier::delegate::delegate_verifier!(
                self => self.0, $crate::providers::own::jwt::state::JwtState
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

/// Returns lists of a claim that must have one of these values.
#[cfg(feature = "fetched-keys")]
pub(crate) fn one_of<T: Into<String>>(
    name: &'static str,
    values: impl IntoIterator<Item = T>,
) -> Result<Vec<Vec<(&'static str, String)>>, crate::error::ConfigError> {
    let values = values.into_iter().map(Into::into);
    let lists: Vec<_> = values.map(|value: String| vec![(name, value)]).collect();
    if lists.is_empty() {
        setting("")?;
    }
    lists.iter().flatten().try_for_each(|(_, value)| setting(value).map(drop))?;
    Ok(lists)
}

/// Implements the lookup of the key that the token of a body names.
#[cfg(feature = "fetched-keys")]
macro_rules! finds_keys_in_bodies {
    ($type:ident) => {
        impl $type {
            pub(crate) fn key_id_of(
                &self,
                request: &$crate::verifier::context::Context<'_>,
                body: &bytes::Bytes,
            ) -> Result<String, $crate::outcome::rejection::Rejection> {
                self.0.key_id_of(request, body)
            }
        }
    };
}
#[cfg(feature = "fetched-keys")]
pub(crate) use finds_keys_in_bodies;
