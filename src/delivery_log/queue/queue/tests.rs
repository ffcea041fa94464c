//! Tests of both stages, with work and a store that wait for a permission.

use std::{sync::Arc, time::Duration};

use std::{
    sync::mpsc,
    thread::{self, ThreadId},
};

use bytes::Bytes;
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};

use super::*;
use crate::delivery_log::{
    filter::Filter,
    id::EntryId,
    keep::Keep,
    page::Page,
    queue::{limits::BATCH, stages::run},
    store::{LogError, LogStore, StoreFuture},
};

const SECOND: Duration = Duration::from_secs(1);
/// Time limit for what happens immediately unless the test fails.
const LONG: Duration = Duration::from_secs(30);

const SHORT: usize = 1;
const LARGE: usize = 100 << 10;

pub(crate) fn settings() -> Settings {
    Settings {
        headers: Vec::new(),
        payload_limit: usize::MAX,
        stores_rejected_payloads: false,
        mask: None,
        refusals_per_minute: 1_000,
        max_queued_rows: 10_000,
        max_queued_bytes: 1 << 30,
        store_timeout: LONG,
        is_durable: true,
    }
}

pub(crate) fn entry(name: &str) -> Entry {
    let mut entry = Entry::new(EntryId::new(SystemTime::now()), "success");
    entry.url = name.to_owned();
    entry.verified = true;
    entry
}

pub(crate) fn draft(name: &str, body: usize) -> Draft {
    Draft::with_body(entry(name), Bytes::from(vec![b'x'; body]))
}

/// Store that writes when it has a permit, and records the names of each batch.
#[derive(Clone)]
struct Gated {
    permits: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Gated {
    fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), batches: Arc::default() }
    }

    fn names(&self) -> Vec<String> {
        self.batches.lock().unwrap().concat()
    }
}

impl LogStore for Gated {
    fn write(&self, entries: Vec<Arc<Entry>>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.permits.acquire().await.map_err(LogError::unavailable)?.forget();
            let names = entries.iter().map(|entry| entry.url.clone()).collect();
            self.batches.lock().unwrap().push(names);
            Ok(())
        })
    }

    fn find<'a>(&'a self, _: &'a Filter) -> StoreFuture<'a, Page> {
        Box::pin(async { Ok(Page::default()) })
    }

    fn prune_step(&self, _: Keep) -> StoreFuture<'_, u64> {
        Box::pin(async { Ok(0) })
    }
}

/// Handle of both stages. It shows which work has begun, and lets work end.
struct Desk {
    queue: Arc<Queue>,
    task: JoinHandle<()>,
    begun: mpsc::Receiver<(String, ThreadId)>,
    goes_on: mpsc::Sender<()>,
}

/// Starts both stages. The work on rows whose names begin with `held` ends after a message to
/// [`Desk::goes_on`].
fn start(store: &Gated) -> Desk {
    let queue = Arc::<Queue>::default();
    let (begin, begun) = mpsc::channel();
    let (goes_on, told) = mpsc::channel();
    let told = Arc::new(Mutex::new(told));
    let work = move |draft: &mut Draft| {
        let name = draft.entry.url.clone();
        let _ = begin.send((name.clone(), thread::current().id()));
        if name.starts_with("held") {
            let _ = told.lock().unwrap().recv_timeout(LONG);
        }
        assert!(!name.starts_with("panics"), "as it should");
        draft.finish(&settings());
    };
    let (store, stages) = (store.clone(), Arc::clone(&queue));
    let task = tokio::spawn(async move { run(stages, &store, &settings(), work).await });
    Desk { queue, task, begun, goes_on }
}

impl Desk {
    fn push(&self, name: &str, body: usize) {
        self.queue.push(draft(name, body), &settings());
    }

    fn push_urgent(&self, name: &str, body: usize) -> oneshot::Receiver<()> {
        self.queue.push_urgent(draft(name, body), &settings()).unwrap()
    }

