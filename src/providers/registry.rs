//! Providers by name.

use std::{error::Error, fmt, time::SystemTime};

use super::{
    Ably, AnyVerifier, BasicAuth, Brevo, Chargebee, Datadog, Deepgram, Flutterwave, GitLab,
    Mailgun, Mailjet, Meta, MicrosoftGraph, Okta, Persona, Postmark, Pusher, SharedToken, Slack,
    SparkPost, StandardWebhooks, Telegram, Twilio, WebSub, WebexContactCenter, Worldline, Worldpay,
    Wsapi, commerce, developer, identity, media, messaging,
    needs::Needs,
    operations, payments, policies,
    policy::{self, DeliveryPolicy},
    productivity,
};
#[cfg(feature = "asymmetric")]
use super::{Discord, SendGrid, Telnyx, Wise};
use crate::{
    ConfigError, PublicUrl, Secret,
    scheme::{Part, Scheme, Tolerance},
};

/// A provider of the catalogue, found by name.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    name: &'static str,
    needs: Needs,
    signs_time: bool,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// More than a scheme.
    Own(fn(Parameters) -> Result<AnyVerifier, ConfigError>),
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

/// What a provider's verifier is made of.
struct Parameters {
    secret: Secret,
    url: Option<PublicUrl>,
    clock: Option<Box<dyn Fn() -> SystemTime + Send + Sync>>,
}

/// A verifier with the clock, where there is one.
macro_rules! clocked {
    ($parameters:ident, $verifier:expr) => {
        match $parameters.clock {
            Some(now) => AnyVerifier::new($verifier.clock(now)),
            None => AnyVerifier::new($verifier),
        }
    };
}

macro_rules! own {
    ($($name:literal: $needs:ident $($timed:ident)?, $parameters:ident => $verifier:expr;)*) => {
        &[$(Provider {
            name: $name,
            needs: Needs::$needs,
            signs_time: own!(@timed $($timed)?),
            kind: Kind::Own(|$parameters| Ok($verifier)),
        }),*]
    };
    (@timed timed) => { true };
    (@timed) => { false };
}

/// A verifier of the two parts of the credentials.
macro_rules! of_pair {
    ($type:ident, $parameters:ident, $needs:ident) => {{
        let (name, secret) = Needs::$needs.split(&$parameters.secret)?;
        AnyVerifier::new($type::new(&name, secret))
    }};
}

/// Providers that are more than a scheme.
const OWN: &[Provider] = own! {
    "ably": KeyIdAndSecret, p => of_pair!(Ably, p, KeyIdAndSecret);
    "basic_auth": UserAndPassword, p => of_pair!(BasicAuth, p, UserAndPassword);
    "brevo": UserAndPassword, p => of_pair!(Brevo, p, UserAndPassword);
    "chargebee": UserAndPassword, p => of_pair!(Chargebee, p, UserAndPassword);
    "datadog": HeaderAndToken, p => {
        let (header, token) = Needs::header_and_token(&p.secret)?;
        AnyVerifier::new(Datadog::new(header, token))
    };
    "deepgram": Secret, p => AnyVerifier::new(Deepgram::new(p.secret));
    "flutterwave": Secret, p => AnyVerifier::new(Flutterwave::new(p.secret));
    "gitlab": Secret, p => AnyVerifier::new(GitLab::token(p.secret));
    "gitlab_signed": Secret timed, p => clocked!(p, GitLab::signed(p.secret)?);
    "mailjet": UserAndPassword, p => of_pair!(Mailjet, p, UserAndPassword);
    "mailgun": Secret timed, p => clocked!(p, Mailgun::new(p.secret));
    "meta": Secret, p => AnyVerifier::new(Meta::new(p.secret));
    "microsoft_graph": Secret, p => AnyVerifier::new(MicrosoftGraph::new(p.secret));
    "okta": Secret, p => AnyVerifier::new(Okta::new(p.secret));
    "persona": Secret timed, p => clocked!(p, Persona::new(p.secret));
    "postmark": UserAndPassword, p => of_pair!(Postmark, p, UserAndPassword);
    "pusher": KeyIdAndSecret, p => of_pair!(Pusher, p, KeyIdAndSecret);
    "shared_token": HeaderAndToken, p => {
        let (header, token) = Needs::header_and_token(&p.secret)?;
        AnyVerifier::new(SharedToken::new(header, token))
    };
    "slack": Secret timed, p => clocked!(p, Slack::new(p.secret));
    "sparkpost": UserAndPassword, p => of_pair!(SparkPost, p, UserAndPassword);
    "standard_webhooks": Secret timed, p => clocked!(p, StandardWebhooks::new(p.secret)?);
    "telegram": Secret, p => AnyVerifier::new(Telegram::new(p.secret));
    "twilio": Secret, p => AnyVerifier::new(Twilio::new(
        p.secret,
        p.url.ok_or(ConfigError::UrlMissing)?,
    ));
    "webex_contact_center": Secret timed, p => clocked!(p, WebexContactCenter::new(p.secret));
    "websub": Secret, p => AnyVerifier::new(WebSub::new(p.secret));
    "worldline": KeyIdAndSecret, p => of_pair!(Worldline, p, KeyIdAndSecret);
    "worldpay": KeyIdAndSecret, p => of_pair!(Worldpay, p, KeyIdAndSecret);
    "wsapi": Secret timed, p => clocked!(p, Wsapi::new(p.secret));
};

