//! Reads a request's body for its verifier.

use std::{
    error::Error,
    mem,
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
        budget::Share,
        buffer::Gather,
        config::Config,
        deadline::Timer,
        drain::Rest,
        verification::{Decider, Stop},
    },
    outcome::{kind::RejectionKind, rejection::Rejection},
    panic::catch_panic,
    verifier::verifier::Verifier,
};

/// Frames that are read before other tasks get their turn.
pub(crate) const FRAMES_PER_TURN: usize = 64;

/// A body that is being read, and who decides on it.
pub(crate) struct Reading<V, T, L> {
    decider: Option<Decider<V, T, L>>,
    gather: Gather,
    trailers: Option<Box<HeaderMap>>,
}

impl<V, T, L> Reading<V, T, L> {
    /// Creates the state for a body that is declared to be at least this long.
    pub(crate) fn new(decider: Decider<V, T, L>, declared: usize) -> Self {
        Self { decider: Some(decider), gather: Gather::new(declared), trailers: None }
    }

    /// Creates the state for a body that may be a first contact. Nobody decides on it yet.
    pub(crate) fn undecided(declared: usize) -> Self {
        Self { decider: None, gather: Gather::new(declared), trailers: None }
    }

    /// Returns the body, its share of the byte budget, and who decides.
    pub(crate) fn finish(&mut self) -> (BufferedBody, Share, Option<Decider<V, T, L>>) {
        let (bytes, share) = mem::take(&mut self.gather).finish();
        (BufferedBody::new(bytes, self.trailers.take()), share, self.decider.take())
    }
}

impl<V: Verifier, L> Reading<V, V::State, L> {
    /// Reads the body to its end, within its limit and its time.
    pub(crate) fn poll<B>(
        &mut self,
        mut body: Pin<&mut B>,
        timer: Pin<&mut Timer>,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), (Stop, Rest<B>)>>
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
                Poll::Pending => return self.wait(timer, config, cx).map_err(partly),
            };
            let read = match frame.into_data() {
                Ok(data) => self.data(data, config),
                Err(frame) => frame.into_trailers().map_or(Ok(()), |more| self.trailers(&more)),
            };
            if let Err(stop) = read {
                return Poll::Ready(Err(partly(stop)));
            }
        }
        // A body that is always ready must not keep the thread, nor outlive its deadline: it may
        // have no end, and empty frames never reach the limit.
        cx.waker().wake_by_ref();
        self.wait(timer, config, cx).map_err(partly)
    }

    fn data(&mut self, mut data: impl Buf, config: &Config) -> Result<(), Stop> {
        if data.remaining() > config.body_limit() - self.gather.len() {
            return Err(RejectionKind::BodyTooLarge.into());
        }
        // The whole of it, of however many pieces it is made. `Bytes` are not copied.
        let chunk = data.copy_to_bytes(data.remaining());
        if let Some(Decider::Verifier(verifier, state)) = &mut self.decider
            && let Err(panic) = catch_panic(|| verifier.update(state, &chunk))
        {
            self.decider = Some(Decider::Refused(config.report_only(panic.into())?));
        }
        self.gather.push(chunk, config.body_limit());
        Ok(())
    }

    fn trailers(&mut self, more: &HeaderMap) -> Result<(), Stop> {
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
    ) -> Poll<Result<(), Stop>> {
        if let Err(overload) = self.gather.hold(&config.budget, cx.waker()) {
            return Poll::Ready(Err(overload.into()));
        }
        let is_over = timer.poll_for(config.body_deadline, cx);
        is_over.map(|()| Err(RejectionKind::BodyTimeout.into()))
    }
}

fn partly<B>(stop: Stop) -> (Stop, Rest<B>) {
    (stop, Rest::Partly)
}

/// A body error, which may be the limit of a layer above us.
fn unreadable<B>(error: Box<dyn Error + Send + Sync>) -> (Stop, Rest<B>) {
    if is_limit(&*error) {
        return partly(RejectionKind::BodyTooLarge.into());
    }
    let rejection = Rejection::new(RejectionKind::BodyUnreadable).with_source(error);
    (rejection.into(), Rest::Broken)
}

/// Returns whether a limit of a layer above us caused this error, in one or more wrappers.
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
