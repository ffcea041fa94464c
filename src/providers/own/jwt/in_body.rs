//! Tokens in bodies that name their key.

use bytes::Bytes;

use crate::{
    crypto::jwt::Jwt,
    fetched_keys::jwks,
    outcome::rejection::Rejection,
    providers::own::jwt::{claims::malformed, verifier::JwtVerifier},
    verifier::context::Context,
};

impl JwtVerifier {
    /// Returns the ID of the key that the token of a body names, if no key can be missing but this one.
    pub(crate) fn key_id_of(
        &self,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<String, Rejection> {
        let token = self.0.rules.token_of(body)?;
        self.check(&token, request, None)?;
        let id = Jwt::read(&token).and_then(|jwt| jwt.key_id().map(str::to_owned));
        id.filter(|id| jwks::is_key_id(id)).ok_or_else(|| malformed("kid"))
    }
}
