//! Generates the tables of the documentation from the code. `scripts/pages` writes them; the tests
//! here fail where a file differs.

mod fixes;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
    sync::LazyLock,
    time::Duration,
};

use tower_webhook::{
    PublicUrl, Rejection, RejectionKind,
    providers::{self, CredentialKind, DeliveryPolicy, Provider},
    scheme::{Scheme, Tolerance},
    verifier::VerifierDefaults,
};

use crate::providers::conformance::Trial;

/// Checks that a file is this text, or writes it.
fn check(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(file, text).unwrap();
        return;
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert!(found == text, "{path} is not what the code says: run `scripts/pages`");
}

/// Checks the text between the markers of this name in a file, or writes it.
fn check_part(path: &str, name: &str, text: &str) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (marker, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
    let start = page.find(&marker).unwrap_or_else(|| panic!("{path} has no `{name}`"));
    let start = start + marker.len();
    let end = start + page[start..].find(end).unwrap();
    check(path, &[&page[..start], text, &page[end..]].concat());
}

/// In two units at most: `26 hours and 24 minutes`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 || seconds < 600 && !seconds.is_multiple_of(60) {
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

/// Providers whose signatures expire, at a time that is signed.
fn expiring() -> &'static BTreeSet<&'static str> {
    static EXPIRING: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        let trials = Trial::all().into_iter().filter(|trial| trial.provider.tolerance().is_none());
        let expire = trials.filter(|trial| {
            let verified = crate::support::verify(&trial.own, &trial.head, &trial.body).unwrap();
            verified.valid_for().is_some()
        });
        expire.map(|trial| trial.provider.name()).collect()
    });
    &EXPIRING
}

/// Types without a name for `by_name` that sign a time.
const SIGN_TIMES: [&str; 6] = ["Alexa", "AmazonSns", "NeonAuth", "OpenBanking", "PayPal", "Plaid"];

/// Types without a name for `by_name` whose tokens expire.
const EXPIRE: [&str; 8] = [
    "AtlassianConnectLifecycle",
    "AzureEventGridEntra",
    "BotFramework",
    "ForgeRemote",
    "GoogleChat",
    "GooglePubSub",
    "MicrosoftGraphResourceData",
    "SignInWithApple",
];

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
        for trial in Trial::all().into_iter().chain(Trial::elsewhere()) {
            let verified = crate::support::verify(&trial.own, &trial.head, &trial.body).unwrap();
            let guard = match (verified.has_unique_replay_key(), verified.replay_key()) {
                (true, _) => Self::Yes,
                (false, Some(_)) => Self::ByBody,
                (false, None) => Self::No,
            };
            let known = guards.entry(trial.provider.name()).or_insert(guard);
            *known = guard.max(*known);
        }
        guards
    }

    fn cell(self, policy: &DeliveryPolicy) -> &'static str {
        match self {
            Self::No => "no",
            Self::ByBody => "`guard_body_only`",
            Self::Yes if policy.event_id().is_some() => "`by_event_id`",
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
            "{window}: a retry may carry the first attempt's timestamp. Without a replay \
             guard{needs} a captured delivery can be sent again within this window"
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
        Some(true) => "each is re-signed",
        Some(false) => "each repeats the first attempt's time",
        None => "the vendor does not say whether they are re-signed",
    };
    match source(policy, "is_signed_anew").or(source(policy, "tolerance")) {
        _ if policy.retry_schedule() == Some(Duration::ZERO) => schedule,
        Some(source) if policy.is_signed_anew().is_some() => {
            format!("{schedule}; {anew} ({})", link(source))
        }
        Some(source) => {
            format!("{schedule}; {anew}; the window is the vendor's ({})", link(source))
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
            format!(
                "the provider retries after `rejection_status(StatusCode::FORBIDDEN)` ({source})"
            )
        }
        (true, _) => format!("the provider retries ({source})"),
        (false, None) => format!("the provider does not retry, whatever the status ({source})"),
        (false, Some(status)) if status.is_server_error() => format!(
            "the provider does not retry; it retries after a 5xx alone, such as \
             `rejection_status(StatusCode::{})`, which proxies count against the server ({source})",
            constant(status)
        ),
        (false, Some(status)) => format!(
            "a 403 ends the retries; the provider retries after \
             `rejection_status(StatusCode::{})` ({source})",
            constant(status)
        ),
    })
}

