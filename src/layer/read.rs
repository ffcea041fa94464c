//! Reads the body of a request for its verifier.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf;
use http::HeaderMap;
use http_body::Body;
use http_body_util::LengthLimitError;

use crate::{
    layer::{
        body::BufferedBody,
        budget::Reservation,
        buffer::BodyBuffer,
        config::Config,
        deadline::Timer,
        respond::{EarlyResponse, Refused},
        verification::update,
    },
    outcome::{kind::RejectionKind, rejection::Rejection},
    verifier::verifier::Verifier,
};

/// Number of frames that are read before other tasks get their turn.
pub(crate) const FRAMES_PER_TURN: usize = 64;

/// A body that is being read.
pub(crate) struct Reading<T> {
    /// `true` if the request may be a first contact. No verifier has seen its head.
    pub(crate) is_of_contact: bool,
    /// State of the verifier, if it has accepted the head.
    pub(crate) state: Option<T>,
    /// The rejection of a request that report-only mode forwards.
    pub(crate) rejected: Option<Box<Refused>>,
    buffer: BodyBuffer,
    trailers: Option<Box<HeaderMap>>,
}

/// A body that was not read to its end.
pub(crate) struct Interrupted {
    pub(crate) early: EarlyResponse,
    /// `true` if the body failed, so that its end is not known.
    pub(crate) is_broken: bool,
}

impl<T> Reading<T> {
    /// Creates the state for a body that is declared to be at least this long.
    pub(crate) fn new(declared: usize, is_of_contact: bool) -> Self {
        let buffer = BodyBuffer::new(declared);
        Self { is_of_contact, state: None, rejected: None, buffer, trailers: None }
    }

    /// Returns the length of which the body is declared to be at least.
    pub(crate) const fn declared(&self) -> usize {
        self.buffer.declared
    }

    /// Takes the body, and its share of the byte budget.
    pub(crate) fn take_body(&mut self) -> (BufferedBody, Reservation) {
        let (bytes, reservation) = self.buffer.take();
        (BufferedBody::new(bytes, self.trailers.take()), reservation)
    }

    /// Keeps the rejection of a request that report-only mode forwards, or returns it.
    #[cold]
    pub(crate) fn reject(&mut self, refused: Refused, config: &Config) -> Result<(), Refused> {
        self.rejected = Some(Box::new(config.report_only(refused)?));
        self.state = None;
        Ok(())
    }

    /// Passes bytes of the body to the verifier.
    pub(crate) fn update<V: Verifier<State = T>>(
        &mut self,
        chunk: &[u8],
        verifier: Option<&V>,
        config: &Config,
    ) -> Result<(), Refused> {
        match verifier.map_or(Ok(()), |verifier| update(verifier, &mut self.state, chunk)) {
            Ok(()) => Ok(()),
            Err(panic) => self.reject(panic.into(), config),
        }
    }

    /// Reads the body to its end, within the limits on its length and time.
    pub(crate) fn poll<V: Verifier<State = T>, B>(
        &mut self,
        mut body: Pin<&mut B>,
        timer: &mut Timer,
        verifier: Option<&V>,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Interrupted>>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        for _ in 0..FRAMES_PER_TURN {
            let frame = match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(unreadable(error.into())));
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return self.wait(timer, config, cx),
            };
            let read = match frame.into_data() {
                Ok(data) => self.data(data, verifier, config),
                Err(frame) => frame.into_trailers().map_or(Ok(()), |more| self.trailers(&more)),
            };
            if let Err(early) = read {
                return Poll::Ready(Err(early.into()));
            }
        }
        // A body that is always ready must neither occupy the thread nor outlive its deadline: it
        // may have no end, and empty frames never reach the limit.
        cx.waker().wake_by_ref();
        self.wait(timer, config, cx)
    }

    fn data<V: Verifier<State = T>>(
        &mut self,
        mut data: impl Buf,
        verifier: Option<&V>,
        config: &Config,
    ) -> Result<(), EarlyResponse> {
        if data.remaining() > config.body_limit() - self.buffer.len() {
            return Err(RejectionKind::BodyTooLarge.into());
        }
        // Takes all of the data, also from a buffer in several pieces. `Bytes` are not copied.
        let chunk = data.copy_to_bytes(data.remaining());
        self.update(&chunk, verifier, config).map_err(|refused| refused.early)?;
        self.buffer.push(chunk, config.body_limit());
        Ok(())
    }

    fn trailers(&mut self, more: &HeaderMap) -> Result<(), EarlyResponse> {
        let trailers = self.trailers.get_or_insert_default();
        for (name, value) in more {
            if trailers.try_append(name, value.clone()).is_err() {
                return Err(RejectionKind::BodyUnreadable.into());
            }
        }
        Ok(())
    }

    /// Waits for more of the body, within the byte budget and the deadline.
    fn wait(
        &mut self,
        timer: &mut Timer,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Interrupted>> {
        if let Err(overload) = self.buffer.reserve(&config.budget, cx.waker()) {
            return Poll::Ready(Err(EarlyResponse::from(overload).into()));
        }
        let is_over = timer.poll_for(config.body_deadline, cx);
        is_over.map(|()| Err(EarlyResponse::from(RejectionKind::BodyTimeout).into()))
    }
}

impl From<EarlyResponse> for Interrupted {
    fn from(early: EarlyResponse) -> Self {
        Self { early, is_broken: false }
    }
}

/// Converts a body error, which may come from the limit of a layer above.
fn unreadable(error: Box<dyn Error + Send + Sync>) -> Interrupted {
    if is_limit(&*error) {
        return EarlyResponse::from(RejectionKind::BodyTooLarge).into();
    }
    let rejection = Rejection::new(RejectionKind::BodyUnreadable).with_source(error);
    Interrupted { early: rejection.into(), is_broken: true }
}

/// Returns whether the limit of a layer above caused this error, possibly inside wrappers.
pub(crate) fn is_limit(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
