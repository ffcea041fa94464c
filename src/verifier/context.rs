//! The context of a verification: a request's head, and the time.

use http::request::Parts;

use crate::parse::clock::Clock;

/// A request's head, and the clock by which its signed time is judged.
///
/// The layer makes it, with its own [clock](crate::SignatureLayer::clock). For a queue, [`verify`](crate::verify)
/// does.
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
    /// Creates the context of a request with this head, by the system's clock.
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

    /// The same request with another head, as a part of it would have.
    pub(crate) const fn with_head<'b>(&'b self, head: &'b Parts) -> Context<'b> {
        Context { head, clock: self.clock }
    }
}
