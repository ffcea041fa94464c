//! Lists the public API that rustdoc has described in JSON, counts the names at the root, and checks that readers
//! find providers and modules.

mod docs;

use std::{collections::BTreeSet, env, error::Error};

use public_api::Builder;

/// Names that stand at the crate's root, modules aside.
const ROOT_NAMES: usize = 18;

fn main() -> Result<(), Box<dyn Error>> {
    let json = env::args().nth(1).ok_or("name rustdoc's JSON")?;
    docs::check(&json)?;
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let lines: Vec<String> = api.items().map(|item| item.to_string()).collect();
    let names: BTreeSet<&str> = lines.iter().filter_map(|line| root_name(line)).collect();
    // A type with several paths is described once for each.
    let mut seen = BTreeSet::new();
    let mut is_trait_implemented = false;
    for line in &lines {
        if line.starts_with("impl") {
            is_trait_implemented = line.contains(" for ");
        } else if is_declaration(line) {
            is_trait_implemented = false;
        } else if is_trait_implemented && is_member(line) {
            // The trait says it.
            continue;
        }
        if seen.insert(line) {
            println!("{line}");
        }
    }
    if names.len() != ROOT_NAMES {
        Err(format!("{} names stand at the root, and not {ROOT_NAMES}: {names:?}", names.len()))?;
    }
    Ok(())
}

/// Returns `true` if a type, a trait or a module begins.
fn is_declaration(line: &str) -> bool {
    let (before, _) = line.split_once("tower_webhook::").unwrap_or_default();
    ["enum ", "mod ", "struct ", "trait ", "union "].iter().any(|kind| before.contains(kind))
}

/// Returns `true` if the line belongs to a type: `pub fn tower_webhook::Secret::new`.
fn is_member(line: &str) -> bool {
    let Some((_, item)) = line.split_once("tower_webhook::") else { return false };
    let path = item.split(['(', '=', ' ']).next().unwrap_or_default();
    let is_type = |name: &str| name.starts_with(|first: char| first.is_ascii_uppercase());
    let owner = path.rsplit_once("::").map_or("", |(owner, _)| owner);
    owner.split("::").any(is_type)
}

/// `Verified` of `pub struct tower_webhook::Verified`.
fn root_name(line: &str) -> Option<&str> {
    // Attributes may stand before it.
    let (_, item) = line.split_once("pub ")?;
    let (kind, path) = item.split_once("tower_webhook::")?;
    let kinds = ["enum ", "fn ", "macro ", "struct ", "trait ", "type ", "use "];
    let end = path.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    (kinds.contains(&kind) && !rest.starts_with("::")).then_some(name)
}
