//! Outcome of a successful verification.

use bytes::Bytes;
use http::Response;

use crate::outcome::{rejection::Rejection, verified::Verified};

/// Outcome of a successful verification: a delivery for the handler, or a signed challenge.
///
/// [`verify`](crate::verify) and [`Verifier::finish`](crate::Verifier::finish) return it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The request is a delivery for the handler.
    Accept(Verified),
    /// The request is a **signed** challenge, such as Slack's `url_verification`. The layer sends
    /// this response and does not call the handler.
    Reply(Response<Bytes>, Verified),
}

impl Outcome {
    /// Returns the proof of a delivery, or `None` for a challenge.
    #[must_use]
    pub fn accepted(self) -> Option<Verified> {
        match self {
            Self::Accept(verified) => Some(verified),
            Self::Reply(..) => None,
        }
    }

    /// Returns the proof of a delivery or a challenge.
    #[must_use]
    pub const fn verified(&self) -> &Verified {
        match self {
            Self::Accept(verified) | Self::Reply(_, verified) => verified,
        }
    }

    /// Returns the response to a challenge, or `None` for a delivery.
    #[must_use]
    pub const fn reply(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Accept(_) => None,
            Self::Reply(response, _) => Some(response),
        }
    }

    /// Creates the outcome of a verification with this proof, and this reply if it is a challenge.
    pub(crate) fn of(reply: Option<Response<Bytes>>, verified: Verified) -> Self {
        match reply {
            Some(response) => Self::Reply(response, verified),
            None => Self::Accept(verified),
        }
    }

    /// Writes the proof into `proof`, and returns the response to a challenge.
    pub(crate) fn split(self, proof: &mut Verified) -> Option<Response<Bytes>> {
        match self {
            Self::Accept(verified) => {
                *proof = verified;
                None
            }
            Self::Reply(response, verified) => {
                *proof = verified;
                Some(response)
            }
        }
    }

    /// Replaces the proof with the result of `change`.
    pub(crate) fn map(self, change: impl FnOnce(Verified) -> Verified) -> Self {
        match self {
            Self::Accept(verified) => Self::Accept(change(verified)),
            Self::Reply(response, verified) => Self::Reply(response, change(verified)),
        }
    }

    /// Adds the response to a challenge, unless there is one already.
    ///
    /// # Errors
    ///
    /// Returns the rejection of a malformed challenge.
    pub(crate) fn or_reply(
        self,
        reply: impl FnOnce() -> Option<Result<Response<Bytes>, Rejection>>,
    ) -> Result<Self, Rejection> {
        match self {
            Self::Accept(verified) => Ok(match reply().transpose()? {
                Some(response) => Self::Reply(response, verified),
                None => Self::Accept(verified),
            }),
            reply @ Self::Reply(..) => Ok(reply),
        }
    }

    /// Joins the outcomes of two verifiers that both accept the request.
    pub(crate) fn join(
        self,
        other: Self,
        join: impl FnOnce(Verified, &Verified) -> Verified,
    ) -> Self {
        let joined = self.map(|verified| join(verified, other.verified()));
        match (joined, other) {
            (Self::Accept(verified), Self::Reply(response, _)) => Self::Reply(response, verified),
            (joined, _) => joined,
        }
    }
}

impl From<Verified> for Outcome {
    fn from(verified: Verified) -> Self {
        Self::Accept(verified)
    }
}
