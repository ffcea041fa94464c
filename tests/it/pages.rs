//! Holds the pages of the providers and their table to the data on deliveries.
//!
//! `UPDATE_PAGES=1 cargo test --all-features --test it pages` writes them anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
    time::Duration,
};

use tower_webhook::{
    providers::{self, DeliveryPolicy},
    scheme::Tolerance,
    verifier::VerifierDefaults,
};

use crate::{conformance::Trial, support::files};

const TABLE: &str = "docs/deliveries.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_PAGES").is_some()
}

/// In two units at most: `26 hours and 24 minutes`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        return format!("{seconds} seconds");
    }
    let minutes = seconds.div_ceil(60);
    let days = if minutes < 48 * 60 { 0 } else { minutes / 1440 };
    let hours = minutes / 60 - 24 * days;
    let units = [(days, "day"), (hours, "hour"), (minutes % 60, "minute")];
    let words = units.into_iter().skip_while(|(count, _)| *count == 0).take(2);
    let words = words.filter(|(count, _)| *count > 0).map(|(count, unit)| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {unit}{plural}")
    });
    words.collect::<Vec<_>>().join(" and ")
}

fn bytes(bytes: usize) -> String {
    match (bytes >> 20, bytes >> 10) {
        (0, kib) => format!("{kib} KiB"),
        (mib, _) => format!("{mib} MiB"),
    }
}

fn window(tolerance: Tolerance) -> String {
    let (past, future) = (span(tolerance.past()), span(tolerance.future()));
    if past == future {
        format!("{past} both ways")
    } else {
        format!("{past} back, {future} ahead")
    }
}

fn source(policy: &DeliveryPolicy, fact: &str) -> Option<&'static str> {
    policy.sources().find_map(|(name, source)| (name == fact).then_some(source))
}

/// A source as a link, with what is said of it.
fn link(source: &str) -> String {
    match source.split_once("https://") {
        Some(("", _)) => format!("<{source}>"),
        Some((said, rest)) => format!("{said}<https://{rest}>"),
        None => source.to_owned(),
    }
}

/// Whether the window is so long for the sake of retries.
fn is_for_retries(policy: &DeliveryPolicy) -> bool {
    let is_window = policy.is_signed_anew() != Some(false) && source(policy, "tolerance").is_some();
    policy.tolerance().past() > Duration::from_secs(300)
        && policy.is_signed_anew() != Some(true)
        && !is_window
}

/// How a replay guard knows the provider's deliveries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Guard {
    /// Nothing of the delivery is signed.
    No,
    /// By the body, which another delivery may have too.
    ByBody,
    Yes,
}

impl Guard {
    /// Of each provider, in the best of its ways.
    fn all() -> BTreeMap<&'static str, Self> {
        let mut guards = BTreeMap::new();
        for trial in Trial::all() {
            let verified = crate::support::verify(&trial.own, &trial.head, &trial.body).unwrap();
            let guard = match (verified.has_unique_replay_key(), verified.replay_key()) {
                (true, _) => Self::Yes,
                (false, Some(_)) => Self::ByBody,
                (false, None) => Self::No,
            };
            let known = guards.entry(trial.provider.delivery_policy().name()).or_insert(guard);
            *known = guard.max(*known);
        }
        guards
    }

    const fn cell(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::ByBody => "`guard_body_only`",
            Self::Yes => "yes",
        }
    }
}

fn freshness(policy: &DeliveryPolicy, guard: Option<Guard>) -> String {
    let window = window(policy.tolerance());
    if is_for_retries(policy) {
        let needs = match guard {
            Some(Guard::ByBody) => ", turned on by `guard_body_only`,",
            _ => "",
        };
        format!(
            "{window}: a retry may carry the first attempt's time. Without a replay guard{needs} a \
             captured delivery can be sent again for as long"
        )
    } else {
        window
    }
}

