//! JSON Web Key Sets (RFC 7517).

use crate::{
    crypto::{jwk, jws::JwsAlgorithm},
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

/// Reads the keys of a set that are for one of these algorithms.
pub(crate) fn read_for(
    document: &[u8],
    algorithms: &[JwsAlgorithm],
) -> Result<Vec<NamedKey>, &'static str> {
    let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    list(document, "keys", "it has no `keys`", |item| {
        jwk::read_for(item, &names).map(|(id, key)| NamedKey::new(id, key))
    })
}

/// Returns `true` if a key can have this ID: 1 to 256 visible ASCII characters. No URL is made of it.
pub(crate) fn is_key_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
