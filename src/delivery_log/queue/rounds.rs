//! When all rows have been written that were there at some time, in whatever order they are.

use std::collections::VecDeque;

use tokio::sync::oneshot;

/// Rows between one flush and the next, for all flushes that wait.
#[derive(Default)]
pub(crate) struct Rounds {
    /// The number of the first one in `rounds`.
    first: u64,
    /// All but the last end with a flush.
    rounds: VecDeque<Round>,
}

#[derive(Default)]
struct Round {
    rows: usize,
    flush: Option<oneshot::Sender<()>>,
}

impl Rounds {
    /// Adds a row to the last round, and returns the round's number.
    pub(crate) fn enter(&mut self) -> u64 {
        if self.rounds.is_empty() {
            self.rounds.push_back(Round::default());
        }
        if let Some(last) = self.rounds.back_mut() {
            last.rows += 1;
        }
        let before = self.rounds.len().saturating_sub(1);
        self.first.saturating_add(u64::try_from(before).unwrap_or(u64::MAX))
    }

    /// Ends the last round. The receiver hears when no row of it or of an earlier one is left.
    pub(crate) fn end(&mut self) -> oneshot::Receiver<()> {
        let (flush, receiver) = oneshot::channel();
        if self.rounds.is_empty() {
            self.rounds.push_back(Round::default());
        }
        if let Some(last) = self.rounds.back_mut() {
            last.flush = Some(flush);
        }
        self.rounds.push_back(Round::default());
        self.tell();
        receiver
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.rounds.len() > 1
    }

    /// Takes a row out of its round.
    pub(crate) fn leave(&mut self, round: u64) {
        let at = round.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(round) = at.and_then(|at| self.rounds.get_mut(at)) {
            round.rows = round.rows.saturating_sub(1);
        }
        self.tell();
    }

    fn tell(&mut self) {
        while let Some(round) = self.rounds.front_mut()
            && round.rows == 0
            && let Some(flush) = round.flush.take()
        {
            // Whoever does not wait any more needs no word.
            let _ = flush.send(());
            self.rounds.pop_front();
            self.first = self.first.saturating_add(1);
        }
    }
}
