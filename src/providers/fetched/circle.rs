//! Circle's public keys.

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
    providers::{fetched::keyless::keyless, own::pinned_keys::Circle, support::is_uuid},
};

/// Product of Circle, which determines the URL of its public keys.
///
/// ([Circle](https://developers.circle.com/api-reference/verify-webhook-signatures))
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircleProduct {
    /// Circle Wallets, Contracts and Gateway.
    Wallets,
    /// The Circle Payments Network.
    Cpn,
    /// StableFX.
    StableFx,
}

impl Circle {
    /// Creates a source of verifiers that fetches the keys of this product from Circle's API.
    ///
    /// Send your API key with each request for a key: `Authorization: Bearer <API key>`. It also
    /// chooses between production and the sandbox.
    ///
    /// # Errors
    ///
    /// Returns an error if the limits of the fetcher contradict each other.
    #[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
    pub fn with_fetched_keys(
        product: CircleProduct,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless: Self(keyless(Self::SCHEME)?),
                name: KeyName::Header("x-circle-key-id", is_uuid),
                in_body: None,
                url: KeyUrl::Each(match product {
                    CircleProduct::Wallets => "https://api.circle.com/v2/notifications/publicKey/",
                    CircleProduct::Cpn => "https://api.circle.com/v2/cpn/notifications/publicKey/",
                    CircleProduct::StableFx => {
                        "https://api.circle.com/v2/stablefx/notifications/publicKey/"
                    }
                }),
                read: plain(read),
                make: Arc::new(|keys| Self::new(keys_of(keys))),
            },
        )
    }
}

/// Reads a key: `{"data": {"id": "…", "algorithm": "ECDSA_SHA_256", "publicKey": "<base64>"}}`.
fn read(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    let data = field(document, "data").map_err(|_| "it is not JSON")?;
    let Some(Value::Object(data)) = data else { return Err("it has no `data`") };
    let text = |name| field(data.as_bytes(), name).ok().flatten().and_then(Value::into_text);
    if text("algorithm").as_deref() != Some("ECDSA_SHA_256") {
        return Err("its algorithm is not `ECDSA_SHA_256`");
    }
    let id = Some(text("id").ok_or("it has no `id`")?.into_owned());
    let key = text("publicKey").ok_or("it has no `publicKey`")?;
    let key = PublicKey::from_spki_base64(&key).map_err(|_| "its key is malformed")?;
    Ok(vec![NamedKey::new(id, key)])
}