    /// Lets the runtime run until some work has begun.
    async fn begins(&self) -> (String, ThreadId) {
        let begun = async {
            loop {
                if let Ok(begun) = self.begun.try_recv() {
                    return begun;
                }
                tokio::task::yield_now().await;
            }
        };
        // Not by the runtime's clock, which may be paused.
        let start = std::time::Instant::now();
        let mut begun = std::pin::pin!(begun);
        std::future::poll_fn(|cx| {
            assert!(start.elapsed() < LONG, "no work is begun");
            begun.as_mut().poll(cx)
        })
        .await
    }

    async fn flush(&self) {
        timeout(LONG, self.queue.flush().unwrap()).await.unwrap().unwrap();
    }
}

async fn written(receiver: oneshot::Receiver<()>) {
    timeout(LONG, receiver).await.unwrap().unwrap();
}

fn is_pending(receiver: &mut oneshot::Receiver<()>) -> bool {
    receiver.try_recv() == Err(oneshot::error::TryRecvError::Empty)
}

#[tokio::test]
async fn bodies_are_finished_on_another_thread() {
    let desk = start(&Gated::new(usize::MAX >> 4));
    for len in [SHORT, LARGE] {
        let receiver = desk.push_urgent("held", len);
        // This thread continues while the other one works.
        let (_, thread) = desk.begins().await;
        assert_ne!(thread, thread::current().id());
        desk.goes_on.send(()).unwrap();
        written(receiver).await;
    }
}

#[tokio::test]
async fn urgent_rows_are_finished_before_earlier_rows() {
    for len in [SHORT, LARGE] {
        let store = Gated::new(usize::MAX >> 4);
        let desk = start(&store);
        desk.push("held", len);
        let mut flush = desk.queue.flush().unwrap();
        desk.begins().await;
        for name in ["a", "b", "c"] {
            desk.push(name, len);
        }
        let urgent = desk.push_urgent("urgent", len);
        assert!(is_pending(&mut flush));
        desk.goes_on.send(()).unwrap();
        written(urgent).await;
        desk.flush().await;
        let order: Vec<_> = desk.begun.try_iter().map(|(name, _)| name).collect();
        assert_eq!(order, ["urgent", "a", "b", "c"]);
    }
}

#[tokio::test]
async fn short_rows_do_not_wait_for_long_ones() {
    let desk = start(&Gated::new(usize::MAX >> 4));
    let mut long = desk.push_urgent("held", LARGE);
    desk.begins().await;
    written(desk.push_urgent("short", SHORT)).await;
    // A row that needs no work does not wait either.
    let bare = desk.queue.push_urgent(Draft::without_body(entry("bare")), &settings()).unwrap();
    written(bare).await;
    assert!(is_pending(&mut long));
    desk.goes_on.send(()).unwrap();
    written(long).await;
}

#[tokio::test]
async fn flush_waits_for_the_rows_before_it_and_no_others() {
    let store = Gated::new(0);
    let desk = start(&store);
    // Rows in progress, in the lane, with the store, and ready.
    desk.push("held", LARGE);
    desk.push("in the lane", LARGE);
    let mut flush = desk.queue.flush().unwrap();
    desk.begins().await;
    desk.queue.push(Draft::without_body(entry("with the store")), &settings());
    let mut second = desk.queue.flush().unwrap();
    desk.push("held too", LARGE);
    let is_done = |flush: &mut oneshot::Receiver<()>| flush.try_recv() == Ok(());

    store.permits.add_permits(1);
    while store.names() != ["with the store"] {
        tokio::time::sleep(SECOND / 100).await;
    }
    assert!(is_pending(&mut flush) && is_pending(&mut second), "a later row is not enough");
    desk.goes_on.send(()).unwrap();
    assert_eq!(desk.begins().await.0, "in the lane");
    assert_eq!(desk.begins().await.0, "held too");
    assert!(!is_done(&mut flush) && !is_done(&mut second), "finished is not written");
    store.permits.add_permits(100);
    written(flush).await;
    written(second).await;
    assert_eq!(desk.queue.rows(), 1, "the one after both");
    desk.goes_on.send(()).unwrap();
    desk.flush().await;
    assert_eq!(desk.queue.rows(), 0);
}

