//! Azure Event Grid webhooks.

use bytes::Bytes;

use crate::{
    outcome::{rejection::Rejection, verified::Verified},
    providers::{apply, macros::sign_as, own::shared_token::SharedToken},
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, sensitive::SensitiveParts, verifier::Verifier,
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
/// Entra ID tokens in `Authorization`: this type does not verify them.
///
/// # Evidence
///
/// Vendor's documentation: <https://learn.microsoft.com/en-us/azure/event-grid/webhook-event-delivery>.
///
#[doc = crate::providers::macros::page!(AzureEventGrid)]
#[derive(Clone, Debug)]
pub struct AzureEventGrid(SharedToken);

impl AzureEventGrid {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = apply::defaults("azure_event_grid")
        // Anyone who has these values can confirm the subscription.
        .with_sensitive_fields(&["validationCode", "validationUrl"]);

    /// Creates a verifier from a [`SharedToken`], which holds the secrets.
    #[must_use]
    pub const fn new(token: SharedToken) -> Self {
        Self(token)
    }
}

impl Verifier for AzureEventGrid {
    type State = usize;

    fn begin(&self, request: &Context<'_>) -> Result<usize, Rejection> {
        self.0.begin(request)
    }

    fn finish(
        &self,
        key: &mut usize,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let verified = Verified::new(Self::DEFAULTS.provider()).with_key_index(*key);
        let head = request.head();
        Outcome::Accept(verified)
            .or_reply(|| Challenge::EventGrid.after_verification(head, body, None))
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        Self::DEFAULTS.sensitive_parts().and(self.0.sensitive_parts())
    }
}

sign_as!(AzureEventGrid, self => &self.0);
