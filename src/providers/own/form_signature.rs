//! HMACs of the URL and the parameters of a form.

use bytes::Bytes;
use http::request::Parts;

use crate::{
    crypto::{
        mac::{Algorithm, Mac, Tag},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::{
        encoding::{Encoding, MAX_TAG},
        headers::required,
    },
    providers::own::content_keys::{ContentKeys, Key, KeyOf},
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
    fn mac(self) -> KeyOf {
        match self.algorithm {
            Algorithm::HmacSha1 => |secret| Key::Mac(Mac::hmac_sha1(secret.expose())),
            _ => |secret| Key::Mac(Mac::hmac_sha256(secret.expose())),
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
#[derive(Clone, Debug)]
pub(crate) struct FormSignature {
    url: PublicUrl,
    keys: ContentKeys,
}

impl FormSignature {
    pub(crate) fn new(
        rules: Rules,
        secrets: impl IntoSecrets,
        url: PublicUrl,
    ) -> Result<Self, ConfigError> {
        Ok(Self { url, keys: ContentKeys::new(rules.provider, rules.mac(), secrets)? })
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
        self.url.resolve(head).map(|_| ())
    }

    /// Returns the proof of an authentic request.
    pub(crate) fn finish(
        &self,
        rules: Rules,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let url = self.url.resolve(head)?;
        let content = self.content(rules, head, body, &url)?;
        let mut signatures = Vec::new();
        each_signature(rules, head, |signature| signatures.extend(signature.map(Tag::new)))?;
        let proof = self.keys.verify(&[&[&content]], &signatures);
        proof.map_err(|why| why.with_signed_url(&*url))
    }

    /// Returns the signed content.
    fn content(
        &self,
        rules: Rules,
        head: &Parts,
        body: &[u8],
        url: &str,
    ) -> Result<Vec<u8>, Rejection> {
        let received = match self.url.is_fixed() {
            true => "",
            false => url.get(self.url.fixed_len(url)..).unwrap_or_default(),
        };
        (rules.content)(&SignedForm { head, body, url, received })
    }

    /// Adds the signature by the first secret to the head.
    #[cfg(feature = "sign")]
    pub(crate) fn sign(
        &self,
        rules: Rules,
        head: &mut Parts,
        body: &[u8],
    ) -> Result<(), Rejection> {
        let content = self.content(rules, head, body, &self.url.resolve(head)?)?;
        let signature = Encoding::Base64.encode(self.keys.tag(&[&content])?.as_bytes());
        let name = http::HeaderName::from_static(rules.header);
        crate::providers::own::shared_token::put(head, &name, signature.as_bytes())
    }

    /// Tries other URLs and other forms of the secrets. `verifier` creates the provider's verifier.
    #[cfg(feature = "explain")]
    pub(crate) fn probe<V: crate::verifier::verifier::Verifier>(
        &self,
        probe: &mut crate::verifier::probe::Probe<'_>,
        verifier: impl Fn(Self) -> V,
    ) {
        let with = |url| verifier(Self { url, ..self.clone() });
        crate::providers::own::variants::probe_urls(probe, &self.url, with);
        self.keys.probe(probe, |keys| verifier(Self { keys, ..self.clone() }));
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
