use bytes::Bytes;
use http::{HeaderName, request::Parts};

use crate::{
    Profile, Rejection, Secret, Verified, Verifier, head::required_named, scheme::mac::Verdict,
};

/// A fixed token in a header of the user's choice, such as WSAPI's "webhook authentication
/// secret".
///
/// It is **weaker than a signature**: it does not cover the body, so whoever sees one request can
/// send any other. Prefer the provider's signature where it has one, or use both with
/// [`all_of`](crate::all_of).
///
/// It is also for Datadog, BigCommerce and others whose users choose the headers; for providers with
/// a header of their own see the module [`tokens`](super::tokens).
///
/// The token is compared in constant time, before the body is read.
#[derive(Clone, Debug)]
pub struct SharedToken {
    header: HeaderName,
    secrets: Vec<Secret>,
}

impl SharedToken {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const PROFILE: Profile = Profile::DEFAULT.with_provider("shared_token");

    /// Expects this token as the header's whole value.
    #[must_use]
    pub fn new(header: HeaderName, token: Secret) -> Self {
        Self { header, secrets: vec![token] }
    }

    /// Accepts a further token, for a rotation.
    #[must_use]
    pub fn or_secret(mut self, token: Secret) -> Self {
        self.secrets.push(token);
        self
    }

    fn key_index(&self, head: &Parts) -> Result<usize, Rejection> {
        let received = required_named(head, &self.header)?;
        index_of(&self.secrets, received).ok_or(Rejection::mismatch())
    }
}

/// The index of the first secret that was received. All are compared, whichever it is.
pub(super) fn index_of(secrets: &[Secret], received: &[u8]) -> Option<usize> {
    let mut verdict = Verdict::new();
    for (index, secret) in secrets.iter().enumerate() {
        verdict.add(index, secret.ct_matches(received));
    }
    verdict.accepted()
}

impl Verifier for SharedToken {
    type State = usize;

    fn begin(&self, head: &Parts) -> Result<usize, Rejection> {
        self.key_index(head)
    }

    fn finish(&self, key_index: usize, _: &Parts, _: &Bytes) -> Result<Verified, Rejection> {
        Ok(Verified::new(Self::PROFILE.provider()).with_key_index(key_index))
    }

    fn profile(&self) -> Profile {
        Self::PROFILE
    }
}

#[cfg(feature = "sign")]
impl crate::sign::Sign for SharedToken {
    fn sign(&self, head: &mut Parts, _: &[u8], _: std::time::SystemTime) -> Result<(), Rejection> {
        put(head, &self.header, self.secrets.first().map(Secret::expose).unwrap_or_default())
    }
}

/// Puts a secret into a header.
#[cfg(feature = "sign")]
pub(super) fn put(head: &mut Parts, name: &HeaderName, value: &[u8]) -> Result<(), Rejection> {
    let malformed = |_| Rejection::malformed(name.to_string());
    let mut value = http::HeaderValue::from_bytes(value).map_err(malformed)?;
    value.set_sensitive(true);
    head.headers.insert(name.clone(), value);
    Ok(())
}
