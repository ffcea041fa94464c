//! Connections for one purpose, with work that can be interrupted.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use rusqlite::Connection;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::delivery_log::{sqlite::connect::Setup, store::LogError};

/// Instructions of SQLite's virtual machine between two checks for interruption: less than a
/// millisecond.
const INSTRUCTIONS: i32 = 10_000;

/// Connections for one purpose, of which a limited number works concurrently. Callers are served in
/// the order of their calls.
pub(crate) struct Lane {
    setup: Arc<Setup>,
    connect: fn(&Setup) -> Result<Connection, LogError>,
    /// Permits for all connections, idle or at work. Closed at shutdown.
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// Number of times that all work was interrupted.
    interrupted: Arc<AtomicU64>,
}

impl Lane {
    pub(crate) fn new(
        setup: &Arc<Setup>,
        connections: usize,
        connect: fn(&Setup) -> Result<Connection, LogError>,
    ) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(connections));
        let interrupted = Arc::default();
        Arc::new(Self {
            setup: Arc::clone(setup),
            connect,
            room,
            idle: Mutex::default(),
            interrupted,
        })
    }

    /// Waits until this many connections are not at work, and keeps them idle while the permit is
    /// held.
    pub(crate) async fn keep_out(&self, all: u32) -> Result<OwnedSemaphorePermit, LogError> {
        Arc::clone(&self.room).acquire_many_owned(all).await.map_err(LogError::unavailable)
    }

    /// Interrupts all work in progress.
    pub(crate) fn interrupt(&self) {
        self.interrupted.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs the work on a connection, on a thread that may wait for the disk. If the future is
    /// dropped, the work is interrupted, and keeps its connection until then.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection, &Work) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        // The caller limits the time, because a queue is not a failure.
        let room = self.keep_out(1).await?;
        // Dropped with this future.
        let caller = Arc::new(());
        let (lane, token) = (Arc::clone(self), Work(Arc::downgrade(&caller)));
        let done = spawn_blocking(move || lane.run_now(room, &token, work)).await;
        done.unwrap_or_else(|_| Err(LogError::unavailable("database task did not complete")))
    }

    fn run_now<T>(
        &self,
        _room: OwnedSemaphorePermit,
        token: &Work,
        work: impl FnOnce(&mut Connection, &Work) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        token.check()?;
        let idle = self.idle().pop();
        let mut connection = idle.map_or_else(|| (self.connect)(&self.setup), Ok)?;
        let (handle, interrupted) = (token.clone(), Arc::clone(&self.interrupted));
        let before = interrupted.load(Ordering::Relaxed);
        // The handler checks only this work, so the next user of the connection is not interrupted.
        let is_given_up =
            move || handle.is_given_up() || interrupted.load(Ordering::Relaxed) != before;
        connection.progress_handler(INSTRUCTIONS, Some(is_given_up));
        let result = work(&mut connection, token);
        connection.progress_handler(0, None::<fn() -> bool>);
        // A connection that has failed may fail again, so a new one replaces it.
        let is_sound = result.as_ref().map_or_else(LogError::is_refusal, |_| true);
        let mut idle = self.idle();
        if is_sound && connection.is_autocommit() && !self.room.is_closed() {
            idle.push(connection);
        }
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts no more work, and returns the idle connections. The caller must drop them where it
    /// may wait for the disk.
    pub(crate) fn close(&self) -> Vec<Connection> {
        self.room.close();
        std::mem::take(&mut *self.idle())
    }
}

impl Drop for Lane {
    /// Closes the idle connections on a thread that may block: the last connection copies the
    /// write-ahead log into the file.
    fn drop(&mut self) {
        let idle = self.close();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn_blocking(move || drop(idle));
        }
    }
}

/// Handle with which a piece of work checks whether its caller still waits.
#[derive(Clone)]
pub(crate) struct Work(Weak<()>);

impl Work {
    fn is_given_up(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Returns an error if no caller waits any more. Call it between statements that are too short
    /// to be interrupted.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        if self.is_given_up() {
            return Err(LogError::unavailable("database task was given up"));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn never_given_up() -> Self {
        Self(Arc::downgrade(Box::leak(Box::default())))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;
    use crate::delivery_log::sqlite::error::error;

    /// Statement that takes a minute or so, because a test that fails must end, too.
    const LONG: &str = "WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT COUNT(*) FROM n";

    fn lane(connections: usize) -> Arc<Lane> {
        let setup = Setup { path: ":memory:".into(), max_file_size: None, is_durable: false };
        let connect = |setup: &Setup| Connection::open(&setup.path).map_err(error);
        Lane::new(&Arc::new(setup), connections, connect)
    }

    #[tokio::test]
    async fn abandoned_query_is_interrupted_and_frees_its_slot() {
        let lane = lane(1);
        for _ in 0..3 {
            let ((started, has_started), (ended, has_ended)) = (mpsc::channel(), mpsc::channel());
            let long = lane.run(move |connection, _| {
                started.send(()).unwrap();
                let result = connection.query_row(LONG, [], |row| row.get::<_, i64>(0));
                ended.send(result.err().and_then(|error| error.sqlite_error_code())).unwrap();
                Ok(())
            });
            let waits = spawn_blocking(move || has_started.recv().unwrap());
            tokio::select! {
                _ = long => panic!("it has ended"),
                _ = waits => {}
            }
            // The next one is not interrupted, although it follows immediately.
            let next = lane.run(|connection, work| {
                work.check()?;
                let some = LONG.replace("100000000", "300000");
                connection.query_row(&some, [], |row| row.get::<_, i64>(0)).map_err(error)
            });
            assert_eq!(next.await.unwrap(), 300_000);
            let code = has_ended.recv().unwrap();
            assert_eq!(code, Some(rusqlite::ErrorCode::OperationInterrupted));
        }
    }

    #[tokio::test]
    async fn who_waits_for_long_is_served_in_the_end() {
        let lane = lane(2);
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let lane = Arc::clone(&lane);
            readers.spawn(async move {
                let slow = |_: &mut Connection, _: &Work| {
                    std::thread::sleep(Duration::from_millis(50));
                    Ok(())
                };
                lane.run(slow).await
            });
        }
        // Longer than the two seconds after which connection pools usually give up.
        assert!(readers.join_all().await.into_iter().all(|result| result.is_ok()));
    }
}
