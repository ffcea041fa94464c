//! The evidence of each provider: where its facts are from.

use std::{collections::BTreeMap, fs};

use crate::support::files;

/// The first words of a section `Evidence`, the strongest first.
const KINDS: [&str; 6] = [
    "Vendor vector",
    "Public vector",
    "Vendor's source",
    "Vendor's documentation",
    "Receivers",
    "**Second-hand**",
];

#[test]
fn each_provider_states_its_kind_of_evidence() {
    let mut counts = BTreeMap::<usize, usize>::new();
    for path in files("src/providers") {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        for section in lines.windows(3).filter(|lines| lines[0] == "/// # Evidence") {
            let stated = section[2].trim_start_matches("/// ");
            let kind = KINDS.iter().position(|kind| stated.starts_with(kind));
            let kind = kind.unwrap_or_else(|| panic!("{path:?}: {stated}"));
            *counts.entry(kind).or_default() += 1;
        }
    }
    let shown: Vec<_> = counts.iter().map(|(kind, count)| (KINDS[*kind], count)).collect();
    eprintln!("providers by evidence: {shown:?}");
    assert!(counts.values().sum::<usize>() >= 190, "{shown:?}");
}
