//! JSON Web Key Sets (RFC 7517).

use crate::{
    crypto::jwk,
    fetched_keys::{
        key_set::{NamedKey, list},
        source::MAX_ID,
    },
};

/// Reads the keys of a set: `{"keys": [{"kty": "…", "kid": "…", …}]}`.
pub(crate) fn read(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    list(document, "keys", "it has no `keys`", |item| {
        jwk::read(item).map(|(id, key)| NamedKey::new(id, key))
    })
}

/// Returns `true` if a key can have this ID: up to 256 visible ASCII characters. No URL is made of it.
pub(crate) fn is_key_id(id: &str) -> bool {
    id.len() <= MAX_ID && id.bytes().all(|byte| byte.is_ascii_graphic())
}
