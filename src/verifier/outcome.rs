//! What a verifier decides on a genuine request.

use bytes::Bytes;
use http::Response;

use crate::outcome::{rejection::Rejection, verified::Verified};

/// The decision on a genuine request: who answers it.
///
/// [`verify`](crate::verify) and [`Verifier::finish`](crate::Verifier::finish) return it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler answers.
    Accept(Verified),
    /// The request is a **signed** challenge, such as Slack's `url_verification`. The layer sends this response, and
    /// the handler is not called.
    Reply(Response<Bytes>, Verified),
}

impl Outcome {
    /// Returns the proof of a delivery. `None` for a challenge.
    #[must_use]
    pub fn accepted(self) -> Option<Verified> {
        match self {
            Self::Accept(verified) => Some(verified),
            Self::Reply(..) => None,
        }
    }

    /// Returns the proof, of a challenge as well.
    #[must_use]
    pub const fn verified(&self) -> &Verified {
        match self {
            Self::Accept(verified) | Self::Reply(_, verified) => verified,
        }
    }

    /// Returns the response to a challenge.
    #[must_use]
    pub const fn reply(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Accept(_) => None,
            Self::Reply(response, _) => Some(response),
        }
    }

    /// Changes the proof.
    pub(crate) fn map(self, change: impl FnOnce(Verified) -> Verified) -> Self {
        match self {
            Self::Accept(verified) => Self::Accept(change(verified)),
            Self::Reply(response, verified) => Self::Reply(response, change(verified)),
        }
    }

    /// Replies, unless another verifier does. A challenge out of form is refused.
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
