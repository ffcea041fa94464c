//! monday.com webhooks.

use std::time::Duration;

use crate::{
    crypto::secrets::IntoSecrets,
    error::ConfigError,
    providers::{
        macros::{registered, sign_as},
        own::jwt::{
            rules::{HS256, Rules, UrlClaim},
            state::JwtState,
            verifier::JwtVerifier,
        },
        policy::{DeliveryPolicy, MINUTE},
    },
    scheme::public_url::PublicUrl,
    verifier::{
        challenge::response::json_answer,
        defaults::VerifierDefaults,
        delegate::delegate_verifier,
        first_contact::{ContactField, FirstContact},
        outcome::Outcome,
        verifier::Verifier,
    },
};

const HEADER: &str = "authorization";
const CHALLENGE: &str = "challenge";

/// Check of the URL when a webhook is created.
const CHECK: FirstContact =
    FirstContact::json(&[(CHALLENGE, ContactField::Token)]).echo_json(CHALLENGE);

const RULES: Rules = Rules {
    times: &["exp"],
    url: Some(UrlClaim::Equals("aud")),
    ..Rules::new(Monday::DEFAULTS, HEADER, HS256)
};

/// Webhooks of monday.com apps: a JSON Web Token, which proves the sender and not the body.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::Monday};
///
/// let url = PublicUrl::base("https://example.com")?;
/// let layer = SignatureLayer::new(Monday::new("made-up-signing-secret", url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `authorization: <JWT>`, without `Bearer` |
/// | algorithm | HS256; the key is the app's signing secret |
/// | signed content | the claims `aud`, which is the URL, and `exp`; **nothing about the body** |
/// | tolerance | until `exp`, and [10 seconds](Self::leeway) more |
/// | delivery ID | none known |
/// | challenge | a POST of `{"challenge":"…"}`, with or without a token: the response repeats it |
///
/// - The token proves that monday.com sent a request to this URL, not that it sent this body. Anyone
///   who captures a token can send another body with it until it expires. Treat an event as a hint:
///   fetch the item that it names.
/// - One signing secret serves all accounts that install the app. The token does not say that the
///   event is of a certain account.
/// - A token without `aud` or `exp` is rejected. monday.com does not document the claims of the
///   app's lifecycle webhooks.
///
/// # Secret
///
/// The app's *Signing Secret* for webhooks of boards and for integrations. The app's *Client Secret*
/// signs its lifecycle webhooks.
/// ([monday.com](https://developer.monday.com/apps/docs/integration-authorization))
///
/// # Settings
///
/// Create the [`PublicUrl`] from the URL that monday.com has, with its query.
///
/// # Evidence
///
/// Vendor's documentation: <https://developer.monday.com/apps/docs/authorization-header>, and
/// <https://developer.monday.com/api-reference/docs/webhooks> for the challenge.
///
#[doc = crate::providers::macros::page!(Monday)]
#[derive(Clone, Debug)]
pub struct Monday(JwtVerifier);

registered! {
    Monday = "monday" as "monday.com";
    policy: DeliveryPolicy::UNKNOWN
        .leaves_body_open()
        .retried_for(
            30 * MINUTE,
            "https://developer.monday.com/apps/changelog/clarification-on-retry-policies-for-webhooks-and-custom-actions",
        )
        .comes_again(
            "https://developer.monday.com/apps/changelog/clarification-on-retry-policies-for-webhooks-and-custom-actions",
        );
    signature: "JWT with the URL and a time; not the body";
    "monday": Secret url, p => Monday::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

impl Monday {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY
        .defaults()
        .with_sensitive_headers(&[HEADER])
        .with_first_contacts(&[CHECK], &[HEADER]);

    /// Creates a verifier with these signing secrets, the current one first, for webhooks that
    /// monday.com sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a secret is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(secrets: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        Ok(Self(JwtVerifier::new(&RULES, secrets)?.with_url(url)))
    }

    /// Sets how long after `exp` a token is accepted, instead of 10 seconds.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }
}

impl Verifier for Monday {
    delegate_verifier! {
        self => self.0, JwtState;
        after(outcome, request, body) => {
            Ok(match CHECK.token(request.head(), body, CHALLENGE) {
                Some(text) => {
                    let answer = json_answer(&format!(r#"{{"{CHALLENGE}":"{text}"}}"#));
                    Outcome::of(Some(answer), outcome.verified().clone())
                }
                None => outcome,
            })
        };
    }
}

sign_as!(Monday, self => &self.0);
