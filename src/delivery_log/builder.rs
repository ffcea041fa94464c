//! What a log keeps, and where.

#[cfg(feature = "delivery-log-postgres")]
use crate::delivery_log::postgres::store::Postgres;
#[cfg(feature = "delivery-log-sqlite")]
use crate::delivery_log::sqlite::store::Sqlite;
#[cfg(any(feature = "delivery-log-postgres", feature = "delivery-log-sqlite"))]
use crate::delivery_log::timeout::limited;
use std::{sync::Arc, time::Duration};

use http::HeaderName;

use crate::{
    delivery_log::{
        delivery_log::DeliveryLog,
        mask::mask::Mask,
        settings::{HEADERS, Settings},
        store::{LogError, LogStore},
    },
    error::ConfigError,
    outcome::redact::names::is_sensitive,
};

/// Sets up a [`DeliveryLog`].
///
/// | | default |
/// |---|---|
/// | headers | `content-type`, `traceparent`, `x-correlation-id`, and the delivery ids and event names of GitHub, GitLab, Shopify, Standard Webhooks and Svix |
/// | payload of verified requests | the first 64 KiB |
/// | payload of others | none |
/// | refusals | 1,000 rows a minute |
/// | queue | 10,000 rows and 64 MiB |
/// | one answer of the store | 10 seconds |
#[derive(Clone, Debug)]
#[must_use]
pub struct DeliveryLogBuilder {
    settings: Settings,
    #[cfg(feature = "delivery-log-sqlite")]
    max_file_size: Option<u64>,
}

impl Default for DeliveryLogBuilder {
    fn default() -> Self {
        Self {
            settings: Settings {
                headers: HEADERS.into_iter().map(HeaderName::from_static).collect(),
                payload_limit: 64 << 10,
                stores_rejected_payloads: false,
                mask: None,
                refusals_per_minute: 1_000,
                max_queued_rows: 10_000,
                max_queued_bytes: 64 << 20,
                store_timeout: Duration::from_secs(10),
                is_durable: false,
            },
            #[cfg(feature = "delivery-log-sqlite")]
            max_file_size: None,
        }
    }
}

impl DeliveryLogBuilder {
    /// Keeps these headers, in place of the default ones.
    ///
    /// Of them the headers that the request's verifier names as
    /// [sensitive](crate::Verifier::sensitive_parts) are not kept, and a value that holds a secret
    /// (`/hook?token=…`) is `[REDACTED]`.
    ///
    /// # Errors
    ///
    /// When one of them may hold a secret by its name; see
    /// [`is_sensitive`](crate::observe::is_sensitive).
    pub fn headers(
        mut self,
        names: impl IntoIterator<Item = HeaderName>,
    ) -> Result<Self, ConfigError> {
        let headers: Vec<_> = names.into_iter().collect();
        if let Some(name) = headers.iter().find(|name| is_sensitive(name.as_str())) {
            return Err(ConfigError::HeaderSensitive { name: name.clone() });
        }
        self.settings.headers = headers;
        Ok(self)
    }

    /// The longest payload in bytes; a longer one is cut. With 0 none is kept, only length and
    /// digest.
    pub fn payload_limit(mut self, bytes: usize) -> Self {
        self.settings.payload_limit = bytes;
        self
    }

    /// Stores the payloads of requests that are not proven genuine, too. **Anyone can then fill the log
    /// with any text**, within the limits of payload and refusals. Those that wait take
    /// at most a quarter of the [queue's bytes](Self::max_queued_bytes); the rows of others have none.
    pub fn store_rejected_payloads(mut self) -> Self {
        self.settings.stores_rejected_payloads = true;
        self
    }

    /// Masks payloads before they are stored, off the [runtime's threads](super#threads). The digest
    /// is of the body as received.
    pub fn mask(mut self, mask: Mask) -> Self {
        self.settings.mask = Some(mask);
        self
    }

    /// The most rows a minute for requests that do not reach the handler. The others are counted
    /// exactly, in rows with status `suppressed`: before the next one that is written, after a
    /// minute, and at the end.
    pub fn refusals_per_minute(mut self, rows: u64) -> Self {
        self.settings.refusals_per_minute = rows;
        self
    }

    /// Sets the most rows that wait to be written, 10,000 by default. Those that find no room are lost and
    /// counted: see [`DeliveryLog::dropped`]. In durable mode rows of requests that are not verified may take
    /// half of the queue.
    pub fn max_queued_rows(mut self, rows: usize) -> Self {
        self.settings.max_queued_rows = rows;
        self
    }