fn retries(policy: &DeliveryPolicy) -> String {
    let schedule = match policy.retry_schedule() {
        None => "for an unknown time".to_owned(),
        Some(Duration::ZERO) => "none".to_owned(),
        Some(time) => format!("for {}", span(time)),
    };
    let schedule = match source(policy, "retry_schedule") {
        Some(source) => format!("{schedule} ({})", link(source)),
        None => schedule,
    };
    let anew = match policy.is_signed_anew() {
        Some(true) => "each is signed anew",
        Some(false) => "each repeats the first attempt's time",
        None => "whether each is signed anew is unknown",
    };
    match source(policy, "is_signed_anew").or(source(policy, "tolerance")) {
        _ if policy.retry_schedule() == Some(Duration::ZERO) => schedule,
        Some(source) if policy.is_signed_anew().is_some() => {
            format!("{schedule}; {anew} ({})", link(source))
        }
        Some(source) => {
            format!(
                "{schedule}; {anew}, but the vendor has its receivers keep this window ({})",
                link(source)
            )
        }
        None => format!("{schedule}; {anew}"),
    }
}

fn body_limit(policy: &DeliveryPolicy) -> String {
    let limit = bytes(policy.body_limit());
    match (source(policy, "max_body"), policy.max_body()) {
        (Some(source), Some(max)) if max == policy.body_limit() => {
            format!("{limit} ({})", link(source))
        }
        (Some(source), Some(max)) => {
            format!("{limit}; {} is documented ({})", bytes(max), link(source))
        }
        _ => format!("{limit}; no maximum is documented"),
    }
}

/// What becomes of a delivery that was refused, where that is known.
fn refused(policy: &DeliveryPolicy) -> Option<String> {
    let source = link(source(policy, "retries_refused")?);
    Some(match (policy.retries_refused()?, policy.retried_status()) {
        (true, _) if policy.status().is_success() => {
            format!("it comes again after `rejection_status(StatusCode::FORBIDDEN)` ({source})")
        }
        (true, _) => format!("it comes again ({source})"),
        (false, None) => format!("it does not come again, whatever the status ({source})"),
        (false, Some(status)) if status.is_server_error() => format!(
            "it does not come again; of all statuses only a 5xx such as `rejection_status(StatusCode::{})` \
             brings it back, which proxies count against the server ({source})",
            constant(status)
        ),
        (false, Some(status)) => format!(
            "a 403 ends the retries; after `rejection_status(StatusCode::{})` it comes again ({source})",
            constant(status)
        ),
    })
}

/// The code, and what demands it. A page may say more in between.
fn status(policy: &DeliveryPolicy, row: &str) -> String {
    let status = policy.status().as_str().to_owned();
    match source(policy, "status").map(link) {
        None => status,
        Some(link) if row.contains(&link) => status,
        Some(link) => format!("{status}, which the provider demands ({link})"),
    }
}

fn constant(status: http::StatusCode) -> String {
    status.canonical_reason().unwrap().to_uppercase().replace(' ', "_")
}

fn timed() -> BTreeSet<&'static str> {
    let timed = providers::all().filter(|provider| provider.tolerance().is_some());
    timed.map(|provider| provider.delivery_policy().name()).collect()
}

/// The rows of the page, by their first cells.
fn rows(policy: &DeliveryPolicy, is_timed: bool) -> Vec<(&'static str, Option<String>)> {
    let has_retries = is_timed || policy.retry_schedule().is_some();
    vec![
        ("retries", has_retries.then(|| retries(policy))),
        ("body limit", Some(body_limit(policy))),
        ("after a refusal", refused(policy)),
    ]
}

/// Where a provider's page ends, in its source.
fn end_of_page(source: &str, name: &str) -> Option<usize> {
    let markers = [
        format!(".provider(\"{name}\")"),
        format!("defaults(\"{name}\")"),
        format!(" = \"{name}\""),
        format!("find(\"{name}\")"),
    ];
    markers.iter().find_map(|marker| source.find(marker))
}

#[test]
fn pages_say_how_the_provider_delivers() {
    let timed = timed();
    let guards = Guard::all();
    let paths = files("src/providers");
    for policy in providers::delivery_policies() {
        let (name, is_timed) = (policy.name(), timed.contains(policy.name()));
        if name == "shared_token" {
            // Nobody's in particular.
            continue;
        }
        let found = paths.iter().find_map(|path| {
            let source = fs::read_to_string(path).unwrap();
            let end = end_of_page(&source, name)?;
            let start = source[..end].rfind("| evidence |")?;
            Some((path, source, start))
        });
        let (path, source, evidence) = found.unwrap_or_else(|| panic!("{name} has no page"));
        let start = source[..evidence].rfind("| | |").unwrap();
        let start = source[..start].rfind('\n').unwrap() + 1;
        let end = evidence + source[evidence..].find('\n').unwrap() + 1;
        let page = &source[start..end];
        let indent = &page[..page.find("///").unwrap()];
        let expected = expected_page(page, indent, policy, is_timed, guards.get(name).copied());
        if is_update() && page != expected {
            fs::write(path, [&source[..start], &expected, &source[end..]].concat()).unwrap();
        } else {
            assert_eq!(page, expected, "{name}");
        }
    }
}

