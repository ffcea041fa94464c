//! Holds the README and the code together.

use std::{collections::BTreeSet, fs, path::Path};

use tower_webhook::{
    Rejection,
    RejectionKind::{self, *},
    Scheme,
    providers::{
        GitHub, Meta, Shopify, Slack, StandardWebhooks, Stripe, Webex, WebexContactCenter, Wsapi,
    },
};

const README: &str = include_str!("../../README.md");
const PROVIDERS: &str = include_str!("../../src/providers/mod.rs");
const REJECTION: &str = include_str!("../../src/rejection.rs");

/// The cells of a table's rows, found by the table's first column.
fn table<'a>(text: &'a str, first_column: &str) -> Vec<Vec<&'a str>> {
    let head = format!("| {first_column} |");
    let rows: Vec<_> = text
        .lines()
        .map(|line| line.trim_start_matches("//! "))
        .skip_while(|line| !line.starts_with(&head))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 2, "there is a table of `{first_column}`");
    rows[2..].to_vec()
}

/// The first piece of code in a cell.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_else(|| panic!("`{cell}` names nothing in backticks"))
}

fn names<'a>(rows: &[Vec<&'a str>]) -> BTreeSet<&'a str> {
    let names: BTreeSet<_> = rows.iter().map(|row| code(row[0])).collect();
    assert_eq!(names.len(), rows.len(), "a row is there twice");
    names
}

/// The verifiers that `providers` exports: those that it declares, and those of its modules.
fn exported() -> BTreeSet<&'static str> {
    let declared: Vec<_> = PROVIDERS
        .split("\nprovider! {")
        .skip(1)
        .map(|declaration| {
            let line = declaration.lines().find(|line| line.contains(" = Scheme::")).unwrap();
            line.trim().split(['(', ' ']).next().unwrap()
        })
        .collect();
    assert!(declared.contains(&"Stripe"), "the declarations are read: {declared:?}");

    let (_, list) = PROVIDERS.split_once("pub use self::{").unwrap();
    let (list, _) = list.split_once("};").unwrap();
    let of_modules: Vec<_> = list
        .split(|char: char| !char.is_alphanumeric())
        .filter(|word| word.starts_with(char::is_uppercase) && !word.ends_with("State"))
        .collect();
    assert!(of_modules.contains(&"Twilio"), "the exports are read: {of_modules:?}");
    declared.into_iter().chain(of_modules).collect()
}

#[test]
fn every_provider_has_a_row_and_every_row_is_a_provider() {
    let exported = exported();
    assert_eq!(names(&table(README, "type")), exported, "README.md");
    let documented: BTreeSet<_> = table(PROVIDERS, "type")
        .iter()
        .map(|row| code(row[0]).trim_start_matches('[').trim_end_matches(']'))
        .collect();
    assert_eq!(documented, exported, "the page of `providers`");
}

#[test]
fn rows_say_how_the_provider_signs() {
    let rows = table(README, "type");
    let schemes: [(&str, Scheme); 9] = [
        ("GitHub", GitHub::SCHEME),
        ("Meta", Meta::SCHEME),
        ("Shopify", Shopify::SCHEME),
        ("Slack", Slack::SCHEME),
        ("StandardWebhooks", StandardWebhooks::SCHEME),
        ("Stripe", Stripe::SCHEME),
        ("Webex", Webex::SCHEME),
        ("WebexContactCenter", WebexContactCenter::SCHEME),
        ("Wsapi", Wsapi::SCHEME),
    ];
    for (name, scheme) in schemes {
        let row = rows.iter().find(|row| code(row[0]) == name).unwrap();
        let [_, header, algorithm, content, freshness, _] = row[..] else {
            panic!("{name}: the row has another number of cells")
        };
        let scheme = format!("{scheme:?}");
        let header = format!("Header({:?})", code(header).to_ascii_lowercase());
        assert!(scheme.contains(&header), "{name}: {header} in {scheme}");
        let algorithm = algorithm.replace("HMAC-SHA", "HmacSha");
        assert!(scheme.contains(&format!("algorithm: {algorithm},")), "{name}: {algorithm}");
        let is_time_signed = scheme.contains("Time,");
        assert_eq!(content.contains("time"), is_time_signed, "{name}: {content}");
        // Contact Center's time stands in the body, beside the scheme.
        let is_timed = scheme.contains("past: 300s, future: 300s") || name == "WebexContactCenter";
        assert_eq!(freshness.starts_with("5 minutes"), is_timed, "{name}: {freshness}");
    }
}

#[test]
fn every_reason_has_a_row_with_its_status() {
    let kinds: [RejectionKind; 17] = [
        BodyTimeout,
        BodyTooLarge,
        BodyUnreadable,
        ClockSuspect,
        HandshakeFailed,
        HandshakeMalformed,
        Malformed,
        Missing,
        Repeated,
        SignatureMismatch,
        TimestampInFuture,
        TimestampStale,
        Uncovered,
        UnknownTenant,
        UnknownUrl,
        VerifierPanicked,
        VerifierUnavailable,
    ];
    let (_, variants) = REJECTION.split_once("pub const fn as_str").unwrap();
    let (variants, _) = variants.split_once("\n    }\n").unwrap();
    assert_eq!(variants.matches("=> \"").count(), kinds.len(), "the list above is complete");

    let rows = table(README, "reason");
    let expected: BTreeSet<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names(&rows), expected);
    for kind in kinds {
        let row = rows.iter().find(|row| code(row[0]) == kind.as_str()).unwrap();
        assert_eq!(row[1], Rejection::new(kind).status().as_str(), "{kind}");
    }
}

#[test]
fn every_example_is_named() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut count = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(README.contains(&format!("`{name}`")), "README.md names `{name}`");
        count += 1;
    }
    assert!(count >= 7, "the examples are there");
}
