//! A ready HTTP client for fetched keys.

use std::{error::Error, fmt, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Client, Response, Url, redirect};
use serde_json::json;

use crate::{
    crypto::secret::Secret,
    error::ConfigError,
    fetched_keys::{document::KeyDocument, fetcher::KeyFetcher, request::KeyRequest},
    parse::json::json_field,
};

/// HTTPS client that fetches providers' public keys, for a [`KeyFetcher`].
///
/// ```no_run
/// use tower_webhook::{
///     Secret, SignatureLayer,
///     fetched_keys::{KeyClient, KeyFetcher},
///     providers::{Circle, CircleProduct},
/// };
///
/// let client = KeyClient::new()?.bearer_token("api.circle.com", &Secret::from_env("CIRCLE_API_KEY")?)?;
/// let fetcher = KeyFetcher::from(client);
/// let circle = Circle::with_fetched_keys(CircleProduct::Wallets, &fetcher)?;
/// let layer = SignatureLayer::new(circle);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// - It connects by HTTPS, with the root certificates of the operating system. It uses HTTP only for
///   an address of this machine, such as `http://127.0.0.1:8080/`.
/// - It follows no redirect. Only `200 OK` is a document. `404 Not Found` and `410 Gone` mean that
///   there is no such document, as does Plaid's error `INVALID_WEBHOOK_VERIFICATION_KEY_ID`.
/// - It reads at most [`KeyDocument::MAX_LEN`] bytes, and takes [`KeyDocument::max_age`] from
///   `Cache-Control`.
/// - It uses the proxy of the environment variable `HTTPS_PROXY`.
///
/// The client is `reqwest` with `rustls`. Clones share its connections.
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
#[must_use]
pub struct KeyClient(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    secure: Client,
    /// Client for this machine. A proxy would look for the address on its own machine.
    local: Client,
    /// Values of `Authorization`, by host.
    authorizations: Vec<(String, HeaderValue)>,
    plaid: Option<PlaidCredentials>,
}

/// Credentials for Plaid's API.
#[derive(Clone)]
struct PlaidCredentials {
    client_id: String,
    secret: Secret,
}

