//! Azure Event Grid webhooks.

use crate::{
    providers::{
        macros::{registered, sign_as},
        own::shared_token::{SharedToken, of_provider},
        policy::{DeliveryPolicy, MIB},
    },
    verifier::{
        challenge::challenge::Challenge, defaults::VerifierDefaults, delegate::delegate_verifier,
        verifier::Verifier,
    },
};

/// Azure Event Grid webhooks: a token in the URL or in a header, which proves the sender and not
/// the body.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer,
///     providers::{AzureEventGrid, SharedToken},
///     scheme::Challenge,
///     verifier::with_challenge,
/// };
///
/// // Subscribed with the endpoint https://example.com/hook?code=the-secret.
/// let token = SharedToken::in_query("code", "the-secret")?;
/// let event_grid = AzureEventGrid::new(token);
/// let cloud_events = Challenge::WebHookOrigins(&["eventgrid.azure.net"]);
/// let layer = SignatureLayer::new(with_challenge(event_grid, cloud_events)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | that of the [`SharedToken`]; none if the token is in the URL |
/// | proves | that the sender knows the token; **nothing about the body** |
/// | delivery ID | `id` of each event in the body |
/// | challenge | a POST with `aeg-event-type: SubscriptionValidation` **and the token**: the response is `{"validationResponse":"<code>"}` |
///
/// - You choose the token. Put it into the endpoint's URL or into a delivery property.
/// - The challenge does not reach the handler.
/// - Under the CloudEvents schema, Event Grid sends its challenge as an OPTIONS request instead of
///   the POST; see [`WebHookOrigins`](Challenge::WebHookOrigins).
///
/// # Not covered
///
/// Entra ID tokens in `Authorization`: use `AzureEventGridEntra` (feature `fetched-keys`).
///
/// # Evidence
///
/// Vendor's documentation: <https://learn.microsoft.com/en-us/azure/event-grid/webhook-event-delivery>.
///
#[doc = crate::providers::macros::page!(AzureEventGrid)]
#[derive(Clone, Debug)]
pub struct AzureEventGrid(SharedToken);

registered! {
    AzureEventGrid = "azure_event_grid" as "Azure Event Grid";
    policy: DeliveryPolicy::UNKNOWN
        .largest_body(MIB, "https://github.com/MicrosoftDocs/azure-docs/blob/main/articles/event-grid/event-schema.md")
        .gives_up(Some(404), "https://learn.microsoft.com/en-us/azure/event-grid/delivery-and-retry");
    signature: "nothing: a token in a header or in the URL";
}

impl AzureEventGrid {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        // Anyone who has these values can confirm the subscription.
        .with_sensitive_fields(&["validationCode", "validationUrl"]);

    /// Creates a verifier from a [`SharedToken`], which holds the secrets.
    #[must_use]
    pub const fn new(token: SharedToken) -> Self {
        Self(token)
    }
}

impl Verifier for AzureEventGrid {
    delegate_verifier! {
        self => self.0, usize;
        after(outcome, request, body) => {
            of_provider(&outcome, Self::DEFAULTS.provider())
                .or_reply(|| Challenge::EventGrid.after_verification(request.head(), body, None))
        };
        defaults => Self::DEFAULTS;
        sensitive_parts => Self::DEFAULTS.sensitive_parts().and(self.0.sensitive_parts())
    }
}

sign_as!(AzureEventGrid, self => &self.0);
