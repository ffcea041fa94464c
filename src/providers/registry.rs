//! Providers by name, and verifiers of one type for all of them.

use std::{any::Any, error::Error, fmt, sync::Arc, time::SystemTime};

use bytes::Bytes;
use http::{Response, request::Parts};

use super::{
    Ably, Deepgram, Flutterwave, GitLab, Mailgun, Meta, MicrosoftGraph, Okta, Pusher, Slack,
    StandardWebhooks, Telegram, Twilio, WebSub, WebexContactCenter, Worldline, Wsapi, commerce,
    developer, identity, media, messaging, operations, payments, productivity,
};
use crate::{
    ConfigError, Profile, PublicUrl, Rejection, Secret, Verified, Verifier, scheme::Scheme,
};

/// A verifier of any provider: one type for tenants who use different ones.
///
/// Against a provider's own type it costs a virtual call for each step and one allocation for the
/// state.
#[derive(Clone)]
pub struct AnyVerifier(Arc<dyn Erased + Send + Sync>);

/// What an [`AnyVerifier`] carries from the head to the end of the body.
pub struct AnyState(Box<dyn Any + Send>);

impl AnyVerifier {
    /// Hides the verifier's type.
    pub fn new<V>(verifier: V) -> Self
    where
        V: Verifier<State: 'static> + Send + Sync + 'static,
    {
        Self(Arc::new(verifier))
    }
}

trait Erased {
    fn begin(&self, head: &Parts) -> Result<AnyState, Rejection>;
    fn update(&self, state: &mut AnyState, chunk: &[u8]);
    fn finish(&self, state: AnyState, head: &Parts, body: &Bytes) -> Result<Verified, Rejection>;
    fn handshake(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>>;
    fn profile(&self) -> Profile;
}

impl<V: Verifier<State: 'static>> Erased for V {
    fn begin(&self, head: &Parts) -> Result<AnyState, Rejection> {
        Verifier::begin(self, head).map(|state| AnyState(Box::new(state)))
    }

    fn update(&self, state: &mut AnyState, chunk: &[u8]) {
        if let Some(state) = state.0.downcast_mut() {
            Verifier::update(self, state, chunk);
        }
    }

    fn finish(&self, state: AnyState, head: &Parts, body: &Bytes) -> Result<Verified, Rejection> {
        // A state of another verifier proves nothing to this one.
        let state = state.0.downcast().map_err(|_| Rejection::mismatch())?;
        Verifier::finish(self, *state, head, body)
    }

    fn handshake(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
        Verifier::handshake(self, head)
    }

    fn profile(&self) -> Profile {
        Verifier::profile(self)
    }
}

impl Verifier for AnyVerifier {
    type State = AnyState;

    fn begin(&self, head: &Parts) -> Result<AnyState, Rejection> {
        self.0.begin(head)
    }

    fn update(&self, state: &mut AnyState, chunk: &[u8]) {
        self.0.update(state, chunk);
    }

    fn finish(&self, state: AnyState, head: &Parts, body: &Bytes) -> Result<Verified, Rejection> {
        self.0.finish(state, head, body)
    }

    fn handshake(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
        self.0.handshake(head)
    }

    fn profile(&self) -> Profile {
        self.0.profile()
    }
}

impl fmt::Debug for AnyVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyVerifier").field(&self.0.profile().provider()).finish()
    }
}

impl fmt::Debug for AnyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyState").finish_non_exhaustive()
    }
}

/// A provider of the catalogue, found by name.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    name: &'static str,
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
    ($($name:literal: $parameters:ident => $verifier:expr,)*) => {
        &[$(Provider { name: $name, kind: Kind::Own(|$parameters| Ok($verifier)) }),*]
    };
}

/// Providers that are more than a scheme.
const OWN: &[Provider] = own! {
    // With one secret there is nothing to pick: the key's id is not looked at.
    "ably": p => AnyVerifier::new(Ably::SCHEME.verifier(p.secret)?),
    "deepgram": p => AnyVerifier::new(Deepgram::new(p.secret)),
    "flutterwave": p => AnyVerifier::new(Flutterwave::new(p.secret)),
    "gitlab": p => AnyVerifier::new(GitLab::token(p.secret)),
    "gitlab_signed": p => clocked!(p, GitLab::signed(p.secret)?),
    "mailgun": p => clocked!(p, Mailgun::new(p.secret)),
    "meta": p => AnyVerifier::new(Meta::new(p.secret)),
    "microsoft_graph": p => AnyVerifier::new(MicrosoftGraph::new(p.secret)),
    "okta": p => AnyVerifier::new(Okta::new(p.secret)),
    "pusher": p => AnyVerifier::new(Pusher::SCHEME.verifier(p.secret)?),
    "slack": p => clocked!(p, Slack::new(p.secret)),
    "standard_webhooks": p => clocked!(p, StandardWebhooks::new(p.secret)?),
    "telegram": p => AnyVerifier::new(Telegram::new(p.secret)),
    "twilio": p => AnyVerifier::new(Twilio::new(p.secret, p.url.ok_or(ConfigError::UrlMissing)?)),
    "webex_contact_center": p => clocked!(p, WebexContactCenter::new(p.secret)),
    "websub": p => AnyVerifier::new(WebSub::new(p.secret)),
    "worldline": p => AnyVerifier::new(Worldline::SCHEME.verifier(p.secret)?),
    "wsapi": p => clocked!(p, Wsapi::new(p.secret)),
};

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

/// Every provider that can be found by name: all that need no more than a secret, and perhaps a URL.
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
    let declared = schemes
        .map(|scheme| Provider { name: scheme.profile().provider(), kind: Kind::Scheme(scheme) });
    declared.chain(OWN.iter().copied())
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

    /// A verifier with this secret.
    ///
    /// # Errors
    ///
    /// When the secret is not in the provider's form, or the provider signs the URL and needs
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

/// There is no provider with this name.
#[derive(Clone, Debug, PartialEq, Eq)]
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
