//! The thread on which rejections are explained. A process has one, for all of its layers.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use crate::panic::catch_panic;

/// Explanations that wait. A process may have many layers, and each of them begins with a few.
const MAX_WAITING: usize = 64;

/// Bytes of the bodies that wait to be explained. They come from strangers.
const MAX_BYTES: usize = 8 << 20;

/// Longest body that is explained, so that a few senders that stall do not take all of the bytes.
pub(crate) const MAX_BODY: usize = MAX_BYTES / 8;

/// Bytes that are in use.
static USED: AtomicUsize = AtomicUsize::new(0);

/// Share of the bytes, returned when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Room(usize);

impl Room {
    /// Adds bytes, and returns whether there is room for them.
    #[must_use]
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let is_short = bytes <= MAX_BODY - self.0;
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= MAX_BYTES);
        let has_room =
            is_short && USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        self.0 += if has_room { bytes } else { 0 };
        has_room
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        USED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// The queue of the thread, once it has been started.
static QUEUE: Mutex<Option<SyncSender<Job>>> = Mutex::new(None);

/// Runs a job on the thread, unless too many wait, or the system has no threads.
///
/// It is not a task: the work takes the processor for up to 50 ms, and there may be no runtime.
pub(crate) fn run(job: impl FnOnce() + Send + 'static) {
    if let Some(job) = send(Box::new(job)) {
        // It holds values of users, whose `Drop` may panic.
        let _ = catch_panic(|| drop(job));
    }
}

/// Returns the job if it cannot be run.
fn send(job: Job) -> Option<Job> {
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    if queue.is_none() {
        *queue = start();
    }
    let Some(sender) = &*queue else { return Some(job) };
    match sender.try_send(job) {
        Ok(()) => None,
        Err(TrySendError::Full(job)) => Some(job),
        Err(TrySendError::Disconnected(job)) => {
            // The next job starts another thread.
            *queue = None;
            Some(job)
        }
    }
}

fn start() -> Option<SyncSender<Job>> {
    let (sender, receiver) = sync_channel::<Job>(MAX_WAITING);
    let work = move || {
        for job in receiver {
            // Verifiers and observers are users' code.
            let _ = catch_panic(job);
        }
    };
    let thread = thread::Builder::new().name("webhook-explain".to_owned()).spawn(work);
    thread.ok().map(|_| sender)
}