/// Those that are verified with a public key.
#[cfg(feature = "asymmetric")]
const ASYMMETRIC: &[Provider] = own! {
    "discord": PublicKey timed, p => clocked!(p, Discord::new(Needs::public_key(&p.secret)?)?);
    "sendgrid": PublicKey timed, p => clocked!(p, SendGrid::new(Needs::public_key(&p.secret)?)?);
    "standard_webhooks_v1a": PublicKey timed, p => clocked!(
        p,
        StandardWebhooks::new_asymmetric(Needs::public_key(&p.secret)?)?
    );
    "telnyx": PublicKey timed, p => clocked!(p, Telnyx::new(Needs::public_key(&p.secret)?)?);
    "wise": PublicKey, p => AnyVerifier::new(Wise::new(Needs::public_key(&p.secret)?)?);
};
#[cfg(not(feature = "asymmetric"))]
const ASYMMETRIC: &[Provider] = &[];

/// Other names by which gateways and people know providers.
const ALIASES: [(&str, &str); 12] = [
    ("bitbucket_server", "bitbucket"),
    ("coinbase", "coinbase_commerce"),
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

/// Every provider of the catalogue, but for [`Strava`](super::Strava) and
/// [`AzureEventGrid`](super::AzureEventGrid), whose secret stands in a URL of your own; those with a
/// public key only with the feature `asymmetric`.
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
    let declared = schemes.map(|scheme| Provider {
        name: scheme.profile().provider(),
        needs: Needs::Secret,
        signs_time: scheme.time.is_some(),
        kind: Kind::Scheme(scheme),
    });
    declared.chain(OWN.iter().chain(ASYMMETRIC).copied())
}

/// The delivery policies of all provider types, also of those that [`all`] leaves out.
pub fn delivery_policies() -> impl Iterator<Item = &'static DeliveryPolicy> {
    policies::POLICIES.iter()
}

/// The provider with this id (`"stripe"`), or known by this other name (`"whatsapp"`).
///
/// ```
/// use tower_webhook::{Secret, SignatureLayer, providers};
///
/// let provider = providers::by_name("github")?;
/// let layer = SignatureLayer::new(provider.verifier(Secret::new("s3cret-of-the-hook")?)?);
/// # let _ = layer;
///
/// let error = providers::by_name("git_hub").unwrap_err();
/// assert_eq!(error.to_string(), "there is no provider `git_hub`; did you mean `github`?");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When there is none; the error names those with a similar name.
pub fn by_name(name: &str) -> Result<Provider, UnknownProvider> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let id = alias.map_or(name, |(_, id)| id);
    all().find(|provider| provider.name == id).ok_or_else(|| UnknownProvider::new(name))
}

