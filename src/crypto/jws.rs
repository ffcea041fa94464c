//! JSON Web Signatures with a detached payload (RFC 7515, appendix F).

use aws_lc_rs::signature::{
    ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;

use crate::{
    crypto::{mac::Algorithm, public_key::PublicKey},
    parse::{
        encoding::{BASE64URL_KEY, Encoding, MAX_SIGNATURE},
        json::{Malformed, Value, field, items, members},
    },
};

/// Signature algorithm of RFC 7518 or RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JwsAlgorithm {
    EdDsa,
    Es256,
    Es512,
    Ps256,
    Rs512,
}

impl JwsAlgorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Rs512 => "RS512",
        }
    }

    /// Returns the algorithm of the keys that sign so.
    pub(crate) const fn of_key(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::Ed25519,
            Self::Es256 => Algorithm::EcdsaP256Sha256,
            Self::Es512 => Algorithm::EcdsaP521Sha512,
            // The padding and the hash are not part of a key.
            Self::Ps256 | Self::Rs512 => Algorithm::RsaPkcs1Sha256,
        }
    }

    /// Returns `true` if this is the signature of a content by this algorithm, which must be one for the
    /// key.
    pub(crate) fn is_signed_by(self, key: &PublicKey, content: &[u8], signature: &[u8]) -> bool {
        if key.algorithm() != self.of_key() {
            return false;
        }
        let verification: &'static dyn VerificationAlgorithm = match self {
            Self::EdDsa | Self::Es256 => return key.verifies_jws(content, signature),
            Self::Es512 => &ECDSA_P521_SHA512_FIXED,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        };
        let key = UnparsedPublicKey::new(verification, key.as_bytes());
        key.verify(content, signature).is_ok()
    }

    /// Returns the length of a signature in bytes, or the maximum of RSA.
    const fn signature_len(self) -> (usize, bool) {
        match self {
            Self::EdDsa | Self::Es256 => (64, true),
            Self::Es512 => (132, true),
            Self::Ps256 | Self::Rs512 => (MAX_SIGNATURE, false),
        }
    }
}

/// A signature, which may be invalid, with its header.
pub(crate) struct DetachedJws<'a> {
    /// The header in base64url, which is a part of the signed content.
    pub(crate) protected: &'a [u8],
    header: Vec<u8>,
    signature: &'a [u8],
}

impl<'a> DetachedJws<'a> {
    /// Reads `<header>..<signature>`. The header must be an object.
    pub(crate) fn read(text: &'a [u8]) -> Option<Self> {
        let dot = text.iter().position(|byte| *byte == b'.')?;
        let (protected, rest) = text.split_at(dot);
        let signature = rest.strip_prefix(b"..")?;
        let header = BASE64URL_KEY.decode(protected).ok()?;
        members(&header, &mut |_, _| Ok(())).ok()?;
        Some(Self { protected, header, signature })
    }

