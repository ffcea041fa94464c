//! Fireblocks webhooks.

use crate::{
    crypto::{jws::JwsAlgorithm, public_key::IntoPublicKeys},
    error::ConfigError,
    providers::{
        macros::registered,
        own::jws::{
            rules::{Payload, Rules},
            verifier::{JwsVerifier, verifies_jws},
        },
        policy::DeliveryPolicy,
    },
};

pub(crate) const HEADER: &str = "fireblocks-webhook-signature";

const RULES: Rules = Rules {
    defaults: Fireblocks::DEFAULTS,
    header: HEADER,
    algorithms: &[JwsAlgorithm::Rs512],
    payload: Payload::Body,
    time: None,
    extensions: &[],
    #[cfg(feature = "sign")]
    key_id: None,
    delivery_id: None,
};

/// Environment of a Fireblocks workspace, which determines the keys.
///
/// ([Fireblocks](https://developers.fireblocks.com/reference/validating-webhooks))
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FireblocksEnvironment {
    /// Mainnet and testnet workspaces in the US: `https://keys.fireblocks.io`.
    Us,
    /// Workspaces in the EU: `https://eu-keys.fireblocks.io`.
    Eu,
    /// Workspaces in the second EU environment: `https://eu2-keys.fireblocks.io`.
    Eu2,
    /// Sandbox workspaces: `https://sandbox-keys.fireblocks.io`.
    Sandbox,
}

impl FireblocksEnvironment {
    pub(crate) const fn jwks(self) -> &'static str {
        match self {
            Self::Us => "https://keys.fireblocks.io/.well-known/jwks.json",
            Self::Eu => "https://eu-keys.fireblocks.io/.well-known/jwks.json",
            Self::Eu2 => "https://eu2-keys.fireblocks.io/.well-known/jwks.json",
            Self::Sandbox => "https://sandbox-keys.fireblocks.io/.well-known/jwks.json",
        }
    }
}

/// Fireblocks webhooks, version 2: a detached JSON Web Signature of the body.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer,
///     fetched_keys::KeyFetcher,
///     providers::{Fireblocks, FireblocksEnvironment},
/// };
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let source = Fireblocks::with_fetched_keys(FireblocksEnvironment::Us, &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `fireblocks-webhook-signature: <JOSE header>..<signature>` |
/// | algorithm | RS512; the keys are in the list of the environment |
/// | signed content | the body |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | `id` in the body |
/// | challenge | none |
///
/// - **Fireblocks signs for all workspaces of an environment with the same keys.** Check in the handler that
///   `workspaceId` is yours.
/// - For [replay protection](crate::replay), use `id` as
///   [the event's ID](crate::replay::ReplayLayer::event_id).
/// - The header `fireblocks-signature`, of version 1, is ignored.
///
/// # Evidence
///
/// Vendor's documentation: <https://developers.fireblocks.com/reference/validating-webhooks>.
///
#[doc = crate::providers::macros::page!(Fireblocks)]
#[derive(Clone, Debug)]
pub struct Fireblocks(JwsVerifier);

registered! {
    Fireblocks = "fireblocks";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "RSA PKCS#1 v1.5 with SHA-512 of the body";
}

impl Fireblocks {
    /// Creates a verifier with these public keys: for tests. Fireblocks changes its keys, so use
    /// [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if a key is not one of RSA, or if there are no keys or more than 16.
    pub fn new(keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        Self::keyless().with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless() -> Self {
        Self(JwsVerifier::empty(&RULES))
    }
}

verifies_jws!(Fireblocks);
