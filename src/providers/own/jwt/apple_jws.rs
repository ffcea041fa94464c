//! JSON Web Signatures of Apple with a chain of certificates.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use x509_cert::der::oid::ObjectIdentifier;

use crate::{
    crypto::{
        jwt::Jwt,
        mac::Algorithm,
        public_key::PublicKey,
        x509::{Roots, key_of_issued},
    },
    outcome::{field::Field, rejection::Rejection},
    parse::encoding::MAX_SIGNATURE,
    providers::own::jwt::claims::{malformed, missing},
};

/// Root certificate of Apple: <https://www.apple.com/certificateauthority/AppleRootCA-G3.cer>, SHA-256
/// 63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179.
pub(crate) const ROOT: &str = include_str!("apple_root_ca_g3.pem");

/// Extensions of the certificate that signs for the App Store, and of its authority. Apple issues
/// certificates for other purposes, also to developers, under the same root.
const EXTENSIONS: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113635.100.6.11.1"),
    ObjectIdentifier::new_unwrap("1.2.840.113635.100.6.2.1"),
];

pub(crate) const PAYLOAD: &str = "signedPayload";

/// Certificates of the signatures of one request.
pub(crate) struct Chain<'a> {
    roots: &'a Roots,
    /// Milliseconds since 1970.
    now: i64,
    /// The last chain. The inner signatures have the same one.
    last: Option<Last>,
}

struct Last {
    leaf: String,
    authority: String,
    key: PublicKey,
}

impl<'a> Chain<'a> {
    pub(crate) const fn new(roots: &'a Roots, now: i64) -> Self {
        Self { roots, now, last: None }
    }

    /// Verifies a JWS and returns its payload.
    pub(crate) fn payload(&mut self, jws: &[u8]) -> Result<String, Rejection> {
        let not_one = || Rejection::malformed_in(Field::json(PAYLOAD));
        let jws = Jwt::read(jws).ok_or_else(not_one)?;
        if jws.has_extensions() {
            return Err(malformed("crit"));
        }
        let algorithm = Algorithm::EcdsaP256Sha256;
        if jws.algorithm() != Some(algorithm) {
            return Err(malformed("alg"));
        }
        let [leaf, authority, _] = jws.certificates().ok_or_else(|| missing("x5c"))? else {
            return Err(malformed("x5c"));
        };
        let is_last = |last: &Last| last.leaf == *leaf && last.authority == *authority;
        if !self.last.as_ref().is_some_and(is_last) {
            let decode = |text: &str| STANDARD.decode(text).map_err(|_| malformed("x5c"));
            let (first, second) = (decode(leaf)?, decode(authority)?);
            let key = key_of_issued(&first, &second, EXTENSIONS, self.roots, self.now);
            let key = key.filter(|key| key.algorithm() == algorithm);
            let key = key.ok_or_else(|| Rejection::mismatch().with_field(Field::jwt("x5c")))?;
            let (leaf, authority) = (leaf.clone(), authority.clone());
            self.last = Some(Last { leaf, authority, key });
        }
        let Some(Last { key, .. }) = &self.last else { return Err(malformed("x5c")) };
        let mut buffer = [0; MAX_SIGNATURE + 2];
        let signature = jws.decode_signature(algorithm, &mut buffer).ok_or_else(not_one)?;
        if !jws.is_signed_by_public(key, signature) {
            return Err(Rejection::mismatch().with_field(Field::json(PAYLOAD)));
        }
        jws.claims().map(|claims| claims.get().to_owned()).ok_or_else(not_one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(data: &serde_json::Value, name: &str) -> Vec<u8> {
        STANDARD.decode(data["production"][name].as_str().unwrap()).unwrap()
    }

    /// The certificates that sign in production, as Apple's library has them in its tests.
    #[test]
    fn bundled_root_has_issued_the_authority_of_the_app_store() {
        let data: serde_json::Value =
            serde_json::from_str(include_str!("../../../../tests/data/apple_app_store.json"))
                .unwrap();
        let (leaf, authority) = (der(&data, "leaf"), der(&data, "authority"));
        let key = |extensions, now| {
            key_of_issued(&leaf, &authority, extensions, &Roots::from_pem(ROOT).unwrap(), now)
        };
        let now = data["production"]["seconds"].as_i64().unwrap() * 1_000;
        assert_eq!(key(EXTENSIONS, now).unwrap().algorithm(), Algorithm::EcdsaP256Sha256);
        let [first, second] = EXTENSIONS;
        for extensions in [[second, second], [first, first], [second, first]] {
            assert!(key(extensions, now).is_none());
        }
        assert!(key(EXTENSIONS, 0).is_none());
        let other = Roots::from_pem(data["root"].as_str().unwrap()).unwrap();
        assert!(key_of_issued(&leaf, &authority, EXTENSIONS, &other, now).is_none());
        // The first one under the root alone.
        let own = Roots::from_pem(&pem(&authority)).unwrap();
        assert!(key_of_issued(&leaf, &authority, EXTENSIONS, &own, now).is_none());
    }

    fn pem(der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }
}
