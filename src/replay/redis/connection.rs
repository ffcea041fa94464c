//! The connection to Redis, and its replacement after a failure.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value,
    aio::MultiplexedConnection,
};
use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, timeout},
};

use crate::replay::{redis::errors::ends_connection, store::StoreError};

/// Minimum time between two attempts to connect, and the first pause after a failure.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Maximum pause between two attempts.
///
/// With the time limit of an attempt, it stays well below the two seconds within which a recovered
/// server is used again.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(500);

type Connecting = Pin<Box<dyn Future<Output = RedisResult<MultiplexedConnection>> + Send>>;

/// Function that makes a new connection.
pub(crate) type Connect = Box<dyn Fn() -> Connecting + Send + Sync>;

/// Connection that a store and its clones share.
///
/// There is one connection at a time, and at most one attempt to make the next. Commands in
/// progress on an abandoned connection continue until they are answered or dropped.
pub(crate) struct Link {
    connect: Connect,
    is_in_cluster: bool,
    state: Mutex<State>,
    /// Notified when an attempt ends.
    ended: Notify,
}

#[derive(Default)]
struct State {
    current: Option<Connected>,
    is_connecting: bool,
    /// Number of the last connection that was made.
    generation: u64,
    /// Number of consecutive attempts without a usable connection.
    failures: u32,
    last_attempt: Option<Instant>,
    /// End of the pause.
    not_before: Option<Instant>,
    /// Reason for the lack of a connection.
    reason: Option<StoreError>,
}

/// Manner in which a command is sent.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Set if a reply proves that the server accepts writes.
    pub(crate) writes: bool,
    /// Set if the node runs the command although the slot is still moving to it.
    pub(crate) is_asking: bool,
}

/// A connection.
///
/// Its generation distinguishes it from those before and after it.
#[derive(Clone)]
pub(crate) struct Connected {
    connection: MultiplexedConnection,
    generation: u64,
    seen: Arc<Seen>,
}

/// Observations about a connection.
#[derive(Default)]
struct Seen {
    /// Number of commands that it has answered.
    answers: AtomicU64,
    /// Set once it has written.
    ///
    /// A replica answers, too, if it does not hold the claim that is to be released.
    has_written: AtomicBool,
}

/// Next step of a command.
enum Next {
    Use(Connected),
    /// An attempt is in progress.
    Wait,
    Pause(StoreError),
}

/// Reason why a command has no result.
pub(crate) enum Failure {
    /// The connection has failed with it, or there is none.
    Ended(StoreError),
    /// An error reply to this command, which a new connection would not change.
    Answered(StoreError),
    /// Another node of the cluster serves the key. The command was not run.
    Redirected(Redirection),
}

/// Node that serves a key.
pub(crate) struct Redirection {
    pub(crate) address: String,
    /// Set if it applies to one command, because the slot is still moving to this node.
    pub(crate) is_once: bool,
    error: StoreError,
}

impl Failure {
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Ended(error) | Self::Answered(error) => error,
            Self::Redirected(redirection) => redirection.error,
        }
    }
}

impl Redirection {
    fn of(error: &RedisError) -> Option<Self> {
        let (address, _slot) = error.redirect_node()?;
        let is_once = error.kind() == ErrorKind::Server(ServerErrorKind::Ask);
        let (address, error) = (address.to_owned(), StoreError::new(error.clone()));
        Some(Self { address, is_once, error })
    }
}

impl Link {
    pub(crate) fn new(connect: Connect) -> Arc<Self> {
        Self::of(connect, false)
    }

    /// Creates the link to a node of a cluster, whose redirections are followed.
    pub(crate) fn in_cluster(connect: Connect) -> Arc<Self> {
        Self::of(connect, true)
    }

    fn of(connect: Connect, is_in_cluster: bool) -> Arc<Self> {
        Arc::new(Self { connect, is_in_cluster, state: Mutex::default(), ended: Notify::new() })
    }

    /// Returns the connection, and makes one if there is none.
    ///
    /// Waits for an attempt in progress. During the pause after a failure, returns the error of
    /// that failure immediately.
    pub(crate) async fn connected(
        self: &Arc<Self>,
        limit: Duration,
    ) -> Result<Connected, StoreError> {
        loop {
            let ended = self.ended.notified();
            match self.next(limit) {
                Next::Use(connected) => return Ok(connected),
                Next::Wait => ended.await,
                Next::Pause(reason) => return Err(reason),
            }
        }
    }

    fn next(self: &Arc<Self>, limit: Duration) -> Next {
        let mut state = self.state();
        if let Some(connected) = &state.current {
            return Next::Use(connected.clone());
        }
        if state.is_connecting {
            return Next::Wait;
        }
        let now = Instant::now();
        if let (Some(until), Some(reason)) = (state.not_before, &state.reason)
            && now < until
        {
            return Next::Pause(reason.clone());
        }
        let Ok(runtime) = Handle::try_current() else { return Next::Pause(no_runtime()) };
        state.is_connecting = true;
        state.last_attempt = Some(now);
        // A runtime that has shut down drops the attempt immediately, and the drop takes the lock.
        drop(state);
        // On a task of its own: the request may be dropped while others wait for the attempt.
        let attempt = Attempt(Some(Arc::clone(self)));
        runtime.spawn(attempt.run(limit));
        Next::Wait
    }

