//! Registry of providers by name.

use crate::{
    crypto::secrets::{IntoSecrets, Secrets},
    error::ConfigError,
    parse::tolerance::Tolerance,
    providers::{
        boxed::BoxVerifier,
        catalogue::{
            commerce, developer, identity, media, messaging, operations, payments, productivity,
            tokens,
        },
        credentials::CredentialKind,
        named_scheme::NamedScheme,
        own::list,
        policy::DeliveryPolicy,
        registration::{Build, Entry, Parameters, Registration},
        unknown_provider::UnknownProvider,
    },
    scheme::{declaration::Scheme, public_url::PublicUrl},
};
#[cfg(feature = "explain")]
use crate::{
    outcome::{cause::Cause, explanation::Finding},
    providers::registration::Signature,
};

/// A provider of the catalogue, as [`by_name`] and [`all`] return it.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    entry: &'static Entry,
    registration: &'static Registration,
}

/// Returns all provider types.
pub(crate) fn types() -> impl Iterator<Item = &'static Registration> {
    let modules = [
        commerce::TYPES,
        developer::TYPES,
        identity::TYPES,
        media::TYPES,
        messaging::TYPES,
        operations::TYPES,
        payments::TYPES,
        productivity::TYPES,
        tokens::TYPES,
        list::TYPES,
    ];
    modules.into_iter().flatten()
}

/// Returns every provider of the catalogue that can be found by name.
///
/// [`Strava`](super::Strava) and [`AzureEventGrid`](super::AzureEventGrid) are missing, because
/// their secret is part of your URL. Also missing are types whose keys are fetched and that need more
/// than a credential: `Alexa`, `AmazonSns`, `AppleAppStore`, `AtlassianConnectLifecycle`,
/// `AzureEventGridEntra`, `BotFramework`, `Fireblocks`, `ForgeRemote`, `GoogleChat`, `GooglePubSub`,
/// `GoogleRisc`, `Kinde`, `MicrosoftGraphResourceData`, `NeonAuth`, `OpenBanking`, `PayPal`, `Plaid`,
/// `SecurityEventTokens`, `SignInWithApple` and `TrueLayer`. Providers with a public key are present only with the feature `asymmetric`.
pub fn all() -> impl Iterator<Item = Provider> {
    types().flat_map(|registration| {
        registration.entries.iter().map(move |entry| Provider { entry, registration })
    })
}

/// Returns the delivery policies of all provider types, including those that [`all`] leaves out.
pub fn delivery_policies() -> impl Iterator<Item = &'static DeliveryPolicy> {
    types().map(|registration| registration.policy)
}

/// Returns an alias as a name for [`by_name`]: `Facebook Graph API` as `facebook_graph_api`.
fn name_of(alias: &str) -> String {
    alias.to_lowercase().replace(' ', "_")
}

/// Returns the provider with this name (`"stripe"`) or [alias](Provider::aliases) (`"whatsapp"`).
///
/// ```
/// use tower_webhook::{Secret, SignatureLayer, providers};
///
/// let provider = providers::by_name("github")?;
/// let layer = SignatureLayer::new(provider.verifier(Secret::new("s3cret-of-the-hook")?)?);
/// # let _ = layer;
///
/// let error = providers::by_name("git_hub").unwrap_err();
/// assert_eq!(error.to_string(), "unknown provider `git_hub`; did you mean `github`?");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns an error if no provider has this name. The error lists similar names.
pub fn by_name(name: &str) -> Result<Provider, UnknownProvider> {
    let mut providers = all();
    let found = providers.find(|provider| provider.name() == name);
    found.or_else(|| by_alias(name)).ok_or_else(|| {
        let names = all().map(|provider| provider.name().to_owned());
        let aliases = types().flat_map(|registration| registration.aliases);
        UnknownProvider::new(name, names.chain(aliases.map(|alias| name_of(alias))))
    })
}

/// Returns the first entry of the type with this alias.
fn by_alias(name: &str) -> Option<Provider> {
    let is_alias = |alias: &&str| name_of(alias) == name;
    all().find(|provider| provider.aliases().iter().any(is_alias))
}

