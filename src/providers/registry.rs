//! Registry of providers by name.

use std::fmt;

use http::HeaderName;

#[cfg(feature = "asymmetric")]
use crate::providers::own::{discord::Discord, sendgrid::SendGrid, telnyx::Telnyx, wise::Wise};
use crate::{
    crypto::secrets::{IntoSecrets, Secrets, each},
    error::ConfigError,
    parse::timestamp::Tolerance,
    providers::{
        apply,
        boxed::BoxVerifier,
        catalogue::{
            commerce, developer, identity, media, messaging, operations, payments, productivity,
            tokens::{
                BasicAuth, Brevo, Chargebee, Datadog, Deepgram, Flutterwave, Mailjet, Okta,
                Postmark, SparkPost, Telegram,
            },
        },
        credentials::CredentialKind,
        own::{
            gitlab::GitLab,
            keyring::{Ably, Pusher, Worldline},
            mailgun::Mailgun,
            meta::Meta,
            microsoft_graph::MicrosoftGraph,
            persona::Persona,
            shared_token::SharedToken,
            slack::Slack,
            standard_webhooks::StandardWebhooks,
            twilio::Twilio,
            webex_contact_center::WebexContactCenter,
            websub::WebSub,
            worldpay::Worldpay,
            wsapi::Wsapi,
        },
        policies,
        policy::DeliveryPolicy,
        unknown_provider::UnknownProvider,
    },
    scheme::{component::Component, declaration::Scheme, public_url::PublicUrl},
};

/// A provider of the catalogue, as [`by_name`] and [`all`] return it.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    pub(crate) name: &'static str,
    type_name: &'static str,
    needs: CredentialKind,
    signs_time: bool,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A provider with code of its own.
    Own(fn(Parameters) -> Result<BoxVerifier, ConfigError>),
    Scheme(&'static Scheme),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(_) => f.write_str("Own"),
            Self::Scheme(scheme) => scheme.fmt(f),
        }
    }
}

/// Input for a provider's verifier.
struct Parameters {
    secrets: Secrets,
    url: Option<PublicUrl>,
}

macro_rules! own {
    ($($name:literal: $type:ident, $needs:ident $($timed:ident)?, $parameters:ident => $verifier:expr;)*) => {
        &[$(Provider {
            name: $name,
            type_name: stringify!($type),
            needs: CredentialKind::$needs,
            signs_time: own!(@timed $($timed)?),
            kind: Kind::Own(|$parameters| Ok($verifier)),
        }),*]
    };
    (@timed timed) => { true };
    (@timed) => { false };
}

/// Creates a verifier with credentials of two parts each.
macro_rules! of_pairs {
    ($type:ident, $further:ident, $needs:ident, $parameters:ident) => {{
        let mut verifier: Option<$type> = None;
        each($parameters.secrets, |pair| {
            let (name, secret) = CredentialKind::$needs.split(&pair)?;
            verifier = Some(match verifier.take() {
                Some(verifier) => verifier.$further(&name, secret)?,
                None => $type::new(&name, secret)?,
            });
            Ok(())
        })?;
        BoxVerifier::signing(verifier.ok_or(ConfigError::SecretEmpty)?)
    }};
}

/// Parses public keys.
#[cfg(feature = "asymmetric")]
fn public_keys(texts: Secrets) -> Result<Vec<crate::crypto::public_key::PublicKey>, ConfigError> {
    each(texts, |text| CredentialKind::public_key(&text))
}

/// Splits pairs of a header and a token, all of the same header.
fn in_one_header(secrets: Secrets) -> Result<(HeaderName, Secrets), ConfigError> {
    let pairs = each(secrets, |pair| CredentialKind::header_and_token(&pair))?;
    let header = pairs.first().map(|(header, _)| header.clone()).ok_or(ConfigError::SecretEmpty)?;
    if pairs.iter().any(|(other, _)| *other != header) {
        let form = "`x-header:token`, each with the same header";
        return Err(ConfigError::CredentialsInvalid { form });
    }
    Ok((header, pairs.into_iter().map(|(_, token)| token).collect()))
}

