use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::IntoPublicKeys;
use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::{
        encoding::Encoding,
        timestamp::{TimestampFormat, Tolerance},
    },
    providers::{apply, macros::sign_as},
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
        verification::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Standard Webhooks, also as Svix writes it, and everyone who sends through Svix.
///
/// | | |
/// |---|---|
/// | header | `webhook-signature: v1,<base64> [v1,<base64>]`, `webhook-id`, `webhook-timestamp: <seconds>`; or all three as `svix-…`. A request that mixes the families is refused; other versions than `v1` are skipped |
/// | algorithm | HMAC-SHA256; the key is the base64 after `whsec_`, which may be left out |
/// | signed content | `<id>.<time>.<body>`; an id with a `.` is refused, because it would make that ambiguous |
/// | freshness | 5 minutes both ways |
/// | delivery id | `webhook-id`, **signed**, the same for every retry |
/// | challenge | none |
/// | asymmetric | with the feature `asymmetric`, `new_asymmetric` takes `v1a,<base64>` instead: Ed25519 over the same content, the public key after `whpk_` |
/// | status | 403 |
/// | retries | for 3 days and 3 hours (<https://github.com/standard-webhooks/standard-webhooks/blob/03f5f8c684881c36430d8b62d7bc54e518371720/spec/standard-webhooks.md>); each is signed anew (<https://github.com/standard-webhooks/standard-webhooks/blob/b2fa7b8719fb75d326b591077f5d1b385cfcdfae/spec/standard-webhooks.md>) |
/// | body limit | 16 MiB; no maximum is documented |
/// | after a refusal | it comes again (<https://docs.svix.com/retries>) |
/// | evidence | vendor vector: standard-webhooks/standard-webhooks `libraries/`, svix/svix-webhooks `rust/src/webhooks.rs`, <https://docs.svix.com/receiving/verifying-payloads/how-manual> |
///
/// Google's Gemini API signs with `v1a`. It has three public keys without ids, at
/// <https://generativelanguage.googleapis.com/.well-known/jwks.json>: give all of them to
/// `new_asymmetric`, and again once Google changes them.
#[derive(Clone, Debug)]
pub struct StandardWebhooks(Arc<[SchemeVerifier; 2]>);

/// Which of the two families a request uses.
const WEBHOOK: usize = 0;
const SVIX: usize = 1;

/// The scheme with these headers for signature, id and time.
pub(crate) const fn family(names: [&'static str; 3]) -> Scheme {
    tagged_family(names, "v1", Scheme::hmac_sha256(names[0]))
}

const fn tagged_family(names: [&'static str; 3], tag: &'static str, scheme: Scheme) -> Scheme {
    let [_, id, time] = names;
    scheme
        .provider("standard_webhooks")
        .signature_format(SignatureFormat::tagged(tag))
        .encoding(Encoding::Base64)
        .secret_encoding(SecretEncoding::Base64 { prefix: "whsec_" })
        .delivery_id(id)
        .signed_content(&[
            Component::Id,
            Component::Literal("."),
            Component::Time,
            Component::Literal("."),
            Component::Body,
        ])
        .time(TimestampSource::Header(time), TimestampFormat::UnixSeconds)
}

const HEADERS: [[&str; 3]; 2] = [
    ["webhook-signature", "webhook-id", "webhook-timestamp"],
    ["svix-signature", "svix-id", "svix-timestamp"],
];

impl StandardWebhooks {
    /// How it signs, with the `webhook-…` headers.
    pub const SCHEME: Scheme = apply::applied(family(HEADERS[WEBHOOK]));

    /// How it signs, with the `svix-…` headers.
    pub const SVIX_SCHEME: Scheme = apply::applied(family(HEADERS[SVIX]));

    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults = Self::SCHEME.defaults();

    /// Creates a verifier with these secrets, the current one first.
    ///
    /// # Errors
    ///
    /// When a secret's text is not base64 after `whsec_`, or there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let secrets = secrets.into_secrets()?;
        Ok(Self(Arc::new([
            Self::SCHEME.verifier(secrets.clone())?,
            Self::SVIX_SCHEME.verifier(secrets)?,
        ])))
    }

    /// Creates a verifier of `v1a` signatures with these public keys, in place of `v1` and a secret. Other
    /// versions are skipped, `v1` among them. To accept both, use [`any_of`](crate::verifier::any_of).
    ///
    /// # Errors
    ///
    /// When a key is not of Ed25519, or there are none or more than 16.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    pub fn new_asymmetric(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        const fn scheme(names: [&'static str; 3]) -> Scheme {
            apply::applied(tagged_family(names, "v1a", Scheme::ed25519(names[0])))
        }
        let keys = keys.into_public_keys();
        Ok(Self(Arc::new([
            scheme(HEADERS[WEBHOOK]).verifier(keys.clone())?,
            scheme(HEADERS[SVIX]).verifier(keys)?,
        ])))
    }

    /// How far the signed time may be off, in place of five minutes.
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        let families = (*self.0).clone();
        Self(Arc::new(
            families.map(|family| family.map_scheme(|scheme| scheme.tolerance(tolerance))),
        ))
    }

    fn scheme(&self, head: &Parts) -> Result<&SchemeVerifier, Rejection> {
        let mut uses = [false; 2];
        for name in head.headers.keys() {
            for (uses, family) in uses.iter_mut().zip(&HEADERS) {
                *uses |= family.contains(&name.as_str());
            }
        }
        match (uses[WEBHOOK], uses[SVIX]) {
            // One family's signature over the other's id or time would be a way round both.
            (true, true) => {
                Err(Rejection::new(RejectionKind::Repeated).in_header(HEADERS[SVIX][0]))
            }
            (_, false) => Ok(&self.0[WEBHOOK]),
            (false, true) => Ok(&self.0[SVIX]),
        }
    }
}

impl Verifier for StandardWebhooks {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        self.scheme(request.head())?.begin(request)
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        self.0[WEBHOOK].update(state, chunk);
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        self.scheme(request.head())?.finish(state, request, body)
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        let [webhook, svix] = &*self.0;
        webhook.sensitive_parts().and(svix.sensitive_parts())
    }
}

sign_as!(StandardWebhooks, self => &self.0[WEBHOOK]);
