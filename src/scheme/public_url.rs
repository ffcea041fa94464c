//! What URL the provider signed.

use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc};

use http::{Method, Uri, request::Parts};

use crate::{
    error::ConfigError,
    outcome::{kind::RejectionKind, redact::url::is_host, rejection::Rejection},
    parse::{headers::optional, network::Network},
};

/// The URL that the provider was given, for schemes that sign it.
///
/// A server behind a proxy does not know its own name: the `Host` it sees and the
/// `X-Forwarded-…` headers are what somebody wrote there. So the URL is configured. Four ways, best
/// first:
///
/// - [`base`](Self::base): scheme, host and a path prefix are fixed; path and query are those
///   received;
/// - [`fixed`](Self::fixed): the whole URL is fixed;
/// - [`forwarded`](Self::forwarded): host and scheme come from a listed proxy's headers, for
///   servers with many names;
/// - [`custom`](Self::custom): a function makes the URL, for a proxy that rewrites the path.
///
/// With `base` and `fixed`, no header of the request changes the URL.
///
/// # Behind a proxy that strips a prefix
///
/// A proxy that takes `/api` off sends `/twilio` to your server for
/// `https://example.com/api/twilio`. Put the prefix into the base:
///
/// ```
/// # use tower_webhook::PublicUrl;
/// let url = PublicUrl::base("https://example.com/api")?;
/// # let _ = url;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// # Behind a router that strips a prefix
///
/// axum's `Router::nest` takes the prefix off the URI that inner layers see and keeps the original
/// in an extension; [`uri_from`](Self::uri_from) reads it from there:
///
/// ```
/// use axum::extract::OriginalUri;
/// use tower_webhook::PublicUrl;
///
/// let url = PublicUrl::base("https://example.com")?.uri_from(|OriginalUri(uri)| uri);
/// # let _ = url;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct PublicUrl {
    kind: Kind,
    uri: Option<UriOf>,
}

type UriOf = Arc<dyn for<'a> Fn(&'a Parts) -> Option<&'a Uri> + Send + Sync>;
type UrlOf = Arc<dyn Fn(&Parts) -> Option<String> + Send + Sync>;
type PeerOf = Box<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

#[derive(Clone)]
enum Kind {
    Base(Arc<str>),
    Custom(UrlOf),
    Fixed(Arc<str>),
    Forwarded(Arc<Forwarded>),
}

struct Forwarded {
    hosts: Vec<String>,
    proxies: Vec<Network>,
    peer: PeerOf,
}

impl PublicUrl {
    /// Creates a URL from this base and the path and query received: `https://example.com`, or
    /// `wss://example.com` for WebSocket handshakes.
    ///
    /// Where a proxy strips a path prefix, the base has it: `https://example.com/api`. Do not give the
    /// URL of the webhook itself: the path received follows the base, and a path that is there twice
    /// matches no signature. For the same reason give a prefix here or by
    /// [`uri_from`](Self::uri_from), not both. One `/` at the end does not count.
    ///
    /// A webhook whose URL is the prefix itself, such as `https://example.com/api` for a request that
    /// reaches the server as `/`, needs [`fixed`](Self::fixed) or, with a query,
    /// [`custom`](Self::custom).
    ///
    /// # Errors
    ///
    /// When the text is not an `http`, `https`, `ws` or `wss` URL with a host; or when it has a query, a
    /// fragment, white space or two slashes at its end.
    pub fn base(base: &str) -> Result<Self, ConfigError> {
        let rest = after_scheme(base)?;
        if rest.contains('?') {
            return Err(invalid(
                base,
                "a base has no query: the request's own follows it; \
                 use `PublicUrl::fixed` for a URL that is always the same",
            ));
        }
        let text = base.strip_suffix('/').unwrap_or(base);
        if text.ends_with('/') {
            return Err(invalid(base, "its path ends with two slashes"));
        }
        Ok(Self::of(Kind::Base(text.into())))
    }

    /// Creates a URL that is the same for each request, path and query included. Put the layer on the
    /// one route that it belongs to, and do not use the request's own query: it is not what was signed.
    /// Where the query differs between requests, as in Twilio's JSON webhooks and its GETs, use
    /// [`base`](Self::base).
    ///
    /// # Errors
    ///
    /// When the text is not an absolute URL, or has a fragment.
    pub fn fixed(url: &str) -> Result<Self, ConfigError> {
        after_scheme(url)?;
        Ok(Self::of(Kind::Fixed(url.into())))
    }

