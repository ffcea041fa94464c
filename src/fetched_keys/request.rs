//! Requests for documents with public keys.

use std::sync::Arc;

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
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Returns the text that distinguishes documents of one provider.
    pub(crate) fn slot(&self) -> Arc<str> {
        Arc::clone(&self.url)
    }
}

/// Place of a provider's keys.
#[derive(Clone, Copy)]
pub(crate) enum KeyUrl {
    /// URL of a document with all keys.
    All(&'static str),
    /// Beginning of the URL of each key, before its ID.
    Each(&'static str),
    /// The URL is the ID of the key. It was compared with what is allowed.
    #[cfg(feature = "certificates")]
    Named,
}

impl KeyUrl {
    /// Returns the request for the document that has this key. The ID must have been checked.
    pub(crate) fn request(self, key_id: &str) -> KeyRequest {
        match self {
            Self::All(url) => KeyRequest { url: url.into(), key_id: None },
            #[cfg(feature = "certificates")]
            Self::Named => KeyRequest { url: key_id.into(), key_id: Some(key_id.into()) },
            Self::Each(start) => {
                KeyRequest { url: format!("{start}{key_id}").into(), key_id: Some(key_id.into()) }
            }
        }
    }
}
