//! Fixed tokens in a header or in the URL.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, request::Parts};

#[cfg(feature = "explain")]
use crate::providers::own::variants::probe_secrets;
use crate::{
    crypto::{mac::KeyMatch, secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{form::Form, headers::required_named},
    providers::{macros::registered, other_credentials, policy::DeliveryPolicy},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// A fixed token in a header or in the URL, which proves the sender and not the body.
///
/// ```
/// use http::HeaderName;
/// use tower_webhook::{SignatureLayer, providers::SharedToken};
///
/// let header = HeaderName::from_static("x-webhook-token");
/// let layer = SignatureLayer::new(SharedToken::new(header, "made-up-secret")?);
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// It is **weaker than a signature**: it does not cover the body, so anyone who sees one request
/// can send any other. Prefer the provider's signature if it has one, or use both with
/// [`all_of`](crate::verifier::all_of).
///
/// Use it for providers that send a token in a custom header. For BigCommerce and WSAPI (its
/// "webhook authentication secret"), use it only for their extra token. For providers that send no
/// custom header, put the token into the URL. Providers with their own header, and Datadog, have a
/// type in the module [`tokens`](crate::providers::tokens).
///
/// The token is compared in constant time, before the body is read.
///
/// [By name](crate::providers::by_name) it is `"shared_token"`, with the credential
/// `x-header:token`. The [replay guard](crate::replay) does not cover this type, because no
/// signature identifies a delivery.
#[derive(Clone, Debug)]
pub struct SharedToken {
    place: Place,
    secrets: Vec<Secret>,
}

registered! {
    SharedToken = "shared_token" as "Shared token";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "nothing: a token in a header of your choice, or in the URL";
    "shared_token": HeaderAndToken, p => {
        let (header, tokens) = p.header_and_tokens()?;
        SharedToken::new(header, tokens)
    };
}

/// Place of the token.
#[derive(Clone, Debug)]
enum Place {
    Header(HeaderName),
    /// The last segment of the path.
    Path,
    Query(Arc<str>),
}

impl SharedToken {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults = Self::POLICY.defaults();

    /// Creates a verifier that expects one of these tokens as the header's whole value.
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn new(header: HeaderName, tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::of(Self::DEFAULTS.provider(), header, tokens)
    }

    /// Creates the verifier of a provider with its own header.
    pub(crate) fn of(
        provider: &'static str,
        header: HeaderName,
        tokens: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        let secrets = other_credentials::checked(tokens, 0, provider)?;
        Ok(Self { place: Place::Header(header), secrets })
    }

    /// Creates a verifier that expects one of these tokens in a query parameter, as in
    /// `/hook?code=<token>`. The parameter must occur exactly once.
    ///
    /// Servers and proxies log URLs. Prefer a header, and keep this URL out of logs. The layer's
    /// events do not show it. For a lookup, declare it with [`VerifierDefaults::with_secret_url`].
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn in_query(
        parameter: impl Into<Arc<str>>,
        tokens: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        Self::at(Place::Query(parameter.into()), tokens)
    }

    /// Creates a verifier that expects one of these tokens as the last segment of the path, as in
    /// `/hook/<token>`.
    ///
    /// The segment is not decoded before the comparison, so use only letters, digits, `-` and `_`
    /// in the token. See [`in_query`](Self::in_query) for the caveat about logs.
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if
    /// there are none or more than 16.
    pub fn in_path(tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::at(Place::Path, tokens)
    }

    fn at(place: Place, tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        Ok(Self {
            place,
            secrets: other_credentials::checked(tokens, 0, Self::DEFAULTS.provider())?,
        })
    }

    fn key_index(&self, head: &Parts) -> Result<usize, Rejection> {
        let index_of = |received: &[u8]| index_of(&self.secrets, received);
        match &self.place {
            Place::Header(name) => index_of(required_named(head, name)?),
            Place::Path => match head.uri.path().rsplit('/').next() {
                None | Some("") => Err(Rejection::missing_in(Field::Path)),
                Some(segment) => index_of(segment.as_bytes()),
            },
            Place::Query(name) => {
                let because =
                    |kind| Rejection::new(kind).with_field(Field::Query(name.to_string().into()));
                let form = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
                let form = form.ok_or_else(|| because(RejectionKind::Malformed))?;
                index_of(form.only(name).map_err(because)?)
            }
        }
    }
}

/// Returns the index of the first secret that equals the received token. Compares all secrets, so
/// that the time does not depend on the one that matches.
pub(crate) fn index_of(secrets: &[Secret], received: &[u8]) -> Result<usize, Rejection> {
    let mut matched = KeyMatch::new();
    for (index, secret) in secrets.iter().enumerate() {
        matched.add(index, secret.ct_matches(received));
    }
    matched.accepted()
}

/// Implements [`Verifier`] for a type around a verifier whose state is the index of the secret.
macro_rules! verifies_as {
    ($name:ident, $id:literal, $defaults:expr $(, $challenge:expr)?) => {
        impl $name {
            /// Default layer settings for this provider: its name, the status of rejections and the
            /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
            pub const DEFAULTS: VerifierDefaults = $defaults;
        }

        impl Verifier for $name {
            delegate_verifier! {
                self => self.0, usize;
                after(outcome, _request, _body) => Ok(of_provider(&outcome, $id))
                $(; challenge(request) => $challenge.before_verification(request.head(), None))?;
                defaults => Self::DEFAULTS
            }
        }

        sign_as!($name, self => &self.0);
    };
}
pub(crate) use verifies_as;

/// Returns the outcome of a token or a password, as that of this provider.
pub(crate) fn of_provider(outcome: &Outcome, provider: &'static str) -> Outcome {
    Verified::new(provider).with_key_index(outcome.verified().key_index()).into()
}

impl Verifier for SharedToken {
    type State = usize;

    fn begin(&self, request: &Context<'_>) -> Result<usize, Rejection> {
        self.key_index(request.head())
    }

    fn finish(
        &self,
        key_index: &mut usize,
        _: &Context<'_>,
        _: &Bytes,
    ) -> Result<Outcome, Rejection> {
        Ok(Verified::new(Self::DEFAULTS.provider()).with_key_index(*key_index).into())
    }

    fn defaults(&self) -> VerifierDefaults {
        match self.place {
            Place::Header(_) => Self::DEFAULTS,
            Place::Path | Place::Query(_) => Self::DEFAULTS.with_secret_url(),
        }
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        match &self.place {
            Place::Header(name) => SensitiveParts::none().header(name.clone()),
            Place::Path | Place::Query(_) => SensitiveParts::none().url(),
        }
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let credentials = other_credentials::of(Self::DEFAULTS.provider());
        let verifier = |token| Self { place: self.place.clone(), secrets: vec![token] };
        probe_secrets(probe, &self.secrets, credentials, verifier);
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for SharedToken {
    fn sign(
        &self,
        head: &mut Parts,
        _: &[u8],
        _: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        match &self.place {
            Place::Header(name) => {
                put(head, name, self.secrets.first().map(Secret::expose).unwrap_or_default())?;
            }
            // The token is part of the provider's URL, so the request must already have it.
            Place::Path | Place::Query(_) => {
                self.key_index(head)?;
            }
        }
        Ok(None)
    }
}

/// Sets a header to a secret.
#[cfg(feature = "sign")]
pub(crate) fn put(head: &mut Parts, name: &HeaderName, value: &[u8]) -> Result<(), Rejection> {
    let malformed = |_| Rejection::malformed(name.to_string());
    let mut value = http::HeaderValue::from_bytes(value).map_err(malformed)?;
    value.set_sensitive(true);
    head.headers.insert(name.clone(), value);
    Ok(())
}
