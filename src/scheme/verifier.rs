//! Verifier of a declared scheme.

use std::{fmt, sync::Arc};

use http::request::Parts;

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::PublicKey;
use crate::{
    crypto::{
        mac::{Algorithm, Mac, Tag},
        secret::Secret,
        secret_hash::SecretHash,
        secrets::{Secrets, each},
    },
    error::ConfigError,
    parse::tolerance::Tolerance,
    scheme::{
        asymmetric::PublicKeys,
        component::{BodyDigest, Component},
        declaration::Scheme,
        keys::{AnyKeys, IntoKeys},
        public_url::PublicUrl,
    },
    verifier::defaults::VerifierDefaults,
};

/// Verifier of a [`Scheme`], with its keys. It serves every provider that a scheme can describe.
///
/// A clone increments a reference count.
#[derive(Clone)]
pub struct SchemeVerifier(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) scheme: Scheme,
    pub(crate) keys: Keys,
    pub(crate) url: Option<PublicUrl>,
    /// Beginning and end of the body: `true` if the byte there must be one that no URL has.
    pub(crate) open_sides: [bool; 2],
    /// The body's digest, if it is signed in place of the body.
    pub(crate) digest: Option<BodyDigest>,
    /// Set for a plain hash that anyone can extend.
    pub(crate) is_extendable: bool,
    /// Secret strings, for variants of their keys.
    #[cfg(feature = "explain")]
    pub(crate) secrets: Vec<Secret>,
    /// Verifiers of the scheme's families, with the same keys.
    pub(crate) families: Vec<SchemeVerifier>,
    /// Verifier of the legacy scheme. It gets its keys even if it is never used, because only the
    /// feature `explain` keeps the secret string.
    pub(crate) legacy: Option<SchemeVerifier>,
    accepts_legacy: bool,
    /// Tag that distinguishes the sender, for schemes without a name. It depends on the oldest
    /// secret, so a rotation does not change it until that secret is removed.
    pub(crate) sender: Option<Tag>,
}

/// Keys of one kind: a public key and a secret cannot replace each other.
#[derive(Clone)]
pub(crate) enum Keys {
    #[cfg_attr(not(feature = "asymmetric"), expect(dead_code, reason = "it has no values"))]
    Public(PublicKeys),
    /// MACs that already have their key and are cloned for each request. This saves two
    /// compressions of the hash function.
    Secret(Vec<Mac>),
    /// Secrets of plain hashes.
    Hashed(Vec<SecretHash>),
}

impl Keys {
    /// Creates an empty set for secrets.
    fn none(algorithm: Algorithm) -> Self {
        if algorithm.is_plain_hash() { Self::Hashed(Vec::new()) } else { Self::Secret(Vec::new()) }
    }

    /// Adds the key of a secret.
    pub(crate) fn push(&mut self, algorithm: Algorithm, key: Secret) -> Result<(), ConfigError> {
        match self {
            Self::Public(_) => return Err(TAKES_PUBLIC_KEY),
            Self::Secret(macs) => {
                macs.push(Mac::new(algorithm, key.expose()).ok_or(TAKES_PUBLIC_KEY)?);
            }
            Self::Hashed(hashes) => {
                hashes.push(SecretHash::new(algorithm, key).ok_or(TAKES_PUBLIC_KEY)?);
            }
        }
        Ok(())
    }

    /// Creates a set of the keys that a scheme derives from these secrets, as far as it can.
    #[cfg(feature = "explain")]
    pub(crate) fn derived<'a>(scheme: &Scheme, secrets: impl Iterator<Item = &'a Secret>) -> Self {
        let mut keys = Self::none(scheme.algorithm);
        for secret in secrets {
            let key = scheme.secret_encoding.key(secret);
            let _ = key.and_then(|key| keys.push(scheme.algorithm, key));
        }
        keys
    }

    /// Returns the MACs with their keys, or an empty slice for other keys.
    pub(crate) fn macs(&self) -> &[Mac] {
        match self {
            Self::Public(_) | Self::Hashed(_) => &[],
            Self::Secret(macs) => macs,
        }
    }
}

pub(crate) const TAKES_PUBLIC_KEY: ConfigError = ConfigError::SchemeInvalid {
    why: "it signs with a private key, so a secret cannot verify it; use a `PublicKey`",
};

