//! What the replay guard costs above the signature layer alone, in the same run.
//!
//! `cargo bench --bench replay`. Each delivery is new, and was signed before.
#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::unwrap_used, reason = "a failed bench says where")]

mod support;

use self::support::{
    ROUNDS,
    guard::{BODY, cases},
    rounds,
};

fn main() {
    // `cargo test --benches` and the like only want to know that it runs.
    let is_test = std::env::args().any(|argument| argument == "--test");
    let repeats = if is_test { 10 } else { 500 };
    let rounds = rounds(cases(repeats * (ROUNDS + 1)), repeats);
    println!("{BODY} bytes{:24}ns    allocations", "");
    for (name, series) in rounds.series() {
        println!("  {name:24} {:>12.0} {:>8}", series.time().median, series.allocations);
    }
    let alone = "signature layer";
    for (name, _) in &rounds.series()[1..] {
        let (time, allocations) =
            (rounds.above(name, &[alone]).median, rounds.more_allocations(name, alone));
        println!("  {name:24} {time:>+12.0} {allocations:>+8}");
    }
}
