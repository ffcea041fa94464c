//! Log of every delivery, including rejected ones, in SQLite, PostgreSQL, memory, or a custom
//! store.
//!
//! Guide: [delivery log](crate::guide::delivery_log).
//!
//! ```
//! use std::time::Duration;
//! use tower_webhook::{
//!     SignatureLayer,
//!     delivery_log::{Filter, MemoryLog, DeliveryLog},
//!     providers::Meta,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Or `.sqlite("webhooks.db").await?`, or `.postgres("postgres://…").await?`.
//! let log = DeliveryLog::builder().store(MemoryLog::new(1_000))?;
//! let meta = Meta::new("app secret")?;
//! let layer = SignatureLayer::new(meta).observer(log.clone());
//! # let _ = layer;
//!
//! let failed = log.find(&Filter::failed().limit(20)).await?;
//! # assert!(failed.is_empty());
//! log.shutdown(Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Best effort
//!
//! By default, rows wait in a bounded queue, and one task writes them, many in one transaction. No
//! response waits for a row. While the store is unavailable, its rows wait and the write is
//! retried. Rows that find no room in the queue are lost and [counted](DeliveryLog::dropped), and a
//! row with status `dropped` reports them when there is room again. If the process is killed, the
//! rows in the queue are lost, and no others.
//!
//! # Threads
//!
//! Bodies are hashed and masked before their rows are written, one at a time, on threads of Tokio's
//! [blocking pool](tokio::task::spawn_blocking). A log uses at most two of these threads: one for
//! bodies of up to 64 KiB and one for longer bodies, so that no short body waits for a long one.
//! The log returns a thread after at most 100 ms plus the time for the current body. A runtime that
//! shuts down waits that long.
//!
//! While the application occupies all threads of the pool, rows wait in the queue. Best effort
//! loses rows that find no room, and durable mode responds with `503 Service Unavailable` after its
//! deadline. Rows without a body are still written, except to SQLite, which needs a thread of the
//! same pool.
//!
//! # Durable mode
//!
//! A [`DurableLayer`] below the [`SignatureLayer`](crate::SignatureLayer) writes a row with status
//! [`received`](RECEIVED) before the handler is called. If it cannot write the row within its
//! deadline, it responds with 503. No delivery is therefore acknowledged without its row, even if
//! the process is killed.
//!
//! Rows that a request waits for are written first. They are hashed and masked before all other
//! rows of similar length, and their transactions contain no other rows. At most 1 MiB of other
//! rows follows each such transaction, so that they are not starved.
//!
//! The outcome is written with best effort after the handler has responded. A row that still has
//! status `received` after a restart belongs to a request that was in progress when the process
//! ended. Its handler may or may not have run. Rows of rejected requests are written with best
//! effort, too.
//!
//! ```
//! # use tower_webhook::{
//! #     ConfigError, Secret, SignatureLayer, delivery_log::DeliveryLog, providers::Meta,
//! # };
//! use tower::ServiceBuilder;
//!
//! # fn layers(log: DeliveryLog, meta: Meta) -> Result<(), ConfigError> {
//! // `log` comes from `DeliveryLog::builder().durable()`.
//! let layers = ServiceBuilder::new()
//!     .layer(SignatureLayer::new(meta).observer(log.clone()))
//!     .layer(log.durable_layer()?);
//! # let _ = layers;
//! # Ok(())
//! # }
//! ```
//!
//! If a layer between the two responds itself, no row is written before its response.
//!
//! # Searches and pruning
//!
//! [`DeliveryLog::find`] returns pages of rows by provider, tenant, status and time. Each search
//! uses an index and connections of its own, so neither many readers nor slow ones delay the
//! writing of rows. [`DeliveryLog::prune`] deletes the oldest rows in small steps. Its cost depends
//! on the number of deleted rows, because the database keeps exact [totals](Totals) in the table
//! `webhook_deliveries_totals`. In PostgreSQL, triggers maintain the totals. In SQLite, the log
//! counts the new rows with each batch, including rows that other programs inserted, and a trigger
//! subtracts the rows that any program deletes.
//!
//! # What is kept
//!
//! See [`Entry`] for the columns and [`DeliveryLogBuilder`] for the limits. Only listed headers are
//! kept, and a header cannot be listed if its name suggests a secret. The log keeps the length and
//! the SHA-256 digest of the body. It keeps the text of the body only for verified requests, unless
//! you [enable it for others](DeliveryLogBuilder::store_rejected_payloads). Until they are hashed,
//! bodies of unverified requests use at most a quarter of the [queue's
//! bytes](DeliveryLogBuilder::max_queued_bytes). If a body finds no room, its row has no digest.
//!
//! The secrets, tags and signatures of the request's verifier are not kept, whether they are in a
//! header, the URL or the body: Microsoft Graph's `clientState` and Mailgun's signature become
//! `[REDACTED]` in the payload. Every provider in this crate declares where they are. A custom
//! verifier declares them in [`sensitive_parts`](crate::Verifier::sensitive_parts). In URLs, the
//! values of parameters with a [sensitive name](crate::observe::is_sensitive) are redacted. Other
//! secrets in a payload are kept unless a [`Mask`] removes them.
//!
//! Payloads and addresses are personal data in many places. [`DeliveryLogBuilder::payload_limit`]
//! of 0 keeps no payloads, [`DeliveryLogBuilder::mask`] masks them, and [`DeliveryLog::prune`]
//! deletes old rows. SQLite overwrites deleted rows.

pub(crate) mod annotation;
pub(crate) mod annotations;
pub(crate) mod builder;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod delivery_log;
pub(crate) mod durable;
pub(crate) mod entry;
pub(crate) mod filter;
pub(crate) mod id;
pub(crate) mod keep;
pub(crate) mod mask;
pub(crate) mod page;
#[cfg(feature = "delivery-log-postgres")]
pub(crate) mod postgres;
pub(crate) mod queue;
pub(crate) mod redact_body;
pub(crate) mod redact_json;
pub(crate) mod row;
#[cfg(any(feature = "delivery-log-postgres", feature = "delivery-log-sqlite"))]
pub(crate) mod search;
pub(crate) mod settings;
#[cfg(any(feature = "delivery-log-postgres", feature = "delivery-log-sqlite"))]
pub(crate) mod sql;
#[cfg(feature = "delivery-log-sqlite")]
pub(crate) mod sqlite;
pub(crate) mod store;
pub(crate) mod text;
pub(crate) mod ticket;
pub(crate) mod timeout;

pub use self::{
    annotation::Annotation,
    builder::DeliveryLogBuilder,
    delivery_log::DeliveryLog,
    durable::{DurableFuture, DurableLayer, DurableService},
    entry::{Entry, RECEIVED},
    filter::{Filter, Retention},
    id::{EntryId, InvalidEntryId},
    keep::{Keep, Totals},
    mask::mask::{MESSAGE_FIELDS, Mask},
    page::Page,
    store::{LogError, LogStore, MemoryLog, StoreFuture},
};
