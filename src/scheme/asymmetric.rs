//! Schemes that sign with a private key: their declaration, and verifying with public keys.

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

/// The signed content, as a key reads it.
pub(crate) type Content = crate::crypto::public_key::Content;

/// The public keys of a verifier, all of its scheme's algorithm.
#[derive(Clone)]
pub(crate) struct PublicKeys(Vec<PublicKey>);

impl PublicKeys {
    /// Creates an empty set.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes of the last key.
    pub(crate) fn oldest(&self) -> &[u8] {
        self.0.last().map_or(&[], PublicKey::as_bytes)
    }

    pub(crate) fn content(&self, algorithm: Algorithm) -> Content {
        Content::new(algorithm)
    }

    pub(crate) fn push(&mut self, algorithm: Algorithm, key: PublicKey) -> Result<(), ConfigError> {
        if self.0.len() == MAX_SECRETS {
            return Err(ConfigError::TooManySecrets);
        }
        if key.algorithm() != algorithm {
            return Err(ConfigError::PublicKeyInvalid {
                why: "it is of another algorithm than the scheme's; is it this provider's key?",
            });
        }
        self.0.push(key);
        Ok(())
    }

    /// The index of the first public key whose owner made a signature, and what tells the delivery
    /// from others. Nothing here is secret, so it stops at that key.
    pub(crate) fn match_content(
        &self,
        scheme: &Scheme,
        head: &Parts,
        content: Content,
        body: &[u8],
        after_body: &[u8],
    ) -> Result<(usize, Tag), Rejection> {
        let message = content.finish(body, after_body);
        for (index, key) in self.0.iter().enumerate() {
            let mut is_match = false;
            scheme.each_candidate(head, &mut |candidate| {
                is_match = is_match || candidate.is_some_and(|tag| key.verifies(&message, tag));
                Ok(())
            })?;
            if is_match {
                // Of the signed content, not of the signature: ECDSA has more than one for the
                // same content, and whoever captured one can write another.
                return Ok((index, Tag::new(message.sha256.as_ref())));
            }
        }
        Err(Rejection::mismatch().with_secrets_tried(self.0.len()))
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
impl Scheme {
    /// An Ed25519 signature, in this header. It is verified with a [`PublicKey`].
    pub const fn ed25519(header: &'static str) -> Self {
        Self::new(Algorithm::Ed25519, header)
    }

    /// An ECDSA signature over P-256 with SHA-256, in DER, in this header. It is verified with a
    /// [`PublicKey`].
    pub const fn ecdsa_p256_sha256(header: &'static str) -> Self {
        Self::new(Algorithm::EcdsaP256Sha256, header)
    }

    /// An RSA signature (PKCS#1 v1.5) with SHA-256, in this header. It is verified with a
    /// [`PublicKey`].
    pub const fn rsa_pkcs1_sha256(header: &'static str) -> Self {
        Self::new(Algorithm::RsaPkcs1Sha256, header)
    }
}
