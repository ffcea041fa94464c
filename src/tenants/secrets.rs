//! What a store answers of a tenant.

use std::{collections::hash_map::RandomState, hash::BuildHasher};

use sha2::{Digest, Sha256};

use crate::{
    crypto::{secret::Secret, secrets::Secrets},
    error::ConfigError,
};

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
    pub(crate) id: Option<String>,
    pub(crate) secrets: Secrets,
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

/// Tells tenants apart. It stays the same while a new secret is added.
pub(crate) fn fingerprint(secrets: &Secrets) -> [u8; 32] {
    Sha256::digest(secrets.0.last().map(Secret::expose).unwrap_or_default()).into()
}