    /// Sets the most bytes of rows that wait to be written, 64 MiB by default. Those that find no room are
    /// lost and counted.
    ///
    /// Bodies of requests that are not verified have a quarter of the bytes. Beyond that their rows
    /// are kept [without a digest](super::Entry::body_sha256). In durable mode rows of such requests may
    /// take half of the queue. A row that a request waits for is kept without its body where only
    /// that finds no room.
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_queued_bytes = bytes;
        self
    }

    /// Sets the time limit of one answer of the store. A batch of rows is tried again after it, and a
    /// search or a step of pruning fails. The database itself ends the work then: SQLite is
    /// interrupted, and PostgreSQL's transactions set `statement_timeout`.
    pub fn store_timeout(mut self, limit: Duration) -> Self {
        self.settings.store_timeout = limit;
        self
    }

    /// Prepares the log for [`DeliveryLog::durable_layer`]: rows outlive a power cut also in SQLite, and
    /// rows of accepted requests that the layer did not see are remarked upon. A database that is not
    /// durable is refused when it is opened.
    pub fn durable(mut self) -> Self {
        self.settings.is_durable = true;
        self
    }

    /// Sets the size in bytes beyond which an SQLite file does not grow, whatever else may fill the
    /// disk. When it is reached nothing more is written until [rows go](DeliveryLog::prune).
    ///
    /// The write-ahead log beside it (`-wal`) may take as much again, give or take one batch. It is
    /// emptied all the time, but for transactions that read it. When it has reached the limit, a search
    /// of the log's own that is in the way is ended, and nothing is written until a transaction of
    /// another program has ended. Rows wait meanwhile, and durable mode answers 503. Without a size the write-ahead log has no limit.
    #[cfg(feature = "delivery-log-sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "delivery-log-sqlite")))]
    pub fn max_file_size(mut self, bytes: u64) -> Self {
        self.max_file_size = Some(bytes);
        self
    }

    /// Opens the log in this SQLite file, and creates what is not there. The file may hold other
    /// tables; the log's names begin with `webhook_deliveries`.
    ///
    /// On Unix a new file can be read by its owner only (mode 0600), and so can its write-ahead log. A
    /// file that is there keeps its mode.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened or written, or outside a tokio runtime. A database in memory
    /// (`":memory:"` or an empty path) and a URI (`file:…`) are refused: use
    /// [`MemoryLog`](super::MemoryLog). In durable mode SQLite must keep its journal on disk and
    /// wait for the disk at each commit, as it says itself after it was told to.
    #[cfg(feature = "delivery-log-sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "delivery-log-sqlite")))]
    pub async fn sqlite(self, path: impl AsRef<std::path::Path>) -> Result<DeliveryLog, LogError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(LogError::no_runtime());
        }
        let is_durable = self.settings.is_durable;
        let store = Sqlite::open(path.as_ref(), self.max_file_size, is_durable);
        let store = limited(&self.settings, store).await?;
        DeliveryLog::start(Arc::new(store), self.settings)
    }

    /// Opens the log in this PostgreSQL database (`postgres://user:password@host/database`), and
    /// creates what is not there. The database may hold other tables; the log's names begin with
    /// `webhook_deliveries`. With `?sslmode=verify-full` the server must prove who it is.
    ///
    /// It makes four connections at most: one writes, two search, one prunes.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or written, or outside a tokio runtime. In durable mode a
    /// server is refused that does not keep what it has acknowledged (`fsync`, `full_page_writes` or
    /// `synchronous_commit` is `off`), and so is a table `webhook_deliveries` that is `UNLOGGED`.
    #[cfg(feature = "delivery-log-postgres")]
    #[cfg_attr(docsrs, doc(cfg(feature = "delivery-log-postgres")))]
    pub async fn postgres(self, url: &str) -> Result<DeliveryLog, LogError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(LogError::no_runtime());
        }
        let store = Postgres::open(url, self.settings.is_durable, self.settings.store_timeout);
        let store = limited(&self.settings, store).await?;
        DeliveryLog::start(Arc::new(store), self.settings)
    }

    /// Opens the log in a store of yours, or in [memory](super::MemoryLog).
    ///
    /// # Errors
    ///
    /// Outside a tokio runtime.
    pub fn store(self, store: impl LogStore) -> Result<DeliveryLog, LogError> {
        DeliveryLog::start(Arc::new(store), self.settings)
    }
}

impl DeliveryLog {
    /// Sets up a log.
    pub fn builder() -> DeliveryLogBuilder {
        DeliveryLogBuilder::default()
    }
}
