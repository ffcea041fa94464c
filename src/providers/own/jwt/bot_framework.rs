//! Activities of the Bot Connector.

use std::{sync::Arc, time::Duration};

use crate::{
    crypto::public_key::{IntoPublicKeys, PublicKey},
    error::ConfigError,
    outcome::{field::Field, rejection::Rejection},
    parse::json::json_path,
    providers::{
        macros::{registered, sign_as},
        own::jwt::{
            methods::setting,
            rules::{Issuer, RS256, Rules},
            state::JwtState,
            verifier::JwtVerifier,
        },
        policy::DeliveryPolicy,
    },
    verifier::{
        defaults::VerifierDefaults, delegate::delegate_verifier, outcome::Outcome,
        verifier::Verifier,
    },
};

pub(crate) const HEADER: &str = "authorization";

/// Leeway of Microsoft's own libraries.
const LEEWAY: Duration = Duration::from_secs(300);

const RULES: Rules = Rules {
    auth_scheme: "Bearer",
    issuer: Issuer::Is("https://api.botframework.com"),
    times: &["exp"],
    // A bot sends its answers, with its own token, to this URL.
    body_fields: &[("serviceurl", "serviceUrl")],
    ..Rules::new(BotFramework::DEFAULTS, HEADER, RS256)
};

/// Activities that the Bot Connector sends to a bot, so also those of Microsoft Teams: a JSON Web
/// Token, which proves the sender and little of the body.
///
/// ```
/// use tower_webhook::{SignatureLayer, fetched_keys::KeyFetcher, providers::BotFramework};
///
/// # fn fetcher() -> KeyFetcher {
/// #     KeyFetcher::new(async |_| Ok::<Option<Vec<u8>>, std::io::Error>(None))
/// # }
/// let fetcher: KeyFetcher = fetcher();
/// let app_id = "00000000-0000-4000-8000-000000000000";
/// let layer = SignatureLayer::new(BotFramework::with_fetched_keys(app_id, &fetcher)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: Bearer <JWT>` |
/// | algorithm | RS256; the keys are in Microsoft's list |
/// | signed content | the claims `aud`, the bot's app ID, `iss`, which is `https://api.botframework.com`, `serviceurl`, which is `serviceUrl` of the body, and `exp`; **nothing else about the body** |
/// | tolerance | until `exp`, and [5 minutes](Self::leeway) more |
/// | delivery ID | `id` in the body |
/// | challenge | none |
///
/// - The token proves that the Bot Connector sent a request to your bot, and where the answer goes, not
///   that it sent the rest of this body. Anyone who captures a token can send another body with it
///   until it expires.
/// - If Microsoft's list limits a key to channels (`endorsements`), `channelId` of the body must be one
///   of them.
/// - Outgoing webhooks of Teams are [`MicrosoftTeams`](crate::providers::MicrosoftTeams).
///
/// # Not covered
///
/// Tokens of the Bot Framework Emulator, of bots that call your bot (skills), and of the clouds for
/// governments, which have other issuers.
///
/// # Settings
///
/// *Microsoft App ID* in the configuration of the Azure Bot.
/// ([Microsoft](https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-authentication))
///
/// # Evidence
///
/// Vendor's documentation:
/// <https://learn.microsoft.com/en-us/azure/bot-service/rest-api/bot-framework-rest-connector-authentication>,
/// and vendor's source: `src/auth` in the package `botframework-connector` 4.23.2.
///
#[doc = crate::providers::macros::page!(BotFramework)]
#[derive(Clone, Debug)]
pub struct BotFramework {
    verifier: JwtVerifier,
    /// Channels of each key. `None` if the key is for all.
    channels: Arc<Vec<Option<Vec<String>>>>,
}

registered! {
    BotFramework = "bot_framework" as "Bot Framework";
    policy: DeliveryPolicy::UNKNOWN
        .leaves_body_open();
    signature: "JWT with audience, service URL and times; not the rest of the body";
}

impl BotFramework {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[HEADER]);

    /// Creates a verifier for activities to the bot with this app ID, with these public keys, which
    /// are for all channels: for tests. Microsoft changes its keys, so use
    /// [`with_fetched_keys`](Self::with_fetched_keys).
    ///
    /// # Errors
    ///
    /// Returns an error if the ID is empty, if a key is not one of RSA, or if there are no keys or
    /// more than 16.
    pub fn new(app_id: &str, keys: impl IntoPublicKeys) -> Result<Self, ConfigError> {
        Self::keyless(app_id)?.with_keys(keys.into_public_keys(), Vec::new())
    }

    /// Creates a verifier without a key, which accepts no request.
    pub(crate) fn keyless(app_id: &str) -> Result<Self, ConfigError> {
        let verifier = JwtVerifier::empty(&RULES).with_leeway(LEEWAY);
        let verifier = verifier.with_claim("aud", setting(app_id)?);
        Ok(Self { verifier, channels: Arc::default() })
    }

    pub(crate) fn with_keys(
        self,
        keys: Vec<PublicKey>,
        channels: Vec<Option<Vec<String>>>,
    ) -> Result<Self, ConfigError> {
        let verifier = self.verifier.with_public_keys(keys)?;
        Ok(Self { verifier, channels: Arc::new(channels) })
    }

    /// Sets how long after `exp` a token is accepted, instead of 5 minutes.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { verifier: self.verifier.with_leeway(leeway), ..self }
    }

    /// Checks that the key is for the channel of an activity.
    fn check_channel(&self, outcome: Outcome, body: &[u8]) -> Result<Outcome, Rejection> {
        let channels = self.channels.get(outcome.verified().key_index());
        let Some(Some(channels)) = channels else { return Ok(outcome) };
        match json_path(body, "channelId") {
            Some(channel) if channels.contains(&channel) => Ok(outcome),
            _ => Err(Rejection::mismatch().with_field(Field::json("channelId"))),
        }
    }
}

impl Verifier for BotFramework {
    delegate_verifier!(
        self => self.verifier, JwtState;
        after(outcome, _request, body) => self.check_channel(outcome, body);
    );
}

sign_as!(BotFramework, self => &self.verifier);
