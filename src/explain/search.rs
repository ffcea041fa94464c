//! The search for a cause: facts first, then changes of the request and the configuration, likeliest
//! first.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

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

/// Explains why a verifier rejects a request. If `hides_url`, no finding shows the path.
pub(crate) fn search<V: Verifier + ?Sized>(
    verifier: &V,
    request: &Context<'_>,
    body: &Bytes,
    (effort, hides_url): (Effort, bool),
    others: &[Arc<Other>],
) -> Explanation {
    let signed_at;
    let mut probe = Probe::new(request, body, effort);
    probe.hide_url(hides_url || verifier.sensitive_parts().has_url());
    let judged = match verifier.challenge(request) {
        Some(answer) => answer.map(drop),
        None => probe.judge(verifier, request, body).map(drop),
    };
    let rejection = judged.err();
    if let Some(rejection) = &rejection {
        signed_at = signing_time(rejection, request);
        // A request that was signed at another time can have another fault, too.
        if let Some(clock) = &signed_at {
            probe.set_clock(clock);
        }
        if rejection.kind().is_authentication_failure() {
            run(&mut probe, verifier, rejection, others);
        }
    }
    let (findings, is_complete, tried, hashed) = probe.finish();
    let provider = verifier.defaults().provider();
    let rejection = rejection.map(|rejection| rejection.kind());
    Explanation { provider, rejection, findings, is_complete, tried, hashed }
}

/// Explains the rejection of a request for which a lookup found no verifier, by facts alone.
pub(crate) fn search_head(
    rejection: &Rejection,
    request: &Context<'_>,
    body: &Bytes,
    effort: Effort,
) -> Explanation {
    let mut probe = Probe::new(request, body, effort);
    clues::add(&mut probe, rejection);
    let (findings, is_complete, tried, hashed) = probe.finish();
    let (provider, rejection) = (rejection.provider(), Some(rejection.kind()));
    Explanation { provider, rejection, findings, is_complete, tried, hashed }
}

fn run<V: Verifier + ?Sized>(
    probe: &mut Probe<'_>,
    verifier: &V,
    rejection: &Rejection,
    others: &[Arc<Other>],
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
    let age = rejection.age_millis();
    if let Some(age) = age {
        probe.verifier(signed(Finding::proven, age), verifier);
        probe.clue(signed(Finding::clue, age));
    }
    try_changes(probe, verifier);
    let unsigned = probe.unsigned(&verifier.sensitive_parts());
    for other in others {
        other.probe(probe, &unsigned);
    }
    if let (RejectionKind::Missing, Some(Field::Header(missing))) =
        (rejection.kind(), rejection.field())
    {
        move_headers(probe, verifier, &missing);
    }
    try_pairs(probe, verifier);
    let is_mismatch = rejection.kind() == RejectionKind::SignatureMismatch;
    if probe.is_open() && (is_mismatch || age.is_some()) {
        probe.clue(Finding::clue(Cause::NothingMatches));
    }
    // It is a guess, so it comes after the other facts.
    if probe.is_open() && is_mismatch {
        clues::look_at_json(probe);
    }
}

/// Tries the changes of the body and the variants of the verifier, likeliest first.
fn try_changes<V: Verifier + ?Sized>(probe: &mut Probe<'_>, verifier: &V) {
    let request = Context::new(probe.head()).at(probe.clock());
    // A request that is rejected from its head is rejected with every body.
    if verifier.begin(&request).is_err() {
        verifier.explain(probe);
        return;
    }
    let _ = each_body(probe.body(), &mut |finding, body| {
        probe.request(finding, verifier, probe.head(), &body);
        if probe.is_open() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let (json, styles) = json_of(probe);
    let (likely, others) = styles.split_at(styles.len().min(LIKELY_STYLES));
    rewrite(probe, verifier, json.as_ref(), likely);
    verifier.explain(probe);
    rewrite(probe, verifier, json.as_ref(), others);
    if probe.is_open() {
        for (style, body) in form::rewrites(probe.body()).unwrap_or_default() {
            let finding = Finding::proven(Cause::FormRewritten).with_detail(style);
            probe.request(finding, verifier, probe.head(), &body.into());
        }
    }
}

/// Returns the JSON of the body and its styles, if the search goes on.
fn json_of<'a>(probe: &Probe<'a>) -> (Option<Json<'a>>, Vec<Style>) {
    let json = probe.is_open().then(|| Json::parse(probe.body())).flatten();
    let styles = json.iter().flat_map(Json::styles).collect();
    (json, styles)
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
fn try_pairs<V: Verifier + ?Sized>(probe: &mut Probe<'_>, verifier: &V) {
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
    let (json, styles) = json_of(probe);
    for style in styles.into_iter().take(2) {
        let Some(json) = &json else { return };
        let finding = Finding::proven(Cause::JsonRewritten);
        let body = Bytes::from(json.write(style));
        probe.with_body(&body, finding, MAX_PAIRS, |probe| verifier.explain(probe));
    }
}

/// Tries the values of other headers in place of a missing one: of those with the same name in
/// another form, and of those that look like a signature.
fn move_headers<V: Verifier + ?Sized>(probe: &mut Probe<'_>, verifier: &V, missing: &HeaderName) {
    for (name, cause) in clues::in_place_of(probe.head(), missing) {
        let Some(changed) = moved(probe.head(), &name, missing) else { continue };
        let detail = match cause {
            Cause::HeaderRenamed => format!("`{missing}` arrived as `{name}`"),
            _ => format!("the request has the signature header `{name}`"),
        };
        let finding = |strength: fn(Cause) -> Finding| strength(cause).with_detail(detail.clone());
        probe.request(finding(Finding::proven), verifier, &changed, probe.body());
        probe.with_head(&changed, Some(finding(Finding::proven)), MAX_PAIRS, |probe| {
            try_changes(probe, verifier);
        });
        probe.clue(finding(Finding::clue));
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
fn signing_time(rejection: &Rejection, request: &Context<'_>) -> Option<Clock> {
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
