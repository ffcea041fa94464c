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
        body::BufferedBody, budget::Reservation, buffer::BodyBuffer, config::Config,
        deadline::Timer, respond::EarlyResponse, verification::Verification,
    },
    outcome::{kind::RejectionKind, rejection::Rejection},
    verifier::verifier::Verifier,
};

/// Number of frames that are read before other tasks get their turn.
pub(crate) const FRAMES_PER_TURN: usize = 64;

/// A body that is being read.
pub(crate) struct Reading<M, V> {
    purpose: Purpose<M, V>,
    buffer: BodyBuffer,
    trailers: Option<Box<HeaderMap>>,
}

/// The purpose of reading a body.
pub(crate) enum Purpose<M, V> {
    /// The request may be a first contact. The source has not been asked for a verifier.
    Contact(M),
    /// The head has been accepted, and the body is verified.
    Verify(V),
}

/// A body that was not read to its end.
pub(crate) struct Interrupted {
    pub(crate) early: EarlyResponse,
    /// `true` if the body failed, so that its end is not known.
    pub(crate) is_broken: bool,
}

impl<M, V> Reading<M, V> {
    /// Creates the state for a body that is declared to be at least this long.
    pub(crate) fn new(purpose: Purpose<M, V>, declared: usize) -> Self {
        Self { purpose, buffer: BodyBuffer::new(declared), trailers: None }
    }

    /// Returns the purpose of reading the body, the body, and its share of the byte budget.
    pub(crate) fn finish(self) -> (Purpose<M, V>, BufferedBody, Reservation) {
        let (bytes, reservation) = self.buffer.finish();
        (self.purpose, BufferedBody::new(bytes, self.trailers), reservation)
    }

    /// Returns whether the body may be a first contact.
    pub(crate) const fn is_of_contact(&self) -> bool {
        matches!(self.purpose, Purpose::Contact(_))
    }
}

impl<M, V: Verifier, L> Reading<M, Verification<V, V::State, L>> {
    /// Reads the body to its end, within the limits on its length and time.
    pub(crate) fn poll<B>(
        &mut self,
        mut body: Pin<&mut B>,
        timer: Pin<&mut Timer>,
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
                Ok(data) => self.data(data, config),
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

    fn data(&mut self, mut data: impl Buf, config: &Config) -> Result<(), EarlyResponse> {
        if data.remaining() > config.body_limit() - self.buffer.len() {
            return Err(RejectionKind::BodyTooLarge.into());
        }
        // Takes all of the data, also from a buffer in several pieces. `Bytes` are not copied.
        let chunk = data.copy_to_bytes(data.remaining());
        if let Purpose::Verify(verification) = &mut self.purpose {
            verification.update(&chunk, config).map_err(|refused| refused.early)?;
        }
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
        timer: Pin<&mut Timer>,
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