/// Providers with code of their own.
const OWN: &[Provider] = own! {
    "ably": Ably, KeyIdAndSecret, p => of_pairs!(Ably, key, KeyIdAndSecret, p);
    "basic_auth": BasicAuth, UserAndPassword, p => of_pairs!(BasicAuth, user, UserAndPassword, p);
    "brevo": Brevo, UserAndPassword, p => of_pairs!(Brevo, user, UserAndPassword, p);
    "chargebee": Chargebee, UserAndPassword, p => of_pairs!(Chargebee, user, UserAndPassword, p);
    "datadog": Datadog, HeaderAndToken, p => {
        let (header, tokens) = in_one_header(p.secrets)?;
        BoxVerifier::signing(Datadog::new(header, tokens)?)
    };
    "deepgram": Deepgram, Secret, p => BoxVerifier::signing(Deepgram::new(p.secrets)?);
    "flutterwave": Flutterwave, Secret, p => BoxVerifier::signing(Flutterwave::new(p.secrets)?);
    "gitlab": GitLab, Secret, p => BoxVerifier::signing(GitLab::token(p.secrets)?);
    "gitlab_signed": GitLab, Secret timed, p => BoxVerifier::signing(GitLab::signed(p.secrets)?);
    "mailjet": Mailjet, UserAndPassword, p => of_pairs!(Mailjet, user, UserAndPassword, p);
    "mailgun": Mailgun, Secret timed, p => BoxVerifier::signing(Mailgun::new(p.secrets)?);
    "meta": Meta, Secret, p => BoxVerifier::signing(Meta::new(p.secrets)?);
    "microsoft_graph": MicrosoftGraph, Secret, p => BoxVerifier::signing(MicrosoftGraph::new(p.secrets)?);
    "okta": Okta, Secret, p => BoxVerifier::signing(Okta::new(p.secrets)?);
    "persona": Persona, Secret timed, p => BoxVerifier::signing(Persona::new(p.secrets)?);
    "postmark": Postmark, UserAndPassword, p => of_pairs!(Postmark, user, UserAndPassword, p);
    "pusher": Pusher, KeyIdAndSecret, p => of_pairs!(Pusher, key, KeyIdAndSecret, p);
    "shared_token": SharedToken, HeaderAndToken, p => {
        let (header, tokens) = in_one_header(p.secrets)?;
        BoxVerifier::signing(SharedToken::new(header, tokens)?)
    };
    "slack": Slack, Secret timed, p => BoxVerifier::signing(Slack::new(p.secrets)?);
    "sparkpost": SparkPost, UserAndPassword, p => of_pairs!(SparkPost, user, UserAndPassword, p);
    "standard_webhooks": StandardWebhooks, Secret timed, p => BoxVerifier::signing(StandardWebhooks::new(p.secrets)?);
    "telegram": Telegram, Secret, p => BoxVerifier::signing(Telegram::new(p.secrets)?);
    "twilio": Twilio, Secret, p => {
        let url = p.url.ok_or(ConfigError::UrlMissing)?;
        BoxVerifier::signing(Twilio::new(p.secrets, url)?)
    };
    "webex_contact_center": WebexContactCenter, Secret timed, p => BoxVerifier::signing(WebexContactCenter::new(p.secrets)?);
    "websub": WebSub, Secret, p => BoxVerifier::signing(WebSub::new(p.secrets)?);
    "worldline": Worldline, KeyIdAndSecret, p => of_pairs!(Worldline, key, KeyIdAndSecret, p);
    "worldpay": Worldpay, KeyIdAndSecret, p => of_pairs!(Worldpay, key, KeyIdAndSecret, p);
    "wsapi": Wsapi, Secret timed, p => BoxVerifier::signing(Wsapi::new(p.secrets)?);
};

/// Providers that are verified with a public key.
#[cfg(feature = "asymmetric")]
const ASYMMETRIC: &[Provider] = own! {
    "discord": Discord, PublicKey timed, p => BoxVerifier::signing(Discord::new(public_keys(p.secrets)?)?);
    "sendgrid": SendGrid, PublicKey timed, p => BoxVerifier::signing(SendGrid::new(public_keys(p.secrets)?)?);
    "standard_webhooks_v1a": StandardWebhooks, PublicKey timed, p => BoxVerifier::signing(StandardWebhooks::new_asymmetric(public_keys(p.secrets)?)?);
    "telnyx": Telnyx, PublicKey timed, p => BoxVerifier::signing(Telnyx::new(public_keys(p.secrets)?)?);
    "wise": Wise, PublicKey, p => BoxVerifier::signing(Wise::new(public_keys(p.secrets)?)?);
};
#[cfg(not(feature = "asymmetric"))]
const ASYMMETRIC: &[Provider] = &[];

