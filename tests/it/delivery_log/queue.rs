//! Best effort: limits, losses that are counted, refusals that are sampled, and the end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tower_webhook::{
    delivery_log::{DeliveryLog, Entry, EntryId, Filter, LogError, LogStore, Mask, MemoryLog},
    observe::{Observer, Throttled},
};

use super::{
    Mode, NOW, SECOND, Scripted, forged, genuine, logged, memory, only_row, rows, send_to,
};
use crate::{net::within, support::at};

#[tokio::test(start_paused = true)]
async fn failing_store_is_retried_without_losing_rows() {
    for mode in [Mode::Fails, Mode::Hangs, Mode::Panics] {
        let store = Scripted::new(mode);
        let builder = DeliveryLog::builder().store_timeout(SECOND);
        let log = builder.store(store.clone()).unwrap();
        for _ in 0..10 {
            assert_eq!(send_to(&logged(&log), 200, genuine(b"x")).await, 200, "{mode:?}");
        }
        // Time is paused: this passes at once, and the writer has tried many times.
        tokio::time::sleep(60 * SECOND).await;
        assert!(store.writes.load(Ordering::SeqCst) > 10);
        assert_eq!((log.queued(), log.dropped()), (10, 0), "{mode:?}");
        assert!(log.failure().is_some(), "{mode:?}");
        store.set(Mode::Works);
        assert_eq!(rows(&log).await.len(), 10, "{mode:?}");
        assert_eq!((log.queued(), log.failure()), (0, None));
    }
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_counted_and_said() {
    let long: &[u8] = &[b'x'; 5_000];
    for (rows_limit, bytes_limit) in [(10, 1 << 20), (1_000, 60_000)] {
        let store = Scripted::new(Mode::Fails);
        let builder =
            DeliveryLog::builder().max_queued_rows(rows_limit).max_queued_bytes(bytes_limit);
        let log = builder.store(store.clone()).unwrap();
        for _ in 0..25 {
            assert_eq!(send_to(&logged(&log), 200, genuine(long)).await, 200);
        }
        let kept = u64::try_from(log.queued()).unwrap();
        assert!((8..=11).contains(&kept), "{kept} rows in the queue");
        assert_eq!(log.dropped(), 25 - kept);
        store.set(Mode::Works);
        log.flush().await.unwrap();
        let rows = rows(&log).await;
        let (notes, attempts): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.status == "dropped");
        assert_eq!(u64::try_from(attempts.len()).unwrap(), kept);
        assert_eq!((notes.len(), notes[0].count), (1, Some(25 - kept)));
        assert_eq!(log.dropped(), 25 - kept, "the count goes on");
    }
}

