//! Errors of the configuration, found at startup.

use std::{error::Error, fmt};

/// Error returned when a configuration is invalid.
///
/// Constructors return it at startup, before any request. The message says how to fix the problem.
/// It never shows a secret.
///
/// `Debug` writes the same text as `Display`, because `Debug` is what a `main` that returns the
/// error prints.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The credentials passed to [`Provider::verifier`](crate::providers::Provider::verifier) do
    /// not have the form that the provider needs.
    CredentialsInvalid {
        /// The expected form.
        form: &'static str,
    },
    /// A key ID or user name cannot occur in a request.
    IdInvalid {
        /// The problem and its fix.
        why: &'static str,
    },
    /// A header that may hold a secret is in the list of headers to log.
    HeaderSensitive {
        /// The name of the header.
        name: http::HeaderName,
    },
    /// A durable layer was requested from a delivery log that was not opened as durable.
    LogNotDurable,
    /// A network or address does not have the form `10.0.0.0/8`, `fd00::/8` or `192.0.2.7`.
    NetworkInvalid {
        /// The rejected value.
        network: String,
    },
    /// A private key for tests is invalid.
    #[cfg(all(feature = "asymmetric", feature = "sign"))]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "asymmetric", feature = "sign"))))]
    PrivateKeyInvalid {
        /// The problem and its fix.
        why: &'static str,
    },
    /// A public key cannot be parsed, is too weak, or is not of the scheme's algorithm.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    PublicKeyInvalid {
        /// The problem and its fix.
        why: &'static str,
    },
    /// A scheme's declaration contradicts itself.
    SchemeInvalid {
        /// The problem and its fix.
        why: &'static str,
    },
    /// All bytes of the key are zero. HMAC cannot distinguish it from the empty key.
    SecretAllZero,
    /// No secret was given, or it is empty or blank, so that anyone could sign.
    SecretEmpty,
    /// The secret is a public key, so that anyone could sign.
    SecretIsPublicKey,
    /// The string cannot be the secret. For example, it is in quotation marks, begins with `NAME=`,
    /// or contains an invisible character.
    SecretInvalid {
        /// The problem and its fix.
        why: &'static str,
    },
    /// The secret string has whitespace around it, often the last newline of a file.
    SecretInWhitespace,
    /// One of several secrets is invalid.
    SecretOfSeveral {
        /// The secret's position among them, counted from 1.
        place: usize,
        /// The error of this secret.
        error: Box<Self>,
    },
    /// The secret is another credential of the vendor, such as an API key.
    SecretOfOtherKind {
        /// The name of the provider.
        provider: &'static str,
        /// The kind of credential that was found.
        found: &'static str,
        /// The credential that the verifier needs, and its place in the vendor's console.
        wanted: &'static str,
    },
    /// The secret string is a placeholder such as `changeme`.
    SecretPlaceholder,
    /// The secret string cannot be decoded from the encoding that the provider uses.
    SecretUndecodable {
        /// The expected encoding, for example `base64`.
        form: &'static str,
        /// The problem and its fix.
        why: &'static str,
    },
    /// The limits of a [`KeyFetcher`](crate::fetched_keys::KeyFetcher) contradict each other.
    #[cfg(feature = "fetched-keys")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
    KeyFetcherInvalid {
        /// The problem and its fix.
        why: &'static str,
    },
    /// The configuration of a tenant lookup is invalid.
    TenantsInvalid {
        /// The problem and its fix.
        why: &'static str,
    },
    /// More than 16 secrets or public keys were given. No rotation needs as many.
    TooManySecrets,
    /// A public URL is malformed.
    UrlInvalid {
        /// The rejected value, without the parts that may hold a secret.
        url: String,
        /// The problem and its fix.
        why: &'static str,
    },
    /// The scheme signs the URL, but no URL was given.
    UrlMissing,
    /// An environment variable does not hold a usable secret.
    VariableInvalid {
        /// The name of the variable.
        name: String,
        /// The error of the variable's value, or `None` if the variable is not set or is not UTF-8.
        error: Option<Box<Self>>,
    },
}

