//! Providers that publish their keys as a JSON Web Key Set.

use std::sync::Arc;

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        jwks,
        request::KeyUrl,
        source::{FetchedKeys, KeyName, KeyRules},
    },
    providers::{
        fetched::keyless::keyless,
        own::pinned_key_sets::{FalAi, Gemini, ShipStation, Turnkey},
    },
};

/// Generates `with_fetched_keys` of the providers: URL of the set, and how a request names its key.
macro_rules! key_sets {
    ($($provider:ident: $url:literal, $name:expr;)*) => {$(
        impl $provider {
            #[doc = concat!(
                "Creates a source of verifiers that fetches the keys from\n<", $url, ">."
            )]
            ///
            /// # Errors
            ///
            /// Returns an error if the limits of the fetcher contradict each other.
            #[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
            pub fn with_fetched_keys(
                fetcher: &KeyFetcher,
            ) -> Result<FetchedKeys<Self>, ConfigError> {
                FetchedKeys::new(
                    fetcher,
                    KeyRules {
                        keyless: Self(keyless(Self::SCHEME)?),
                        name: $name,
                        in_body: None,
                        url: KeyUrl::All($url),
                        read: jwks::read,
                        make: Arc::new(|keys: Vec<PublicKey>| Self::new(keys)),
                    },
                )
            }
        }
    )*};
}

key_sets! {
    FalAi: "https://rest.fal.ai/.well-known/jwks.json", KeyName::Unnamed;
    Gemini: "https://generativelanguage.googleapis.com/.well-known/jwks.json", KeyName::Unnamed;
    ShipStation: "https://api.shipengine.com/jwks",
        KeyName::Header("x-shipengine-rsa-sha256-key-id", jwks::is_key_id);
    Turnkey: "https://api.turnkey.com/public/v1/discovery/webhooks/jwks",
        KeyName::Header("x-turnkey-signature-key-id", jwks::is_key_id);
}
