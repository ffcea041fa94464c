//! GitHub's form of a list of public keys.

use crate::{
    crypto::public_key::PublicKey,
    fetched_keys::key_set::{NamedKey, list},
    parse::json::field,
};

/// Returns `true` if this is a SHA-256 in hexadecimal, as GitHub's IDs are.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads a list of keys: `{"public_keys": [{"key_identifier": "…", "key": "<PEM>"}]}`.
pub(crate) fn read(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    list(document, "public_keys", "it has no `public_keys`", |item| {
        let text = |name| field(item.as_bytes(), name).ok()??.into_text();
        let key = PublicKey::from_pem(&text("key")?).ok()?;
        Some(NamedKey::new(Some(text("key_identifier")?.into_owned()), key))
    })
}