#[tokio::test]
async fn flush_of_an_empty_queue_waits_for_nothing() {
    let desk = start(&Gated::new(0));
    desk.flush().await;
    desk.flush().await;
    desk.queue.close();
    assert!(desk.queue.flush().is_none());
    timeout(LONG, desk.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_row_that_is_taken_back_is_not_finished() {
    let store = Gated::new(usize::MAX >> 4);
    let desk = start(&store);
    desk.push("held", LARGE);
    let mut flush = desk.queue.flush().unwrap();
    desk.begins().await;
    drop(desk.push_urgent("taken back", LARGE));
    assert!(is_pending(&mut flush));
    desk.goes_on.send(()).unwrap();
    desk.queue.close();
    timeout(LONG, desk.task).await.unwrap().unwrap();
    assert_eq!((store.names(), desk.queue.rows()), (vec!["held".to_owned()], 0));
    assert!(desk.begun.try_recv().is_err());
}

#[tokio::test]
async fn the_stages_end_once_the_queue_is_closed_and_empty() {
    let store = Gated::new(usize::MAX >> 4);
    let desk = start(&store);
    desk.push("a", SHORT);
    desk.push("b", LARGE);
    desk.queue.close();
    timeout(LONG, desk.task).await.unwrap().unwrap();
    let mut names = store.names();
    names.sort_unstable();
    assert_eq!((names, desk.queue.rows()), (vec!["a".to_owned(), "b".to_owned()], 0));

    // The stages also end if the last row is taken back.
    let desk = start(&store);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    drop(desk.push_urgent("c", LARGE));
    desk.queue.close();
    timeout(LONG, desk.task).await.unwrap().unwrap();
    assert_eq!(desk.queue.rows(), 0);
}

#[tokio::test]
async fn a_row_whose_work_panics_is_written() {
    let store = Gated::new(usize::MAX >> 4);
    let desk = start(&store);
    desk.push("panics", SHORT);
    desk.push("b", SHORT);
    desk.flush().await;
    assert_eq!(store.names(), ["panics", "b"]);
}

#[tokio::test]
async fn rows_in_the_stages_hands_are_lost_with_the_others() {
    let store = Gated::new(0);
    let desk = start(&store);
    desk.push("held", LARGE);
    desk.push("in the lane", LARGE);
    desk.push("with the store", SHORT);
    let flush = desk.queue.flush().unwrap();
    while desk.begins().await.0 != "held" {}
    desk.queue.close();
    desk.task.abort();
    let _ = desk.task.await;
    desk.queue.give_up();
    assert_eq!((desk.queue.lost(), desk.queue.rows()), (3, 0));
    assert!(flush.await.is_err());
    desk.goes_on.send(()).unwrap();
    // A row that is handed over now is not counted again.
    while Arc::strong_count(&desk.queue) > 1 {
        tokio::time::sleep(SECOND / 100).await;
    }
    assert_eq!((desk.queue.lost(), desk.queue.rows()), (3, 0));
    assert!(desk.queue.state().take_batch(BATCH).is_empty());
}

#[test]
fn a_runtime_that_ends_loses_no_row_silently() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let desk = runtime.block_on(async { start(&Gated::new(usize::MAX >> 4)) });
    desk.push("held", LARGE);
    let flush = desk.queue.flush().unwrap();
    desk.begun.recv_timeout(LONG).unwrap();
    for _ in 0..9 {
        desk.push("in the lane", LARGE);
    }
    runtime.shutdown_background();
    desk.goes_on.send(()).unwrap();
    while Arc::strong_count(&desk.queue) > 1 {
        thread::sleep(SECOND / 100);
    }
    drop(flush);
    desk.push("after it", LARGE);
    let rows = u64::try_from(desk.queue.rows()).unwrap();
    assert!((2..=11).contains(&rows), "{rows}");
    desk.queue.give_up();
    assert_eq!((desk.queue.lost(), desk.queue.rows()), (rows, 0));
}
