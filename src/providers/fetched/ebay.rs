//! eBay's public keys.

use std::sync::Arc;

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        key_set::{NamedKey, keys_of, plain},
        request::KeyUrl,
        source::{FetchedKeys, KeyName, KeyRules},
    },
    parse::json::{Value, field},
    providers::own::ebay::{self, EBay},
};

impl EBay {
    /// Creates a source of verifiers that fetches each key from
    /// `https://api.ebay.com/commerce/notification/v1/public_key/<ID>`.
    ///
    /// Send an application token with each request for a key: `Authorization: Bearer <token>`, with
    /// a token of the client credentials flow, which is valid for 2 hours.
    /// ([eBay](https://developer.ebay.com/marketplace-account-deletion))
    ///
    /// ```
    /// use tower_webhook::{Secret, fetched_keys::KeyFetcher, providers::EBay};
    ///
    /// # fn fetcher() -> KeyFetcher {
    /// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
    /// # }
    /// let fetcher: KeyFetcher = fetcher();
    /// let token = Secret::new("made-up-verification-token-of-32-characters")?;
    /// let source = EBay::with_fetched_keys(&fetcher)?.map_verifier(move |ebay| {
    ///     ebay.verification_token(token.clone(), "https://example.com/ebay")
    /// });
    /// # let _ = source;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the limits of the fetcher contradict each other.
    #[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
    pub fn with_fetched_keys(fetcher: &KeyFetcher) -> Result<FetchedKeys<Self>, ConfigError> {
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless: Self::without_keys(),
                name: KeyName::Inside(ebay::SIGNATURE, ebay::key_id),
                in_body: None,
                url: KeyUrl::Each("https://api.ebay.com/commerce/notification/v1/public_key/"),
                read: plain(read),
                make: Arc::new(|keys| Self::new(keys_of(keys))),
            },
        )
    }
}

/// Reads a key: `{"key": "<PEM on one line>", "algorithm": "ECDSA", "digest": "SHA1"}`.
///
/// The response does not repeat the ID.
fn read(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    let text = |name| field(document, name).map(|value| value.and_then(Value::into_text));
    let is = |name, wanted: &str| {
        let value = text(name).ok().flatten();
        value.is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    };
    let key = text("key").map_err(|_| "it is not JSON")?.ok_or("it has no `key`")?;
    if !is("algorithm", "ECDSA") || !is("digest", "SHA1") {
        return Err("its algorithm is not ECDSA with SHA-1");
    }
    let key = PublicKey::from_pem(&key).map_err(|_| "its key is malformed")?;
    Ok(vec![NamedKey::new(None, key)])
}
