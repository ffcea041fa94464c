//! A store that fails as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tower_webhook::delivery_log::{
    Annotation, Entry, EntryId, Filter, Keep, LogError, LogStore, MemoryLog, Page, StoreFuture,
};

/// What a store does when it is asked to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Works,
    Fails,
    Hangs,
    Panics,
    /// Takes no row with this payload, like a database that does not like a value.
    Refuses(&'static [u8]),
    /// Hangs over more rows than this at once, like a database behind a slow line.
    Slow(usize),
    /// Refuses a batch, and is down when its rows come one by one.
    RefusesThenFails,
    /// Works, but for causes of rejections, with which it does this.
    Annotates(&'static Self),
    /// Takes no row at all, like a table with a constraint that all break.
    RefusesAll,
}

/// A store in memory that fails as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    memory: Arc<MemoryLog>,
    mode: Arc<Mutex<Mode>>,
    pub(crate) writes: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn new(mode: Mode) -> Self {
        let memory = Arc::new(MemoryLog::new(100_000));
        Self { memory, mode: Arc::new(Mutex::new(mode)), writes: Arc::default() }
    }

    /// Whether no log holds it any more.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.memory) == 1
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }
}

impl LogStore for Scripted {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let mode = *self.mode.lock().unwrap();
        match mode {
            Mode::Slow(most) if entries.len() > most => Box::pin(std::future::pending()),
            Mode::Works | Mode::Slow(_) | Mode::Annotates(_) => self.memory.write(entries),
            Mode::Fails => Box::pin(async { Err(LogError::unavailable("scripted")) }),
            Mode::Hangs => Box::pin(std::future::pending()),
            Mode::RefusesThenFails if entries.len() == 1 => {
                Box::pin(async { Err(LogError::unavailable("scripted")) })
            }
            Mode::RefusesAll | Mode::RefusesThenFails => {
                Box::pin(async { Err(LogError::refused("scripted")) })
            }
            Mode::Panics => panic!("scripted"),
            Mode::Refuses(payload) => {
                if entries.iter().any(|entry| entry.payload.as_deref() == Some(payload)) {
                    return Box::pin(async { Err(LogError::refused("scripted")) });
                }
                self.memory.write(entries)
            }
        }
    }

    fn find<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Page> {
        self.memory.find(filter)
    }

    fn annotate<'a>(&'a self, id: EntryId, annotation: &'a Annotation) -> StoreFuture<'a, ()> {
        let mode = *self.mode.lock().unwrap();
        match if let Mode::Annotates(mode) = mode { *mode } else { mode } {
            Mode::Works => self.memory.annotate(id, annotation),
            Mode::Panics => panic!("scripted"),
            Mode::Hangs => Box::pin(std::future::pending()),
            _ => Box::pin(async { Err(LogError::unavailable("scripted")) }),
        }
    }

    fn prune_step(&self, keep: Keep) -> StoreFuture<'_, u64> {
        self.memory.prune_step(keep)
    }
}
