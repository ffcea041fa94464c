//! Responses that the replay guard sends instead of calling the handler.

use std::fmt;

use http::StatusCode;

/// Reason why the replay guard responded instead of the handler. The guard puts it into the
/// response's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayAnswer {
    /// The delivery has been handled: `200 OK`, or [as
    /// configured](crate::replay::ReplayLayer::duplicate_status).
    Duplicate,
    /// The delivery is being handled and may still fail: `503 Service Unavailable`.
    InFlight,
    /// The guard was [enabled by name](crate::replay::ReplayLayer::guard_body_only) for a provider
    /// that signs nothing: `500 Internal Server Error`.
    NothingSigned,
    /// No [`SignatureLayer`](crate::SignatureLayer) above the guard has verified the request: 500.
    NotVerified,
    /// The store failed: 503.
    StoreFailed,
}

impl ReplayAnswer {
    /// Returns a stable name for logs and metrics, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::InFlight => "in_flight",
            Self::NothingSigned => "nothing_signed",
            Self::NotVerified => "not_verified",
            Self::StoreFailed => "store_failed",
        }
    }

    pub(crate) const fn status(self, duplicate: StatusCode) -> StatusCode {
        match self {
            Self::Duplicate => duplicate,
            Self::InFlight | Self::StoreFailed => StatusCode::SERVICE_UNAVAILABLE,
            Self::NothingSigned | Self::NotVerified => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the gRPC status code: already exists, unavailable or internal.
    pub(crate) const fn grpc_status(self) -> &'static str {
        match self {
            Self::Duplicate => "6",
            Self::InFlight | Self::StoreFailed => "14",
            Self::NothingSigned | Self::NotVerified => "13",
        }
    }
}

impl fmt::Display for ReplayAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duplicate => "the delivery has been handled",
            Self::InFlight => "the delivery is being handled",
            Self::NothingSigned => {
                "`guard_body_only` names a provider that signs nothing; remove it"
            }
            Self::NotVerified => {
                "the replay guard found no `Verified`; add a `SignatureLayer` above it"
            }
            Self::StoreFailed => "the replay store failed",
        })
    }
}
