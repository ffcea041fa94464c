//! A Redis Cluster: shards that fail, and replicas that lag behind.

use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::Notify;

use super::shared::{Sabotage, Shared};

/// Longest time by which a replica lags behind.
pub(super) const LONGEST_LAG: u64 = 100;

/// One command on one key, as `RedisStore` sends it.
#[derive(Clone, Copy)]
pub(super) struct Command {
    pub(super) key: u128,
    pub(super) token: u64,
    pub(super) action: Action,
    pub(super) delivery: u32,
    pub(super) process: u32,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Action {
    /// `SET key token NX PX lease GET`
    Claim { lease: u64 },
    /// `SET key handled PX retention GET`
    Commit { retention: u64 },
    /// Deletes the key if it holds the token.
    Release,
}

#[derive(Clone, Copy)]
struct Value {
    /// `None` for a delivery that has been handled.
    owner: Option<u64>,
    expires: u64,
}

/// Value of the key before the command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Before {
    Nothing,
    Handled,
    Claimed(u64),
}

/// The connection was refused, or the server accepts no commands.
#[derive(Debug)]
pub(super) struct Refused;

#[derive(Default)]
pub(super) struct Shard {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    keys: HashMap<u128, Value>,
    /// Writes that the replica may not have yet.
    tail: VecDeque<Write>,
    /// Number of faults that refuse commands now.
    refusals: u32,
    /// Number of faults that stop the server now.
    stops: u32,
    /// End of the last fault.
    well_since: u64,
}

/// A write, and what it has overwritten.
struct Write {
    at: u64,
    command: Command,
    before: Option<Value>,
}

pub(super) struct Cluster {
    shards: Vec<Shard>,
}

/// State of a shard while a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    Refuses,
    /// Commands are executed when the server continues, but nobody waits for them.
    Stopped,
}

impl Cluster {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards: (0..shards).map(|_| Shard::default()).collect() }
    }

    pub(super) fn shard_of(&self, key: u128) -> usize {
        usize::try_from(key % self.shards.len() as u128).unwrap()
    }

    pub(super) const fn len(&self) -> usize {
        self.shards.len()
    }

    fn state(&self, shard: usize) -> MutexGuard<'_, State> {
        self.shards[shard].state.lock().unwrap()
    }

    /// Executes a command that has arrived, once the server does.
    pub(super) async fn arrive(
        &self,
        command: &Command,
        shared: &Arc<Shared>,
    ) -> Result<Before, Refused> {
        let shard = self.shard_of(command.key);
        loop {
            let mut changed = pin!(self.shards[shard].changed.notified());
            changed.as_mut().enable();
            {
                let mut state = self.state(shard);
                if state.refusals > 0 {
                    return Err(Refused);
                }
                if state.stops == 0 {
                    return Ok(state.execute(command, shared));
                }
            }
            changed.await;
        }
    }

    /// Returns the end of the shard's last fault.
    pub(super) fn well_since(&self, shard: usize) -> u64 {
        self.state(shard).well_since
    }

    pub(super) fn begin(&self, shard: usize, fault: Fault) {
        let mut state = self.state(shard);
        match fault {
            Fault::Refuses => state.refusals += 1,
            Fault::Stopped => state.stops += 1,
        }
        drop(state);
        self.shards[shard].changed.notify_waiters();
    }

    pub(super) fn end(&self, shard: usize, fault: Fault, now: u64) {
        let mut state = self.state(shard);
        match fault {
            Fault::Refuses => state.refusals -= 1,
            Fault::Stopped => state.stops -= 1,
        }
        if state.refusals + state.stops == 0 {
            state.well_since = now;
        }
        drop(state);
        self.shards[shard].changed.notify_waiters();
    }

    /// Replaces the primary by its replica, which lacks the writes of this time.
    pub(super) fn fail_over(&self, shard: usize, lag: u64, shared: &Arc<Shared>) -> u64 {
        let mut state = self.state(shard);
        let now = shared.now();
        let mut lost = 0;
        while state.tail.back().is_some_and(|write| write.at + lag > now) {
            let Some(write) = state.tail.pop_back() else { break };
            match write.before {
                Some(value) => state.keys.insert(write.command.key, value),
                None => state.keys.remove(&write.command.key),
            };
            lost += 1;
            if write.command.action != Action::Release {
                shared.ledger().write_lost(write.command.delivery);
            }
        }
        lost
    }
}

impl State {
    fn execute(&mut self, command: &Command, shared: &Arc<Shared>) -> Before {
        let now = shared.now();
        let found = self.keys.get(&command.key).copied().filter(|value| value.expires > now);
        let before = match found {
            None => Before::Nothing,
            Some(Value { owner: None, .. }) => Before::Handled,
            Some(Value { owner: Some(token), .. }) => Before::Claimed(token),
        };
        let sabotage = shared.settings.sabotage;
        match command.action {
            Action::Claim { lease } => {
                let is_free = before == Before::Nothing
                    || sabotage == Some(Sabotage::IgnoresClaims) && before != Before::Handled;
                if !is_free {
                    return before;
                }
                let expires = now + lease;
                self.write(
                    command,
                    found,
                    Some(Value { owner: Some(command.token), expires }),
                    now,
                );
                let mut ledger = shared.ledger();
                ledger.granted(command.delivery, command.token, command.process, now, expires);
                drop(ledger);
                Before::Nothing
            }
            Action::Commit { retention } => {
                if shared.settings.forgets(command.token) {
                    return before;
                }
                let value = Value { owner: None, expires: now + retention };
                self.write(command, found, Some(value), now);
                shared.ledger().committed(command.delivery, command.token);
                before
            }
            Action::Release => {
                let is_own = before == Before::Claimed(command.token);
                if is_own || sabotage == Some(Sabotage::ReleasesOthers) {
                    self.write(command, found, None, now);
                    shared.ledger().released(command.delivery, command.token);
                }
                before
            }
        }
    }

    fn write(&mut self, command: &Command, before: Option<Value>, after: Option<Value>, now: u64) {
        match after {
            Some(value) => self.keys.insert(command.key, value),
            None => self.keys.remove(&command.key),
        };
        while self.tail.front().is_some_and(|write| write.at + LONGEST_LAG < now) {
            self.tail.pop_front();
        }
        self.tail.push_back(Write { at: now, command: *command, before });
    }
}
