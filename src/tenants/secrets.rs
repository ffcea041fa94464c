//! The secrets of one tenant.

use std::{collections::hash_map::RandomState, hash::BuildHasher};

use sha2::{Digest, Sha256};

use crate::{ConfigError, Secret, config_error::MAX_SECRETS};

/// The secrets of one tenant: the current one and, during a rotation, those before it.
///
/// A tenant without one is answered like a tenant that does not exist.
///
/// ```
/// use tower_webhook::{Secret, providers::Meta, tenants::Secrets};
///
/// let row = Secrets::from(Secret::new("current secret")?).or_secret(Secret::new("previous one")?);
/// let meta = row.verifier(Meta::new, Meta::or_secret)?;
/// # let _ = meta;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Adds a further secret. The first is the current one.
    #[must_use]
    pub fn or_secret(mut self, secret: Secret) -> Self {
        self.0.push(secret);
        self
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The verifier that accepts all of them, by a provider's two functions: `Meta::new` and
    /// `Meta::or_secret`.
    ///
    /// # Errors
    ///
    /// When there is no secret, or there are more than 16.
    pub fn verifier<V>(
        self,
        new: impl FnOnce(Secret) -> V,
        mut or_secret: impl FnMut(V, Secret) -> V,
    ) -> Result<V, ConfigError> {
        self.try_verifier(
            |secret| Ok(new(secret)),
            |verifier, secret| Ok(or_secret(verifier, secret)),
        )
    }

    /// As [`verifier`](Self::verifier), for a provider that decodes its secrets, and so can fail:
    /// `StandardWebhooks::new` and `StandardWebhooks::or_secret`.
    ///
    /// # Errors
    ///
    /// When there is no secret, there are more than 16, or the provider cannot use one.
    pub fn try_verifier<V>(
        self,
        new: impl FnOnce(Secret) -> Result<V, ConfigError>,
        or_secret: impl FnMut(V, Secret) -> Result<V, ConfigError>,
    ) -> Result<V, ConfigError> {
        if self.0.len() > MAX_SECRETS {
            return Err(ConfigError::TooManySecrets);
        }
        let mut secrets = self.0.into_iter();
        let current = secrets.next().ok_or(ConfigError::SecretEmpty)?;
        secrets.try_fold(new(current)?, or_secret)
    }
}

/// What a store answers of a tenant: its secrets and, where a store may find it by other spellings,
/// its own id.
///
/// A store that compares ids exactly can answer with [`Secrets`], a [`Secret`] or a list of them.
/// Others find `anna` by `Anna` or `anna ` (MySQL's usual collations), by `é` for `e`, or 7 by `007`:
/// a replay guard would take each spelling for another tenant. Such a store answers with the id as
/// it stands in its own row. The cache, [`Verified::tenant`](crate::Verified::tenant) and the replay
/// key use that.
///
/// Without an id `Verified::tenant` is the request's spelling. The replay key is then made of the id
/// in lower case and of the tenant's oldest secret, so that another case makes no new delivery.
///
/// ```
/// use tower_webhook::{Secret, tenants::TenantSecrets};
///
/// let row = TenantSecrets::new("anna", Secret::new("current secret")?);
/// # let _ = row;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TenantSecrets {
    pub(super) id: Option<String>,
    pub(super) secrets: Secrets,
}

impl TenantSecrets {
    /// Creates the answer for the tenant with this id, as it stands in the store.
    #[must_use]
    pub fn new(id: impl Into<String>, secrets: impl Into<Secrets>) -> Self {
        Self { id: Some(id.into()), secrets: secrets.into() }
    }
}

impl<S: Into<Secrets>> From<S> for TenantSecrets {
    fn from(secrets: S) -> Self {
        Self { id: None, secrets: secrets.into() }
    }
}

impl Secrets {
    /// Tells tenants apart. It stays the same while a new secret is added.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.0.last().map(Secret::expose).unwrap_or_default()).into()
    }
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

/// A secret for [decoys](super::Tenants::builder_with_decoy), which every provider takes. It is
/// another one in each call: a fixed one would be known from this crate's source, and whoever sees
/// it at work would know that the tenant does not exist.
///
/// # Errors
///
/// As [`Secret::from_bytes`]; it does not happen.
pub fn decoy_secret() -> Result<Secret, ConfigError> {
    // The standard library's hash maps have keys from the system's random numbers. Nothing is ever
    // accepted by this secret, so that it need be no better than hard to guess.
    let random = |n: u64| RandomState::new().hash_one(n).to_ne_bytes();
    Secret::from_bytes((0..4).flat_map(random).collect::<Vec<u8>>())
}