/// The status of authentication failures, with its source.
fn status(policy: &DeliveryPolicy) -> String {
    let status = policy.status().as_str().to_owned();
    match source(policy, "status").map(link) {
        None => status,
        Some(link) => format!("{status}, which the provider demands ({link})"),
    }
}

fn constant(status: http::StatusCode) -> String {
    status.canonical_reason().unwrap().to_uppercase().replace(' ', "_")
}

/// A provider type, as the pages show it.
struct Page {
    type_name: &'static str,
    policy: &'static DeliveryPolicy,
    /// Algorithm and signed content, in words.
    signature: String,
    /// The registry's entries of this type.
    entries: Vec<Provider>,
}

impl Page {
    /// Every type, sorted by name.
    fn all() -> Vec<Self> {
        let mut types: BTreeMap<&str, Vec<Provider>> = BTreeMap::new();
        for provider in providers::all() {
            types.entry(provider.type_name()).or_default().push(provider);
        }
        for (type_name, ..) in words::BY_URL {
            types.insert(type_name, Vec::new());
        }
        let mut pages: Vec<_> = types
            .into_iter()
            .map(|(type_name, entries)| {
                let by_url = words::BY_URL.into_iter().find(|(name, ..)| *name == type_name);
                let (policy, signature) = match (entries.first(), by_url) {
                    (Some(entry), _) => (entry.delivery_policy(), entry.signature()),
                    (None, Some((_, id, signature))) => {
                        let mut policies = providers::delivery_policies();
                        let policy = policies.find(|policy| policy.name() == id).unwrap();
                        (policy, signature.to_owned())
                    }
                    (None, None) => unreachable!("a type without entries is in the table"),
                };
                Self { type_name, policy, signature, entries }
            })
            .collect();
        pages.sort_by_key(|page| page.type_name.to_lowercase());
        pages
    }