/// Maximum number of secrets or public keys of one verifier.
pub(crate) const MAX_SECRETS: usize = 16;

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialsInvalid { form } => {
                write!(f, "invalid credentials: expected {form}")
            }
            Self::IdInvalid { why } => write!(f, "invalid key ID or user name: {why}"),
            Self::HeaderSensitive { name } => {
                write!(f, "invalid header to log `{name}`: it may hold a secret; remove it")
            }
            Self::LogNotDurable => f.write_str(
                "the delivery log is not durable: open it with `DeliveryLogBuilder::durable`, \
                 so that its rows survive a power failure",
            ),
            Self::NetworkInvalid { network } => write!(
                f,
                "invalid network `{network}`: \
                 expected `10.0.0.0/8`, `fd00::/8` or a single address"
            ),
            #[cfg(all(feature = "asymmetric", feature = "sign"))]
            Self::PrivateKeyInvalid { why } => write!(f, "invalid private key: {why}"),
            #[cfg(feature = "asymmetric")]
            Self::PublicKeyInvalid { why } => write!(f, "invalid public key: {why}"),
            Self::SchemeInvalid { why } => write!(f, "invalid scheme: {why}"),
            Self::SecretAllZero => f.write_str(
                "invalid secret: all bytes are zero, which HMAC cannot distinguish from an empty \
                 key; use the secret that the provider shows",
            ),
            Self::SecretEmpty => f.write_str(
                "missing secret: there is none, or it is empty or blank, so anyone could sign; \
                 check that the environment variable or file is set",
            ),
            Self::SecretIsPublicKey => f.write_str(
                "invalid secret: it is a public key, so anyone could sign; \
                 check that it is not another provider's key",
            ),
            Self::SecretInvalid { why } => write!(f, "invalid secret: {why}"),
            Self::SecretInWhitespace => f.write_str(
                "invalid secret: there is whitespace around it, often the last newline of a \
                 file; trim it, or use `Secret::from_bytes` if it is intended",
            ),
            Self::SecretOfSeveral { place, error } => write!(f, "secret {place}: {error}"),
            Self::SecretOfOtherKind { provider, found, wanted } => {
                write!(f, "invalid secret for {provider}: it is {found}; use {wanted}")
            }
            Self::SecretPlaceholder => f.write_str(
                "invalid secret: it is a placeholder from an example; \
                 use the secret that the provider shows",
            ),
            Self::SecretUndecodable { form, why } => {
                write!(f, "invalid {form} secret: {why}")
            }
            #[cfg(feature = "fetched-keys")]
            Self::KeyFetcherInvalid { why } => write!(f, "invalid key fetcher: {why}"),
            Self::TenantsInvalid { why } => write!(f, "invalid tenant lookup configuration: {why}"),
            Self::TooManySecrets => write!(
                f,
                "too many secrets or public keys: expected at most {MAX_SECRETS}; \
                 remove those that the provider no longer uses"
            ),
            Self::UrlInvalid { url, why } => write!(f, "invalid public URL `{url}`: {why}"),
            Self::UrlMissing => f.write_str(
                "missing public URL: the scheme signs the URL; pass the `PublicUrl` that you gave \
                 to the provider to `verifier_at`",
            ),
            Self::VariableInvalid { name, error: None } => {
                write!(f, "environment variable `{name}` is not set or is not UTF-8")
            }
            Self::VariableInvalid { name, error: Some(error) } => {
                write!(f, "environment variable `{name}`: {error}")
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

/// Logs a warning about a configuration that is probably a mistake. Each text is logged once,
/// because a lookup configures a verifier for each request. Of many for one provider or for none,
/// such as those of tenants' URLs, the first are logged.
#[cfg(feature = "tracing")]
pub(crate) fn warn_once(provider: Option<&'static str>, text: fmt::Arguments<'_>) {
    use std::sync::{Mutex, PoisonError};

    const MAX: usize = 64;
    static TOLD: Mutex<Vec<(Option<&str>, String)>> = Mutex::new(Vec::new());

    if !tracing::enabled!(target: "tower_webhook::config", tracing::Level::WARN) {
        return;
    }
    let warning = (provider, text.to_string());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let alike = told.iter().filter(|(other, _)| *other == provider).count();
    if alike == MAX || told.contains(&warning) {
        return;
    }
    let message = warning.1.clone();
    told.push(warning);
    // The lock is released before the subscriber is called.
    drop(told);
    tracing::warn!(target: "tower_webhook::config", provider, "{message}");
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn warn_once(_: Option<&'static str>, _: fmt::Arguments<'_>) {}
