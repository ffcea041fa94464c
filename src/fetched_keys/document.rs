//! Documents with public keys, as a key fetcher returns them.

use std::time::Duration;

use bytes::Bytes;

/// A document with a provider's public keys, as a [`KeyFetcher`](super::KeyFetcher) received it.
///
/// [`Bytes`], `Vec<u8>` and `String` convert into it.
#[derive(Clone, Debug)]
pub struct KeyDocument {
    pub(crate) bytes: Bytes,
    pub(crate) max_age: Option<Duration>,
}

impl KeyDocument {
    /// Maximum length of a document, in bytes. A longer one is a failure of the source.
    pub const MAX_LEN: usize = 256 << 10;

    /// Creates a document of these bytes, which the provider's type parses.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), max_age: None }
    }

    /// Sets the time after which the document is fetched again, such as `max-age` of the response's
    /// `Cache-Control`.
    ///
    /// It applies if it is between the fetcher's
    /// [`refresh_interval`](super::KeyFetcher::refresh_interval) and its
    /// [`max_age`](super::KeyFetcher::max_age). Otherwise, the nearer of the two applies.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }
}

impl From<Bytes> for KeyDocument {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl From<Vec<u8>> for KeyDocument {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl From<String> for KeyDocument {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