    /// The scheme, of a provider that is nothing more.
    fn scheme(&self) -> Option<&'static Scheme> {
        self.entries.first()?.scheme()
    }

    fn tolerance(&self) -> Option<Tolerance> {
        self.entries.iter().find_map(Provider::tolerance)
    }

    fn tolerance_cell(&self) -> String {
        let expires = || self.entries.iter().any(|entry| expiring().contains(entry.name()));
        match self.tolerance() {
            Some(tolerance) => span(tolerance.past()),
            None if SIGN_TIMES.contains(&self.type_name) => span(self.policy.tolerance().past()),
            None if EXPIRE.contains(&self.type_name) => "until the token expires".to_owned(),
            None if expires() => "until the token expires".to_owned(),
            None => "none".to_owned(),
        }
    }

    /// The guard of the best of its ways.
    fn guard(&self, guards: &BTreeMap<&str, Guard>) -> Option<Guard> {
        self.entries.iter().filter_map(|entry| guards.get(entry.name()).copied()).max()
    }

    /// The names by which `by_name` finds the type.
    fn names(&self) -> String {
        let names = self.entries.iter().map(|entry| format!("`\"{}\"`", entry.name()));
        names.collect::<Vec<_>>().join(", ")
    }

    /// The generated part of the type's page.
    fn text(&self, guard: Option<Guard>) -> String {
        let mut text = String::new();
        if self.scheme().is_some() {
            let title = self.entries[0].title();
            let tolerance = self.tolerance().map_or(String::new(), |tolerance| {
                format!(", accepted for {}", span(tolerance.past()))
            });
            writeln!(text, "{title} webhooks: {}{tolerance}.\n", self.signature).unwrap();
            self.write_example(&mut text);
        } else {
            text.push_str("# Delivery\n\n");
        }
        text.push_str("| property | value |\n|---|---|\n");
        for (name, cell) in self.rows(guard) {
            writeln!(text, "| {name} | {cell} |").unwrap();
        }
        text
    }

    fn write_example(&self, text: &mut String) {
        let name = self.type_name;
        let entry = self.entries[0];
        let needs_url = entry.needs_url();
        let (import, url, argument) = match needs_url {
            true => {
                ("PublicUrl, ", "let url = PublicUrl::base(\"https://example.com\")?;\n", ", url")
            }
            false => ("", "", ""),
        };
        let url_of_example = PublicUrl::base("https://example.com").unwrap();
        let fits = |secret: &&&str| entry.verifier_at(**secret, url_of_example.clone()).is_ok();
        let secret = words::SECRETS.iter().find(fits).unwrap();
        let secret = words::secret(name).unwrap_or(secret);
        writeln!(
            text,
            "```\n\
             use tower_webhook::{{{import}SignatureLayer, providers::{name}}};\n\
             \n\
             {url}let layer = SignatureLayer::new({name}::new(\"{secret}\"{argument})?);\n\
             # Ok::<_, tower_webhook::ConfigError>(())\n\
             ```\n"
        )
        .unwrap();
    }

    fn rows(&self, guard: Option<Guard>) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if let Some(scheme) = self.scheme() {
            let words = scheme.describe();
            rows.push(("headers", words.headers));
            rows.push(("algorithm", format!("{}; the key is {}", words.algorithm, words.key)));
            rows.push(("signed content", words.signed_content));
            let freshness = match self.tolerance() {
                Some(_) => freshness(self.policy, guard),
                None => "none: a captured request can be sent again".to_owned(),
            };
            rows.push(("tolerance", freshness));
            rows.extend(words.delivery_id.map(|text| ("delivery ID", text)));
            if let Some(challenge) = words.challenge {
                rows.push(("challenge", challenge));
            }
        }
        if !self.entries.is_empty() {
            rows.push(("by name", self.names()));
        }
        if let Some(guard) = guard {
            let link = "[replay guard](crate::guide::replay#delivery-identity)";
            rows.push((link, guard.cell(self.policy).to_owned()));
        }
        rows.push(("status", status(self.policy)));
        if self.tolerance().is_some() || self.policy.retry_schedule().is_some() {
            rows.push(("retries", retries(self.policy)));
        }
        rows.extend(refused(self.policy).map(|text| ("after a rejection", text)));
        rows.push(("body limit", body_limit(self.policy)));
        rows
    }
}

#[test]
fn provider_pages() {
    let guards = Guard::all();
    let mut expected = BTreeSet::new();
    for page in Page::all() {
        if page.type_name == "SharedToken" {
            // Nobody's in particular.
            continue;
        }
        let path = format!("src/providers/pages/{}.md", page.type_name);
        check(&path, &page.text(page.guard(&guards)));
        expected.insert(format!("{}.md", page.type_name));
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers/pages");
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name());
    let found: BTreeSet<_> = files.map(|name| name.into_string().unwrap()).collect();
    expected.insert("catalogue.md".to_owned());
    assert_eq!(found, expected, "a page of a type that is not there");
}

/// All providers, with links to their types.
fn catalogue() -> String {
    let mut text =
        "| type | names for `by_name` | aliases | signed content | tolerance |\n|---|---|---|---|---|\n".to_owned();
    for page in Page::all() {
        let name = page.type_name;
        writeln!(
            text,
            "| [`{name}`](crate::providers::{name}) | {} | {} | {} | {} |",
            page.names(),
            page.entries.first().map_or(String::new(), |entry| entry.aliases().join(", ")),
            page.signature,
            page.tolerance_cell(),
        )
        .unwrap();
    }
    text
}

#[test]
fn catalogue_of_providers() {
    let text = catalogue();
    check("src/providers/pages/catalogue.md", &text);
    check_part("docs/guide/providers.md", "catalogue", &text);
    let count = providers::all().count();
    assert!(count >= 200, "the README says 200, and there are {count}");
}

