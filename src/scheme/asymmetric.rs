//! Public-key schemes: their constructors, and verification with public keys.

use http::request::Parts;

use crate::{
    crypto::{
        mac::{Algorithm, Tag},
        public_key::PublicKey,
    },
    error::{ConfigError, MAX_SECRETS},
    outcome::rejection::Rejection,
    scheme::declaration::Scheme,
};

/// Signed content that is still arriving, in the form that a public key verifies.
pub(crate) type Content = crate::crypto::message::Content;

/// Public keys of a verifier. All of them have the scheme's algorithm.
#[derive(Clone)]
pub(crate) struct PublicKeys(Vec<PublicKey>);

impl PublicKeys {
    /// Creates an empty set.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns these keys, if there are 1 to 16, and each has one of these algorithms.
    pub(crate) fn checked(
        algorithms: &[Algorithm],
        keys: Vec<PublicKey>,
    ) -> Result<Vec<PublicKey>, ConfigError> {
        if keys.is_empty() {
            return Err(ConfigError::PublicKeyInvalid { why: "there is none; pass at least one" });
        }
        let mut checked = Self::none();
        keys.into_iter().try_for_each(|key| checked.push(algorithms, key))?;
        Ok(checked.0)
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the bytes of the last key, or an empty slice if there is no key.
    pub(crate) fn oldest(&self) -> &[u8] {
        self.0.last().map_or(&[], PublicKey::as_bytes)
    }

    pub(crate) fn content(&self, algorithm: Algorithm) -> Content {
        Content::new(algorithm)
    }

    pub(crate) fn push(
        &mut self,
        algorithms: &[Algorithm],
        key: PublicKey,
    ) -> Result<(), ConfigError> {
        if self.0.len() == MAX_SECRETS {
            return Err(ConfigError::TooManySecrets);
        }
        if !algorithms.contains(&key.algorithm()) {
            return Err(ConfigError::PublicKeyInvalid {
                why: "its algorithm is not the provider's; check that it is this provider's key",
            });
        }
        self.0.push(key);
        Ok(())
    }

    /// Returns the index of the first public key that verifies a signature, and the SHA-256 of the
    /// signed content, which identifies the delivery.
    ///
    /// No input is secret, so the search stops at the first match.
    pub(crate) fn match_content(
        &self,
        scheme: &Scheme,
        head: &Parts,
        content: Content,
        body: &[u8],
        after_body: &[u8],
    ) -> Result<(usize, Tag), Rejection> {
        let message = content.finish(body, after_body);
        let message = if scheme.is_digested { message.digested() } else { message };
        for (index, key) in self.0.iter().enumerate() {
            let mut is_match = false;
            scheme.each_candidate(head, &mut |candidate| {
                is_match = is_match || candidate.is_some_and(|tag| key.verifies(&message, tag));
                Ok(())
            })?;
            if is_match {
                // The hash is of the signed content, not of the signature. ECDSA allows several
                // signatures of the same content, and anyone who captures one can compute another.
                return Ok((index, Tag::new(message.sha256.as_ref())));
            }
        }
        Err(Rejection::mismatch().with_secrets_tried(self.0.len()))
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
impl Scheme {
    /// Creates a scheme with an Ed25519 signature in this header.
    ///
    /// The signature is verified with a [`PublicKey`].
    ///
    /// # Panics
    ///
    /// Panics if `header` is not a lower-case header name.
    pub const fn ed25519(header: &'static str) -> Self {
        Self::new(Algorithm::Ed25519, header)
    }

    /// Creates a scheme with an ECDSA signature over P-256 with SHA-256, in DER, in this header.
    ///
    /// The signature is verified with a [`PublicKey`].
    ///
    /// # Panics
    ///
    /// Panics if `header` is not a lower-case header name.
    pub const fn ecdsa_p256_sha256(header: &'static str) -> Self {
        Self::new(Algorithm::EcdsaP256Sha256, header)
    }

    /// Creates a scheme with an RSA signature (PKCS#1 v1.5) with SHA-256, in this header.
    ///
    /// The signature is verified with a [`PublicKey`].
    ///
    /// # Panics
    ///
    /// Panics if `header` is not a lower-case header name.
    pub const fn rsa_pkcs1_sha256(header: &'static str) -> Self {
        Self::new(Algorithm::RsaPkcs1Sha256, header)
    }
}
