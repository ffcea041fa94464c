//! Kinds of credentials that verifiers need.

use std::fmt;

use http::HeaderName;

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::PublicKey;
use crate::{
    crypto::{credentials::refuse_public_key, secret::Secret},
    error::ConfigError,
};

/// Kind of credential that a provider's verifier needs, as one string in a configuration.
///
/// A pair is split at its first colon, so that the second part can contain colons.
/// [`Provider::credential_kind`](super::Provider::credential_kind) returns the kind of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialKind {
    /// `x-header:token`: the name of the header that you chose at the provider, and its whole
    /// value.
    HeaderAndToken,
    /// `key id:secret`: the ID by which a request names the key, and the secret. Ably's API keys
    /// have this form.
    KeyIdAndSecret,
    /// The public key, in any form from which `PublicKey` can be parsed (feature `asymmetric`).
    PublicKey,
    /// The secret, as the provider shows it.
    Secret,
    /// `user:password`, not percent-encoded.
    UserAndPassword,
}

impl CredentialKind {
    /// Returns the form of the string.
    const fn form(self) -> &'static str {
        match self {
            Self::HeaderAndToken => "`x-header:token`",
            Self::KeyIdAndSecret => "`key id:secret`",
            Self::PublicKey => "the public key as the provider shows it",
            Self::Secret => "the secret as the provider shows it",
            Self::UserAndPassword => "`user:password`",
        }
    }

    /// Returns the error for a string that does not have this form.
    pub(crate) const fn out_of_form(self) -> ConfigError {
        ConfigError::CredentialsInvalid { form: self.form() }
    }

    /// Splits a pair into its two parts.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them is missing, or if the pair is a public key.
    pub(crate) fn split(self, pair: &Secret) -> Result<(String, Secret), ConfigError> {
        refuse_public_key(pair)?;
        let bytes = pair.expose();
        let colon = bytes.iter().position(|byte| *byte == b':').ok_or(self.out_of_form())?;
        let (name, secret) = (&bytes[..colon], &bytes[colon + 1..]);
        let name = std::str::from_utf8(name).ok().filter(|name| !name.trim().is_empty());
        let name = name.ok_or(self.out_of_form())?.to_owned();
        // The second part of a string is a string too, and is checked as one.
        let secret = pair.text_from(colon + 1).unwrap_or_else(|| Secret::from_bytes(secret))?;
        Ok((name, secret))
    }

    /// Splits a header's name and a token.
    pub(crate) fn header_and_token(pair: &Secret) -> Result<(HeaderName, Secret), ConfigError> {
        let (name, token) = Self::HeaderAndToken.split(pair)?;
        let name = name.parse().map_err(|_| Self::HeaderAndToken.out_of_form())?;
        Ok((name, token))
    }

    /// Parses a public key.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn public_key(text: &Secret) -> Result<PublicKey, ConfigError> {
        let text = std::str::from_utf8(text.expose()).map_err(|_| Self::PublicKey.out_of_form())?;
        text.parse()
    }
}

impl fmt::Display for CredentialKind {
    /// Formats the form of the string, such as `` `user:password` ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form())
    }
}
