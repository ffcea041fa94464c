//! Verifiers made of two verifiers.

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{Profile, Rejection, Verified, Verifier};

/// Both verifiers must accept; see [`all_of`].
#[derive(Clone, Debug)]
pub struct AllOf<A, B> {
    first: A,
    second: B,
}

/// One verifier must accept; see [`any_of`].
#[derive(Clone, Debug)]
pub struct AnyOf<A, B> {
    first: A,
    second: B,
}

/// Accepts what **both** verifiers accept, for example a signature and a shared token.
///
/// [`Verified`], status and body limit are those of the first. Put the signature there.
///
/// ```
/// use http::HeaderName;
/// use tower_webhook::{Secret, SignatureLayer, all_of, providers::{SharedToken, Wsapi}};
///
/// let signature = Wsapi::new(Secret::new("event signing secret")?);
/// let header = HeaderName::from_static("x-webhook-auth");
/// let token = SharedToken::new(header, Secret::new("webhook auth value")?);
/// let layer = SignatureLayer::new(all_of(signature, token));
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
pub const fn all_of<A: Verifier, B: Verifier>(first: A, second: B) -> AllOf<A, B> {
    AllOf { first, second }
}

/// Accepts what **either** verifier accepts, for the time of a migration.
///
/// It is as strong as the weaker of the two: take it out when the last delivery of the old kind is
/// long ago, which [`Verified`] tells. Only a verifier that accepted a request answers a signed
/// challenge in it. Status is that of the first, the body limit the larger one.
pub const fn any_of<A: Verifier, B: Verifier>(first: A, second: B) -> AnyOf<A, B> {
    AnyOf { first, second }
}

impl<A: Verifier, B: Verifier> Verifier for AllOf<A, B> {
    type State = (A::State, B::State);

    fn begin(&self, head: &Parts) -> Result<Self::State, Rejection> {
        Ok((self.first.begin(head)?, self.second.begin(head)?))
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        self.first.update(&mut state.0, chunk);
        self.second.update(&mut state.1, chunk);
    }

    fn finish(
        &self,
        (first, second): Self::State,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        // Both run in any case, so that the time taken does not tell which one refused.
        let first = self.first.finish(first, head, body);
        let second = self.second.finish(second, head, body);
        let verified = first?;
        // A token beside a signature must not hide from a replay guard what the signature covers.
        second.map(|second| verified.or_identity_of(&second).or_reply_of(second))
    }

    fn handshake(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
        self.first.handshake(head).or_else(|| self.second.handshake(head))
    }

    fn profile(&self) -> Profile {
        self.first.profile().as_secret_as(self.second.profile())
    }
}

/// The rejection to report: a verifier that could not decide makes the sender come again.
fn one_of(first: Rejection, second: Rejection) -> Rejection {
    if first.kind().is_verdict() && !second.kind().is_verdict() { second } else { first }
}

impl<A: Verifier, B: Verifier> Verifier for AnyOf<A, B> {
    type State = (Result<A::State, Rejection>, Result<B::State, Rejection>);

    fn begin(&self, head: &Parts) -> Result<Self::State, Rejection> {
        match (self.first.begin(head), self.second.begin(head)) {
            (Err(first), Err(second)) => Err(one_of(first, second)),
            states => Ok(states),
        }
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        if let Ok(state) = &mut state.0 {
            self.first.update(state, chunk);
        }
        if let Ok(state) = &mut state.1 {
            self.second.update(state, chunk);
        }
    }

    fn finish(
        &self,
        (first, second): Self::State,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let is_firsts = first.is_ok();
        let first = first.and_then(|state| self.first.finish(state, head, body));
        let second = second.and_then(|state| self.second.finish(state, head, body));
        match (first, second) {
            // A verifier that refused has no say in the answer.
            (Ok(first), Ok(second)) => Ok(first.or_reply_of(second)),
            (Ok(verified), Err(_)) | (Err(_), Ok(verified)) => Ok(verified),
            // The one whose head was in order is the one that was meant.
            (Err(first), Err(second)) if is_firsts => Err(one_of(first, second)),
            (Err(first), Err(second)) => Err(one_of(second, first)),
        }
    }

    fn handshake(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
        match (self.first.handshake(head), self.second.handshake(head)) {
            (Some(Ok(response)), _) | (_, Some(Ok(response))) => Some(Ok(response)),
            (Some(Err(first)), Some(Err(second))) => Some(Err(one_of(first, second))),
            (answer, None) | (None, answer) => answer,
        }
    }

    fn profile(&self) -> Profile {
        let (first, second) = (self.first.profile(), self.second.profile());
        first.with_body_limit(first.body_limit.max(second.body_limit)).as_secret_as(second)
    }
}
