use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection, verified::Verified},
    parse::json::{self, Value, text_field},
    providers::{apply, other_credentials, own::shared_token::index_of},
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, verifier::Verifier,
    },
};

const FIELD: &str = "clientState";

/// Microsoft Graph change notifications, by `clientState`.
///
/// | | |
/// |---|---|
/// | header | none: `clientState` of **each** notification in the body's `value` |
/// | proves | that the sender knows the token; **nothing else about the body** |
/// | delivery id | in the body (`id` of each notification) |
/// | challenge | the unsigned POST with `validationToken` in the query is answered with it as plain text; no such POST reaches the handler |
/// | status | 403 |
/// | body limit | 16 MiB; no maximum is documented |
/// | after a refusal | it comes again (<https://github.com/microsoftgraph/microsoft-graph-docs-contrib/commit/7f704aa53c2141ba9a494c4a80b6333c2acc1f0f>) |
/// | evidence | **second-hand**: learn.microsoft.com, not checked against a delivery |
///
/// The token stands in the body, so that the whole body is read, up to the limit, before anything is
/// known of the sender. The `validationTokens` of rich notifications are not verified here. Graph
/// expects a 202 from the handler.
#[derive(Clone, Debug)]
pub struct MicrosoftGraph(Arc<Vec<Secret>>);

impl MicrosoftGraph {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults = apply::defaults("microsoft_graph")
        // Of rich notifications also tokens, which others may take for proof.
        .with_sensitive_fields(&[FIELD, "validationTokens"])
        .with_challenge(Self::CHALLENGE);

    const CHALLENGE: Challenge = Challenge::PostQuery("validationToken");

    /// Expects one of these `clientState`s, as they were given when the subscriptions were made.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn new(client_states: impl IntoSecrets) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(other_credentials::checked(client_states, 0, Self::DEFAULTS.provider())?)))
    }

    /// The index of the secret in one notification.
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

    /// Of several secrets in one body the last counts as the key, so that it is not retired early.
    fn finish(&self, _: &mut (), _: &Context<'_>, body: &Bytes) -> Result<Outcome, Rejection> {
        let Ok(Some(Value::Array(notifications))) = json::field(body, "value") else {
            return Err(Rejection::malformed_in(Field::json("value")));
        };
        // One good token must not carry others along; none at all is no token.
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
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for MicrosoftGraph {
    /// `{"value":[…]}`, whose notifications have no `clientState`; what else there is is dropped.
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
