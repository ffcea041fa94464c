//! How a provider makes its key of the secret's text.

use crate::{crypto::secret::Secret, error::ConfigError};

/// How a provider makes its key of the secret's text.
///
/// The rule belongs to the provider and never to the look of the secret: Stripe and Standard
/// Webhooks both show `whsec_…`, and make different keys of it. A [`Secret`] whose constructor has
/// decoded it already is used as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretEncoding {
    /// The text is base64 after a prefix, which may be left out.
    Base64 {
        /// The prefix, which may be empty.
        prefix: &'static str,
    },
    /// The text is hexadecimal.
    Hex,
    /// The text's bytes, without a prefix, which may be left out.
    Stripped {
        /// The prefix.
        prefix: &'static str,
    },
    /// The text's bytes as they are.
    Text,
}

impl SecretEncoding {
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