fn expected_page(
    page: &str,
    indent: &str,
    policy: &DeliveryPolicy,
    is_timed: bool,
    guard: Option<Guard>,
) -> String {
    let rows = rows(policy, is_timed);
    let mut expected = String::new();
    for line in page.lines() {
        let cell = line.split('|').nth(1).unwrap_or_default().trim();
        if rows.iter().any(|(name, _)| *name == cell) {
            continue;
        }
        if cell == "evidence" {
            for (name, text) in &rows {
                if let Some(text) = text {
                    writeln!(expected, "{indent}/// | {name} | {text} |").unwrap();
                }
            }
        }
        if cell == "freshness" && is_timed && !line.contains(&freshness(policy, guard)) {
            // What else the page says of it stands behind a comma.
            writeln!(expected, "{indent}/// | freshness | {} |", freshness(policy, guard)).unwrap();
            continue;
        }
        if cell == "status" && !line.contains(&status(policy, line)) {
            writeln!(expected, "{indent}/// | status | {} |", status(policy, line)).unwrap();
            continue;
        }
        writeln!(expected, "{line}").unwrap();
    }
    expected
}

#[test]
fn the_table_names_every_provider() {
    let timed = timed();
    let guards = Guard::all();
    let mut expected = String::new();
    for policy in providers::delivery_policies() {
        let row = [
            if timed.contains(policy.name()) {
                window(policy.tolerance())
            } else {
                "none".to_owned()
            },
            match policy.retry_schedule() {
                None => "unknown".to_owned(),
                Some(Duration::ZERO) => "none".to_owned(),
                Some(time) => span(time),
            },
            match policy.is_signed_anew() {
                _ if !timed.contains(policy.name()) => "",
                None => "unknown",
                Some(true) => "yes",
                Some(false) => "no",
            }
            .to_owned(),
            guards.get(policy.name()).map_or("no", |guard| guard.cell()).to_owned(),
            policy.max_body().map_or("unknown".to_owned(), bytes),
            bytes(policy.body_limit()),
            policy.status().as_str().to_owned(),
            match (policy.retries_refused(), policy.retried_status()) {
                (None, _) => "unknown".to_owned(),
                (Some(true), _) => "yes".to_owned(),
                (Some(false), None) => "no".to_owned(),
                (Some(false), Some(status)) => format!("no; after {} it does", status.as_str()),
            },
        ];
        writeln!(expected, "| `{}` | {} |", policy.name(), row.join(" | ")).unwrap();
    }
    let path = root().join(TABLE);
    let page = fs::read_to_string(&path).unwrap();
    let rule = page.find("|---|---|").unwrap();
    let start = rule + page[rule..].find('\n').unwrap() + 1;
    let len: usize = page[start..]
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.len() + 1)
        .sum();
    if is_update() {
        let (before, after) = (&page[..start], &page[start + len..]);
        fs::write(path, [before, &expected, after].concat()).unwrap();
    } else {
        assert_eq!(&page[start..start + len], expected);
    }
}

#[test]
fn limits_and_times_follow_the_documentation() {
    for policy in providers::delivery_policies() {
        let (name, tolerance) = (policy.name(), policy.tolerance());
        assert_eq!(tolerance.future(), Duration::from_secs(300), "{name}");
        assert!(tolerance.past() <= Duration::from_secs(7 * 24 * 3600), "{name}");
        if let Some(max) = policy.max_body() {
            assert!(policy.body_limit() >= max, "{name}");
        } else {
            assert_eq!(policy.body_limit(), VerifierDefaults::DEFAULT.body_limit(), "{name}");
        }
        assert!(![406, 410].contains(&policy.status().as_u16()), "{name}");
        for (fact, source) in policy.sources() {
            assert!(source.contains("https://"), "{name}: {fact}");
        }
    }
}
