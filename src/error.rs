//! Mistakes in the configuration, found at start-up.

use std::{error::Error, fmt};

/// A mistake in the configuration. It is found when a verifier is built, before any request, and
/// its text says the way out.
///
/// It never shows a secret. Its `Debug` is the same text, which is what a `main` that returns it prints.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text that [`Provider::verifier`](crate::providers::Provider::verifier) was given is not
    /// what the provider needs.
    CredentialsInvalid {
        /// How it is written.
        form: &'static str,
    },
    /// A key id or a user's name cannot stand in a request.
    IdInvalid {
        /// The fault, and the cure.
        why: &'static str,
    },
    /// A header that may hold a secret is listed for the log.
    HeaderSensitive {
        /// Its name.
        name: http::HeaderName,
    },
    /// A durable layer is asked of a log that was not opened as durable.
    LogNotDurable,
    /// A network or address is not written as `10.0.0.0/8`, `fd00::/8` or `192.0.2.7`.
    NetworkInvalid {
        /// The text that was given.
        network: String,
    },
    /// A private key for tests cannot be read.
    #[cfg(all(feature = "asymmetric", feature = "sign"))]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "asymmetric", feature = "sign"))))]
    PrivateKeyInvalid {
        /// The fault, and the cure.
        why: &'static str,
    },
    /// A public key cannot be read, is too weak, or is not of the scheme's algorithm.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    PublicKeyInvalid {
        /// The fault, and the cure.
        why: &'static str,
    },
    /// A scheme's declaration contradicts itself.
    SchemeInvalid {
        /// The fault, and the cure.
        why: &'static str,
    },
    /// The key bytes are all zero, which to HMAC is the empty key.
    SecretAllZero,
    /// The secret is empty or blank, so that anyone could sign with it, or there is none.
    SecretEmpty,
    /// A public key stands where a secret belongs: anyone could sign with it.
    SecretIsPublicKey,
    /// The secret's text cannot be meant so: it is quoted, has a name before it, or cannot be seen.
    SecretInvalid {
        /// The fault, and the cure.
        why: &'static str,
    },
    /// There is white space around the secret's text, as of a file's last newline.
    SecretInWhitespace,
    /// Several secrets were given, and one of them cannot be used.
    SecretOfSeveral {
        /// Its place among them, from 1 on.
        place: usize,
        /// The fault.
        error: Box<Self>,
    },
    /// Another credential of the vendor stands where its signing secret belongs, such as an API key.
    SecretOfOtherKind {
        /// The provider.
        provider: &'static str,
        /// The credential's kind.
        found: &'static str,
        /// The credential that the verifier takes, and where it is found.
        wanted: &'static str,
    },
    /// The secret's text is a placeholder such as `changeme`.
    SecretPlaceholder,
    /// The secret's text cannot be decoded as the form that the provider uses.
    SecretUndecodable {
        /// The form that was asked for, for example `base64`.
        form: &'static str,
        /// The fault, and the cure.
        why: &'static str,
    },
    /// A look-up of tenants cannot be set up as it was asked for.
    TenantsInvalid {
        /// The fault, and the cure.
        why: &'static str,
    },
    /// More secrets or public keys than a rotation can need.
    TooManySecrets,
    /// A public URL is out of form.
    UrlInvalid {
        /// The text that was given.
        url: String,
        /// The fault, and the cure.
        why: &'static str,
    },
    /// The scheme signs the URL, and none was given.
    UrlMissing,
    /// An environment variable holds no usable secret.
    VariableInvalid {
        /// Its name.
        name: String,
        /// The fault in its text; `None` where it is not set, or is not UTF-8.
        error: Option<Box<Self>>,
    },
}

/// The most secrets that one verifier tries.
pub(crate) const MAX_SECRETS: usize = 16;

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialsInvalid { form } => {
                write!(f, "the credentials are out of form; write {form}")
            }
            Self::IdInvalid { why } => write!(f, "the key id or user's name cannot be used: {why}"),
            Self::HeaderSensitive { name } => {
                write!(f, "the header `{name}` may hold a secret, which no log may keep")
            }
            Self::LogNotDurable => f.write_str(
                "the log is not strict; open it with `DeliveryLogBuilder::durable`, \
                 so that its rows outlive a power cut",
            ),
            Self::NetworkInvalid { network } => write!(
                f,
                "`{network}` is no network; write `10.0.0.0/8`, `fd00::/8` or a single address"
            ),
            #[cfg(all(feature = "asymmetric", feature = "sign"))]
            Self::PrivateKeyInvalid { why } => write!(f, "the private key cannot be used: {why}"),
            #[cfg(feature = "asymmetric")]
            Self::PublicKeyInvalid { why } => write!(f, "the public key cannot be used: {why}"),
            Self::SchemeInvalid { why } => write!(f, "the scheme cannot be meant so: {why}"),
            Self::SecretAllZero => f.write_str(
                "the secret is all zero bytes, which HMAC cannot tell from an empty key; \
                 use the one that the provider shows",
            ),
            Self::SecretEmpty => f.write_str(
                "the secret is empty or blank, so anyone could sign, or there is none; \
                 is the environment variable or file set?",
            ),
            Self::SecretIsPublicKey => f.write_str(
                "the secret is a public key, so anyone could sign; is it another provider's?",
            ),
            Self::SecretInvalid { why } => write!(f, "the secret cannot be right: {why}"),
            Self::SecretInWhitespace => f.write_str(
                "there is white space around the secret, often a file's last newline; \
                 trim it, or use `Secret::from_bytes` if it is meant",
            ),
            Self::SecretOfSeveral { place, error } => write!(f, "secret {place}: {error}"),
            Self::SecretOfOtherKind { provider, found, wanted } => {
                write!(f, "the secret for {provider} is {found}; use {wanted}")
            }
            Self::SecretPlaceholder => f.write_str(
                "the secret is a placeholder from an example; use the one that the provider shows",
            ),
            Self::SecretUndecodable { form, why } => {
                write!(f, "the secret is not {form}: {why}")
            }
            Self::TenantsInvalid { why } => write!(f, "tenants cannot be looked up so: {why}"),
            Self::TooManySecrets => write!(
                f,
                "more than {MAX_SECRETS} secrets or public keys; \
                 remove those that the provider no longer uses"
            ),
            Self::UrlInvalid { url, why } => write!(f, "`{url}` is no public URL: {why}"),
            Self::UrlMissing => f.write_str(
                "the scheme signs the URL; give `verifier_at` the `PublicUrl` \
                 that the provider was given",
            ),
            Self::VariableInvalid { name, error: None } => {
                write!(f, "the environment variable `{name}` is not set, or is no UTF-8 text")
            }
            Self::VariableInvalid { name, error: Some(error) } => {
                write!(f, "the environment variable `{name}`: {error}")
            }
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::SecretOfSeveral { error, .. } => Some(&**error),
            Self::VariableInvalid { error, .. } => error.as_deref().map(|error| error as _),
            _ => None,
        }
    }
}
