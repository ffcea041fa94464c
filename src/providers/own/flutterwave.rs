//! Flutterwave webhooks.

use bytes::Bytes;
use http::HeaderName;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    parse::encoding::Encoding,
    providers::{
        macros::{registered, sign_as},
        own::shared_token::SharedToken,
        policy::DeliveryPolicy,
    },
    scheme::{declaration::Scheme, state::SchemeState, verifier::SchemeVerifier},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Flutterwave webhooks: HMAC-SHA256 of the body in version 4, a token in a header in version 3.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::Flutterwave};
///
/// let layer = SignatureLayer::new(Flutterwave::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | version 4 | version 3 |
/// |---|---|---|
/// | header | `flutterwave-signature: <base64>` | `verif-hash: <secret hash>` |
/// | algorithm | HMAC-SHA256; the key is the secret hash | none |
/// | proves | the body | that the sender knows the token; **nothing about the body** |
/// | delivery ID | `id` in the body | `id` in the body |
/// | challenge | none | none |
///
/// - A request with the header of version 4 is verified by its signature, whatever its `verif-hash`
///   is. A token cannot replace an invalid signature.
/// - Anyone who has seen a token of version 3 can still send requests without a signature. Once
///   your integration is on version 4, use [`signed_only`](Self::signed_only).
///
/// # Evidence
///
/// **Second-hand**: the form of the signature, base64 of the raw body's HMAC, and the token, which
/// several receivers check. Vendor's documentation: the header,
/// <https://developer.flutterwave.com/docs/webhooks>.
///
#[doc = crate::providers::macros::page!(Flutterwave)]
#[derive(Clone, Debug)]
pub struct Flutterwave {
    token: SharedToken,
    signed: SchemeVerifier,
    is_signed_only: bool,
}

registered! {
    Flutterwave = "flutterwave";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "HMAC-SHA256 of the body; version 3 nothing: a token in a header";
    "flutterwave": Secret, p => Flutterwave::new(p.secrets);
}

const SIGNATURE: &str = "flutterwave-signature";

impl Flutterwave {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY.defaults();

    /// The signature scheme of version 4.
    pub const SCHEME: Scheme =
        Scheme::hmac_sha256(SIGNATURE).provider("flutterwave").encoding(Encoding::Base64);

    /// Creates a verifier with these secret hashes, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret hash is invalid (see [`Secret::new`](crate::Secret::new)), or
    /// if there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        let secrets = secrets.into_secrets()?;
        let signed = Self::SCHEME.verifier(secrets.clone())?;
        let token = SharedToken::of(
            Self::DEFAULTS.provider(),
            HeaderName::from_static("verif-hash"),
            secrets,
        )?;
        Ok(Self { token, signed, is_signed_only: false })
    }

    /// Rejects version 3, which signs nothing.
    #[must_use]
    pub fn signed_only(mut self) -> Self {
        self.is_signed_only = true;
        self
    }
}

impl Verifier for Flutterwave {
    /// State of the signature, or the index of the token.
    type State = Result<SchemeState, usize>;

    fn begin(&self, request: &Context<'_>) -> Result<Self::State, Rejection> {
        if self.is_signed_only || request.head().headers.contains_key(SIGNATURE) {
            return self.signed.begin(request).map(Ok);
        }
        self.token.begin(request).map(Err)
    }

    fn update(&self, state: &mut Self::State, chunk: &[u8]) {
        if let Ok(state) = state {
            self.signed.update(state, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut Self::State,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        match state {
            Ok(state) => self.signed.finish(state, request, body),
            Err(key) => Ok(Verified::new(Self::DEFAULTS.provider()).with_key_index(*key).into()),
        }
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.token.sensitive_parts().and(self.signed.sensitive_parts())
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.signed.explain(probe);
        if !self.is_signed_only {
            self.token.explain(probe);
        }
    }
}

sign_as!(Flutterwave, self => &self.token);
