//! Providers that sign with a JSON Web Token, and publish their keys.

use std::sync::Arc;

use crate::{
    crypto::{jwk, jwt::Jwt, public_key::PublicKey, secrets::IntoSecrets},
    error::ConfigError,
    fetched_keys::{
        fetcher::KeyFetcher,
        jwks,
        key_set::{NamedKey, NoKeys, ReadKeys, given_to, keys_of, list, plain},
        request::{KeyUrl, checked_url},
        source::{FetchedKeys, KeyName, KeyRules},
    },
    parse::{
        headers::after_scheme,
        json::{Value, field, items},
    },
    providers::{
        own::jwt::{
            atlassian_connect_lifecycle::{self, AtlassianConnectLifecycle},
            azure_event_grid_entra::{self, AzureEventGridEntra},
            bot_framework::{self, BotFramework},
            forge_remote::{self, ForgeRemote},
            fusionauth::{self, FusionAuth},
            google_chat::{self, GoogleChat, GoogleChatAudience},
            google_pub_sub::{self, GooglePubSub},
            microsoft_graph_resource_data::MicrosoftGraphResourceData,
            plaid::{self, Plaid},
        },
        support::is_uuid,
    },
    verifier::verifier::Verifier,
};

const GOOGLE: &str = "https://www.googleapis.com/oauth2/v3/certs";
const CHAT: &str =
    "https://www.googleapis.com/service_accounts/v1/jwk/chat@system.gserviceaccount.com";
const BOT_FRAMEWORK: &str = "https://login.botframework.com/v1/.well-known/keys";
const MICROSOFT: &str = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
const FORGE: &str = "https://forge.cdn.prod.atlassian-dev.net/.well-known/jwks.json";
const CONNECT: &str = "https://connect-install-keys.atlassian.com/";

/// Environment of Plaid, which determines the URL of its public keys.
///
/// ([Plaid](https://plaid.com/docs/api/webhooks/webhook-verification/))
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaidEnvironment {
    /// `https://production.plaid.com`.
    Production,
    /// `https://sandbox.plaid.com`.
    Sandbox,
}

impl Plaid {
    /// Creates a source of verifiers that fetches each key from `/webhook_verification_key/get` of
    /// this environment.
    ///
    /// Plaid's API takes a POST with your credentials and the ID of the key. `KeyClient` sends it
    /// after `KeyClient::plaid` (feature `http-client`). A function of yours sends
    /// `{"client_id": "…", "secret": "…", "key_id": "…"}`, with
    /// [`KeyRequest::key_id`](crate::fetched_keys::KeyRequest::key_id), and returns `None` for the error
    /// `INVALID_WEBHOOK_VERIFICATION_KEY_ID`.
    /// ([Plaid](https://plaid.com/docs/api/webhooks/webhook-verification/))
    ///
    /// # Errors
    ///
    /// Returns an error if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys(
        environment: PlaidEnvironment,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless: Self::keyless(),
                name: KeyName::Inside(plaid::HEADER, plaid_key_id),
                in_body: None,
                url: KeyUrl::Asked(match environment {
                    PlaidEnvironment::Production => {
                        "https://production.plaid.com/webhook_verification_key/get"
                    }
                    PlaidEnvironment::Sandbox => {
                        "https://sandbox.plaid.com/webhook_verification_key/get"
                    }
                }),
                read: Arc::new(|document, _| read_plaid(document)),
                make: Arc::new(|keys| Self::new(keys_of(keys))),
            },
        )
    }
}

impl GooglePubSub {
    /// Creates a source of verifiers for tokens with this audience and this service account's e-mail
    /// address, which fetches Google's keys from <https://www.googleapis.com/oauth2/v3/certs>.
    ///
    /// # Errors
    ///
    /// Returns an error if the audience is empty, if the address has no `@`, or if the limits of the
    /// fetcher contradict each other.
    pub fn with_fetched_keys(
        audience: &str,
        service_account: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(audience, service_account)?;
        of_set(fetcher, keyless, google_pub_sub::HEADER, GOOGLE, Self::with_keys)
    }
}

