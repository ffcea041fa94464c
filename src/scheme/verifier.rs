//! The verifier of a declared scheme.

use std::{fmt, sync::Arc};

use http::request::Parts;

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::PublicKey;
use crate::{
    crypto::{
        mac::{Mac, Tag},
        secret::Secret,
        secrets::{Secrets, each},
    },
    error::ConfigError,
    scheme::{
        asymmetric::PublicKeys,
        component::Component,
        declaration::Scheme,
        keys::{AnyKeys, IntoKeys},
        public_url::PublicUrl,
    },
};

/// A [`Scheme`] with its secrets: the verifier of every provider that can be declared.
///
/// Cloning it is one reference count.
#[derive(Clone)]
pub struct SchemeVerifier(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) scheme: Scheme,
    pub(crate) keys: Keys,
    pub(crate) url: Option<PublicUrl>,
    /// Whether the body must begin, and end, with a byte that no URL has.
    pub(crate) open_sides: [bool; 2],
    /// Of the scheme's families, with the same secrets.
    families: Vec<SchemeVerifier>,
    /// Keyed though it may never be accepted: the secret's text is not kept.
    pub(crate) legacy: Option<SchemeVerifier>,
    accepts_legacy: bool,
    /// Tells a sender without a name from others, by its oldest secret: a rotation changes nothing until
    /// that secret is taken away.
    pub(crate) sender: Option<Tag>,
}

/// Never both: a public key and a secret are no substitutes for each other.
#[derive(Clone)]
pub(crate) enum Keys {
    #[cfg_attr(not(feature = "asymmetric"), expect(dead_code, reason = "it has no values"))]
    Public(PublicKeys),
    /// Keyed once, cloned for each request: that saves two compressions of the hash.
    Secret(Vec<Mac>),
}

impl Keys {
    /// None for public keys, which sign nothing.
    pub(crate) fn macs(&self) -> &[Mac] {
        match self {
            Self::Public(_) => &[],
            Self::Secret(macs) => macs,
        }
    }
}

pub(crate) const TAKES_PUBLIC_KEY: ConfigError = ConfigError::SchemeInvalid {
    why: "it signs with a private key, so a secret cannot verify it; \
          give its public key, a `PublicKey`",
};

impl Scheme {
    /// Creates a verifier with these keys, the current one first: secrets or, for a scheme that signs with a private
    /// key, public keys. Every secret is tried for every request, so that the time taken does not tell which matched.
    ///
    /// # Errors
    ///
    /// When there is no key or there are more than 16, a secret's text cannot be made a key by the
    /// scheme's rule, a key is not of the scheme's algorithm, the scheme signs the URL and needs
    /// [`verifier_at`](Self::verifier_at), or its declaration contradicts itself.
    pub fn verifier(self, keys: impl IntoKeys) -> Result<SchemeVerifier, ConfigError> {
        SchemeVerifier::of_keys(self, keys.into_keys()?, None)
    }

    /// Creates a verifier with these keys, for a scheme that signs the URL.
    ///
    /// # Errors
    ///
    /// As for [`verifier`](Self::verifier).
    pub fn verifier_at(
        self,
        keys: impl IntoKeys,
        url: PublicUrl,
    ) -> Result<SchemeVerifier, ConfigError> {
        SchemeVerifier::of_keys(self, keys.into_keys()?, Some(url))
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
        let mut verifier = Self::without_keys(scheme, Keys::Secret(Vec::new()), url)?;
        each(&scheme.check_secrets(secrets, 0)?, |secret| verifier.add_secret(secret))?;
        Ok(verifier)
    }

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
        let family = |family: &Scheme| {
            let alone = Scheme { families: &[], legacy: &[], ..*family };
            Self::without_keys(alone, keys.clone(), url.clone())
        };
        let families = scheme.families.iter().map(family).collect::<Result<_, _>>()?;
        let legacy = scheme.legacy.first().map(family).transpose()?;
        Ok(Self(Arc::new(Inner {
            scheme,
            keys,
            url,
            open_sides,
            families,
            legacy,
            accepts_legacy: false,
            sender: None,
        })))
    }

    /// Every secret is tried for every request, so that the time taken does not tell which matched.
    pub(crate) fn add_secret(&mut self, secret: &Secret) -> Result<(), ConfigError> {
        let Inner { scheme, keys, families, legacy, sender, .. } = Arc::make_mut(&mut self.0);
        families.iter_mut().chain(legacy).try_for_each(|other| other.add_secret(secret))?;
        let Keys::Secret(macs) = keys else { return Err(TAKES_PUBLIC_KEY) };
        let key = scheme.secret_encoding.key(secret)?;
        let mac = Mac::new(scheme.algorithm, key.expose()).ok_or(TAKES_PUBLIC_KEY)?;
        // A look-up makes a verifier for each request, and most schemes have a name.
        *sender = scheme.numbers_without_a_name().then(|| {
            let mut mac = mac.clone();
            mac.update(b"tower-webhook sender");
            mac.finalize()
        });
        macs.push(mac);
        Ok(())
    }

    /// Calls `change` with the keys of each family, of the legacy, and of the scheme itself.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn each_keys_mut(
        &mut self,
        change: &dyn Fn(&Scheme, &mut Keys) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let Inner { scheme, keys, families, legacy, .. } = Arc::make_mut(&mut self.0);
        families.iter_mut().chain(legacy).try_for_each(|other| other.each_keys_mut(change))?;
        change(scheme, keys)
    }

    /// Also accepts requests that are signed by the scheme's [legacy](Scheme::legacy) alone. Where a
    /// header of the scheme itself or of its families is present, it decides, so that nobody can choose
    /// the weaker way. The [`replay_key`](crate::Verified::replay_key) is made as by the scheme itself, so that a
    /// captured delivery whose newer header was taken off is the same delivery.
    ///
    /// A scheme without a legacy stays as it is.
    #[must_use]
    pub fn accept_legacy(mut self) -> Self {
        Arc::make_mut(&mut self.0).accepts_legacy = true;
        self
    }

    /// The family whose header is there, the legacy where none is, or the scheme itself. Which one decides must not depend on what
    /// is in the header: a good signature of a weaker family is no way round a bad one.
    pub(crate) fn family(&self, head: &Parts) -> &Self {
        let inner = &*self.0;
        let is_named = |family: &&Self| {
            let mut names = family.0.scheme.signature_headers().iter();
            names.any(|name| head.headers.contains_key(*name))
        };
        let legacy = || inner.legacy.as_ref().filter(is_named);
        let weaker = || (inner.accepts_legacy && !is_named(&self)).then(legacy).flatten();
        inner.families.iter().find(is_named).or_else(weaker).unwrap_or(self)
    }

    /// Changes the scheme in a way that leaves its keys as they are.
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
            return Err(ConfigError::PublicKeyInvalid { why: "there is none" });
        }
        let mut verifier = Self::without_keys(scheme, Keys::Public(PublicKeys::none()), url)?;
        keys.iter().try_for_each(|key| verifier.add_key(key))?;
        Ok(verifier)
    }

    fn add_key(&mut self, key: &PublicKey) -> Result<(), ConfigError> {
        self.each_keys_mut(&|scheme, keys| match keys {
            Keys::Public(keys) if Mac::new(scheme.algorithm, b"").is_none() => {
                keys.push(scheme.algorithm, key.clone())
            }
            _ => Err(ConfigError::SchemeInvalid {
                why: "it is keyed by a secret, and whoever knows the public key could sign; \
                      give a secret",
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
            Keys::Public(keys) => debug.field("public_keys", &keys.len()),
        };
        debug.field("url", &self.0.url).finish()
    }
}
