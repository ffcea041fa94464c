//! Builder of a delivery log.

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

/// Builder of a [`DeliveryLog`].
///
/// | option | default |
/// |---|---|
/// | headers | `content-type`, `traceparent`, `x-correlation-id`, and the delivery IDs and event names of GitHub, GitLab, Shopify, Standard Webhooks and Svix |
/// | payload of verified requests | the first 64 KiB |
/// | payload of other requests | none |
/// | rejections | 1,000 rows a minute |
/// | queue | 10,000 rows and 64 MiB |
/// | time limit of a store call | 10 seconds |
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
    /// Sets the headers to keep, instead of the default ones.
    ///
    /// Headers that the request's verifier declares as
    /// [sensitive](crate::Verifier::sensitive_parts) are not kept, even if they are listed. A value
    /// that contains a secret (`/hook?token=…`) becomes `[REDACTED]`.
    ///
    /// # Errors
    ///
    /// Returns an error if the name of a header suggests a secret; see
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

    /// Sets the maximum length of a stored payload in bytes, 64 KiB by default.
    ///
    /// Longer payloads are truncated. With 0, no payload is stored, only length and digest.
    pub fn payload_limit(mut self, bytes: usize) -> Self {
        self.settings.payload_limit = bytes;
        self
    }

    /// Also stores the payloads of requests that are not verified.
    ///
    /// **Anyone can then fill the log with arbitrary text**, within the limits on payloads and
    /// rejections. Payloads that wait use at most a quarter of the [queue's
    /// bytes](Self::max_queued_bytes). Beyond that, rows have no payload.
    pub fn store_rejected_payloads(mut self) -> Self {
        self.settings.stores_rejected_payloads = true;
        self
    }

    /// Masks payloads before they are stored, on threads of the [blocking pool](super#threads).
    ///
    /// The digest is computed from the body as received.
    pub fn mask(mut self, mask: Mask) -> Self {
        self.settings.mask = Some(mask);
        self
    }

    /// Sets the maximum number of rows a minute for requests that do not reach the handler, 1,000
    /// by default.
    ///
    /// Further requests are counted exactly, in rows with status `suppressed`. A count is written
    /// before the next row of such a request, after a minute without rows, at a
    /// [flush](DeliveryLog::flush), and at shutdown.
    pub fn refusals_per_minute(mut self, rows: u64) -> Self {
        self.settings.refusals_per_minute = rows;
        self
    }

    /// Sets the maximum number of rows that wait to be written, 10,000 by default.
    ///
    /// Rows that find no room are lost and counted; see [`DeliveryLog::dropped`]. In durable mode,
    /// rows of unverified requests use at most half of the queue.
    pub fn max_queued_rows(mut self, rows: usize) -> Self {
        self.settings.max_queued_rows = rows;
        self
    }

    /// Sets the maximum size of the rows that wait to be written, in bytes, 64 MiB by default.
    ///
    /// Rows that find no room are lost and counted; see [`DeliveryLog::dropped`].
    ///
    /// Bodies of unverified requests use at most a quarter of the bytes. Beyond that, their rows
    /// are kept [without a digest](super::Entry::body_sha256). In durable mode, rows of unverified
    /// requests use at most half of the queue. If the body of a durable row does not fit into the
    /// queue, the row is stored without it.
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_queued_bytes = bytes;
        self
    }

    /// Sets the time limit for each call of the store, 10 seconds by default.
    ///
    /// After it, a batch of rows is retried, and a search or a step of pruning fails. The database
    /// also ends the work itself: SQLite is interrupted, and PostgreSQL transactions set
    /// `statement_timeout`.
    pub fn store_timeout(mut self, limit: Duration) -> Self {
        self.settings.store_timeout = limit;
        self
    }

    /// Prepares the log for [`DeliveryLog::durable_layer`].
    ///
    /// Rows then survive a power loss in SQLite, too. If a delivery is acknowledged without passing
    /// the layer, a row with status `misconfigured` reports it once. A database that is not durable
    /// is rejected when it is opened.
    pub fn durable(mut self) -> Self {
        self.settings.is_durable = true;
        self
    }

    /// Sets the maximum size of the SQLite file in bytes, unlimited by default.
    ///
    /// When the file has reached this size, nothing more is written until [rows are
    /// deleted](DeliveryLog::prune).
    ///
    /// The write-ahead log beside the file (`-wal`) may grow to the same size, plus at most one
    /// batch. SQLite empties it continually, except while a transaction reads it. When it has
    /// reached the limit, the log ends its own searches that block this, and writes nothing until
    /// transactions of other programs have ended. Meanwhile rows wait, and durable mode responds
    /// with `503 Service Unavailable`. Without a maximum size, the write-ahead log has no limit.
    #[cfg(feature = "delivery-log-sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "delivery-log-sqlite")))]
    pub fn max_file_size(mut self, bytes: u64) -> Self {
        self.max_file_size = Some(bytes);
        self
    }

    /// Opens the log in this SQLite file. Creates the file and the tables if they do not exist.
    ///
    /// The file may contain other tables. The names of the log's tables begin with
    /// `webhook_deliveries`.
    ///
    /// On Unix, a new file and its write-ahead log are accessible to their owner only (mode 0600).
    /// An existing file keeps its mode.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened or written within the [time
    /// limit](Self::store_timeout), or outside a Tokio runtime. In-memory databases (`":memory:"`
    /// or an empty path) and URIs (`file:…`) are rejected: use [`MemoryLog`](super::MemoryLog). In
    /// durable mode, SQLite must keep its journal on disk and wait for the disk at each commit.
    /// Both settings are read back from SQLite after they are set.
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

    /// Opens the log in this PostgreSQL database (`postgres://user:password@host/database`).
    /// Creates the tables if they do not exist.
    ///
    /// The database may contain other tables. The names of the log's tables begin with
    /// `webhook_deliveries`. With `?sslmode=verify-full`, the server must prove its identity.
    ///
    /// The log opens at most four connections: one writes, two search, one prunes.
    ///
    /// # Errors
    ///
    /// Returns an error if the database cannot be reached or written within the [time
    /// limit](Self::store_timeout), or outside a Tokio runtime. In durable mode, a server is
    /// rejected if it may lose acknowledged data (`fsync`, `full_page_writes` or
    /// `synchronous_commit` is `off`), and so is a table `webhook_deliveries` that is `UNLOGGED`
    /// or has such a partition.
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

    /// Opens the log in a custom store, or in [memory](super::MemoryLog).
    ///
    /// # Errors
    ///
    /// Returns an error outside a Tokio runtime.
    pub fn store(self, store: impl LogStore) -> Result<DeliveryLog, LogError> {
        DeliveryLog::start(Arc::new(store), self.settings)
    }
}

impl DeliveryLog {
    /// Creates a builder with the default settings.
    pub fn builder() -> DeliveryLogBuilder {
        DeliveryLogBuilder::default()
    }
}
