//! The secrets of one sender.

use crate::{
    crypto::{credentials::Credentials, secret::Secret},
    error::{ConfigError, MAX_SECRETS},
};

/// The secrets of one sender: the current one and, during a rotation, those before it.
///
/// ```
/// use tower_webhook::{Secret, Secrets, providers::Meta};
///
/// let row = Secrets::from(vec![Secret::new("current secret")?, Secret::new("previous one")?]);
/// let meta = Meta::new(row)?;
/// # let _ = meta;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Secrets(pub(crate) Vec<Secret>);

impl Secrets {
    /// Returns `true` if there are no secrets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the secrets if there is at least one, if there are at most [`MAX_SECRETS`] with
    /// those that the verifier already has, and if none is another credential.
    pub(crate) fn checked(
        self,
        present: usize,
        provider: &'static str,
        credentials: &Credentials,
    ) -> Result<Vec<Secret>, ConfigError> {
        let secrets = self.counted(present)?;
        each(&secrets, |secret| credentials.check(provider, secret))?;
        Ok(secrets)
    }

    /// Checks only the number of secrets and returns them, for values that sign nothing.
    pub(crate) fn counted(self, present: usize) -> Result<Vec<Secret>, ConfigError> {
        match self.0.len() {
            0 => Err(ConfigError::SecretEmpty),
            count if present + count > MAX_SECRETS => Err(ConfigError::TooManySecrets),
            _ => Ok(self.0),
        }
    }
}

/// Maps each secret. The error of one of several secrets names its position.
pub(crate) fn each<S, T>(
    secrets: impl IntoIterator<Item = S, IntoIter: ExactSizeIterator>,
    mut map: impl FnMut(S) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let secrets = secrets.into_iter();
    let is_one = secrets.len() == 1;
    let of_several = |place| {
        move |error| match error {
            error if is_one => error,
            // The position is already known, as in a list of lists.
            error @ (ConfigError::SecretOfSeveral { .. } | ConfigError::TooManySecrets) => error,
            error => ConfigError::SecretOfSeveral { place, error: Box::new(error) },
        }
    };
    secrets.enumerate().map(|(at, secret)| map(secret).map_err(of_several(at + 1))).collect()
}

impl From<Secret> for Secrets {
    fn from(secret: Secret) -> Self {
        Self(vec![secret])
    }
}

impl From<Vec<Secret>> for Secrets {
    fn from(secrets: Vec<Secret>) -> Self {
        Self(secrets)
    }
}

impl FromIterator<Secret> for Secrets {
    fn from_iter<I: IntoIterator<Item = Secret>>(secrets: I) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl IntoIterator for Secrets {
    type Item = Secret;
    type IntoIter = std::vec::IntoIter<Secret>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Conversion into the secrets of a verifier: a string as the provider shows it, a [`Secret`], or
/// several of one type in an array, a slice, a `Vec` or [`Secrets`], the current one first.
///
/// ```
/// use tower_webhook::{Secret, providers::{self, StandardWebhooks}};
///
/// StandardWebhooks::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let github = providers::by_name("github")?;
/// github.verifier(["the new secret", "the old secret"])?;
/// github.verifier(Secret::new("the only secret")?)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be converted into secrets",
    note = "pass a `&str`, a `String`, a `Secret`, an array, a slice or a `Vec` of them, or `Secrets`"
)]
pub trait IntoSecrets {
    /// Returns the secrets.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Secret::new`] if a string cannot be a secret.
    fn into_secrets(self) -> Result<Secrets, ConfigError>;
}

impl IntoSecrets for Secret {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        Ok(self.into())
    }
}

impl IntoSecrets for &str {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        Secret::new(self).map(Secrets::from)
    }
}

impl IntoSecrets for &String {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        Secret::new(&**self).map(Secrets::from)
    }
}

impl IntoSecrets for String {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        Secret::new(self).map(Secrets::from)
    }
}

impl IntoSecrets for &Secret {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        Ok(self.clone().into())
    }
}

impl IntoSecrets for Secrets {
    fn into_secrets(self) -> Result<Self, ConfigError> {
        Ok(self)
    }
}

impl<S: IntoSecrets, const N: usize> IntoSecrets for [S; N] {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        all_of(self)
    }
}

impl<S: IntoSecrets> IntoSecrets for Vec<S> {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        all_of(self)
    }
}

impl<S: IntoSecrets + Clone> IntoSecrets for &[S] {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        all_of(self.iter().cloned())
    }
}

impl<S: IntoSecrets + Clone, const N: usize> IntoSecrets for &[S; N] {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        all_of(self.iter().cloned())
    }
}

impl<S: IntoSecrets + Clone> IntoSecrets for &Vec<S> {
    fn into_secrets(self) -> Result<Secrets, ConfigError> {
        all_of(self.iter().cloned())
    }
}

fn all_of<S: IntoSecrets>(
    several: impl IntoIterator<Item = S, IntoIter: ExactSizeIterator>,
) -> Result<Secrets, ConfigError> {
    Ok(each(several, S::into_secrets)?.into_iter().flatten().collect())
}
