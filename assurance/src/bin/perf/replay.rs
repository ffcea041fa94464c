//! The replay guard and the delivery log: G12.

use crate::{
    report::{Row, row},
    starts::{Program, STARTS, Starts, Values},
    support::{ROUNDS, guard, rounds},
};

/// The values of one start for the guard.
pub(crate) fn once() -> Values {
    const REPEATS: usize = 300;
    let rounds = rounds(guard::cases(REPEATS * (ROUNDS + 1)), REPEATS);
    let mut values = Values::default();
    for case in ["+ guard", "+ guard, store full"] {
        values.add(format!("{case}: ns"), rounds.above(case, &["signature layer"]).median);
        let allocations = rounds.more_allocations(case, "signature layer");
        values.add(format!("{case}: allocations"), allocations as f64);
    }
    values.add_times("guard", &rounds);
    values
}

pub(crate) fn rows() -> Vec<Row> {
    let starts = Starts::of("guard");
    let get = |name: &str| starts.get(name);
    let (time, allocations) = (get("+ guard: ns"), get("+ guard: allocations").median);
    let mut rows = vec![row(
        "guard in memory: ≤ 1 µs above the layer, no allocation",
        format!(
            "{time:.0} ns, {allocations} allocations; a full store {:.0} ns, {}; {STARTS} starts",
            get("+ guard, store full: ns"),
            get("+ guard, store full: allocations").median
        ),
        starts.times("guard", &["signature layer", "+ guard"]),
        time.median <= 1000.0 && allocations <= 0.0,
    )];
    let Some(program) = Program::beside("everything") else {
        rows.push(row("log in SQLite", "no build with it", "", None));
        return rows;
    };
    let [starts] = Starts::by_turns([&program], "log", 5);
    let (row_time, own, ratio) = (starts.get("row"), starts.get("own"), starts.get("row / own"));
    let share = starts.get("share");
    rows.push(row(
        "log in SQLite: CPU a row off the request's thread ≤ 2 × SQLite's own",
        format!("{ratio} ×; {row_time:.1} µs; 5 starts"),
        format!("a prepared statement with the same row and batches {own:.1} µs"),
        ratio.median <= 2.0,
    ));
    rows.push(row(
        "log in SQLite: the request's own share ≤ 1.5 µs",
        format!("{share} µs; 5 starts"),
        format!("the layer without a log {:.2} µs", starts.get("without")),
        share.median <= 1.5,
    ));
    rows
}
