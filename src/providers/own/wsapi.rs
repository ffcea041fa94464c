use crate::{
    parse::timestamp::TimestampFormat,
    providers::{
        apply,
        macros::{scheme_methods, sign_as},
    },
    scheme::{
        component::TimestampSource, declaration::Scheme, verification::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{delegate::delegate_verifier, verifier::Verifier},
};

/// WSAPI (wsapi.chat): the event signing secret.
///
/// | | |
/// |---|---|
/// | header | `X-Webhook-Signature: sha256=<hex>` |
/// | algorithm | HMAC-SHA256, the secret as it is |
/// | signed content | the body |
/// | freshness | 5 minutes both ways, by `receivedAt` in the signed body, where it is there |
/// | delivery id | in the body (`eventId`) |
/// | challenge | none |
/// | status | 403 |
/// | retries | none (<https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/wiki/Event-Delivery.md>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | after a refusal | it does not come again, whatever the status (<https://github.com/wsapi-chat/wsapi-app/blob/d40e5c568e15589282e6a6efb1472321c2b5a1c3/wiki/Event-Delivery.md>) |
/// | evidence | vendor's source: wsapi-chat/wsapi-app `internal/publisher/signing.go` |
///
/// `X-Instance-Id` is **not signed**. A look-up may use it as a hint; compare it with `instanceId`
/// in the verified body. The older "webhook authentication secret" is a
/// [`SharedToken`](crate::providers::SharedToken).
#[derive(Clone, Debug)]
pub struct Wsapi(SchemeVerifier);

impl Wsapi {
    /// How it signs.
    pub const SCHEME: Scheme = apply::applied(
        Scheme::hmac_sha256("x-webhook-signature")
            .provider("wsapi")
            .prefix("sha256=")
            .time(TimestampSource::Json("receivedAt"), TimestampFormat::Rfc3339)
            .time_may_be_absent(true),
    );

    scheme_methods!(timed);

    /// Refuses events without `receivedAt`.
    #[must_use]
    pub fn require_time(self) -> Self {
        Self(self.0.map_scheme(|scheme| scheme.time_may_be_absent(false)))
    }
}

impl Verifier for Wsapi {
    delegate_verifier!(self => self.0, SchemeState);
}

sign_as!(Wsapi, self => &self.0);
