//! Variants of a scheme's verifier that its user may have meant.

use std::sync::Arc;

use http::{HeaderValue, Uri, request::Parts};

use crate::{
    crypto::{
        mac::{Algorithm, Mac},
        secret::Secret,
        secret_hash::SecretHash,
    },
    outcome::{cause::Cause, explanation::Finding},
    parse::encoding::Encoding,
    scheme::{
        component::Component,
        declaration::Scheme,
        key_variants::{each_key, each_known_key},
        public_url::PublicUrl,
        signature_format::SignatureFormat,
        url_variants::{UrlVariant, url_variants},
        verifier::{Inner, Keys, SchemeVerifier},
    },
    verifier::probe::Probe,
};

/// Signed contents of other versions and other providers.
const CONTENTS: [&[Component]; 12] = [
    &[Component::Body],
    &[Component::Time, Component::Literal("."), Component::Body],
    &[
        Component::Id,
        Component::Literal("."),
        Component::Time,
        Component::Literal("."),
        Component::Body,
    ],
    &[Component::Literal("v0:"), Component::Time, Component::Literal(":"), Component::Body],
    &[Component::Time, Component::Body],
    &[Component::Body, Component::Time],
    &[Component::Time, Component::Literal(":"), Component::Body],
    &[Component::Body, Component::Literal("."), Component::Time],
    &[Component::Url, Component::Body],
    &[Component::Body, Component::Url],
    &[Component::Method, Component::Url, Component::Body],
    &[Component::Method, Component::Url, Component::Body, Component::Time],
];

/// Prefixes of signatures in a header.
const PREFIXES: [&str; 10] =
    ["", "sha256=", "sha1=", "sha512=", "v0=", "v1=", "hmac-sha256=", "v1,", "t=", "HMAC "];

const ENCODINGS: [Encoding; 3] = [Encoding::Hex, Encoding::Base64, Encoding::Base64Url];

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::HmacSha256, Algorithm::HmacSha1, Algorithm::HmacSha512, Algorithm::HmacSha384];

impl SchemeVerifier {
    /// Tries the variants, likeliest first: secrets, URLs, then other schemes.
    pub(crate) fn probe(&self, probe: &mut Probe<'_>) {
        let family = self.family(probe.head());
        // A family has no challenge of its own, and its keys answer that of the main scheme.
        let told;
        let family = if self.0.scheme.has_keyed_challenge() {
            told = family.variant(|inner| inner.scheme.challenge = self.0.scheme.challenge);
            &told
        } else {
            family
        };
        family.probe_kinds(probe);
        if let Some(legacy) = self.0.legacy.as_ref() {
            let detail = "it is the provider's older signature, which is not accepted";
            probe.verifier(Finding::proven(Cause::Algorithm).with_detail(detail), legacy);
        }
        family.probe_secrets(probe);
        family.probe_urls(probe);
        // Anyone can obtain the HMAC of a challenge's token, which could be such a content.
        let is_told = self.0.scheme.has_keyed_challenge();
        if probe.is_open() {
            family.probe_signature(probe);
        }
        if !is_told && probe.is_open() {
            family.probe_contents(probe);
        }
        if probe.is_open() {
            family.probe_known_keys(probe);
        }
    }

    /// Returns this verifier with a change, without its families.
    fn variant(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = (*self.0).clone();
        inner.families.clear();
        inner.legacy = None;
        change(&mut inner);
        inner.open_sides = inner.scheme.open_sides(inner.url.as_ref());
        inner.digest = inner.scheme.body_digest();
        inner.is_extendable = inner.scheme.is_extendable();
        Self(Arc::new(inner))
    }

    fn with_key(&self, key: &[u8]) -> Option<Self> {
        let algorithm = self.0.scheme.algorithm;
        let keys = match Mac::new(algorithm, key) {
            Some(mac) => Keys::Secret(vec![mac]),
            None => {
                let key = Secret::from_bytes(key).ok()?;
                Keys::Hashed(vec![SecretHash::new(algorithm, key)?])
            }
        };
        Some(self.variant(|inner| inner.keys = keys))
    }

    /// Adds a clue for each secret that looks like another credential.
    fn probe_kinds(&self, probe: &mut Probe<'_>) {
        let credentials = self.0.scheme.other_credentials;
        let clues = self.0.secrets.iter().filter_map(|secret| credentials.explain(secret));
        clues.for_each(|clue| probe.clue(clue));
    }

    fn probe_secrets(&self, probe: &mut Probe<'_>) {
        for secret in &self.0.secrets {
            if !probe.is_open() {
                return;
            }
            each_key(secret, self.0.scheme.secret_encoding, &mut |finding, key| {
                if let Some(variant) = self.with_key(key) {
                    probe.verifier(finding, &variant);
                }
            });
        }
    }

    fn probe_known_keys(&self, probe: &mut Probe<'_>) {
        if let Keys::Secret(_) | Keys::Hashed(_) = &self.0.keys {
            each_known_key(&mut |finding, key| {
                if let Some(variant) = self.with_key(key) {
                    probe.verifier(finding, &variant);
                }
            });
        }
    }

