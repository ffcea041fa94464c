//! Signing with private keys, for tests that pretend to be a provider.

use bytes::Bytes;
use http::Request;
use serde::Deserialize;
use tower_webhook::{
    ConfigError, PublicKey, RejectionKind, Scheme,
    providers::{Discord, SendGrid, StandardWebhooks, Wise},
    scheme::Encoding,
    sign::{PrivateKey, Sign, Signing, signed},
};

use crate::support::{at, hex, secret, verify};

const NOW: u64 = 1_700_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    algorithm: String,
    #[expect(dead_code, reason = "for the reader")]
    source: String,
    pub(crate) private: String,
    pub(crate) public: String,
    pub(crate) other_public: String,
}

impl Keys {
    pub(crate) fn of(algorithm: &str) -> Self {
        let all: Vec<Self> = serde_json::from_str(include_str!("../../data/keys.json")).unwrap();
        all.into_iter().find(|keys| keys.algorithm == algorithm).unwrap()
    }
}

const ALGORITHMS: [&str; 3] = ["ecdsa", "ed25519", "rsa"];

fn private(algorithm: &str) -> PrivateKey {
    PrivateKey::from_pem(&Keys::of(algorithm).private).unwrap()
}

fn declared(algorithm: &str) -> Scheme {
    let scheme = match algorithm {
        "ecdsa" => Scheme::ecdsa_p256_sha256("x-sig"),
        "ed25519" => Scheme::ed25519("x-sig"),
        _ => Scheme::rsa_pkcs1_sha256("x-sig"),
    };
    scheme.encoding(Encoding::Base64)
}

fn request() -> Request<Bytes> {
    Request::post("/").body(Bytes::from("{}")).unwrap()
}

/// RFC 8032, section 7.1, test 2.
#[test]
fn an_ed25519_signature_is_the_published_one() {
    let mut seed = [0; 32];
    let text = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    for (at, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    }
    assert_eq!(hex(&seed), text);
    let key = PrivateKey::from_ed25519_seed(&seed).unwrap();
    let verifier = Scheme::ed25519("x-sig").verifier(key.public_key().unwrap()).unwrap();
    let request = Request::post("/").body(Bytes::from("r")).unwrap();
    let request = signed(&verifier, request, Signing::at(at(NOW)()).private_key(&key)).unwrap();
    assert_eq!(
        request.headers()["x-sig"],
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
}

#[test]
fn a_family_and_a_legacy_have_the_public_keys_too() {
    const OTHER: Scheme = Scheme::ed25519("x-other");
    const OLD: Scheme = Scheme::ed25519("x-old");
    const BOTH: Scheme = Scheme::ed25519("x-own").families(&[OTHER]).legacy(&OLD);
    let keys = [1, 2].map(|seed| PrivateKey::from_ed25519_seed(&[seed; 32]).unwrap());
    let public = keys.each_ref().map(|key| key.public_key().unwrap());
    let verifier = BOTH.verifier(public.clone()).unwrap().accept_legacy();
    for scheme in [BOTH, OTHER, OLD] {
        for (index, key) in keys.iter().enumerate() {
            let signer = scheme.verifier(public[index].clone()).unwrap();
            let request = Request::post("/").body("{}").unwrap();
            let signed = signed(&signer, request, Signing::at(at(NOW)()).private_key(key)).unwrap();
            let (head, body) = signed.into_parts();
            let verified = verify(&verifier, &head, &body).unwrap();
            assert_eq!(verified.key_index(), index, "{:?}", head.headers);
        }
    }
    const SECRET: Scheme = Scheme::ed25519("x-own").families(&[Scheme::hmac_sha256("x-other")]);
    let error = SECRET.verifier(public).unwrap_err();
    assert!(matches!(error, ConfigError::SchemeInvalid { .. }), "{error}");
}

#[test]
fn signature_verifies_only_with_matching_public_key() {
    for algorithm in ALGORITHMS {
        let keys = Keys::of(algorithm);
        let own = declared(algorithm);
        // The public key as another tool wrote it.
        let verifier = own.verifier(keys.public.parse::<PublicKey>().unwrap()).unwrap();
        let other = own.verifier(keys.other_public.parse::<PublicKey>().unwrap()).unwrap();
        let request =
            signed(&verifier, request(), Signing::at(at(NOW)()).private_key(&private(algorithm)))
                .unwrap();
        let (head, body) = request.into_parts();
        verify(&verifier, &head, &body).unwrap_or_else(|why| panic!("{algorithm}: {why}"));
        let refused = verify(&other, &head, &body).unwrap_err();
        assert_eq!(refused.kind(), RejectionKind::SignatureMismatch, "{algorithm}");
        let derived = own.verifier(private(algorithm).public_key().unwrap()).unwrap();
        verify(&derived, &head, &body).unwrap_or_else(|why| panic!("{algorithm}: {why}"));
    }
}

#[test]
fn a_key_of_another_algorithm_signs_nothing() {
    let is_refused = |name: &str, signer: &dyn Fn(&PrivateKey) -> bool, own: &str| {
        for algorithm in ALGORITHMS {
            assert_eq!(signer(&private(algorithm)), algorithm == own, "{name} by {algorithm}");
        }
    };
    fn signs<S: Sign>(signer: S) -> impl Fn(&PrivateKey) -> bool {
        move |key| signed(&signer, request(), Signing::at(at(NOW)()).private_key(key)).is_ok()
    }
    let public = |algorithm| private(algorithm).public_key().unwrap();
    is_refused("Discord", &signs(Discord::new(public("ed25519")).unwrap()), "ed25519");
    is_refused("SendGrid", &signs(SendGrid::new(public("ecdsa")).unwrap()), "ecdsa");
    is_refused("Wise", &signs(Wise::new(public("rsa")).unwrap()), "rsa");
    let v1a = StandardWebhooks::new_asymmetric(public("ed25519")).unwrap();
    is_refused("v1a", &signs(v1a), "ed25519");
    // A verifier of secrets signs with its secret.
    let hmac = Scheme::hmac_sha256("x-sig").verifier(secret()).unwrap();
    let signed = |with: Signing<'_>| signed(&hmac, request(), with).unwrap();
    let (with, without) =
        (signed(Signing::at(at(NOW)()).private_key(&private("rsa"))), signed(at(NOW)().into()));
    assert_eq!(with.headers(), without.headers());
}

#[test]
fn invalid_private_key_is_rejected_debug_is_redacted() {
    for (algorithm, shown) in
        [("ecdsa", "EcdsaP256Sha256"), ("ed25519", "Ed25519"), ("rsa", "RsaPkcs1Sha256")]
    {
        let keys = Keys::of(algorithm);
        assert_eq!(format!("{:?}", private(algorithm)), format!("PrivateKey({shown})"));
        for (name, text) in [
            ("nothing", String::new()),
            ("a public key", keys.public.clone()),
            ("a public key under the label", keys.public.replace("PUBLIC", "PRIVATE")),
            ("the older form's label", keys.private.replace("PRIVATE", "RSA PRIVATE")),
            ("two keys", keys.private.repeat(2)),
            ("cut", keys.private.replacen('M', "", 1)),
        ] {
            let error = PrivateKey::from_pem(&text).expect_err(name);
            assert!(matches!(error, ConfigError::PrivateKeyInvalid { .. }), "{name}: {error}");
        }
    }
}
