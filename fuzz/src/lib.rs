//! What the targets share: an HMAC of their own, and requests.

pub mod callbacks;
pub mod challenges;
pub mod engine;
pub mod json;

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request::Parts};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use tower_webhook::{Rejection, Secret, Verified, Verifier, verifier::verify_at};

/// The time of all requests, in seconds.
pub const NOW: u64 = 1_700_000_000;

/// The secrets: current, former, and one that nobody is configured with.
pub const KEYS: [&str; 3] = ["current-secret-of-the-targets", "former-secret", "foreign-secret"];

pub fn secret(index: usize) -> Secret {
    Secret::new(KEYS[index]).unwrap()
}

pub fn at(unix: u64) -> impl Fn() -> SystemTime + Clone + Send + Sync + 'static {
    move || UNIX_EPOCH + Duration::from_secs(unix)
}

/// What a verifier says at the time of all requests.
pub fn verify<V: Verifier>(
    verifier: &V,
    head: &Parts,
    body: &Bytes,
) -> Result<Verified, Rejection> {
    verify_at(verifier, head, body, at(NOW)).map(|outcome| outcome.verified().clone())
}

/// HMAC by its definition (RFC 2104), for keys that are no longer than a block.
macro_rules! hmac {
    ($name:ident, $hash:ty, $block:literal) => {
        pub fn $name(key: &[u8], message: &[&[u8]]) -> Vec<u8> {
            let mut block = [0; $block];
            block[..key.len()].copy_from_slice(key);
            let mut inner = <$hash>::new_with_prefix(block.map(|byte| byte ^ 0x36));
            message.iter().for_each(|part| inner.update(part));
            let outer = <$hash>::new_with_prefix(block.map(|byte| byte ^ 0x5c));
            outer.chain_update(inner.finalize()).finalize().to_vec()
        }
    };
}

hmac!(hmac_sha1, Sha1, 64);
hmac!(hmac_sha256, Sha256, 64);
hmac!(hmac_sha384, Sha384, 128);
hmac!(hmac_sha512, Sha512, 128);

pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// Canonical base64 whose padding may be left out, in whole or in part.
pub fn loose_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let padding = (4 - bare.len() % 4) % 4;
    let is_padded = text.len() - bare.len() <= padding;
    data_encoding::BASE64_NOPAD.decode(bare.as_bytes()).ok().filter(|_| is_padded)
}

/// A request's head; `None` when HTTP knows no such URI.
pub fn head(method: Method, uri: &[u8]) -> Option<Parts> {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::try_from(uri).ok()?;
    Some(request.into_parts().0)
}

/// `None` when it is no header's value.
pub fn add(head: &mut Parts, name: &'static str, value: &[u8]) -> Option<()> {
    let value = HeaderValue::from_bytes(value).ok()?;
    head.headers.append(HeaderName::from_static(name), value);
    Some(())
}

/// Without the spaces and tabs around it.
pub fn trimmed(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |at| at + 1);
    &value[start..end]
}

/// What is done to a text that was right.
#[derive(Clone, Copy, Debug, arbitrary::Arbitrary)]
pub enum Edit {
    Flip(u8, u8),
    Insert(u8, u8),
    Remove(u8),
    Swap(u8),
    Cut(u8),
    Upper,
}

pub fn edit(text: &mut Vec<u8>, edits: &[Edit]) {
    for edit in edits.iter().take(8) {
        let len = text.len();
        match *edit {
            Edit::Upper => text.make_ascii_uppercase(),
            Edit::Insert(at, byte) => text.insert(usize::from(at) % (len + 1), byte),
            Edit::Cut(at) => text.truncate(usize::from(at)),
            _ if len == 0 => {}
            Edit::Flip(at, mask) => text[usize::from(at) % len] ^= mask,
            Edit::Remove(at) => drop(text.remove(usize::from(at) % len)),
            Edit::Swap(at) => text.swap(usize::from(at) % len, (usize::from(at) + 1) % len),
        }
    }
}

/// The top-level object's members; an error where anything in it is no JSON.
pub fn members(json: &[u8]) -> Result<Vec<(String, Box<RawValue>)>, String> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }

    // What it passes over, it does not check; so it reads everything first.
    serde_json::from_slice::<Value>(json).map_err(|error| error.to_string())?;
    let mut reader = serde_json::Deserializer::from_slice(json);
    let members = reader.deserialize_map(Members).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(members)
}
