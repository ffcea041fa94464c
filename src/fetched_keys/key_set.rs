//! Keys of a fetched document.

use std::sync::Arc;

use crate::{
    crypto::public_key::PublicKey,
    error::ConfigError,
    fetched_keys::{asked::Millis, fetcher::Settings},
    parse::json::{Malformed, Value, field, items},
};

/// Maximum number of keys that are read from a document.
const MAX_KEYS: usize = 64;

/// A public key and its ID, as a document lists them.
#[derive(Clone)]
pub(crate) struct NamedKey {
    /// It is `None` if the document does not name the key.
    pub(crate) id: Option<String>,
    pub(crate) key: PublicKey,
    /// The ID again, for a provider whose requests name several keys. Otherwise empty.
    pub(crate) name: String,
    /// Time after which the key is not used, whatever the cache has.
    pub(crate) until: Option<Millis>,
    /// Purposes for which the provider uses the key. `None` if it is for all.
    pub(crate) purposes: Option<Vec<String>>,
}

impl NamedKey {
    pub(crate) const fn new(id: Option<String>, key: PublicKey) -> Self {
        Self { id, key, name: String::new(), until: None, purposes: None }
    }
}

/// Returns the keys without what the document says about them.
pub(crate) fn keys_of(keys: Vec<NamedKey>) -> Vec<PublicKey> {
    keys.into_iter().map(|named| named.key).collect()
}

/// Reason for which a document has no keys.
pub(crate) enum NoKeys {
    /// The provider does not use the key any more.
    Expired,
    /// The document is not what the provider publishes.
    Because(&'static str),
}

impl From<&'static str> for NoKeys {
    fn from(why: &'static str) -> Self {
        Self::Because(why)
    }
}

/// Reads the keys of a document.
pub(crate) type ReadKeys =
    Arc<dyn Fn(&[u8], &Settings) -> Result<Vec<NamedKey>, NoKeys> + Send + Sync>;

/// Function that creates a verifier with these keys.
pub(crate) type MakeOfKeys<V> = Arc<dyn Fn(Vec<NamedKey>) -> Result<V, ConfigError> + Send + Sync>;

/// Returns a function that gives the keys to a copy of this verifier, which has none.
pub(crate) fn given_to<V: Clone + Send + Sync + 'static>(
    keyless: &V,
    with_keys: fn(V, Vec<PublicKey>) -> Result<V, ConfigError>,
) -> MakeOfKeys<V> {
    let keyless = keyless.clone();
    Arc::new(move |keys| with_keys(keyless.clone(), keys_of(keys)))
}

/// Returns a reader that needs nothing but the document.
pub(crate) fn plain(read: fn(&[u8]) -> Result<Vec<NamedKey>, &'static str>) -> ReadKeys {
    Arc::new(move |document, _| read(document).map_err(NoKeys::Because))
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
pub(crate) struct KeySet<V>(Vec<Entry<V>>);

struct Entry<V> {
    id: String,
    until: Option<Millis>,
    verifier: V,
}

impl<V> KeySet<V> {
    /// Creates a verifier for each ID. Keys with one ID have one verifier. A key without an ID has
    /// that of the request for the document.
    pub(crate) fn new(
        keys: Vec<NamedKey>,
        asked: &str,
        make: &MakeOfKeys<V>,
    ) -> Result<Self, NoKeys> {
        if keys.len() > MAX_KEYS {
            return Err("it has more than 64 keys".into());
        }
        let mut groups: Vec<(String, Vec<NamedKey>)> = Vec::new();
        for mut key in keys {
            // A key of another algorithm is for another purpose.
            if make(vec![key.clone()]).is_err() {
                continue;
            }
            let id = key.id.take().unwrap_or_else(|| asked.to_owned());
            match groups.iter_mut().find(|(other, _)| *other == id) {
                Some((_, group)) => group.push(key),
                None => groups.push((id, vec![key])),
            }
        }
        if groups.is_empty() {
            return Err("it has no key with the provider's algorithm".into());
        }
        let made = groups.into_iter().map(|(id, group)| {
            let until = group.iter().filter_map(|key| key.until).min();
            Ok(Entry { id, until, verifier: make(group)? })
        });
        let entries = made.collect::<Result<_, ConfigError>>();
        let too_many = |_| "it has more than 16 keys for one ID, or without one".into();
        entries.map(Self).map_err(too_many)
    }

    /// Returns `true` if there is a key of this ID, also if it has expired.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|entry| entry.id == id)
    }

    /// Returns the verifier with the key of this ID, if the key has not expired at this time.
    pub(crate) fn get(&self, id: &str, now: Millis) -> Option<&V> {
        let entry = self.0.iter().find(|entry| entry.id == id)?;
        entry.until.is_none_or(|until| now <= until).then_some(&entry.verifier)
    }
}
