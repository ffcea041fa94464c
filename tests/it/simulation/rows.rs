//! The database of the delivery log. It keeps two bits of each row.

use std::{
    future::{pending, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use tower_webhook::delivery_log::{
    Entry, Filter, Keep, LogError, LogStore, Page, RECEIVED, StoreFuture,
};

use super::{ledger::Ledger, provider::delivery_in, shared::Shared};

const HAS_ROW: u8 = 1;
const HAS_OUTCOME: u8 = 2;

#[derive(Default)]
pub(super) struct Rows {
    rows: Mutex<Vec<u8>>,
    dispatched_without: AtomicU32,
    /// Number of faults that refuse writes now.
    pub(super) refusals: AtomicU32,
}

impl Rows {
    fn add(&self, entry: &Entry) {
        let Some(delivery) = entry.payload.as_deref().and_then(delivery_in) else { return };
        let mut rows = self.rows.lock().unwrap();
        let index = delivery as usize;
        if rows.len() <= index {
            rows.resize(index + 1, 0);
        }
        rows[index] |= HAS_ROW | if entry.status == RECEIVED { 0 } else { HAS_OUTCOME };
    }

    fn has_row(&self, delivery: usize) -> bool {
        self.rows.lock().unwrap().get(delivery).is_some_and(|row| row & HAS_ROW != 0)
    }

    /// Records that the handler of this delivery runs, whose row must be there.
    pub(super) fn dispatched(&self, delivery: u32) {
        if !self.has_row(delivery as usize) {
            self.dispatched_without.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the number of deliveries that were dispatched, or acknowledged, without a row.
    pub(super) fn missing(&self, ledger: &Ledger) -> u64 {
        let all = 0..usize::try_from(ledger.len()).unwrap();
        let acknowledged =
            all.filter(|nth| ledger.is_acknowledged(*nth) && !self.has_row(*nth)).count() as u64;
        acknowledged + u64::from(self.dispatched_without.load(Ordering::Relaxed))
    }
}

/// One process's connection to the database.
pub(super) struct RowStore {
    pub(super) shared: Arc<Shared>,
    /// Cleared when the process ends.
    pub(super) is_alive: Arc<AtomicBool>,
}

impl LogStore for RowStore {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            sleep(Duration::from_millis(1)).await;
            if !self.is_alive.load(Ordering::SeqCst) {
                pending::<()>().await;
            }
            if self.shared.rows.refusals.load(Ordering::Relaxed) > 0 {
                return Err(LogError::unavailable("the database is down"));
            }
            for entry in entries {
                self.shared.rows.add(&entry);
            }
            sleep(Duration::from_millis(1)).await;
            Ok(())
        })
    }

    fn find<'a>(&'a self, _: &'a Filter) -> StoreFuture<'a, Page> {
        Box::pin(ready(Ok(Vec::new().into())))
    }

    fn prune_step(&self, _: Keep) -> StoreFuture<'_, u64> {
        Box::pin(ready(Ok(0)))
    }
}
