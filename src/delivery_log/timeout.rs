//! Time limit on a store.

use std::{future::poll_fn, pin::pin, task::Poll};

use tokio::time::timeout;

use crate::{
    delivery_log::{settings::Settings, store::LogError},
    panic::catch_panic,
};

/// Applies the time limit to a call of the store, so that nothing waits forever. A panic of the
/// store becomes an error, so that it does not end the writer.
pub(crate) async fn limited<T>(
    settings: &Settings,
    future: impl Future<Output = Result<T, LogError>>,
) -> Result<T, LogError> {
    let mut future = pin!(future);
    let contained = poll_fn(|cx| match catch_panic(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll,
        Err(_) => Poll::Ready(Err(LogError::unavailable("store panicked"))),
    });
    timeout(settings.store_timeout, contained).await.unwrap_or(Err(LogError::timed_out()))
}
