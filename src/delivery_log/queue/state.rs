//! Rows of both stages, and their limits.

use std::{collections::VecDeque, mem, time::SystemTime};

use tokio::sync::oneshot;

use crate::{
    delivery_log::{
        entry::Entry,
        id::EntryId,
        queue::{limits::BATCH, rounds::Rounds},
        row::Draft,
        settings::Settings,
    },
    observe::window::Window,
};

/// Maximum bytes of a transaction, so that no row waits long for the payloads of others.
pub(crate) const BATCH_BYTES: usize = 4 << 20;

/// Maximum bytes of a transaction of other rows while urgent rows wait.
pub(crate) const BETWEEN_BYTES: usize = 1 << 20;

/// Divisor of the queue's bytes. Bodies of unverified requests use at most a quarter of them.
const STRANGERS_PART: usize = 4;

/// Row that is not written yet.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) draft: Draft,
    /// Present if a request waits for the row, which makes the row urgent.
    pub(crate) written: Option<oneshot::Sender<()>>,
    /// Bytes of the queue that the row uses.
    len: usize,
    /// Bytes that the row uses of the part for unverified requests.
    strangers: usize,
    round: u64,
}

impl Job {
    /// Returns `true` if the request no longer waits for this row. It has been rejected with 503 by
    /// now, and has another row for that.
    fn is_taken_back(&self) -> bool {
        self.written.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// Lane of bodies that are hashed and masked one after the other. No short body waits for a long
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Short,
    Long,
}

impl Lane {
    pub(crate) const ALL: [Self; 2] = [Self::Short, Self::Long];

    const LONGEST_SHORT: usize = 64 << 10;

    /// Returns the lane of the row, or `None` if there is nothing to finish.
    fn of(draft: &Draft) -> Option<Self> {
        let len = draft.body_len()?;
        Some(if len <= Self::LONGEST_SHORT { Self::Short } else { Self::Long })
    }
}

#[derive(Default)]
struct Rows {
    /// Rows that requests wait for.
    urgent: VecDeque<Job>,
    rest: VecDeque<Job>,
}

impl Rows {
    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.rest.is_empty()
    }

    /// Returns `true` if the rows need not wait for more.
    fn is_due(&self) -> bool {
        !self.urgent.is_empty() || self.rest.len() >= BATCH
    }

    fn push_back(&mut self, job: Job) {
        let rows = if job.written.is_some() { &mut self.urgent } else { &mut self.rest };
        rows.push_back(job);
    }
}

/// Work of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// No work, now or later.
    Over,
    Nothing,
    /// More rows may come, and can be processed together with these.
    Some,
    Now,
}

#[derive(Default)]
pub(crate) struct State {
    short: Rows,
    long: Rows,
    /// Rows that are finished, or have no body.
    ready: Rows,
    /// `true` after an urgent batch: the other rows have their turn.
    is_rests_turn: bool,
    /// Number of rows in both lanes, including the rows in progress.
    unfinished: usize,
    /// Number of rows in both stages, including the rows in progress.
    rows: usize,
    bytes: usize,
    strangers: usize,
    rounds: Rounds,
    /// Number of lost rows that no note has reported yet.
    lost: u64,
    pub(crate) refusals: Window,
    pub(crate) is_closed: bool,
    is_given_up: bool,
}

impl State {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn lose(&mut self, count: u64) {
        self.lost += count;
    }

    /// Adds the row if there is room for it, and returns its lane.
    pub(crate) fn push(
        &mut self,
        mut draft: Draft,
        written: Option<oneshot::Sender<()>>,
        settings: &Settings,
    ) -> Result<Option<Lane>, Draft> {
        if draft.is_strangers() {
            let strangers = self.strangers.saturating_add(draft.body_len().unwrap_or(0));
            if strangers > settings.max_queued_bytes / STRANGERS_PART {
                draft.drop_body();
            }
        }
        // In durable mode, deliveries wait for their rows, so unverified requests must leave room.
        let halves = if settings.is_durable && draft.is_strangers() { 1 } else { 2 };
        if !self.has_room(draft.len(), halves, settings) {
            // The row matters more than its body.
            if written.is_some() || draft.is_strangers() {
                draft.drop_body();
            }
            if !self.has_room(draft.len(), halves, settings) {
                return Err(draft);
            }
        }
        let lane = Lane::of(&draft);
        self.add(draft, written);
        Ok(lane)
    }

    /// Returns `true` if the row fits into this many halves of the queue.
    fn has_room(&self, len: usize, halves: usize, settings: &Settings) -> bool {
        let part = |all: usize| if halves == 2 { all } else { all.div_ceil(2) };
        !self.is_closed
            && self.rows < part(settings.max_queued_rows)
            && self.bytes.saturating_add(len) <= part(settings.max_queued_bytes)
    }

    fn add(&mut self, draft: Draft, written: Option<oneshot::Sender<()>>) {
        let lane = Lane::of(&draft);
        let round = self.rounds.enter();
        let mut job = Job { draft, written, len: 0, strangers: 0, round };
        self.rows += 1;
        self.measure(&mut job);
        if let Some(lane) = lane {
            self.unfinished += 1;
            self.lane(lane).push_back(job);
        } else {
            self.ready.push_back(job);
        }
    }

    /// Updates the counts by the bytes that the row holds now.
    fn measure(&mut self, job: &mut Job) {
        self.bytes = self.bytes.saturating_sub(job.len);
        self.strangers = self.strangers.saturating_sub(job.strangers);
        job.len = job.draft.len();
        job.strangers = if job.draft.is_strangers() { job.draft.content_len() } else { 0 };
        self.bytes = self.bytes.saturating_add(job.len);
        self.strangers = self.strangers.saturating_add(job.strangers);
    }

