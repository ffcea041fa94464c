//! GitHub's lists of public keys.

use std::sync::Arc;

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        key_set::NamedKey,
        request::KeyUrl,
        source::{FetchedKeys, KeyName, KeyRules},
    },
    parse::json::{Malformed, Value, field, items},
    providers::{
        fetched::keyless::keyless,
        own::pinned_keys::{GitHubCopilot, GitHubSecretScanning},
    },
};

/// Generates `with_fetched_keys`: URL of the list, and the header that names the key.
macro_rules! lists {
    ($($provider:ident: $url:literal, $header:literal;)*) => {$(
        impl $provider {
            #[doc = concat!(
                "Creates a source of verifiers that fetches GitHub's keys from\n<", $url, ">."
            )]
            ///
            #[doc = concat!("`", $header, "` names the key.")]
            /// GitHub limits the rate of requests without a token: send one in `Authorization`.
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
                        name: KeyName::Header($header, is_id),
                        in_body: None,
                        url: KeyUrl::All($url),
                        read,
                        make: Arc::new(|keys: Vec<PublicKey>| Self::new(keys)),
                    },
                )
            }
        }
    )*};
}

lists! {
    GitHubCopilot: "https://api.github.com/meta/public_keys/copilot_api",
        "x-github-public-key-identifier";
    GitHubSecretScanning: "https://api.github.com/meta/public_keys/secret_scanning",
        "github-public-key-identifier";
}

/// Returns `true` if this is a SHA-256 in hexadecimal, as GitHub's IDs are.
fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads a list of keys: `{"public_keys": [{"key_identifier": "…", "key": "<PEM>"}]}`.
fn read(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    let malformed = |_: Malformed| "it is not JSON";
    let Some(Value::Array(list)) = field(document, "public_keys").map_err(malformed)? else {
        return Err("it has no `public_keys`");
    };
    let mut keys = Vec::new();
    items(list.as_bytes(), &mut |item| keys.extend(named(&item))).map_err(malformed)?;
    Ok(keys)
}

/// Returns the key of an item, or `None` if it is not one that this crate knows.
fn named(item: &Value<'_>) -> Option<NamedKey> {
    let Value::Object(item) = item else { return None };
    let text = |name| field(item.as_bytes(), name).ok()??.into_text();
    let key = PublicKey::from_pem(&text("key")?).ok()?;
    Some(NamedKey { id: Some(text("key_identifier")?.into_owned()), key })
}