impl Provider {
    /// Returns the provider's name, such as `github`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.entry.name
    }

    /// Returns the vendor's own spelling of the provider's name, such as `Cal.com`.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        self.registration.title
    }

    /// Returns other names of the provider, such as `WhatsApp` for `meta`.
    ///
    /// [`by_name`] accepts them in lower case, with `_` for a space.
    #[must_use]
    pub const fn aliases(&self) -> &'static [&'static str] {
        self.registration.aliases
    }

    /// Returns the name of the provider's type in [`providers`](crate::providers), such as
    /// `GitHub`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.registration.type_name
    }

    /// Describes in words what is signed, such as `HMAC-SHA256 of time and body`.
    #[must_use]
    pub fn signature(&self) -> String {
        self.registration.signature.describe()
    }

    /// Returns the provider's scheme, or `None` if the provider has code of its own.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'static Scheme> {
        match self.entry.build {
            Build::Scheme(scheme) => Some(scheme),
            Build::Own(_) => None,
        }
    }

    /// Returns the vendor's documented delivery policy.
    #[must_use]
    pub const fn delivery_policy(&self) -> &'static DeliveryPolicy {
        self.registration.policy
    }

    /// Returns how far a signed timestamp can be off by default.
    ///
    /// Returns `None` if no timestamp is signed, or if its format is unknown.
    #[must_use]
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.entry.signs_time.then(|| self.delivery_policy().tolerance())
    }

    /// Returns the kind of credential that [`verifier`](Self::verifier) needs.
    #[must_use]
    pub const fn credential_kind(&self) -> CredentialKind {
        self.entry.needs
    }

    /// Returns `true` if the provider signs the URL, so that it needs
    /// [`verifier_at`](Self::verifier_at).
    #[must_use]
    pub const fn needs_url(&self) -> bool {
        self.entry.signs_url
    }

    /// Creates a verifier with these secrets, the current one first.
    ///
    /// Some providers need another [kind of credential](Self::credential_kind) than a secret. Each
    /// credential is one string, as in a configuration.
    /// [`Verified::key_index`](crate::Verified::key_index) reports which of them matched.
    ///
    /// ```
    /// use tower_webhook::providers::{self, CredentialKind};
    ///
    /// let stripe = providers::by_name("stripe")?;
    /// assert!(stripe.verifier(["whsec_the_new_one", "whsec_the_old_one"]).is_ok());
    ///
    /// let pusher = providers::by_name("pusher")?;
    /// assert_eq!(pusher.credential_kind(), CredentialKind::KeyIdAndSecret);
    /// assert!(pusher.verifier("the app key:the app secret").is_ok());
    ///
    /// let error = pusher.verifier("the app secret").unwrap_err();
    /// assert_eq!(error.to_string(), "invalid credentials: expected `key id:secret`");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a credential is not in the provider's format, if tokens have different
    /// headers, if there are no secrets or more than 16, or if the provider signs the URL and needs
    /// [`verifier_at`](Self::verifier_at).
    pub fn verifier(&self, secrets: impl IntoSecrets) -> Result<BoxVerifier, ConfigError> {
        self.build(secrets.into_secrets()?, None)
    }

    /// Creates a verifier with these secrets, for webhooks that the provider sends to this URL.
    ///
    /// Providers that do not sign the URL ignore it.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`verifier`](Self::verifier), except for a missing URL.
    pub fn verifier_at(
        &self,
        secrets: impl IntoSecrets,
        url: PublicUrl,
    ) -> Result<BoxVerifier, ConfigError> {
        self.build(secrets.into_secrets()?, Some(url))
    }

    fn build(&self, secrets: Secrets, url: Option<PublicUrl>) -> Result<BoxVerifier, ConfigError> {
        let secrets = secrets.counted(0)?.into();
        match self.entry.build {
            Build::Own(constructors) => (constructors.verifier)(Parameters { secrets, url }),
            Build::Scheme(scheme) => Ok(BoxVerifier::signing(NamedScheme {
                verifier: match url {
                    Some(url) => scheme.verifier_at(secrets, url)?,
                    None => scheme.verifier(secrets)?,
                },
                #[cfg(feature = "explain")]
                probe_others,
            })),
        }
    }
}

