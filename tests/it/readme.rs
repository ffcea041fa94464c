//! Holds the README and the code together.

use std::{collections::BTreeSet, fs, path::Path};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_webhook::{
    Rejection,
    RejectionKind::{self, *},
    Scheme, SignatureLayer,
    providers::{
        self, GitHub, Meta, Shopify, Slack, StandardWebhooks, Stripe, Webex, WebexContactCenter,
        Wsapi,
    },
};

use crate::support::{files, send};

const README: &str = include_str!("../../README.md");
const PAGE: &str = include_str!("../../docs/403-at-3am.md");
const THREATS: &str = include_str!("../../THREAT_MODEL.md");
const PROVIDERS: &str = include_str!("../../src/providers/mod.rs");
const REJECTION: &str = include_str!("../../src/outcome/kind.rs");

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

#[test]
fn every_provider_with_code_of_its_own_has_a_row() {
    let mut lists =
        PROVIDERS.split("pub use self::own::{").filter_map(|text| text.split("};").next());
    let list = lists.find(|list| list.contains("meta::Meta")).unwrap();
    let mut expected: BTreeSet<_> = list
        .split(|char: char| !char.is_alphanumeric())
        .filter(|word| word.starts_with(char::is_uppercase) && !word.ends_with("State"))
        .collect();
    assert!(expected.contains("Twilio"), "the exports are read: {expected:?}");
    expected.extend(["GitHub", "Shopify", "Stripe", "Webex"]);
    assert_eq!(names(&table(README, "type")), expected);
}

#[test]
fn the_catalogue_names_every_declared_provider() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers/catalogue");
    let mut count = 0;
    for row in table(README, "module") {
        let module = code(row[0]).trim_start_matches("providers::");
        let source = fs::read_to_string(directory.join(format!("{module}.rs"))).unwrap();
        let declared: Vec<_> = source
            .lines()
            .filter_map(|line| line.strip_prefix("    ")?.split_once('('))
            .filter(|(name, rest)| !name.contains(' ') && rest.contains(") = "))
            .map(|(name, _)| name)
            .collect();
        let listed: Vec<_> = row[1].split('`').skip(1).step_by(2).collect();
        assert_eq!(listed, declared, "{module}");
        count += listed.len();
    }
    let with_scheme = providers::all().filter(|provider| provider.scheme().is_some()).count();
    assert_eq!(count, with_scheme);
    assert!(README.contains(&format!("has {count} declared ones")));
}

/// The types that a module declares, by its macros and by itself.
fn types_of(source: &str) -> BTreeSet<&str> {
    source
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("    "))?;
            let (name, rest) = line.split_once([' ', '('])?;
            let is_declared = rest.starts_with("= \"") || rest.starts_with("= Scheme");
            let is_own = |rest| source.contains(&format!("\npub struct {name}{rest}"));
            let is_type = is_declared || is_own("(") || is_own(" {");
            (is_type && name.starts_with(char::is_uppercase) && !name.ends_with("State"))
                .then_some(name)
        })
        .collect()
}

#[test]
fn every_token_has_a_row() {
    let rows = table(README, "token");
    let listed: BTreeSet<_> =
        names(&rows).into_iter().map(|name| name.split("::").next().unwrap()).collect();
    let source = include_str!("../../src/providers/catalogue/tokens.rs");
    let (_, exports) = source.split_once("pub use crate::providers::own::{").unwrap();
    let exports = exports.split("};").next().unwrap().split(|char: char| !char.is_alphanumeric());
    let mut expected = types_of(source);
    expected.extend(exports.filter(|word| word.starts_with(char::is_uppercase)));
    assert!(expected.contains("Strava"), "the exports are read: {expected:?}");
    expected.extend(types_of(include_str!("../../src/providers/own/gitlab.rs")));
    expected.retain(|name| *name != "GitLabState");
    assert_eq!(listed, expected);
}