#[test]
fn best_known_providers() {
    let mut text =
        "| type | signed content | tolerance | feature |\n|---|---|---|---|\n".to_owned();
    let pages = Page::all();
    for (name, also) in words::BEST_KNOWN {
        let page = pages.iter().find(|page| page.type_name == name).unwrap();
        let also = if also.is_empty() { String::new() } else { format!(" ({also})") };
        let needs_key =
            page.entries.iter().any(|e| e.credential_kind() == CredentialKind::PublicKey);
        let feature = if needs_key && page.entries.len() == 1 { "`asymmetric`" } else { "" };
        writeln!(
            text,
            "| `{name}`{also} | {} | {} | {feature} |",
            page.signature,
            page.tolerance_cell()
        )
        .unwrap();
    }
    check_part("README.md", "providers", &text);
}

#[test]
fn quick_start() {
    let source = include_str!("../../../examples/quick_start.rs");
    // Its comment says how to run it, which the README says around it.
    let code = source.split_once("\n\n").unwrap().1;
    check_part("README.md", "quick_start", &format!("```rust,no_run\n{code}```\n"));
}

#[cfg(feature = "sign")]
#[test]
fn requests_of_the_quick_start() {
    const BODY: &str = r#"{"ref":"refs/heads/main"}"#;
    let github = providers::GitHub::new("made-up-secret").unwrap();
    let request = http::Request::post("/github").body(BODY).unwrap();
    let signed = tower_webhook::sign::signed(&github, request, std::time::SystemTime::now());
    let (head, body) = signed.unwrap().into_parts();
    assert!(tower_webhook::verify(&github, &head, &body).is_ok());
    let signature = head.headers["x-hub-signature-256"].to_str().unwrap();
    let text = format!(
        "```sh\n\
         curl -i http://127.0.0.1:3000/github --json '{BODY}' \\\n    \
         -H 'x-hub-signature-256: {signature}'\n\
         # HTTP/1.1 200 OK\n\
         curl -i http://127.0.0.1:3000/github --json '{BODY}'\n\
         # HTTP/1.1 403 Forbidden; the log has reason=\"missing\" field=\"x-hub-signature-256\"\n\
         ```\n"
    );
    check_part("README.md", "requests", &text);
}

/// Signs with another tool, `openssl`, and shows what it must print.
#[cfg(feature = "sign")]
#[test]
fn signing_by_hand() {
    const SECRET: &str = "my-app-secret";
    const BODY: &str = r#"{"object":"page","entry":[]}"#;
    // The server that the command talks to has the same secret.
    let meta = providers::Meta::new(SECRET).unwrap();
    let request = http::Request::post("/webhook").body(BODY).unwrap();
    let signed = tower_webhook::sign::signed(&meta, request, std::time::SystemTime::now());
    let signature = signed.unwrap().headers()["x-hub-signature-256"].clone();
    let text = format!(
        "```sh\n\
         secret='{SECRET}'\n\
         body='{BODY}'\n\
         tag=$(printf %s \"$body\" | openssl dgst -sha256 -hmac \"$secret\" -r | cut -d' ' -f1)\n\
         curl -i http://127.0.0.1:3000/webhook -H \"x-hub-signature-256: sha256=$tag\" --json \"$body\"\n\
         ```\n\n\
         The header is `x-hub-signature-256: {}`, and the response `200 OK`.\n",
        signature.to_str().unwrap()
    );
    check_part("docs/guide/troubleshooting.md", "by_hand", &text);
}

