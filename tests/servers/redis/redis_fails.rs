//! Nothing is lost while Redis fails: it is stopped, killed, demoted, and cut off without a word, in
//! the midst of deliveries of which one in ten has a fault of its own.
//!
//! `scripts/nothing-lost` sends 100,000 genuine deliveries and 20,000 forged ones. Without the
//! variable `NOTHING_LOST` it is a hundredth of that.
//!
//! The documentation promises that nothing is handled twice as long as Redis forgets nothing and a
//! success reaches it within the lease. Both hold here: each server writes before it answers, a
//! demoted one hands over all that it has, and no fault lasts as long as the lease. So none may be
//! handled twice, and none is excused.

use std::{
    env,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::block_in_place, time::sleep};

use super::{
    Redis,
    forwarder::Forwarder,
    nothing_lost::{Simulation, Totals},
    process::Process,
};

const LEASE: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_millis(250);

/// How long each failure lasts.
const FAILURE: Duration = Duration::from_millis(1_500);

#[derive(Clone, Copy, Debug)]
enum Failure {
    Stopped,
    Killed,
    Demoted,
    Silent,
}

const FAILURES: [Failure; 4] =
    [Failure::Stopped, Failure::Killed, Failure::Demoted, Failure::Silent];

/// A primary and its replica, and the address of the primary.
struct Pair {
    primary: Redis,
    replica: Redis,
    forwarder: Forwarder,
}

impl Pair {
    async fn start() -> Self {
        let (primary, replica) = (Redis::durable(), Redis::durable());
        replica.follow(&primary).await;
        let forwarder = Forwarder::to(primary.port).await;
        Self { primary, replica, forwarder }
    }

    async fn fail(&mut self, failure: Failure) {
        match failure {
            Failure::Stopped => {
                self.primary.signal("-STOP");
                sleep(FAILURE).await;
                self.primary.signal("-CONT");
            }
            Failure::Killed => {
                block_in_place(|| self.primary.kill());
                sleep(FAILURE).await;
                block_in_place(|| self.primary.start_again());
                // The replica finds it again by itself.
                self.replica.follow(&self.primary).await;
            }
            Failure::Demoted => {
                self.primary.fail_over(&self.replica).await;
                sleep(FAILURE).await;
                self.forwarder.point_at(self.replica.port);
                std::mem::swap(&mut self.primary, &mut self.replica);
                self.replica.until_connected().await;
            }
            Failure::Silent => {
                self.forwarder.fall_silent();
                sleep(FAILURE).await;
                self.forwarder.hear_new_ones();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_lost_while_redis_fails() {
    let genuine = env::var("NOTHING_LOST").map_or(1_000, |number| number.parse().unwrap());
    let forged = genuine / 5;
    // All four at least once, and often in a long run.
    let rounds = (genuine / 20_000).max(1);
    let started = Instant::now();

    let database = Redis::start();
    let steps = rounds * FAILURES.len();
    let mut pair = Pair::start().await;
    let process = Process::start_with(&pair.forwarder.url(), &database, LEASE, LIMIT);
    let (_restart, address) = watch::channel(Some(process.address));
    let simulation = Simulation::new(address, genuine, forged, false);
    let mut senders = simulation.start();
    for (nth, failure) in FAILURES.iter().cycle().take(steps).enumerate() {
        // The last one comes while a tenth is open.
        let left = (genuine + forged) * (10 * steps - 9 * (nth + 1)) / (10 * steps);
        simulation.until(left).await;
        let (before, connections) = (simulation.open(), pair.forwarder.accepted());
        pair.fail(*failure).await;
        // What follows finds a Redis that is well.
        simulation.until(before.saturating_sub(1)).await;
        let made = pair.forwarder.accepted() - connections;
        assert!(made <= 12, "{failure:?}: {made} connections");
    }
    while senders.join_next().await.transpose().unwrap().is_some() {}
    let totals = simulation.totals(&database).await;
    let Totals { calls, faults, told_to_come_again, dispatched, lost, twice, forged_dispatched } =
        totals;
    println!(
        "{genuine} genuine in {calls} calls, {faults} of them with a fault, {told_to_come_again} \
         told to come again, {dispatched} dispatched; {forged} forged, {forged_dispatched} \
         dispatched; Redis failed {steps} times; {lost} lost, {twice} handled twice; {:.0?}",
        started.elapsed()
    );
    assert_eq!((lost, twice, forged_dispatched), (0, 0, 0));
    assert!(faults > genuine / 20 && told_to_come_again > 0, "there were faults");
    process.stop();
}