/// The error of [`Scheme::check`] for a scheme that is no HMAC.
pub(crate) const NO_HMAC: ConfigError = ConfigError::SchemeInvalid {
    why: "only an HMAC can be checked without a request; use a verifier",
};

impl Scheme {
    /// Creates a verifier with these keys, the current one first.
    ///
    /// The keys are secrets or, for an asymmetric scheme, public keys. Every secret is tried for
    /// every request, so that the time taken does not reveal which one matched.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no keys or more than 16, if a secret is known to be another
    /// credential, if no key can be derived from it by the scheme's rule, if a public key has
    /// another algorithm than the scheme, if the scheme signs the URL and needs
    /// [`verifier_at`](Self::verifier_at), or if its declaration is inconsistent.
    pub fn verifier(self, keys: impl IntoKeys) -> Result<SchemeVerifier, ConfigError> {
        SchemeVerifier::of_keys(self, keys.into_keys()?, None)
    }

    /// Creates a verifier with these keys, for a scheme that signs the URL.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`verifier`](Self::verifier), except for a missing URL.
    pub fn verifier_at(
        self,
        keys: impl IntoKeys,
        url: PublicUrl,
    ) -> Result<SchemeVerifier, ConfigError> {
        SchemeVerifier::of_keys(self, keys.into_keys()?, Some(url))
    }

    /// Returns this scheme as a family of the other one, with what only the other one has.
    fn within(mut self, main: &Self) -> Self {
        if self.defaults.provider == VerifierDefaults::DEFAULT.provider {
            self.defaults = self.defaults.with_provider(main.defaults.provider);
        }
        if self.time.is_some() {
            self.tolerance = self.tolerance.or(main.tolerance);
        }
        Self { families: &[], legacy: &[], ..self }
    }
}

impl SchemeVerifier {
    pub(crate) fn of_keys(
        scheme: Scheme,
        keys: AnyKeys,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        match keys {
            AnyKeys::Secrets(secrets) => Self::of_secrets(scheme, secrets, url),
            #[cfg(feature = "asymmetric")]
            AnyKeys::Public(keys) => Self::of_public_keys(scheme, keys, url),
        }
    }

    fn of_secrets(
        scheme: Scheme,
        secrets: Secrets,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        let mut verifier = Self::without_keys(scheme, Keys::none(scheme.algorithm), url)?;
        each(&scheme.check_secrets(secrets, 0)?, |secret| verifier.add_secret(secret))?;
        Ok(verifier)
    }

    /// Creates a verifier whose keys are added later, also for the families and the legacy scheme.
    pub(crate) fn without_keys(
        scheme: Scheme,
        keys: Keys,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        scheme.validate()?;
        if url.is_none() && scheme.signed_content.contains(&Component::Url) {
            return Err(ConfigError::UrlMissing);
        }
        let invalid = |why| ConfigError::SchemeInvalid { why };
        scheme.check_template(url.as_ref()).map_err(invalid)?;
        let open_sides = scheme.open_sides(url.as_ref());
        let (digest, is_extendable) = (scheme.body_digest(), scheme.is_extendable());
        let family = |family: &Scheme| {
            let keys = match &keys {
                Keys::Public(_) => keys.clone(),
                Keys::Secret(_) | Keys::Hashed(_) => Keys::none(family.algorithm),
            };
            Self::without_keys(family.within(&scheme), keys, url.clone())
        };
        let families = scheme.families.iter().map(family).collect::<Result<_, _>>()?;
        let legacy = scheme.legacy.first().map(family).transpose()?;
        Ok(Self(Arc::new(Inner {
            scheme,
            keys,
            url,
            open_sides,
            digest,
            is_extendable,
            #[cfg(feature = "explain")]
            secrets: Vec::new(),
            families,
            legacy,
            accepts_legacy: false,
            sender: None,
        })))
    }

    /// Adds a secret, also to the families and the legacy scheme.
    ///
    /// Every secret is tried for every request, so that the time taken does not reveal which one
    /// matched.
    pub(crate) fn add_secret(&mut self, secret: &Secret) -> Result<(), ConfigError> {
        let inner = Arc::make_mut(&mut self.0);
        #[cfg(feature = "explain")]
        inner.secrets.push(secret.clone());
        let Inner { scheme, keys, families, legacy, sender, .. } = inner;
        families.iter_mut().chain(legacy).try_for_each(|other| other.add_secret(secret))?;
        let key = scheme.secret_encoding.key(secret)?;
        // Only schemes without a name need the tag: a lookup creates a verifier for each request.
        *sender = scheme.numbers_without_a_name().then(|| {
            let mut mac = Mac::hmac_sha256(key.expose());
            mac.update(b"tower-webhook sender");
            mac.finalize()
        });
        keys.push(scheme.algorithm, key)
    }

