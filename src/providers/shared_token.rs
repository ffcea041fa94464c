use bytes::Bytes;
use http::{HeaderName, request::Parts};
use subtle::Choice;

use crate::{Profile, Rejection, Secret, Verified, Verifier, head::required_named};

/// A fixed token in a header of the user's choice, such as WSAPI's "webhook authentication
/// secret".
///
/// It is **weaker than a signature**: it does not cover the body, so whoever sees one request can
/// send any other. Prefer the provider's signature where it has one, or use both with
/// [`all_of`](crate::all_of).
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
        let mut is_known = Choice::from(0);
        let mut key_index = 0;
        for (index, secret) in self.secrets.iter().enumerate() {
            let is_match = secret.ct_matches(received);
            if bool::from(is_match & !is_known) {
                key_index = index;
            }
            is_known |= is_match;
        }
        bool::from(is_known).then_some(key_index).ok_or(Rejection::mismatch())
    }
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
        let malformed = || Rejection::malformed(self.header.to_string());
        let token = self.secrets.first().ok_or_else(malformed)?;
        let value = http::HeaderValue::from_bytes(token.expose()).map_err(|_| malformed())?;
        head.headers.insert(self.header.clone(), value);
        Ok(())
    }
}
