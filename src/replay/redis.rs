//! Claims in Redis, for several processes.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use redis::{
    Client, Cmd, IntoConnectionInfo, RedisError, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{runtime::Handle, time::Sleep};

use super::{Claim, ReplayStore, Settled, StoreError, Token};
use crate::ReplayKey;

/// Claims in Redis 7.0 or later, or in Valkey, for several processes and across their restarts.
///
/// Each operation is one atomic command on one key, so it also works behind a cluster's proxy. The
/// keys are the prefix and 64 hexadecimal digits; each expires. What is in them is random or
/// constant: nothing of a delivery can be read from them.
///
/// An answer that does not come within 250 milliseconds is a failure, which the layer answers with
/// 503. The connection is made when it is first needed, and made again when it breaks, so a server
/// starts whether or not Redis is up.
///
/// Run Redis with `maxmemory-policy noeviction`: one that evicts forgets deliveries without a word.
/// A Redis that lost its memory, or a replica that took over before it had all, has forgotten too.
///
/// It needs Tokio with its timer.
///
/// ```no_run
/// use tower_webhook::replay::{RedisStore, ReplayLayer};
///
/// # async fn run() -> redis::RedisResult<()> {
/// let store = RedisStore::open("redis://127.0.0.1/")?.key_prefix("hooks:");
/// let guard = ReplayLayer::new("/webhook", store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
    prefix: Arc<str>,
    time_limit: Duration,
}

/// What a key holds once its delivery has been handled. A token has 16 bytes.
const HANDLED: &[u8] = b"handled";

/// Deletes the key if it still holds the owner's token.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
                       return redis.call('DEL', KEYS[1]) end return 0";

/// How long the store goes on trying to settle a claim that nobody waits for.
const DETACHED_LIMIT: Duration = Duration::from_secs(10);

impl RedisStore {
    /// A store at this address, such as `redis://user:password@host:6379/0`. It connects when it is
    /// first used.
    ///
    /// # Errors
    ///
    /// When the address is out of form.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn open(address: impl IntoConnectionInfo) -> RedisResult<Self> {
        // The time limit is ours. A connection that fails is tried again by the next request, so
        // that none waits for another's delay.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(1024);
        let client = Client::open(address)?;
        Ok(Self::new(ConnectionManager::new_lazy_with_config(client, config)?))
    }

    /// A store with a connection of your own, for example one with TLS.
    #[must_use]
    pub fn new(connection: ConnectionManager) -> Self {
        Self { connection, prefix: "tower-webhook:".into(), time_limit: Duration::from_millis(250) }
    }

    /// What its keys begin with: `tower-webhook:` unless set. Applications that share a Redis need
    /// different ones, or different scopes of their guards.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long an answer may take: 250 milliseconds unless set.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    fn key(&self, key: &ReplayKey) -> String {
        let mut name = String::with_capacity(self.prefix.len() + 64);
        name.push_str(&self.prefix);
        for byte in key.as_ref() {
            for digit in [byte >> 4, byte & 15] {
                name.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        name
    }

    /// Sends one command, and reads what the key held before.
    fn ask<R, A>(&self, command: Cmd, read: impl FnOnce(R) -> A + Send + 'static) -> RedisFuture<A>
    where
        R: redis::FromRedisValue + Send,
    {
        let mut connection = self.connection.clone();
        let answer = async move { command.query_async::<R>(&mut connection).await.map(read) };
        RedisFuture { answer: Box::pin(answer), limit: self.time_limit, timer: None }
    }
}

/// A `PX` of zero is an error to Redis.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, u64::from(u32::MAX) * 1000)
}

impl ReplayStore for RedisStore {
    type Claim = RedisFuture<Claim>;
    type Settle = RedisFuture<Settled>;

    fn claim(&self, key: &ReplayKey, token: Token, lease: Duration) -> Self::Claim {
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(&token.to_bytes()).arg("NX");
        command.arg("PX").arg(millis(lease)).arg("GET");
        self.ask(command, |before: Option<Vec<u8>>| match before.as_deref() {
            None => Claim::Granted { evicted: 0 },
            Some(HANDLED) => Claim::Completed,
            Some(_) => Claim::InFlight,
        })
    }

    fn commit(&self, key: &ReplayKey, owner: Token, retention: Duration) -> Self::Settle {
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(HANDLED).arg("PX").arg(millis(retention)).arg("GET");
        self.ask(command, move |before: Option<Vec<u8>>| {
            let is_held = before.is_some_and(|before| before == owner.to_bytes());
            if is_held { Settled::Held } else { Settled::Lost }
        })
    }

    fn release(&self, key: &ReplayKey, token: Token) -> Self::Settle {
        let mut command = redis::cmd("EVAL");
        command.arg(RELEASE).arg(1).arg(self.key(key)).arg(&token.to_bytes());
        self.ask(command, |deleted: u64| if deleted == 1 { Settled::Held } else { Settled::Lost })
    }

    /// On a task of its own. Where there is no runtime any more the lease has to run out.
    fn detach(&self, settle: Self::Settle) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(RedisFuture { limit: DETACHED_LIMIT, ..settle });
        }
    }
}

/// An answer of Redis, within a time limit.
#[must_use = "nothing is sent until it is polled"]
pub struct RedisFuture<A> {
    answer: Pin<Box<dyn Future<Output = Result<A, RedisError>> + Send>>,
    limit: Duration,
    /// There from the first wait on.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<A> Future for RedisFuture<A> {
    type Output = Result<A, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = self.answer.as_mut().poll(cx) {
            return Poll::Ready(answer.map_err(StoreError::new));
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        timer.as_mut().poll(cx).map(|()| Err(StoreError::new("no answer within the time limit")))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

impl<A> fmt::Debug for RedisFuture<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFuture").field("limit", &self.limit).finish_non_exhaustive()
    }
}
