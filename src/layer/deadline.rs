//! Time limits on reading a body.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

#[cfg(feature = "tokio")]
pub(crate) use tokio::time::Instant;
#[cfg(feature = "tokio")]
use tokio::{runtime::Handle, time::Sleep};

#[cfg(feature = "tokio")]
use crate::parse::clock::HAS_NO_SYSTEM;

#[cfg(not(feature = "tokio"))]
type Sleep = std::future::Pending<()>;
/// An uninhabited type: without a timer there is no instant.
#[cfg(not(feature = "tokio"))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Instant {}

/// A timer that its first poll creates, when a body first makes the request wait.
///
/// A body that has arrived completely costs no timer. The timer is boxed, because all other
/// requests would carry its size.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Waits for this duration, counted from the first poll.
    ///
    /// # Panics
    ///
    /// Panics under the same condition as [`poll_until`](Self::poll_until).
    pub(crate) fn poll_for(&mut self, time: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.sleep.as_ref().map_or_else(|| time.and_then(after), |sleep| end_of(sleep));
        self.poll_until(end, cx)
    }

    /// Waits until this instant, which may differ in each call.
    ///
    /// It stays pending for `None`, and outside a Tokio runtime.
    ///
    /// # Panics
    ///
    /// Panics in a Tokio runtime whose timer is disabled.
    pub(crate) fn poll_until(&mut self, end: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(end) = end else {
            return Poll::Pending;
        };
        match &mut self.sleep {
            Some(sleep) => reset(sleep.as_mut(), end),
            None if is_available() => self.sleep = sleep_until(end).map(Box::pin),
            None => return Poll::Pending,
        }
        if let Some(sleep) = &mut self.sleep
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(());
        }
        // Tokio's timer stays pending when its task has used up its share of the thread, as a body
        // that is always ready does in each turn. The clock does not.
        if is_past(Some(end)) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Returns whether a timer is available.
///
/// Creating one outside a Tokio runtime panics, and any sender could cause that panic.
fn is_available() -> bool {
    #[cfg(feature = "tokio")]
    return !HAS_NO_SYSTEM && Handle::try_current().is_ok();
    #[cfg(not(feature = "tokio"))]
    return false;
}

/// Returns the instant that is this far ahead, or `None` if there is no clock.
pub(crate) fn after(time: Duration) -> Option<Instant> {
    #[cfg(feature = "tokio")]
    return (!HAS_NO_SYSTEM).then(Instant::now)?.checked_add(time);
    #[cfg(not(feature = "tokio"))]
    return Some(time).and(None);
}

pub(crate) fn is_past(end: Option<Instant>) -> bool {
    #[cfg(feature = "tokio")]
    return end.is_some_and(|end| Instant::now() >= end);
    #[cfg(not(feature = "tokio"))]
    return end.is_some();
}

#[cfg(feature = "tokio")]
fn sleep_until(end: Instant) -> Option<Sleep> {
    Some(tokio::time::sleep_until(end))
}

#[cfg(not(feature = "tokio"))]
fn sleep_until(end: Instant) -> Option<Sleep> {
    match end {}
}

#[cfg(feature = "tokio")]
fn end_of(sleep: &Sleep) -> Option<Instant> {
    Some(sleep.deadline())
}

#[cfg(not(feature = "tokio"))]
const fn end_of(_: &Sleep) -> Option<Instant> {
    None
}

#[cfg(feature = "tokio")]
fn reset(sleep: Pin<&mut Sleep>, end: Instant) {
    if sleep.deadline() != end {
        sleep.reset(end);
    }
}

#[cfg(not(feature = "tokio"))]
fn reset(_: Pin<&mut Sleep>, _: Instant) {}
