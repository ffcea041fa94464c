//! Variants of verifiers that compare a token, or that sign with the text of a secret.

use crate::{
    crypto::{credentials::Credentials, secret::Secret},
    scheme::{
        key::SecretEncoding,
        key_variants::each_key,
        public_url::PublicUrl,
        url_variants::{UrlVariant, url_variants},
    },
    verifier::{probe::Probe, verifier::Verifier},
};

/// Tries the variants of each secret, as a verifier with that secret alone.
pub(crate) fn probe_secrets<V: Verifier>(
    probe: &mut Probe<'_>,
    secrets: &[Secret],
    credentials: &Credentials,
    verifier: impl Fn(Secret) -> V,
) {
    probe_keys(probe, secrets, SecretEncoding::Text, credentials, verifier);
}

/// Tries the variants of each secret, from which the provider derives its key by this rule.
pub(crate) fn probe_keys<V: Verifier>(
    probe: &mut Probe<'_>,
    secrets: &[Secret],
    rule: SecretEncoding,
    credentials: &Credentials,
    verifier: impl Fn(Secret) -> V,
) {
    for secret in secrets {
        if let Some(clue) = credentials.explain(secret) {
            probe.clue(clue);
        }
        if !probe.is_open() {
            return;
        }
        each_key(secret, rule, &mut |finding, key| {
            if let Ok(key) = Secret::from_bytes(key) {
                probe.verifier(finding, &verifier(key));
            }
        });
    }
}

/// Tries variants of the configured URL.
pub(crate) fn probe_urls<V: Verifier>(
    probe: &mut Probe<'_>,
    url: &PublicUrl,
    verifier: impl Fn(PublicUrl) -> V,
) {
    let head = probe.head();
    let Ok(configured) = url.resolve(head) else { return };
    for UrlVariant { findings, text } in url_variants(&configured, head, probe.hides_url()) {
        if let Ok(url) = PublicUrl::fixed(&text) {
            probe.verifier_of(findings, &verifier(url));
        }
    }
}
