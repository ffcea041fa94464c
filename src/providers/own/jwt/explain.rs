//! Variants of a verifier of tokens that its user may have meant.

use http::request::Parts;

use crate::{
    crypto::jwt::Jwt,
    outcome::{cause::Cause, explanation::Finding, kind::RejectionKind},
    providers::{
        other_credentials,
        own::{
            jwt::{
                key::{Key, Material},
                rules::{HMACS, Rules},
                verifier::JwtVerifier,
            },
            variants::probe_secrets,
        },
    },
    scheme::{
        public_url::PublicUrl,
        url_variants::{UrlVariant, url_variants},
    },
    verifier::{context::Context, probe::Probe, verifier::Verifier},
};

impl JwtVerifier {
    /// Tries the variants, likeliest first: the body's hash, the URL, the algorithm, the secrets.
    pub(crate) fn probe(&self, probe: &mut Probe<'_>) {
        let head = probe.head();
        let judged = self.begin(&Context::new(head).at(probe.clock()));
        if let (Ok(state), Some(claim)) = (&judged, self.0.rules.body)
            && state.claimed.is_some()
            && !claim.is_of_query(head)
            && !probe.body().is_empty()
        {
            let detail = "the token is valid, and the hash in it is not that of the body";
            probe.clue(Finding::clue(Cause::DigestDiffers).with_detail(detail));
        }
        if let Err(why) = &judged
            && why.kind() == RejectionKind::SignatureMismatch
            && why.field_name() == Some("iss")
        {
            let detail = "the secret is right, and the token names another issuer in `iss`";
            probe.clue(Finding::clue(Cause::KeyId).with_detail(detail));
        }
        if let Some(url) = &self.0.url
            && let Ok(configured) = url.resolve(head)
        {
            let urls = url_variants(&configured, head, probe.hides_url());
            for UrlVariant { findings, text } in urls {
                if let Ok(url) = PublicUrl::fixed(&text) {
                    probe.verifier_of(findings, &self.clone().with_url(url));
                }
            }
        }
        if let Some(other) = other_algorithm(self.0.rules, head) {
            let detail =
                format!("the token is signed with {other}, which this verifier does not accept");
            probe.clue(Finding::clue(Cause::Algorithm).with_detail(detail));
        }
        let credentials = other_credentials::of(self.0.rules.defaults.provider());
        for key in &self.0.keys {
            #[cfg_attr(not(feature = "asymmetric"), expect(irrefutable_let_patterns))]
            let Material::Secret { secret, .. } = &key.material else { continue };
            probe_secrets(probe, std::slice::from_ref(secret), credentials, |secret| {
                let other = Key::new(self.0.rules.algorithms, &key.id, &secret);
                self.clone().change(|inner| inner.keys = vec![other])
            });
        }
    }
}

/// Returns the name of an algorithm that the provider never uses, if the token names one.
fn other_algorithm(rules: &Rules, head: &Parts) -> Option<&'static str> {
    let named = Jwt::read(rules.token(head).ok()??)?.algorithm();
    if named.is_some_and(|named| rules.algorithms.contains(&named)) {
        return None;
    }
    let names = ["HS256", "HS384", "HS512"];
    let at = HMACS.iter().position(|known| Some(*known) == named);
    Some(at.map_or("a public key", |at| names[at]))
}
