//! A replay store in Redis, for several processes.

// Without the feature `tokio`, `SignatureLayer` has no body deadline, although there is a timer.
#[cfg(not(feature = "tokio"))]
compile_error!("the feature `replay-redis` requires the feature `tokio`");

use std::{fmt, future::Future, sync::Arc, time::Duration};

use redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo, RedisResult, aio::MultiplexedConnection,
};

use crate::{
    outcome::replay_key::ReplayKey,
    replay::{
        redis::{
            address::{by_client, cluster, with_tcp_settings},
            ask::{Purpose, Question, RedisFuture},
            connection::Link,
            servers::Servers,
        },
        store::{Claim, ClaimToken, ReplayStore, Settled},
    },
};

/// Replay store in Redis 7.0 or later, or in Valkey, for several processes and across their
/// restarts.
///
/// Each operation is one atomic command on one key. A key consists of the prefix and 64 hexadecimal
/// digits, and expires. Its value is random or constant. Nothing about a delivery can be read from
/// keys and values.
///
/// Run Redis with `maxmemory-policy noeviction`: with another policy, it drops deliveries without
/// notice. Deliveries are also lost if Redis loses its memory, or if a replica takes over before it
/// has received them all.
///
/// Requires a Tokio runtime with time enabled.
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
///
/// # Connection
///
/// A store and its clones share one connection. It is made on first use, so your server starts
/// whether or not Redis is up. A command that is not answered within 250 milliseconds fails, and
/// the layer responds with `503 Service Unavailable`.
///
/// The store abandons the connection, and makes a new one, if
///
/// - the socket fails,
/// - the connection falls silent: a command is not answered within the time limit, and neither is
///   any other command on the connection meanwhile,
/// - the server reports that it accepts no writes now: `READONLY`, `MOVED`, `MASTERDOWN`,
///   `NOREPLICAS`, `CLUSTERDOWN`, `LOADING`, `MISCONF`, `UNBLOCKED` or `NOAUTH`.
///
/// Errors of a single command, such as `OOM` or `NOPERM`, do not end a connection.
///
/// A new connection resolves the address again, so it follows a failover that moves a name or an
/// address to another server. All requests share one attempt at a time. An attempt has a time limit
/// of one second, or the [time limit](Self::time_limit) of the store if that is longer. Between two
/// attempts, there is a pause of 100 to 500 milliseconds. Requests wait for an attempt in progress
/// up to their own time limit, and fail immediately during a pause. Deliveries are therefore
/// accepted again within two seconds of a healthy server's first answer.
///
/// A claim that was not answered in time is released on its own connection, behind the claim, and
/// on the next connection. A success that could not be stored is retried in the background for a
/// minute, even if Redis replies with `OOM` or `BUSY`. If a timeout above the guard drops each
/// request before the store's time limit, a silent connection is abandoned after one second.
///
/// # Cluster
///
/// [`open_cluster`](Self::open_cluster) connects to the nodes of a Redis Cluster. A delivery has one
/// key, so all of its commands go to one slot. The store asks the nodes for their slots with
/// `CLUSTER SLOTS`, and uses the reply that most of them give. It asks again if a node fails, falls
/// silent or redirects a command, at most every 100 milliseconds. Each node has its own connection,
/// with the rules above. While a replica takes over, deliveries of other nodes are therefore accepted
/// as long as the cluster accepts them: set `cluster-require-full-coverage no`.
#[derive(Clone)]
pub struct RedisStore {
    servers: Servers,
    prefix: Arc<str>,
    time_limit: Duration,
}

/// Value of a key whose delivery has been handled.
///
/// It differs from a token, which has 16 bytes.
const HANDLED: &[u8] = b"handled";

/// Script that deletes the key if it still holds the owner's token.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
                       return redis.call('DEL', KEYS[1]) end return 0";

impl RedisStore {
    /// Creates a store for the Redis server at this address, such as
    /// `redis://user:password@host:6379/0`.
    ///
    /// The store connects when it is first used.
    ///
    /// Its connections have TCP keepalive after 10 seconds, and on Linux a TCP user timeout of 10
    /// seconds, unless the address specifies its own.
    ///
    /// # Errors
    ///
    /// Returns an error if the address is malformed.
    pub fn open(address: impl IntoConnectionInfo) -> RedisResult<Self> {
        let address = with_tcp_settings(address.into_connection_info()?);
        Ok(Self::from_client(Client::open(address)?))
    }

    /// Creates a store that connects with a custom client, for example one with client
    /// certificates.
    ///
    /// The TCP settings of the client are left unchanged.
    ///
    /// The store takes a client rather than a `ConnectionManager`, because it cannot make a manager
    /// replace its connection.
    #[must_use]
    pub fn from_client(client: Client) -> Self {
        Self::of(Servers::One(Link::new(by_client(client))))
    }

