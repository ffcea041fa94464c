//! The states of a request in the layer, and the data that moves with them.

use std::ops::ControlFlow;

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use pin_project_lite::pin_project;

use crate::{
    layer::{
        body::BufferedBody, budget::Reservation, deadline::Timer, discard::Draining, read::Reading,
    },
    outcome::rejection::Rejection,
};

pin_project! {
    /// The states, in the order in which a request goes through them. The request moves with them.
    #[project = StepProjection]
    #[project_replace = StepOwned]
    pub(crate) enum Step<M, E, L, V, S, F, B> {
        // The source failed before it returned a future.
        Failed { rejection: Rejection, exchange: Exchange<S>, body: Input<B> },
        // The verifier is being created.
        Make { #[pin] look_up: E, exchange: Exchange<S>, body: Input<B> },
        // The body is being read, to be verified or to be discarded. It stays in place meanwhile.
        Body {
            task: Task<M, V, S>,
            #[pin]
            body: B,
            #[pin]
            timer: Timer,
        },
        // The body has been read. The verifier is being looked up by it.
        LookUp {
            #[pin]
            future: L,
            exchange: Exchange<S>,
            body: BufferedBody,
            reservation: Reservation,
        },
        // The request has been marked. The inner service is being polled for readiness.
        Ready { inner: S, request: Request<BufferedBody> },
        // The inner service is handling the request.
        Call { #[pin] future: F },
        Done,
    }
}

/// The head of a request, and the instance of the inner service that is polled for readiness and
/// then called.
pub(crate) struct Exchange<S> {
    pub(crate) head: Parts,
    pub(crate) inner: S,
}

/// The body of a request before its verifier is known.
pub(crate) enum Input<B> {
    /// No frame has been polled.
    Unread(B),
    /// The body has been read, because it could have been a first contact.
    Read(BufferedBody, Reservation),
}

/// The purpose of polling the body.
pub(crate) enum Task<M, V, S> {
    /// The body is read, to be verified or answered as a first contact.
    Read(Exchange<S>, Reading<M, V>),
    /// The response has been decided. The body is read and discarded, so that the response arrives.
    Discard(Draining),
}

/// The result of a transition: the next state has been set, or the layer sends its own response.
pub(crate) type Next = ControlFlow<Response<Bytes>>;
