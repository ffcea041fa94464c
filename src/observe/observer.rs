//! The [`Observer`] trait.

use crate::observe::event::Event;

/// Is told what happened to each request.
///
/// It is called on the request's own task, so it must not block: hand work that waits to a queue.
/// It cannot change the answer, and a panic of it is contained.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn observe(&self, event: &Event<'_>);

    /// Whether it looks at [`Event::headers`] and [`Event::body`]. Only then does the layer keep
    /// the two until the request has ended.
    fn keeps_request(&self) -> bool {
        false
    }
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}
