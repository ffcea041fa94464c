//! Tests of batches and of the limits of the queue.

use bytes::Bytes;

use super::*;
use crate::delivery_log::queue::queue::tests::{draft, entry, settings};

fn names(batch: &[Job]) -> Vec<&str> {
    batch.iter().map(|job| job.draft.entry.url.as_str()).collect()
}

/// Adds rows without a body, which are ready immediately.
fn fill(state: &mut State, name: &str, count: usize, payload: usize) -> Vec<oneshot::Receiver<()>> {
    let push = |_| {
        let mut entry = entry(name);
        entry.payload = Some(vec![b'x'; payload].into());
        let (sender, receiver) = oneshot::channel();
        let written = (name == "urgent").then_some(sender);
        assert!(state.push(Draft::without_body(entry), written, &settings()).is_ok());
        receiver
    };
    (0..count).map(push).collect()
}

#[test]
fn urgent_and_other_rows_alternate_in_batches() {
    let mut state = State::default();
    fill(&mut state, "rest", 20, 100);
    let _waits = fill(&mut state, "urgent", 3, 100);
    assert_eq!(names(&state.take_batch(BATCH)), ["urgent"; 3]);
    assert_eq!(names(&state.take_batch(2)), ["rest"; 2]);
    // The number of urgent rows does not matter.
    for round in 0..18 {
        let _waits = fill(&mut state, "urgent", 700, 0);
        assert_eq!(names(&state.take_batch(BATCH)), ["urgent"; BATCH], "{round}");
        assert_eq!(names(&state.take_batch(1)), ["rest"], "{round}");
    }
    let batch = state.take_batch(BATCH);
    assert!(batch.is_empty(), "all others were taken back: {batch:?}");
}

#[test]
fn batch_between_urgent_ones_has_lower_byte_limit() {
    let payload = 100_000;
    let bytes = |batch: &[Job]| batch.iter().map(|job| job.draft.len()).sum::<usize>();
    let mut state = State::default();
    fill(&mut state, "rest", 200, payload);
    let batch = bytes(&state.take_batch(BATCH));
    assert!(batch <= BATCH_BYTES && batch + 2 * payload > BATCH_BYTES, "{batch}");
    let _waits = fill(&mut state, "urgent", 100, payload);
    let batch = bytes(&state.take_batch(BATCH));
    assert!(batch <= BATCH_BYTES && batch + 2 * payload > BATCH_BYTES, "{batch}");
    let batch = state.take_batch(BATCH);
    assert_eq!(names(&batch), vec!["rest"; batch.len()]);
    let batch = bytes(&batch);
    assert!(batch <= BETWEEN_BYTES && batch + 2 * payload > BETWEEN_BYTES, "{batch}");
    // A single longer row is taken, too.
    let mut state = State::default();
    fill(&mut state, "rest", 2, BATCH_BYTES + 1);
    assert_eq!(state.take_batch(BATCH).len(), 1);
}

#[test]
fn a_batch_that_is_put_back_keeps_its_place() {
    let mut state = State::default();
    let _waits = fill(&mut state, "urgent", 2, 0);
    for name in ["a", "b"] {
        fill(&mut state, name, 1, 0);
    }
    for _ in 0..2 {
        let (urgent, rest) = (state.take_batch(BATCH), state.take_batch(2));
        assert_eq!((names(&urgent), names(&rest)), (vec!["urgent"; 2], vec!["a", "b"]));
        fill(&mut state, "later", 1, 0);
        state.put_back(urgent);
        state.put_back(rest);
    }
    assert_eq!(state.rows(), 6);
}

#[test]
fn bodies_of_strangers_take_a_quarter_at_most() {
    let body = 1_000;
    let settings = Settings { max_queued_bytes: 10_000, ..settings() };
    let stranger = || {
        let mut entry = entry("stranger");
        entry.verified = false;
        Draft::with_body(entry, Bytes::from(vec![b'x'; body]))
    };
    let mut state = State::default();
    let bodies = |state: &mut State, count| {
        let mut push = |_| state.push(stranger(), None, &settings).unwrap().is_some();
        (0..count).filter(|at| push(*at)).count()
    };
    assert_eq!(bodies(&mut state, 5), 2);
    assert_eq!(state.rows(), 5, "the rows are kept");
    // Once a body has been hashed, there is room for another.
    let mut job = state.take_unfinished(Lane::Short).unwrap();
    job.draft.finish(&settings);
    assert!(job.draft.entry.body_sha256.is_some() && job.draft.entry.payload.is_none());
    state.hand_over(job);
    assert_eq!(bodies(&mut state, 5), 1);
    // Verified requests use all the room. An unverified row may find room where its body finds
    // none.
    let mut state = State::default();
    let best_effort = Settings { is_durable: false, ..settings.clone() };
    while state.push(draft("genuine", body), None, &best_effort).is_ok() {}
    assert!(state.push(stranger(), None, &best_effort).unwrap().is_none());

    // A payload that is kept counts until it is written.
    let settings = Settings { stores_rejected_payloads: true, ..settings };
    let mut state = State::default();
    for is_taken in [true, true, false] {
        assert_eq!(state.push(stranger(), None, &settings).unwrap().is_some(), is_taken);
        while let Some(mut job) = state.take_unfinished(Lane::Short) {
            job.draft.finish(&settings);
            state.hand_over(job);
        }
    }
    let batch = state.take_batch(BATCH);
    state.done(&batch);
    assert!(state.push(stranger(), None, &settings).unwrap().is_some());
}

#[test]
fn unverified_rows_leave_room_for_durable_rows() {
    let settings =
        Settings { max_queued_bytes: 100_000, max_queued_rows: 80, is_durable: true, ..settings() };
    let stranger = || {
        let mut entry = entry("stranger");
        entry.verified = false;
        Draft::without_body(entry)
    };
    let urgent = |len: usize| (draft("urgent", len), Some(oneshot::channel().0));
    for len in [0, 5_000] {
        let mut state = State::default();
        while state.push(stranger(), None, &settings).is_ok() {}
        assert_eq!(state.rows(), 40);
        let (draft, written) = urgent(len);
        assert!(state.push(draft, written, &settings).is_ok(), "{len}");
    }
    // The body is longer than the queue, so the row is kept without it.
    let mut state = State::default();
    let (draft, written) = urgent(200_000);
    assert!(state.push(draft, written, &settings).unwrap().is_none());
    assert_eq!(state.rows(), 1);
}