/// Tries the secrets by the scheme of each other provider whose signature header is in the request.
#[cfg(feature = "explain")]
fn probe_others(
    own: &crate::scheme::verifier::SchemeVerifier,
    probe: &mut crate::verifier::probe::Probe<'_>,
) {
    let scheme = &own.0.scheme;
    // Anyone can obtain the HMAC of a challenge's token, which another scheme could accept.
    if scheme.has_keyed_challenge() {
        return;
    }
    for registration in types() {
        let Signature::Scheme(other) = registration.signature else { continue };
        let is_there = other.source.is_in(probe.head());
        if is_there && other.defaults().provider() != scheme.defaults().provider() {
            let detail = format!("it is {}", registration.title);
            let finding = Finding::proven(Cause::OtherProvider).with_detail(detail);
            own.probe_scheme(probe, finding, *other);
        }
    }
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::{Request, header::CONTENT_TYPE};

    use super::*;

    /// Formats the verifier and the state of each type with code of its own.
    #[test]
    fn debug_output_has_neither_key_nor_signature() {
        // Text, base64 and hexadecimal at once.
        const KEY: &str = "abcdef0123456789abcdef0123456789";
        const ADYEN: &[u8] = br#"{"notificationItems":[{"NotificationRequestItem":{"amount":{"value":1},"success":"true"}}]}"#;
        let mut count = 0;
        for provider in all() {
            let Build::Own(constructors) = provider.entry.build else { continue };
            let text = match provider.credential_kind() {
                CredentialKind::Secret => KEY.to_owned(),
                CredentialKind::HeaderAndToken => format!("x-token:{KEY}"),
                CredentialKind::KeyIdAndSecret | CredentialKind::UserAndPassword => {
                    format!("name:{KEY}")
                }
                // Public, and there is no private key to sign with.
                CredentialKind::PublicKey => continue,
            };
            let url = PublicUrl::base("https://example.com").unwrap();
            let (media_type, body) = match provider.name() {
                name if ["mandrill", "plivo"].contains(&name) || name.starts_with("vonage_sms") => {
                    ("application/x-www-form-urlencoded", &b"mandrill_events=[]"[..])
                }
                "braintree" => ("application/x-www-form-urlencoded", &b"bt_payload=YQ"[..]),
                "adyen" => ("application/json", ADYEN),
                "dropbox_sign" => {
                    let event = br#"{"event":{"event_time":"1700000000","event_type":"a"}}"#;
                    ("application/json", &event[..])
                }
                "midtrans" => {
                    let payment = br#"{"order_id":"a","status_code":"200","gross_amount":"1.00"}"#;
                    ("application/json", &payment[..])
                }
                "dingtalk" => {
                    ("application/json", &br#"{"encrypt":"QUFBQUFBQUFBQUFBQUFBQQ=="}"#[..])
                }
                "wechat" | "wecom" => {
                    let message = b"<xml><Encrypt>QUFBQUFBQUFBQUFBQUFBQQ==</Encrypt></xml>";
                    ("text/xml", &message[..])
                }
                _ => ("application/json", &br#"{"value":[{}]}"#[..]),
            };
            let request = Request::post("/hook").header(CONTENT_TYPE, media_type);
            let request = request.body(Bytes::from_static(body)).unwrap();
            let signer = provider.verifier_at(&*text, url.clone()).unwrap();
            let signed = crate::sign::sign::signed(&signer, request, SystemTime::now()).unwrap();
            let (head, _) = signed.into_parts();
            let secrets = text.into_secrets().unwrap();
            let shown = (constructors.debug)(Parameters { secrets, url: Some(url) }, &head);
            assert!(!shown.contains(KEY), "{shown}");
            let values = head.headers.values().filter_map(|value| value.to_str().ok());
            for part in values.flat_map(|value| value.split(['=', ',', ' ', '/'])) {
                assert!(part.len() < 27 || !shown.contains(part), "{}: {shown}", provider.name());
            }
            count += 1;
        }
        assert!(count >= 28, "{count}");
    }
}
