//! The total time that a body may take.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

#[cfg(feature = "tokio")]
use tokio::time::Sleep;

#[cfg(not(feature = "tokio"))]
type Sleep = std::future::Pending<()>;

pin_project! {
    /// Begins when it is first polled: that is when a body first makes us wait. A body that is
    /// there at once costs no timer.
    #[derive(Default)]
    pub(crate) struct Deadline {
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Deadline {
    /// Without a time it is never over.
    pub(crate) fn poll(
        self: Pin<&mut Self>,
        after: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut this = self.project();
        let Some(after) = after else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep(after)));
        }
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
        Some(sleep) if tokio::time::Instant::now() >= sleep.deadline() => Poll::Ready(()),
        _ => Poll::Pending,
    }
}

#[cfg(not(feature = "tokio"))]
fn is_over(_: Option<Pin<&Sleep>>) -> Poll<()> {
    Poll::Pending
}

#[cfg(feature = "tokio")]
fn sleep(after: Duration) -> Sleep {
    tokio::time::sleep(after)
}

#[cfg(not(feature = "tokio"))]
fn sleep(_: Duration) -> Sleep {
    std::future::pending()
}
