//! Microsoft Graph change notifications with resource data.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;

use crate::{
    crypto::{jwt::Jwt, mac::Algorithm, public_key::PublicKey, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::{
        clock::Clock,
        encoding::MAX_SIGNATURE,
        json::{Value, field, items, text_field},
    },
    providers::{
        macros::registered,
        own::{
            jwt::{claims::Claims, methods::setting},
            microsoft_graph::MicrosoftGraph,
        },
        policy::DeliveryPolicy,
        support::is_uuid,
    },
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        outcome::Outcome, verifier::Verifier,
    },
};

const TOKENS: &str = "validationTokens";

/// ID of the application that publishes Graph's notifications.
const PUBLISHER: &str = "0bf30f3b-4a52-48df-9a82-234910c4a086";

/// Maximum number of tokens in a body. Graph sends one for each pair of an application and a tenant.
const MAX_TOKENS: usize = 16;

/// Leeway of Microsoft's own libraries.
const LEEWAY: Duration = Duration::from_secs(300);

/// Microsoft Graph change notifications with resource data ("rich notifications"): a token in the body
/// as for [`MicrosoftGraph`], and JSON Web Tokens, which prove the sender and the tenant, and nothing
/// else of the body.
///
/// ```
/// use tower_webhook::{
///     SignatureLayer, fetched_keys::KeyFetcher, providers::MicrosoftGraphResourceData,
/// };
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let app_id = "00000000-0000-4000-8000-000000000000";
/// let source =
///     MicrosoftGraphResourceData::with_fetched_keys("made-up-secret", [app_id], &fetcher)?;
/// let layer = SignatureLayer::new(source);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | none: `clientState` of **each** notification in the body's `value`, and the JWTs in `validationTokens` |
/// | algorithm | RS256; the keys are in Microsoft's list |
/// | signed content | the claims `aud`, your application, `azp` or `appid`, which is Graph's publisher, `tid` and `iss`, the tenant, and `exp`; **nothing else about the body** |
/// | tolerance | until `exp`, and 5 minutes more; none for notifications without data |
/// | delivery ID | `id` of each notification in the body |
/// | challenge | an unsigned POST with `validationToken` in the query: the response is its value as plain text |
///
/// - If a notification has `encryptedContent`, each token must be valid, and one must be of its
///   `tenantId`. Notifications without data, such as those of the lifecycle, have no tokens: they need
///   `clientState` alone.
/// - The token does not cover `encryptedContent`. Decrypt it with the private key of your certificate,
///   and check `dataSignature`, in the handler.
/// - A token by a key that is newer than the fetched list is rejected until the list is fetched again, at
///   most [`max_age`](crate::fetched_keys::KeyFetcher::max_age) later.
/// - The body is read before anything is known about the sender. Keys are fetched only for bodies with
///   the right `clientState`.
///
/// # Secret
///
/// You choose it. Pass it as `clientState` when you create the subscription by the API. ([Microsoft](https://learn.microsoft.com/en-us/graph/change-notifications-with-resource-data))
///
/// # Evidence
///
/// **Second-hand**: <https://learn.microsoft.com/en-us/graph/change-notifications-with-resource-data>, not
/// checked against a delivery.
///
#[doc = crate::providers::macros::page!(MicrosoftGraphResourceData)]
#[derive(Clone, Debug)]
pub struct MicrosoftGraphResourceData(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    graph: MicrosoftGraph,
    app_ids: Vec<String>,
    /// Keys with their IDs.
    keys: Vec<(String, PublicKey)>,
}

registered! {
    MicrosoftGraphResourceData = "microsoft_graph_resource_data" as "Microsoft Graph with resource data";
    policy: DeliveryPolicy::UNKNOWN
        .comes_again("https://github.com/microsoftgraph/microsoft-graph-docs-contrib/commit/7f704aa53c2141ba9a494c4a80b6333c2acc1f0f")
        .leaves_body_open();
    signature: "JWT with audience, tenant and times, and a token; not the rest of the body";
}

impl MicrosoftGraphResourceData {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        .with_sensitive_fields(&["clientState", TOKENS])
        .with_challenge(Challenge::PostQuery("validationToken"));

    /// Creates a verifier without a key, which accepts no notification with data.
    pub(crate) fn keyless<T: Into<String>>(
        client_states: impl IntoSecrets,
        app_ids: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let app_ids: Vec<String> = app_ids.into_iter().map(Into::into).collect();
        setting(app_ids.first().map_or("", String::as_str))?;
        app_ids.iter().try_for_each(|id| setting(id).map(|_| ()))?;
        let graph = MicrosoftGraph::new(client_states)?;
        Ok(Self(Arc::new(Inner { graph, app_ids, keys: Vec::new() })))
    }

    /// Sets the keys, with their IDs.
    pub(crate) fn with_keys(mut self, keys: Vec<(String, PublicKey)>) -> Result<Self, ConfigError> {
        if keys.iter().any(|(_, key)| key.algorithm() != Algorithm::RsaPkcs1Sha256) {
            return Err(ConfigError::PublicKeyInvalid { why: "it is not a key of RSA" });
        }
        Arc::make_mut(&mut self.0).keys = keys;
        Ok(self)
    }

