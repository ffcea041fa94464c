//! Store in SQLite.

use std::{future::Future, path::Path, pin::Pin, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row, Statement, ToSql, Transaction, types::FromSql};
use tokio::task::spawn_blocking;

use crate::delivery_log::{
    annotation::Annotation,
    entry::Entry,
    filter::Filter,
    id::EntryId,
    keep::Keep,
    page::Page,
    sql::{self, Bind, Columns},
    sqlite::{
        connect::{self, Setup},
        error::error,
        find,
        lane::{Lane, Work},
    },
    store::{LogError, LogStore, StoreFuture},
};

const MIGRATIONS: [&str; 2] = [
    include_str!("../../../migrations/sqlite/0001_webhook_deliveries.sql"),
    include_str!("../../../migrations/sqlite/0002_explanations.sql"),
];

/// Number of connections that search concurrently.
const READERS: u32 = 2;

/// Store in a file, which several logs may share, and which may hold other tables.
pub(crate) struct Sqlite {
    setup: Arc<Setup>,
    /// One connection, because a file has one writer at a time. It also deletes rows.
    writer: Arc<Lane>,
    readers: Arc<Lane>,
}

impl Sqlite {
    pub(crate) async fn open(
        path: &Path,
        max_file_size: Option<u64>,
        is_durable: bool,
    ) -> Result<Self, LogError> {
        let setup = Arc::new(Setup { path: path.to_owned(), max_file_size, is_durable });
        let writer = Lane::new(&setup, 1, connect::writer);
        let readers = Lane::new(&setup, READERS as usize, connect::reader);
        let path = setup.path.clone();
        let prepared = spawn_blocking(move || connect::prepare(&path)).await;
        prepared.map_err(LogError::unavailable)??;
        writer.run(|connection, _| migrate(connection).map_err(error)).await?;
        Ok(Self { setup, writer, readers })
    }

    /// Keeps the write-ahead log within the limit of the file. If a transaction prevents it from
    /// being emptied, nothing is written until that transaction has ended.
    async fn limit_wal(&self) -> Result<(), LogError> {
        let Some(limit) = self.setup.max_file_size else { return Ok(()) };
        let is_short =
            move |connection: &mut Connection, _: &Work| connect::has_short_wal(connection, limit);
        if self.writer.run(is_short).await? {
            return Ok(());
        }
        // A search of this log may be the transaction that prevents it.
        self.readers.interrupt();
        let _quiet = self.readers.keep_out(READERS).await?;
        if self.writer.run(is_short).await? {
            return Ok(());
        }
        Err(LogError::unavailable(
            "write-ahead log has reached `max_file_size`, and an open transaction keeps it from being emptied; end that transaction",
        ))
    }
}

pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let tx = connection.transaction()?;
    tx.execute(sql::CREATE_SCHEMA, [])?;
    let version = tx.query_row(sql::VERSION, [], |row| row.get(0))?;
    for (number, migration) in sql::pending(&MIGRATIONS, version) {
        tx.execute_batch(migration)?;
        tx.execute(sql::DONE, [number])?;
    }
    // In a copy of the file, the rows may have new numbers. All rows are then counted again.
    tx.execute(
        "UPDATE webhook_deliveries_totals SET rows = 0, bytes = 0, counted = 0 \
         WHERE counted > (SELECT COALESCE(MAX(rowid), 0) FROM webhook_deliveries)",
        [],
    )?;
    tx.commit()
}

fn write(connection: &mut Connection, work: &Work, entries: &[Arc<Entry>]) -> Result<(), LogError> {
    let tx = connection.transaction().map_err(error)?;
    insert(&tx, work, entries)?;
    // More than a batch, so that the count catches up.
    count(&tx, 4_096).map_err(error)?;
    tx.commit().map_err(error)
}

/// Adds the rows that were inserted since the last count to the totals, including rows that other
/// programs inserted. Examines at most this many row numbers, and returns `true` if none is left.
fn count(tx: &Transaction<'_>, most: i64) -> rusqlite::Result<bool> {
    const COUNT: &str = "UPDATE webhook_deliveries_totals SET (rows, bytes, counted) = (
        SELECT rows + COUNT(*), bytes + COALESCE(SUM(stored_len), 0),
            MIN(counted + ?1, (SELECT COALESCE(MAX(rowid), 0) FROM webhook_deliveries))
        FROM webhook_deliveries WHERE rowid > counted AND rowid <= counted + ?1)
        RETURNING counted >= (SELECT COALESCE(MAX(rowid), 0) FROM webhook_deliveries)";
    tx.prepare_cached(COUNT)?.query_row([most], |row| row.get(0))
}

fn count_more(connection: &mut Connection) -> rusqlite::Result<bool> {
    let tx = connection.transaction()?;
    let is_done = count(&tx, 50_000)?;
    tx.commit()?;
    Ok(is_done)
}

