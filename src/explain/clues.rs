//! Facts that point to a cause.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, request::Parts};
use sha2::{Digest, Sha256, Sha512};

use crate::{
    explain::json::Json,
    outcome::{
        cause::Cause, explanation::Finding, field::Field, kind::RejectionKind, rejection::Rejection,
    },
    verifier::probe::Probe,
};

/// Headers of proxies, which may have dropped a header.
const PROXIES: [&str; 6] =
    ["via", "x-forwarded-for", "cf-ray", "x-amz-cf-id", "x-amzn-trace-id", "ngrok-trace-id"];

/// Digests in a header that are compared.
const MAX_DIGESTS: usize = 2;

/// Names of headers that are shown.
const MAX_NAME: usize = 64;

/// Adds the facts about a rejected request.
pub(crate) fn add(probe: &mut Probe<'_>, rejection: &Rejection) {
    let (head, body) = (probe.head(), probe.body());
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    if let (RejectionKind::Missing, Some(Field::Header(name))) =
        (rejection.kind(), rejection.field())
    {
        let proxy = PROXIES.iter().find(|proxy| head.headers.contains_key(**proxy));
        let detail = match proxy {
            Some(proxy) => format!("`{name}`; a proxy set `{proxy}`"),
            None => format!("`{name}`"),
        };
        probe.clue(Finding::clue(Cause::HeaderMissing).with_detail(detail));
    }
    let declared = text("content-length").and_then(|text| text.parse::<u64>().ok());
    let received = u64::try_from(body.len()).unwrap_or(u64::MAX);
    match declared.filter(|declared| *declared != received) {
        Some(declared) if body.is_empty() => {
            let detail = format!("{declared} bytes were declared");
            probe.clue(Finding::clue(Cause::BodyEmpty).with_detail(detail));
        }
        Some(declared) => {
            let detail = format!("{declared} bytes were declared, {received} arrived");
            probe.clue(Finding::clue(Cause::LengthDiffers).with_detail(detail));
        }
        None => {}
    }
    if is_digest_wrong(head, body) {
        probe.clue(Finding::clue(Cause::DigestDiffers));
    }
    let is_gzip = body.starts_with(&[0x1f, 0x8b]);
    if let Some(encoding) =
        text("content-encoding").filter(|it| !it.eq_ignore_ascii_case("identity"))
    {
        let detail = match encoding.eq_ignore_ascii_case("gzip") && !is_gzip {
            true => "`content-encoding` says gzip, and the body is not",
            false => "the request has a `content-encoding`",
        };
        probe.clue(Finding::clue(Cause::Compression).with_detail(detail));
    } else if is_gzip {
        let detail = "the body is gzip, and `content-encoding` does not say so";
        probe.clue(Finding::clue(Cause::Compression).with_detail(detail));
    }
    if rejection.kind() == RejectionKind::SignatureMismatch {
        look_at_body(probe);
    }
}

fn look_at_body(probe: &mut Probe<'_>) {
    let lost = std::str::from_utf8(probe.body()).map_or(0, |text| text.matches('\u{fffd}').count());
    if lost > 0 {
        let detail = format!("{lost} characters were replaced");
        probe.clue(Finding::clue(Cause::CharactersLost).with_detail(detail));
    }
    let Some(json) = Json::parse(probe.body()) else { return };
    let detail = match (json.is_sorted(), json.has_rounded_number()) {
        (_, true) => "a number is rounded as JavaScript rounds it",
        (true, _) => "all keys are in alphabetical order",
        _ => return,
    };
    probe.clue(Finding::clue(Cause::JsonReordered).with_detail(detail));
}

/// Returns whether a digest in the head is not that of the body. A digest that cannot be read is no
/// clue.
fn is_digest_wrong(head: &Parts, body: &[u8]) -> bool {
    let mut values = ["content-digest", "repr-digest", "digest"]
        .iter()
        .filter_map(|name| head.headers.get(*name).and_then(|value| value.to_str().ok()));
    let items = values.next().into_iter().flat_map(|value| value.split(','));
    // Each digest costs a hash of the body.
    items.take(MAX_DIGESTS).filter_map(|item| item.trim().split_once('=')).any(|(name, digest)| {
        let Ok(digest) = STANDARD.decode(digest.trim_matches(':')) else { return false };
        match (&*name.to_ascii_lowercase(), digest.len()) {
            ("sha-256", 32) => digest != Sha256::digest(body)[..],
            ("sha-512", 64) => digest != Sha512::digest(body)[..],
            _ => false,
        }
    })
}

/// Returns the names in the head that a proxy may have made of this name.
pub(crate) fn similar(head: &Parts, name: &HeaderName) -> Vec<HeaderName> {
    let own = plain(name);
    let is_similar = |other: &&HeaderName| {
        let other_plain = plain(other);
        **other != *name
            && (other_plain.ends_with(&own) || own.ends_with(&other_plain))
            && other_plain.len() * 2 > own.len()
    };
    head.headers.keys().filter(is_similar).take(4).cloned().collect()
}

/// Returns the names in the head that look like those of signature headers.
pub(crate) fn signatures(head: &Parts) -> Vec<HeaderName> {
    let is_signature = |name: &&HeaderName| {
        name.as_str().len() <= MAX_NAME
            && ["signature", "hmac", "digest-sha"].iter().any(|part| name.as_str().contains(part))
    };
    head.headers.keys().filter(is_signature).take(3).cloned().collect()
}

/// Returns a name without separators and without the `x` of extensions.
fn plain(name: &HeaderName) -> String {
    let letters: String = name.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    letters.strip_prefix('x').map_or(letters.clone(), str::to_owned)
}
