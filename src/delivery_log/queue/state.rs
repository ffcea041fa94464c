//! The rows of both stages, and what they may take.

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

/// Bytes of one transaction, so that no row waits long for others' payloads.
pub(crate) const BATCH_BYTES: usize = 4 << 20;

/// Bytes of a transaction that urgent rows wait for.
pub(crate) const BETWEEN_BYTES: usize = 1 << 20;

/// Bodies that are not proven genuine take at most this part of the queue's bytes.
const STRANGERS_PART: usize = 4;

/// A row that is not written yet.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) draft: Draft,
    /// There when a request waits for the row, which is urgent then.
    pub(crate) written: Option<oneshot::Sender<()>>,
    /// What it takes of the queue's bytes.
    len: usize,
    /// What it takes of the strangers' part of them.
    strangers: usize,
    round: u64,
}

impl Job {
    /// Its request has been answered with 503 by now, and has its row by that.
    fn is_taken_back(&self) -> bool {
        self.written.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// Bodies that are hashed and masked one after the other. No short one waits for a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Short,
    Long,
}

impl Lane {
    pub(crate) const ALL: [Self; 2] = [Self::Short, Self::Long];

    const LONGEST_SHORT: usize = 64 << 10;

    /// `None` when there is nothing to do about the row.
    fn of(draft: &Draft) -> Option<Self> {
        let len = draft.body_len()?;
        Some(if len <= Self::LONGEST_SHORT { Self::Short } else { Self::Long })
    }
}

#[derive(Default)]
struct Rows {
    /// Requests wait for these.
    urgent: VecDeque<Job>,
    rest: VecDeque<Job>,
}

impl Rows {
    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.rest.is_empty()
    }

    /// Whether it is no use waiting for more.
    fn is_due(&self) -> bool {
        !self.urgent.is_empty() || self.rest.len() >= BATCH
    }

    fn push_back(&mut self, job: Job) {
        let rows = if job.written.is_some() { &mut self.urgent } else { &mut self.rest };
        rows.push_back(job);
    }
}

/// What a stage has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing, now or later.
    Over,
    Nothing,
    /// More rows may come, and be done together with these.
    Some,
    Now,
}

#[derive(Default)]
pub(crate) struct State {
    short: Rows,
    long: Rows,
    /// Finished, or without a body.
    ready: Rows,
    /// The last batch was urgent, and it is the others' turn.
    is_rests_turn: bool,
    /// Of both lanes, and in their hands.
    unfinished: usize,
    /// Of both stages, and in their hands.
    rows: usize,
    bytes: usize,
    strangers: usize,
    rounds: Rounds,
    /// Lost, and not yet said in a note.
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

    /// Takes the row if there is room for it, and says in which lane it is.
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
        // In durable mode deliveries wait for their rows, and strangers must leave room for these.
        let halves = if settings.is_durable && draft.is_strangers() { 1 } else { 2 };
        if !self.has_room(draft.len(), halves, settings) {
            // Of a delivery that waits for its row, and of a stranger's, the row is what counts.
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

    /// Whether the row fits into so many halves of the queue.
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

    /// Counts the bytes that it holds now.
    fn measure(&mut self, job: &mut Job) {
        self.bytes = self.bytes.saturating_sub(job.len);
        self.strangers = self.strangers.saturating_sub(job.strangers);
        job.len = job.draft.len();
        job.strangers = if job.draft.is_strangers() { job.draft.content_len() } else { 0 };
        self.bytes = self.bytes.saturating_add(job.len);
        self.strangers = self.strangers.saturating_add(job.strangers);
    }

    /// Notes are few, and always have room.
    pub(crate) fn push_note(&mut self, entry: Entry) {
        self.add(Draft::note(entry), None);
    }

    pub(crate) fn push_count(&mut self, status: &'static str, count: u64, now: SystemTime) {
        if count > 0 {
            self.push_note(note(status, count, now));
        }
    }

    /// What was kept back or lost since the last note.
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

    /// The receiver hears when all rows that are there now have been written.
    pub(crate) fn flush(&mut self) -> oneshot::Receiver<()> {
        self.rounds.end()
    }

    /// Whether somebody waits for all rows.
    fn is_hurried(&self) -> bool {
        self.is_closed || self.rounds.is_awaited()
    }

    fn lane(&mut self, lane: Lane) -> &mut Rows {
        match lane {
            Lane::Short => &mut self.short,
            Lane::Long => &mut self.long,
        }
    }

    /// What there is to finish.
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

    /// The next row to finish.
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
        // It has been counted as lost.
        if self.is_given_up {
            return;
        }
        self.unfinished = self.unfinished.saturating_sub(1);
        self.measure(&mut job);
        self.ready.push_back(job);
    }

    /// What there is to write.
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

    /// The rows of the next transaction: urgent ones alone, and after each such batch a short one
    /// of the others, which would wait for ever otherwise.
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

    /// There is room again, and a note is written that says what was lost.
    pub(crate) fn done(&mut self, batch: &[Job]) {
        batch.iter().for_each(|job| self.settle(job));
        self.push_lost(SystemTime::now());
    }

    /// The row has been written, or nobody wants it.
    fn settle(&mut self, job: &Job) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(job.len);
        self.strangers = self.strangers.saturating_sub(job.strangers);
        self.rounds.leave(job.round);
    }

    /// Forgets all rows, those in the stages' hands too, and says how many they were.
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

pub(crate) fn note(status: &'static str, count: u64, now: SystemTime) -> Entry {
    let mut entry = Entry::new(EntryId::new(now), status);
    entry.received_at = Some(now);
    entry.count = Some(count);
    entry
}

#[cfg(test)]
mod tests;
