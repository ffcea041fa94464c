//! Costs of the layer beside its baselines: time as ratios in the same run, and allocations.
//!
//! `cargo bench --bench layer`. The cases of one size run by turns, so that a busy machine slows all
//! of them, and the ratios of each round are compared. One binary varies by some 3 % from start to
//! start: `scripts/performance` takes the median of several, and measures the rest of
//! `docs/performance.md`.
#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

mod support;

use self::support::{Case, Rounds, cases, many_rounds};

/// Runs the cases and prints their times, and their allocations above those of one of them.
fn measure(title: &str, cases: Vec<Case>, nanoseconds: usize, least: Option<&str>) -> Rounds {
    // `cargo test --benches` and the like only want to know that it runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (count, repeats) = if is_test { (1, 1) } else { (101, (400_000 / nanoseconds).max(1)) };
    let rounds = many_rounds(cases, count, repeats);
    println!("\n{title:32} {:>10} {:>12}", "ns", "allocations");
    for (name, series) in rounds.series() {
        let allocations = least.map_or(0, |least| rounds.get(least).allocations);
        let above = series.allocations.saturating_sub(allocations);
        println!("  {name:30} {:>10.0} {above:>12}", series.time().median);
    }
    rounds
}

fn compare(rounds: &Rounds, case: &str, baselines: &[&str]) {
    for baseline in baselines {
        println!("  {case} / {baseline:20} {:.3}", rounds.ratio(case, &[baseline]));
    }
}

fn main() {
    for (size, title) in [(256, "256 B"), (1 << 10, "1 KiB"), (16 << 10, "16 KiB")] {
        let title = format!("tower, {title}");
        let rounds = measure(&title, cases::tower(size), 400 + size, Some("no layer"));
        compare(&rounds, "layer", &["by hand", "reference, a mark"]);
    }
    let rounds = measure("axum, 1 KiB", cases::axum(1 << 10), 3000, Some("no layer"));
    compare(&rounds, "layer", &["by hand", "reference, a mark"]);
    let rounds = measure("axum, no signature", cases::refusals(), 10_000, None);
    compare(&rounds, "empty, layer", &["empty, reference that closes", "empty, reference"]);
    compare(&rounds, "expects, layer", &["expects, reference that closes", "expects, reference"]);
    compare(&rounds, "offered, layer", &["offered, read and dropped", "offered, by hand"]);
}
