//! A log of every delivery, refused ones too, in SQLite, PostgreSQL, memory, or a store of yours.
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
//! Rows wait in a queue with a limit, and one task writes them, many in one transaction. The
//! answer to a request waits for nothing. While the store cannot be used, its rows wait and are
//! tried again; what finds no room is lost, [counted](DeliveryLog::dropped), and said in a row when
//! there is room again. When the process is killed, the queue is lost, and nothing more.
//!
//! # Threads
//!
//! Bodies are hashed and masked before their rows are written, one by one, on threads of tokio's
//! [blocking pool](tokio::task::spawn_blocking). A log uses two of them at most: one for bodies of
//! up to 64 KiB and one for longer ones, so that a short body waits for no long one. Each is given
//! back after 100 ms or the body in hand, which is how long a runtime that shuts down waits for it.
//!
//! While the application has taken all threads of the pool, rows wait in the queue: best effort
//! loses those that find no room, and durable mode answers 503 after its deadline. Rows without a
//! body are written all the same, except that SQLite needs a thread of the same pool.
//!
//! # Durable mode
//!
//! A [`DurableLayer`] below the [`SignatureLayer`](crate::SignatureLayer) writes a row with status
//! [`received`](RECEIVED) before the handler is called, and answers 503 when it cannot within its
//! deadline. So no delivery is acknowledged without its row, whatever happens to the process. These
//! rows go first: they are masked before all others of their lengths, and a transaction that a
//! request waits for holds no other rows. After each such transaction at most a MiB of the others
//! is written, so that they have their turn. The outcome follows best effort, once the handler has answered: a row that still says `received`
//! after a restart was on its way when the process ended, and its handler may have run or not.
//! Refused requests are written best effort as ever.
//!
//! ```
//! # use tower_webhook::{ConfigError, Secret, SignatureLayer, delivery_log::DeliveryLog, providers::Meta};
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
//! A layer between the two that answers by itself leaves no row before its answer.
//!
//! # Searches and pruning
//!
//! [`DeliveryLog::find`] reads pages of rows by provider, tenant, status and time, each by an index, on
//! connections of its own: neither many readers nor slow ones keep rows from being written.
//! [`DeliveryLog::prune`] deletes the oldest rows in small steps. It costs what it deletes, since the
//! database keeps exact [totals](Totals), in the table `webhook_deliveries_totals`. In PostgreSQL triggers
//! keep them. In SQLite the log counts what is new with each batch, rows that others insert included,
//! and a trigger subtracts what anyone deletes.
//!
//! # What is kept
//!
//! See [`Entry`] for the columns and [`DeliveryLogBuilder`] for the limits. Of the headers only listed ones
//! are kept, and none that may hold a secret by its name can be listed. Of the body there are length
//! and SHA-256, and the text only of verified requests unless [switched
//! on](DeliveryLogBuilder::store_rejected_payloads). Bodies of requests that are not verified take at most a quarter
//! of the [queue's](DeliveryLogBuilder::max_queued_bytes) bytes until they are hashed; the rows of those that find no
//! room have no SHA-256.
//!
//! The secrets, tags and signatures of the request's verifier are not kept, whether they stand in a
//! header, the URL or the body: Microsoft Graph's `clientState` and Mailgun's signature are
//! `[REDACTED]` in the payload. Every provider names where its own stand; a verifier of yours names
//! them in [`sensitive_parts`](crate::Verifier::sensitive_parts). A URL loses the values of
//! parameters with a [sensitive name](crate::observe::is_sensitive). Other secrets that a payload
//! holds are kept unless a [`Mask`] takes them out.
//!
//! Payloads and addresses are personal data in many places. [`DeliveryLogBuilder::payload_limit`] of 0
//! keeps none, [`DeliveryLogBuilder::mask`] masks them, and [`DeliveryLog::prune`] deletes what is old; in
//! SQLite deleted rows are overwritten.

pub(crate) mod builder;
#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod delivery_log;
pub(crate) mod durable;
pub(crate) mod entry;
pub(crate) mod filter;
pub(crate) mod id;
pub(crate) mod json;
pub(crate) mod keep;
pub(crate) mod mask;
pub(crate) mod page;
#[cfg(feature = "delivery-log-postgres")]
pub(crate) mod postgres;
pub(crate) mod queue;
pub(crate) mod row;
#[cfg(any(feature = "delivery-log-postgres", feature = "delivery-log-sqlite"))]
pub(crate) mod search;
pub(crate) mod sensitive;
pub(crate) mod settings;
#[cfg(any(feature = "delivery-log-postgres", feature = "delivery-log-sqlite"))]
pub(crate) mod sql;
#[cfg(feature = "delivery-log-sqlite")]
pub(crate) mod sqlite;
pub(crate) mod store;
pub(crate) mod ticket;
pub(crate) mod timeout;

pub use self::{
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