fn insert(tx: &Transaction<'_>, work: &Work, entries: &[Arc<Entry>]) -> Result<(), LogError> {
    // A statement that may update a row keeps the old pages of each row, which doubles its cost. Most
    // rows are new.
    let new = [sql::INSERT, sql::VALUES, "ON CONFLICT (id) DO NOTHING"].concat();
    let any = [sql::INSERT, sql::VALUES, sql::ON_CONFLICT].concat();
    let mut new = tx.prepare_cached(&new).map_err(error)?;
    let mut any = tx.prepare_cached(&any).map_err(error)?;
    for entry in entries {
        work.check()?;
        sql::bind(entry, &mut *new)?;
        if new.raw_execute().map_err(error)? == 0 {
            sql::bind(entry, &mut *any)?;
            any.raw_execute().map_err(error)?;
        }
    }
    Ok(())
}

fn annotate(connection: &Connection, id: EntryId, annotation: &Annotation) -> rusqlite::Result<()> {
    let Annotation { cause, explanation } = annotation;
    let values: [&dyn ToSql; 4] =
        [cause, explanation, &sql::integer(annotation.len()), &id.to_string()];
    connection.prepare_cached(sql::ANNOTATE)?.execute(values).map(drop)
}

fn prune_step(connection: &mut Connection, work: &Work, keep: Keep) -> Result<u64, LogError> {
    let tx = connection.transaction().map_err(error)?;
    let totals = "SELECT rows, bytes FROM webhook_deliveries_totals";
    let totals = tx.query_row(totals, [], |row| row.try_into()).optional().map_err(error)?;
    let oldest = oldest(&tx).map_err(error)?;
    let gone = sql::to_prune(keep, totals.unwrap_or_default(), oldest)?;
    let Some(last) = gone.last() else { return Ok(0) };
    work.check()?;
    let deleted = "DELETE FROM webhook_deliveries WHERE id <= ?";
    let deleted = tx.execute(deleted, [last]).map_err(error)?;
    tx.commit().map_err(error)?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}

fn oldest(tx: &Transaction<'_>) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut oldest = tx.prepare_cached(sql::OLDEST)?;
    oldest.query_map([Keep::STEP_ROWS], |row| row.try_into())?.collect()
}

impl<T: ToSql> Bind<T> for Statement<'_> {
    fn bind(&mut self, number: usize, value: T) -> Result<(), LogError> {
        self.raw_bind_parameter(number, value).map_err(error)
    }
}

impl<T: FromSql> Columns<T> for Row<'_> {
    fn column(&self, name: &str) -> Result<T, LogError> {
        self.get(name).map_err(error)
    }
}

