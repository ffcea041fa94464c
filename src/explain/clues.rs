//! Facts that point to a cause.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, request::Parts};
use sha2::{Digest, Sha256, Sha512};

use crate::{
    explain::json::Json,
    outcome::{
        cause::Cause, explanation::Finding, field::Field, kind::RejectionKind, rejection::Rejection,
    },
    parse::headers::text,
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
    let declared = text(&head.headers, "content-length").and_then(|text| text.parse::<u64>().ok());
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
    if has_wrong_digest(probe) {
        probe.clue(Finding::clue(Cause::DigestDiffers));
    }
    let is_gzip = body.starts_with(&[0x1f, 0x8b]);
    if let Some(encoding) =
        text(&head.headers, "content-encoding").filter(|it| !it.eq_ignore_ascii_case("identity"))
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
        look_at_text(probe);
    }
    if rejection.kind() == RejectionKind::UnknownKey {
        probe.clue(Finding::clue(Cause::UnknownKey));
    }
    if rejection.kind() == RejectionKind::UnknownTenant {
        let form = match rejection.claimed_tenant() {
            Some(id) => unusual_form(id),
            // `Tenants` looked up no ID.
            None if rejection.tenant.as_deref() == Some("") => {
                Some("the request has no ID, or a malformed one")
            }
            None => None,
        };
        let form = form.unwrap_or_default();
        probe.clue(Finding::clue(Cause::UnknownTenant).with_detail(form));
    }
}

/// Returns what is unusual about an ID that was looked up. The ID itself is the sender's text.
fn unusual_form(id: &str) -> Option<&'static str> {
    let is_encoded = |part: &str| {
        part.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if id.contains('/') {
        Some("the ID that was looked up has a slash")
    } else if id.split('%').skip(1).any(is_encoded) {
        Some("the ID that was looked up is percent-encoded")
    } else if id.trim() != id {
        Some("white space surrounds the ID that was looked up")
    } else if id.chars().any(char::is_uppercase) {
        Some("the ID that was looked up has capital letters")
    } else {
        None
    }
}

fn look_at_text(probe: &mut Probe<'_>) {
    let lost = std::str::from_utf8(probe.body()).map_or(0, |text| text.matches('\u{fffd}').count());
    if lost > 0 {
        let detail = format!("{lost} characters were replaced");
        probe.clue(Finding::clue(Cause::CharactersLost).with_detail(detail));
    }
}

/// Adds the fact that the JSON looks as if it had been parsed and written again.
pub(crate) fn look_at_json(probe: &mut Probe<'_>) {
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
fn has_wrong_digest(probe: &mut Probe<'_>) -> bool {
    let (head, body) = (probe.head(), probe.body());
    let mut names = ["content-digest", "repr-digest", "digest"].into_iter();
    let value = names.find_map(|name| text(&head.headers, name)).unwrap_or_default();
    // Each digest costs a hash of the body.
    value.split(',').take(MAX_DIGESTS).any(|item| {
        let Some((name, digest)) = item.trim().split_once('=') else { return false };
        let digest = STANDARD.decode(digest.trim_matches(':')).unwrap_or_default();
        let own = match (&*name.to_ascii_lowercase(), digest.len()) {
            ("sha-256", 32) => Sha256::digest(body).to_vec(),
            ("sha-512", 64) => Sha512::digest(body).to_vec(),
            _ => return false,
        };
        probe.count_hashed(body.len());
        own != digest
    })
}

/// Returns the headers that can have the value of a missing one, and the cause of each: first those
/// with the same name in another form, then those that look like a signature.
pub(crate) fn in_place_of(head: &Parts, missing: &HeaderName) -> Vec<(HeaderName, Cause)> {
    let own = plain(missing);
    let others = || head.headers.keys().filter(|name| name.as_str().len() <= MAX_NAME);
    let is_same = |name: &&HeaderName| *name != missing && plain(name) == own;
    let is_signature = |name: &&HeaderName| {
        let is_it = ["signature", "hmac"].iter().any(|part| name.as_str().contains(part));
        is_it && plain(name) != own
    };
    let renamed = others().filter(is_same).map(|name| (name.clone(), Cause::HeaderRenamed));
    let of_others = others().filter(is_signature).map(|name| (name.clone(), Cause::OtherProvider));
    renamed.take(2).chain(of_others.take(3)).collect()
}

/// Returns a name without separators and without what servers, gateways and proxies put before it.
fn plain(name: &HeaderName) -> String {
    let letters: String = name.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    let prefixes = ["http", "xamznremapped", "xoriginal", "xforwarded", "x"];
    let rest =
        prefixes.iter().fold(&*letters, |rest, prefix| rest.strip_prefix(prefix).unwrap_or(rest));
    rest.to_owned()
}
