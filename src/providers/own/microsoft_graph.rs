//! Microsoft Graph change notifications.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

#[cfg(feature = "explain")]
use crate::providers::own::variants::probe_secrets;
use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::json::{self, Value, text_field},
    providers::{
        macros::registered, other_credentials, own::shared_token::index_of, policy::DeliveryPolicy,
    },
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, verifier::Verifier,
    },
};

const FIELD: &str = "clientState";

/// Microsoft Graph change notifications: a token in the body, which proves the sender and not the
/// rest of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, providers::MicrosoftGraph};
///
/// let layer = SignatureLayer::new(MicrosoftGraph::new("made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: the token is `clientState` of **each** notification in the body's `value` |
/// | proves | that the sender knows the token; **nothing else about the body** |
/// | delivery ID | `id` of each notification in the body |
/// | challenge | an unsigned POST with `validationToken` in the query: the response is its value as plain text |
///
/// - The token is in the body. The layer therefore reads the whole body, up to the body limit,
///   before anything is known about the sender.
/// - No POST with `validationToken` in the query reaches the handler.
/// - Graph expects `202 Accepted` from the handler.
///
/// # Secret
///
/// You choose it. Pass it as `clientState` when you create the subscription by the API. ([Microsoft](https://github.com/microsoftgraph/microsoft-graph-docs-contrib/blob/01c641aced9437aea8a5c1f17fd65078bff7391e/concepts/change-notifications-delivery-webhooks.md))
///
/// # Settings
///
/// Start the server first. Graph sends a validation token to `notificationUrl` while it creates the
/// subscription. The layer responds to it. ([Microsoft](https://github.com/microsoftgraph/microsoft-graph-docs-contrib/blob/01c641aced9437aea8a5c1f17fd65078bff7391e/concepts/change-notifications-delivery-webhooks.md))
///
/// # Not covered
///
/// `validationTokens`, the JWTs of notifications with resource data ("rich notifications"): use
/// `MicrosoftGraphResourceData` (feature `fetched-keys`).
/// Event Hubs: Graph then sends no HTTP request to you. ([Microsoft](https://github.com/microsoftgraph/microsoft-graph-docs-contrib/blob/2648e2377b71152ec06581d9ddbee356a4b98e11/concepts/change-notifications-delivery-event-hubs.md))
///
/// # Evidence
///
/// **Second-hand**: learn.microsoft.com, not checked against a delivery.
///
#[doc = crate::providers::macros::page!(MicrosoftGraph)]
#[derive(Clone, Debug)]
pub struct MicrosoftGraph(Arc<Vec<Secret>>);

registered! {
    MicrosoftGraph = "microsoft_graph" as "Microsoft Graph";
    policy: DeliveryPolicy::UNKNOWN
        .comes_again("https://github.com/microsoftgraph/microsoft-graph-docs-contrib/commit/7f704aa53c2141ba9a494c4a80b6333c2acc1f0f");
    signature: "nothing: a token in the body";
    "microsoft_graph": Secret, p => MicrosoftGraph::new(p.secrets);
}

impl MicrosoftGraph {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        // Rich notifications also have tokens that other receivers may accept as proof.
        .with_sensitive_fields(&[FIELD, "validationTokens"])
        .with_challenge(Self::CHALLENGE);

    const CHALLENGE: Challenge = Challenge::PostQuery("validationToken");

    /// Creates a verifier that expects one of these values of `clientState`, with which you created
    /// the subscriptions.
    ///
    /// # Errors
    ///
    /// Returns an error if a value is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(client_states: impl IntoSecrets) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(other_credentials::checked(client_states, 0, Self::DEFAULTS.provider())?)))
    }

    /// Returns the index of the secret that one notification carries.
    fn key_index(&self, notification: Value<'_>) -> Result<usize, Rejection> {
        let Value::Object(notification) = notification else {
            return Err(Rejection::malformed_in(Field::json("value")));
        };
        let state = text_field(notification.as_bytes(), FIELD)
            .ok_or(Rejection::missing_in(Field::json(FIELD)))?;
        index_of(&self.0, state.as_bytes())
    }
}

impl Verifier for MicrosoftGraph {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    /// Reports the last of several secrets in one body as the key, so that you do not remove an
    /// older secret too early.
    fn finish(&self, _: &mut (), _: &Context<'_>, body: &Bytes) -> Result<Outcome, Rejection> {
        let Ok(Some(Value::Array(notifications))) = json::field(body, "value") else {
            return Err(Rejection::malformed_in(Field::json("value")));
        };
        // Each notification needs a token, and a body needs at least one notification.
        let mut verdict = Err(Rejection::missing_in(Field::json(FIELD)));
        let mut is_first = true;
        let visited = json::items(notifications.as_bytes(), &mut |notification| {
            let index = self.key_index(notification);
            verdict = match (&verdict, index) {
                (Ok(before), Ok(index)) => Ok(index.max(*before)),
                (_, index) if is_first => index,
                (Ok(_), Err(rejection)) => Err(rejection),
                (Err(rejection), _) => Err(rejection.clone()),
            };
            is_first = false;
        });
        visited.map_err(|_| Rejection::malformed_in(Field::json("value")))?;
        Ok(Verified::new(Self::DEFAULTS.provider()).with_key_index(verdict?).into())
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        Self::CHALLENGE.before_verification(request.head(), None)
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let credentials = other_credentials::of(Self::DEFAULTS.provider());
        probe_secrets(probe, &self.0, credentials, |token| Self(Arc::new(vec![token])));
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for MicrosoftGraph {
    /// Adds `clientState` to the notifications of `{"value":[…]}`. Other members of the body, and
    /// items that are not objects, are dropped.
    fn sign(
        &self,
        _: &mut http::request::Parts,
        content: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let state = self.0.first().and_then(|state| str::from_utf8(state.expose()).ok());
        let state = crate::sign::json::quoted(state.ok_or(Rejection::mismatch())?);
        let Ok(Some(Value::Array(notifications))) = json::field(content, "value") else {
            return Err(Rejection::malformed_in(Field::json("value")));
        };
        let mut signed = Vec::new();
        let visited = json::items(notifications.as_bytes(), &mut |notification| {
            if let Value::Object(notification) = notification {
                let notification = notification.as_bytes();
                signed.extend(crate::sign::json::with_member(notification, FIELD, &state));
            }
        });
        visited.map_err(|_| Rejection::malformed_in(Field::json("value")))?;
        Ok(Some([&br#"{"value":["#[..], &signed.join(&b","[..]), b"]}"].concat().into()))
    }
}
