//! Rounds of rows, which show when all rows that were queued at some time are written, in whatever
//! order.

use std::collections::VecDeque;

use tokio::sync::oneshot;

/// Rounds for all flushes that wait. A round holds the rows between one flush and the next.
#[derive(Default)]
pub(crate) struct Rounds {
    /// Number of the first round in `rounds`.
    first: u64,
    /// All rounds but the last end with a flush.
    rounds: VecDeque<Round>,
}

#[derive(Default)]
struct Round {
    rows: usize,
    flush: Option<oneshot::Sender<()>>,
}

impl Rounds {
    /// Adds a row to the last round, and returns the number of the round.
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

    /// Ends the last round. The receiver completes when no row of this round or an earlier one is
    /// left.
    pub(crate) fn end(&mut self) -> oneshot::Receiver<()> {
        let (flush, receiver) = oneshot::channel();
        if self.rounds.is_empty() {
            self.rounds.push_back(Round::default());
        }
        if let Some(last) = self.rounds.back_mut() {
            last.flush = Some(flush);
        }
        self.rounds.push_back(Round::default());
        self.complete_flushes();
        receiver
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.rounds.len() > 1
    }

    /// Removes a row from its round.
    pub(crate) fn leave(&mut self, round: u64) {
        let at = round.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(round) = at.and_then(|at| self.rounds.get_mut(at)) {
            round.rows = round.rows.saturating_sub(1);
        }
        self.complete_flushes();
    }

    /// Completes the flushes at the front that wait for no row any more.
    fn complete_flushes(&mut self) {
        while let Some(round) = self.rounds.front_mut()
            && round.rows == 0
            && let Some(flush) = round.flush.take()
        {
            // The receiver may be gone.
            let _ = flush.send(());
            self.rounds.pop_front();
            self.first = self.first.saturating_add(1);
        }
    }
}