impl Provider {
    /// Its id.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How it signs, where a scheme says it all.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'static Scheme> {
        match self.kind {
            Kind::Scheme(scheme) => Some(scheme),
            Kind::Own(_) => None,
        }
    }

    /// Returns the vendor's documented delivery of webhooks.
    #[must_use]
    pub fn delivery_policy(&self) -> &'static DeliveryPolicy {
        policy::find(match self.name {
            "gitlab_signed" => "gitlab",
            "standard_webhooks_v1a" => "standard_webhooks",
            name => name,
        })
    }

    /// How far a signed time may be off by default. `None` where no time is signed, or its form is not
    /// known.
    #[must_use]
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.signs_time.then(|| self.delivery_policy().tolerance())
    }

    /// What it is verified with, and so what [`verifier`](Self::verifier) takes.
    #[must_use]
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// Whether it signs the URL, and so needs [`verifier_at`](Self::verifier_at).
    #[must_use]
    pub fn needs_url(&self) -> bool {
        match self.kind {
            Kind::Scheme(scheme) => scheme.template.contains(&Part::Url),
            Kind::Own(_) => self.name == Twilio::PROFILE.provider(),
        }
    }

    /// A verifier with this secret, or whatever else the provider [needs](Self::needs), in one
    /// text as it would stand in a configuration.
    ///
    /// ```
    /// use tower_webhook::{Secret, providers::{self, Needs}};
    ///
    /// let pusher = providers::by_name("pusher")?;
    /// assert_eq!(pusher.needs(), Needs::KeyIdAndSecret);
    /// assert!(pusher.verifier(Secret::new("the app key:the app secret")?).is_ok());
    ///
    /// let error = pusher.verifier(Secret::new("the app secret")?).unwrap_err();
    /// assert_eq!(error.to_string(), "the credentials are out of form; write `key id:secret`");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is not in the provider's form, or the provider signs the URL and needs
    /// [`verifier_at`](Self::verifier_at).
    pub fn verifier(&self, secret: Secret) -> Result<AnyVerifier, ConfigError> {
        self.build(secret, None, None)
    }

    /// A verifier with this secret, for webhooks that the provider sends to this URL. Providers
    /// that do not sign the URL do not look at it.
    ///
    /// # Errors
    ///
    /// When the secret is not in the provider's form.
    pub fn verifier_at(&self, secret: Secret, url: PublicUrl) -> Result<AnyVerifier, ConfigError> {
        self.build(secret, Some(url), None)
    }

    /// As [`verifier`](Self::verifier) or, with a URL, [`verifier_at`](Self::verifier_at), and
    /// with a clock of one's own: for tests.
    ///
    /// # Errors
    ///
    /// As for those two.
    pub fn verifier_with_clock(
        &self,
        secret: Secret,
        url: Option<PublicUrl>,
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Result<AnyVerifier, ConfigError> {
        self.build(secret, url, Some(Box::new(now)))
    }

    fn build(
        &self,
        secret: Secret,
        url: Option<PublicUrl>,
        clock: Option<Box<dyn Fn() -> SystemTime + Send + Sync>>,
    ) -> Result<AnyVerifier, ConfigError> {
        let is_misplaced = !matches!(self.needs, Needs::PublicKey) && is_public_key(&secret);
        if is_misplaced {
            return Err(ConfigError::SecretIsPublicKey);
        }
        let parameters = Parameters { secret, url, clock };
        match self.kind {
            Kind::Own(build) => build(parameters),
            Kind::Scheme(scheme) => Ok(clocked!(
                parameters,
                match parameters.url {
                    Some(url) => scheme.verifier_at(parameters.secret, url)?,
                    None => scheme.verifier(parameters.secret)?,
                }
            )),
        }
    }
}

/// In a file with several providers one key is soon in another's place. As a secret, it would be
/// one that everybody knows.
fn is_public_key(secret: &Secret) -> bool {
    let starts = |prefix: &str| secret.expose().starts_with(prefix.as_bytes());
    starts("-----BEGIN PUBLIC KEY-----") || starts("whpk_")
}

/// There is no provider with this name.
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownProvider {
    name: String,
    near: Vec<&'static str>,
}

impl UnknownProvider {
    fn new(name: &str) -> Self {
        let names = all().map(|provider| provider.name).chain(ALIASES.map(|(alias, _)| alias));
        let name: String = name.chars().take(64).collect();
        let mut near: Vec<_> = names
            .map(|known| (distance(&name.to_lowercase(), known), known))
            .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
            .collect();
        near.sort_unstable();
        let near = near.into_iter().take(3).map(|(_, known)| known).collect();
        Self { name, near }
    }

    /// The providers with a similar name, nearest first.
    #[must_use]
    pub fn near(&self) -> &[&'static str] {
        &self.near
    }
}

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no provider `{}`", self.name.escape_debug())?;
        for (at, name) in self.near.iter().enumerate() {
            f.write_str(if at == 0 { "; did you mean " } else { " or " })?;
            write!(f, "`{name}`")?;
        }
        f.write_str(if self.near.is_empty() { "" } else { "?" })
    }
}

/// As [`Display`](fmt::Display).
impl fmt::Debug for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for UnknownProvider {}

/// How many letters must be put in, taken out or changed to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.chars().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}
