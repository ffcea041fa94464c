use std::time::SystemTime;

use super::scheme_methods;
use crate::{
    Verifier,
    scheme::{Scheme, SchemeState, SchemeVerifier, TimeFormat, TimeSource, Tolerance},
    verifier::delegate_verifier,
};

/// WSAPI (wsapi.chat): the event signing secret.
///
/// | | |
/// |---|---|
/// | header | `X-Webhook-Signature: sha256=<hex>` |
/// | algorithm | HMAC-SHA256, the secret as it is |
/// | signed content | the body |
/// | freshness | none by default; [`tolerance`](Self::tolerance) judges `receivedAt` in the signed body |
/// | delivery id | in the body (`eventId`) |
/// | handshake | none |
/// | status | 403 |
/// | evidence | vendor's source: wsapi-chat/wsapi-app `internal/publisher/signing.go` |
///
/// `X-Instance-Id` is **not signed**. A look-up may use it as a hint; compare it with `instanceId`
/// in the verified body. The older "webhook authentication secret" is a
/// [`SharedToken`](super::SharedToken).
#[derive(Clone, Debug)]
pub struct Wsapi(SchemeVerifier);

impl Wsapi {
    /// How it signs.
    pub const SCHEME: Scheme =
        Scheme::hmac_sha256("x-webhook-signature").provider("wsapi").prefix("sha256=");

    scheme_methods!();

    /// Refuses events whose signed `receivedAt` is further off than this, or that have none.
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        let received_at = TimeSource::Json("receivedAt");
        Self(self.0.map_scheme(|scheme| {
            scheme.time(received_at, TimeFormat::Rfc3339).tolerance(tolerance)
        }))
    }

    /// Tells the time, in place of the system's clock: for tests.
    #[must_use]
    pub fn clock(self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(self.0.clock(now))
    }
}

impl Verifier for Wsapi {
    delegate_verifier!(self => self.0, SchemeState);
}

super::sign_as!(Wsapi, self => &self.0);
