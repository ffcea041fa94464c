//! Reads and discards the rest of a body behind an early response.
//!
//! A response that is sent before the request body has been read is followed by a connection reset:
//! the server closes a socket that has unread bytes. A proxy in front then sees a broken server,
//! answers 502, and takes the server out of its upstream group (nginx: `max_fails`, Caddy:
//! `fail_duration`). So strangers who post unsigned bodies could cut off genuine senders.

use std::{
    error::Error,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Response, header, request::Parts};
use http_body::Body;

use crate::{
    budget::{Budget, NoRoom, Share},
    deadline::{Deadline, Instant, after},
    head::is_http1,
    layer::Config,
    read::{FRAMES_PER_TURN, is_limit},
};

/// Limits on reading and discarding the rest of a body behind an early response.
///
/// A response that the layer sends before the end of the request body (a refusal, or the answer to
/// a challenge) waits until the rest of the body has been read and discarded. Nothing of it is kept
/// or hashed. Otherwise the connection is reset, the response is lost, and proxies take the server
/// for broken.
///
/// Beyond a limit the response is sent at once, with `connection: close` on HTTP/1. It is sent at
/// once, too, when the sender waits for `100 Continue` and so has not sent a byte.
///
/// Set your proxy's own body limit (nginx: `client_max_body_size`) to at most
/// [`max_bytes`](Self::max_bytes).
///
/// ```
/// use std::time::Duration;
/// use tower_webhook::{Drain, Secret, SignatureLayer, providers::GitHub};
///
/// let layer = SignatureLayer::new(GitHub::new(Secret::new("It's a Secret to Everybody")?))
///     .drain(Drain::new().max_bytes(32 << 20).timeout(Duration::from_secs(10)));
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Drain {
    max_bytes: Option<usize>,
    timeout: Duration,
    idle_timeout: Duration,
    max_concurrent: usize,
}

/// The least that is drained unless the limit is set: a proxy's default lets 1 MiB through.
const MIN_BYTES: usize = 1 << 20;

/// What counts for a frame whose bytes are not seen, or that has none: a body of such frames ends too.
const UNSEEN: usize = 4 << 10;

impl Drain {
    /// Creates the default limits.
    pub const fn new() -> Self {
        Self {
            max_bytes: None,
            timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_millis(500),
            max_concurrent: 1024,
        }
    }

    /// Sets the most bytes that are discarded for one request. The default is the layer's body
    /// limit, and at least 1 MiB. With 0 the layer drains nothing.
    ///
    /// When the request declares that more bytes follow, none are read.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets the time that draining one request may take in all. The default is 5 seconds.
    ///
    /// Tokio's timer keeps this time and [`idle_timeout`](Self::idle_timeout). Without the feature
    /// `tokio`, or where there is no Tokio timer, neither ends a drain.
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Sets the time to wait for the next byte. The default is 500 milliseconds.
    pub const fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = time;
        self
    }

    /// Sets how many requests of a layer and its clones may wait for more bytes at once. The
    /// default is 1,024.
    ///
    /// Beyond it the request that has drained longest is answered at once. So senders that stall
    /// take no places from requests that are almost complete.
    pub const fn max_concurrent(mut self, requests: usize) -> Self {
        self.max_concurrent = requests;
        self
    }

    /// The places for requests that wait.
    pub(crate) fn places(&self) -> Budget {
        Budget::new(self.max_concurrent)
    }

    fn bytes(&self, body_limit: usize) -> usize {
        self.max_bytes.unwrap_or(body_limit.max(MIN_BYTES))
    }

    /// Returns whether the end of this body can be reached within the limits.
    pub(crate) fn reaches_end(&self, body: &impl Body, body_limit: usize) -> bool {
        let bytes = self.bytes(body_limit);
        bytes > 0 && body.size_hint().lower() <= bytes as u64
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

/// What is left of the body when the layer answers.
pub(crate) enum Rest<B> {
    /// Nothing: it has been read to its end.
    Read,
    /// All of it: not one frame has been polled.
    Unread(B),
    /// Some of it. The body is in its place in the state machine.
    Partly,
    /// Nothing more comes: the body ended with an error.
    Broken,
}

/// A response that waits for the end of the request body.
pub(crate) struct Draining {
    response: Response<Bytes>,
    is_http1: bool,
    bytes_left: usize,
    place: Share,
    /// Of the drain, from when it first waited.
    end: Option<Instant>,
    idle_end: Option<Instant>,
}

impl Draining {
    pub(crate) fn new(response: Response<Bytes>, head: &Parts, config: &Config) -> Self {
        Self {
            response,
            is_http1: is_http1(head),
            bytes_left: config.drain.bytes(config.profile.body_limit),
            place: Share::default(),
            end: None,
            idle_end: None,
        }
    }

    /// Reads until the body or a limit ends, then returns the response.
    pub(crate) fn poll<B>(
        &mut self,
        body: Pin<&mut B>,
        deadline: Pin<&mut Deadline>,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<Response<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let is_read = match self.discard(body, cx) {
            Poll::Ready(is_read) => is_read,
            Poll::Pending => match self.wait(deadline, config, cx) {
                Poll::Ready(()) => false,
                Poll::Pending => return Poll::Pending,
            },
        };
        let response = mem::take(&mut self.response);
        Poll::Ready(if is_read { response } else { closing(response, self.is_http1) })
    }

    /// Returns whether the body has been read to its end.
    fn discard<B>(&mut self, mut body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<bool>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        for _ in 0..FRAMES_PER_TURN {
            let len = match body.as_mut().poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                    Some(data) => data.remaining(),
                    None => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    if !is_limit(&*error.into()) {
                        return Poll::Ready(false);
                    }
                    // A limit of a layer above has discarded this frame. The next one can be read.
                    UNSEEN
                }
            };
            if len > 0 {
                self.idle_end = None;
            }
            let counted = if len == 0 { UNSEEN } else { len };
            let Some(bytes_left) = self.bytes_left.checked_sub(counted) else {
                return Poll::Ready(false);
            };
            self.bytes_left = bytes_left;
        }
        // A body that is always ready must not keep the thread.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits for more bytes, while there is a place and time.
    fn wait(
        &mut self,
        deadline: Pin<&mut Deadline>,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Drain { timeout, idle_timeout, .. } = config.drain;
        if self.place.hold(1, &config.drains, NoRoom::EvictOldest, cx.waker()).is_err() {
            return Poll::Ready(());
        }
        if self.idle_end.is_none() {
            self.idle_end = after(idle_timeout);
            self.end = self.end.or_else(|| after(timeout));
        }
        let ends = [self.end, self.idle_end].into_iter().flatten();
        deadline.poll_at(ends.min(), cx)
    }
}

/// Tells an HTTP/1 sender that the connection ends. The server closes it with unread bytes: without
/// a word, the sender's next request would be lost in the reset.
pub(crate) fn closing(mut response: Response<Bytes>, is_http1: bool) -> Response<Bytes> {
    if is_http1 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
