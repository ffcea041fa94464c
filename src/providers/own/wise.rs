//! Wise.

use crate::{
    parse::encoding::Encoding,
    providers::{
        apply,
        macros::{scheme_methods, sign_as},
    },
    scheme::{declaration::Scheme, verification::SchemeState, verifier::SchemeVerifier},
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// Wise.
///
/// | | |
/// |---|---|
/// | header | `X-Signature-SHA256: <base64>` |
/// | algorithm | RSA (PKCS#1 v1.5) with SHA-256; Wise publishes one key for production and one for its sandbox, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
/// | signed content | the body |
/// | freshness | none |
/// | delivery id | `X-Delivery-Id`, **not signed** |
/// | challenge | none; a test delivery with `X-Test-Notification` is signed as the others |
/// | status | 403 |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's source: <https://docs.wise.com/guides/developer/webhooks/event-handling>, transferwise/digital-signatures-examples `verify-webhook-signature` |
///
/// Every customer of Wise gets signatures by the same key, over the body alone: a genuine delivery
/// to somebody else is genuine here too. Check in the handler that its subscription is yours.
#[derive(Clone, Debug)]
pub struct Wise(SchemeVerifier);

impl Wise {
    /// How it signs.
    pub const SCHEME: Scheme = apply::applied(
        Scheme::rsa_pkcs1_sha256("x-signature-sha256")
            .provider("wise")
            .encoding(Encoding::Base64)
            .delivery_id("x-delivery-id"),
    );

    scheme_methods!(public_key);
}

impl Verifier for Wise {
    delegate_verifier!(self => self.0, SchemeState);
}

sign_as!(Wise, self => &self.0);
