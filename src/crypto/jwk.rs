//! Public keys as JSON Web Keys (RFC 7517).

use aws_lc_rs::{encoding::AsDer, rsa::PublicKeyComponents};
use base64::Engine as _;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};

use crate::{
    crypto::public_key::{ED25519_SPKI, P256_SPKI, P521_SPKI, PublicKey},
    parse::{
        encoding::BASE64URL_KEY,
        json::{Value, field},
    },
};

/// Returns the ID of a key, if it has one, and the key. Returns `None` if it is not for signatures of
/// Ed25519, of ECDSA with P-256 and SHA-256, or of RSA with PKCS #1 v1.5 and SHA-256.
pub(crate) fn read(json: &str) -> Option<(Option<String>, PublicKey)> {
    read_for(json, &["ES256", "EdDSA", "Ed25519", "RS256"])
}

/// Does the same for signatures of one of these algorithms, in the names of RFC 7518.
pub(crate) fn read_for(json: &str, algorithms: &[&str]) -> Option<(Option<String>, PublicKey)> {
    let jwk: Jwk = serde_json::from_str(json).ok()?;
    let common = jwk.common;
    let named = field(json.as_bytes(), "alg").ok()?;
    let is_for = |names: &[&str]| {
        let mut allowed = names.iter().filter(|name| algorithms.contains(name));
        match &named {
            None => allowed.next().is_some(),
            Some(Value::Text(named)) => allowed.any(|name| name == named),
            Some(_) => false,
        }
    };
    let is_for_signatures = common.public_key_use.is_none_or(|it| it == PublicKeyUse::Signature)
        && common.key_operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
    let spki = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key)
            if key.curve == EllipticCurve::P256 && is_for(&["ES256"]) =>
        {
            let [x, y] = [coordinate::<32>(&key.x)?, coordinate::<32>(&key.y)?];
            [&P256_SPKI[..], &[4], &x, &y].concat()
        }
        AlgorithmParameters::EllipticCurve(key)
            if key.curve == EllipticCurve::P521 && is_for(&["ES512"]) =>
        {
            let [x, y] = [coordinate::<66>(&key.x)?, coordinate::<66>(&key.y)?];
            [&P521_SPKI[..], &[4], &x, &y].concat()
        }
        AlgorithmParameters::RSA(key) if is_for(&["RS256", "RS512", "PS256"]) => {
            let key = PublicKeyComponents { n: number(&key.n)?, e: number(&key.e)? };
            key.as_der().ok()?.as_ref().to_vec()
        }
        // The curve determines the algorithm, which has two names: RFC 8037 and RFC 9864.
        AlgorithmParameters::OctetKeyPair(key)
            if key.curve == EllipticCurve::Ed25519 && is_for(&["EdDSA", "Ed25519"]) =>
        {
            [&ED25519_SPKI[..], &BASE64URL_KEY.decode(&key.x).ok()?].concat()
        }
        _ => return None,
    };
    let key = PublicKey::spki(&spki).ok().filter(|_| is_for_signatures)?;
    Some((common.key_id, key))
}

/// Returns a coordinate of a point, with the zeros before it that some senders leave out.
fn coordinate<const N: usize>(text: &str) -> Option<[u8; N]> {
    let number = number(text)?;
    let mut padded = [0; N];
    let start = padded.len().checked_sub(number.len())?;
    padded[start..].copy_from_slice(&number);
    Some(padded)
}

