//! The states of a request in the layer, and what moves with them.

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
        // The verifier could not even be asked for.
        Failed { rejection: Rejection, exchange: Exchange<S>, body: Input<B> },
        // The verifier is being made.
        Make { #[pin] early: E, exchange: Exchange<S>, body: Input<B> },
        // The body is being read, to be verified or to be discarded. It stays in its place meanwhile.
        Body {
            task: Task<M, V, S>,
            #[pin]
            body: B,
            #[pin]
            timer: Timer,
        },
        // The body is here whole. The verifier is being looked up by it.
        LookUp {
            #[pin]
            future: L,
            exchange: Exchange<S>,
            body: BufferedBody,
            reservation: Reservation,
        },
        // The request has its mark. The inner service is being asked for room.
        Ready { inner: S, request: Request<BufferedBody> },
        // The inner service is at work.
        Call { #[pin] future: F },
        Done,
    }
}

/// A request's head, and the instance of the inner service that is asked for room and then called.
pub(crate) struct Exchange<S> {
    pub(crate) head: Parts,
    pub(crate) inner: S,
}

/// A request's body before a verifier is there.
pub(crate) enum Input<B> {
    /// Not one frame has been polled.
    Unread(B),
    /// It has been read, because it could have been a first contact.
    Read(BufferedBody, Reservation),
}

/// The purpose of polling the body.
pub(crate) enum Task<M, V, S> {
    /// It is verified, or answered as a first contact.
    Read(Exchange<S>, Reading<M, V>),
    /// The response has been decided. The body is read so that the response arrives.
    Discard(Draining),
}

/// The next state is in its place, or this is the layer's own response.
pub(crate) type Next = ControlFlow<Response<Bytes>>;
