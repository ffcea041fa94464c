//! Keys of a fetched document.

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    parse::json::{Malformed, Value, field, items},
};

/// Maximum number of keys that are read from a document.
const MAX_KEYS: usize = 64;

/// A public key and its ID, as a document lists them.
pub(crate) struct NamedKey {
    /// It is `None` if the document does not name the key.
    pub(crate) id: Option<String>,
    pub(crate) key: PublicKey,
}

/// Reads the keys in this field of a document, an array of objects.
///
/// An item that this crate does not know is left out, because a list may have keys for other purposes.
pub(crate) fn list(
    document: &[u8],
    name: &str,
    missing: &'static str,
    key: impl Fn(&str) -> Option<NamedKey>,
) -> Result<Vec<NamedKey>, &'static str> {
    let malformed = |_: Malformed| "it is not JSON";
    let Some(Value::Array(list)) = field(document, name).map_err(malformed)? else {
        return Err(missing);
    };
    let mut keys = Vec::new();
    items(list.as_bytes(), &mut |item| {
        if let Value::Object(item) = item {
            keys.extend(key(item));
        }
    })
    .map_err(malformed)?;
    Ok(keys)
}

/// Verifiers for the keys of a document, by the ID of their key.
pub(crate) struct KeySet<V>(Vec<(String, V)>);

impl<V> KeySet<V> {
    /// Creates a verifier for each ID. Keys with one ID have one verifier. A key without an ID has
    /// that of the request for the document.
    pub(crate) fn new(
        keys: Vec<NamedKey>,
        asked: &str,
        make: &dyn Fn(Vec<PublicKey>) -> Result<V, ConfigError>,
    ) -> Result<Self, &'static str> {
        if keys.len() > MAX_KEYS {
            return Err("it has more than 64 keys");
        }
        let mut groups: Vec<(String, Vec<PublicKey>)> = Vec::new();
        for NamedKey { id, key } in keys {
            // A key of another algorithm is for another purpose.
            if make(vec![key.clone()]).is_err() {
                continue;
            }
            let id = id.unwrap_or_else(|| asked.to_owned());
            match groups.iter_mut().find(|(other, _)| *other == id) {
                Some((_, group)) => group.push(key),
                None => groups.push((id, vec![key])),
            }
        }
        if groups.is_empty() {
            return Err("it has no key with the provider's algorithm");
        }
        let made = groups.into_iter().map(|(id, group)| Ok((id, make(group)?)));
        let verifiers = made.collect::<Result<_, ConfigError>>();
        verifiers.map(Self).map_err(|_| "it has more than 16 keys for one ID, or without one")
    }

    pub(crate) fn get(&self, id: &str) -> Option<&V> {
        self.0.iter().find(|(other, _)| other == id).map(|(_, verifier)| verifier)
    }
}