/// Limit on a request that is not made by a [`KeyFetcher`], which has a time limit of its own.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl KeyClient {
    /// Creates a client.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system has no root certificates.
    pub fn new() -> Result<Self, ConfigError> {
        let builder = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .timeout(TIME_LIMIT)
                // GitHub rejects requests without it.
                .user_agent(concat!("tower-webhook/", env!("CARGO_PKG_VERSION")))
        };
        let invalid = |_| ConfigError::KeyFetcherInvalid {
            why: "the HTTPS client could not be created; \
                  check that the operating system has root certificates",
        };
        Ok(Self(Arc::new(Inner {
            secure: builder().https_only(true).build().map_err(invalid)?,
            local: builder().no_proxy().build().map_err(invalid)?,
            authorizations: Vec::new(),
            plaid: None,
        })))
    }

    /// Sends `Authorization: Bearer <token>` with each request to this host, such as
    /// `api.circle.com`, and to no other.
    ///
    /// # Errors
    ///
    /// Returns an error if the host is not in lower case, if it has a scheme, a port or a path, or
    /// if the token has a character that a header cannot have.
    pub fn bearer_token(mut self, host: &str, token: &Secret) -> Result<Self, ConfigError> {
        let invalid = |why| ConfigError::KeyFetcherInvalid { why };
        let url = Url::parse(&format!("https://{host}/")).ok();
        // What is not a host alone is not the host of the URL.
        if url.is_none_or(|url| url.host_str() != Some(host)) {
            return Err(invalid("pass the host alone, in lower case, such as `api.circle.com`"));
        }
        let value = [b"Bearer ", token.expose()].concat();
        let mut value = HeaderValue::from_bytes(&value)
            .map_err(|_| invalid("the token has a character that a header cannot have"))?;
        value.set_sensitive(true);
        let all = &mut Arc::make_mut(&mut self.0).authorizations;
        all.retain(|(other, _)| other != host);
        all.push((host.to_owned(), value));
        Ok(self)
    }

    /// Sets the credentials for Plaid's API, to which the ID of a key is sent with them in a POST. They
    /// are sent to `https://production.plaid.com`, to `https://sandbox.plaid.com` and, for tests, to
    /// addresses of this machine, with the path `/webhook_verification_key/get`.
    ///
    /// ```no_run
    /// use tower_webhook::{
    ///     Secret,
    ///     fetched_keys::{KeyClient, KeyFetcher},
    ///     providers::{Plaid, PlaidEnvironment},
    /// };
    ///
    /// let client = KeyClient::new()?.plaid("made-up-client-id", &Secret::from_env("PLAID_SECRET")?)?;
    /// let fetcher = KeyFetcher::from(client);
    /// let source = Plaid::with_fetched_keys(PlaidEnvironment::Production, &fetcher)?;
    /// # let _ = source;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the secret is not a text.
    pub fn plaid(mut self, client_id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        if str::from_utf8(secret.expose()).is_err() {
            return Err(ConfigError::KeyFetcherInvalid {
                why: "the secret of Plaid is not a text",
            });
        }
        let credentials =
            PlaidCredentials { client_id: client_id.to_owned(), secret: secret.clone() };
        Arc::make_mut(&mut self.0).plaid = Some(credentials);
        Ok(self)
    }

    /// Requests a document. Returns `None` if the server has no such document.
    ///
    /// A [`KeyFetcher`] calls it. Call it from a function of your own if the token changes, or if
    /// the keys are at another URL:
    ///
    /// ```no_run
    /// use tower_webhook::{
    ///     Secret,
    ///     fetched_keys::{KeyClient, KeyFetcher, KeyRequest},
    ///     providers::EBay,
    /// };
    ///
    /// # async fn application_token() -> Result<Secret, tower_webhook::ConfigError> {
    /// #     Secret::new("made-up-token")
    /// # }
    /// let client = KeyClient::new()?;
    /// let fetcher = KeyFetcher::new(move |request: KeyRequest| {
    ///     let client = client.clone();
    ///     async move {
    ///         // Your function, which keeps a token for 2 hours.
    ///         let client = client.bearer_token("api.ebay.com", &application_token().await?)?;
    ///         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(client.fetch(&request).await?)
    ///     }
    /// });
    /// let source = EBay::with_fetched_keys(&fetcher)?;
    /// # let _ = source;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not allowed, if it is Plaid's and there are
    /// [no credentials](Self::plaid), if the server cannot be reached, if it does not
    /// respond within 30 seconds, if its response has another status, or if it is longer than
    /// [`KeyDocument::MAX_LEN`].
    pub async fn fetch(&self, request: &KeyRequest) -> Result<Option<KeyDocument>, KeyClientError> {
        let url = Url::parse(request.url()).map_err(|_| Flaw::Url("it is not a URL"))?;
        let (client, value) = (self.client(&url)?, self.authorization(&url));
        if let Some(id) = request.key_id().filter(|_| is_plaid(&url)) {
            let body = self.plaid_body(id)?;
            let post = client.post(url).header(header::CONTENT_TYPE, "application/json");
            return read_plaid(post.body(body).send().await.map_err(Flaw::Http)?).await;
        }
        let mut get = client.get(url);
        if let Some(value) = value {
            get = get.header(header::AUTHORIZATION, value);
        }
        let response = get.send().await.map_err(Flaw::Http)?;
        match response.status() {
            StatusCode::OK => Ok(Some(read(response).await?)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status => Err(Flaw::Status(status).into()),
        }
    }

    /// Returns the client for this URL.
    fn client(&self, url: &Url) -> Result<&Client, Flaw> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Flaw::Url("it has user information"));
        }
        match url.scheme() {
            "https" => Ok(&self.0.secure),
            "http" if is_local(url) => Ok(&self.0.local),
            _ => Err(Flaw::Url("it has neither HTTPS nor an address of this machine")),
        }
    }

    /// Returns the body of a request to Plaid's API for the key with this ID.
    fn plaid_body(&self, id: &str) -> Result<String, Flaw> {
        let plaid = self.0.plaid.as_ref().ok_or(Flaw::NoPlaid)?;
        let secret = str::from_utf8(plaid.secret.expose()).map_err(|_| Flaw::NoPlaid)?;
        let body = json!({"client_id": plaid.client_id, "secret": secret, "key_id": id});
        Ok(body.to_string())
    }

    fn authorization(&self, url: &Url) -> Option<HeaderValue> {
        let host = url.host_str()?;
        let (_, value) = self.0.authorizations.iter().find(|(other, _)| other == host)?;
        Some(value.clone())
    }
}