/// Returns the bytes of a number, without zeros before them.
fn number(text: &str) -> Option<Vec<u8>> {
    let mut bytes = BASE64URL_KEY.decode(text).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    bytes.drain(..start);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(jwk: &str) -> Option<Vec<u8>> {
        Some(read(jwk)?.1.as_bytes().to_vec())
    }

    /// The key of RFC 7517, appendix A.1, with these fields more.
    fn p256(fields: &str) -> String {
        format!(
            r#"{{"kty":"EC","crv":"P-256",{fields}
                "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}"#
        )
    }

    #[test]
    fn purpose_and_algorithm_decide_on_a_key() {
        for (fields, is_read) in [
            ("", true),
            (r#""use":"sig","#, true),
            (r#""use":"enc","#, false),
            (r#""key_ops":["verify"],"#, true),
            (r#""key_ops":["deriveKey"],"#, false),
            (r#""alg":"ES256","#, true),
            (r#""alg":"ES384","#, false),
            (r#""alg":"RS256","#, false),
            (r#""alg":"none","#, false),
            (r#""alg":"new","#, false),
        ] {
            assert_eq!(read(&p256(fields)).is_some(), is_read, "{fields}");
        }
        assert_eq!(read(&p256(r#""kid":"a","#)).unwrap().0.as_deref(), Some("a"));
        assert_eq!(read(&p256("")).unwrap().0, None);
        let other = p256("");
        for (from, to) in [
            ("P-256", "P-384"),
            ("P-256", "new"),
            ("EC", "RSA"),
            ("EC", "oct"),
            ("MKBC", ""),
            ("MKBC", "AAAA"),
            ("MKBC", "MKBCMKBC"),
            ("MKBC", "MK+C"),
        ] {
            assert!(read(&other.replace(from, to)).is_none(), "{from} {to}");
        }
        for text in ["", "1", "[]", "{}", r#"{"kty":"oct","k":"AAAA"}"#] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    /// The key of RFC 8037, appendix A.2.
    #[test]
    fn ed25519_is_read_whatever_it_is_called() {
        let jwk =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let bytes = key(jwk).unwrap();
        assert_eq!(bytes[..4], [0xd7, 0x5a, 0x98, 0x01]);
        for alg in ["EdDSA", "Ed25519"] {
            let named = jwk.replace('{', &format!(r#"{{"alg":"{alg}","#));
            assert_eq!(key(&named).unwrap(), bytes);
        }
        assert!(key(&jwk.replace("HURo\"", "HURo=\"")).is_some());
        assert!(key(&jwk.replace("11qY", "")).is_none());
        assert!(key(&jwk.replace("Ed25519", "X25519")).is_none());
        assert!(key(&jwk.replace("Ed25519", "Ed448")).is_none());
    }

    /// Keys with numbers that begin with a zero byte; made with Python's `cryptography`.
    #[test]
    fn zeros_before_a_number_may_be_there_or_not() {
        let jwk = |x: &str| {
            let y = "IHBd9IT7fC5tLQE6EoH12y9tAoUWNSmS1zBPVM4YsU4";
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#)
        };
        let (whole, cut) = (
            jwk("AHW6jTQwSV_GieECS0jkj07E0u2l1bj4rXY32r8GXfM"),
            jwk("dbqNNDBJX8aJ4QJLSOSPTsTS7aXVuPitdjfavwZd8w"),
        );
        assert_eq!(key(&whole).unwrap(), key(&cut).unwrap());
        let rsa = |n: &str| format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#);
        let (plain, padded) = (
            rsa(
                "vqmkRKirNIVBN-yCfiNhR5muGpgnXeaXQ6W4LJuJtIN27QtspksMM-7c44MzcLKJZJdcyVUfngMxCmrHy-cHoVynqOSZfGO-U-F4fHbAdwOKntp_x7NtG3-BfDQOx0lTGipfISMNa4JT7TeSqfNlMYrpMdlZ63GZwu1ObNPXByvI7tx5s8kKLAsF-tRppQikIdBYhDzChs0rhLlOsEi-GHvqJrLv6BHAUF2dLem9WAacX_fF9oJvd7pd3RG-43wGhIN-se4Onop0E2yY2I3rvGByFtpKgHBXwWGJ-rrzaVUnP0uhFYOuIqmyuhHACDXy32JQXecMN7Hb-F_YGBqQZw",
            ),
            rsa(
                "AL6ppESoqzSFQTfsgn4jYUeZrhqYJ13ml0OluCybibSDdu0LbKZLDDPu3OODM3CyiWSXXMlVH54DMQpqx8vnB6Fcp6jkmXxjvlPheHx2wHcDip7af8ezbRt_gXw0DsdJUxoqXyEjDWuCU-03kqnzZTGK6THZWetxmcLtTmzT1wcryO7cebPJCiwLBfrUaaUIpCHQWIQ8wobNK4S5TrBIvhh76iay7-gRwFBdnS3pvVgGnF_3xfaCb3e6Xd0RvuN8BoSDfrHuDp6KdBNsmNiN67xgchbaSoBwV8Fhifq682lVJz9LoRWDriKpsroRwAg18t9iUF3nDDex2_hf2BgakGc",
            ),
        );
        assert_eq!(key(&plain).unwrap(), key(&padded).unwrap());
        assert!(read(&plain.replace('{', r#"{"alg":"RS256","#)).is_some());
        for alg in ["RS512", "PS256", "RSA-OAEP"] {
            assert!(read(&plain.replace('{', &format!(r#"{{"alg":"{alg}","#))).is_none(), "{alg}");
        }
        // RSA of 1024 bits.
        assert!(read(&rsa("v2CrvxdiQfdW7hqa0JvEOqNtohcN8162BH92GjybjXM0wqcCIqjDfWQpjYSF8cpKRkFHvliuIbRHo3bOnBwwtLu1YPX0OGPxbamZHqvd1DsiFF1CrBkSXZZdYAgDlKkLgrxGOS_GVkgBcb0dnBptPtWoBbrwnPaeBfdHqIPVZJ8")).is_none());
    }
}
