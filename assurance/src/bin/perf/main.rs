//! Measures every goal of `docs/performance.md` beside its baselines: `scripts/performance`.
//!
//! `perf` runs all and prints a table, `perf G4 G7` some goals. What it needs of the machine is
//! Linux, for `/proc`. Its servers are processes of this same program: `perf serve layer`.

#[path = "../../../../benches/support/cases.rs"]
mod cases;
mod client;
mod exact;
mod flood;
mod frames;
mod held;
mod profile;
mod report;
mod server;
mod speed;
#[path = "../../../../benches/support/mod.rs"]
mod support;
mod whole;

use std::env;

use self::report::Row;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", kind] => return server::serve(kind),
        ["profile", what, count] => return profile::run(what, count.parse().unwrap()),
        _ => {}
    }
    let goals: [(&str, fn() -> Vec<Row>); 10] = [
        ("G1", speed::tower),
        ("G2", exact::allocations),
        ("G3", speed::axum),
        ("G4", whole::json),
        ("G5", speed::function),
        ("G6", whole::form),
        ("G7", flood::refused),
        ("G8", held::uploads),
        ("G9", exact::sizes),
        ("G10", speed::second_secret),
    ];
    report::heading();
    for (goal, measure) in goals {
        if words.is_empty() || words.contains(&goal) {
            for row in measure() {
                row.print(goal);
            }
        }
    }
}
