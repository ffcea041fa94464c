//! Keys of a fetched document.

use crate::{crypto::public_key::PublicKey, error::ConfigError};

/// Maximum number of keys that are read from a document.
const MAX_KEYS: usize = 64;

/// A public key and its ID, as a document lists them.
pub(crate) struct NamedKey {
    pub(crate) id: String,
    pub(crate) key: PublicKey,
}

/// Verifiers for the keys of a document, by the ID of their key.
pub(crate) struct KeySet<V>(Vec<(String, V)>);

impl<V> KeySet<V> {
    /// Creates a verifier for each ID. Keys with one ID have one verifier.
    pub(crate) fn new(
        keys: Vec<NamedKey>,
        make: impl Fn(Vec<PublicKey>) -> Result<V, ConfigError>,
    ) -> Result<Self, &'static str> {
        if keys.len() > MAX_KEYS {
            return Err("it has more than 64 keys");
        }
        let mut groups: Vec<(String, Vec<PublicKey>)> = Vec::new();
        for NamedKey { id, key } in keys {
            match groups.iter_mut().find(|(other, _)| *other == id) {
                Some((_, group)) => group.push(key),
                None => groups.push((id, vec![key])),
            }
        }
        // A key of another algorithm is for another purpose.
        let made = groups.into_iter().filter_map(|(id, group)| Some((id, make(group).ok()?)));
        let verifiers: Vec<_> = made.collect();
        if verifiers.is_empty() {
            return Err("it has no key with the provider's algorithm");
        }
        Ok(Self(verifiers))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&V> {
        self.0.iter().find(|(other, _)| other == id).map(|(_, verifier)| verifier)
    }
}
