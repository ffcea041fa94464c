//! Time limits on reading a body.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

use crate::verdict::contained;

#[cfg(feature = "tokio")]
pub(crate) use tokio::time::Instant;
#[cfg(feature = "tokio")]
use tokio::{runtime::Handle, time::Sleep};

#[cfg(not(feature = "tokio"))]
type Sleep = std::future::Pending<()>;
/// There is none without a timer.
#[cfg(not(feature = "tokio"))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Instant {}

pin_project! {
    /// A timer that starts with its first poll: that is when a body first makes the request wait.
    /// A body that has arrived whole costs no timer.
    #[derive(Default)]
    pub(crate) struct Deadline {
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Deadline {
    /// Without a time it never ends.
    pub(crate) fn poll(
        mut self: Pin<&mut Self>,
        after: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(after) = after else {
            return Poll::Pending;
        };
        if self.sleep.is_none() {
            self.as_mut().project().sleep.set(sleep_until(self::after(after)));
        }
        self.poll_sleep(cx)
    }

    /// As [`poll`](Self::poll), for an end that may move between calls. Where the runtime has no
    /// timer it never ends.
    pub(crate) fn poll_at(
        mut self: Pin<&mut Self>,
        end: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(end) = end else {
            return Poll::Pending;
        };
        let mut this = self.as_mut().project();
        match this.sleep.as_mut().as_pin_mut() {
            Some(sleep) => reset(sleep, end),
            None => this.sleep.set(contained(|| sleep_until(Some(end))).unwrap_or_default()),
        }
        self.poll_sleep(cx)
    }

    fn poll_sleep(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(sleep) = this.sleep.as_mut().as_pin_mut()
            && sleep.poll(cx).is_ready()
        {
            return Poll::Ready(());
        }
        is_over(this.sleep.as_ref().as_pin_ref())
    }
}

/// A timer gives way when its task has used up its share of the thread, as a body that is always
/// ready makes it do each time. The clock does not.
#[cfg(feature = "tokio")]
fn is_over(sleep: Option<Pin<&Sleep>>) -> Poll<()> {
    match sleep {
        Some(sleep) if Instant::now() >= sleep.deadline() => Poll::Ready(()),
        _ => Poll::Pending,
    }
}

#[cfg(not(feature = "tokio"))]
fn is_over(_: Option<Pin<&Sleep>>) -> Poll<()> {
    Poll::Pending
}

/// Returns the time that is this far ahead. `None` never comes.
#[cfg(feature = "tokio")]
pub(crate) fn after(time: Duration) -> Option<Instant> {
    Instant::now().checked_add(time)
}

#[cfg(not(feature = "tokio"))]
pub(crate) const fn after(_: Duration) -> Option<Instant> {
    None
}

/// There is no timer outside a tokio runtime. To make one there panics, on a request that a stranger
/// may have sent.
#[cfg(feature = "tokio")]
fn sleep_until(end: Option<Instant>) -> Option<Sleep> {
    let end = end.filter(|_| Handle::try_current().is_ok())?;
    Some(tokio::time::sleep_until(end))
}

#[cfg(not(feature = "tokio"))]
fn sleep_until(_: Option<Instant>) -> Option<Sleep> {
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
