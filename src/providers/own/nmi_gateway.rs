//! Webhooks of NMI's payment gateway.

use bytes::Bytes;
use http::request::Parts;

use crate::{
    crypto::{
        mac::{Mac, Tag},
        secret::Secret,
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::rejection::Rejection,
    providers::{
        macros::registered,
        own::content_keys::{ContentKeys, Key, timed_signatures},
        policy::DeliveryPolicy,
    },
    scheme::signature_format::SignatureFormat,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

const HEADER: &str = "webhook-signature";

/// The nonce has the place of a timestamp.
const FORMAT: SignatureFormat = SignatureFormat::pairs("t", "s");

/// Webhooks of NMI's payment gateway: HMAC-SHA256 of a nonce and the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::NmiGateway};
///
/// let layer = SignatureLayer::new(NmiGateway::new("made-up-signing-key")?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `webhook-signature: t=<nonce>,s=<hex>` |
/// | algorithm | HMAC-SHA256; the key is the signing key as text |
/// | signed content | `<nonce>.<body>` |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | `event_id` in the body |
/// | challenge | none |
///
/// - The nonce is not a time.
/// - A nonce with a full stop is rejected: a captured request could be cut at another one.
/// - For the webhook subscriptions of NMI's API, which report the status of applications, use
///   [`Nmi`](crate::providers::Nmi).
///
/// # Secret
///
/// The signing key of the webhooks, in the merchant's control panel of the gateway.
///
/// # Evidence
///
/// Receivers: `crates/hyperswitch_connectors/src/connectors/nmi.rs` in juspay/hyperswitch, and nine
/// others that agree.
///
#[doc = crate::providers::macros::page!(NmiGateway)]
#[derive(Clone, Debug)]
pub struct NmiGateway(ContentKeys);

registered! {
    NmiGateway = "nmi_gateway" as "NMI gateway";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "HMAC-SHA256 of nonce and body";
    "nmi_gateway": Secret, p => NmiGateway::new(p.secrets);
}

impl NmiGateway {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[HEADER]);

    /// Creates a verifier with these signing keys, the current one first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid (see [`Secret::new`](crate::Secret::new)), or if there
    /// are none or more than 16.
    pub fn new(signing_keys: impl IntoSecrets) -> Result<Self, ConfigError> {
        let mac = |secret: &Secret| Key::Mac(Mac::hmac_sha256(secret.expose()));
        ContentKeys::new(Self::DEFAULTS.provider(), mac, signing_keys).map(Self)
    }
}

/// Returns the nonce and the signatures.
fn read(head: &Parts) -> Result<(&[u8], Vec<Tag>), Rejection> {
    let (nonce, tags) = timed_signatures(head, HEADER, FORMAT)?;
    // With a full stop in it, a captured request could be cut at another place.
    if nonce.contains(&b'.') { Err(Rejection::malformed(HEADER)) } else { Ok((nonce, tags)) }
}

impl Verifier for NmiGateway {
    type State = ();

    fn begin(&self, request: &Context<'_>) -> Result<(), Rejection> {
        read(request.head()).map(drop)
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let (nonce, tags) = read(request.head())?;
        let verified = self.0.verify(&[&[nonce, b".", body]], &tags)?;
        Ok(verified.with_signed_body().into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.0.probe(probe, Self);
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for NmiGateway {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        const NONCE: &[u8] = b"1700000000";

        let tag = crate::parse::encoding::Encoding::Hex
            .encode(self.0.tag(&[NONCE, b".", body])?.as_bytes());
        let value = [b"t=", NONCE, b",s=", tag.as_bytes()].concat();
        let header = http::HeaderName::from_static(HEADER);
        crate::providers::own::shared_token::put(head, &header, &value)?;
        Ok(None)
    }
}
