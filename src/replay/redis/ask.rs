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
    time::{Instant, timeout, timeout_at},
};

use crate::replay::{
    redis::connection::{Connected, Failure, Link, no_answer, no_runtime},
    store::StoreError,
};

/// Minimum time limit for making a connection, and for a command in the background.
const SLOWEST: Duration = Duration::from_secs(1);

/// Time limit for releasing the claim of a dropped request.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// Time limit for recording a success.
///
/// A success that is not recorded leads to a second handling.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);

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

/// A command, and the connection it goes to.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) link: Arc<Link>,
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
        let answer = async {
            let connected = self.link.connected(self.connect_limit()).await?;
            let (connected, _) = sent.on.insert((connected.clone(), connected.answers()));
            let answer = self.link.ask(connected, &self.command, self.writes()).await;
            // The command was answered, or lost with its connection.
            sent.undo = None;
            answer.map_err(Failure::into_error)
        };
        if let Ok(answer) = timeout(self.limit, answer).await {
            return answer;
        }
        if let Some((connected, answers_before)) = &sent.on {
            self.link.timed_out(connected, *answers_before);
        }
        Err(no_answer())
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
        loop {
            let connected = self.link.connected_in_the_end(self.connect_limit());
            let Ok(connected) = timeout_at(deadline, connected).await else { return };
            let answers_before = connected.answers();
            let answer = self.link.ask::<Value>(&connected, &self.command, self.writes());
            match timeout(self.connect_limit(), answer).await {
                Ok(Ok(_)) => return,
                // Memory is freed and scripts end, so another try may succeed.
                Ok(Err(Failure::Answered(_))) => {
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
                Ok(Err(Failure::Ended(_))) => {}
                Err(_) => self.link.timed_out(&connected, answers_before),
            }
            if Instant::now() >= deadline {
                return;
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
    on: Option<(Connected, u64)>,
    undo: Option<&'a Arc<Cmd>>,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let (Some((connected, _)), Some(undo)) = (self.on.take(), self.undo) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        // Replies to dropped commands are not counted, so give a slow server some time.
        let (link, limit) = (Arc::clone(&self.question.link), self.question.connect_limit());
        let undo = Arc::clone(undo);
        runtime.spawn(async move {
            let answers_before = connected.answers();
            let mut answer = pin!(connected.send(&undo));
            if timeout(limit, &mut answer).await.is_err() {
                link.timed_out(&connected, answers_before);
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