    /// Rejects bodies without the right `clientState`, so that no key is fetched for them. All keys
    /// are in one document, so none is named.
    pub(crate) fn check_state(
        &self,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<String, Rejection> {
        self.0.graph.finish(&mut (), request, body).map(|_| String::new())
    }

    /// Returns the tenant of a token, if the token is valid.
    fn tenant(&self, token: &[u8], clock: &Clock) -> Result<String, Rejection> {
        let malformed = || Rejection::malformed_in(Field::json(TOKENS));
        let jwt = Jwt::read(token).filter(|jwt| !jwt.has_extensions()).ok_or_else(malformed)?;
        let algorithm = Algorithm::RsaPkcs1Sha256;
        if jwt.algorithm() != Some(algorithm) {
            return Err(malformed());
        }
        let mut buffer = [0; MAX_SIGNATURE + 2];
        let signature = jwt.decode_signature(algorithm, &mut buffer).ok_or_else(malformed)?;
        let id = jwt.key_id().ok_or_else(malformed)?;
        let mut named = self.0.keys.iter().filter(|(other, _)| other == id);
        if !named.any(|(_, key)| jwt.is_signed_by_public(key, signature)) {
            return Err(Rejection::mismatch().with_field(Field::json(TOKENS)));
        }
        let claims = jwt.claims().ok_or_else(malformed)?;
        self.check_claims(Claims(claims.get().as_bytes()), clock)
    }

    fn check_claims(&self, claims: Claims<'_>, clock: &Clock) -> Result<String, Rejection> {
        let wrong = |name| Rejection::mismatch().with_field(Field::jwt(name));
        let has = |name, value: &str| claims.has(name, value).unwrap_or(false);
        if !self.0.app_ids.iter().any(|app| has("aud", app)) {
            return Err(wrong("aud"));
        }
        // Otherwise, every application that calls yours could send notifications.
        if !has("azp", PUBLISHER) && !has("appid", PUBLISHER) {
            return Err(wrong("azp"));
        }
        let tenant = claims.required("tid")?.into_owned();
        let issuers = [
            format!("https://sts.windows.net/{tenant}/"),
            format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        ];
        if !is_uuid(&tenant) || !issuers.iter().any(|issuer| has("iss", issuer)) {
            return Err(wrong("iss"));
        }
        claims.check_times(&["exp"], Some(LEEWAY), None, clock)?;
        Ok(tenant)
    }

    /// Returns the tenants of all tokens of a body.
    fn tenants(&self, body: &[u8], clock: &Clock) -> Result<Vec<String>, Rejection> {
        let malformed = || Rejection::malformed_in(Field::json(TOKENS));
        let mut tokens = Vec::new();
        match field(body, TOKENS).map_err(|_| malformed())? {
            None => return Err(Rejection::missing_in(Field::json(TOKENS))),
            Some(Value::Array(list)) => {
                let visit =
                    &mut |token: Value<'_>| tokens.push(token.into_text().map(String::from));
                items(list.as_bytes(), visit).map_err(|_| malformed())?;
            }
            Some(_) => return Err(malformed()),
        }
        if tokens.len() > MAX_TOKENS {
            return Err(malformed());
        }
        let tenant =
            |token: Option<String>| self.tenant(token.ok_or_else(malformed)?.as_bytes(), clock);
        tokens.into_iter().map(tenant).collect()
    }
}

/// Returns the tenants of the notifications with data.
fn tenants_with_data(body: &[u8]) -> Result<Vec<String>, Rejection> {
    let malformed = || Rejection::malformed_in(Field::json("value"));
    let Ok(Some(Value::Array(list))) = field(body, "value") else { return Err(malformed()) };
    let mut tenants = Vec::new();
    let visit = &mut |notification: Value<'_>| {
        if let Value::Object(notification) = notification {
            let notification = notification.as_bytes();
            // A notification in which the field occurs twice has data, too.
            if !matches!(field(notification, "encryptedContent"), Ok(None)) {
                tenants.push(text_field(notification, "tenantId").map(String::from));
            }
        }
    };
    items(list.as_bytes(), visit).map_err(|_| malformed())?;
    let tenants: Option<Vec<String>> = tenants.into_iter().collect();
    tenants.ok_or(Rejection::missing_in(Field::json("tenantId")))
}

impl Verifier for MicrosoftGraphResourceData {
    type State = ();

    fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    fn finish(
        &self,
        (): &mut (),
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let outcome = self.0.graph.finish(&mut (), request, body)?;
        let needed = tenants_with_data(body)?;
        if !needed.is_empty() {
            let proven = self.tenants(body, request.clock())?;
            if !needed.iter().all(|tenant| proven.contains(tenant)) {
                return Err(Rejection::mismatch().with_field(Field::json("tenantId")));
            }
        }
        let mut verified = outcome.verified().clone();
        verified.set_provider(Self::DEFAULTS.provider());
        Ok(verified.into())
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        self.0.graph.challenge(request)
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}
