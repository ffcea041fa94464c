//! Telnyx.

use crate::{
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::{
        apply,
        macros::{scheme_methods, sign_as},
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        verification::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// Telnyx, API v2.
///
/// | | |
/// |---|---|
/// | header | `telnyx-signature-ed25519: <base64>`, `telnyx-timestamp: <seconds>` |
/// | algorithm | Ed25519; the account's public key, [`PublicKey::from_base64`](crate::PublicKey::from_base64) |
/// | signed content | <code>&lt;time&gt;\|&lt;body&gt;</code> |
/// | freshness | 5 minutes both ways |
/// | delivery id | in the body (`data.id`) |
/// | challenge | none |
/// | status | 403 |
/// | retries | for an unknown time; whether each is signed anew is unknown, but the vendor has its receivers keep this window (<https://github.com/team-telnyx/telnyx-ruby>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor's source: <https://developers.telnyx.com/api-reference/callbacks/number-order-status-update>, team-telnyx/telnyx-ruby `lib/telnyx/lib/webhook_verification.rb` |
#[derive(Clone, Debug)]
pub struct Telnyx(SchemeVerifier);

impl Telnyx {
    /// How it signs.
    pub const SCHEME: Scheme = apply::applied(
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
