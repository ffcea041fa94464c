//! The cost of what is built and not used, or of a subscriber: G11.

use crate::{
    instructions,
    report::{Row, row},
    speed,
    starts::{Program, STARTS, Starts},
    whole,
};

/// More than for other goals: two builds differ by chance, too.
const TURNS: usize = 15;

pub(crate) fn features() -> Vec<Row> {
    let mut rows = builds();
    rows.extend(subscriber());
    rows
}

/// Returns the rows of two builds of this program, which `scripts/performance` leaves beside it.
fn builds() -> Vec<Row> {
    let builds = Program::beside("lean").zip(Program::beside("everything"));
    let Some((lean, everything)) = builds else {
        return vec![row(
            "all features built and none used: G1 changes by < 1 %",
            "no builds",
            "",
            None,
        )];
    };
    let [least, most] = Starts::by_turns([&lean, &everything], "tower", TURNS);
    let mut rows: Vec<_> = ["256 B", "1 KiB", "16 KiB"]
        .into_iter()
        .map(|title| {
            let name = format!("{title}: layer / by hand");
            let over = most.over(&least, &name);
            row(
                format!("tower, {title}, all features built and none used: < 1 % more, to by hand"),
                format!("{over:.3} ×; {TURNS} starts by turns"),
                format!("lean {:.3} ×, everything {:.3} ×", least.get(&name), most.get(&name)),
                over.median < 1.01,
            )
        })
        .collect();
    let [least, most] = Starts::by_turns([&lean, &everything], "exact", 1);
    let bytes = [&least, &most].map(|starts| starts.get("bytes").median);
    let allocations = [&least, &most].map(|starts| starts.get("allocations").median);
    rows.push(row(
        "`ResponseFuture`, and the allocations of all providers: as without the features",
        format!("{} bytes, {} allocations", bytes[1], allocations[1]),
        format!("lean {} bytes, {} allocations", bytes[0], allocations[0]),
        allocations[0] == allocations[1] && bytes[0] == bytes[1],
    ));
    let [least, most] = [&lean, &everything].map(instructions::of_request);
    if let (Some(least), Some(most)) = (least, most) {
        rows.push(row(
            "tower, 1 KiB, all features built and none used: instructions of a request, < 1 % more",
            format!("{most:.0}"),
            format!("lean {least:.0}"),
            most < least * 1.01,
        ));
    }
    rows
}

/// Returns the rows of this program with a subscriber at `info`, to those without one.
fn subscriber() -> Vec<Row> {
    let (without, with) = (Program::this(), Program::this().with_subscriber());
    let mut rows = Vec::new();
    for (what, goal, rows_of) in [
        ("tower", "G1", speed::tower_rows as fn(&Starts) -> Vec<Row>),
        ("axum", "G3", speed::axum_rows),
    ] {
        let [without, with] = Starts::by_turns([&without, &with], what, STARTS);
        rows.extend(rows_of(&with).into_iter().zip(rows_of(&without)).map(|(with, without)| {
            row(
                format!("{goal} with a subscriber at `info`: {}", with.asked),
                with.measured,
                format!("without: {}", without.measured),
                with.is_met,
            )
        }));
    }
    let [without, with] = Starts::by_turns([&without, &with], "exact", 1);
    let allocations = [&without, &with].map(|starts| starts.get("allocations").median);
    rows.push(row(
        "G2 with a subscriber at `info`: allocations of all providers as without; G9 is the same",
        format!("{}", allocations[1]),
        format!("without: {}", allocations[0]),
        allocations[0] == allocations[1],
    ));
    let [without, with] = [Program::this(), Program::this().with_subscriber()]
        .each_ref()
        .map(instructions::of_request);
    if let (Some(without), Some(with)) = (without, with) {
        rows.push(row(
            "tower, 1 KiB, with a subscriber at `info`: instructions of a request",
            format!("{with:.0}"),
            format!("without: {without:.0}"),
            None,
        ));
    }
    rows.push(whole::subscribed());
    rows
}