#[test]
fn reasons() {
    let mut table = "| reason | status | meaning | [`RejectionKind`](crate::RejectionKind) |\n|---|---|---|---|\n".to_owned();
    let mut fixes = "| reason | usual cause | fix |\n|---|---|---|\n".to_owned();
    for kind in RejectionKind::ALL {
        let rejection = Rejection::new(*kind);
        writeln!(
            table,
            "| `{}` | {} | {rejection} | `{kind:?}` |",
            kind.as_str(),
            rejection.status().as_str()
        )
        .unwrap();
        let [cause, fix] = fixes::fix(*kind);
        writeln!(fixes, "| `{}` | {cause} | {fix} |", kind.as_str()).unwrap();
    }
    check_part("docs/guide/rejections.md", "rejections", &table);
    check_part("docs/guide/troubleshooting.md", "fixes", &fixes);
}

/// The headings of troubleshooting of this level.
fn headings_of_troubleshooting(level: &str) -> BTreeSet<&'static str> {
    let page = include_str!("../../../docs/guide/troubleshooting.md");
    // A line of code can begin with `#`, too.
    let text = page.split("```").step_by(2).flat_map(str::lines);
    text.filter_map(|line| line.strip_prefix(level)).collect()
}

#[cfg(feature = "explain")]
#[test]
fn every_cause_has_a_section() {
    use tower_webhook::explain::Cause;

    let causes: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    assert_eq!(headings_of_troubleshooting("## "), causes, "the headings are the names of causes");
}

#[test]
fn links_within_troubleshooting_have_headings() {
    let page = include_str!("../../../docs/guide/troubleshooting.md");
    let anchor = |heading: &str| {
        let kept = |letter: &char| letter.is_ascii_alphanumeric() || " -_".contains(*letter);
        heading.chars().filter(kept).collect::<String>().to_lowercase().replace(' ', "-")
    };
    let headings = ["# ", "## "].into_iter().flat_map(headings_of_troubleshooting);
    let anchors: BTreeSet<_> = headings.map(anchor).collect();
    let links = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
    let dead: Vec<_> = links.filter(|link| !anchors.contains(*link)).collect();
    assert!(dead.is_empty(), "no heading for {dead:?}");
}

#[test]
fn recipes() {
    let text = format!(
        "## SQLite\n\n```sql\n{}```\n\n## PostgreSQL\n\n```sql\n{}```\n",
        include_str!("../../../docs/guide/recipes/sqlite.sql"),
        include_str!("../../../docs/guide/recipes/postgres.sql"),
    );
    check_part("docs/guide/delivery_log.md", "recipes", &text);
}

#[test]
fn deliveries() {
    let guards = Guard::all();
    let mut text = "| provider | tolerance | retries | re-signed | replay guard | documented \
                    maximum | body limit | status | retried after a rejection |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    let mut rows = BTreeMap::new();
    for provider in providers::all() {
        rows.insert(provider.name(), (provider.delivery_policy(), provider.tolerance()));
    }
    for policy in providers::delivery_policies() {
        rows.entry(policy.name()).or_insert((policy, None));
    }
    for (name, (policy, tolerance)) in rows {
        let row = [
            match tolerance {
                Some(tolerance) => window(tolerance),
                None if expiring().contains(name) => "until the token expires".to_owned(),
                None => "none".to_owned(),
            },
            match policy.retry_schedule() {
                None => String::new(),
                Some(Duration::ZERO) => "none".to_owned(),
                Some(time) => span(time),
            },
            match policy.is_signed_anew().filter(|_| tolerance.is_some()) {
                None => "",
                Some(true) => "yes",
                Some(false) => "no",
            }
            .to_owned(),
            guards.get(name).map_or("no", |guard| guard.cell(policy)).to_owned(),
            policy.max_body().map_or(String::new(), bytes),
            bytes(policy.body_limit()),
            policy.status().as_str().to_owned(),
            match (policy.retries_refused(), policy.retried_status()) {
                (None, _) => String::new(),
                (Some(true), _) => "yes".to_owned(),
                (Some(false), None) => "no".to_owned(),
                (Some(false), Some(status)) => format!("no ({}: yes)", status.as_str()),
            },
        ];
        writeln!(text, "| `{name}` | {} |", row.join(" | ")).unwrap();
    }
    check_part("docs/guide/deliveries.md", "deliveries", &text);
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