    /// Calls `change` with the keys of each family, of the legacy scheme, and of the scheme itself.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn each_keys_mut(
        &mut self,
        change: &dyn Fn(&Scheme, &mut Keys) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let Inner { scheme, keys, families, legacy, .. } = Arc::make_mut(&mut self.0);
        families.iter_mut().chain(legacy).try_for_each(|other| other.each_keys_mut(change))?;
        change(scheme, keys)
    }

    /// Also accepts requests that only the [legacy](Scheme::legacy) scheme signs.
    ///
    /// If a header of the scheme itself or of its families is present, the legacy scheme is not
    /// used, so that an attacker cannot choose the weaker signature. The
    /// [`replay_key`](crate::Verified::replay_key) is computed as by the scheme itself, so that a
    /// captured delivery without its newer header is the same delivery.
    ///
    /// A scheme without a legacy scheme stays unchanged.
    #[must_use]
    pub fn accept_legacy(mut self) -> Self {
        Arc::make_mut(&mut self.0).accepts_legacy = true;
        self
    }

    /// Returns the verifier of the first family whose signature is present, of the legacy scheme if
    /// only its header is present, or of the scheme itself.
    ///
    /// The choice must not depend on the value of a header: otherwise, a valid signature of a
    /// weaker family could replace an invalid one.
    pub(crate) fn family(&self, head: &Parts) -> &Self {
        let inner = &*self.0;
        let is_named = |family: &&Self| family.0.scheme.source.is_in(head);
        let legacy = || inner.legacy.as_ref().filter(is_named);
        let weaker = || (inner.accepts_legacy && !is_named(&self)).then(legacy).flatten();
        inner.families.iter().find(is_named).or_else(weaker).unwrap_or(self)
    }

    /// Sets the time tolerance, also of the families that sign a timestamp.
    pub(crate) fn with_tolerance(self, tolerance: Tolerance) -> Self {
        let mut verifier = self.map_scheme(|scheme| scheme.tolerance(tolerance));
        for family in &mut Arc::make_mut(&mut verifier.0).families {
            let scheme = &mut Arc::make_mut(&mut family.0).scheme;
            if scheme.time.is_some() {
                *scheme = scheme.tolerance(tolerance);
            }
        }
        verifier
    }

    /// Applies a change to the scheme that does not affect its keys.
    pub(crate) fn map_scheme(mut self, change: impl FnOnce(Scheme) -> Scheme) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.scheme = change(inner.scheme);
        self
    }
}

#[cfg(feature = "asymmetric")]
impl SchemeVerifier {
    pub(crate) fn of_public_keys(
        scheme: Scheme,
        keys: Vec<PublicKey>,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        if keys.is_empty() {
            return Err(ConfigError::PublicKeyInvalid { why: "there is none; pass at least one" });
        }
        let mut verifier = Self::without_keys(scheme, Keys::Public(PublicKeys::none()), url)?;
        keys.iter().try_for_each(|key| verifier.add_key(key))?;
        Ok(verifier)
    }

    fn add_key(&mut self, key: &PublicKey) -> Result<(), ConfigError> {
        self.each_keys_mut(&|scheme, keys| match keys {
            Keys::Public(keys) if scheme.algorithm.takes_public_key() => {
                keys.push(&[scheme.algorithm], key.clone())
            }
            _ => Err(ConfigError::SchemeInvalid {
                why: "it signs with a secret, so anyone who knows the public key could sign; \
                      use a secret",
            }),
        })
    }
}

impl fmt::Debug for SchemeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SchemeVerifier");
        debug.field("scheme", &self.0.scheme);
        match &self.0.keys {
            Keys::Secret(macs) => debug.field("secrets", &macs.len()),
            Keys::Hashed(hashes) => debug.field("secrets", &hashes.len()),
            Keys::Public(keys) => debug.field("public_keys", &keys.len()),
        };
        debug.field("url", &self.0.url).finish()
    }
}
