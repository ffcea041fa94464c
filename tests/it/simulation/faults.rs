//! Faults of nodes, shards and networks, at random times.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{
    chance::{Random, Stream},
    cluster::{Fault, LONGEST_LAG},
    world::World,
};

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The process is killed, and the balancer notices it after a second.
    Killed,
    /// The node leaves the balancer, ends its requests, and starts again.
    Restarted,
    ShardDown,
    ShardStopped,
    /// The primary crashes, and its replica takes over without its last writes.
    FailedOver,
    CommandsLost,
    RepliesLost,
    Slow,
    /// A clock is ahead by 30 minutes.
    ClockJumped,
    LogDown,
    /// A shard is down for longer than a success is retried in the background.
    ShardDownForLong,
}

/// In this order.
const KINDS: [Kind; 10] = [
    Kind::FailedOver,
    Kind::Killed,
    Kind::ShardStopped,
    Kind::Restarted,
    Kind::RepliesLost,
    Kind::ShardDown,
    Kind::CommandsLost,
    Kind::Slow,
    Kind::ClockJumped,
    Kind::LogDown,
];

const SHORTEST: u64 = 300;
const LONGEST: u64 = 5_000;

/// Time of a shard that is down for long. The background retry ends after a minute.
const LONG: u64 = 90_000;

const HALF_AN_HOUR: i64 = 30 * 60 * 1_000;

/// Spreads the faults over the time in which deliveries arrive.
pub(super) fn start(world: &Arc<World>) {
    let settings = &world.shared.settings;
    for nth in 0..settings.faults {
        let mut random = Random::new(settings.seed, Stream::Faults, nth, 0);
        let kind = match KINDS[nth as usize % KINDS.len()] {
            _ if nth % settings.long_one_in == settings.long_one_in / 2 => Kind::ShardDownForLong,
            Kind::LogDown if !settings.has_log => Kind::Restarted,
            kind => kind,
        };
        // One of each kind at least in each stretch of the run.
        let part = settings.arrivals / u64::from(settings.faults);
        let at = u64::from(nth) * part + random.below(part);
        let world = Arc::clone(world);
        tokio::spawn(async move {
            world.shared.until(at).await;
            let name = kind.name();
            *world.shared.counts().faults.entry(name).or_default() += 1;
            happen(&world, kind, random).await;
        });
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "process killed",
            Self::Restarted => "process restarted",
            Self::ShardDown => "shard down",
            Self::ShardStopped => "shard stopped",
            Self::FailedOver => "shard failed over",
            Self::CommandsLost => "commands lost",
            Self::RepliesLost => "replies lost",
            Self::Slow => "network slow",
            Self::ClockJumped => "clock jumped",
            Self::LogDown => "log down",
            Self::ShardDownForLong => "shard down for long",
        }
    }
}

async fn happen(world: &World, kind: Kind, mut random: Random) {
    let shared = &world.shared;
    let time = random.between(SHORTEST, LONGEST);
    let shard = random.index(shared.cluster.len());
    let node = random.index(world.nodes.len());
    let wait = |time| shared.until(shared.now() + time);
    match kind {
        Kind::Killed => killed(world, node, time).await,
        Kind::Restarted => restarted(world, node, time).await,
        Kind::ShardDown | Kind::ShardDownForLong | Kind::ShardStopped => {
            let fault =
                if matches!(kind, Kind::ShardStopped) { Fault::Stopped } else { Fault::Refuses };
            shared.cluster.begin(shard, fault);
            wait(if matches!(kind, Kind::ShardDownForLong) { LONG } else { time }).await;
            shared.cluster.end(shard, fault, shared.now());
        }
        Kind::FailedOver => {
            let lost = shared.cluster.fail_over(shard, random.between(1, LONGEST_LAG), shared);
            shared.counts().writes_lost += lost;
            shared.cluster.begin(shard, Fault::Refuses);
            wait(time).await;
            shared.cluster.end(shard, Fault::Refuses, shared.now());
        }
        Kind::CommandsLost | Kind::RepliesLost | Kind::Slow => {
            let network = |node: usize| {
                let network = &world.nodes[node].network;
                match kind {
                    Kind::CommandsLost => &network.loses_commands,
                    Kind::RepliesLost => &network.loses_replies,
                    _ => &network.is_slow,
                }
            };
            // A rack: an eighth of the nodes.
            let rack =
                (0..world.nodes.len().div_ceil(8)).map(|nth| (node + nth) % world.nodes.len());
            let faults: Vec<&AtomicU32> = rack.clone().map(network).collect();
            faults.iter().for_each(|fault| _ = fault.fetch_add(1, Ordering::Relaxed));
            wait(time).await;
            faults.iter().for_each(|fault| _ = fault.fetch_sub(1, Ordering::Relaxed));
            for nth in rack {
                world.nodes[nth].network.well_since.store(shared.now(), Ordering::Relaxed);
            }
        }
        Kind::ClockJumped => {
            let clock = &world.nodes[node].clock;
            clock.fetch_add(HALF_AN_HOUR, Ordering::Relaxed);
            wait(time).await;
            clock.fetch_sub(HALF_AN_HOUR, Ordering::Relaxed);
        }
        Kind::LogDown => {
            shared.rows.refusals.fetch_add(1, Ordering::Relaxed);
            wait(time.min(2_000)).await;
            shared.rows.refusals.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

async fn killed(world: &World, node: usize, time: u64) {
    let (shared, node) = (&world.shared, &world.nodes[node]);
    node.process().kill();
    // Until then, requests go to a process that does not exist.
    shared.until(shared.now() + 1_000).await;
    let is_listed = node.is_listed.swap(false, Ordering::Relaxed);
    shared.until(shared.now() + time).await;
    node.start(shared, world.next_process());
    node.is_listed.store(is_listed, Ordering::Relaxed);
}

async fn restarted(world: &World, node: usize, time: u64) {
    let (shared, node) = (&world.shared, &world.nodes[node]);
    let is_listed = node.is_listed.swap(false, Ordering::Relaxed);
    let process = node.process();
    process.drained().await;
    process.kill();
    shared.until(shared.now() + time).await;
    node.start(shared, world.next_process());
    node.is_listed.store(is_listed, Ordering::Relaxed);
}