#[test]
fn pages_say_how_the_declared_provider_signs() {
    let sources: Vec<_> =
        files("src/providers").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for provider in providers::all() {
        let Some(scheme) = provider.scheme() else { continue };
        let (name, shown) = (provider.name(), format!("{scheme:?}"));
        // Its own way alone: the families have headers of their own.
        let shown = shown.split("families: ").next().unwrap();
        let declared = format!(".provider(\"{name}\")");
        let page = sources.iter().find_map(|source| source.split_once(&declared)).unwrap().0;
        let cell = |row: &str| {
            let (_, cell) = page.rsplit_once(&format!("/// | {row} | ")).unwrap();
            cell.split(" |\n").next().unwrap().to_lowercase()
        };
        let header = cell("header");
        let (_, source) = shown.split_once("source: ").unwrap();
        let names: Vec<_> = match source.split_once(')').unwrap().0 {
            names if names.starts_with("Authorization") => vec!["authorization"],
            names => names.split('"').skip(1).step_by(2).collect(),
        };
        let named = names.iter().filter(|name| header.contains(*name)).count();
        assert!(named > 0, "{name}: {names:?} in {header}");
        let encoding = if shown.contains(", encoding: Hex") { "<hex>" } else { "<base64" };
        assert!(header.contains(encoding), "{name}: {encoding} in {header}");
        let status = scheme.defaults().status();
        assert!(cell("status").starts_with(status.as_str()), "{name}: {status}");
        let (_, own) = shown.split_once("time_may_be_absent").unwrap();
        let has_challenge = !own.contains("challenge: None");
        // Asana's is no part of the scheme: there is no secret before it.
        let is_exchange = name == "asana";
        let says_so = !cell("challenge").starts_with("none");
        assert_eq!(says_so, has_challenge || is_exchange, "{name}");
        let algorithm = cell("algorithm");
        let (_, used) = shown.split_once("algorithm: HmacSha").unwrap();
        let used = format!("hmac-sha{}", used.split(',').next().unwrap());
        assert!(algorithm.starts_with(&used), "{name}: {used} in {algorithm}");
        assert_eq!(
            algorithm.contains("base64"),
            shown.contains("secret_encoding: Base64"),
            "{name}"
        );
        let is_timed = provider.tolerance().is_some();
        let freshness = cell("freshness");
        let has_window = freshness.contains("both ways") || freshness.contains(" back, ");
        assert_eq!(has_window, is_timed, "{name}: {freshness}");
        let is_id_signed = shown.contains("signed_content: [Id") || shown.contains(", Id");
        assert_eq!(cell("delivery id").contains("**signed**"), is_id_signed, "{name}");
    }
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
        let [_, header, algorithm, content, ..] = row[..] else {
            panic!("{name}: the row has another number of cells")
        };
        let scheme = format!("{scheme:?}");
        let header = format!("Header({:?})", code(header).to_ascii_lowercase());
        assert!(scheme.contains(&header), "{name}: {header} in {scheme}");
        let algorithm = algorithm.replace("HMAC-SHA", "HmacSha");
        assert!(scheme.contains(&format!("algorithm: {algorithm},")), "{name}: {algorithm}");
        let is_time_signed = scheme.contains("Time,");
        assert_eq!(content.contains("time"), is_time_signed, "{name}: {content}");
    }
}

#[cfg(all(feature = "asymmetric", feature = "sign"))]
#[test]
fn rows_say_how_old_a_signed_time_may_be() {
    let mut timed = 0;
    for row in [table(README, "type"), table(README, "provider")].concat() {
        let (name, freshness) = (code(row[0]), row[4]);
        let id = match name {
            "StandardWebhooks::new_asymmetric" => "standardwebhooksv1a".to_owned(),
            name => name.to_lowercase(),
        };
        let provider = providers::all().find(|p| p.name().replace('_', "") == id).unwrap();
        let expected =
            provider.tolerance().map_or("none".to_owned(), |t| crate::pages::span(t.past()));
        assert!(freshness.starts_with(&expected), "{name}: {freshness}, {expected}");
        timed += usize::from(provider.tolerance().is_some());
    }
    assert!(timed >= 9, "{timed}");
}

const KINDS: [RejectionKind; 19] = [
    BodyTimeout,
    BodyTooLarge,
    BodyUnreadable,
    ClockUnreliable,
    ChallengeFailed,
    ChallengeMalformed,
    ChallengeUnexpected,
    Malformed,
    Missing,
    Overloaded,
    Repeated,
    SignatureMismatch,
    TimestampInFuture,
    TimestampStale,
    BodyNotSigned,
    UnknownTenant,
    UrlUnresolved,
    VerifierPanicked,
    VerifierUnavailable,
];