impl GoogleChat {
    /// Creates a source of verifiers for tokens with this audience, which fetches Google's keys from
    /// <https://www.googleapis.com/oauth2/v3/certs>, or those of Chat's service account.
    ///
    /// # Errors
    ///
    /// Returns an error if the audience is empty, or if the limits of the fetcher contradict each
    /// other.
    pub fn with_fetched_keys(
        audience: GoogleChatAudience,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let url = match &audience {
            GoogleChatAudience::Url(_) => GOOGLE,
            GoogleChatAudience::ProjectNumber(_) => CHAT,
        };
        let keyless = Self::keyless(&audience)?;
        of_set(fetcher, keyless, google_chat::HEADER, url, Self::with_keys)
    }
}

impl ForgeRemote {
    /// Creates a source of verifiers for tokens of the app with this ID, which fetches Atlassian's
    /// keys from <https://forge.cdn.prod.atlassian-dev.net/.well-known/jwks.json>.
    ///
    /// # Errors
    ///
    /// Returns an error if the ID is empty, or if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys(
        app_id: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(app_id)?;
        of_set(fetcher, keyless, forge_remote::HEADER, FORGE, Self::with_keys)
    }
}

impl BotFramework {
    /// Creates a source of verifiers for activities to the bot with this app ID, which fetches
    /// Microsoft's keys from <https://login.botframework.com/v1/.well-known/keys>.
    ///
    /// # Errors
    ///
    /// Returns an error if the ID is empty, or if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys(
        app_id: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(app_id)?;
        let base = keyless.clone();
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless,
                name: KeyName::Inside(bot_framework::HEADER, bearer_key_id),
                in_body: None,
                url: KeyUrl::All(BOT_FRAMEWORK.into()),
                read: plain(read_endorsed),
                make: Arc::new(move |keys| {
                    let channels = keys.iter().map(|key| key.purposes.clone()).collect();
                    base.clone().with_keys(keys_of(keys), channels)
                }),
            },
        )
    }
}

impl AzureEventGridEntra {
    /// Creates a source of verifiers for tokens of this tenant with this audience, which fetches the
    /// tenant's keys from `https://login.microsoftonline.com/<tenant's ID>/discovery/v2.0/keys`.
    ///
    /// # Errors
    ///
    /// Returns an error if the tenant's ID is not a UUID in lower case, if the audience is empty, or
    /// if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys(
        tenant_id: &str,
        audience: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(tenant_id, audience)?;
        let url = format!("https://login.microsoftonline.com/{tenant_id}/discovery/v2.0/keys");
        of_set(fetcher, keyless, azure_event_grid_entra::HEADER, &url, Self::with_keys)
    }
}

impl MicrosoftGraphResourceData {
    /// Creates a source of verifiers for notifications with one of these values of `clientState`, to the
    /// applications with these IDs, which fetches Microsoft's keys from
    /// <https://login.microsoftonline.com/common/discovery/v2.0/keys>.
    ///
    /// # Errors
    ///
    /// Returns an error if a value of `clientState` is invalid (see
    /// [`Secret::new`](crate::Secret::new)), if there are none or more than 16, if there is no
    /// application's ID, if one is empty, or if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys<T: Into<String>>(
        client_states: impl IntoSecrets,
        app_ids: impl IntoIterator<Item = T>,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(client_states, app_ids)?;
        let base = keyless.clone();
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless,
                name: KeyName::Unnamed,
                in_body: Some(Self::check_state),
                url: KeyUrl::All(MICROSOFT.into()),
                read: plain(read_with_ids),
                make: Arc::new(move |keys| {
                    let keys = keys.into_iter().map(|key| (key.name, key.key));
                    base.clone().with_keys(keys.collect())
                }),
            },
        )
    }
}

impl AtlassianConnectLifecycle {
    /// Creates a source of verifiers for calls to the app with this `baseUrl`, which fetches each key
    /// from `https://connect-install-keys.atlassian.com/<ID>`.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is empty, or if the limits of the fetcher contradict each other.
    pub fn with_fetched_keys(
        base_url: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        let keyless = Self::keyless(base_url)?;
        FetchedKeys::new(
            fetcher,
            KeyRules {
                make: given_to(&keyless, Self::with_keys),
                keyless,
                name: KeyName::Inside(atlassian_connect_lifecycle::HEADER, connect_key_id),
                in_body: None,
                url: KeyUrl::Each(CONNECT),
                read: plain(read_pem),
            },
        )
    }
}

