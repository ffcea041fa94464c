//! Keys of a verifier of tokens.

use subtle::Choice;

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::PublicKey;
use crate::crypto::{
    jwt::Jwt,
    mac::{Algorithm, Mac},
    secret::Secret,
};

/// A key, and the issuer who has it.
#[derive(Clone)]
pub(crate) struct Key {
    /// The expected issuer. Empty if the provider has one issuer for all keys.
    pub(crate) id: String,
    pub(crate) material: Material,
}

/// A secret or a public key. A token of the one is never verified with the other.
#[derive(Clone)]
pub(crate) enum Material {
    /// The MACs of the provider's algorithms.
    Secret {
        macs: Vec<Mac>,
        #[cfg(feature = "explain")]
        secret: Secret,
    },
    #[cfg(feature = "asymmetric")]
    Public(PublicKey),
}

impl Key {
    pub(crate) fn new(algorithms: &[Algorithm], id: &str, secret: &Secret) -> Self {
        let mac = |algorithm: &Algorithm| Mac::new(*algorithm, secret.expose());
        let material = Material::Secret {
            macs: algorithms.iter().filter_map(mac).collect(),
            #[cfg(feature = "explain")]
            secret: secret.clone(),
        };
        Self { id: id.to_owned(), material }
    }

    /// Returns whether a token has this signature by the key and the provider's algorithm at this
    /// index.
    pub(crate) fn has_signed(&self, jwt: &Jwt<'_>, at: usize, signature: &[u8]) -> Choice {
        match &self.material {
            Material::Secret { macs, .. } => match macs.get(at) {
                Some(mac) => jwt.is_signed_by(mac, signature),
                None => Choice::from(0),
            },
            #[cfg(feature = "asymmetric")]
            Material::Public(key) => {
                let is_of_key = jwt.algorithm() == Some(key.algorithm());
                Choice::from(u8::from(is_of_key && jwt.is_signed_by_public(key, signature)))
            }
        }
    }
}
