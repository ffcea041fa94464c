//! Telnyx webhooks.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// Telnyx webhooks (API v2): Ed25519 of time and body.
///
/// ```
/// use tower_webhook::{PublicKey, SignatureLayer, providers::Telnyx};
///
/// let key = PublicKey::from_base64("e0czfzyCe4uREbvYZCLA6kbLf8x2mpdYhFZ738iGviw=")?;
/// let layer = SignatureLayer::new(Telnyx::new(key)?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `telnyx-signature-ed25519: <base64>`, `telnyx-timestamp: <seconds>` |
/// | algorithm | Ed25519; the key is the account's public key, [`PublicKey::from_base64`](crate::PublicKey::from_base64) |
/// | signed content | <code>&lt;time&gt;\|&lt;body&gt;</code> |
/// | tolerance | 5 minutes both ways |
/// | delivery ID | `data.id` in the body |
/// | challenge | none |
///
/// # Evidence
///
/// Vendor's source: <https://developers.telnyx.com/api-reference/callbacks/number-order-status-update>,
/// team-telnyx/telnyx-ruby `lib/telnyx/lib/webhook_verification.rb`.
///
#[doc = crate::providers::macros::page!(Telnyx)]
#[derive(Clone, Debug)]
pub struct Telnyx(SchemeVerifier);

registered! {
    Telnyx = "telnyx";
    policy: DeliveryPolicy::UNKNOWN
        .known_by("data.id", "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks")
        .unknown_retries()
        .window(5 * MINUTE, "https://github.com/team-telnyx/telnyx-ruby");
    signature: SCHEME;
    "telnyx": PublicKey timed, p => Telnyx::new(p.public_keys()?);
}

impl Telnyx {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::ed25519("telnyx-signature-ed25519")
            .provider("telnyx")
            .unique_content()
            .encoding(Encoding::Base64)
            .signed_content(&[Component::Time, Component::Literal("|"), Component::Body])
            .time(TimestampSource::Header("telnyx-timestamp"), TimestampFormat::UnixSeconds),
    );

    scheme_methods!(public_key, timed);
}

impl Verifier for Telnyx {
    delegate_verifier!(self => self.0, SchemeState);
}

sign_as!(Telnyx, self => &self.0);
