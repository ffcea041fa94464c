//! Signatures inside the body. Each covers a few fields beside it, and nothing else.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::request::Parts;
use sha2::{Digest, Sha256};

use crate::{
    crypto::{
        mac::{KeyMatch, Mac},
        secret::Secret,
        secret_hash::SecretHash,
        secrets::{IntoSecrets, each},
    },
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::encoding::{Encoding, MAX_TAG},
    providers::{other_credentials, own::content_keys::Key},
    scheme::key::SecretEncoding,
};

/// Maximum number of signatures in one body. Each costs a MAC for each secret.
pub(crate) const MAX_PROOFS: usize = 64;

/// A signature in a body, and the text that it covers.
pub(crate) struct Proof {
    pub(crate) content: Vec<u8>,
    pub(crate) signature: String,
}

/// The signature of a provider, and its place in the body.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) provider: &'static str,
    pub(crate) hash: Hash,
    pub(crate) key: SecretEncoding,
    pub(crate) encoding: Encoding,
    /// The JSON field of the signature.
    pub(crate) field: &'static str,
    /// Returns the signatures of a body: at least one, and at most [`MAX_PROOFS`].
    pub(crate) proofs: fn(&Parts, &Bytes) -> Result<Vec<Proof>, Rejection>,
}

/// Function of the signed content and the key.
#[derive(Clone, Copy)]
pub(crate) enum Hash {
    HmacSha256,
    /// Plain SHA-512 of the content with the key behind it. It is not an HMAC.
    Sha512BeforeKey,
}

impl Hash {
    fn key(self, secret: &Secret) -> Key {
        match self {
            Self::HmacSha256 => Key::Mac(Mac::hmac_sha256(secret.expose())),
            Self::Sha512BeforeKey => Key::HashBefore(SecretHash::sha512(secret.clone())),
        }
    }
}

/// Verifier of a provider by its [`Rules`].
#[derive(Clone)]
pub(crate) struct BodySignature(Arc<Inner>);

struct Inner {
    keys: Vec<Key>,
    #[cfg(feature = "explain")]
    secrets: Vec<Secret>,
}

impl BodySignature {
    pub(crate) fn new(rules: Rules, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let secrets = other_credentials::checked(secrets, 0, rules.provider)?;
        let keys = each(&secrets, |secret| Ok(rules.hash.key(&rules.key.key(secret)?)))?;
        Ok(Self(Arc::new(Inner {
            keys,
            #[cfg(feature = "explain")]
            secrets,
        })))
    }

    /// Returns the proof of an authentic request.
    ///
    /// All signatures must be valid. The last of several secrets in one body is reported as the
    /// key, so that you do not remove an older secret too early.
    pub(crate) fn finish(
        &self,
        rules: Rules,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let mut proofs = (rules.proofs)(head, body)?;
        let field = || Field::json(rules.field);
        if proofs.is_empty() {
            return Err(Rejection::missing_in(field()));
        }
        if proofs.len() > MAX_PROOFS {
            return Err(Rejection::malformed_in(field()));
        }
        let mut key_index = 0;
        for proof in &proofs {
            let mut candidate = [0; MAX_TAG];
            let candidate = match rules.hash {
                Hash::HmacSha256 => &mut candidate[..32],
                Hash::Sha512BeforeKey => &mut candidate[..64],
            };
            let signature = proof.signature.as_bytes();
            let decoded = rules.encoding.decode(signature, candidate);
            decoded.ok_or(Rejection::malformed_in(field()))?;
            let mut matched = KeyMatch::new();
            for (index, key) in self.0.keys.iter().enumerate() {
                matched.add(index, key.tag(&[&proof.content]).matches(candidate));
            }
            key_index = matched.accepted()?.max(key_index);
        }
        // Nobody who replays a request can give it another key by changing the order of its
        // signatures, or by repeating one.
        proofs.sort_unstable_by(|a, b| a.content.cmp(&b.content));
        proofs.dedup_by(|a, b| a.content == b.content);
        let mut material = Sha256::new();
        for proof in &proofs {
            material.update(Sha256::digest(&proof.content));
        }
        Ok(Verified::new(rules.provider)
            .with_key_index(key_index)
            .with_replay_material(&material.finalize()))
    }

    /// Returns the signature of this content by the first secret.
    #[cfg(feature = "sign")]
    pub(crate) fn sign(&self, rules: Rules, content: &[u8]) -> Result<String, Rejection> {
        let key = self.0.keys.first().ok_or(Rejection::mismatch())?;
        Ok(rules.encoding.encode(key.tag(&[content]).as_bytes()))
    }

    /// Tries other forms of the secrets. `verifier` creates the provider's verifier.
    #[cfg(feature = "explain")]
    pub(crate) fn probe<V: crate::verifier::verifier::Verifier>(
        &self,
        rules: Rules,
        probe: &mut crate::verifier::probe::Probe<'_>,
        verifier: impl Fn(Self) -> V,
    ) {
        let credentials = other_credentials::of(rules.provider);
        crate::providers::own::variants::probe_keys(
            probe,
            &self.0.secrets,
            rules.key,
            credentials,
            |key| {
                let keys = vec![rules.hash.key(&key)];
                verifier(Self(Arc::new(Inner { keys, secrets: vec![key] })))
            },
        );
    }
}

impl fmt::Debug for BodySignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodySignature").field("secrets", &self.0.keys.len()).finish()
    }
}

/// Implements the methods and traits of a provider with a [`BodySignature`] in `self.0`.
macro_rules! verifies_body {
    ($type:ident, $begin:expr) => {
        impl Verifier for $type {
            type State = ();

            fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
                let begin: fn(&http::request::Parts) -> Result<(), Rejection> = $begin;
                begin(request.head())
            }

            fn finish(
                &self,
                (): &mut (),
                request: &Context<'_>,
                body: &Bytes,
            ) -> Result<Outcome, Rejection> {
                Ok(self.0.finish(RULES, request.head(), body)?.into())
            }

            fn defaults(&self) -> VerifierDefaults {
                Self::DEFAULTS
            }

            #[cfg(feature = "explain")]
            fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
                self.0.probe(RULES, probe, Self);
            }
        }
    };
}
pub(crate) use verifies_body;
