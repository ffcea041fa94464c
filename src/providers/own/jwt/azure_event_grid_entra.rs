//! Azure Event Grid webhooks that are protected by Microsoft Entra ID.

use std::time::Duration;

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    providers::{
        macros::{registered, sign_as},
        own::jwt::{
            methods::setting,
            rules::{RS256, Rules},
            state::JwtState,
            verifier::JwtVerifier,
        },
        policy::{DeliveryPolicy, MIB},
        support::is_uuid,
    },
    verifier::{
        challenge::challenge::Challenge, defaults::VerifierDefaults, delegate::delegate_verifier,
        verifier::Verifier,
    },
};

pub(crate) const HEADER: &str = "authorization";

/// ID of Event Grid's own application in the public cloud.
const EVENT_GRID: &str = "4962773b-9cdb-44cf-a8bf-237846a00ab7";

/// Leeway of Microsoft's own libraries.
const LEEWAY: Duration = Duration::from_secs(300);

const RULES: Rules = Rules {
    auth_scheme: "Bearer",
    times: &["exp"],
    ..Rules::new(AzureEventGridEntra::DEFAULTS, HEADER, RS256)
};

/// Azure Event Grid webhooks that are protected by Microsoft Entra ID: a JSON Web Token, which proves
/// the sender and not the body.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer, fetched_keys::KeyFetcher, providers::AzureEventGridEntra,
/// };
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let tenant_id = "00000000-0000-4000-8000-000000000000";
/// let audience = "api://11111111-1111-4111-8111-111111111111";
/// let source = AzureEventGridEntra::with_fetched_keys(tenant_id, audience, &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: Bearer <JWT>` |
/// | algorithm | RS256; the keys are in the list of your tenant |
/// | signed content | the claims `aud`, your application, `iss`, your tenant, `appid` or `azp`, which is Event Grid's application, and `exp`; **nothing about the body** |
/// | tolerance | until `exp`, and [5 minutes](Self::leeway) more |
/// | delivery ID | `id` of each event in the body |
/// | challenge | a POST with `aeg-event-type: SubscriptionValidation` **and the token**: the response is `{"validationResponse":"<code>"}` |
///
/// - The token proves that Event Grid sent a request to your application, not that it sent this body.
///   Anyone who captures a token can send another body with it until it expires.
/// - Tokens of the versions 1.0 and 2.0 are accepted. They have different issuers. In a token of the
///   version 2.0, `aud` is always the application's ID, also if you entered its URI.
/// - With a token in the URL or in a header, use
///   [`AzureEventGrid`](crate::providers::AzureEventGrid).
///
/// # Not covered
///
/// Event Grid in the clouds for governments and in China, which has other application IDs and
/// issuers.
///
/// # Settings
///
/// The tenant's ID, and the *Application ID* or *Application ID URI* that you entered in the event
/// subscription. If your application's `requestedAccessTokenVersion` is 2, pass its ID.
/// ([Microsoft](https://learn.microsoft.com/en-us/azure/event-grid/secure-webhook-delivery))
///
/// # Evidence
///
/// **Second-hand**: learn.microsoft.com, not checked against a delivery.
///
#[doc = crate::providers::macros::page!(AzureEventGridEntra)]
#[derive(Clone, Debug)]
pub struct AzureEventGridEntra(JwtVerifier);

registered! {
    AzureEventGridEntra = "azure_event_grid_entra" as "Azure Event Grid with Entra ID";
    policy: DeliveryPolicy::UNKNOWN
        .largest_body(MIB, "https://github.com/MicrosoftDocs/azure-docs/blob/main/articles/event-grid/event-schema.md")
        .gives_up(Some(404), "https://learn.microsoft.com/en-us/azure/event-grid/delivery-and-retry")
        .leaves_body_open();
    signature: "JWT with audience, application and times; not the body";
}

impl AzureEventGridEntra {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        .with_sensitive_headers(&[HEADER])
        // Anyone who has these values can confirm the subscription.
        .with_sensitive_fields(&["validationCode", "validationUrl"]);

    /// Creates a verifier for tokens of this tenant with this audience, with these public keys: for
    /// tests. Microsoft changes its keys, so use [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the tenant's ID is not a UUID in lower case, if the audience is empty, if a
    /// key is not one of RSA, or if there are no keys or more than 16.
    pub fn new(
        tenant_id: &str,
        audience: &str,
        keys: impl IntoPublicKeys,
    ) -> Result<Self, ConfigError> {
        Self::keyless(tenant_id, audience)?.with_keys(keys.into_public_keys())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(tenant_id: &str, audience: &str) -> Result<Self, ConfigError> {
        if !is_uuid(tenant_id) {
            return Err(ConfigError::IdInvalid {
                why: "the tenant's ID is a UUID in lower case, and not a domain",
            });
        }
        let version_1 = vec![
            ("iss", format!("https://sts.windows.net/{tenant_id}/")),
            ("appid", EVENT_GRID.to_owned()),
        ];
        let version_2 = vec![
            ("iss", format!("https://login.microsoftonline.com/{tenant_id}/v2.0")),
            ("azp", EVENT_GRID.to_owned()),
        ];
        let verifier = JwtVerifier::empty(&RULES)
            .with_leeway(LEEWAY)
            .with_claim("aud", setting(audience)?)
            // Otherwise, every application of the tenant could send events.
            .with_one_of(vec![version_1, version_2]);
        Ok(Self(verifier))
    }

    pub(crate) fn with_keys(self, keys: Vec<PublicKey>) -> Result<Self, ConfigError> {
        self.0.with_public_keys(keys).map(Self)
    }

    /// Sets how long after `exp` a token is accepted, instead of 5 minutes.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

impl Verifier for AzureEventGridEntra {
    delegate_verifier! {
        self => self.0, JwtState;
        after(outcome, request, body) => {
            outcome.or_reply(|| Challenge::EventGrid.after_verification(request.head(), body, None))
        };
    }
}

sign_as!(AzureEventGridEntra, self => &self.0);
