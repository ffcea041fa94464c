//! The states of a request in the layer.

use std::ops::ControlFlow;

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;

use crate::layer::{
    body::BufferedBody, budget::Reservation, deadline::Timer, discard::Draining, read::Reading,
};

pin_project! {
    /// The states, in the order in which a request goes through them. The head of the request and
    /// the inner service stay in the [`Exchange`](super::exchange::Exchange) meanwhile: moving them
    /// from state to state would cost more than the states do.
    #[project = StepProjection]
    #[project_replace = StepOwned]
    pub(crate) enum Step<E, T, L, F, B> {
        // The verifier is being created.
        Make { #[pin] look_up: E, body: Input<B> },
        // The body is being read, to be verified or to be discarded. It stays in place meanwhile.
        Body { task: Task<T>, #[pin] body: B, timer: Timer },
        // The body has been read. The verifier is being looked up by it.
        LookUp { #[pin] future: L, body: BufferedBody, reservation: Reservation },
        // The request has been marked. The inner service is being polled for readiness.
        Ready { body: BufferedBody },
        // The inner service is handling the request.
        Call { #[pin] future: F },
        // The layer responds, and there is nothing to discard.
        Respond { response: Response<Bytes> },
        Done,
    }
}

/// The body of a request before its verifier is known.
pub(crate) enum Input<B> {
    /// No frame has been polled.
    Unread(B),
    /// The body has been read, because it could have been a first contact.
    Read(BufferedBody, Reservation),
}

/// The purpose of polling the body.
pub(crate) enum Task<T> {
    /// The body is read, to be verified or answered as a first contact.
    Read(Reading<T>),
    /// The response has been decided. The body is read and discarded, so that the response arrives.
    Discard(Draining),
}

impl<E, T, L, F, B> Step<E, T, L, F, B> {
    /// Creates the state of a request whose body is read.
    pub(crate) fn read(reading: Reading<T>, body: B) -> Self {
        Self::Body { task: Task::Read(reading), body, timer: Timer::default() }
    }
}

/// A response of the layer, and what it does with the rest of the body.
pub(crate) enum Early {
    Send(Response<Bytes>),
    Drain(Draining),
}

/// The result of a transition: the next state has been set, or the layer sends its own response.
pub(crate) type Next = ControlFlow<Response<Bytes>>;
