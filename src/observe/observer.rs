//! The [`Observer`] trait.

use crate::observe::event::Event;

/// Receiver of the events of each request.
///
/// An observer runs on the request's own task and must not block: hand slow work to a queue. It
/// cannot change the response, and its panics are caught.
pub trait Observer: Send + Sync {
    /// Receives an event.
    fn observe(&self, event: &Event<'_>);

    /// Returns `true` if the observer reads [`Event::headers`] and [`Event::body`].
    ///
    /// Only then does the layer keep the headers and the body until the request has ended.
    fn keeps_request(&self) -> bool {
        false
    }
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}
