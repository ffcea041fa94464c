//! Providers that sign with a detached JSON Web Signature, and publish their keys.

use std::sync::Arc;

use crate::{
    crypto::{
        jws::{DetachedJws, JwsAlgorithm},
        public_key::PublicKey,
    },
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        jwks::{self, is_key_id},
        key_set::{NoKeys, given_to},
        request::{KeyUrl, checked_url},
        source::{FetchedKeys, KeyName, KeyRules},
    },
    providers::own::jws::{
        fireblocks::{self, Fireblocks, FireblocksEnvironment},
        neon_auth::{self, NeonAuth},
        open_banking::{self, OpenBanking},
        truelayer::{self, TrueLayer, TrueLayerEnvironment},
    },
    scheme::public_url::PublicUrl,
    verifier::verifier::Verifier,
};

impl TrueLayer {
    /// Creates a source of verifiers for webhooks of this environment to this URL, which fetches TrueLayer's
    /// keys from [the URL of the environment](TrueLayerEnvironment).
    ///
    /// # Errors
    ///
    /// Returns an error if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys(
        environment: TrueLayerEnvironment,
        url: PublicUrl,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(environment, url);
        let name = KeyName::Inside(truelayer::HEADER, key_id);
        of_set(
            fetcher,
            keyless,
            name,
            &[JwsAlgorithm::Es512],
            environment.jwks().into(),
            Self::with_keys,
        )
    }
}

impl Fireblocks {
    /// Creates a source of verifiers for webhooks of this environment, which fetches Fireblocks' keys from
    /// `/.well-known/jwks.json` of [its host](FireblocksEnvironment).
    ///
    /// # Errors
    ///
    /// Returns an error if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys(
        environment: FireblocksEnvironment,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let name = KeyName::Inside(fireblocks::HEADER, key_id);
        let url = environment.jwks().into();
        of_set(fetcher, Self::keyless(), name, &[JwsAlgorithm::Rs512], url, Self::with_keys)
    }
}

impl NeonAuth {
    /// Creates a source of verifiers that fetches the keys of your Neon Auth from this URL, which ends with
    /// `/.well-known/jwks.json`.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL has no HTTPS, no host or user information, or if the limits of the
    /// fetcher contradict each other. HTTP is allowed to an address of this machine.
    pub fn with_fetched_keys(
        jwks_url: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let name = KeyName::Header(neon_auth::KEY_ID, is_key_id);
        let url = checked_url(jwks_url)?;
        of_set(fetcher, Self::keyless(), name, &[JwsAlgorithm::EdDsa], url, Self::with_keys)
    }
}

impl OpenBanking {
    /// Creates a source of verifiers for signatures of this issuer under this trust anchor, which fetches the
    /// bank's keys from this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if the issuer or the trust anchor is empty, if the URL has no HTTPS, no host or user
    /// information, or if the limits of the fetcher contradict each other. HTTP is allowed to an address of
    /// this machine.
    pub fn with_fetched_keys(
        issuer: &str,
        trust_anchor: &str,
        jwks_url: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(issuer, trust_anchor)?;
        let name = KeyName::Inside(open_banking::HEADER, key_id);
        let algorithms = &[JwsAlgorithm::Ps256, JwsAlgorithm::Es256];
        of_set(fetcher, keyless, name, algorithms, checked_url(jwks_url)?, Self::with_keys)
    }
}

/// Creates a source for signatures with a set of keys.
fn of_set<V: Verifier + Clone + Send + Sync + 'static>(
    fetcher: &KeyFetcher,
    keyless: V,
    name: KeyName,
    algorithms: &'static [JwsAlgorithm],
    url: Arc<str>,
    with_keys: fn(V, Vec<PublicKey>) -> Result<V, ConfigError>,
) -> Result<FetchedKeys<V>, ConfigError> {
    let url = KeyUrl::All(url);
    let read = Arc::new(move |document: &[u8], _: &_| {
        jwks::read_for(document, algorithms).map_err(NoKeys::Because)
    });
    let make = given_to(&keyless, with_keys);
    FetchedKeys::new(fetcher, KeyRules { keyless, name, in_body: None, url, read, make })
}

/// Returns the ID of the key that a signature names.
fn key_id(signature: &[u8]) -> Option<String> {
    DetachedJws::read(signature)?.text("kid").filter(|id| is_key_id(id))
}
