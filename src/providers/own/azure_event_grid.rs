use bytes::Bytes;

use crate::{
    outcome::{rejection::Rejection, verified::Verified},
    providers::{apply, macros::sign_as, own::shared_token::SharedToken},
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, sensitive::SensitiveParts, verifier::Verifier,
    },
};

/// Azure Event Grid, with a secret of your own in the endpoint's URL or in a delivery property.
///
/// | | |
/// |---|---|
/// | header | none of its own: where the [`SharedToken`] says |
/// | proves | that the sender knows the token; **nothing about the body** |
/// | delivery id | in the body (`id` of each event) |
/// | challenge | the POST with `aeg-event-type: SubscriptionValidation` **and the token** is answered with `{"validationResponse":"<code>"}` and does not reach the handler |
/// | status | 403 |
/// | body limit | 2 MiB; 1 MiB is documented (<https://github.com/MicrosoftDocs/azure-docs/blob/main/articles/event-grid/event-schema.md>) |
/// | after a refusal | a 403 ends the retries; after `rejection_status(StatusCode::NOT_FOUND)` it comes again (<https://learn.microsoft.com/en-us/azure/event-grid/delivery-and-retry>) |
/// | evidence | vendor's documentation: <https://learn.microsoft.com/en-us/azure/event-grid/webhook-event-delivery> |
///
/// Deliveries with a token of Entra ID in `Authorization` are not verified here. Under the CloudEvents
/// schema Event Grid asks by OPTIONS in place of the POST; see
/// [`WebHookOrigins`](Challenge::WebHookOrigins).
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
#[derive(Clone, Debug)]
pub struct AzureEventGrid(SharedToken);

impl AzureEventGrid {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults = apply::defaults("azure_event_grid")
        // Whoever has them confirms the subscription.
        .with_sensitive_fields(&["validationCode", "validationUrl"]);

    /// Creates a verifier from one of a shared token, which holds the secrets.
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
