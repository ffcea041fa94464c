//! Signing with a declared scheme.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    crypto::{mac::Tag, secret_hash::SecretHash},
    outcome::rejection::Rejection,
    parse::timestamp::TimestampFormat,
    scheme::{
        component::{Component, SignatureSource, TimestampSource},
        declaration::Scheme,
        signed_content::{Piece, Read, Side, Signed},
        verifier::{Keys, SchemeVerifier},
    },
    sign::{
        query,
        sign::{Sign, Signing, no_private_key},
    },
};

impl Sign for SchemeVerifier {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        self.0.check_edges(body)?;
        let scheme = &self.0.scheme;
        put_signature(self, head, body, with.time(), |content| {
            let digest = scheme.is_digested.then(|| Sha256::digest(content));
            let content = digest.as_ref().map_or(content, |digest| digest.as_slice());
            let tag = self.tag(content).map(|tag| tag.as_bytes().to_vec());
            tag.or_else(|| with.signature(scheme.algorithm, content))
        })?;
        Ok(None)
    }
}

/// Adds the headers of the scheme to the head, with the signature that `sign` returns.
///
/// # Errors
///
/// Returns a [`Rejection`] if the signed content cannot be determined, or `sign` returns `None`.
fn put_signature(
    verifier: &SchemeVerifier,
    head: &mut Parts,
    body: &[u8],
    time: SystemTime,
    sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Result<(), Rejection> {
    let scheme = &verifier.0.scheme;
    let time_text = scheme.time.map(|(_, format)| format.write(time)).unwrap_or_default();
    if let Some((TimestampSource::Header(name), _)) = scheme.time {
        set(head, name, &time_text);
    }
    for (name, value) in scheme.required {
        set(head, name, value);
    }
    for part in scheme.signed_content {
        let (name, value) = match *part {
            Component::Header(name) => (Some(name), "delivery-1".to_owned()),
            Component::HttpDate(name) => (Some(name), TimestampFormat::HttpDate.write(time)),
            Component::Id => (scheme.delivery_id, "delivery-1".to_owned()),
            _ => continue,
        };
        if let Some(name) = name.filter(|name| !head.headers.contains_key(*name)) {
            set(head, name, &value);
        }
    }
    let value = |signature: &str| {
        let value = scheme.signature_format.write(&time_text, signature);
        match scheme.source {
            SignatureSource::Authorization(name) => format!("{name} {value}"),
            _ => value,
        }
    };
    // The signed content takes the time from this header, so the header is set before signing.
    put(head, scheme, &value(""))?;
    let signature = sign(&verifier.content(head, body)?).ok_or_else(no_private_key)?;
    put(head, scheme, &value(&scheme.encoding.encode(&signature)))
}

/// Puts a signature into its header or its parameter of the query.
fn put(head: &mut Parts, scheme: &Scheme, signature: &str) -> Result<(), Rejection> {
    let name = scheme.signature_name();
    let SignatureSource::Query(_) = scheme.source else {
        set(head, name, signature);
        return Ok(());
    };
    query::put(head, &[(name, signature.to_owned())])
}

fn set(head: &mut Parts, name: &'static str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        head.headers.insert(name, value);
    }
}

impl SchemeVerifier {
    /// Returns the content that an authentic request with this head and body signs.
    ///
    /// # Errors
    ///
    /// Returns a [`Rejection`] if a part of the content is missing or malformed.
    fn content(&self, head: &Parts, body: &[u8]) -> Result<Vec<u8>, Rejection> {
        let scheme = &self.0.scheme;
        let secret = match &self.0.keys {
            Keys::Hashed(hashes) => hashes.first().map_or(&[][..], SecretHash::secret),
            Keys::Public(_) | Keys::Secret(_) => &[],
        };
        let request = Signed { head, url: self.0.url.as_ref(), read: Read::default() };
        let mut content = Vec::new();
        let mut add = |piece: Piece<'_>| match piece {
            Piece::Bytes(bytes) => content.extend_from_slice(bytes),
            Piece::Secret => content.extend_from_slice(secret),
        };
        scheme.each_piece(Side::BeforeBody, request, &mut add)?;
        scheme.each_body_part(body, |bytes| add(Piece::Bytes(bytes)));
        scheme.each_piece(Side::AfterBody, request, &mut add)?;
        Ok(content)
    }

    /// Returns the tag of this content under the first secret, or `None` for a public key.
    pub(crate) fn tag(&self, content: &[u8]) -> Option<Tag> {
        if let Keys::Hashed(hashes) = &self.0.keys {
            let mut hash = hashes.first()?.clone();
            hash.update(content);
            return Some(hash.finalize());
        }
        let mut mac = self.0.keys.macs().first()?.clone();
        mac.update(content);
        Some(mac.finalize())
    }
}
