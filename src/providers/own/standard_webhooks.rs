//! Standard Webhooks.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};

#[cfg(feature = "asymmetric")]
use crate::crypto::public_key::IntoPublicKeys;
use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{encoding::Encoding, timestamp::TimestampFormat, tolerance::Tolerance},
    providers::{
        macros::{registered, sign_as},
        policy::DeliveryPolicy,
    },
    scheme::{
        component::{Component, TimestampSource},
        declaration::Scheme,
        key::SecretEncoding,
        signature_format::SignatureFormat,
        state::SchemeState,
        verifier::SchemeVerifier,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, delegate, outcome::Outcome,
        sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// Standard Webhooks and Svix: HMAC-SHA256 or Ed25519 of ID, time and body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::StandardWebhooks};
///
/// let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// let layer = SignatureLayer::new(StandardWebhooks::new(secret)?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `webhook-signature: v1,<base64> [v1,<base64>]`, `webhook-id`, `webhook-timestamp: <seconds>`; or all three as `svix-…` |
/// | algorithm | HMAC-SHA256; the key is the decoded base64 after `whsec_`, which may be left out |
/// | signed content | `<id>.<time>.<body>` |
/// | tolerance | 5 minutes both ways |
/// | delivery ID | `webhook-id`, **signed**; the same for every retry |
/// | challenge | none |
///
/// - Use it for senders that follow the Standard Webhooks specification, and for all senders that
///   use Svix.
/// - Many senders have a type of their own, such as `Anthropic`, `Clerk` or `Zapier`. Prefer it: it
///   has the sender's name and delivery policy.
/// - A request with headers of both families, `webhook-…` and `svix-…`, is rejected. Signatures of
///   versions other than `v1` are skipped.
/// - An ID with a `.` is rejected, because it would make the signed content ambiguous.
/// - With the feature `asymmetric`, `new_asymmetric` verifies `v1a,<base64>` instead of `v1`:
///   Ed25519 of the same content, with the public key after `whpk_`.
/// - Google's Gemini API signs with `v1a` and keys that are fetched: use `Gemini`.
///
/// # Secret
///
/// The sender shows it: `whsec_…`, or the public key `whpk_…` for `new_asymmetric`. ([Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/b2fa7b8719fb75d326b591077f5d1b385cfcdfae/spec/standard-webhooks.md))
/// Svix's API has it at `…/endpoint/{endpoint_id}/secret`. After a rotation, the previous secret is
/// valid for 24 hours: pass both. ([Svix](https://github.com/svix/svix-webhooks/blob/4fc0cfb8b426c87ef7e2b937e7d896a71d456a47/server/openapi.json))
///
/// # Not covered
///
/// Senders with these headers and another encoding of the key. `Polar` uses the secret string.
/// ([Polar](https://github.com/polarsource/polar-js/blob/088b6d6c568c5d51b1b1eabb5d937cbea6fc4f63/src/webhooks.ts))
/// `Supabase` has secrets that begin with `v1,whsec_`.
/// ([Supabase](https://github.com/supabase/supabase/blob/02d2e00b01d16ba6e7d664bf56beeb49be073e02/apps/docs/content/guides/auth/auth-hooks.mdx))
///
/// # Evidence
///
/// Vendor vector: standard-webhooks/standard-webhooks `libraries/`, svix/svix-webhooks
/// `rust/src/webhooks.rs`, <https://docs.svix.com/receiving/verifying-payloads/how-manual>.
///
#[doc = crate::providers::macros::page!(StandardWebhooks)]
#[derive(Clone, Debug)]
pub struct StandardWebhooks(Arc<[SchemeVerifier; 2]>);

registered! {
    StandardWebhooks = "standard_webhooks" as "Standard Webhooks";
    policy: DeliveryPolicy::UNKNOWN
        .retried_for(272_105, "https://github.com/standard-webhooks/standard-webhooks/blob/03f5f8c684881c36430d8b62d7bc54e518371720/spec/standard-webhooks.md")
        .signs_anew(true, "https://github.com/standard-webhooks/standard-webhooks/blob/b2fa7b8719fb75d326b591077f5d1b385cfcdfae/spec/standard-webhooks.md")
        .comes_again("https://docs.svix.com/retries");
    signature: "HMAC-SHA256 or Ed25519 of ID, time and body";
    "standard_webhooks": Secret timed, p => StandardWebhooks::new(p.secrets);
    #[cfg(feature = "asymmetric")]
    "standard_webhooks_v1a": PublicKey timed, p => StandardWebhooks::new_asymmetric(p.public_keys()?);
}

/// Position of the family with the `webhook-…` headers.
pub(crate) const WEBHOOK: usize = 0;
/// Position of the family with the `svix-…` headers.
const SVIX: usize = 1;

/// Returns the scheme with these headers for signature, ID and time.
pub(crate) const fn family(names: [&'static str; 3]) -> Scheme {
    tagged_family(names, "v1", Scheme::hmac_sha256(names[0]))
}

/// Returns the scheme of a sender with the headers of either family, `webhook-…` or `svix-…`.
///
/// Svix can send both: its customers choose.
pub(crate) const fn either_family() -> Scheme {
    const SVIX_FAMILY: &[Scheme] = &[svix_family()];
    webhook_family().families(SVIX_FAMILY)
}

/// Returns the scheme of a sender with the `webhook-…` headers.
pub(crate) const fn webhook_family() -> Scheme {
    family(HEADERS[WEBHOOK])
}

/// Returns the scheme of a sender with the `svix-…` headers.
pub(crate) const fn svix_family() -> Scheme {
    family(HEADERS[SVIX])
}

pub(crate) const fn tagged_family(
    names: [&'static str; 3],
    tag: &'static str,
    scheme: Scheme,
) -> Scheme {
    let [_, id, time] = names;
    scheme
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

pub(crate) const HEADERS: [[&str; 3]; 2] = [
    ["webhook-signature", "webhook-id", "webhook-timestamp"],
    ["svix-signature", "svix-id", "svix-timestamp"],
];

impl StandardWebhooks {
    /// The signature scheme with the `webhook-…` headers.
    pub const SCHEME: Scheme = Self::POLICY.apply(webhook_family());

    /// The signature scheme with the `svix-…` headers.
    pub const SVIX_SCHEME: Scheme = Self::POLICY.apply(svix_family());

    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::SCHEME.defaults();

    /// Creates a verifier with these secrets, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not in
    /// the provider's format, which is base64 after `whsec_`, or if there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let secrets = secrets.into_secrets()?;
        Ok(Self(Arc::new([
            Self::SCHEME.verifier(secrets.clone())?,
            Self::SVIX_SCHEME.verifier(secrets)?,
        ])))
    }

    /// Creates a verifier of `v1a` signatures with these public keys, instead of `v1` and a secret.
    ///
    /// Signatures of other versions are skipped, including `v1`. To accept both, use
    /// [`any_of`](crate::verifier::any_of).
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not an Ed25519 key, or if there are none or more than 16.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    pub fn new_asymmetric(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        const fn scheme(names: [&'static str; 3]) -> Scheme {
            StandardWebhooks::POLICY.apply(tagged_family(names, "v1a", Scheme::ed25519(names[0])))
        }
        let keys = keys.into_public_keys();
        Ok(Self(Arc::new([
            scheme(HEADERS[WEBHOOK]).verifier(keys.clone())?,
            scheme(HEADERS[SVIX]).verifier(keys)?,
        ])))
    }

    /// Sets how far the signed time may be off, instead of 5 minutes.
    #[must_use]
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        let families = (*self.0).clone();
        Self(Arc::new(
            families.map(|family| family.map_scheme(|scheme| scheme.tolerance(tolerance))),
        ))
    }

    /// Returns the position of the family whose headers the request has.
    fn family(head: &Parts) -> Result<usize, Rejection> {
        let mut uses = [false; 2];
        for name in head.headers.keys() {
            for (uses, family) in uses.iter_mut().zip(&HEADERS) {
                *uses |= family.contains(&name.as_str());
            }
        }
        match (uses[WEBHOOK], uses[SVIX]) {
            // Mixed headers would allow a signature of one family with the ID or time of the other.
            (true, true) => {
                Err(Rejection::new(RejectionKind::Repeated).in_header(HEADERS[SVIX][0]))
            }
            (_, false) => Ok(WEBHOOK),
            (false, true) => Ok(SVIX),
        }
    }
}

/// State of a verification, and the family of its headers.
#[doc(hidden)]
#[derive(Debug)]
pub struct StandardWebhooksState {
    family: usize,
    state: Option<SchemeState>,
}

impl Verifier for StandardWebhooks {
    type State = StandardWebhooksState;

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        delegate::begin(self, request)
    }

    fn begin_in(
        &self,
        request: &Context<'_>,
        state: &mut Option<Self::State>,
    ) -> Result<(), Rejection> {
        let family = Self::family(request.head())?;
        let state = state.insert(StandardWebhooksState { family, state: None });
        self.0[family].begin_in(request, &mut state.state)
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        if let Some(of_family) = &mut state.state {
            self.0[state.family].update(of_family, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        delegate::finish(self, state, request, body)
    }

    fn finish_in(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
        proof: &mut Verified,
    ) -> Result<Option<Response<Bytes>>, Rejection> {
        // A head that was rejected proves nothing.
        let of_family = state.state.as_mut().ok_or(Rejection::mismatch())?;
        self.0[state.family].finish_in(of_family, request, body, proof)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.0[WEBHOOK].defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0[WEBHOOK].sensitive_parts().and(self.0[SVIX].sensitive_parts())
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        // A request without a family has no variants.
        if let Ok(family) = Self::family(probe.head()) {
            self.0[family].explain(probe);
        }
    }
}

sign_as!(StandardWebhooks, self => &self.0[WEBHOOK]);
