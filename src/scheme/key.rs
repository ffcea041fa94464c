//! Derivation of a provider's key from the secret string.

use crate::{crypto::secret::Secret, error::ConfigError};

/// Rule by which a provider derives its key from the secret string.
///
/// The rule depends on the provider, not on what the secret looks like: Stripe and Standard
/// Webhooks both show `whsec_…`, but derive different keys from it. If the constructor of a
/// [`Secret`] has already decoded the string, the bytes are used unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretEncoding {
    /// The string is base64 after an optional prefix.
    Base64 {
        /// The prefix, which can be empty.
        prefix: &'static str,
    },
    /// The string is hexadecimal.
    Hex,
    /// The key is the bytes of the string, without an optional prefix.
    Stripped {
        /// The prefix.
        prefix: &'static str,
    },
    /// The key is the bytes of the string.
    Text,
}

impl SecretEncoding {
    /// Returns the key that the provider derives from this secret.
    pub(crate) fn key(self, secret: &Secret) -> Result<Secret, ConfigError> {
        let Some(text) = secret.text() else {
            return Ok(secret.clone());
        };
        let without = |prefix| text.strip_prefix(prefix).unwrap_or(text);
        match self {
            Self::Base64 { prefix } => Secret::from_base64(without(prefix)),
            Self::Hex => Secret::from_hex(text),
            Self::Stripped { prefix } => Secret::from_bytes(without(prefix)),
            Self::Text => Ok(secret.clone()),
        }
    }
}
