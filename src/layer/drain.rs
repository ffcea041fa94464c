//! Limits on reading and discarding the rest of a body before an early response.
//!
//! If a server sends its response before it has read the request body, it closes a socket that has
//! unread bytes, and the connection is reset. A proxy in front then treats the server as failed,
//! responds with `502 Bad Gateway`, and removes the server from its upstream group (nginx:
//! `max_fails`, Caddy: `fail_duration`). Anyone who posts unsigned bodies could then cut off
//! authentic senders.

use std::time::Duration;

use http_body::Body;

use crate::layer::budget::Budget;

/// Limits on reading and discarding the rest of a body before an early response.
///
/// The layer may decide on a response before the end of the request body: a rejection, or the
/// response to a challenge. It first reads and discards the rest of the body, and neither keeps nor
/// hashes any of it. Otherwise the connection is reset, the response is lost, and proxies mark the
/// server as failed.
///
/// Beyond a limit the layer sends the response immediately, with `connection: close` on HTTP/1. It
/// also sends the response immediately if the sender waits for `100 Continue` and so has not sent a
/// byte.
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
    pub(crate) timeout: Duration,
    pub(crate) idle_timeout: Duration,
    max_concurrent: usize,
}

/// Minimum of the default byte limit: a proxy's default lets 1 MiB through.
const MIN_BYTES: usize = 1 << 20;

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

    /// Sets the maximum number of bytes that are discarded for one request.
    ///
    /// The default is the layer's body limit, and at least 1 MiB. With 0 the layer drains nothing.
    /// If the request declares that more bytes follow, the layer reads none of them.
    ///
    /// If a layer above wraps the body in a size limit, draining stops after 4,096 frames. The same
    /// limit applies to frames without bytes.
    ///
    /// If `max_bytes` is below the body limit, `connection: close` reveals to a sender of long
    /// bodies whether the layer rejected a request from its head.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets the total time for draining one request. The default is 5 seconds.
    ///
    /// Tokio's timer enforces this time and [`idle_timeout`](Self::idle_timeout). Without the
    /// feature `tokio`, or outside a Tokio runtime, neither ends a drain, as no deadline ends the
    /// reading of a body there. A sender that stalls then gets its response when newer drains take
    /// its place. In a Tokio runtime whose timer is disabled, set [`max_bytes`](Self::max_bytes) to
    /// 0.
    pub const fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }

    /// Sets the time to wait for the next byte. The default is 500 milliseconds.
    pub const fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = time;
        self
    }

    /// Sets how many requests of a layer and its clones may wait for more bytes concurrently. The
    /// default is 1,024.
    ///
    /// A body that has arrived completely needs no place. Beyond the limit, the request that has
    /// drained longest gets its response immediately, so senders that stall take no places from
    /// requests that are almost complete.
    pub const fn max_concurrent(mut self, requests: usize) -> Self {
        self.max_concurrent = requests;
        self
    }

    /// Returns the places for requests that wait.
    pub(crate) fn places(&self) -> Budget {
        Budget::of_places(self.max_concurrent)
    }

    pub(crate) fn bytes(&self, body_limit: usize) -> usize {
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
