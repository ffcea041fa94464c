//! Public URL that a provider signs.

use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc};

use http::{Method, Uri, request::Parts};

use crate::{
    error::{ConfigError, warn_once},
    outcome::{kind::RejectionKind, redact::url::is_host, rejection::Rejection},
    parse::{headers::optional, trusted_proxies::TrustedProxies},
};

/// Public URL of a webhook as the provider knows it, for schemes that sign the URL.
///
/// Guide: [proxies](crate::guide::proxies).
///
/// A server behind a proxy does not know its public name: anyone can write the `Host` and the
/// `X-Forwarded-…` headers that it receives. You therefore configure the URL, in one of four ways,
/// in order of preference:
///
/// - [`base`](Self::base): scheme, host and a path prefix are fixed; path and query are those of
///   the request;
/// - [`fixed`](Self::fixed): the whole URL is fixed;
/// - [`forwarded`](Self::forwarded): host and scheme come from the headers of a listed proxy, for
///   servers with several host names;
/// - [`custom`](Self::custom): a function creates the URL, for a proxy that rewrites the path.
///
/// With `base` and `fixed`, the headers of a request do not change the URL.
///
/// # Behind a proxy that strips a prefix
///
/// A proxy that strips `/api` forwards `https://example.com/api/twilio` to your server as
/// `/twilio`. Put the prefix into the base:
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
/// axum's `Router::nest` removes the prefix from the URI that inner layers see, and keeps the
/// original URI in an extension. [`uri_from`](Self::uri_from) reads it from there:
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

#[derive(Clone)]
enum Kind {
    Base(Arc<str>),
    Custom(UrlOf),
    Fixed(Arc<str>),
    Forwarded(Arc<Forwarded>),
}

struct Forwarded {
    hosts: Vec<String>,
    proxies: TrustedProxies,
}

impl PublicUrl {
    /// Creates a URL from this base and the path and query of each request.
    ///
    /// The base is, for example, `https://example.com`, or `wss://example.com` for WebSocket
    /// handshakes. If a proxy strips a path prefix, the base must contain it:
    /// `https://example.com/api`. Do not pass the URL of the webhook itself: the request's path
    /// follows the base, and a URL with a repeated path matches no signature. For the same reason,
    /// add the same prefix either here or with [`uri_from`](Self::uri_from), not both. One `/` at
    /// the end is ignored.
    ///
    /// If the URL of the webhook is the prefix itself, such as `https://example.com/api` for a
    /// request that reaches the server as `/`, use [`fixed`](Self::fixed) or, with a query,
    /// [`custom`](Self::custom).
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not an `http`, `https`, `ws` or `wss` URL with a host, or if
    /// it has a query, a fragment, whitespace or two slashes at its end.
    pub fn base(base: &str) -> Result<Self, ConfigError> {
        let rest = after_scheme(base)?;
        if rest.contains('?') {
            return Err(invalid(
                base,
                "a base cannot have a query, because that of the request follows it; \
                 use `PublicUrl::fixed` for a URL that is always the same",
            ));
        }
        warn_of_plain(base);
        let text = base.strip_suffix('/').unwrap_or(base);
        if text.ends_with('/') {
            return Err(invalid(base, "the path ends with two slashes; remove them"));
        }
        Ok(Self::of(Kind::Base(text.into())))
    }

    /// Creates a URL that is the same for each request, including path and query.
    ///
    /// Apply the layer only to the route of this URL. Do not use the query of the request, because
    /// the signature does not cover it. If the query differs between requests, as in Twilio's JSON
    /// webhooks and its GET requests, use [`base`](Self::base).
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not an absolute `http`, `https`, `ws` or `wss` URL, or if it
    /// has a fragment or whitespace.
    pub fn fixed(url: &str) -> Result<Self, ConfigError> {
        after_scheme(url)?;
        warn_of_plain(url);
        Ok(Self::of(Kind::Fixed(url.into())))
    }

