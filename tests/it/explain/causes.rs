//! Every vector, broken in every way, and its explanation.

use std::{collections::BTreeMap, fmt::Write};

use tower_webhook::explain::{Cause, Effort, Strength};

use super::breakages::{BREAKAGES, Case};

/// Counts of a breakage: proven, pointed to, and not found.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    proven: u32,
    clue: u32,
    none: u32,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.proven += other.proven;
        self.clue += other.clue;
        self.none += other.none;
    }
}

#[test]
fn every_breakage_of_every_vector_is_explained() {
    let cases = Case::all();
    let mut table = String::new();
    let mut reversible = Count::default();
    let mut missed = Vec::new();
    for breakage in BREAKAGES {
        let mut by_provider = BTreeMap::<&str, Count>::new();
        let mut all = Count::default();
        for (index, case) in cases.iter().enumerate() {
            // A search to its end is slow without optimisation.
            if index % 3 > 0 && !breakage.is_reversible && !breakage.is_fact {
                continue;
            }
            let Some(broken) = (breakage.apply)(case) else { continue };
            // Facts come first, and need no search.
            let mut effort = Effort::DEFAULT;
            if breakage.is_fact {
                effort.max_variants = 4;
            }
            let explanation = broken.explain_within(effort);
            // Some signatures do not cover what was changed.
            if explanation.rejection().is_none() {
                continue;
            }
            let is_it = |cause: Cause| breakage.causes.contains(&cause);
            let found = explanation.findings().iter().find(|finding| is_it(finding.cause()));
            let count = match found.map(|finding| finding.strength()) {
                Some(Strength::Proven) => Count { proven: 1, ..Count::default() },
                // A secret that anyone can guess proves nothing.
                Some(Strength::ByAnyone) if case.has_guessable_secret() => {
                    Count { proven: 1, ..Count::default() }
                }
                Some(_) => Count { clue: 1, ..Count::default() },
                None => Count { none: 1, ..Count::default() },
            };
            if breakage.is_reversible && count.proven == 0 {
                missed.push(format!("{}: {}: {explanation}", case.provider.name(), breakage.name));
            }
            by_provider.entry(case.provider.name()).or_default().add(count);
            all.add(count);
        }
        if breakage.is_reversible {
            reversible.add(all);
        }
        let Count { proven, clue, none } = all;
        assert!(proven + clue > 0, "{}: applies to no vector, or is never found", breakage.name);
        writeln!(table, "{}: {proven} proven, {clue} clues, {none} none", breakage.name).unwrap();
        for (provider, Count { proven, clue, none }) in by_provider {
            write!(table, "{provider} {proven}/{clue}/{none}, ").unwrap();
        }
        writeln!(table).unwrap();
    }
    eprintln!("{table}");
    let total = reversible.proven + reversible.clue + reversible.none;
    let missed = missed.join("\n");
    eprintln!("{} of {total} reversible ones proven; missed:\n{missed}", reversible.proven);
    assert!(total > 2000 && reversible.proven * 100 >= total * 95, "{missed}");
}
