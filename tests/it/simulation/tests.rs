//! Runs of the simulation.

use std::{env, time::Instant};

use super::{
    faults,
    ledger::Excuse,
    report::Report,
    shared::{Sabotage, Settings, Shared},
    world::World,
};

fn settings() -> Settings {
    let seed = env::var("SIMULATION_SEED").map_or(1, |seed| seed.parse().unwrap());
    Settings {
        seed,
        arrivals: 2_000,
        rate: 10_000,
        nodes: 40,
        shards: 16,
        faults: 10,
        long_one_in: 80,
        repeats: 100,
        hang_ups: 2_000,
        has_log: false,
        sabotage: None,
    }
}

/// As long as `scripts/simulation` says, with a fault in each 750 milliseconds.
fn long(settings: Settings) -> Settings {
    let Ok(seconds) = env::var("SIMULATION") else { return settings };
    let arrivals = 1_000 * seconds.parse::<u64>().unwrap();
    Settings { arrivals, faults: u32::try_from(arrivals / 750).unwrap(), ..settings }
}

fn small() -> Settings {
    Settings { rate: 1_000, nodes: 8, shards: 4, ..settings() }
}

fn run(settings: Settings) -> Report {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let report = runtime.block_on(async {
        let shared = Shared::new(settings);
        let world = World::new(&shared);
        faults::start(&world);
        world.send_all().await;
        // Whatever settles in the background ends within a minute.
        shared.until(shared.now() + 120_000).await;
        Report::new(&shared)
    });
    println!("{report}\n{:.1?} in real time", started.elapsed());
    report
}

#[test]
fn ten_thousand_deliveries_a_second() {
    let report = run(long(settings()));
    report.assert_promises();
    assert!(report.deliveries > 19_000 && report.counts.faults.len() >= 9, "{report}");
}

#[test]
fn with_a_durable_log() {
    run(long(Settings { has_log: true, rate: 2_000, ..small() })).assert_promises();
}

#[test]
fn the_same_seed_gives_the_same_report() {
    assert_eq!(run(small()), run(small()));
    assert_ne!(run(small()), run(Settings { seed: 2, ..small() }));
}

#[test]
fn each_limit_is_reached() {
    let settings =
        Settings { arrivals: 10_000, faults: 50, long_one_in: 12, repeats: 1, ..small() };
    let report = run(Settings { shards: 32, nodes: 16, hang_ups: 50, ..settings });
    report.assert_promises();
    let limits =
        [Excuse::ProcessEnded, Excuse::HandlerInterrupted, Excuse::WriteLost, Excuse::NotStored];
    assert!(limits.iter().all(|limit| report.explained.contains_key(limit)), "{report}");
}

#[test]
fn commits_that_are_forgotten_are_found() {
    let sabotage = Some(Sabotage::ForgetsCommits(20));
    let report = run(Settings { sabotage, repeats: 5, faults: 0, ..small() });
    assert!(report.violations > 0 && report.twice > 0, "{report}");
}

#[test]
fn claims_granted_beside_others_are_found() {
    let report = run(Settings { sabotage: Some(Sabotage::IgnoresClaims), faults: 0, ..small() });
    assert!(report.violations > 0, "{report}");
}

#[test]
fn releases_of_other_owners_are_found() {
    let sabotage = Some(Sabotage::ReleasesOthers);
    let report = run(Settings { sabotage, arrivals: 4_000, faults: 80, repeats: 1, ..small() });
    assert!(report.violations > 0, "{report}");
}

#[test]
fn deliveries_that_a_balancer_swallows_are_lost() {
    let report = run(Settings { sabotage: Some(Sabotage::Swallows(100)), faults: 0, ..small() });
    assert_eq!(report.lost, report.deliveries.div_ceil(100));
}

#[test]
fn forgeries_with_the_right_secret_are_counted() {
    let report = run(Settings { sabotage: Some(Sabotage::SecretKnown), faults: 0, ..small() });
    assert_eq!(report.forged_dispatched, report.counts.forged);
}
