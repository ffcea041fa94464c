//! One command and its answer.

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

/// How long a connection may take to be made, and a command that is sent in the background.
const SLOWEST: Duration = Duration::from_secs(1);

/// How long the store goes on trying to give back a claim that nobody waits for.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// How long the store goes on trying to remember a success. Whatever is lost is handled twice.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);

/// The first pause after an answer that another try may change, such as `OOM` or `BUSY`. Each is twice
/// as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// An answer of Redis, within a time limit.
#[must_use = "nothing is sent until it is polled"]
pub struct RedisFuture<A> {
    answer: Pin<Box<dyn Future<Output = Result<A, StoreError>> + Send>>,
    question: Question,
}

/// A command, and where it goes.
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
        /// Gives the claim back, should its answer come when nobody waits for it any more.
        undo: Arc<Cmd>,
    },
    Commit,
    Release,
}

impl Question {
    /// Sends the command once. Nothing is sent before the future is polled.
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
        // Else the timer panics.
        if Handle::try_current().is_err() {
            return Err(no_runtime());
        }
        let mut sent = Sent { question: &self, on: None, undo };
        let answer = async {
            let connected = self.link.connected(self.connect_limit()).await?;
            let (connected, _) = sent.on.insert((connected.clone(), connected.answers()));
            let answer = self.link.ask(connected, &self.command, self.writes()).await;
            // Answered, or lost with its connection.
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

    /// Repeats the command until it is answered. What is settled twice is settled as once.
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
                // Memory is freed and scripts end, so another try may be answered otherwise.
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

    /// Whether an answer proves that the server takes writes. A release that finds nothing writes
    /// nothing.
    const fn writes(&self) -> bool {
        !matches!(self.purpose, Purpose::Release)
    }

    /// A slow network makes for slow connections, too.
    fn connect_limit(&self) -> Duration {
        self.limit.max(SLOWEST)
    }
}

/// A command that was sent and may not have been answered. Dropped so, it is undone **on its own
/// connection**: on another one, the undoing could overtake it.
///
/// Whether the undoing is answered tells whether the connection is silent, also where every request is
/// dropped before its own time limit.
struct Sent<'a> {
    question: &'a Question,
    on: Option<(Connected, u64)>,
    undo: Option<&'a Arc<Cmd>>,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        let (Some((connected, _)), Some(undo)) = (self.on.take(), self.undo) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        // Answers to what was dropped are not counted, so a slow server is to have some time.
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
    /// Goes on in the background. Where there is no runtime any more the lease has to run out.
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