    /// Creates a store for the Redis Cluster with these nodes.
    ///
    /// The store learns the other nodes from those that reply. Two or three addresses are
    /// sufficient, or the one address of a managed cluster. User, password and TLS settings of the
    /// first address apply to all nodes. For client certificates, pass
    /// [`Client::get_connection_info`] of a client that has them.
    /// The Redis user also needs permission for `CLUSTER SLOTS` and `ASKING`.
    ///
    /// ```no_run
    /// use tower_webhook::replay::RedisStore;
    ///
    /// let store = RedisStore::open_cluster(["redis://10.0.0.1:6379/", "redis://10.0.0.2:6379/"])?;
    /// # Ok::<_, redis::RedisError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if an address is malformed or is that of a Unix socket, or if there is none.
    pub fn open_cluster<A: IntoConnectionInfo>(
        addresses: impl IntoIterator<Item = A>,
    ) -> RedisResult<Self> {
        Ok(Self::of(Servers::Cluster(cluster(addresses)?)))
    }

    /// Creates a store that calls this function for each new connection, for example to ask
    /// Sentinel for the primary first.
    ///
    /// Each call must make a new connection, and not return one that it made before.
    ///
    /// ```no_run
    /// # use tower_webhook::replay::RedisStore;
    /// async fn primary() -> redis::RedisResult<redis::Client> {
    ///     // Ask Sentinel, or whatever knows the primary.
    ///     # redis::Client::open("redis://127.0.0.1/")
    /// }
    ///
    /// let store = RedisStore::from_connector(async || {
    ///     primary().await?.get_multiplexed_async_connection().await
    /// });
    /// ```
    #[must_use]
    pub fn from_connector<F, C>(connect: F) -> Self
    where
        F: Fn() -> C + Send + Sync + 'static,
        C: Future<Output = RedisResult<MultiplexedConnection>> + Send + 'static,
    {
        Self::of(Servers::One(Link::new(Box::new(move || Box::pin(connect())))))
    }

    fn of(servers: Servers) -> Self {
        Self { servers, prefix: "tower-webhook:".into(), time_limit: Duration::from_millis(250) }
    }

    /// Sets the prefix of the store's keys.
    ///
    /// Defaults to `tower-webhook:`. Applications that share a Redis server need different
    /// prefixes, or guards with different scopes.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the time limit for a reply.
    ///
    /// Defaults to 250 milliseconds.
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

    /// Sends one command about this key, and converts its reply with `read`.
    fn ask<R, A>(
        &self,
        key: &str,
        command: Cmd,
        purpose: Purpose,
        read: impl FnOnce(R) -> A + Send + 'static,
    ) -> RedisFuture<A>
    where
        R: FromRedisValue + Send + 'static,
    {
        let question = Question {
            servers: self.servers.clone(),
            slot: self.servers.slot(key),
            command: Arc::new(command),
            limit: self.time_limit,
            purpose,
        };
        question.ask(read)
    }
}

fn releasing(key: &str, token: ClaimToken) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(RELEASE).arg(1).arg(key).arg(&token.to_bytes());
    command
}

/// Returns the time in milliseconds, at least 1: Redis rejects a `PX` of zero.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, u64::from(u32::MAX) * 1000)
}

impl ReplayStore for RedisStore {
    type Claim = RedisFuture<Claim>;
    type Settle = RedisFuture<Settled>;

    fn claim(&self, key: &ReplayKey, token: ClaimToken, lease: Duration) -> Self::Claim {
        let (key, mut command) = (self.key(key), redis::cmd("SET"));
        command.arg(&key).arg(&token.to_bytes()).arg("NX");
        command.arg("PX").arg(millis(lease)).arg("GET");
        let purpose = Purpose::Claim { undo: Arc::new(releasing(&key, token)) };
        self.ask(&key, command, purpose, |before: Option<Vec<u8>>| match before.as_deref() {
            None => Claim::Granted { evicted: 0 },
            Some(HANDLED) => Claim::Completed,
            Some(_) => Claim::InFlight,
        })
    }

    fn commit(&self, key: &ReplayKey, owner: ClaimToken, retention: Duration) -> Self::Settle {
        let (key, mut command) = (self.key(key), redis::cmd("SET"));
        command.arg(&key).arg(HANDLED).arg("PX").arg(millis(retention)).arg("GET");
        self.ask(&key, command, Purpose::Commit, move |before: Option<Vec<u8>>| {
            let is_held = before.is_some_and(|before| before == owner.to_bytes());
            if is_held { Settled::Held } else { Settled::Lost }
        })
    }

    fn release(&self, key: &ReplayKey, token: ClaimToken) -> Self::Settle {
        let key = self.key(key);
        let command = releasing(&key, token);
        self.ask(&key, command, Purpose::Release, |deleted: u64| {
            if deleted == 1 { Settled::Held } else { Settled::Lost }
        })
    }

    /// Runs the future on a task of its own.
    ///
    /// Without a runtime, the claim lasts until its lease expires.
    fn settle_in_background(&self, settle: Self::Settle) {
        settle.settle_in_background();
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
