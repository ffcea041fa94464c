//! A log of every delivery, refused ones too, in SQLite, PostgreSQL, memory, or a store of yours.
//!
//! ```
//! use std::time::Duration;
//! use tower_webhook::{
//!     Secret, SignatureLayer,
//!     log::{Filter, MemoryStore, WebhookLog},
//!     providers::Meta,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Or `.sqlite("webhooks.db").await?`, or `.postgres("postgres://…").await?`.
//! let log = WebhookLog::builder().store(MemoryStore::new(1_000))?;
//! let meta = Meta::new(Secret::new("app secret")?);
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
//! tried again; what finds no room is lost, [counted](WebhookLog::dropped), and said in a row when
//! there is room again. When the process is killed, the queue is lost, and nothing more.
//!
//! # Strict mode
//!
//! A [`StrictLayer`] below the [`SignatureLayer`](crate::SignatureLayer) writes a row with status
//! [`received`](RECEIVED) before the handler is called, and answers 503 when it cannot within its
//! deadline. So no delivery is acknowledged without its row, whatever happens to the process. The
//! outcome follows best effort, once the handler has answered: a row that still says `received`
//! after a restart was on its way when the process ended, and its handler may have run or not.
//! Refused requests are written best effort as ever.
//!
//! ```
//! # use tower_webhook::{ConfigError, Secret, SignatureLayer, log::WebhookLog, providers::Meta};
//! use tower::ServiceBuilder;
//!
//! # fn layers(log: WebhookLog, meta: Meta) -> Result<(), ConfigError> {
//! // `log` comes from `WebhookLog::builder().strict()`.
//! let layers = ServiceBuilder::new()
//!     .layer(SignatureLayer::new(meta).observer(log.clone()))
//!     .layer(log.strict_layer()?);
//! # let _ = layers;
//! # Ok(())
//! # }
//! ```
//!
//! A layer between the two that answers by itself leaves no row before its answer.
//!
//! # Searches and pruning
//!
//! [`WebhookLog::find`] reads pages of rows by provider, tenant, status and time, each by an index, on
//! connections of its own: neither many readers nor slow ones keep rows from being written.
//! [`WebhookLog::prune`] deletes the oldest rows in small steps. It costs what it deletes, since the
//! database keeps exact [totals](Totals), in the table `webhook_log_totals`. In PostgreSQL triggers
//! keep them. In SQLite the log adds what it writes, and a trigger subtracts what anyone deletes: rows
//! that another program inserts are not counted there.
//!
//! # What is kept
//!
//! See [`Entry`] for the columns and [`LogBuilder`] for the limits. Of the headers only listed ones
//! are kept, and none that may hold a secret can be listed: providers have sent their secrets in
//! one. Of the body there are always length and SHA-256, and the text only of verified requests
//! unless [switched on](LogBuilder::refused_payloads). A URL loses the values of sensitive
//! parameters. Secrets, tags and received signatures are never there.
//!
//! Payloads and addresses are personal data in many places. [`LogBuilder::payload_limit`] of 0
//! keeps none, [`LogBuilder::mask`] masks them, and [`WebhookLog::prune`] deletes what is old; in
//! SQLite deleted rows are overwritten.

mod builder;
mod entry;
mod filter;
mod id;
mod keep;
mod mask;
mod page;
#[cfg(feature = "log-postgres")]
mod postgres;
mod queue;
mod row;
#[cfg(any(feature = "log-postgres", feature = "log-sqlite"))]
mod search;
#[cfg(any(feature = "log-postgres", feature = "log-sqlite"))]
mod sql;
#[cfg(feature = "log-sqlite")]
mod sqlite;
mod store;
mod strict;
mod ticket;
mod webhook_log;

use self::row::entry_text;
pub(crate) use self::ticket::Tickets;
pub use self::{
    builder::LogBuilder,
    entry::{Entry, RECEIVED},
    filter::{Filter, Retention},
    id::{EntryId, InvalidEntryId},
    keep::{Keep, Totals},
    mask::{MESSAGE_FIELDS, Mask},
    page::Page,
    store::{LogError, MemoryStore, Store, StoreFuture},
    strict::{StrictFuture, StrictLayer, StrictService},
    webhook_log::WebhookLog,
};