    /// Adds a note. Notes are few, and always have room.
    pub(crate) fn push_note(&mut self, entry: Entry) {
        self.add(Draft::without_body(entry), None);
    }

    pub(crate) fn push_count(&mut self, status: &'static str, count: u64, now: SystemTime) {
        if count > 0 {
            self.push_note(create_note(status, count, now));
        }
    }

    /// Adds notes with the numbers of rejections suppressed and rows lost since the last notes.
    pub(crate) fn push_notes(&mut self) {
        let now = SystemTime::now();
        let kept_back = self.refusals.flush();
        self.push_count("suppressed", kept_back, now);
        self.push_lost(now);
    }

    fn push_lost(&mut self, now: SystemTime) {
        let lost = mem::take(&mut self.lost);
        self.push_count("dropped", lost, now);
    }

    /// Returns a receiver that completes when all rows that are in the queue now have been written.
    pub(crate) fn flush(&mut self) -> oneshot::Receiver<()> {
        self.rounds.end()
    }

    /// Returns `true` if a caller waits for all rows.
    fn is_hurried(&self) -> bool {
        self.is_closed || self.rounds.is_awaited()
    }

    fn lane(&mut self, lane: Lane) -> &mut Rows {
        match lane {
            Lane::Short => &mut self.short,
            Lane::Long => &mut self.long,
        }
    }

    /// Returns the work of the first stage in this lane.
    pub(crate) fn unfinished(&mut self, lane: Lane) -> Work {
        let is_hurried = self.is_hurried();
        let is_closed = self.is_closed;
        let rows = self.lane(lane);
        match rows.is_empty() {
            true if is_closed => Work::Over,
            true => Work::Nothing,
            false if is_hurried || rows.is_due() => Work::Now,
            false => Work::Some,
        }
    }

    /// Takes the next row to finish.
    pub(crate) fn take_unfinished(&mut self, lane: Lane) -> Option<Job> {
        loop {
            let rows = self.lane(lane);
            let job = rows.urgent.pop_front().or_else(|| rows.rest.pop_front())?;
            if !job.is_taken_back() {
                return Some(job);
            }
            self.unfinished = self.unfinished.saturating_sub(1);
            self.settle(&job);
        }
    }

    /// Takes back a row that has been finished.
    pub(crate) fn hand_over(&mut self, mut job: Job) {
        // The row has been counted as lost.
        if self.is_given_up {
            return;
        }
        self.unfinished = self.unfinished.saturating_sub(1);
        self.measure(&mut job);
        self.ready.push_back(job);
    }

    /// Returns the work of the second stage.
    pub(crate) fn unwritten(&self) -> Work {
        if self.rows == 0 && self.is_closed {
            Work::Over
        } else if self.ready.is_empty() {
            Work::Nothing
        } else if self.ready.is_due() || (self.is_hurried() && self.unfinished == 0) {
            Work::Now
        } else {
            Work::Some
        }
    }

    /// Takes the rows of the next transaction: only urgent rows, and after each batch of them a
    /// short batch of the others, which would wait forever otherwise.
    pub(crate) fn take_batch(&mut self, most: usize) -> Vec<Job> {
        let is_rests_turn = mem::take(&mut self.is_rests_turn) && !self.ready.rest.is_empty();
        if !is_rests_turn {
            let batch = self.take_ready(most, BATCH_BYTES, |ready| &mut ready.urgent);
            if !batch.is_empty() {
                self.is_rests_turn = true;
                return batch;
            }
        }
        let bytes = if self.ready.urgent.is_empty() { BATCH_BYTES } else { BETWEEN_BYTES };
        self.take_ready(most, bytes, |ready| &mut ready.rest)
    }

    fn take_ready(
        &mut self,
        most: usize,
        most_bytes: usize,
        rows: impl Fn(&mut Rows) -> &mut VecDeque<Job>,
    ) -> Vec<Job> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < most {
            let Some(job) = rows(&mut self.ready).pop_front() else { break };
            if job.is_taken_back() {
                self.settle(&job);
            } else if batch.is_empty() || bytes + job.len <= most_bytes {
                bytes += job.len;
                batch.push(job);
            } else {
                rows(&mut self.ready).push_front(job);
                break;
            }
        }
        batch
    }

    pub(crate) fn put_back(&mut self, batch: Vec<Job>) {
        for job in batch.into_iter().rev() {
            let is_urgent = job.written.is_some();
            let rows = if is_urgent { &mut self.ready.urgent } else { &mut self.ready.rest };
            rows.push_front(job);
        }
    }

    /// Removes the written rows. Now that there is room again, adds a note with the number of lost
    /// rows.
    pub(crate) fn done(&mut self, batch: &[Job]) {
        batch.iter().for_each(|job| self.settle(job));
        self.push_lost(SystemTime::now());
    }

    /// Removes a row that has been written, or that no request waits for any more, from the counts.
    fn settle(&mut self, job: &Job) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(job.len);
        self.strangers = self.strangers.saturating_sub(job.strangers);
        self.rounds.leave(job.round);
    }

    /// Discards all rows, including those that a stage works on, and returns their number.
    pub(crate) fn give_up(&mut self) -> usize {
        self.is_given_up = true;
        self.short = Rows::default();
        self.long = Rows::default();
        self.ready = Rows::default();
        self.rounds = Rounds::default();
        (self.unfinished, self.bytes, self.strangers) = (0, 0, 0);
        mem::take(&mut self.rows)
    }
}

pub(crate) fn create_note(status: &'static str, count: u64, now: SystemTime) -> Entry {
    let mut entry = Entry::new(EntryId::new(now), status);
    entry.received_at = Some(now);
    entry.count = Some(count);
    entry
}

#[cfg(test)]
mod tests;
