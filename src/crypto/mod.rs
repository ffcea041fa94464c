//! Secrets, keys and tags.

pub(crate) mod credentials;
#[cfg(feature = "fetched-keys")]
pub(crate) mod jwk;
#[cfg(feature = "fetched-keys")]
pub(crate) mod jws;
#[cfg(feature = "jwt")]
pub(crate) mod jwt;
pub(crate) mod mac;
#[cfg(feature = "asymmetric")]
pub(crate) mod message;
#[cfg(feature = "asymmetric")]
pub(crate) mod pem;
#[cfg(all(feature = "asymmetric", feature = "sign"))]
pub(crate) mod private_key;
#[cfg(feature = "asymmetric")]
pub(crate) mod public_key;
pub(crate) mod secret;
pub(crate) mod secret_hash;
pub(crate) mod secrets;
#[cfg(feature = "certificates")]
pub(crate) mod x509;
