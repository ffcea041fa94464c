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
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Response, header, request::Parts};
use http_body::Body;

use crate::{
    layer::{
        budget::{Budget, NoRoom, Share},
        config::Config,
        deadline::{Instant, Timer, after, is_past},
        read::{FRAMES_PER_TURN, is_limit},
    },
    panic::catch_panic,
    parse::headers::is_http1,
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
/// use tower_webhook::{Secret, SignatureLayer, providers::GitHub, layer::Drain};
///
/// let layer = SignatureLayer::new(GitHub::new("It's a Secret to Everybody")?)
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

/// Frames that have no bytes, are trailers, or whose bytes a limit of a layer above has discarded. No
/// limit on bytes ends a body of such frames.
const MAX_BLANKS: usize = 4096;

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
    /// When the request declares that more bytes follow, none are read. Behind a body limit of a
    /// layer above the bytes are not seen: there, and for frames without bytes, 4,096 frames are the
    /// limit.
    ///
    /// Below the body limit, `connection: close` tells a sender of long bodies whether a request was
    /// refused from its head.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets the time that draining one request may take in all. The default is 5 seconds.
    ///
    /// Tokio's timer keeps this time and [`idle_timeout`](Self::idle_timeout). Without the feature
    /// `tokio`, or outside a Tokio runtime, neither ends a drain, as no deadline ends the reading of
    /// a body there: a sender that stalls is answered when newer drains take its place. In a Tokio
    /// runtime whose timer is off, set [`max_bytes`](Self::max_bytes) to 0.
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
    /// default is 1,024. A body that is there at once needs no place.
    ///
    /// Beyond it the request that has drained longest is answered at once. So senders that stall
    /// take no places from requests that are almost complete.
    pub const fn max_concurrent(mut self, requests: usize) -> Self {
        self.max_concurrent = requests;
        self
    }

    /// The places for requests that wait.
    pub(crate) fn places(&self) -> Budget {
        Budget::of_places(self.max_concurrent)
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

/// The rest of the body when the layer answers.
pub(crate) enum Rest<B> {
    /// Nothing: it has been read to its end.
    Read,
    /// All of it: not one frame has been polled.
    Unread(B),
    /// Some of it. The body is in its place in the state machine.
    Partly,
    /// The body failed. Its end is not known.
    Broken,
}

/// A response that waits for the end of the request body.
pub(crate) struct Draining {
    response: Response<Bytes>,
    is_http1: bool,
    bytes_left: usize,
    /// Frames without visible bytes that may still come.
    blanks_left: usize,
    place: Share,
    /// The total time limit, from the first turn on.
    end: Option<Instant>,
    idle_end: Option<Instant>,
}

impl Draining {
    pub(crate) fn new(response: Response<Bytes>, head: &Parts, config: &Config) -> Self {
        Self {
            response,
            is_http1: is_http1(head),
            bytes_left: config.drain.bytes(config.defaults.body_limit),
            blanks_left: MAX_BLANKS,
            place: Share::default(),
            end: None,
            idle_end: None,
        }
    }

    /// Reads until the body or a limit ends, then returns the response.
    pub(crate) fn poll<B>(
        &mut self,
        body: Pin<&mut B>,
        timer: Pin<&mut Timer>,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<Response<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let is_read = match self.discard(body, cx) {
            Progress::End => true,
            Progress::Beyond => false,
            Progress::Turn => {
                self.end = self.end.or_else(|| after(config.drain.timeout));
                if !is_past(self.end) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                false
            }
            Progress::Pending => {
                ready!(self.wait(timer, config, cx));
                false
            }
        };
        let response = mem::take(&mut self.response);
        Poll::Ready(if is_read { response } else { closing(response, self.is_http1) })
    }

    fn discard<B>(&mut self, mut body: Pin<&mut B>, cx: &mut Context<'_>) -> Progress
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        for _ in 0..FRAMES_PER_TURN {
            if body.is_end_stream() {
                return Progress::End;
            }
            let len = match body.as_mut().poll_frame(cx) {
                Poll::Pending => return Progress::Pending,
                Poll::Ready(None) => return Progress::End,
                Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Buf::remaining),
                Poll::Ready(Some(Err(error))) => {
                    if !is_limit(&*error.into()) {
                        return Progress::Beyond;
                    }
                    // A limit of a layer above has discarded this frame. The next one can be read.
                    0
                }
            };
            let is_within = match len {
                0 => take(&mut self.blanks_left, 1),
                len => {
                    self.idle_end = None;
                    take(&mut self.bytes_left, len)
                }
            };
            if !is_within {
                return Progress::Beyond;
            }
        }
        Progress::Turn
    }

    /// Waits for more bytes, while there is a place and time.
    fn wait(&mut self, timer: Pin<&mut Timer>, config: &Config, cx: &mut Context<'_>) -> Poll<()> {
        let Drain { timeout, idle_timeout, .. } = config.drain;
        if self.place.hold(1, &config.drain_places, NoRoom::EvictOldest, cx.waker()).is_err() {
            return Poll::Ready(());
        }
        self.end = self.end.or_else(|| after(timeout));
        self.idle_end = self.idle_end.or_else(|| after(idle_timeout));
        let end = [self.end, self.idle_end].into_iter().flatten().min();
        // It panics where the runtime's timer is off: then the response is not to wait.
        catch_panic(|| timer.poll_until(end, cx)).unwrap_or(Poll::Ready(()))
    }
}

/// The progress of one turn.
enum Progress {
    /// To its end.
    End,
    /// To a limit, or to an error.
    Beyond,
    /// To a frame that has not arrived.
    Pending,
    /// As far as one turn goes: a body that is always ready must not keep the thread.
    Turn,
}

/// Takes this much of what is left, and returns whether there was so much.
fn take(left: &mut usize, amount: usize) -> bool {
    let rest = left.checked_sub(amount);
    *left = rest.unwrap_or(0);
    rest.is_some()
}

/// Adds `connection: close` for an HTTP/1 sender. The server closes the connection with unread bytes:
/// without the header, the sender's next request would be lost in the reset.
pub(crate) fn closing(mut response: Response<Bytes>, is_http1: bool) -> Response<Bytes> {
    if is_http1 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
