//! Measures every goal of `docs/performance.md` beside its baselines: `scripts/performance`.
//!
//! `perf` runs all and prints a table, `perf G4 G7` some goals. It needs Linux, for `/proc`, and
//! valgrind for G1i. It starts itself again: `perf once tower` for the values of one start,
//! `perf serve layer` for a server, `perf profile all` for valgrind.

mod catalogue;
mod client;
mod exact;
mod flood;
mod function;
mod held;
mod instructions;
#[cfg(feature = "everything")]
mod log;
mod profile;
mod replay;
mod report;
mod sampled;
mod server;
mod speed;
mod starts;
mod subjects;
#[path = "../../../../benches/support/mod.rs"]
mod support;
mod unused;
mod whole;

use std::env;

use self::report::Row;

/// Measures a goal and returns its rows.
type Measure = fn() -> Vec<Row>;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["once", what] => return once(what),
        ["sampled", name] => return sampled::run(name),
        ["profile", what] => return profiled(what),
        ["serve", kind] => return server::serve(kind),
        _ => {}
    }
    let goals: [(&str, Measure); 13] = [
        ("G1", speed::tower),
        ("G1i", instructions::instructions),
        ("G2", exact::allocations),
        ("G3", speed::axum),
        ("G4", whole::json),
        ("G5", function::alone),
        ("G6", whole::form),
        ("G7", flood::refused),
        ("G8", held::uploads),
        ("G9", exact::sizes),
        ("G10", function::second_secret),
        ("G11", unused::features),
        ("G12", replay::rows),
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

fn profiled(what: &str) {
    starts::subscribe_if_asked();
    profile::run(what);
}

/// Prints the values of one start.
fn once(what: &str) {
    starts::subscribe_if_asked();
    let values = match what {
        "tower" => speed::tower_once(),
        "schemes" => speed::schemes_once(),
        "axum" => speed::axum_once(),
        "exact" => exact::once(),
        "function" => function::alone_once(),
        "second secret" => function::second_secret_once(),
        "guard" => replay::once(),
        #[cfg(feature = "everything")]
        "log" => log::once(),
        what => panic!("nothing is measured once as {what}"),
    };
    values.print();
}
