//! Part of a request that is at fault.

use std::{borrow::Cow, fmt};

use http::HeaderName;

/// Part of a request that is at fault, as [`Rejection::field`](crate::Rejection::field) returns it.
///
/// `Display` writes only the name: `x-hub-signature-256`, `path`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The body as a whole.
    Body,
    /// A parameter of a form in the body.
    Form(Cow<'static, str>),
    /// A header.
    Header(HeaderName),
    /// A field of a JSON body.
    Json(Cow<'static, str>),
    /// A claim or a header parameter of a JSON Web Token.
    Jwt(Cow<'static, str>),
    /// The request's method.
    Method,
    /// The path of the URL.
    Path,
    /// A parameter of the query, or the whole query if the name is empty.
    Query(Cow<'static, str>),
    /// The URL that the provider signed.
    Url,
    /// An element of an XML body.
    Xml(Cow<'static, str>),
}

impl Field {
    pub(crate) const fn form(name: &'static str) -> Self {
        Self::Form(Cow::Borrowed(name))
    }

    pub(crate) const fn json(name: &'static str) -> Self {
        Self::Json(Cow::Borrowed(name))
    }

    #[cfg(feature = "jwt")]
    pub(crate) const fn jwt(name: &'static str) -> Self {
        Self::Jwt(Cow::Borrowed(name))
    }

    pub(crate) const fn query(name: &'static str) -> Self {
        Self::Query(Cow::Borrowed(name))
    }

    #[cfg(feature = "xml")]
    pub(crate) const fn xml(name: &'static str) -> Self {
        Self::Xml(Cow::Borrowed(name))
    }

    /// Returns the name of the header, parameter, field, claim or element, or of the part of the request.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Body => "body",
            Self::Form(name) | Self::Json(name) | Self::Jwt(name) | Self::Xml(name) => name,
            Self::Header(name) => name.as_str(),
            Self::Method => "method",
            Self::Path => "path",
            Self::Query(name) if name.is_empty() => "query",
            Self::Query(name) => name,
            Self::Url => "url",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<HeaderName> for Field {
    fn from(name: HeaderName) -> Self {
        Self::Header(name)
    }
}

/// Field as a rejection stores it. Most rejections are never read, so the name of a header is
/// parsed only on demand.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Header(Cow<'static, str>),
    Other(Field),
}

impl Named {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Header(name) => name,
            Self::Other(field) => field.name(),
        }
    }

    pub(crate) fn field(&self) -> Option<Field> {
        match self {
            Self::Header(name) => HeaderName::from_bytes(name.as_bytes()).ok().map(Field::Header),
            Self::Other(field) => Some(field.clone()),
        }
    }
}