    /// Host and scheme are taken from `X-Forwarded-Host` (or `Host`, where the proxy keeps it) and
    /// `X-Forwarded-Proto` (`https` where it is absent).
    ///
    /// The path is the one received: where a proxy strips a prefix, use [`base`](Self::base) or
    /// [`custom`](Self::custom).
    ///
    /// The proxy must send one value of each. The scheme is `https` or `http`, so WebSocket
    /// handshakes need [`base`](Self::base). A port in the host counts.
    ///
    /// Only requests whose peer is one of the `proxies` (`10.0.0.0/8`, `fd00::/8`, `192.0.2.7`)
    /// are believed, and only for the listed `hosts`; every other request is refused, because
    /// those headers can be written by anyone. `peer` tells the address of the connection:
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// use tower_webhook::PublicUrl;
    ///
    /// let url = PublicUrl::forwarded(["a.example", "b.example"], ["10.0.0.0/8"], |head| {
    ///     let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
    ///     Some(peer.ip())
    /// })?;
    /// # let _ = url;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a host or a network is out of form.
    pub fn forwarded<H, N>(
        hosts: impl IntoIterator<Item = H>,
        proxies: impl IntoIterator<Item = N>,
        peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError>
    where
        H: Into<String>,
        N: AsRef<str>,
    {
        let hosts: Vec<String> = hosts.into_iter().map(Into::into).collect();
        for host in &hosts {
            if !is_host(host) {
                return Err(invalid(host, "write the host alone, with its port if it has one"));
            }
        }
        if hosts.is_empty() {
            return Err(invalid("", "name at least one host"));
        }
        let proxies = proxies.into_iter().map(|network| Network::parse(network.as_ref()));
        Ok(Self::of(Kind::Forwarded(Arc::new(Forwarded {
            hosts,
            proxies: proxies.collect::<Result<_, _>>()?,
            peer: Box::new(peer),
        }))))
    }

    /// Creates the URL by a function of the head; `None` refuses the request. Do not build it from
    /// `Host` or `X-Forwarded-…` without knowing who wrote them.
    #[must_use]
    pub fn custom(url: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::of(Kind::Custom(Arc::new(url)))
    }

    /// Takes path and query from the URI in this extension, where there is one; see the example
    /// [above](Self#behind-a-router-that-strips-a-prefix).
    #[must_use]
    pub fn uri_from<T: Send + Sync + 'static>(mut self, uri: fn(&T) -> &Uri) -> Self {
        fn checked<F: for<'a> Fn(&'a Parts) -> Option<&'a Uri>>(f: F) -> F {
            f
        }
        self.uri = Some(Arc::new(checked(move |head: &Parts| head.extensions.get::<T>().map(uri))));
        self
    }

    /// Whether nothing of the request changes it.
    pub(crate) const fn is_fixed(&self) -> bool {
        matches!(self.kind, Kind::Fixed(_))
    }

    /// How much of the resolved URL the sender does not decide on, besides its choice among listed
    /// hosts.
    pub(crate) fn fixed_len(&self, url: &str) -> usize {
        match &self.kind {
            Kind::Base(base) => base.len(),
            Kind::Fixed(_) => url.len(),
            Kind::Custom(_) | Kind::Forwarded(_) => {
                // A function can make a path, which is the sender's as a whole.
                let scheme = url
                    .find("://")
                    .filter(|at| url.bytes().take(*at).all(|byte| byte.is_ascii_alphabetic()));
                let Some(scheme) = scheme else { return 0 };
                let rest = url.get(scheme + 3..).unwrap_or_default();
                scheme + 3 + rest.find(['/', '?']).unwrap_or(rest.len())
            }
        }
    }

    const fn of(kind: Kind) -> Self {
        Self { kind, uri: None }
    }

    /// The URL as the provider signed it.
    pub(crate) fn resolve(&self, head: &Parts) -> Result<Cow<'_, str>, Rejection> {
        const UNKNOWN: Rejection = Rejection::new(RejectionKind::UrlUnresolved);
        // Two hosts are two requests in one, to whoever reads them differently.
        let host = optional(head, "host")?;
        let target = || {
            let original = self.uri.as_ref().and_then(|uri| uri(head));
            let uri = original.unwrap_or(&head.uri);
            // Byte for byte as received: nothing is normalised (T-16).
            // Neither CONNECT's authority nor the `*` of OPTIONS is part of a URL.
            let target = uri.path_and_query().map(|target| target.as_str());
            target.filter(|target| target.starts_with('/') && head.method != Method::CONNECT)
        };
        match &self.kind {
            Kind::Custom(url) => url(head).map(Cow::Owned).ok_or(UNKNOWN),
            Kind::Fixed(url) => Ok(Cow::Borrowed(url)),
            Kind::Base(base) => {
                let target = target().ok_or(UNKNOWN)?;
                Ok(Cow::Owned(format!("{base}{target}")))
            }
            Kind::Forwarded(forwarded) => {
                let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
                if host.is_some() && authority.is_some() && host != authority {
                    return Err(UNKNOWN);
                }
                let host = host.or(authority);
                let origin = forwarded.origin(head, host)?.ok_or(UNKNOWN)?;
                let target = target().ok_or(UNKNOWN)?;
                Ok(Cow::Owned(format!("{origin}{target}")))
            }
        }
    }
}

