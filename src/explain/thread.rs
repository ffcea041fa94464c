//! The thread on which rejections are explained. A process has one, for all of its layers.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use crate::panic::catch_panic;

/// Explanations that wait. A process may have many layers, and each of them begins with a few.
const MAX_WAITING: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// The queue of the thread, once it has been started.
static QUEUE: Mutex<Option<SyncSender<Job>>> = Mutex::new(None);

/// Runs a job on the thread, unless too many wait, or the system has no threads.
///
/// It is not a task: the work takes the processor for up to 50 ms, and there may be no runtime.
pub(crate) fn run(job: impl FnOnce() + Send + 'static) {
    if let Err(job) = send(Box::new(job)) {
        // It holds values of users, whose `Drop` may panic.
        let _ = catch_panic(|| drop(job));
    }
}

/// Returns the job if it cannot be run.
fn send(job: Job) -> Result<(), Job> {
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    // A system that had no thread may have one now.
    *queue = queue.take().or_else(start);
    let Some(queue) = &*queue else { return Err(job) };
    queue.try_send(job).map_err(|error| match error {
        TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
    })
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
