//! Report of a simulation.

use std::{collections::BTreeMap, fmt};

use super::{ledger::Excuse, shared::Shared};

/// Numbers that are counted while the simulation runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) attempts: u64,
    pub(super) unavailable: u64,
    pub(super) unreachable: u64,
    pub(super) hung_up: u64,
    pub(super) timed_out: u64,
    pub(super) responses_lost: u64,
    pub(super) sent_twice: u64,
    pub(super) repeated: u64,
    pub(super) forged: u64,
    pub(super) forged_accepted: u64,
    pub(super) handlers_failed: u64,
    pub(super) handlers_panicked: u64,
    pub(super) handlers_hung: u64,
    pub(super) commits_given_up: u64,
    pub(super) writes_lost: u64,
    pub(super) max_in_flight: u64,
    pub(super) faults: BTreeMap<&'static str, u64>,
    /// Time from the end of a fault until a shard answers a process again that saw the fault.
    pub(super) recovery: Histogram,
    /// Time of a response with 2xx, by the handler or by the guard.
    pub(super) response: Histogram,
    /// Time from the first attempt to the 2xx response.
    pub(super) acceptance: Histogram,
}

/// Number of times by milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    pub(super) fn add(&mut self, millis: u64) {
        *self.0.entry(millis).or_default() += 1;
    }

    fn len(&self) -> u64 {
        self.0.values().sum()
    }

    pub(super) fn longest(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(millis, _)| *millis)
    }

    /// Returns the time that so many of a thousand do not exceed.
    fn per_mille(&self, share: u64) -> u64 {
        let mut left = (self.len() * share).div_ceil(1_000);
        for (millis, count) in &self.0 {
            left = left.saturating_sub(*count);
            if left == 0 {
                return *millis;
            }
        }
        0
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, nearly_all] = [500, 990, 999].map(|share| self.per_mille(share));
        write!(f, "p50 {half} ms, p99 {most} ms, p99.9 {nearly_all} ms")
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) deliveries: u64,
    pub(super) dispatched: u64,
    /// Genuine deliveries whose sender gave up, or that had no effect.
    pub(super) lost: u64,
    pub(super) gave_up: u64,
    /// Effects beyond the first one of a delivery.
    pub(super) twice: u64,
    pub(super) explained: BTreeMap<Excuse, u64>,
    /// Second effects, and grants beside another one, that no documented limit explains.
    pub(super) violations: u64,
    pub(super) samples: Vec<String>,
    pub(super) twice_with_unique_key: u64,
    pub(super) forged_dispatched: u64,
    /// Deliveries that were dispatched or acknowledged without a row in the delivery log.
    pub(super) without_row: u64,
    pub(super) counts: Counts,
    /// Virtual time until the last delivery was settled.
    pub(super) seconds: u64,
}

impl Report {
    pub(super) fn new(shared: &Shared) -> Self {
        let ledger = shared.ledger();
        let without_row = if shared.settings.has_log { shared.rows.missing(&ledger) } else { 0 };
        Self {
            seed: shared.settings.seed,
            deliveries: ledger.len(),
            dispatched: ledger.dispatched,
            lost: ledger.lost(),
            gave_up: ledger.gave_up,
            twice: ledger.twice,
            explained: ledger.explained.clone(),
            violations: ledger.violation_count,
            samples: ledger.violations.clone(),
            twice_with_unique_key: ledger.twice_with_unique_key(),
            forged_dispatched: ledger.forged_dispatched,
            without_row,
            counts: shared.counts().clone(),
            seconds: shared.now() / 1_000,
        }
    }

    /// Asserts the promises of the documentation.
    pub(super) fn assert_promises(&self) {
        assert_eq!(self.violations, 0, "{:#?}", self.samples);
        assert_eq!(self.explained.values().sum::<u64>(), self.twice);
        assert_eq!(self.lost, 0, "{} senders gave up", self.gave_up);
        assert_eq!(self.twice_with_unique_key, 0);
        assert_eq!((self.forged_dispatched, self.counts.forged_accepted), (0, 0));
        assert_eq!(self.without_row, 0);
        assert_eq!(self.explained.get(&Excuse::LeaseOutlived), None, "handlers have a time limit");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "seed {}: {} deliveries, settled in {} virtual seconds",
            self.seed, self.deliveries, self.seconds
        )?;
        writeln!(
            f,
            "lost {}, handled twice {} (explained: {:?}; violations: {}), twice with a unique key {}, \
             forged dispatched {}, without a row {}",
            self.lost,
            self.twice,
            self.explained,
            self.violations,
            self.twice_with_unique_key,
            self.forged_dispatched,
            self.without_row
        )?;
        writeln!(
            f,
            "{} attempts, {} dispatched; {} answered 503, {} unreachable, {} timed out, {} hung up, {} responses \
             lost, {} sent to two nodes, {} repeated after a success; {} forged; at most {} in flight",
            counts.attempts,
            self.dispatched,
            counts.unavailable,
            counts.unreachable,
            counts.timed_out,
            counts.hung_up,
            counts.responses_lost,
            counts.sent_twice,
            counts.repeated,
            counts.forged,
            counts.max_in_flight
        )?;
        writeln!(
            f,
            "faults: {:?}; {} handlers failed, {} panicked, {} hung; {} writes lost in \
             failovers, {} commits given up",
            counts.faults,
            counts.handlers_failed,
            counts.handlers_panicked,
            counts.handlers_hung,
            counts.writes_lost,
            counts.commits_given_up
        )?;
        writeln!(f, "accepted attempts: {}", counts.response)?;
        writeln!(f, "until accepted: {}", counts.acceptance)?;
        let recovery = &counts.recovery;
        write!(
            f,
            "answered again after a fault: {recovery}, at most {} ms, {} times",
            recovery.longest(),
            recovery.len()
        )
    }
}