#[test]
fn every_reason_has_a_row_with_its_status() {
    let (_, variants) = REJECTION.split_once("pub const fn as_str").unwrap();
    let (variants, _) = variants.split_once("\n    }\n").unwrap();
    assert_eq!(variants.matches("=> \"").count(), KINDS.len(), "the list is complete");

    let rows = table(README, "reason");
    let expected: BTreeSet<_> = KINDS.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names(&rows), expected);
    for kind in KINDS {
        let row = rows.iter().find(|row| code(row[0]) == kind.as_str()).unwrap();
        assert_eq!(row[1], Rejection::new(kind).status().as_str(), "{kind}");
    }
}

#[test]
fn the_page_on_403_has_a_cure_for_every_reason() {
    let rows = table(PAGE, "reason");
    let expected: BTreeSet<_> = KINDS.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names(&rows), expected);
    assert!(rows.iter().all(|row| row.len() == 3 && row.iter().all(|cell| !cell.is_empty())));
}

#[tokio::test]
async fn the_command_on_the_page_on_403_signs() {
    let between = |before, after| {
        let (_, text) = PAGE.split_once(before).unwrap();
        text.split_once(after).unwrap().0
    };
    let secret = between("secret='", "'\n");
    let body = between("body='", "'\n");
    let signature = between("```text\nx-hub-signature-256: ", "\n```");
    let layer = SignatureLayer::new(Meta::new(secret).unwrap());
    for (body, expected) in [(body.to_owned(), 200), (format!("{body}\n"), 403)] {
        let request = Request::post("/webhook").header("x-hub-signature-256", signature);
        let request = request.body(Full::<Bytes>::from(body)).unwrap();
        assert_eq!(send(&layer, request).await.0.status(), expected);
    }
    // The server that the command talks to has the same secret.
    let server = include_str!("../../examples/axum.rs");
    assert!(server.contains(&format!("Meta::new({secret:?})?")));
}

/// A line for each, in one of the two tables.
#[test]
fn the_page_of_examples_names_each_of_them() {
    let page = include_str!("../../examples/README.md");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name());
    let files = files.map(|name| name.into_string().unwrap());
    // A crate of its own, which is not in this one's package.
    let files = files.filter(|name| !["README.md", "actix"].contains(&&**name));
    let mut count = 0;
    for file in files.chain(["actix".to_owned()]) {
        assert_eq!(page.matches(&format!("]({file}")).count(), 1, "{file}");
        count += 1;
    }
    assert_eq!(page.lines().filter(|line| line.starts_with("| [")).count(), count);
}

/// Whether this is a test: `delivery_log::rows::each_outcome_has_its_status`, or `servers::…`.
fn is_test(name: &str) -> bool {
    let (module, test) = name.rsplit_once("::").unwrap();
    let file = module.replace("::", "/") + ".rs";
    let place = if module.starts_with("servers::") { "tests" } else { "tests/it" };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(place).join(file);
    let source = fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let is_it = |line: &&str| line.trim_start_matches("async ").starts_with(&format!("fn {test}("));
    let Some(at) = lines.iter().position(is_it) else { return false };
    let mut attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    attributes.any(|line| line.contains("test"))
}

#[test]
fn every_threat_names_tests_that_exist_or_says_that_there_are_none() {
    let rows = table(THREATS, "#");
    assert!(rows.len() > 30, "{} rows", rows.len());
    for (at, row) in rows.iter().enumerate() {
        let [number, _, _, _, mitigation, shown_by] = row[..] else { panic!("{row:?}") };
        assert_eq!(number, (at + 1).to_string());
        let names: Vec<_> =
            shown_by.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        assert!(!names.is_empty() || shown_by.contains("not covered"), "row {number}");
        for name in names {
            assert!(is_test(name), "row {number}: there is no test `{name}`");
        }
        for path in mitigation.split('`').filter(|path| path.starts_with("src/")) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            assert!(path.exists(), "row {number}: {}", path.display());
        }
    }
    assert!(!is_test("readme::is_test") && !is_test("readme::no_such"), "the search can fail");
}