    /// Abandons this connection, unless another one has replaced it already.
    fn give_up(&self, connected: &Connected, reason: &StoreError) {
        let mut state = self.state();
        let is_current =
            state.current.as_ref().is_some_and(|now| now.generation == connected.generation);
        if !is_current {
            return;
        }
        state.current = None;
        state.failures = if connected.has_written() { 0 } else { state.failures.saturating_add(1) };
        state.pause(reason.clone());
        drop(state);
        #[cfg(feature = "tracing")]
        tracing::warn!(
            target: "tower_webhook::delivery",
            error = %reason,
            "redis connection abandoned"
        );
    }

    /// Sends one command, and abandons the connection if it is no longer usable.
    pub(crate) async fn ask<R: FromRedisValue>(
        &self,
        connected: &Connected,
        command: &Cmd,
        manner: Manner,
    ) -> Result<R, Failure> {
        let seen = &connected.seen;
        let error = match connected.run(command, manner.is_asking).await {
            Ok(answer) => {
                seen.answers.fetch_add(1, Ordering::Relaxed);
                seen.has_written.fetch_or(manner.writes, Ordering::Relaxed);
                return Ok(answer);
            }
            Err(error) => error,
        };
        let redirection = self.is_in_cluster.then(|| Redirection::of(&error)).flatten();
        let failure = match redirection {
            Some(redirection) => Failure::Redirected(redirection),
            None if ends_connection(&error) => {
                let reason = StoreError::new(error);
                self.give_up(connected, &reason);
                return Err(Failure::Ended(reason));
            }
            None => Failure::Answered(StoreError::new(error)),
        };
        seen.answers.fetch_add(1, Ordering::Relaxed);
        Err(failure)
    }

    /// Handles a command that was not answered in time.
    ///
    /// Abandons the connection if it is silent: Redis answers in order, so a connection that has
    /// answered any command since this one was sent is only slow.
    pub(crate) fn timed_out(&self, connected: &Connected, answers_before: u64) {
        if connected.answers() == answers_before {
            self.give_up(connected, &no_answer());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn no_runtime() -> StoreError {
    StoreError::new("no Tokio runtime")
}

pub(crate) fn no_answer() -> StoreError {
    StoreError::new("no reply from Redis within the time limit")
}

impl State {
    /// Delays the next attempt.
    ///
    /// A connection that has written is replaced immediately, unless it was made a moment ago. This
    /// avoids a storm of connections if the server works and fails in turn.
    fn pause(&mut self, reason: StoreError) {
        let now = Instant::now();
        let pause = match self.failures {
            0 => Duration::ZERO,
            failures => FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_PAUSE),
        };
        let spaced = self.last_attempt.map_or(now, |last| last + FIRST_PAUSE);
        self.not_before = Some(spaced.max(now + pause));
        self.reason = Some(reason);
    }
}

impl Connected {
    pub(crate) fn answers(&self) -> u64 {
        self.seen.answers.load(Ordering::Relaxed)
    }

    fn has_written(&self) -> bool {
        self.seen.has_written.load(Ordering::Relaxed)
    }

    async fn run<R: FromRedisValue>(&self, command: &Cmd, is_asking: bool) -> RedisResult<R> {
        let mut connection = self.connection.clone();
        if !is_asking {
            return command.query_async(&mut connection).await;
        }
        // In one pipeline, because `ASKING` applies to the next command of the connection.
        let mut both = redis::pipe();
        let (answer,) = both
            .cmd("ASKING")
            .ignore()
            .add_command(command.clone())
            .query_async(&mut connection)
            .await?;
        Ok(answer)
    }

    /// Sends a command for a dropped request, behind the commands sent before it.
    pub(crate) async fn send(&self, command: &Cmd, is_asking: bool) {
        let answer: RedisResult<Value> = self.run(command, is_asking).await;
        // If the connection has failed, the next command reports it.
        if !answer.is_err_and(|error| ends_connection(&error)) {
            self.seen.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Attempt to connect.
///
/// However it ends, it notifies the link.
struct Attempt(Option<Arc<Link>>);

impl Attempt {
    async fn run(mut self, limit: Duration) {
        let Some(link) = &self.0 else { return };
        let made = match timeout(limit, (link.connect)()).await {
            Ok(made) => made.map_err(StoreError::new),
            Err(_) => Err(StoreError::new("no connection to Redis within the time limit")),
        };
        self.end(made);
    }

    fn end(&mut self, made: Result<MultiplexedConnection, StoreError>) {
        let Some(link) = self.0.take() else { return };
        let mut state = link.state();
        state.is_connecting = false;
        match made {
            Ok(connection) => {
                state.generation += 1;
                let generation = state.generation;
                let seen = Arc::default();
                state.current = Some(Connected { connection, generation, seen });
            }
            Err(reason) => {
                state.failures = state.failures.saturating_add(1);
                state.pause(reason);
            }
        }
        drop(state);
        link.ended.notify_waiters();
    }
}

impl Drop for Attempt {
    /// Ends an attempt whose connector panicked, or whose runtime has shut down.
    fn drop(&mut self) {
        self.end(Err(StoreError::new("connection attempt aborted")));
    }
}
