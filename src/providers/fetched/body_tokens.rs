//! Providers whose bodies are JSON Web Tokens or have one, and that publish their keys.

use std::sync::Arc;

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        jwks,
        key_set::{given_to, plain},
        request::{KeyUrl, checked_url},
        source::{FetchedKeys, IdOfBody, KeyName, KeyRules},
    },
    providers::own::jwt::{
        google_risc::GoogleRisc, kinde::Kinde, security_event_tokens::SecurityEventTokens,
        sign_in_with_apple::SignInWithApple,
    },
    verifier::verifier::Verifier,
};

const GOOGLE: &str = "https://www.googleapis.com/oauth2/v3/certs";
const APPLE: &str = "https://appleid.apple.com/auth/keys";

impl GoogleRisc {
    /// Creates a source of verifiers for events to one of these OAuth client IDs, which fetches Google's
    /// keys from <https://www.googleapis.com/oauth2/v3/certs>.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no client ID, if one is empty, or if the limits of the fetcher
    /// contradict each other.
    pub fn with_fetched_keys<T: Into<String>>(
        client_ids: impl IntoIterator<Item = T>,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(client_ids)?;
        of_body(fetcher, keyless, Self::key_id_of, GOOGLE.into(), Self::with_keys)
    }
}

impl SignInWithApple {
    /// Creates a source of verifiers for notifications to one of these apps, which fetches Apple's keys
    /// from <https://appleid.apple.com/auth/keys>.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no app, if an ID is empty, or if the limits of the fetcher contradict
    /// each other.
    pub fn with_fetched_keys<T: Into<String>>(
        client_ids: impl IntoIterator<Item = T>,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(client_ids)?;
        of_body(fetcher, keyless, Self::key_id_of, APPLE.into(), Self::with_keys)
    }
}

impl Kinde {
    /// Creates a source of verifiers that fetches the keys of your Kinde domain from this URL, such as
    /// `https://example.kinde.com/.well-known/jwks`.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL has no HTTPS, no host or user information, or if the limits of the
    /// fetcher contradict each other. HTTP is allowed to an address of this machine.
    pub fn with_fetched_keys(
        jwks_url: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        of_body(fetcher, Self::keyless(), Self::key_id_of, checked_url(jwks_url)?, Self::with_keys)
    }
}

impl SecurityEventTokens {
    /// Creates a source of verifiers for events of this issuer to one of these audiences, which fetches the
    /// transmitter's keys from this URL, its `jwks_uri`.
    ///
    /// # Errors
    ///
    /// Returns an error if the issuer is empty, if there is no audience, if one is empty, if the URL has no
    /// HTTPS, no host or user information, or if the limits of the fetcher contradict each other. HTTP is
    /// allowed to an address of this machine.
    pub fn with_fetched_keys<T: Into<String>>(
        issuer: &str,
        audiences: impl IntoIterator<Item = T>,
        jwks_url: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(issuer, audiences)?;
        of_body(fetcher, keyless, Self::key_id_of, checked_url(jwks_url)?, Self::with_keys)
    }
}

/// Creates a source for tokens in bodies, with a set of keys.
fn of_body<V: Verifier + Clone + Send + Sync + 'static>(
    fetcher: &KeyFetcher,
    keyless: V,
    id: IdOfBody<V>,
    url: Arc<str>,
    with_keys: fn(V, Vec<PublicKey>) -> Result<V, ConfigError>,
) -> Result<FetchedKeys<V>, ConfigError> {
    let (name, url) = (KeyName::InBody, KeyUrl::All(url));
    let read = plain(jwks::read);
    let make = given_to(&keyless, with_keys);
    FetchedKeys::new(fetcher, KeyRules { keyless, name, in_body: Some(id), url, read, make })
}
