//! The search for a cause: facts first, then changes of the request and the configuration, likeliest
//! first.

use std::{ops::ControlFlow, time::Duration};

use bytes::Bytes;
use http::{HeaderName, request::Parts};

use crate::{
    explain::{
        bodies::each_body,
        clues, form,
        json::{Json, style::Style},
        other::Other,
    },
    outcome::{
        cause::Cause,
        explanation::{Explanation, Finding},
        field::Field,
        kind::RejectionKind,
        rejection::Rejection,
    },
    parse::clock::Clock,
    verifier::{
        context::Context,
        probe::{Effort, Probe},
        verifier::Verifier,
    },
};

/// JSON styles that are tried before the variants of the verifier.
const LIKELY_STYLES: usize = 8;

/// Variants of the verifier that are tried with a changed body.
const MAX_PAIRS: u32 = 64;

/// Explains why a verifier rejects a request.
pub(crate) fn search<V: Verifier + ?Sized>(
    verifier: &V,
    request: &Context<'_>,
    body: &Bytes,
    effort: Effort,
    others: &[Other],
) -> Explanation {
    let parts = verifier.sensitive_parts();
    let provider = verifier.defaults().provider();
    let mut first = Probe::new(request, body, effort);
    let judged = match verifier.challenge(request) {
        Some(answer) => answer.map(drop),
        None => first.judge(verifier, request, body).map(drop),
    };
    let Err(rejection) = judged else {
        let (findings, is_complete, tried, hashed) = first.finish();
        return Explanation { provider, rejection: None, findings, is_complete, tried, hashed };
    };
    // A request that was signed at another time can have another fault, too.
    let signed_at = signed_at(&rejection, request);
    let clock = signed_at.as_ref().unwrap_or_else(|| request.clock());
    let request = Context::new(request.head()).at(clock);
    let mut probe = Probe::new(&request, body, effort).hiding_url(parts.has_url());
    if rejection.kind().is_authentication_failure() {
        run(&mut probe, verifier, &rejection, others);
    }
    let (findings, is_complete, tried, hashed) = probe.finish();
    let (tried, rejection) = (tried + 1, Some(rejection.kind()));
    Explanation { provider, rejection, findings, is_complete, tried, hashed }
}

