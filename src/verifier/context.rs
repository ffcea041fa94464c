//! Context of a verification: the request head and the clock.

use http::request::Parts;

use crate::parse::clock::Clock;

/// Request head, and the clock by which its signed time is checked.
///
/// The layer creates it with its own [clock](crate::SignatureLayer::clock). For messages from a
/// queue, [`verify`](crate::verify) creates it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_webhook::{Context, verifier::Clock};
///
/// let (head, ()) = http::Request::post("/").body(())?.into_parts();
/// let clock = Clock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
/// let request = Context::new(&head).at(&clock);
/// assert_eq!(request.head().method, "POST");
/// assert_eq!(request.clock().now(), clock.now());
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    head: &'a Parts,
    clock: &'a Clock,
}

impl<'a> Context<'a> {
    /// Creates the context of a request with this head, with the system clock.
    #[must_use]
    pub const fn new(head: &'a Parts) -> Self {
        static SYSTEM: Clock = Clock::system();

        Self { head, clock: &SYSTEM }
    }

    /// Sets the clock.
    #[must_use]
    pub const fn at(self, clock: &'a Clock) -> Self {
        Self { clock, ..self }
    }

    /// Returns the head.
    #[must_use]
    pub const fn head(&self) -> &'a Parts {
        self.head
    }

    /// Returns the clock.
    #[must_use]
    pub const fn clock(&self) -> &'a Clock {
        self.clock
    }

    /// Returns the context of the same request with another head, for example one with a single
    /// signature.
    pub(crate) const fn with_head<'b>(&'b self, head: &'b Parts) -> Context<'b> {
        Context { head, clock: self.clock }
    }
}
