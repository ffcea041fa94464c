//! A body in frames.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body whose frames are all there.
#[derive(Clone)]
pub(crate) struct Frames {
    left: Bytes,
    frame: usize,
    waits: bool,
}

impl Frames {
    /// Cuts the body into frames of this length. The last one may be shorter.
    pub(crate) fn new(body: Bytes, frame: usize) -> Self {
        Self { left: body, frame: frame.max(1), waits: false }
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
        let len = self.left.len().min(self.frame);
        if len == 0 {
            return Poll::Ready(None);
        }
        if len == self.left.len() && mem::take(&mut self.waits) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
