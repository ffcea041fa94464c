//! Providers whose public keys are fetched, with a cache.
//!
//! Some providers sign with a private key and publish the public keys at a URL. Each request names
//! its key. The provider's type builds the URL, parses the keys and caches them. A [`KeyFetcher`]
//! fetches the document. With the feature `http-client`, `KeyClient` is a ready HTTPS client for it:
//!
//! ```no_run
//! # #[cfg(feature = "http-client")] {
//! use tower_webhook::{
//!     SignatureLayer,
//!     fetched_keys::{KeyClient, KeyFetcher},
//!     providers::GitHubSecretScanning,
//! };
//!
//! let fetcher = KeyFetcher::from(KeyClient::new()?);
//! let layer = SignatureLayer::new(GitHubSecretScanning::with_fetched_keys(&fetcher)?);
//! # let _ = layer;
//! # }
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! Without that feature, this crate opens no connection: pass a function that uses your own client.
//!
//! ```
//! use tower_webhook::{
//!     SignatureLayer,
//!     fetched_keys::{KeyFetcher, KeyRequest},
//!     providers::GitHubSecretScanning,
//! };
//!
//! # async fn get(url: &str) -> Result<(u16, Vec<u8>), std::io::Error> { Ok((404, url.into())) }
//! let fetcher = KeyFetcher::new(|request: KeyRequest| async move {
//!     // Your HTTP client, without redirects and with a limit on the length of the body.
//!     let (status, body) = get(request.url()).await?;
//!     match status {
//!         200 => Ok(Some(body)),
//!         404 => Ok(None),
//!         other => Err(std::io::Error::other(format!("status {other}"))),
//!     }
//! });
//! let layer = SignatureLayer::new(GitHubSecretScanning::with_fetched_keys(&fetcher)?);
//! # let _ = layer;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! To verify a message from a queue, pass the source to
//! [`verify_with`](crate::verifier::verify_with).
//!
//! # Guarantees
//!
//! - **Nothing is fetched for a request that no key can make authentic**, such as one without a
//!   signature, with a malformed signature, with a malformed key ID, or with a token for another
//!   audience. If the body has the token or the ID, the body is read first. A URL is built of nothing but
//!   the provider's own URL and a checked ID.
//! - **Single flight**: requests that need the same document share one fetch. The fetch runs in a
//!   task of its own, so it does not end with the request that caused it.
//! - **Unknown IDs cause few fetches.** If one document has all keys, an unknown ID causes a fetch
//!   only if the document is older than the
//!   [`refresh_interval`](KeyFetcher::refresh_interval). If each key has its document, each unknown
//!   ID causes at most one fetch within that interval, and all unknown IDs together cause at most
//!   [`max_unknown_ids`](KeyFetcher::max_unknown_ids). A fetch that returns a key does not count. After
//!   a failure, the next fetch is possible after 10 seconds.
//! - **A failed source does not make a request authentic or forged**: the response is `503 Service
//!   Unavailable`, so that the provider retries. It is `403 Forbidden`
//!   ([`UnknownKey`](crate::RejectionKind::UnknownKey)), or the provider's own status, only if the
//!   source responded that there is no such key, or that it has expired.
//! - **Expired keys are used while the source is down**, for the time of
//!   [`stale_for`](KeyFetcher::stale_for). Keys that expire soon are fetched in advance: requests do
//!   not wait for them.
//! - **Bounded memory**: at most 1,000 documents of at most 64 keys each, from at most
//!   [`KeyDocument::MAX_LEN`] bytes each. If a provider has more documents than that, requests with
//!   IDs of real keys can cause more fetches than `max_unknown_ids`.
//! - **A certificate ends on its date**, also in the cache and while the source is down. For `PayPal`
//!   and `Alexa`, the chain, the name and the dates are checked when it is fetched.
//!
//! Keys without IDs, as those of fal.ai and Gemini, are in one document, and each of them is tried. A
//! signature by a key that is newer than the document is rejected with `403 Forbidden` until the
//! document is fetched again, at most [`max_age`](KeyFetcher::max_age) later.
//!
//! With the feature `tracing`, each failure and each expired key is a warning with the target `tower_webhook::keys`. It
//! has the URL and the reason.
//!
//! # Runtime
//!
//! A fetch needs a Tokio runtime with a timer. Without it, requests whose key is not in the cache
//! get `503 Service Unavailable`.

pub(crate) mod asked;
#[cfg(feature = "http-client")]
pub(crate) mod client;
pub(crate) mod document;
pub(crate) mod fetcher;
pub(crate) mod jwks;
pub(crate) mod key_set;
pub(crate) mod request;
pub(crate) mod resolver;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod tell;

#[cfg(feature = "http-client")]
pub use self::client::{KeyClient, KeyClientError};
pub use self::{
    document::KeyDocument, fetcher::KeyFetcher, request::KeyRequest, source::FetchedKeys,
};