fn run<V: Verifier + ?Sized>(
    probe: &mut Probe<'_>,
    verifier: &V,
    rejection: &Rejection,
    others: &[Other],
) {
    clues::add(probe, rejection);
    // An unknown tenant's verifier has a secret that nobody knows, and a challenge no signature.
    let has_no_signature = matches!(
        rejection.kind(),
        RejectionKind::UnknownTenant
            | RejectionKind::ChallengeFailed
            | RejectionKind::ChallengeMalformed
            | RejectionKind::ChallengeUnexpected
    );
    if has_no_signature {
        return;
    }
    if let Some(age) = rejection.age_millis() {
        probe.verifier(signed(Finding::proven, age), verifier);
        probe.clue(signed(Finding::clue, age));
    }
    rename_headers(probe, verifier, rejection);
    let request = Context::new(probe.head()).at(probe.clock());
    // A request that is rejected from its head is rejected with every body.
    let takes_body = verifier.begin(&request).is_ok();
    let json = Json::parse(probe.body()).filter(|_| takes_body);
    let styles: Vec<_> = json.iter().flat_map(Json::styles).collect();
    let (likely, others_of_json) = styles.split_at(styles.len().min(LIKELY_STYLES));
    if takes_body {
        let _ = each_body(probe.body(), &mut |finding, body| {
            probe.request(finding, verifier, probe.head(), &body);
            if probe.is_open() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
    rewrite(probe, verifier, json.as_ref(), likely);
    verifier.explain(probe);
    rewrite(probe, verifier, json.as_ref(), others_of_json);
    if takes_body && probe.is_open() {
        for (style, body) in form::rewrites(probe.body()).unwrap_or_default() {
            let finding = Finding::proven(Cause::FormRewritten).with_detail(style);
            probe.request(finding, verifier, probe.head(), &body.into());
        }
    }
    for other in others {
        other.probe(probe);
    }
    borrow_signatures(probe, verifier, rejection);
    pairs(probe, verifier, json.as_ref(), likely);
    if probe.is_open() && rejection.kind() == RejectionKind::SignatureMismatch {
        probe.clue(Finding::clue(Cause::NothingMatches));
    }
}

/// Tries the JSON of the body in these styles.
fn rewrite<V: Verifier + ?Sized>(
    probe: &mut Probe<'_>,
    verifier: &V,
    json: Option<&Json<'_>>,
    styles: &[Style],
) {
    for style in styles {
        let Some(json) = json.filter(|_| probe.is_open()) else { return };
        let body = Bytes::from(json.write(*style));
        let detail = format!("the signature fits the same JSON {style}");
        let finding = Finding::proven(Cause::JsonRewritten).with_detail(detail);
        probe.request(finding, verifier, probe.head(), &body);
    }
}

/// Tries the variants of the verifier with the likeliest other bodies.
fn pairs<V: Verifier + ?Sized>(
    probe: &mut Probe<'_>,
    verifier: &V,
    json: Option<&Json<'_>>,
    styles: &[Style],
) {
    if !probe.is_open() {
        return;
    }
    let body = probe.body();
    let other = match body.strip_suffix(b"\n") {
        Some(cut) => body.slice_ref(cut),
        None => [body, &b"\n"[..]].concat().into(),
    };
    let finding = Finding::proven(Cause::FinalNewline);
    probe.with_body(&other, finding, MAX_PAIRS, |probe| verifier.explain(probe));
    for style in styles.iter().take(2) {
        let Some(json) = json else { return };
        let finding = Finding::proven(Cause::JsonRewritten);
        let body = Bytes::from(json.write(*style));
        probe.with_body(&body, finding, MAX_PAIRS, |probe| verifier.explain(probe));
    }
}

/// Tries the values of headers with a similar name in place of a missing header.
fn rename_headers<V: Verifier + ?Sized>(
    probe: &mut Probe<'_>,
    verifier: &V,
    rejection: &Rejection,
) {
    let Some(missing) = missing_header(rejection) else { return };
    for name in clues::similar(probe.head(), &missing) {
        let Some(changed) = moved(probe.head(), &name, &missing) else { continue };
        let detail = format!("`{missing}` arrived as `{name}`");
        let finding = Finding::proven(Cause::HeaderRenamed).with_detail(detail.clone());
        probe.request(finding, verifier, &changed, probe.body());
        probe.clue(Finding::clue(Cause::HeaderRenamed).with_detail(detail));
    }
}

/// Tries the variants of the verifier with the value of another signature header.
fn borrow_signatures<V: Verifier + ?Sized>(
    probe: &mut Probe<'_>,
    verifier: &V,
    rejection: &Rejection,
) {
    let Some(missing) = missing_header(rejection) else { return };
    for name in clues::signatures(probe.head()) {
        let Some(changed) = moved(probe.head(), &name, &missing) else { continue };
        let detail = format!("the request has the signature header `{name}`");
        let finding = Finding::proven(Cause::OtherProvider).with_detail(detail.clone());
        probe.with_head(&changed, Some(finding), MAX_PAIRS, |probe| verifier.explain(probe));
        probe.clue(Finding::clue(Cause::OtherProvider).with_detail(detail));
    }
}

/// Returns the header that a rejection misses.
fn missing_header(rejection: &Rejection) -> Option<HeaderName> {
    match (rejection.kind(), rejection.field()) {
        (RejectionKind::Missing, Some(Field::Header(name))) => Some(name),
        _ => None,
    }
}

/// Returns the head with the value of one header under another name.
fn moved(head: &Parts, from: &HeaderName, to: &HeaderName) -> Option<Parts> {
    let value = head.headers.get(from)?.clone();
    let mut changed = head.clone();
    changed.headers.insert(to, value);
    Some(changed)
}

/// Returns a clock that shows the time at which a request was signed, if it was rejected for that
/// time.
fn signed_at(rejection: &Rejection, request: &Context<'_>) -> Option<Clock> {
    let age = rejection.age_millis()?;
    let now = request.clock().now();
    let distance = Duration::from_millis(age.unsigned_abs());
    let time = if age < 0 { now.checked_add(distance) } else { now.checked_sub(distance) };
    time.map(Clock::fixed)
}

fn signed(finding: fn(Cause) -> Finding, age: i64) -> Finding {
    let seconds = age.unsigned_abs() / 1000;
    let detail = match age < 0 {
        true => format!("it was signed {seconds} seconds in the future"),
        false => format!("it was signed {seconds} seconds ago"),
    };
    finding(Cause::TimeOutsideTolerance).with_detail(detail)
}
