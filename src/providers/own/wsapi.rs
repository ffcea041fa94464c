//! WSAPI webhooks.

use crate::{
    parse::timestamp::TimestampFormat,
    providers::{
        macros::{registered, scheme_methods, sign_as},
        policy::DeliveryPolicy,
    },
    scheme::{
        component::TimestampSource, declaration::Scheme, state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// WSAPI webhooks (wsapi.chat): HMAC-SHA256 of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Wsapi};
///
/// let layer = SignatureLayer::new(Wsapi::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-webhook-signature: sha256=<hex>` |
/// | algorithm | HMAC-SHA256; the key is the event signing secret |
/// | signed content | the body |
/// | tolerance | 5 minutes both ways, by `receivedAt` in the body, if it is present |
/// | delivery ID | `eventId` in the body |
/// | challenge | none |
///
/// - To reject events without `receivedAt`, use [`require_time`](Self::require_time).
/// - `X-Instance-Id` is **not signed**. A lookup may use it as a hint. Compare it with `instanceId`
///   in the verified body.
/// - For the older "webhook authentication secret", use
///   [`SharedToken`](crate::providers::SharedToken).
///
/// # Evidence
///
/// Vendor's source: wsapi-chat/wsapi-app `internal/publisher/signing.go`.
///
#[doc = crate::providers::macros::page!(Wsapi)]
#[derive(Clone, Debug)]
pub struct Wsapi(SchemeVerifier);

registered! {
    Wsapi = "wsapi" as "WSAPI";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(0, "https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/wiki/Event-Delivery.md")
        .signs_anew(false, "https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/internal/event/types.go")
        .gives_up(None, "https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/wiki/Event-Delivery.md");
    signature: SCHEME;
    "wsapi": Secret timed, p => Wsapi::new(p.secrets);
}

impl Wsapi {
    /// The signature scheme.
    pub const SCHEME: Scheme = Self::POLICY.apply(
        Scheme::hmac_sha256("x-webhook-signature")
            .provider("wsapi")
            .prefix("sha256=")
            .time(TimestampSource::Json("receivedAt"), TimestampFormat::Rfc3339)
            .time_may_be_absent(true),
    );

    scheme_methods!(timed);

    /// Rejects events without `receivedAt`.
    #[must_use]
    pub fn require_time(self) -> Self {
        Self(self.0.map_scheme(|scheme| scheme.time_may_be_absent(false)))
    }
}

impl Verifier for Wsapi {
    delegate_verifier!(self => self.0, SchemeState);
}

sign_as!(Wsapi, self => &self.0);
