//! Parts of a URL that a provider signs.

/// A URL, split into its parts, which together are the URL again.
pub(crate) struct SplitUrl<'a> {
    /// With `://`, or empty.
    pub(crate) scheme: &'a str,
    /// With the `@`, or empty.
    pub(crate) user: &'a str,
    pub(crate) host: &'a str,
    /// With the colon, or empty.
    pub(crate) port: &'a str,
    /// Path and query.
    pub(crate) rest: &'a str,
}

impl<'a> SplitUrl<'a> {
    pub(crate) fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_at(url.find("://").map_or(0, |at| at + 3));
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (host, port) = split_port(host);
        Self { scheme, user, host, port, rest }
    }
}

/// Splits off the port, with its colon.
pub(crate) fn split_port(host: &str) -> (&str, &str) {
    // The colons of an IPv6 address are inside brackets.
    let after_brackets = host.rfind(']').unwrap_or(0);
    let port_at = host[after_brackets..].rfind(':').map(|at| after_brackets + at);
    host.split_at(port_at.unwrap_or(host.len()))
}

/// Splits path and query. The query has its question mark, or is empty.
pub(crate) fn split_query(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find('?').unwrap_or(rest.len()))
}
