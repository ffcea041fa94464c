//! The accounts: which deliveries had an effect, and what explains a second one.

use std::collections::{BTreeMap, HashMap, HashSet};

/// Number of all forged deliveries, which have no account.
pub(super) const FORGED: u32 = u32::MAX;

/// Documented limit that explains a second effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Excuse {
    /// The process ended between the effect and the commit.
    ProcessEnded,
    /// The handler was dropped between its effect and its response, by its time limit or because the
    /// sender had gone.
    HandlerInterrupted,
    /// A failover lost the claim or the commit.
    WriteLost,
    /// The store was unreachable until the lease had expired.
    NotStored,
    /// The handler outlived its lease.
    LeaseOutlived,
}

/// Claim that the store granted, until its commit or its release is executed.
struct Grant {
    token: u64,
    process: u32,
    lease_ends: u64,
    work: Work,
    had_effect: bool,
    process_ended: bool,
    was_dropped: bool,
    was_released: bool,
    /// Set once a commit was not answered in time, and continues in the background.
    commit_is_late: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// The reply to the claim is on its way, or was lost.
    Granted,
    Running,
    Ended,
}

impl Grant {
    /// Returns `true` if this grant has had its effect, or may still have it.
    fn counts(&self, now: u64) -> bool {
        // A claim is answered within its time limit or never, so it cannot start after its lease.
        let may_start = self.work == Work::Granted && now < self.lease_ends && !self.process_ended;
        self.had_effect || self.work == Work::Running || may_start
    }

    fn excuse(&self, now: u64) -> Option<Excuse> {
        let is_over = now >= self.lease_ends;
        if self.process_ended && is_over && !self.was_released {
            Some(Excuse::ProcessEnded)
        } else if self.was_dropped && self.had_effect && (self.was_released || is_over) {
            Some(Excuse::HandlerInterrupted)
        } else if is_over && self.work == Work::Running {
            Some(Excuse::LeaseOutlived)
        } else if is_over && self.commit_is_late {
            Some(Excuse::NotStored)
        } else {
            None
        }
    }
}

#[derive(Default)]
pub(super) struct Ledger {
    /// Number of effects of each delivery.
    effects: Vec<u8>,
    /// Effects if the handler inserts the event's ID under a unique key.
    unique_effects: Vec<u8>,
    acknowledged: Vec<bool>,
    grants: HashMap<u32, Vec<Grant>>,
    /// Deliveries that have lost a claim or a commit in a failover, and have no commit since.
    lost_writes: HashSet<u32>,
    /// Excuses of deliveries that were granted once more, and have not had the effect yet.
    excuses: HashMap<u32, Vec<Excuse>>,
    pub(super) explained: BTreeMap<Excuse, u64>,
    /// Second effects, and grants beside another one, that nothing explains.
    pub(super) violations: Vec<String>,
    pub(super) violation_count: u64,
    pub(super) twice: u64,
    pub(super) forged_dispatched: u64,
    pub(super) dispatched: u64,
    pub(super) gave_up: u64,
}

impl Ledger {
    /// Opens the account of the next delivery, and returns its number.
    pub(super) fn open(&mut self) -> u32 {
        self.effects.push(0);
        self.unique_effects.push(0);
        self.acknowledged.push(false);
        u32::try_from(self.effects.len() - 1).unwrap()
    }

    pub(super) fn len(&self) -> u64 {
        self.effects.len() as u64
    }