    /// Returns a parameter of the header. One that occurs twice is malformed, because two readers could
    /// take different ones.
    pub(crate) fn parameter(&self, name: &str) -> Result<Option<Value<'_>>, Malformed> {
        field(&self.header, name)
    }

    /// Returns the text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.parameter(name).ok()??;
        value.into_text().map(|text| text.into_owned())
    }

    /// Returns the algorithm of this list that the header names.
    pub(crate) fn algorithm(&self, allowed: &[JwsAlgorithm]) -> Option<JwsAlgorithm> {
        let named = self.text("alg")?;
        allowed.iter().copied().find(|algorithm| algorithm.name() == named)
    }

    /// Checks that the receiver knows each extension that it must know, that the header has it, and that the
    /// list is not empty and names none twice (RFC 7515, section 4.1.11).
    pub(crate) fn check_extensions(&self, known: &[&str]) -> Result<(), Malformed> {
        let list = match self.parameter("crit")? {
            None => return Ok(()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Malformed),
        };
        let (mut named, mut is_known) = (Vec::new(), true);
        items(list.as_bytes(), &mut |item| {
            let name = item.into_text().unwrap_or_default();
            let at = known.iter().position(|known| *known == name);
            // Each name costs a reading of the header, so a repeated one ends it.
            is_known = is_known
                && at.is_some_and(|at| !named.contains(&at))
                && matches!(self.parameter(&name), Ok(Some(_)));
            named.extend(at.filter(|_| is_known));
        })?;
        (is_known && !named.is_empty()).then_some(()).ok_or(Malformed)
    }

    /// Returns `true` if the payload is signed as it is, and not in base64url (RFC 7797). The parameter must
    /// then be among the extensions that the receiver must know.
    pub(crate) fn has_raw_payload(&self) -> Result<bool, Malformed> {
        let mut raw = None;
        members(&self.header, &mut |name, value| {
            let is_twice = name == "b64" && raw.replace(value.get() == "false").is_some();
            let is_bool = name != "b64" || ["true", "false"].contains(&value.get());
            if is_bool && !is_twice { Ok(()) } else { Err(Malformed) }
        })?;
        let Some(is_raw) = raw else { return Ok(false) };
        let mut is_critical = false;
        if let Some(Value::Array(list)) = self.parameter("crit")? {
            let visit =
                &mut |item: Value<'_>| is_critical |= item.into_text().as_deref() == Some("b64");
            items(list.as_bytes(), visit)?;
        }
        if is_critical { Ok(is_raw) } else { Err(Malformed) }
    }

    /// Returns the decoded signature, if it is as long as those of this algorithm can be.
    pub(crate) fn decode_signature(&self, algorithm: JwsAlgorithm) -> Option<Vec<u8>> {
        let (len, is_fixed) = algorithm.signature_len();
        let mut buffer = [0; MAX_SIGNATURE + 2];
        let signature = Encoding::Base64Url.decode_up_to(len, self.signature, &mut buffer)?;
        (!is_fixed || signature.len() == len).then(|| signature.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(json: &str) -> Vec<u8> {
        format!("{}..AA", Encoding::Base64Url.encode(json.as_bytes())).into_bytes()
    }

    #[test]
    fn only_a_detached_signature_is_read() {
        let text = header(r#"{"alg":"ES512"}"#);
        let jws = DetachedJws::read(&text).unwrap();
        assert_eq!(
            jws.algorithm(&[JwsAlgorithm::EdDsa, JwsAlgorithm::Es512]),
            Some(JwsAlgorithm::Es512)
        );
        assert_eq!(jws.algorithm(&[JwsAlgorithm::EdDsa]), None);
        assert_eq!(jws.decode_signature(JwsAlgorithm::Rs512).unwrap(), [0]);
        assert_eq!(jws.decode_signature(JwsAlgorithm::Es512), None);
        let text = str::from_utf8(&text).unwrap();
        for other in [
            "",
            "..",
            "a..b",
            ".",
            "..AA",
            &text.replace("..", "."),
            &text.replace("..", ".e30."),
            str::from_utf8(&header("[]")).unwrap(),
            str::from_utf8(&header("{")).unwrap(),
        ] {
            assert!(DetachedJws::read(other.as_bytes()).is_none(), "{other}");
        }
        let dots = text.replace("..", "...");
        let jws = DetachedJws::read(dots.as_bytes()).unwrap();
        assert_eq!(jws.decode_signature(JwsAlgorithm::Rs512), None);
    }

    #[test]
    fn extensions_must_be_known_and_there() {
        for (json, is_known, raw) in [
            ("{}", true, Ok(false)),
            (r#"{"crit":["b64"],"b64":false}"#, true, Ok(true)),
            (r#"{"crit":["b64"],"b64":true}"#, true, Ok(false)),
            (r#"{"b64":false}"#, true, Err(Malformed)),
            (r#"{"b64":true}"#, true, Err(Malformed)),
            (r#"{"crit":["b64"],"b64":"false"}"#, true, Err(Malformed)),
            (r#"{"crit":["b64"],"b64":null}"#, true, Err(Malformed)),
            (r#"{"crit":["b64"],"b64":false,"b64":true}"#, false, Err(Malformed)),
            (r#"{"crit":["b64"]}"#, false, Ok(false)),
            (r#"{"crit":["exp"],"exp":1}"#, false, Ok(false)),
            (r#"{"crit":["b64","exp"],"b64":false,"exp":1}"#, false, Ok(true)),
            (r#"{"crit":[1]}"#, false, Ok(false)),
            (r#"{"crit":"b64","b64":false}"#, false, Err(Malformed)),
            (r#"{"crit":null}"#, false, Ok(false)),
            (r#"{"crit":[]}"#, false, Ok(false)),
            (r#"{"crit":["b64","b64"],"b64":true}"#, false, Ok(false)),
            (r#"{"crit":[],"crit":["exp"]}"#, false, Ok(false)),
        ] {
            let text = header(json);
            let jws = DetachedJws::read(&text).unwrap();
            assert_eq!(jws.check_extensions(&["b64"]).is_ok(), is_known, "{json}");
            assert_eq!(jws.has_raw_payload(), raw, "{json}");
        }
    }

    /// The signatures of both have one length.
    #[cfg(feature = "sign")]
    #[test]
    fn algorithm_is_that_of_the_key() {
        use std::time::UNIX_EPOCH;

        use crate::{crypto::private_key::PrivateKey, sign::sign::Signing};

        let keys: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/keys.json")).unwrap();
        let keys = keys.as_array().unwrap();
        let key = keys.iter().find(|key| key["algorithm"] == "ecdsa").unwrap();
        let key = PrivateKey::from_pem(key["private"].as_str().unwrap()).unwrap();
        let with = Signing::at(UNIX_EPOCH).private_key(&key);
        let signature = with.sign_as(JwsAlgorithm::Es256, b"content").unwrap();
        let public = key.public_key().unwrap();
        let is_signed = |algorithm: JwsAlgorithm, content: &[u8]| {
            algorithm.is_signed_by(&public, content, &signature)
        };
        assert!(is_signed(JwsAlgorithm::Es256, b"content"));
        assert!(!is_signed(JwsAlgorithm::Es256, b"another"));
        assert!(!is_signed(JwsAlgorithm::EdDsa, b"content"));
        assert!(!is_signed(JwsAlgorithm::Rs512, b"content"));
    }
}