/// Other names by which gateways and users know providers.
pub(crate) const ALIASES: [(&str, &str); 13] = [
    ("bitbucket_server", "bitbucket"),
    ("coinbase", "coinbase_commerce"),
    ("facebook", "meta"),
    ("facebook_graph_api", "meta"),
    ("facebook_messenger", "meta"),
    ("forgejo", "gitea"),
    ("instagram", "meta"),
    ("intuit", "quickbooks"),
    ("messenger", "meta"),
    ("salesforce_mc", "salesforce_marketing_cloud"),
    ("svix", "standard_webhooks"),
    ("whatsapp", "meta"),
    ("x", "twitter"),
];

/// Returns every provider of the catalogue that can be found by name.
///
/// [`Strava`](super::Strava) and [`AzureEventGrid`](super::AzureEventGrid) are missing, because
/// their secret is part of your URL. Providers with a public key are present only with the feature
/// `asymmetric`.
pub fn all() -> impl Iterator<Item = Provider> {
    let groups = [
        commerce::SCHEMES,
        developer::SCHEMES,
        identity::SCHEMES,
        media::SCHEMES,
        messaging::SCHEMES,
        operations::SCHEMES,
        payments::SCHEMES,
        productivity::SCHEMES,
    ];
    let schemes = groups.into_iter().flatten();
    let declared = schemes.map(|(type_name, scheme)| Provider {
        type_name,
        name: scheme.defaults().provider(),
        needs: CredentialKind::Secret,
        signs_time: scheme.time.is_some(),
        kind: Kind::Scheme(scheme),
    });
    declared.chain(OWN.iter().chain(ASYMMETRIC).copied())
}

/// Returns the delivery policies of all provider types, including those that [`all`] leaves out.
pub fn delivery_policies() -> impl Iterator<Item = &'static DeliveryPolicy> {
    policies::POLICIES.iter()
}

fn names() -> impl Iterator<Item = &'static str> {
    all().map(|provider| provider.name).chain(ALIASES.map(|(alias, _)| alias))
}

/// Returns the provider with this name (`"stripe"`) or alias (`"whatsapp"`).
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
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let id = alias.map_or(name, |(_, id)| id);
    all().find(|provider| provider.name == id).ok_or_else(|| UnknownProvider::new(name, names()))
}

impl Provider {
    /// Returns the provider's name, such as `github`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the name of the provider's type in [`providers`](crate::providers), such as
    /// `GitHub`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Returns the provider's scheme, or `None` if the provider has code of its own.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'static Scheme> {
        match self.kind {
            Kind::Scheme(scheme) => Some(scheme),
            Kind::Own(_) => None,
        }
    }

    /// Returns the vendor's documented delivery policy.
    #[must_use]
    pub fn delivery_policy(&self) -> &'static DeliveryPolicy {
        apply::find(match self.name {
            "gitlab_signed" => "gitlab",
            "standard_webhooks_v1a" => "standard_webhooks",
            name => name,
        })
    }

    /// Returns how far a signed timestamp can be off by default.
    ///
    /// Returns `None` if no timestamp is signed, or if its format is unknown.
    #[must_use]
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.signs_time.then(|| self.delivery_policy().tolerance())
    }

    /// Returns the kind of credential that [`verifier`](Self::verifier) needs.
    #[must_use]
    pub const fn credential_kind(&self) -> CredentialKind {
        self.needs
    }

    /// Returns `true` if the provider signs the URL, so that it needs
    /// [`verifier_at`](Self::verifier_at).
    #[must_use]
    pub fn needs_url(&self) -> bool {
        match self.kind {
            Kind::Scheme(scheme) => scheme.signed_content.contains(&Component::Url),
            Kind::Own(_) => self.name == Twilio::DEFAULTS.provider(),
        }
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
        let parameters = Parameters { secrets, url };
        match self.kind {
            Kind::Own(build) => build(parameters),
            Kind::Scheme(scheme) => Ok(BoxVerifier::signing(match parameters.url {
                Some(url) => scheme.verifier_at(parameters.secrets, url)?,
                None => scheme.verifier(parameters.secrets)?,
            })),
        }
    }
}
