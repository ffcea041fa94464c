//! Every vector, broken in every way, and its explanation.

use std::{collections::BTreeMap, fmt::Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tower_webhook::{
    Secret,
    explain::{Cause, Effort, Finding, Strength},
};

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

/// Applies the fix of a proven finding, and nothing else of the genuine request.
fn fixed(finding: &Finding, mut broken: Case, genuine: &Case) -> Option<Case> {
    let is_providers = finding.detail().starts_with("the provider's side");
    let with_key = |key: &[u8]| Some(vec![Secret::from_bytes(key).ok()?]);
    match finding.cause() {
        // The component above the layer forwards the bytes, and what describes them, unchanged.
        Cause::Base64Body
        | Cause::ByteOrderMark
        | Cause::Charset
        | Cause::DigestDiffers
        | Cause::FinalNewline
        | Cause::FormRewritten
        | Cause::JsonRewritten
        | Cause::JsonStringBody
        | Cause::LineEnds
        | Cause::WhiteSpace => broken.body = genuine.body.clone(),
        Cause::HeaderRenamed | Cause::SignatureEncoding | Cause::SignatureFormat => {
            broken.head = genuine.head.clone();
        }
        // The secret is set anew in the console, and signs from then on.
        Cause::SecretPadded | Cause::SecretQuoted if is_providers => {
            (broken.head, broken.body) = (genuine.head.clone(), genuine.body.clone());
        }
        Cause::SecretAssigned | Cause::SecretPadded | Cause::SecretQuoted => {
            broken.secrets.clone_from(&genuine.secrets);
        }
        // The key is configured as the finding describes it.
        Cause::SecretEncoding => {
            assert_eq!(finding.detail(), "the key is the base64 text of the secret");
            broken.secrets = with_key(STANDARD.encode(&genuine.secret).as_bytes())?;
        }
        Cause::SecretPrefix => {
            let key = match genuine.secret.strip_prefix("whsec_") {
                Some(rest) => rest.to_owned(),
                None => format!("whsec_{}", genuine.secret),
            };
            broken.secrets = with_key(key.as_bytes())?;
        }
        Cause::TimeOutsideTolerance => broken.now = genuine.now,
        Cause::UrlHost
        | Cause::UrlPath
        | Cause::UrlPort
        | Cause::UrlQuery
        | Cause::UrlScheme
        | Cause::UrlTrailingSlash => {
            let url = unescaped(finding.detail().strip_prefix("the signed URL is ")?);
            // The values of the query are not shown. They are in the provider's console.
            let query = genuine.url.as_deref()?.split_once('?');
            broken.url = Some(match (url.split_once('?'), query) {
                (Some((url, _)), Some((_, query))) => format!("{url}?{query}"),
                _ => url,
            });
        }
        _ => return None,
    }
    Some(broken)
}

/// Reads the escapes of characters that are not ASCII.
fn unescaped(text: &str) -> String {
    let mut parts = text.split(r"\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_breakage_of_every_vector_is_explained() {
    let cases = Case::all();
    let mut table = String::new();
    let mut reversible = Count::default();
    let mut missed = Vec::new();
    let (mut cures, mut uncured) = (0, Vec::new());
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
            let proven: Vec<_> = explanation
                .findings()
                .iter()
                .filter(|finding| finding.strength() == Strength::Proven)
                .collect();
            if !proven.is_empty() {
                let cured = proven.iter().try_fold(broken, |broken, it| fixed(it, broken, case));
                let is_cured = cured.is_some_and(|case| case.explain().rejection().is_none());
                cures += u32::from(is_cured);
                if !is_cured {
                    let name = case.provider.name();
                    uncured.push(format!("{name}: {}: {explanation}", breakage.name));
                }
            }
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
    assert!(uncured.is_empty() && cures > 3000, "{cures}\n{}", uncured.join("\n"));
    let total = reversible.proven + reversible.clue + reversible.none;
    let missed = missed.join("\n");
    eprintln!("{} of {total} reversible ones proven; missed:\n{missed}", reversible.proven);
    assert!(total > 2000 && reversible.proven * 100 >= total * 95, "{missed}");
}