impl FusionAuth {
    /// Creates a source of verifiers for tokens that are signed with an EC, RSA or Ed25519 key, which
    /// fetches your FusionAuth's keys from this URL, such as
    /// `https://auth.example.com/.well-known/jwks.json`.
    ///
    /// The algorithms are ES256, RS256 and EdDSA. Tokens under a secret are rejected here.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL has no HTTPS, no host or user information, or if the limits of the
    /// fetcher contradict each other. HTTP is allowed to an address of this machine.
    #[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
    pub fn with_fetched_keys(
        jwks_url: &str,
        fetcher: &KeyFetcher,
    ) -> Result<FetchedKeys<Self>, ConfigError> {
        FetchedKeys::new(
            fetcher,
            KeyRules {
                keyless: Self::keyless(),
                name: KeyName::Inside(fusionauth::HEADER, key_id),
                in_body: None,
                url: KeyUrl::All(checked_url(jwks_url)?),
                read: plain(jwks::read),
                make: Arc::new(|keys| Self::of_public_keys(keys_of(keys))),
            },
        )
    }
}

/// Creates a source for tokens after `Bearer` in this header, with a set of keys.
fn of_set<V: Verifier + Clone + Send + Sync + 'static>(
    fetcher: &KeyFetcher,
    keyless: V,
    header: &'static str,
    url: &str,
    with_keys: fn(V, Vec<PublicKey>) -> Result<V, ConfigError>,
) -> Result<FetchedKeys<V>, ConfigError> {
    let read: ReadKeys = plain(jwks::read);
    let name = KeyName::Inside(header, bearer_key_id);
    let url = KeyUrl::All(url.into());
    let make = given_to(&keyless, with_keys);
    FetchedKeys::new(fetcher, KeyRules { keyless, name, in_body: None, url, read, make })
}

/// Returns the ID of the key that a token names.
fn key_id(token: &[u8]) -> Option<String> {
    Jwt::read(token)?.key_id().filter(|id| jwks::is_key_id(id)).map(str::to_owned)
}

/// Returns the ID of a key of Plaid, a UUID. Each one causes a request with your credentials.
fn plaid_key_id(token: &[u8]) -> Option<String> {
    key_id(token).filter(|id| is_uuid(id))
}

fn bearer_key_id(header: &[u8]) -> Option<String> {
    key_id(after_scheme(header, "Bearer")?)
}

/// Returns the ID of a key of Atlassian, which is a part of a URL.
fn connect_key_id(header: &[u8]) -> Option<String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_segment = |text: &str| !text.is_empty() && text.bytes().all(is_allowed);
    key_id(after_scheme(header, "JWT")?).filter(|id| id.split('/').all(is_segment))
}

/// Reads a key: `{"key": {"kty": "EC", "kid": "…", "expired_at": null, …}}`.
fn read_plaid(document: &[u8]) -> Result<Vec<NamedKey>, NoKeys> {
    let key = field(document, "key").map_err(|_| "it is not JSON")?;
    let Some(Value::Object(key)) = key else { return Err("it has no `key`".into()) };
    let expired = field(key.as_bytes(), "expired_at").map_err(|_| "its key is malformed")?;
    // It is a time, or `null`.
    if matches!(expired, Some(Value::Number(_) | Value::Text(_))) {
        return Err(NoKeys::Expired);
    }
    let (id, key) = jwk::read(key).ok_or("its key is malformed")?;
    Ok(vec![NamedKey::new(id, key)])
}

/// Reads a set whose keys may be limited to channels.
fn read_endorsed(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    list(document, "keys", "it has no `keys`", |item| {
        let (id, key) = jwk::read(item)?;
        let purposes = match field(item.as_bytes(), "endorsements").ok()? {
            None => None,
            Some(Value::Array(channels)) => {
                let mut texts = Vec::new();
                let visit =
                    &mut |channel: Value<'_>| texts.extend(channel.into_text().map(Into::into));
                items(channels.as_bytes(), visit).ok()?;
                Some(texts)
            }
            Some(_) => return None,
        };
        Some(NamedKey { purposes, ..NamedKey::new(id, key) })
    })
}

/// Reads a set whose keys are tried together, and keeps the IDs, because a request names several.
fn read_with_ids(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    let keys = jwks::read(document)?.into_iter();
    Ok(keys.map(|key| NamedKey { name: key.id.clone().unwrap_or_default(), ..key }).collect())
}

fn read_pem(document: &[u8]) -> Result<Vec<NamedKey>, &'static str> {
    let key = str::from_utf8(document).ok().and_then(|pem| PublicKey::from_pem(pem).ok());
    Ok(vec![NamedKey::new(None, key.ok_or("it is not a public key in PEM")?)])
}
