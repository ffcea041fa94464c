//! The private key of a simulated provider, for tests.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    error::KeyRejected,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaEncoding,
    },
};

use crate::{
    crypto::{
        mac::Algorithm,
        pem::pem,
        public_key::{PublicKey, padded_sha1},
    },
    error::ConfigError,
};

/// A private key of Ed25519, ECDSA over P-256 or P-521, or RSA, with which a test signs instead of a
/// provider.
///
/// The verifier gets its [`public_key`](Self::public_key). `Debug` shows only the algorithm.
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(all(feature = "asymmetric", feature = "sign"))))]
pub struct PrivateKey(Arc<Kind>);

enum Kind {
    Ecdsa(EcdsaKeyPair),
    EcdsaP521(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

impl PrivateKey {
    /// Creates an Ed25519 key from its 32 bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the cryptographic library rejects the bytes. No bytes are known that it
    /// rejects.
    pub fn from_ed25519_seed(seed: &[u8; 32]) -> Result<Self, ConfigError> {
        Self::new(Ed25519KeyPair::from_seed_unchecked(seed), Kind::Ed25519)
    }

    /// Parses a key of any of these algorithms from one PEM block,
    /// `-----BEGIN PRIVATE KEY-----`, as `openssl genpkey` writes it.
    ///
    /// # Errors
    ///
    /// Returns an error if the string is not exactly one PEM block with this label, or the block
    /// does not hold a key of these algorithms.
    pub fn from_pem(text: &str) -> Result<Self, ConfigError> {
        const WHY: &str = "expected one PEM block that begins with `-----BEGIN PRIVATE KEY-----`";
        let der = pem(text, "PRIVATE KEY").ok_or(invalid(WHY))?;
        let ed25519 = || Self::new(Ed25519KeyPair::from_pkcs8(&der), Kind::Ed25519);
        let ecdsa = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der);
        let p521 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &der);
        Self::new(ecdsa, Kind::Ecdsa)
            .or_else(|_| Self::new(p521(), Kind::EcdsaP521))
            .or_else(|_| ed25519())
            .or_else(|_| Self::new(rsa::KeyPair::from_pkcs8(&der), Kind::Rsa))
    }

    fn new<K>(key: Result<K, KeyRejected>, kind: fn(K) -> Kind) -> Result<Self, ConfigError> {
        let key =
            key.map_err(|_| invalid("expected a PKCS #8 key of Ed25519, P-256, P-521 or RSA"))?;
        Ok(Self(Arc::new(kind(key))))
    }

    /// Returns the public key of this key pair, for the verifier.
    ///
    /// # Errors
    ///
    /// Returns an error if [`PublicKey`] does not accept the key, such as RSA of fewer than 2048
    /// bits.
    pub fn public_key(&self) -> Result<PublicKey, ConfigError> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &*self.0 {
            Kind::Ecdsa(key) | Kind::EcdsaP521(key) => key.public_key().as_der(),
            Kind::Ed25519(key) => key.public_key().as_der(),
            Kind::Rsa(key) => key.public_key().as_der(),
        };
        PublicKey::spki(der.map_err(|_| invalid("its public key cannot be encoded"))?.as_ref())
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match &*self.0 {
            Kind::Ecdsa(_) => Algorithm::EcdsaP256Sha256,
            Kind::EcdsaP521(_) => Algorithm::EcdsaP521Sha512,
            Kind::Ed25519(_) => Algorithm::Ed25519,
            Kind::Rsa(_) => Algorithm::RsaPkcs1Sha256,
        }
    }

    pub(crate) fn sign(&self, content: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &*self.0 {
            Kind::Ecdsa(key) | Kind::EcdsaP521(key) => {
                Some(key.sign(&random, content).ok()?.as_ref().to_vec())
            }
            Kind::Ed25519(key) => Some(key.try_sign(content).ok()?.as_ref().to_vec()),
            Kind::Rsa(_) => self.sign_rsa(&RSA_PKCS1_SHA256, content),
        }
    }

    /// Returns an RSA signature with this padding and hash, or `None` for a key of another algorithm.
    pub(crate) fn sign_rsa(
        &self,
        encoding: &'static dyn RsaEncoding,
        content: &[u8],
    ) -> Option<Vec<u8>> {
        let Kind::Rsa(key) = &*self.0 else { return None };
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(encoding, &SystemRandom::new(), content, &mut signature).ok()?;
        Some(signature)
    }

    /// Returns an ECDSA signature of a content by its SHA-1, or `None` for a key of another
    /// algorithm.
    pub(crate) fn sign_sha1(&self, content: &[u8]) -> Option<Vec<u8>> {
        match &*self.0 {
            Kind::Ecdsa(key) => {
                let digest = padded_sha1(content)?;
                Some(key.sign_digest(&digest).ok()?.as_ref().to_vec())
            }
            Kind::EcdsaP521(_) | Kind::Ed25519(_) | Kind::Rsa(_) => None,
        }
    }
}

const fn invalid(why: &'static str) -> ConfigError {
    ConfigError::PrivateKeyInvalid { why }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.algorithm()).finish()
    }
}
