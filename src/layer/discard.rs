//! Reads and discards the rest of a body; see [`Drain`](crate::layer::Drain).

use std::{
    error::Error,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Response, header};
use http_body::Body;

use crate::{
    layer::{
        budget::{NoRoom, Reservation},
        config::Config,
        deadline::{Instant, Timer, after, is_past},
        drain::Drain,
        evidence::Evidence,
        read::{FRAMES_PER_TURN, is_limit},
    },
    panic::catch_panic,
};

/// Maximum number of frames without visible bytes: empty frames, trailers, and frames whose bytes a
/// limit of a layer above has discarded.
///
/// No limit on bytes ends a body of these frames.
const MAX_BLANKS: usize = 4096;

/// A response that waits for the end of the request body.
pub(crate) struct Draining {
    response: Response<Bytes>,
    is_http1: bool,
    /// Evidence that keeps the bytes, for a few requests.
    evidence: Evidence,
    bytes_left: usize,
    /// The number of frames without visible bytes that may still arrive.
    blanks_left: usize,
    place: Reservation,
    /// The end of the total time limit, which starts with the first turn.
    end: Option<Instant>,
    idle_end: Option<Instant>,
}

impl Draining {
    pub(crate) fn new(
        response: Response<Bytes>,
        is_http1: bool,
        evidence: Evidence,
        config: &Config,
    ) -> Self {
        Self {
            response,
            is_http1,
            evidence,
            bytes_left: config.drain.bytes(config.defaults.body_limit),
            blanks_left: MAX_BLANKS,
            place: Reservation::default(),
            end: None,
            idle_end: None,
        }
    }

    /// Reads until the body ends or a limit is reached, then returns the response.
    pub(crate) fn poll<B>(
        &mut self,
        body: Pin<&mut B>,
        timer: &mut Timer,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<Response<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let is_read = match self.discard(body, cx) {
            Progress::End => {
                mem::replace(&mut self.evidence, Evidence::none()).explain(&Bytes::new());
                true
            }
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
                Poll::Ready(Some(Ok(frame))) => frame.into_data().map_or(0, |mut data| {
                    let len = data.remaining();
                    self.evidence.push(|| data.copy_to_bytes(len));
                    len
                }),
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
    fn wait(&mut self, timer: &mut Timer, config: &Config, cx: &mut Context<'_>) -> Poll<()> {
        let Drain { timeout, idle_timeout, .. } = config.drain;
        if self.place.reserve(1, &config.drain_places, NoRoom::EvictOldest, cx.waker()).is_err() {
            return Poll::Ready(());
        }
        self.end = self.end.or_else(|| after(timeout));
        self.idle_end = self.idle_end.or_else(|| after(idle_timeout));
        let end = [self.end, self.idle_end].into_iter().flatten().min();
        // The timer panics if the runtime's timer is disabled. The response must not wait then.
        catch_panic(|| timer.poll_until(end, cx)).unwrap_or(Poll::Ready(()))
    }
}

/// The result of one turn.
enum Progress {
    /// The body has ended.
    End,
    /// A limit has been reached, or the body has failed.
    Beyond,
    /// The next frame has not arrived.
    Pending,
    /// The turn has ended: a body that is always ready must not occupy the thread.
    Turn,
}

/// Subtracts this amount from the rest, and returns whether the rest was large enough.
fn take(left: &mut usize, amount: usize) -> bool {
    let rest = left.checked_sub(amount);
    *left = rest.unwrap_or(0);
    rest.is_some()
}

/// Adds `connection: close` for an HTTP/1 sender.
///
/// The server closes a connection that has unread bytes. Without the header the sender's next
/// request would be lost in the reset.
pub(crate) fn closing(mut response: Response<Bytes>, is_http1: bool) -> Response<Bytes> {
    if is_http1 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