impl Forwarded {
    fn origin(&self, head: &Parts, host: Option<&[u8]>) -> Result<Option<String>, Rejection> {
        let is_proxy = (self.peer)(head)
            .is_some_and(|peer| self.proxies.iter().any(|network| network.contains(peer)));
        if !is_proxy {
            return Ok(None);
        }
        let host = optional(head, "x-forwarded-host")?.or(host).unwrap_or_default();
        let host = self.hosts.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(host));
        let scheme = match optional(head, "x-forwarded-proto")? {
            None | Some(b"https") => "https",
            Some(b"http") => "http",
            Some(_) => return Ok(None),
        };
        Ok(host.map(|host| format!("{scheme}://{host}")))
    }
}

fn invalid(url: &str, why: &'static str) -> ConfigError {
    ConfigError::UrlInvalid { url: without_secrets(url).to_owned(), why }
}

/// Neither user information nor path and query, which may hold secrets. Nothing of what may be no URL.
fn without_secrets(url: &str) -> &str {
    // A `://` further on is part of a password, path or query: `a.example/hook?next=https://…`.
    let is_scheme = |at: &usize| {
        url[..*at].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let after = url.find("://").filter(is_scheme).map_or(0, |at| at + 3);
    let end = url[after..].find(['/', '?', '#']).map_or(url.len(), |at| after + at);
    let at = url[after..end].rfind('@');
    let host = at.map_or(&url[after..end], |at| &url[after + at + 1..end]);
    // A password with a `/` ends after what looks like the host. Without its host, user information
    // looks like one; without a scheme, so does any word.
    let is_shown = !url[end..].contains('@') && is_host(host) && (after > 0 || host.contains('.'));
    match at {
        _ if !is_shown => &url[..after],
        Some(_) => host,
        None => &url[..end],
    }
}

fn has_blank(text: &str) -> bool {
    text.chars().any(|char| char.is_whitespace() || char.is_control())
}

/// What follows `https://`, checked to begin with a host.
fn after_scheme(url: &str) -> Result<&str, ConfigError> {
    // The case stays as it is: the provider signs the URL as it was given.
    let (_, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| {
            ["https", "http", "wss", "ws"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        })
        .ok_or_else(|| invalid(url, "it must begin with https://, http://, wss:// or ws://"))?;
    if rest.is_empty() || rest.starts_with(['/', '?', ':', '#']) {
        return Err(invalid(url, "the host is missing"));
    }
    if rest.contains('#') {
        return Err(invalid(url, "leave the fragment out; it is not signed"));
    }
    if has_blank(rest) {
        return Err(invalid(url, "there is white space in it"));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !is_host(host) {
        return Err(invalid(
            url,
            "its host is no name or address with perhaps a port; \
             in a user's name or password write `/` as %2F",
        ));
    }
    Ok(rest)
}

impl fmt::Debug for PublicUrl {
    /// Without path, query and user information, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Custom(_) => f.write_str("PublicUrl::custom(<fn>)"),
            Kind::Fixed(_) => f.write_str("PublicUrl::fixed([redacted])"),
            Kind::Forwarded(forwarded) => f
                .debug_struct("PublicUrl::forwarded")
                .field("hosts", &forwarded.hosts)
                .field("proxies", &forwarded.proxies)
                .finish_non_exhaustive(),
            Kind::Base(base) => write!(f, "PublicUrl::base({:?})", without_secrets(base)),
        }
    }
}

#[cfg(test)]
mod tests;
