//! One command and its reply.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use redis::{Cmd, FromRedisValue, Value};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};

use crate::replay::{
    redis::{
        connection::{Connected, Failure, Link, Manner, no_answer, no_runtime},
        servers::{Servers, Way},
    },
    store::StoreError,
};

/// Maximum number of redirections that one command follows.
const REDIRECTIONS: usize = 3;

/// Minimum time limit for making a connection, and for a command in the background.
const SLOWEST: Duration = Duration::from_secs(1);

/// Time limit for releasing the claim of a dropped request.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// Time limit for recording a success.
///
/// A success that is not recorded leads to a second handling.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);

/// Pause in the background before another connection is asked for.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// First pause after an error reply that may differ on another try, such as `OOM` or `BUSY`.
///
/// Each pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Future of a reply from Redis, within a time limit.
#[must_use = "nothing is sent until it is polled"]
pub struct RedisFuture<A> {
    answer: Pin<Box<dyn Future<Output = Result<A, StoreError>> + Send>>,
    question: Question,
}

/// A command, and the server that it goes to.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) servers: Servers,
    /// Slot of the command's key in a cluster.
    pub(crate) slot: u16,
    pub(crate) command: Arc<Cmd>,
    pub(crate) limit: Duration,
    pub(crate) purpose: Purpose,
}

#[derive(Clone)]
pub(crate) enum Purpose {
    Claim {
        /// Releases the claim if its reply arrives after the request was dropped.
        undo: Arc<Cmd>,
    },
    Commit,
    Release,
}

impl Question {
    /// Sends the command once.
    ///
    /// Nothing is sent before the future is polled.
    pub(crate) fn ask<R, A>(self, read: impl FnOnce(R) -> A + Send + 'static) -> RedisFuture<A>
    where
        R: FromRedisValue + Send + 'static,
    {
        let answer = self.clone().answer();
        RedisFuture { answer: Box::pin(async { answer.await.map(read) }), question: self }
    }

    async fn answer<R: FromRedisValue>(self) -> Result<R, StoreError> {
        let undo = match &self.purpose {
            Purpose::Claim { undo } => Some(undo),
            Purpose::Commit | Purpose::Release => None,
        };
        // Without a runtime, the timer panics.
        if Handle::try_current().is_err() {
            return Err(no_runtime());
        }
        let mut sent = Sent { question: &self, on: None, undo };
        let attempt = self.attempt(&mut sent);
        if let Ok(answer) = timeout(self.limit, attempt).await {
            return answer.map_err(Failure::into_error);
        }
        sent.timed_out();
        Err(no_answer())
    }

    /// Sends the command to the server of its key.
    async fn attempt<R: FromRedisValue>(&self, sent: &mut Sent<'_>) -> Result<R, Failure> {
        let limit = self.connect_limit();
        let mut way = self.servers.way(self.slot, limit).await.map_err(Failure::Ended)?;
        for _ in 0..REDIRECTIONS {
            let Way { link, is_asking } = way;
            let connected = match link.connected(limit).await {
                Ok(connected) => connected,
                Err(reason) => {
                    self.servers.look_again(limit);
                    return Err(Failure::Ended(reason));
                }
            };
            let answers_before = connected.answers();
            let on = sent.on.insert(On { link, connected, answers_before, is_asking });
            let manner = Manner { writes: self.writes(), is_asking };
            match on.link.ask(&on.connected, &self.command, manner).await {
                Err(Failure::Redirected(redirection)) => {
                    let from = Arc::clone(&on.link);
                    // The command was not run.
                    sent.on = None;
                    way = self.servers.follow(redirection, &from, limit)?;
                }
                answer => {
                    // The command was answered, or lost with its connection.
                    sent.undo = None;
                    if matches!(answer, Err(Failure::Ended(_))) {
                        self.servers.look_again(limit);
                    }
                    return answer;
                }
            }
        }
        Err(Failure::Answered(StoreError::new("the nodes of the cluster redirect in a circle")))
    }

    /// Repeats the command until it is answered.
    ///
    /// To settle a claim twice has the same effect as once.
    async fn settle(self) {
        let limit = match self.purpose {
            Purpose::Commit => COMMIT_LIMIT,
            Purpose::Claim { .. } | Purpose::Release => RELEASE_LIMIT,
        };
        let deadline = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        while Instant::now() < deadline {
            let mut sent = Sent { question: &self, on: None, undo: None };
            let attempt = timeout(self.connect_limit(), self.attempt::<Value>(&mut sent));
            match attempt.await {
                Ok(Ok(_)) => return,
                // Memory is freed and scripts end, so another try may succeed.
                Ok(Err(Failure::Answered(_) | Failure::Redirected(_))) => {
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                Ok(Err(Failure::Ended(_))) => tokio::time::sleep(SHORT_PAUSE).await,
                Err(_) => sent.timed_out(),
            }
        }
    }

    /// Returns `true` if a reply proves that the server accepts writes.
    ///
    /// A release that finds no claim writes nothing.
    const fn writes(&self) -> bool {
        !matches!(self.purpose, Purpose::Release)
    }

    /// Returns the time limit for a connection: a slow network also makes connections slowly.
    fn connect_limit(&self) -> Duration {
        self.limit.max(SLOWEST)
    }
}

/// Command that was sent and may not have been answered.
///
/// If it is dropped in this state, it is undone **on its own connection**: on another one, the undo
/// command could overtake it.
///
/// The reply to the undo command also shows whether the connection is silent, even if every request
/// is dropped before its own time limit.
struct Sent<'a> {
    question: &'a Question,
    on: Option<On>,
    undo: Option<&'a Arc<Cmd>>,
}

/// Connection that a command was sent on.
struct On {
    link: Arc<Link>,
    connected: Connected,
    /// Number of replies on this connection when the command was sent.
    answers_before: u64,
    is_asking: bool,
}

impl Sent<'_> {
    /// Handles a command that was not answered in time.
    fn timed_out(&self) {
        if let Some(on) = &self.on {
            on.link.timed_out(&on.connected, on.answers_before);
        }
        self.question.servers.look_again(self.question.connect_limit());
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let (Some(on), Some(undo)) = (self.on.take(), self.undo) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        // Replies to dropped commands are not counted, so give a slow server some time.
        let (undo, limit) = (Arc::clone(undo), self.question.connect_limit());
        runtime.spawn(async move {
            let answers_before = on.connected.answers();
            let mut answer = pin!(on.connected.send(&undo, on.is_asking));
            if timeout(limit, &mut answer).await.is_err() {
                on.link.timed_out(&on.connected, answers_before);
                let _ = timeout(RELEASE_LIMIT, answer).await;
            }
        });
    }
}

impl<A> RedisFuture<A> {
    /// Continues in the background.
    ///
    /// Without a runtime, the claim lasts until its lease expires.
    pub(crate) fn settle_in_background(self) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.question.settle());
        }
    }
}

impl<A> Future for RedisFuture<A> {
    type Output = Result<A, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx)
    }
}

impl<A> fmt::Debug for RedisFuture<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFuture").field("limit", &self.question.limit).finish_non_exhaustive()
    }
}