    fn violation(&mut self, what: String) {
        self.violation_count += 1;
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    fn effects_of(&self, delivery: u32) -> u8 {
        self.effects[delivery as usize]
    }

    /// Records that the store has granted a claim.
    ///
    /// If an earlier grant has had its effect or may still have it, there must be evidence of a
    /// documented limit **now**: a limit that is reached later explains nothing.
    pub(super) fn granted(
        &mut self,
        delivery: u32,
        token: u64,
        process: u32,
        now: u64,
        lease_ends: u64,
    ) {
        if delivery == FORGED {
            return;
        }
        // It is lost until a commit is stored: the handler of this grant may fail.
        let is_lost = self.lost_writes.contains(&delivery);
        let effects = self.effects_of(delivery);
        let grants = self.grants.entry(delivery).or_default();
        grants.retain(|grant| grant.counts(now));
        let excuse = if is_lost {
            Some(Excuse::WriteLost)
        } else {
            grants.iter().find_map(|grant| grant.excuse(now))
        };
        let is_beside = !grants.is_empty() || effects > 0;
        grants.push(Grant {
            token,
            process,
            lease_ends,
            work: Work::Granted,
            had_effect: false,
            process_ended: false,
            was_dropped: false,
            was_released: false,
            commit_is_late: false,
        });
        match excuse {
            Some(excuse) if is_beside => self.excuses.entry(delivery).or_default().push(excuse),
            None if is_beside => {
                self.violation(format!("{delivery} granted again at {now} ms, {effects} effects"));
            }
            _ => {}
        }
    }

    fn grant(&mut self, delivery: u32, token: u64) -> Option<&mut Grant> {
        self.grants.get_mut(&delivery)?.iter_mut().find(|grant| grant.token == token)
    }

    pub(super) fn started(&mut self, delivery: u32, token: u64) {
        self.dispatched += 1;
        if let Some(grant) = self.grant(delivery, token) {
            grant.work = Work::Running;
        }
    }

    /// Records the handler's effect.
    pub(super) fn had_effect(&mut self, delivery: u32, token: u64, now: u64) {
        let effects = &mut self.effects[delivery as usize];
        *effects = effects.saturating_add(1);
        let is_second = *effects > 1;
        // `insert … on conflict do nothing`
        let unique = &mut self.unique_effects[delivery as usize];
        *unique += u8::from(*unique == 0);
        if let Some(grant) = self.grant(delivery, token) {
            grant.had_effect = true;
        }
        if is_second {
            self.twice += 1;
            match self.excuses.get_mut(&delivery).and_then(Vec::pop) {
                Some(excuse) => *self.explained.entry(excuse).or_default() += 1,
                None => self.violation(format!("{delivery} handled again at {now} ms")),
            }
        }
    }

    /// Records that the handler has responded, or was dropped before.
    pub(super) fn ended(&mut self, delivery: u32, token: u64, was_dropped: bool) {
        if let Some(grant) = self.grant(delivery, token) {
            grant.work = Work::Ended;
            grant.was_dropped = was_dropped;
        }
    }

    /// Records that the store has executed a commit.
    pub(super) fn committed(&mut self, delivery: u32, token: u64) {
        self.lost_writes.remove(&delivery);
        if let Some(grants) = self.grants.get_mut(&delivery) {
            // From now on, a grant needs another explanation than those before.
            grants.retain(|grant| grant.token != token && grant.work != Work::Ended);
            if grants.is_empty() {
                self.grants.remove(&delivery);
            }
        }
    }

    pub(super) fn commit_is_late(&mut self, delivery: u32, token: u64) {
        if let Some(grant) = self.grant(delivery, token) {
            grant.commit_is_late = true;
        }
    }

    /// Records that the store has executed a release.
    pub(super) fn released(&mut self, delivery: u32, token: u64) {
        if let Some(grants) = self.grants.get_mut(&delivery) {
            for grant in grants.iter_mut().filter(|grant| grant.token == token) {
                grant.was_released = true;
            }
            // A release of a handler that still runs is no end of it.
            grants.retain(|it| !it.was_released || it.had_effect || it.work == Work::Running);
            if grants.is_empty() {
                self.grants.remove(&delivery);
            }
        }
    }

    /// Records that a failover has lost a claim or a commit.
    pub(super) fn write_lost(&mut self, delivery: u32) {
        self.lost_writes.insert(delivery);
    }

    pub(super) fn process_ended(&mut self, process: u32) {
        for grant in self.grants.values_mut().flatten().filter(|grant| grant.process == process) {
            grant.process_ended = true;
        }
    }

    /// Records that the sender has seen a 2xx response.
    pub(super) fn acknowledged(&mut self, delivery: u32) {
        self.acknowledged[delivery as usize] = true;
    }

    pub(super) fn is_acknowledged(&self, delivery: usize) -> bool {
        self.acknowledged[delivery]
    }

    /// Returns the number of deliveries whose sender has given up, or that have had no effect.
    pub(super) fn lost(&self) -> u64 {
        let all = self.acknowledged.iter().zip(&self.effects).zip(&self.unique_effects);
        all.filter(|((acknowledged, effects), unique)| {
            !**acknowledged || **effects == 0 || **unique == 0
        })
        .count() as u64
    }

    /// Returns the number of second effects with a unique key.
    pub(super) fn twice_with_unique_key(&self) -> u64 {
        self.unique_effects.iter().map(|effects| u64::from(effects.saturating_sub(1))).sum()
    }
}
