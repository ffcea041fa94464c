//! Wise webhooks.

use crate::{
    parse::encoding::Encoding,
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::DeliveryPolicy,
    },
    scheme::{declaration::Scheme, state::SchemeState, verifier::SchemeVerifier},
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// Wise webhooks: RSA of the body.
///
/// ```no_run
/// use tower_webhook::{PublicKey, SignatureLayer, providers::Wise};
///
/// let key = PublicKey::from_pem(&std::fs::read_to_string("wise.pem")?)?;
/// let layer = SignatureLayer::new(Wise::new(key)?);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-signature-sha256: <base64>` |
/// | algorithm | RSA PKCS#1 v1.5 with SHA-256; the key is Wise's public key, [`PublicKey::from_pem`](crate::PublicKey::from_pem) |
/// | signed content | the body |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | `x-delivery-id`, **not signed** |
/// | challenge | none |
///
/// - Wise publishes one key for production and one for its sandbox.
/// - Wise signs for all its customers with the same key, and signs only the body: an authentic
///   delivery to another customer is accepted here, too. Check in the handler that its subscription
///   is yours.
/// - A test delivery with `X-Test-Notification` is signed like the others.
///
/// # Evidence
///
/// Vendor's source: <https://docs.wise.com/guides/developer/webhooks/event-handling>,
/// transferwise/digital-signatures-examples `verify-webhook-signature`.
///
#[doc = crate::providers::macros::page!(Wise)]
#[derive(Clone, Debug)]
pub struct Wise(SchemeVerifier);

registered! {
    Wise = "wise";
    policy: DeliveryPolicy::UNKNOWN;
    signature: SCHEME;
    "wise": PublicKey, p => Wise::new(p.public_keys()?);
}

impl Wise {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
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
