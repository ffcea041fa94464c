//! Claims of the tokens of a provider.

use std::{borrow::Cow, time::Duration};

use http::{Method, request::Parts};

use crate::{
    crypto::mac::Algorithm,
    outcome::{event_id::EventId, field::Field, rejection::Rejection},
    parse::{
        encoding::Encoding,
        headers::{credentials, required},
        json::{self, Value},
    },
    verifier::defaults::VerifierDefaults,
};

/// The only algorithm of most providers.
pub(crate) const HS256: &[Algorithm] = &[Algorithm::HmacSha256];

/// All HMACs of RFC 7518. A secret may be used with each of them.
pub(crate) const HMACS: &[Algorithm] =
    &[Algorithm::HmacSha256, Algorithm::HmacSha384, Algorithm::HmacSha512];

/// The only algorithm of most providers with fetched keys.
#[cfg(feature = "fetched-keys")]
pub(crate) const RS256: &[Algorithm] = &[Algorithm::RsaPkcs1Sha256];

/// Leeway for the clocks of providers that name none.
pub(crate) const LEEWAY: Duration = Duration::from_secs(10);

/// Place, algorithms and claims of a provider's tokens.
pub(crate) struct Rules {
    pub(crate) defaults: VerifierDefaults,
    pub(crate) place: Place,
    /// The authentication scheme before the token. Empty if the token is the whole header.
    pub(crate) auth_scheme: &'static str,
    /// Values of `typ` that a token may have. Empty if each is allowed.
    pub(crate) types: &'static [&'static str],
    pub(crate) algorithms: &'static [Algorithm],
    pub(crate) issuer: Issuer,
    pub(crate) body: Option<BodyClaim>,
    pub(crate) url: Option<UrlClaim>,
    /// The times without which a token is rejected. `exp` and `nbf` are checked in any case.
    pub(crate) times: &'static [&'static str],
    /// Set if `exp` has no meaning to the provider.
    pub(crate) ignores_exp: bool,
    /// Claims that must be `true`.
    pub(crate) is_true: &'static [&'static str],
    /// Claims that must equal a text of the body, with its path.
    pub(crate) body_fields: &'static [(&'static str, &'static str)],
    /// Claims that must be there, because tokens for other purposes have the same keys.
    pub(crate) contents: &'static [(&'static str, Content)],
    /// Claim with the event as a text, in which it is JSON. Otherwise the event's members are claims.
    #[cfg(feature = "sign")]
    pub(crate) event_in: Option<&'static str>,
    /// Set if each token must have an ID of its own.
    pub(crate) has_id: bool,
    /// Claim with the delivery's ID, which must be there.
    pub(crate) delivery_id: Option<&'static str>,
    /// The ID of the event in the body, which is unique to each event.
    pub(crate) event_id: Option<EventId>,
}

/// Place of the token in a request.
#[cfg_attr(not(feature = "fetched-keys"), expect(dead_code, reason = "for fetched keys"))]
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Header(&'static str),
    /// The whole body.
    Body,
    /// A field of a JSON body.
    Json(&'static str),
}

/// Expected type of a claim.
#[cfg_attr(not(feature = "fetched-keys"), expect(dead_code, reason = "for fetched keys"))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Text,
    Object,
    TextOrObject,
    /// An object, and not that of a logout token (OpenID Connect Back-Channel Logout 1.0), which is a
    /// security event token, too.
    Events,
}

/// Expected value of `iss`.
#[derive(Clone, Copy)]
pub(crate) enum Issuer {
    Any,
    Is(&'static str),
    #[cfg(feature = "fetched-keys")]
    OneOf(&'static [&'static str]),
    /// The ID of the key that signed the token.
    KeyId,
}

/// Claim with the SHA-256 of the body.
#[derive(Clone, Copy)]
pub(crate) struct BodyClaim {
    pub(crate) name: &'static str,
    pub(crate) encoding: Encoding,
    /// Set if the claim is left out for an empty body, and only then.
    pub(crate) is_absent_if_empty: bool,
    /// Set if a GET has the hash of its query in the place of the hash of its body. Frameworks
    /// dispatch a HEAD like a GET.
    pub(crate) is_of_query_in_get: bool,
}

impl BodyClaim {
    pub(crate) const fn new(name: &'static str, encoding: Encoding) -> Self {
        Self { name, encoding, is_absent_if_empty: false, is_of_query_in_get: false }
    }

    /// Returns whether the hash is that of the query.
    pub(crate) fn is_of_query(&self, head: &Parts) -> bool {
        self.is_of_query_in_get && matches!(head.method, Method::GET | Method::HEAD)
    }
}

/// Claim about the URL of the webhook.
#[derive(Clone, Copy)]
pub(crate) enum UrlClaim {
    Equals(&'static str),
    /// The SHA-256 of the URL, in hexadecimal.
    Sha256(&'static str),
}

impl UrlClaim {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Equals(name) | Self::Sha256(name) => name,
        }
    }
}

impl Rules {
    /// Creates rules for a header that has the token alone, and for tokens without claims.
    pub(crate) const fn new(
        defaults: VerifierDefaults,
        header: &'static str,
        algorithms: &'static [Algorithm],
    ) -> Self {
        Self {
            defaults,
            place: Place::Header(header),
            auth_scheme: "",
            types: &[],
            algorithms,
            issuer: Issuer::Any,
            body: None,
            url: None,
            times: &[],
            ignores_exp: false,
            is_true: &[],
            body_fields: &[],
            contents: &[],
            #[cfg(feature = "sign")]
            event_in: None,
            has_id: false,
            delivery_id: None,
            event_id: None,
        }
    }

    /// Creates rules for tokens in the body.
    #[cfg_attr(not(feature = "asymmetric"), expect(dead_code, reason = "for public keys"))]
    pub(crate) const fn in_body(
        defaults: VerifierDefaults,
        place: Place,
        algorithms: &'static [Algorithm],
    ) -> Self {
        Self { place, ..Self::new(defaults, "", algorithms) }
    }

    /// Returns the token of a request's head, or `None` if it is in the body.
    pub(crate) fn token<'a>(&self, head: &'a Parts) -> Result<Option<&'a [u8]>, Rejection> {
        match (self.place, self.auth_scheme) {
            (Place::Header(name), "") => required(head, name).map(Some),
            (Place::Header(_), scheme) => credentials(head, scheme).map(Some),
            (Place::Body | Place::Json(_), _) => Ok(None),
        }
    }

    /// Returns the token of a body.
    pub(crate) fn token_of<'a>(&self, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Rejection> {
        let Place::Json(name) = self.place else { return Ok(Cow::Borrowed(body)) };
        match json::field(body, name).map_err(|_| self.malformed())? {
            Some(Value::Text(Cow::Borrowed(token))) => Ok(Cow::Borrowed(token.as_bytes())),
            Some(Value::Text(Cow::Owned(token))) => Ok(Cow::Owned(token.into_bytes())),
            Some(_) => Err(self.malformed()),
            None => Err(Rejection::missing_in(Field::json(name))),
        }
    }

    /// Returns the rejection of a token that is not one, or not one of this provider.
    pub(crate) fn malformed(&self) -> Rejection {
        match self.place {
            Place::Header(name) => Rejection::malformed(name),
            Place::Body => Rejection::malformed_in(Field::Body),
            Place::Json(name) => Rejection::malformed_in(Field::json(name)),
        }
    }
}
