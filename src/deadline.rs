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
    pub(crate) struct Deadline {
        after: Option<Duration>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl Deadline {
    pub(crate) const fn new(after: Option<Duration>) -> Self {
        Self { after, sleep: None }
    }

    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(after) = *this.after else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep(after)));
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx),
            None => Poll::Pending,
        }
    }
}

#[cfg(feature = "tokio")]
fn sleep(after: Duration) -> Sleep {
    tokio::time::sleep(after)
}

#[cfg(not(feature = "tokio"))]
fn sleep(_: Duration) -> Sleep {
    std::future::pending()
}
