//! HMACs of the URL and the parameters of a form.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::request::Parts;
use subtle::Choice;

use crate::{
    crypto::{
        mac::{Algorithm, KeyMatch, Mac, Tag},
        secrets::IntoSecrets,
    },
    error::{ConfigError, MAX_SECRETS},
    outcome::{rejection::Rejection, verified::Verified},
    parse::{
        encoding::{Encoding, MAX_TAG},
        headers::required,
    },
    providers::other_credentials,
    scheme::{public_url::PublicUrl, signature_format::MAX_CANDIDATES},
};

/// Signed content of a provider, and the place of its signature.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) provider: &'static str,
    pub(crate) algorithm: Algorithm,
    /// The header with the signatures in base64.
    pub(crate) header: &'static str,
    /// Set if the header can have several signatures, with commas between them.
    pub(crate) is_list: bool,
    /// Returns the signed content of a request to this URL.
    pub(crate) content: fn(&SignedForm<'_>) -> Result<Vec<u8>, Rejection>,
}

impl Rules {
    fn mac(self, key: &[u8]) -> Mac {
        match self.algorithm {
            Algorithm::HmacSha1 => Mac::hmac_sha1(key),
            _ => Mac::hmac_sha256(key),
        }
    }
}

/// A request whose form is signed.
pub(crate) struct SignedForm<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) body: &'a [u8],
    pub(crate) url: &'a str,
    /// The part of the URL that the sender of the request chooses.
    pub(crate) received: &'a str,
}

/// Verifier of a provider by its [`Rules`].
#[derive(Clone)]
pub(crate) struct FormSignature(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    url: PublicUrl,
    macs: Vec<Mac>,
    #[cfg(feature = "explain")]
    secrets: Vec<crate::crypto::secret::Secret>,
}

impl FormSignature {
    pub(crate) fn new(
        rules: Rules,
        secrets: impl IntoSecrets,
        url: PublicUrl,
    ) -> Result<Self, ConfigError> {
        let secrets = other_credentials::checked(secrets, 0, rules.provider)?;
        Ok(Self(Arc::new(Inner {
            url,
            macs: secrets.iter().map(|secret| rules.mac(secret.expose())).collect(),
            #[cfg(feature = "explain")]
            secrets,
        })))
    }

    /// Checks the part of a request before its body.
    pub(crate) fn begin(&self, rules: Rules, head: &Parts) -> Result<(), Rejection> {
        let (mut count, mut is_readable) = (0, false);
        each_signature(rules, head, |tag| {
            count += 1;
            is_readable |= tag.is_some();
        })?;
        if count > MAX_CANDIDATES || !is_readable {
            return Err(Rejection::malformed(rules.header));
        }
        self.0.url.resolve(head).map(|_| ())
    }

    /// Returns the proof of an authentic request.
    pub(crate) fn finish(
        &self,
        rules: Rules,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let url = self.0.url.resolve(head)?;
        let tags = self.tags(rules, head, body, &url)?;
        let mut matches = [Choice::from(0); MAX_SECRETS];
        each_signature(rules, head, |candidate| {
            if let Some(candidate) = candidate {
                for (is_match, tag) in matches.iter_mut().zip(&tags) {
                    *is_match |= tag.matches(candidate);
                }
            }
        })?;
        let mut matched = KeyMatch::new();
        for (index, is_match) in matches.into_iter().take(tags.len()).enumerate() {
            matched.add(index, is_match);
        }
        let key_index = matched.accepted().map_err(|why| why.with_signed_url(&*url))?;
        let verified = Verified::new(rules.provider).with_key_index(key_index);
        Ok(match tags.last() {
            // A rotation does not change the tag under the oldest secret.
            Some(oldest) => verified.with_replay_material(oldest.as_bytes()),
            None => verified,
        })
    }

    /// Returns the tags of the signed content under each secret.
    fn tags(
        &self,
        rules: Rules,
        head: &Parts,
        body: &[u8],
        url: &str,
    ) -> Result<Vec<Tag>, Rejection> {
        let received = match self.0.url.is_fixed() {
            true => "",
            false => url.get(self.0.url.fixed_len(url)..).unwrap_or_default(),
        };
        let content = (rules.content)(&SignedForm { head, body, url, received })?;
        let tag = |mac: &Mac| {
            let mut mac = mac.clone();
            mac.update(&content);
            mac.finalize()
        };
        Ok(self.0.macs.iter().map(tag).collect())
    }

    /// Adds the signature by the first secret to the head.
    #[cfg(feature = "sign")]
    pub(crate) fn sign(
        &self,
        rules: Rules,
        head: &mut Parts,
        body: &[u8],
    ) -> Result<(), Rejection> {
        let tags = self.tags(rules, head, body, &self.0.url.resolve(head)?)?;
        let tag = tags.first().ok_or(Rejection::mismatch())?;
        let signature = Encoding::Base64.encode(tag.as_bytes());
        let name = http::HeaderName::from_static(rules.header);
        crate::providers::own::shared_token::put(head, &name, signature.as_bytes())
    }

    /// Tries other URLs and other forms of the secrets. `verifier` creates the provider's verifier.
    #[cfg(feature = "explain")]
    pub(crate) fn probe<V: crate::verifier::verifier::Verifier>(
        &self,
        rules: Rules,
        probe: &mut crate::verifier::probe::Probe<'_>,
        verifier: impl Fn(Self) -> V,
    ) {
        let head = probe.head();
        let Ok(configured) = self.0.url.resolve(head) else { return };
        let urls = crate::scheme::url_variants::url_variants(&configured, head, probe.hides_url());
        for crate::scheme::url_variants::UrlVariant { findings, text } in urls {
            if let Ok(url) = PublicUrl::fixed(&text) {
                let other = Self(Arc::new(Inner { url, ..(*self.0).clone() }));
                probe.verifier_of(findings, &verifier(other));
            }
        }
        let credentials = other_credentials::of(rules.provider);
        crate::providers::own::variants::probe_secrets(
            probe,
            &self.0.secrets,
            credentials,
            |key| {
                let macs = vec![rules.mac(key.expose())];
                verifier(Self(Arc::new(Inner { macs, ..(*self.0).clone() })))
            },
        );
    }
}

/// Calls `visit` with each signature, or with `None` for one that cannot be decoded.
fn each_signature(
    rules: Rules,
    head: &Parts,
    mut visit: impl FnMut(Option<&[u8]>),
) -> Result<(), Rejection> {
    let value = required(head, rules.header)?;
    let mut tag = [0; MAX_TAG];
    let tag = &mut tag[..rules.algorithm.tag_len()];
    for text in value.split(|byte| rules.is_list && *byte == b',') {
        let is_readable = Encoding::Base64.decode(text.trim_ascii(), tag).is_some();
        visit(is_readable.then_some(&*tag));
    }
    Ok(())
}

impl fmt::Debug for FormSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormSignature")
            .field("url", &self.0.url)
            .field("secrets", &self.0.macs.len())
            .finish()
    }
}