#[tokio::test(start_paused = true)]
async fn row_rejected_by_the_store_blocks_no_other() {
    let store = Scripted::new(Mode::Refuses(b"poison"));
    let log = DeliveryLog::builder().store(store).unwrap();
    for body in [&b"a"[..], b"poison", b"b"] {
        send_to(&logged(&log), 200, genuine(body)).await;
    }
    log.flush().await.unwrap();
    let rows = rows(&log).await;
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    assert_eq!((count("success"), count("dropped"), log.dropped()), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn rejection_by_an_unavailable_store_drops_no_row() {
    let store = Scripted::new(Mode::RefusesThenFails);
    let log = DeliveryLog::builder().store(store.clone()).unwrap();
    for _ in 0..3 {
        send_to(&logged(&log), 200, genuine(b"x")).await;
    }
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!((log.queued(), log.dropped()), (3, 0));
    let shown = format!("{log:?}");
    assert!(shown.starts_with("DeliveryLog { queued: 3, dropped: 0"), "{shown}");
    assert!(shown.contains("scripted"), "{shown}");
    store.set(Mode::Works);
    log.flush().await.unwrap();
    assert_eq!((rows(&log).await.len(), log.dropped()), (3, 0));
}

#[tokio::test]
async fn memory_log_keeps_finished_and_newest_rows() {
    let store = MemoryLog::new(10);
    let id = |millis| EntryId::first(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    let row = |millis, status: &'static str| Arc::new(Entry::new(id(millis), status));
    store.write((1..=5).map(|at| row(at, "error")).collect()).await.unwrap();
    store.write(vec![row(3, "success")]).await.unwrap();
    let found = store.find(&Filter::new()).await.unwrap();
    assert!(found.len() == 5 && found.iter().all(|row| row.status == "error"), "{found:?}");
    // The first of them is at the edge.
    let since = Filter::new().since(SystemTime::UNIX_EPOCH + Duration::from_millis(4));
    assert_eq!(store.find(&since).await.unwrap().len(), 2);
    // The newest stay, and as many as it may hold.
    store.write((6..=17).map(|at| row(at, "error")).collect()).await.unwrap();
    let found = store.find(&Filter::new()).await.unwrap();
    assert_eq!((found.len(), found[9].id), (10, id(8)));
}

#[tokio::test(start_paused = true)]
async fn full_batch_is_written_at_once_and_a_partial_waits() {
    let unsigned = || Request::post("/").body(Full::new(Bytes::from_static(b"x"))).unwrap();
    let request: [&dyn Fn() -> Request<Full<Bytes>>; 2] = [&|| genuine(b"x"), &unsigned];
    for (request, has_body) in request.into_iter().zip([true, false]) {
        let store = Scripted::new(Mode::Works);
        let log = DeliveryLog::builder().store(store.clone()).unwrap();
        for (more, writes) in [(511, 0), (1, 1)] {
            for _ in 0..more {
                send_to(&logged(&log), 200, request()).await;
            }
            // The writer has its turns, and the clock stands.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let start = std::time::Instant::now();
            // Bodies are finished on another thread.
            while has_body && writes > 0 && log.queued() > 0 && start.elapsed() < 30 * SECOND {
                tokio::task::yield_now().await;
            }
            assert_eq!(store.writes.load(Ordering::SeqCst), writes, "{has_body}");
        }
        assert_eq!(log.queued(), 0);
        let row = log.find(&Filter::new()).await.unwrap().remove(0);
        assert_eq!(row.body_sha256.is_some(), has_body);
    }
}

#[tokio::test]
async fn the_thread_goes_on_while_a_long_body_is_masked() {
    let mask = Mask::new().phone_numbers().emails().secrets().card_numbers();
    let log = DeliveryLog::builder().mask(mask).store(MemoryLog::new(9)).unwrap();
    let body: &[u8] = vec![b'.'; 4 << 20].leak();
    send_to(&logged(&log).body_limit(8 << 20), 200, genuine(body)).await;
    let written = tokio::spawn({
        let log = log.clone();
        async move { log.flush().await }
    });
    let mut turns = 0;
    while !written.is_finished() {
        turns += 1;
        tokio::task::yield_now().await;
    }
    assert!(turns > 100, "{turns}");
    let row = only_row(&log).await;
    assert_eq!((row.payload_truncated, row.body_sha256), (true, Some(Sha256::digest(body).into())));
}

#[tokio::test]
async fn bodies_of_strangers_leave_room_for_genuine_ones() {
    let log = DeliveryLog::builder()
        .max_queued_rows(99)
        .max_queued_bytes(40_000)
        .store(MemoryLog::new(99))
        .unwrap();
    let body: &[u8] = &[b'x'; 4_000];
    for _ in 0..4 {
        assert_eq!(send_to(&logged(&log), 200, forged(body)).await, 403);
        assert_eq!(send_to(&logged(&log), 200, genuine(body)).await, 200);
    }
    let rows = rows(&log).await;
    let with_digest = |is_verified| {
        let rows = rows.iter().filter(|row| row.verified == is_verified);
        rows.filter(|row| row.body_sha256.is_some()).count()
    };
    assert_eq!((rows.len(), with_digest(false), with_digest(true)), (8, 2, 4));
    assert!(rows.iter().all(|row| row.verified == row.payload.is_some()));
}

#[tokio::test]
async fn the_queue_takes_rows_up_to_the_byte() {
    let log = memory();
    send_to(&logged(&log), 200, genuine(b"x")).await;
    let len = only_row(&log).await.stored_len();
    // What it holds, and 200 bytes for all else.
    assert!((200..600).contains(&len), "{len}");
    for (bytes, dropped) in [(len, 0), (len - 1, 1)] {
        let log = DeliveryLog::builder()
            .max_queued_rows(10)
            .max_queued_bytes(bytes)
            .store(MemoryLog::new(9))
            .unwrap();
        send_to(&logged(&log), 200, genuine(b"x")).await;
        assert_eq!(log.dropped(), dropped, "{bytes} of {len}");
    }
}

#[test]
fn a_row_is_as_long_as_what_it_holds() {
    let mut entry = Entry::new(EntryId::default(), "success");
    let empty = entry.stored_len();
    entry.url = "/hooks".to_owned();
    assert_eq!(entry.stored_len(), empty + 6);
    entry.headers = vec![("a-name".to_owned(), "value".to_owned())];
    assert_eq!(entry.stored_len(), empty + 6 + 17);
    entry.payload = Some("payload".into());
    entry.tenant = Some("anna".to_owned());
    assert_eq!(entry.stored_len(), empty + 6 + 17 + 11);
    let shown = format!("{entry:?}");
    assert!(shown.starts_with("Entry { id: ") && !shown.contains("payload"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_given_less_at_once() {
    let store = Scripted::new(Mode::Slow(10));
    let log = DeliveryLog::builder().store_timeout(SECOND).store(store).unwrap();
    for _ in 0..100 {
        assert_eq!(send_to(&logged(&log), 200, genuine(b"x")).await, 200);
    }
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!((log.queued(), log.dropped()), (0, 0));
    assert_eq!(rows(&log).await.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_no_row_is_not_asked_for_ever() {
    let store = Scripted::new(Mode::RefusesAll);
    let log = DeliveryLog::builder().store(store.clone()).unwrap();
    for _ in 0..5 {
        assert_eq!(send_to(&logged(&log), 200, genuine(b"x")).await, 200);
    }
    tokio::time::sleep(60 * SECOND).await;
    // The batch, its rows, and as much for the note, which is lost without a note of its own.
    let writes = store.writes.load(Ordering::SeqCst);
    assert!(writes <= 10, "{writes} writes");
    assert_eq!((log.queued(), log.dropped()), (0, 5));
    log.shutdown(SECOND).await.unwrap();
}

#[tokio::test]
async fn rejection_rows_are_limited_per_minute_and_counted() {
    let log = DeliveryLog::builder().refusals_per_minute(10).store(MemoryLog::new(9_999)).unwrap();
    for _ in 0..500 {
        assert_eq!(send_to(&logged(&log), 200, forged(b"x")).await, 403);
    }
    for _ in 0..20 {
        send_to(&logged(&log), 200, genuine(b"x")).await;
    }
    assert_eq!(log.suppressed(), 490);
    let later = logged(&log).clock(at(NOW + 60));
    for _ in 0..30 {
        send_to(&later, 200, forged(b"x")).await;
    }
    log.flush().await.unwrap();
    let rows = rows(&log).await;
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    assert_eq!((count("unauthorized"), count("success")), (20, 20));
    let suppressed: Vec<_> =
        rows.iter().filter(|row| row.status == "suppressed").map(|row| row.count).collect();
    let mut sorted = suppressed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [Some(20), Some(490)]);
    assert_eq!(log.suppressed(), 510);
}

#[tokio::test(start_paused = true)]
async fn suppressed_count_is_logged_each_minute_and_at_end() {
    let store = Scripted::new(Mode::Works);
    let builder = DeliveryLog::builder().refusals_per_minute(0);
    let log = builder.store(store.clone()).unwrap();
    send_to(&logged(&log), 200, forged(b"x")).await;
    tokio::time::sleep(61 * SECOND).await;
    let found = log.find(&Filter::new().status("suppressed")).await.unwrap();
    assert_eq!(found.len(), 1, "without a flush");
    for _ in 0..7 {
        send_to(&logged(&log), 200, forged(b"x")).await;
    }
    log.shutdown(SECOND).await.unwrap();
    let again = DeliveryLog::builder().store(store).unwrap();
    let counts: Vec<_> = rows(&again).await.iter().map(|row| row.count).collect();
    assert_eq!(counts, [Some(7), Some(1)]);
}

#[tokio::test]
async fn counts_of_a_sampled_observer_are_rows() {
    let log = memory();
    let layer = crate::support::unexplained(crate::support::meta_layer())
        .observer(Throttled::new(log.clone(), 1));
    assert!(Throttled::new(log.clone(), 1).keeps_request());
    let at_minute = |minute: u64| layer.clone().clock(at(NOW + 60 * minute));
    for minute in [0, 0, 0, 1] {
        send_to(&at_minute(minute), 200, forged(b"x")).await;
    }
    let rows = rows(&log).await;
    let note = rows.iter().find(|row| row.status == "suppressed").unwrap();
    assert_eq!((rows.len(), note.count), (3, Some(2)));
}

#[tokio::test(start_paused = true)]
async fn shutdown_writes_all_or_counts_it() {
    let store = Scripted::new(Mode::Works);
    let log = DeliveryLog::builder().store(store.clone()).unwrap();
    for _ in 0..1_000 {
        send_to(&logged(&log), 200, genuine(b"x")).await;
    }
    log.shutdown(SECOND).await.unwrap();
    assert_eq!((log.dropped(), log.queued()), (0, 0));
    assert!(log.shutdown(SECOND).await.is_err() && log.flush().await.is_err());
    assert_eq!(
        send_to(&logged(&log), 200, genuine(b"x")).await,
        200,
        "the answer is the handler's"
    );
    assert_eq!(log.dropped(), 1, "what comes after the end is counted");
    let again = DeliveryLog::builder().store(store).unwrap();
    assert_eq!(rows(&again).await.len(), 1_000);

    for mode in [Mode::Fails, Mode::Hangs] {
        let log = DeliveryLog::builder().store(Scripted::new(mode)).unwrap();
        for _ in 0..5 {
            send_to(&logged(&log), 200, genuine(b"x")).await;
        }
        assert!(within(log.shutdown(SECOND)).await.is_err(), "{mode:?}");
        assert_eq!((log.dropped(), log.queued()), (5, 0), "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_leaves_its_rows_to_the_writer() {
    let store = Scripted::new(Mode::Works);
    let log = DeliveryLog::builder().store(store.clone()).unwrap();
    send_to(&logged(&log), 200, genuine(b"x")).await;
    drop(log);
    tokio::time::sleep(SECOND).await;
    assert!(store.is_alone(), "the writer has ended");
    let again = DeliveryLog::builder().store(store).unwrap();
    assert_eq!(rows(&again).await.len(), 1);
}

#[tokio::test]
async fn many_rows_are_one_write() {
    let store = Scripted::new(Mode::Works);
    let log = DeliveryLog::builder().store(store.clone()).unwrap();
    for _ in 0..500 {
        send_to(&logged(&log), 200, genuine(b"x")).await;
    }
    log.flush().await.unwrap();
    let writes = store.writes.load(Ordering::SeqCst);
    assert!(writes <= 50, "{writes} writes for 500 rows");
}

#[test]
fn a_log_needs_a_runtime() {
    let error: LogError = DeliveryLog::builder().store(MemoryLog::new(1)).unwrap_err();
    assert!(error.to_string().contains("Tokio runtime"));
}

#[test]
fn ids_have_one_spelling() {
    let id = EntryId::first(at(NOW)());
    assert_eq!(id.to_string().parse(), Ok(id));
    let error = id.to_string().to_uppercase().parse::<EntryId>().unwrap_err();
    assert_eq!(error.to_string(), "invalid entry ID: expected a UUID in lower case with hyphens");
    assert!(id < EntryId::first(at(NOW)() + Duration::from_millis(1)));
}
