//! Secrets that sign a text which the verifier builds from the parsed request.

use std::{fmt, sync::Arc};

use http::request::Parts;

use crate::{
    crypto::{
        mac::{Algorithm, KeyMatches, Mac, Tag},
        secret::Secret,
        secret_hash::SecretHash,
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::{
        encoding::Encoding,
        headers::required,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::{Times, Tolerance},
    },
    providers::other_credentials,
    scheme::signature_format::{MAX_CANDIDATES, SignatureFormat, TimeText},
    verifier::context::Context,
};

/// Returns the signature in a header, which has nothing else.
pub(crate) fn signature(
    head: &Parts,
    name: &'static str,
    encoding: Encoding,
) -> Result<Tag, Rejection> {
    let mut tag = [0; Algorithm::HmacSha256.tag_len()];
    let decoded = encoding.decode(required(head, name)?, &mut tag);
    decoded.map(|()| Tag::new(&tag)).ok_or(Rejection::malformed(name))
}

/// Returns the timestamp, or what stands in its place, and the signatures in hexadecimal of a header.
pub(crate) fn timed_signatures<'a>(
    head: &'a Parts,
    name: &'static str,
    format: SignatureFormat,
) -> Result<(&'a [u8], Vec<Tag>), Rejection> {
    let malformed = || Rejection::malformed(name);
    let (mut tags, mut count) = (Vec::new(), 0);
    let time = format.read(required(head, name)?, |text| {
        count += 1;
        if count > MAX_CANDIDATES {
            return Err(malformed());
        }
        let mut tag = [0; Algorithm::HmacSha256.tag_len()];
        tags.extend(Encoding::Hex.decode(text, &mut tag).map(|()| Tag::new(&tag)));
        Ok(())
    })?;
    match time {
        TimeText::Found(time) if !tags.is_empty() => Ok((time, tags)),
        _ => Err(malformed()),
    }
}

/// Returns the signed time in a header, if it is within the tolerance.
pub(crate) fn signed_time(
    request: &Context<'_>,
    name: &'static str,
    format: TimestampFormat,
    tolerance: Tolerance,
) -> Result<Times, Rejection> {
    let time = Timestamp::parse(required(request.head(), name)?, format);
    let time = time.ok_or(Rejection::malformed(name))?;
    let time = tolerance.judge(time, request.clock()).map_err(|why| why.in_header(name))?;
    Ok(time.times())
}

/// A secret as the key of an algorithm.
#[derive(Clone)]
pub(crate) enum Key {
    Mac(Mac),
    /// A plain hash of the content and the secret behind it, which is no MAC.
    HashBefore(SecretHash),
    /// A plain hash of the content's parts and the secret, sorted by their bytes.
    HashSorted(SecretHash),
}

impl Key {
    /// Returns the tag of a content, which has these parts.
    pub(crate) fn tag(&self, content: &[&[u8]]) -> Tag {
        match self.clone() {
            Self::Mac(mut mac) => {
                content.iter().for_each(|part| mac.update(part));
                mac.finalize()
            }
            Self::HashBefore(mut hash) => {
                content.iter().for_each(|part| hash.update(part));
                hash.update_with_secret();
                hash.finalize()
            }
            Self::HashSorted(hash) => hash.finalize_sorted(content),
        }
    }
}

/// Returns the key of a secret.
pub(crate) type KeyOf = fn(&Secret) -> Key;

/// The secrets of a provider, as the keys of its algorithm.
#[derive(Clone)]
pub(crate) struct ContentKeys(Arc<Inner>);

struct Inner {
    provider: &'static str,
    keys: Vec<Key>,
    #[cfg(feature = "explain")]
    key: KeyOf,
    #[cfg(feature = "explain")]
    secrets: Vec<Secret>,
}

impl ContentKeys {
    pub(crate) fn new(
        provider: &'static str,
        key: KeyOf,
        secrets: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        Ok(Self::of(provider, key, other_credentials::checked(secrets, 0, provider)?))
    }

    fn of(provider: &'static str, key: KeyOf, secrets: Vec<Secret>) -> Self {
        Self(Arc::new(Inner {
            provider,
            keys: secrets.iter().map(key).collect(),
            #[cfg(feature = "explain")]
            key,
            #[cfg(feature = "explain")]
            secrets,
        }))
    }

    /// Returns the tags of a content under each secret.
    fn tags(&self, content: &[&[u8]]) -> Vec<Tag> {
        self.0.keys.iter().map(|key| key.tag(content)).collect()
    }

    /// Returns the proof of a request with one of these signatures over one of these contents.
    ///
    /// The replay key is that of the last content: it must be the same for all requests that a
    /// sender could derive from this one.
    pub(crate) fn verify(
        &self,
        contents: &[&[&[u8]]],
        signatures: &[Tag],
    ) -> Result<Verified, Rejection> {
        let mut matches = KeyMatches::of_keys(self.0.keys.len());
        let mut oldest = None;
        for content in contents {
            let tags = self.tags(content);
            for signature in signatures {
                matches.add(&tags, signature.as_bytes());
            }
            oldest = tags.last().copied();
        }
        let verified = Verified::new(self.0.provider).with_key_index(matches.accepted()?);
        Ok(match oldest {
            // A rotation does not change the tag under the oldest secret.
            Some(oldest) => verified.with_replay_material(oldest.as_bytes()),
            None => verified,
        })
    }

    /// Returns the proof as [`verify`](Self::verify) does, with the time of the signature.
    pub(crate) fn verify_timed(
        &self,
        contents: &[&[&[u8]]],
        signatures: &[Tag],
        (signed_at, valid_for): Times,
    ) -> Result<Verified, Rejection> {
        let mut verified = self.verify(contents, signatures)?;
        (verified.signed_at, verified.valid_for) = (signed_at, valid_for);
        Ok(verified)
    }

    /// Returns the tag of a content under the first secret.
    #[cfg(feature = "sign")]
    pub(crate) fn tag(&self, content: &[&[u8]]) -> Result<Tag, Rejection> {
        self.tags(content).first().copied().ok_or(Rejection::mismatch())
    }

    /// Returns the same secrets as keys of another algorithm.
    #[cfg(feature = "explain")]
    pub(crate) fn with_key(&self, key: KeyOf) -> Self {
        Self::of(self.0.provider, key, self.0.secrets.clone())
    }

    /// Tries other forms of the secrets. `verifier` creates the provider's verifier.
    #[cfg(feature = "explain")]
    pub(crate) fn probe<V: crate::verifier::verifier::Verifier>(
        &self,
        probe: &mut crate::verifier::probe::Probe<'_>,
        verifier: impl Fn(Self) -> V,
    ) {
        let Inner { provider, key: of, .. } = *self.0;
        let credentials = other_credentials::of(provider);
        let secrets = &self.0.secrets;
        crate::providers::own::variants::probe_secrets(probe, secrets, credentials, |key| {
            verifier(Self::of(provider, of, vec![key]))
        });
    }
}

impl fmt::Debug for ContentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentKeys").field("secrets", &self.0.keys.len()).finish()
    }
}
