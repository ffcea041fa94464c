//! Reasons for rejections.

use std::fmt;

use http::StatusCode;

/// Reason for a rejection.
///
/// [`is_authentication_failure`](Self::is_authentication_failure) separates authentication
/// failures, which all get the same response, from failures with a status of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The body did not arrive within the deadline: `408 Request Timeout`.
    BodyTimeout,
    /// The body is longer than the limit: `413 Payload Too Large`.
    BodyTooLarge,
    /// The body ended early or could not be read: `400 Bad Request`.
    BodyUnreadable,
    /// The server's own clock is implausible, so no signed time can be checked:
    /// `503 Service Unavailable`.
    ClockUnreliable,
    /// A [challenge](crate::scheme::Challenge) does not have the right token.
    ChallengeFailed,
    /// A challenge is malformed, or a part of it is missing: 400.
    ChallengeMalformed,
    /// A challenge was not expected: `404 Not Found`.
    ChallengeUnexpected,
    /// A header, or a field of one, is malformed.
    Malformed,
    /// A header that the scheme needs is missing or empty.
    Missing,
    /// The bodies of unverified requests use up the [byte
    /// budget](crate::SignatureLayer::byte_budget): 503.
    Overloaded,
    /// A header that may occur only once is repeated, or headers of two families are mixed.
    Repeated,
    /// No signature in the request matches its content under any of the secrets.
    SignatureMismatch,
    /// The signed time is further in the future than the tolerance allows.
    TimestampInFuture,
    /// The signed time is further in the past than the tolerance allows.
    TimestampStale,
    /// The signature does not cover the body.
    BodyNotSigned,
    /// The provider has no public key with the ID that the request names.
    UnknownKey,
    /// The lookup found no secret for this request.
    UnknownTenant,
    /// The URL that the provider signed could not be determined from this request.
    UrlUnresolved,
    /// The verifier panicked: `500 Internal Server Error`.
    VerifierPanicked,
    /// The verifier itself failed, for example because the secret store is down: 503.
    VerifierUnavailable,
}

// A new kind must be listed.
const _: () = assert!(RejectionKind::ALL.len() == RejectionKind::VerifierUnavailable as usize + 1);

impl RejectionKind {
    /// All kinds, for example to register a metric for each.
    pub const ALL: &[Self] = &[
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::BodyUnreadable,
        Self::ClockUnreliable,
        Self::ChallengeFailed,
        Self::ChallengeMalformed,
        Self::ChallengeUnexpected,
        Self::Malformed,
        Self::Missing,
        Self::Overloaded,
        Self::Repeated,
        Self::SignatureMismatch,
        Self::TimestampInFuture,
        Self::TimestampStale,
        Self::BodyNotSigned,
        Self::UnknownKey,
        Self::UnknownTenant,
        Self::UrlUnresolved,
        Self::VerifierPanicked,
        Self::VerifierUnavailable,
    ];

    /// Returns a stable name for logs and metrics, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyUnreadable => "body_unreadable",
            Self::ClockUnreliable => "clock_suspect",
            Self::ChallengeFailed => "handshake_failed",
            Self::ChallengeMalformed => "handshake_malformed",
            Self::ChallengeUnexpected => "handshake_unexpected",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::Overloaded => "overload",
            Self::Repeated => "repeated",
            Self::SignatureMismatch => "signature_mismatch",
            Self::TimestampInFuture => "timestamp_in_future",
            Self::TimestampStale => "timestamp_stale",
            Self::BodyNotSigned => "uncovered",
            Self::UnknownKey => "unknown_key",
            Self::UnknownTenant => "unknown_tenant",
            Self::UrlUnresolved => "unknown_url",
            Self::VerifierPanicked => "verifier_panicked",
            Self::VerifierUnavailable => "verifier_unavailable",
        }
    }

    /// Returns `true` if the request failed authentication.
    ///
    /// All authentication failures get the same response, so that an attacker cannot tell them
    /// apart.
    #[must_use]
    pub const fn is_authentication_failure(self) -> bool {
        self.own_status().is_none()
    }

    /// Returns the status of a failure that is not an authentication failure. It is a 4xx only if
    /// the request itself is at fault, and a 5xx if the server could not decide, because senders
    /// give up on a 4xx and retry after a 503.
    pub(crate) const fn own_status(self) -> Option<StatusCode> {
        match self {
            Self::BodyTimeout => Some(StatusCode::REQUEST_TIMEOUT),
            Self::BodyTooLarge => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::BodyUnreadable | Self::ChallengeMalformed => Some(StatusCode::BAD_REQUEST),
            Self::ChallengeUnexpected => Some(StatusCode::NOT_FOUND),
            Self::ClockUnreliable | Self::Overloaded | Self::VerifierUnavailable => {
                Some(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::VerifierPanicked => Some(StatusCode::INTERNAL_SERVER_ERROR),
            Self::ChallengeFailed
            | Self::Malformed
            | Self::Missing
            | Self::Repeated
            | Self::SignatureMismatch
            | Self::TimestampInFuture
            | Self::TimestampStale
            | Self::BodyNotSigned
            | Self::UnknownKey
            | Self::UnknownTenant
            | Self::UrlUnresolved => None,
        }
    }

    /// Returns `true` if the body was incomplete or could not be held, so that there is nothing to
    /// forward.
    pub(crate) const fn is_of_body(self) -> bool {
        matches!(
            self,
            Self::BodyTimeout | Self::BodyTooLarge | Self::BodyUnreadable | Self::Overloaded
        )
    }

    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::BodyTimeout => "the body did not arrive within the deadline",
            Self::BodyTooLarge => "the body exceeds the limit",
            Self::BodyUnreadable => "the body could not be read",
            Self::ClockUnreliable => "the server's clock is implausible; set it",
            Self::ChallengeFailed => "the challenge does not have the right token",
            Self::ChallengeMalformed => "the challenge is incomplete or malformed",
            Self::ChallengeUnexpected => "the challenge was not expected",
            Self::Malformed => "malformed",
            Self::Missing => "missing or empty",
            Self::Overloaded => "the byte budget for unverified bodies is used up",
            Self::Repeated => "present more than once",
            Self::SignatureMismatch => "no signature matches",
            Self::TimestampInFuture => "the signed time is too far in the future",
            Self::TimestampStale => "the signed time is too far in the past",
            Self::BodyNotSigned => "the signature does not cover the body",
            Self::UnknownKey => "the provider has no key with the ID that the request names",
            Self::UnknownTenant => "no secret found for this request",
            Self::UrlUnresolved => "the signed URL cannot be determined from this request",
            Self::VerifierPanicked => "the verifier panicked",
            Self::VerifierUnavailable => "the verifier is unavailable",
        }
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
