//! Requests for documents with public keys.

use std::{net::IpAddr, sync::Arc};

use http::Uri;

use crate::error::ConfigError;

/// Request for a document with a provider's public keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRequest {
    url: Arc<str>,
    key_id: Option<Arc<str>>,
}

impl KeyRequest {
    /// Creates a request for the document at this URL, for tests of a function that fetches keys,
    /// or to fetch a provider's keys from another URL.
    #[must_use]
    pub fn new(url: impl Into<Arc<str>>) -> Self {
        Self { url: url.into(), key_id: None }
    }

    /// Returns the request for the same key at another URL, such as that of a test's server.
    #[must_use]
    pub fn with_url(self, url: impl Into<Arc<str>>) -> Self {
        Self { url: url.into(), ..self }
    }

    /// Returns the URL of the document.
    ///
    /// It is made of the provider's own URL and, for some providers, the ID of the key. Nothing
    /// else in it comes from the request. If a request names the URL of a certificate, as Amazon SNS
    /// does, it is on the provider's own host and path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the ID of the key, as the unverified request names it, if the provider has a
    /// document for each key: for a certificate, its URL. It is `None` if one document has all keys.
    ///
    /// The URL has the ID, except that of Plaid, to which the function sends it.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Returns the text that distinguishes documents of one provider.
    pub(crate) fn slot(&self) -> Arc<str> {
        match &self.key_id {
            // A UUID that is sent to the URL, and is no part of it.
            Some(id) if !self.url.ends_with(&**id) => format!("{}#{id}", self.url).into(),
            _ => Arc::clone(&self.url),
        }
    }
}

/// Place of a provider's keys.
#[derive(Clone)]
pub(crate) enum KeyUrl {
    /// URL of a document with all keys.
    All(Arc<str>),
    /// Beginning of the URL of each key, before its ID.
    Each(&'static str),
    /// URL to which the ID of a key is sent.
    Asked(&'static str),
    /// The URL is the ID of the key. It was compared with what is allowed.
    #[cfg(feature = "certificates")]
    Named,
}

impl KeyUrl {
    /// Returns the request for the document that has this key. The ID must have been checked.
    pub(crate) fn request(&self, key_id: &str) -> KeyRequest {
        match self {
            Self::All(url) => KeyRequest { url: Arc::clone(url), key_id: None },
            Self::Asked(url) => KeyRequest { url: (*url).into(), key_id: Some(key_id.into()) },
            #[cfg(feature = "certificates")]
            Self::Named => KeyRequest { url: key_id.into(), key_id: Some(key_id.into()) },
            Self::Each(start) => {
                KeyRequest { url: format!("{start}{key_id}").into(), key_id: Some(key_id.into()) }
            }
        }
    }
}

/// Returns the URL of a user's own key set, if it has HTTPS, or HTTP to an address of this machine.
///
/// The server at this URL decides who can sign.
pub(crate) fn checked_url(url: &str) -> Result<Arc<str>, ConfigError> {
    let parsed = url.parse::<Uri>().ok();
    let is_allowed = parsed.as_ref().is_some_and(|parsed| {
        let host = parsed.host().unwrap_or_default();
        let is_local = || {
            let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
            address.is_ok_and(|address| address.is_loopback())
        };
        let has_user = parsed.authority().is_some_and(|all| all.as_str().contains('@'));
        let scheme = parsed.scheme_str();
        !host.is_empty()
            && !has_user
            && (scheme == Some("https") || scheme == Some("http") && is_local())
    });
    if is_allowed {
        Ok(url.into())
    } else {
        Err(ConfigError::KeyFetcherInvalid {
            why: "the URL of the keys must have HTTPS, a host and no user information",
        })
    }
}
