//! JSON Web Key Sets (RFC 7517).

use crate::{
    crypto::jwk,
    fetched_keys::key_set::NamedKey,
    parse::json::{Malformed, Value, field, items},
};

/// Reads the keys of a set: `{"keys": [{"kty": "…", "kid": "…", …}]}`.
///
/// A key that this crate does not know is left out, because a set may have keys for other purposes.
pub(crate) fn read(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    let malformed = |_: Malformed| "it is not JSON";
    let Some(Value::Array(list)) = field(document, "keys").map_err(malformed)? else {
        return Err("it has no `keys`");
    };
    let mut keys = Vec::new();
    items(list.as_bytes(), &mut |item| {
        if let Value::Object(item) = item
            && let Some((id, key)) = jwk::read(item)
        {
            keys.push(NamedKey { id, key });
        }
    })
    .map_err(malformed)?;
    Ok(keys)
}

/// Returns `true` if a key can have this ID: visible ASCII characters. No URL is made of it.
pub(crate) fn is_key_id(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_graphic())
}
