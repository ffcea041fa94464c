//! Secrets of a tenant, as a store returns them.

use std::{collections::hash_map::RandomState, hash::BuildHasher};

use sha2::{Digest, Sha256};

use crate::{
    crypto::{secret::Secret, secrets::Secrets},
    error::ConfigError,
};

/// Secrets of a tenant and, if the store may find the tenant by other spellings, its ID in the
/// store.
///
/// A store that compares IDs exactly can return [`Secrets`], a [`Secret`] or a list of them. Other
/// stores find `anna` by `Anna` or `anna ` (MySQL's usual collations), by `é` for `e`, or 7 by
/// `007`, and a replay guard would treat each spelling as another tenant. Such a store must return
/// the ID in the spelling of its own row. The cache, [`Verified::tenant`](crate::Verified::tenant)
/// and the replay key use that ID.
///
/// Without an ID, `Verified::tenant` has the spelling of the request. The replay key is then made
/// of the ID in lower case and of the tenant's oldest secret, so that a different case does not
/// make a new delivery.
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
    pub(crate) id: Option<String>,
    pub(crate) secrets: Secrets,
}

impl TenantSecrets {
    /// Creates the secrets of the tenant with this ID, in the spelling of the store.
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

/// Returns a secret for [decoys](super::Tenants::builder_with_decoy), which every provider accepts.
///
/// Each call returns a different secret. A fixed one would be known from this crate's source, and a
/// response made with it would reveal that the tenant does not exist.
///
/// # Errors
///
/// Returns an error if [`Secret::from_bytes`] does, which does not happen.
pub fn decoy_secret() -> Result<Secret, ConfigError> {
    // The standard library takes the keys of hash maps from the system's random numbers. No request
    // is ever accepted with this secret, so that it only needs to be hard to guess.
    let random = |n: u64| RandomState::new().hash_one(n).to_ne_bytes();
    Secret::from_bytes((0..4).flat_map(random).collect::<Vec<u8>>())
}

/// Returns a fingerprint that distinguishes tenants. It stays the same while a new secret is added.
pub(crate) fn fingerprint(secrets: &Secrets) -> [u8; 32] {
    Sha256::digest(secrets.0.last().map(Secret::expose).unwrap_or_default()).into()
}
