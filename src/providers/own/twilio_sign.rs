//! The signer of Twilio's requests.

use bytes::Bytes;
use http::{HeaderName, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::{encoding::Encoding, headers::is_form},
    providers::own::{
        shared_token::put,
        twilio::{SIGNATURE, Twilio},
        twilio_url::body_hash,
    },
};

impl crate::sign::sign::Sign for Twilio {
    /// Signs with the auth token.
    ///
    /// For a body that is not a form, `bodySHA256` is added to the query of the request if it is
    /// missing. A [fixed](crate::PublicUrl::fixed) URL must already have it.
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let is_covered = is_form(head)? || body.is_empty();
        if !is_covered && body_hash(&self.0.url.resolve(head)?)?.is_none() {
            add_body_hash(head, body)?;
        }
        let url = self.0.url.resolve(head)?;
        let parameters = self.0.signed_parameters(&url, head, body)?;
        let mut mac = self.0.auth_tokens.first().cloned().ok_or(Rejection::mismatch())?;
        mac.update(url.as_bytes());
        mac.update(&parameters.unwrap_or_default());
        let signature = Encoding::Base64.encode(mac.finalize().as_bytes());
        put(head, &HeaderName::from_static(SIGNATURE), signature.as_bytes())?;
        Ok(None)
    }
}

fn add_body_hash(head: &mut Parts, body: &[u8]) -> Result<(), Rejection> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let separator = if target.contains('?') { '&' } else { '?' };
    let hash = Encoding::Hex.encode(&Sha256::digest(body));
    let target = format!("{target}{separator}bodySHA256={hash}");
    let unknown = || Rejection::new(RejectionKind::UrlUnresolved);
    let mut parts = head.uri.clone().into_parts();
    parts.path_and_query = Some(target.try_into().map_err(|_| unknown())?);
    head.uri = http::Uri::from_parts(parts).map_err(|_| unknown())?;
    Ok(())
}