impl LogStore for Sqlite {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.limit_wal().await?;
            self.writer.run(move |connection, work| write(connection, work, &entries)).await
        })
    }

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Page> {
        let filter = filter.clone();
        Box::pin(self.readers.run(move |connection, work| find::find(connection, work, &filter)))
    }

    fn annotate<'a>(&'a self, id: EntryId, annotation: &'a Annotation) -> StoreFuture<'a, ()> {
        let annotation = annotation.clone();
        Box::pin(async move {
            self.limit_wal().await?;
            let annotate = move |connection: &mut Connection, _: &Work| {
                annotate(connection, id, &annotation).map_err(error)
            };
            self.writer.run(annotate).await
        })
    }

    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            self.limit_wal().await?;
            // Counted in several transactions, between which rows are written.
            while !self.writer.run(|connection, _| count_more(connection).map_err(error)).await? {}
            self.writer.run(move |connection, work| prune_step(connection, work, keep)).await
        })
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // The writer's connection closes last, and copies the write-ahead log into the file.
        let idle = [self.readers.close(), self.writer.close()];
        Box::pin(async { _ = spawn_blocking(move || drop(idle)).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery_log::{entry::RECEIVED, id::EntryId};

    #[tokio::test]
    async fn writing_and_pruning_wait_for_no_reader() {
        let name = format!("tower-webhook-readers-{}.db", std::process::id());
        let path = std::env::temp_dir().join(name);
        let store = Sqlite::open(&path, None, true).await.unwrap();
        let mut readers = Vec::new();
        for _ in 0..2 * READERS {
            let endless = store.readers.run(|connection, _| {
                let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                     SELECT COUNT(*) FROM n";
                connection.query_row(endless, [], |_| Ok(())).map_err(error)
            });
            let mut endless = Box::pin(endless);
            // Running, or queued behind the running ones.
            assert!(poll_once(endless.as_mut()).await.is_none());
            readers.push(endless);
        }
        let entry = Entry::new(EntryId::new(std::time::SystemTime::now()), "success");
        let works = async {
            store.write(vec![Arc::new(entry.clone())]).await.unwrap();
            let keep = crate::delivery_log::filter::Retention::new().max_rows(0);
            let keep = keep.keep(std::time::SystemTime::now(), entry.id);
            assert_eq!(store.prune_step(keep).await.unwrap(), 1);
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), works).await.unwrap();
        drop(readers);
        store.close().await;
        std::fs::remove_file(path).unwrap();
    }

    /// Polls the future once.
    async fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        let mut future = Some(future);
        std::future::poll_fn(|cx| {
            let polled = future.take().map(|future| future.poll(cx));
            std::task::Poll::Ready(match polled {
                Some(std::task::Poll::Ready(output)) => Some(output),
                _ => None,
            })
        })
        .await
    }

    #[test]
    fn totals_are_exact_whatever_is_written() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        let work = Work::never_given_up();
        let totals = |db: &Connection, table: &str| -> (i64, i64) {
            db.query_row(table, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
        };
        let entry = |at: u64, status: &'static str, payload: &'static [u8]| {
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at);
            let mut entry = Entry::new(EntryId::first(at), status);
            entry.payload = Some(payload.into());
            Arc::new(entry)
        };
        let first =
            [entry(1, RECEIVED, b"x"), entry(2, "success", b"xx"), entry(3, RECEIVED, b"xxx")];
        // Longer, shorter, too late for a finished row, and twice in one batch.
        let second = [
            entry(1, "success", b"longer than before"),
            entry(3, "error", b""),
            entry(2, "error", b"too late, and much longer"),
            entry(4, RECEIVED, b"new"),
            entry(4, "success", b"new, and finished"),
        ];
        for batch in [&first[..], &first, &second, &second, &first] {
            write(&mut db, &work, batch).unwrap();
            let counted = totals(&db, "SELECT COUNT(*), SUM(stored_len) FROM webhook_deliveries");
            assert_eq!(totals(&db, "SELECT rows, bytes FROM webhook_deliveries_totals"), counted);
        }
        let keep = Keep { since: EntryId::MIN, until: EntryId::MAX, rows: 3, bytes: u64::MAX };
        assert!(count_more(&mut db).unwrap());
        assert_eq!(prune_step(&mut db, &work, keep).unwrap(), 1);
        let counted = totals(&db, "SELECT COUNT(*), SUM(stored_len) FROM webhook_deliveries");
        assert_eq!(totals(&db, "SELECT rows, bytes FROM webhook_deliveries_totals"), counted);
        // Other programs insert rows, and delete the last row, whose number is then used again.
        let by_hand = "INSERT INTO webhook_deliveries (id, received_at, stored_len, status, provider, method, \
             url, verified, headers, payload_truncated) VALUES (?, 0, 900, 'x', 'x', 'x', 'x', 0, '', 0)";
        let changes = [
            "UPDATE webhook_deliveries SET stored_len = stored_len + 7",
            by_hand,
            "DELETE FROM webhook_deliveries WHERE rowid = (SELECT MAX(rowid) FROM webhook_deliveries)",
            by_hand,
            "DELETE FROM webhook_deliveries WHERE status = 'error'",
            by_hand,
            "DELETE FROM webhook_deliveries WHERE stored_len = 900",
            by_hand,
            by_hand,
            "DELETE FROM webhook_deliveries WHERE rowid = (SELECT counted FROM webhook_deliveries_totals)",
            by_hand,
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let id = db.total_changes().to_string();
            let values: &[&dyn ToSql] = if change == by_hand { &[&id] } else { &[] };
            db.execute(change, values).unwrap();
            if at == 3 || at == 5 {
                assert!(count_more(&mut db).unwrap());
            }
        }
        assert!(count_more(&mut db).unwrap());
        let counted = totals(&db, "SELECT COUNT(*), SUM(stored_len) FROM webhook_deliveries");
        assert_eq!(totals(&db, "SELECT rows, bytes FROM webhook_deliveries_totals"), counted);
        // Copied by a dump: the rows have other numbers.
        db.execute("UPDATE webhook_deliveries SET rowid = -rowid", []).unwrap();
        migrate(&mut db).unwrap();
        db.execute("UPDATE webhook_deliveries SET rowid = 3 - rowid", []).unwrap();
        assert!(count_more(&mut db).unwrap());
        let counted = totals(&db, "SELECT COUNT(*), SUM(stored_len) FROM webhook_deliveries");
        assert_eq!(totals(&db, "SELECT rows, bytes FROM webhook_deliveries_totals"), counted);
        db.execute("DELETE FROM webhook_deliveries", []).unwrap();
        assert_eq!(totals(&db, "SELECT rows, bytes FROM webhook_deliveries_totals"), (0, 0));
    }
}