/// Returns `true` for the URL of Plaid's API, or for one of this machine that stands in for it.
fn is_plaid(url: &Url) -> bool {
    let is_host = matches!(url.host_str(), Some("production.plaid.com" | "sandbox.plaid.com"));
    (is_host || is_local(url)) && url.path() == "/webhook_verification_key/get"
}

/// Returns `true` if the host is a loopback address. A name could have any address.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads a response of Plaid's API, which has no status of its own for an unknown key.
async fn read_plaid(response: Response) -> Result<Option<KeyDocument>, KeyClientError> {
    match response.status() {
        StatusCode::OK => Ok(Some(read(response).await?)),
        StatusCode::BAD_REQUEST => {
            let error = json_field(&read(response).await?.bytes, "error_code");
            match error.as_deref() {
                Some("INVALID_WEBHOOK_VERIFICATION_KEY_ID") => Ok(None),
                _ => Err(Flaw::Status(StatusCode::BAD_REQUEST).into()),
            }
        }
        status => Err(Flaw::Status(status).into()),
    }
}

/// Reads a response, and no more than the maximum.
async fn read(mut response: Response) -> Result<KeyDocument, KeyClientError> {
    let max_age = max_age(response.headers());
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Flaw::Http)? {
        if bytes.len() + chunk.len() > KeyDocument::MAX_LEN {
            return Err(Flaw::TooLong.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let document = KeyDocument::new(bytes);
    Ok(match max_age {
        Some(age) => document.max_age(age),
        None => document,
    })
}

/// Returns the time for which a response is fresh (RFC 9111, section 4.2.1), if it says so.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let seconds = |text: &str| text.trim().parse::<u64>().ok();
    let directives = headers.get(header::CACHE_CONTROL)?.to_str().ok()?;
    let directive = |text: &str| {
        let (name, value) = text.trim().split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| seconds(value.trim_matches('"')))?
    };
    let age = headers.get(header::AGE).and_then(|age| seconds(age.to_str().ok()?));
    let max_age = directives.split(',').find_map(directive)?;
    Some(Duration::from_secs(max_age.saturating_sub(age.unwrap_or_default())))
}

impl From<KeyClient> for KeyFetcher {
    /// Creates a fetcher that requests the documents with this client.
    fn from(client: KeyClient) -> Self {
        Self::new(move |request: KeyRequest| {
            let client = client.clone();
            async move { client.fetch(&request).await }
        })
    }
}

impl fmt::Debug for KeyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.0.authorizations.iter().map(|(host, _)| host).collect();
        f.debug_struct("KeyClient").field("tokens", &hosts).finish_non_exhaustive()
    }
}

/// Error of a [`KeyClient`].
#[derive(Debug)]
pub struct KeyClientError(Flaw);

#[derive(Debug)]
enum Flaw {
    Url(&'static str),
    Status(StatusCode),
    TooLong,
    NoPlaid,
    Http(reqwest::Error),
}

impl From<Flaw> for KeyClientError {
    fn from(flaw: Flaw) -> Self {
        Self(flaw)
    }
}

impl fmt::Display for KeyClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Flaw::Url(why) => write!(f, "the URL of the keys is not allowed: {why}"),
            Flaw::Status(status) => write!(f, "the key server responded with {status}"),
            Flaw::TooLong => {
                write!(f, "the response is longer than {} bytes", KeyDocument::MAX_LEN)
            }
            Flaw::NoPlaid => {
                f.write_str("the credentials for Plaid's API are missing; set `KeyClient::plaid`")
            }
            Flaw::Http(_) => f.write_str("the request for the keys failed"),
        }
    }
}

impl Error for KeyClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Flaw::Http(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_plaid_are_for_its_hosts() {
        let path = "webhook_verification_key/get";
        for (start, expected) in [
            ("https://production.plaid.com/", true),
            ("https://sandbox.plaid.com/", true),
            ("http://127.0.0.1:8080/", true),
            ("https://plaid.com/", false),
            ("https://production.plaid.com.example.com/", false),
            ("https://example.com/production.plaid.com/", false),
            ("https://production.plaid.com@example.com/", false),
            ("https://production.plaid.com/other/", false),
            ("http://10.0.0.1/", false),
        ] {
            let url = Url::parse(&format!("{start}{path}")).unwrap();
            assert_eq!(is_plaid(&url), expected, "{url}");
        }
    }
}
