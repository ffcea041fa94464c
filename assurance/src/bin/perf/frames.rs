//! A body in frames.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
    vec::IntoIter,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

pub(crate) struct Frames {
    left: IntoIter<Bytes>,
    len: u64,
    waits: bool,
}

impl Frames {
    /// In so many frames, which are all there.
    pub(crate) fn new(body: &Bytes, frames: usize) -> Self {
        let len = body.len().div_ceil(frames);
        let frames: Vec<_> = (0..body.len())
            .step_by(len)
            .map(|at| body.slice(at..(at + len).min(body.len())))
            .collect();
        Self { left: frames.into_iter(), len: body.len() as u64, waits: false }
    }

    /// Makes its reader wait once, before the last frame. Nobody wakes it.
    pub(crate) fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.len() == 1 && mem::take(&mut self.waits) {
            return Poll::Pending;
        }
        let frame = self.left.next();
        self.len -= frame.as_ref().map_or(0, |frame| frame.len() as u64);
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.len == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}