    fn probe_urls(&self, probe: &mut Probe<'_>) {
        let content = self.0.scheme.signed_content;
        if content.contains(&Component::Url) {
            self.probe_spelled_urls(probe, &|url| url);
        } else if content.iter().any(is_of_request_line) {
            let (head, is_hidden) = (probe.head(), probe.hides_url());
            let host = head.headers.get("host").and_then(|host| host.to_str().ok());
            let host = host.or(head.uri.authority().map(|host| host.as_str()));
            let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
            let received = format!("https://{}{target}", host.unwrap_or("host.invalid"));
            for UrlVariant { findings, text } in url_variants(&received, head, is_hidden) {
                if let Some(changed) = with_url(head, &text) {
                    probe.request_of(findings, self, &changed, probe.body());
                }
            }
        }
    }

    /// Tries the URLs that the provider may have signed, in its spelling.
    pub(crate) fn probe_spelled_urls(
        &self,
        probe: &mut Probe<'_>,
        spelled: &dyn Fn(String) -> String,
    ) {
        if !probe.is_open() {
            return;
        }
        let head = probe.head();
        let Some(Ok(configured)) = self.0.url.as_ref().map(|url| url.resolve(head)) else { return };
        for UrlVariant { findings, text } in url_variants(&configured, head, probe.hides_url()) {
            let text = spelled(text);
            // The provider's spelling can be that of the configured URL.
            if let Some(url) = PublicUrl::fixed(&text).ok().filter(|_| text != configured) {
                probe.verifier_of(findings, &self.variant(|inner| inner.url = Some(url)));
            }
        }
    }

    /// Tries the formats, encodings and algorithms that the received signature may have.
    fn probe_signature(&self, probe: &mut Probe<'_>) {
        let scheme = &self.0.scheme;
        let head = probe.head();
        let formats = PREFIXES.map(|prefix| SignatureFormat::Single { prefix });
        for format in std::iter::once(scheme.signature_format).chain(formats) {
            for encoding in ENCODINGS {
                for algorithm in ALGORITHMS.into_iter().chain([scheme.algorithm]) {
                    let other = Scheme {
                        signature_format: format,
                        encoding,
                        algorithm,
                        required: &[],
                        ..*scheme
                    };
                    let cause = match scheme {
                        _ if algorithm != scheme.algorithm => Cause::Algorithm,
                        _ if encoding != scheme.encoding => Cause::SignatureEncoding,
                        _ if format != scheme.signature_format => Cause::SignatureFormat,
                        _ => continue,
                    };
                    // A signature of another length cannot have this algorithm.
                    let fits =
                        || other.read_signatures(head).is_ok() && other.check_headers(head).is_ok();
                    if probe.is_open() && fits() {
                        let words = other.describe();
                        let detail = format!("it is {} in {}", words.algorithm, words.headers);
                        let finding = Finding::proven(cause).with_detail(detail);
                        self.probe_scheme(probe, finding, other);
                    }
                }
            }
        }
    }

    fn probe_contents(&self, probe: &mut Probe<'_>) {
        let scheme = &self.0.scheme;
        // A plain hash of these contents has no secret in it, so anyone could have made it.
        if scheme.algorithm.is_plain_hash() {
            return;
        }
        for content in CONTENTS {
            let needs = |part| content.contains(&part);
            let is_possible = (!needs(Component::Time) || scheme.time.is_some())
                && (!needs(Component::Id) || scheme.delivery_id.is_some())
                && (!needs(Component::Url) || self.0.url.is_some());
            if content != scheme.signed_content && is_possible {
                let other = Scheme { signed_content: content, ..*scheme };
                let detail = format!("it is {}", other.describe().parts);
                let finding = Finding::proven(Cause::SignedContent).with_detail(detail);
                self.probe_scheme(probe, finding, other);
            }
        }
    }

    /// Tries the keys by another scheme.
    pub(crate) fn probe_scheme(&self, probe: &mut Probe<'_>, finding: Finding, other: Scheme) {
        let keys = match &self.0.keys {
            Keys::Public(_) if other.algorithm != self.0.scheme.algorithm => return,
            keys @ Keys::Public(_) => keys.clone(),
            Keys::Secret(_) | Keys::Hashed(_) => Keys::derived(&other, self.0.secrets.iter()),
        };
        let variant = self.variant(|inner| (inner.scheme, inner.keys) = (other, keys));
        probe.verifier(finding, &variant);
    }
}

const fn is_of_request_line(part: &Component) -> bool {
    matches!(part, Component::Host | Component::Path | Component::Query)
}

/// Returns the head as it would be for a request to this URL.
fn with_url(head: &Parts, url: &str) -> Option<Parts> {
    let uri: Uri = url.parse().ok()?;
    let mut changed = head.clone();
    let host = HeaderValue::from_str(uri.authority()?.as_str()).ok()?;
    changed.headers.insert("host", host);
    changed.uri = Uri::from(uri.path_and_query()?.clone());
    Some(changed)
}
