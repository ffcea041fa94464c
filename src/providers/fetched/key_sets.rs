//! Providers that consist of a scheme, and publish their keys in one document.

use std::sync::Arc;

use crate::{
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        jwks,
        key_set::{keys_of, plain},
        request::{KeyUrl, checked_url},
        source::{FetchedKeys, KeyName, KeyRules},
    },
    providers::{
        fetched::{github, keyless::keyless},
        own::{
            pinned_key_sets::{FalAi, Gemini, ShipStation, Turnkey},
            pinned_keys::{GitHubCopilot, GitHubSecretScanning, Postal},
        },
    },
};

/// Generates `with_fetched_keys`: URL of the document, name of the key in a request, reader of the
/// document, and notes.
macro_rules! key_sets {
    ($(
        $(#[$note:meta])*
        $provider:ident: $url:literal, $name:expr, $read:path;
    )*) => {$(
        impl $provider {
            #[doc = concat!(
                "Creates a source of verifiers that fetches the keys from\n<", $url, ">.\n"
            )]
            $(#[$note])*
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
                        url: KeyUrl::All($url.into()),
                        read: plain($read),
                        make: Arc::new(|keys| Self::new(keys_of(keys))),
                    },
                )
            }
        }
    )*};
}

impl Postal {
    /// Creates a source of verifiers that fetches the keys of your Postal server from this URL, such as
    /// `https://postal.example.com/.well-known/jwks.json`. `X-Postal-Signature-KID` names the key.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL has no HTTPS, no host or user information, or if the limits of the
    /// fetcher contradict each other. HTTP is allowed to an address of this machine.
    #[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
    pub fn with_fetched_keys(
        jwks_url: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless: Self(keyless(Self::SCHEME)?),
                name: KeyName::Header("x-postal-signature-kid", jwks::is_key_id),
                in_body: None,
                url: KeyUrl::All(checked_url(jwks_url)?),
                read: plain(jwks::read),
                make: Arc::new(|keys| Self::new(keys_of(keys))),
            },
        )
    }
}

key_sets! {
    FalAi: "https://rest.fal.ai/.well-known/jwks.json", KeyName::Unnamed, jwks::read;
    Gemini: "https://generativelanguage.googleapis.com/.well-known/jwks.json", KeyName::Unnamed,
        jwks::read;
    /// `X-GitHub-Public-Key-Identifier` names the key. GitHub limits the rate of requests without a
    /// token: send one in `Authorization`.
    GitHubCopilot: "https://api.github.com/meta/public_keys/copilot_api",
        KeyName::Header("x-github-public-key-identifier", github::is_id), github::read;
    /// `Github-Public-Key-Identifier` names the key. GitHub limits the rate of requests without a
    /// token: send one in `Authorization`.
    GitHubSecretScanning: "https://api.github.com/meta/public_keys/secret_scanning",
        KeyName::Header("github-public-key-identifier", github::is_id), github::read;
    ShipStation: "https://api.shipengine.com/jwks",
        KeyName::Header("x-shipengine-rsa-sha256-key-id", jwks::is_key_id), jwks::read;
    Turnkey: "https://api.turnkey.com/public/v1/discovery/webhooks/jwks",
        KeyName::Header("x-turnkey-signature-key-id", jwks::is_key_id), jwks::read;
}
