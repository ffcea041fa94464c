use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, request::Parts};

use crate::{
    crypto::{mac::KeyMatch, secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{form::Form, headers::required_named},
    providers::{apply, other_credentials},
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// A fixed token where the user chooses: in a header, such as WSAPI's "webhook authentication
/// secret", or in the URL for providers that send nothing else.
///
/// It is **weaker than a signature**: it does not cover the body, so whoever sees one request can
/// send any other. Prefer the provider's signature where it has one, or use both with
/// [`all_of`](crate::verifier::all_of).
///
/// It is also for Datadog, BigCommerce and others whose users choose the headers; for providers with
/// a header of their own see the module [`tokens`](crate::providers::tokens).
///
/// The token is compared in constant time, before the body is read.
#[derive(Clone, Debug)]
pub struct SharedToken {
    place: Place,
    secrets: Vec<Secret>,
}

/// Where the token stands.
#[derive(Clone, Debug)]
enum Place {
    Header(HeaderName),
    /// Its last segment.
    Path,
    Query(Arc<str>),
}

impl SharedToken {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults = apply::defaults("shared_token");

    /// Expects one of these tokens as the header's whole value.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn new(header: HeaderName, tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
        Self::of(Self::DEFAULTS.provider(), header, tokens)
    }

    /// Creates the verifier of a provider with a header of its own.
    pub(crate) fn of(
        provider: &'static str,
        header: HeaderName,
        tokens: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        let secrets = other_credentials::checked(tokens, 0, provider)?;
        Ok(Self { place: Place::Header(header), secrets })
    }

    /// Expects one of these tokens as the value of a parameter of the query, as in `/hook?code=<token>`, and
    /// that parameter once.
    ///
    /// URLs stand in the logs of servers and proxies: prefer a header, and keep this one out of them.
    /// Events of the layer do not show it; a look-up's must be told so, by
    /// [`VerifierDefaults::with_secret_url`].
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn in_query(
        parameter: impl Into<Arc<str>>,
        tokens: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        Self::at(Place::Query(parameter.into()), tokens)
    }

    /// Expects one of these tokens as the last segment of the path, as in `/hook/<token>`. It is compared as
    /// it stands there: make it of letters, digits, `-` and `_`.
    ///
    /// For the logs holds what [`in_query`](Self::in_query) says.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
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

/// The index of the first secret that was received. All are compared, whichever it is.
pub(crate) fn index_of(secrets: &[Secret], received: &[u8]) -> Result<usize, Rejection> {
    let mut matched = KeyMatch::new();
    for (index, secret) in secrets.iter().enumerate() {
        matched.add(index, secret.ct_matches(received));
    }
    matched.accepted()
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
            // It is part of the URL that the provider was given, and so of the request.
            Place::Path | Place::Query(_) => {
                self.key_index(head)?;
            }
        }
        Ok(None)
    }
}

/// Puts a secret into a header.
#[cfg(feature = "sign")]
pub(crate) fn put(head: &mut Parts, name: &HeaderName, value: &[u8]) -> Result<(), Rejection> {
    let malformed = |_| Rejection::malformed(name.to_string());
    let mut value = http::HeaderValue::from_bytes(value).map_err(malformed)?;
    value.set_sensitive(true);
    head.headers.insert(name.clone(), value);
    Ok(())
}