    /// Creates a URL whose host and scheme come from the headers of a proxy.
    ///
    /// The host is the value of `X-Forwarded-Host`, or of `Host` if the proxy keeps that header. A
    /// port is part of the host. The scheme is the value of `X-Forwarded-Proto`, or `https` without
    /// that header. The proxy must send one value of each. The scheme is `https` or `http`, so
    /// WebSocket handshakes need [`base`](Self::base).
    ///
    /// The path is that of the request. If a proxy strips a prefix, use [`base`](Self::base) or
    /// [`custom`](Self::custom).
    ///
    /// Anyone can write these headers. They are trusted only in requests of a listed proxy, and only
    /// for the listed `hosts`. Every other request is rejected.
    ///
    /// ```
    /// use tower_webhook::{PublicUrl, layer::TrustedProxies};
    ///
    /// # fn url(proxies: TrustedProxies) -> Result<PublicUrl, tower_webhook::ConfigError> {
    /// PublicUrl::forwarded(["a.example", "b.example"], proxies)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if `hosts` is empty, or if a host is malformed.
    pub fn forwarded<H: Into<String>>(
        hosts: impl IntoIterator<Item = H>,
        proxies: TrustedProxies,
    ) -> Result<Self, ConfigError> {
        let hosts: Vec<String> = hosts.into_iter().map(Into::into).collect();
        for host in &hosts {
            if !is_host(host) {
                return Err(invalid(host, "expected a host, with a port if it has one"));
            }
        }
        if hosts.is_empty() {
            return Err(invalid("", "there are no hosts; pass at least one"));
        }
        Ok(Self::of(Kind::Forwarded(Arc::new(Forwarded { hosts, proxies }))))
    }

    /// Creates a URL with a function of the request head.
    ///
    /// If the function returns `None`, the request is rejected. Do not build the URL from `Host` or
    /// `X-Forwarded-…` unless you know who wrote these headers.
    #[must_use]
    pub fn custom(url: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::of(Kind::Custom(Arc::new(url)))
    }

