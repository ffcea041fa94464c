//! The buffered request body, and the body of a response.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// A request body that the layer has received completely: exactly the bytes that the verifier saw,
/// and the trailers if there were any.
///
/// In [report-only mode](crate::SignatureLayer::dangerously_report_only), it can be the body of a
/// request that failed verification.
///
/// No scheme signs trailers. Only the layer creates a `BufferedBody`, so a handler that takes one
/// cannot be called without the layer.
#[derive(Clone, Debug)]
pub struct BufferedBody {
    data: Bytes,
    /// Boxed, because every request is moved and few have trailers.
    trailers: Option<Box<HeaderMap>>,
}

impl BufferedBody {
    pub(crate) const fn empty() -> Self {
        Self::new(Bytes::new(), None)
    }

    pub(crate) const fn new(data: Bytes, trailers: Option<Box<HeaderMap>>) -> Self {
        Self { data, trailers }
    }

    /// Returns the bytes that have not been read yet. At first, this is the whole body.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.data
    }

    /// Returns the bytes that have not been read yet, without a copy, and drops the trailers. At
    /// first, this is the whole body.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.data
    }
}

impl Body for BufferedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = if self.data.is_empty() {
            self.trailers.take().map(|trailers| Frame::trailers(*trailers))
        } else {
            Some(Frame::data(std::mem::take(&mut self.data)))
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}

pin_project! {
    /// Response body: the inner service's, or the layer's own.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Own { body: Bytes },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) const fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    pub(crate) const fn own(body: Bytes) -> Self {
        Self { kind: Kind::Own { body } }
    }
}

/// Returns an empty body, whatever body type the inner service has. Layers above require `Default`.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::own(Bytes::new())
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Own { body } if body.is_empty() => Poll::Ready(None),
            KindProjection::Own { body } => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(body)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { body } => body.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { body } => SizeHint::with_exact(body.len() as u64),
        }
    }
}
