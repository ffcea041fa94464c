//! Variants of the Twilio verifier that its user may have meant.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;

use crate::{
    crypto::mac::Mac,
    outcome::{cause::Cause, explanation::Finding},
    providers::{
        other_credentials,
        own::{
            twilio::{Inner, Twilio},
            twilio_keys::Settings,
            twilio_url::body_hash,
            variants::probe_secrets,
        },
    },
    scheme::{
        public_url::PublicUrl,
        url_variants::{UrlVariant, url_variants},
    },
    verifier::probe::Probe,
};

impl Twilio {
    fn variant(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = (*self.0).clone();
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Tries the variants, likeliest first: the body's hash, the URL, then the tokens.
    pub(crate) fn probe(&self, probe: &mut Probe<'_>) {
        let head = probe.head();
        let id = Settings::read(head).ok().and_then(|settings| settings.key);
        let is_known = |id: &[u8]| self.0.shared_keys.iter().any(|key| key.id.as_bytes() == id);
        if id.is_some_and(|id| !is_known(id)) {
            let detail = "the request names a shared key that is not configured";
            probe.clue(Finding::clue(Cause::KeyId).with_detail(detail));
        }
        let Ok(configured) = self.0.url.resolve(head) else { return };
        if body_hash(&configured).is_ok_and(|hash| hash.is_some()) && !probe.body().is_empty() {
            // The signature covers the URL, and the URL has the hash of the body.
            let mut alone = head.clone();
            alone.method = Method::GET;
            let finding = Finding::proven(Cause::DigestDiffers);
            let detail =
                "the signature of the URL is valid, and `bodySHA256` in it is not the body's";
            probe.request(finding.with_detail(detail), self, &alone, &Bytes::new());
        }
        for UrlVariant { findings, text } in url_variants(&configured, head, probe.hides_url()) {
            if let Ok(url) = PublicUrl::fixed(&text) {
                probe.verifier_of(findings, &self.variant(|inner| inner.url = url));
            }
        }
        let credentials = other_credentials::of(Self::DEFAULTS.provider());
        probe_secrets(probe, &self.0.secrets, credentials, |key| {
            self.variant(|inner| inner.auth_tokens = vec![Mac::hmac_sha1(key.expose())])
        });
    }
}
