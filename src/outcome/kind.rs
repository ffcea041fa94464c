//! What was wrong with a request.

use std::fmt;

use http::StatusCode;

/// What was wrong with a request.
///
/// [`is_authentication_failure`](Self::is_authentication_failure) tells the verdicts on a signature, which all get one answer,
/// from the failures that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The body did not arrive within the deadline: 408.
    BodyTimeout,
    /// The body is longer than the limit: 413.
    BodyTooLarge,
    /// The body broke off, or could not be read: 400.
    BodyUnreadable,
    /// The server's own clock cannot be right, so no signed time can be judged: 503.
    ClockUnreliable,
    /// An ownership challenge without the right token.
    ChallengeFailed,
    /// An ownership challenge with a part missing or out of form: 400.
    ChallengeMalformed,
    /// An ownership challenge that nobody here has asked for: 404.
    ChallengeUnexpected,
    /// A header, or a field of one, is out of form.
    Malformed,
    /// A header that the scheme needs is absent or empty.
    Missing,
    /// The bodies of unverified requests use up the [byte
    /// budget](crate::SignatureLayer::byte_budget): 503.
    Overloaded,
    /// A header that must be there once is there more than once, or headers of two families are
    /// mixed.
    Repeated,
    /// No signature in the request was made with one of the secrets over what was received.
    SignatureMismatch,
    /// The signed time is further ahead than the tolerance allows.
    TimestampInFuture,
    /// The signed time is longer ago than the tolerance allows.
    TimestampStale,
    /// A body that the signature does not cover.
    BodyNotSigned,
    /// The look-up knows no secret for this request.
    UnknownTenant,
    /// The URL that the provider signed could not be told from this request.
    UrlUnresolved,
    /// The verifier panicked: 500.
    VerifierPanicked,
    /// The verifier itself failed, for example because the secret store is down: 503.
    VerifierUnavailable,
}

impl RejectionKind {
    /// A stable name for logs and metrics, in snake case.
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
            Self::UnknownTenant => "unknown_tenant",
            Self::UrlUnresolved => "unknown_url",
            Self::VerifierPanicked => "verifier_panicked",
            Self::VerifierUnavailable => "verifier_unavailable",
        }
    }

    /// Whether this is a verdict on the request's authenticity. All verdicts get the same answer,
    /// so that an attacker cannot tell them apart.
    #[must_use]
    pub const fn is_authentication_failure(self) -> bool {
        self.own_status().is_none()
    }

    /// The status of a failure that is no verdict: 4xx only where the request itself is at fault,
    /// 5xx where we could not decide, because senders give up on a 4xx and come again after a 503.
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
            | Self::UnknownTenant
            | Self::UrlUnresolved => None,
        }
    }

    /// Whether the body was not there whole or could not be held, so that there is nothing to hand
    /// on.
    pub(crate) const fn is_of_body(self) -> bool {
        matches!(
            self,
            Self::BodyTimeout | Self::BodyTooLarge | Self::BodyUnreadable | Self::Overloaded
        )
    }

    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::BodyTimeout => "the body did not arrive in time",
            Self::BodyTooLarge => "the body is over the limit",
            Self::BodyUnreadable => "the body could not be read",
            Self::ClockUnreliable => "the server's clock cannot be right",
            Self::ChallengeFailed => "the challenge does not carry the right token",
            Self::ChallengeMalformed => "the challenge is incomplete or out of form",
            Self::ChallengeUnexpected => "nobody here has asked for this challenge",
            Self::Malformed => "out of form",
            Self::Missing => "missing or empty",
            Self::Overloaded => "too many bodies are being received",
            Self::Repeated => "there more than once",
            Self::SignatureMismatch => "no signature matches",
            Self::TimestampInFuture => "the signed time is in the future",
            Self::TimestampStale => "the signed time is too long ago",
            Self::BodyNotSigned => "the signature does not cover the body",
            Self::UnknownTenant => "no secret is known for this request",
            Self::UrlUnresolved => "the signed URL cannot be told",
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
