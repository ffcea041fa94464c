//! What the replay guard answers in the handler's place.

use std::fmt;

use http::StatusCode;

/// Why the guard answered in the handler's place. It leaves this in the response's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayAnswer {
    /// The delivery has been handled: 200, or as [set](crate::replay::ReplayLayer::duplicate_status).
    Duplicate,
    /// The delivery is being handled, and may yet fail: 503.
    InFlight,
    /// The guard was turned on by name for a provider that signs nothing: 500.
    NothingSigned,
    /// There is no [`SignatureLayer`](crate::SignatureLayer) above: 500.
    NotVerified,
    /// The store could not answer: 503.
    StoreFailed,
}

impl ReplayAnswer {
    /// A stable name for logs and metrics, in snake case.
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

    /// Already exists, unavailable, internal.
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
                "the replay guard is turned on for a provider whose signature covers nothing"
            }
            Self::NotVerified => {
                "the replay guard found no `Verified`; put it below a `SignatureLayer`"
            }
            Self::StoreFailed => "the replay store could not answer",
        })
    }
}