    /// Takes path and query from the URI in this extension, if it is present; see the example
    /// [above](Self#behind-a-router-that-strips-a-prefix).
    #[must_use]
    pub fn uri_from<T: Send + Sync + 'static>(mut self, uri: fn(&T) -> &Uri) -> Self {
        fn checked<F: for<'a> Fn(&'a Parts) -> Option<&'a Uri>>(f: F) -> F {
            f
        }
        self.uri = Some(Arc::new(checked(move |head: &Parts| head.extensions.get::<T>().map(uri))));
        self
    }

    /// Returns `true` if no request changes the URL.
    pub(crate) const fn is_fixed(&self) -> bool {
        matches!(self.kind, Kind::Fixed(_))
    }

    /// Returns how many bytes at the beginning of the resolved URL the sender does not control,
    /// except for the choice among the listed hosts.
    pub(crate) fn fixed_len(&self, url: &str) -> usize {
        match &self.kind {
            Kind::Base(base) => base.len(),
            Kind::Fixed(_) => url.len(),
            Kind::Custom(_) | Kind::Forwarded(_) => {
                // A function can return a path, which the sender controls as a whole.
                let scheme = url
                    .find("://")
                    .filter(|at| url.bytes().take(*at).all(|byte| byte.is_ascii_alphabetic()));
                let Some(scheme) = scheme else { return 0 };
                let rest = url.get(scheme + 3..).unwrap_or_default();
                scheme + 3 + rest.find(['/', '?']).unwrap_or(rest.len())
            }
        }
    }

    /// Creates a URL of this kind that uses the URI of the request head.
    const fn of(kind: Kind) -> Self {
        Self { kind, uri: None }
    }

    /// Returns the URL that the provider signed.
    pub(crate) fn resolve(&self, head: &Parts) -> Result<Cow<'_, str>, Rejection> {
        const UNKNOWN: Rejection = Rejection::new(RejectionKind::UrlUnresolved);
        // Two `Host` headers are rejected, because two readers could pick different ones.
        let host = optional(head, "host")?;
        let target = || {
            let original = self.uri.as_ref().and_then(|uri| uri(head));
            let uri = original.unwrap_or(&head.uri);
            // The target is not normalised: it stays as received, byte for byte. Neither the
            // authority of CONNECT nor the `*` of OPTIONS is part of a URL.
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
    /// Returns the scheme and host of the URL, or `None` if the peer is not a listed proxy or the
    /// headers have another host or scheme.
    fn origin(&self, head: &Parts, host: Option<&[u8]>) -> Result<Option<String>, Rejection> {
        let is_proxy = self.proxies.peer(head).is_some_and(|peer| self.proxies.contain(peer));
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

/// Returns the part of a URL that an error can show.
///
/// User information, path and query can hold secrets. Text that might not be a URL is left out too.
fn without_secrets(url: &str) -> &str {
    // A `://` further on is part of a password, path or query: `a.example/hook?next=https://…`.
    let is_scheme = |at: &usize| {
        url[..*at].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let after = url.find("://").filter(is_scheme).map_or(0, |at| at + 3);
    let end = url[after..].find(['/', '?', '#']).map_or(url.len(), |at| after + at);
    let at = url[after..end].rfind('@');
    let host = at.map_or(&url[after..end], |at| &url[after + at + 1..end]);
    // A password with a `/` ends after the apparent host. User information without a host looks
    // like one, and without a scheme any word does.
    let is_shown = !url[end..].contains('@') && is_host(host) && (after > 0 || host.contains('.'));
    match at {
        _ if !is_shown => &url[..after],
        Some(_) => host,
        None => &url[..end],
    }
}

/// Warns of a public URL without TLS. It is probably the URL behind the proxy, which the provider
/// does not know.
fn warn_of_plain(url: &str) {
    let Ok(rest) = after_scheme(url) else { return };
    let has_tls = ["https", "wss"].iter().any(|scheme| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if !has_tls && !is_local(authority) {
        warn_once(
            None,
            format_args!(
                "the public URL {:?} begins without https; most providers call and sign https URLs, \
                 so configure the URL that the console shows",
                without_secrets(url)
            ),
        );
    }
}

/// Returns `true` if a host is a machine of one's own: its name has no dot, or it has a private
/// address.
fn is_local(authority: &str) -> bool {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, is_v6) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => (address, true),
        None => (host.split(':').next().unwrap_or_default(), false),
    };
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => {
            !is_v6 && (!host.contains('.') || host.to_ascii_lowercase().ends_with(".localhost"))
        }
    }
}

fn has_blank(text: &str) -> bool {
    text.chars().any(|char| char.is_whitespace() || char.is_control())
}

/// Returns the text after `https://` or a similar scheme, and checks that it begins with a host.
fn after_scheme(url: &str) -> Result<&str, ConfigError> {
    // The case is kept, because the provider signs the URL that it was given.
    let (_, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| {
            ["https", "http", "wss", "ws"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        })
        .ok_or_else(|| invalid(url, "it must begin with https://, http://, wss:// or ws://"))?;
    if rest.is_empty() || rest.starts_with(['/', '?', ':', '#']) {
        return Err(invalid(url, "the host is missing; write it after the scheme"));
    }
    if rest.contains('#') {
        return Err(invalid(url, "it has a fragment, which is not signed; remove the fragment"));
    }
    if has_blank(rest) {
        return Err(invalid(url, "it has white space or a control character; remove that"));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !is_host(host) {
        return Err(invalid(
            url,
            "expected a name or an address as the host, with a port if it has one; \
             write `/` as %2F in a user name or password",
        ));
    }
    Ok(rest)
}

impl fmt::Debug for PublicUrl {
    /// Formats the URL without path, query and user information, which can hold secrets.
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
