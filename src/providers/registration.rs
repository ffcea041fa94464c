//! Registration of a provider type: what the registry knows about a type, beside the type.

use http::HeaderName;

use crate::{
    crypto::secrets::{Secrets, each},
    error::ConfigError,
    providers::{boxed::BoxVerifier, credentials::CredentialKind, policy::DeliveryPolicy},
    scheme::{component::Component, declaration::Scheme, public_url::PublicUrl},
};

/// A provider type, as it registers itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    pub(crate) type_name: &'static str,
    /// The vendor's own spelling of its name.
    pub(crate) title: &'static str,
    /// Other names by which gateways and users know the provider.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) policy: &'static DeliveryPolicy,
    pub(crate) signature: Signature,
    /// Empty if the secret is part of the user's URL.
    pub(crate) entries: &'static [Entry],
}

/// Algorithm and signed content of a provider.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signature {
    Scheme(&'static Scheme),
    /// In words, if there is no scheme or more than one.
    Words(&'static str),
}

/// A name by which the registry creates verifiers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) needs: CredentialKind,
    pub(crate) signs_time: bool,
    pub(crate) signs_url: bool,
    pub(crate) build: Build,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Build {
    Scheme(&'static Scheme),
    Own(Constructors),
}

/// Constructors of a type with code of its own.
#[derive(Clone, Copy)]
pub(crate) struct Constructors {
    pub(crate) verifier: fn(Parameters) -> Result<BoxVerifier, ConfigError>,
    /// Returns the `Debug` output of the verifier and of its state, which must not have a secret.
    #[cfg(all(test, feature = "sign"))]
    pub(crate) debug: fn(Parameters, &http::request::Parts) -> String,
}

/// Input for a provider's verifier.
pub(crate) struct Parameters {
    pub(crate) secrets: Secrets,
    pub(crate) url: Option<PublicUrl>,
}

impl Entry {
    /// Creates the entry of a provider that consists of a scheme.
    pub(crate) const fn of(scheme: &'static Scheme) -> Self {
        let mut signs_url = false;
        let mut at = 0;
        while at < scheme.signed_content.len() {
            signs_url |= matches!(scheme.signed_content[at], Component::Url);
            at += 1;
        }
        Self {
            name: scheme.defaults().provider(),
            needs: CredentialKind::Secret,
            signs_time: scheme.time.is_some(),
            signs_url,
            build: Build::Scheme(scheme),
        }
    }
}

impl Parameters {
    /// Returns the public keys.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn public_keys(
        self,
    ) -> Result<Vec<crate::crypto::public_key::PublicKey>, ConfigError> {
        each(self.secrets, |text| CredentialKind::public_key(&text))
    }

    /// Returns the header and the tokens of pairs that all have the same header.
    pub(crate) fn header_and_tokens(self) -> Result<(HeaderName, Secrets), ConfigError> {
        let pairs = each(self.secrets, |pair| CredentialKind::header_and_token(&pair))?;
        let header = pairs.first().map(|(header, _)| header.clone());
        let header = header.ok_or(ConfigError::SecretEmpty)?;
        if pairs.iter().any(|(other, _)| *other != header) {
            let form = "`x-header:token`, each with the same header";
            return Err(ConfigError::CredentialsInvalid { form });
        }
        Ok((header, pairs.into_iter().map(|(_, token)| token).collect()))
    }
}

impl Signature {
    /// Describes in words what is signed, such as `HMAC-SHA256 of the body`.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Scheme(scheme) => {
                let words = scheme.describe();
                format!("{} of {}", words.algorithm, words.parts)
            }
            Self::Words(words) => words.to_owned(),
        }
    }
}

impl std::fmt::Debug for Constructors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Constructors")
    }
}
