//! The IP address of the client.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
    sync::Arc,
};

use http::{HeaderName, request::Parts};

use crate::parse::trusted_proxies::{Peer, TrustedProxies};

/// Maximum number of addresses that are read in a forwarding header, from its end.
const MAX_HOPS: usize = 32;

/// Returns the first address of the network that counts as one sender: an IPv4 network of 24 bits,
/// or an IPv6 network of 48 bits, which is the most that one customer is given.
#[allow(dead_code, reason = "tenants and explanations ask for it")]
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80)).into(),
    }
}

/// A rule that determines the IP address of a request's client.
///
/// The address of the connection is in an extension that the server inserts. With axum, without a
/// proxy:
///
/// ```
/// use std::net::SocketAddr;
/// use axum::extract::ConnectInfo;
/// use tower_webhook::observe::ClientIp;
///
/// let client_ip = ClientIp::new(|head| {
///     let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
///     Some(peer.ip())
/// });
/// # let _ = client_ip;
/// ```
///
/// Behind a proxy, use [`forwarded`](Self::forwarded).
#[derive(Clone)]
pub struct ClientIp(Rule);

#[derive(Clone)]
enum Rule {
    Peer(Arc<Peer>),
    Forwarded(HeaderName, TrustedProxies),
}

impl ClientIp {
    /// Creates a rule that gets the address of the connection from `peer`.
    ///
    /// Do not read that address from a header: anyone can write one.
    #[must_use]
    pub fn new(peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Rule::Peer(Arc::new(peer)))
    }

    /// Creates a rule that trusts this header (`x-forwarded-for`) in requests of listed proxies.
    ///
    /// The header is read from its end, past each address that is itself a listed proxy. Anyone
    /// could have written the addresses further in front.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tower_webhook::{layer::TrustedProxies, observe::ClientIp};
    ///
    /// # fn rule(proxies: TrustedProxies) -> ClientIp {
    /// ClientIp::forwarded(HeaderName::from_static("x-forwarded-for"), proxies)
    /// # }
    /// ```
    #[must_use]
    pub const fn forwarded(header: HeaderName, proxies: TrustedProxies) -> Self {
        Self(Rule::Forwarded(header, proxies))
    }

    /// Returns the client's address for the request with this head, or `None` if the peer's address
    /// is not known.
    #[must_use]
    pub fn of(&self, head: &Parts) -> Option<IpAddr> {
        let (name, proxies) = match &self.0 {
            Rule::Peer(peer) => return peer(head).map(|address| address.to_canonical()),
            Rule::Forwarded(name, proxies) => (name, proxies),
        };
        let mut address = proxies.peer(head)?.to_canonical();
        let lines = head.headers.get_all(name);
        let hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut hops = hops.take(MAX_HOPS);
        while proxies.contain(address) {
            // If the header ends or is malformed, only the last proxy is known.
            let Some(before) = hops.next().and_then(parse) else { break };
            address = before;
        }
        Some(address)
    }
}

/// Parses `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let hop = str::from_utf8(hop.trim_ascii()).ok()?;
    let address = match hop.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
            let is_port = |port: &str| port.parse::<u16>().is_ok_and(|_| is_number(port));
            let is_end = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            IpAddr::V6(is_end.then_some(address)?.parse().ok()?)
        }
        None => hop.parse().ok().or_else(|| {
            let address: std::net::SocketAddrV4 = hop.parse().ok()?;
            Some(IpAddr::V4(*address.ip()))
        })?,
    };
    Some(address.to_canonical())
}

impl fmt::Debug for ClientIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Peer(_) => f.write_str("ClientIp::Peer"),
            Rule::Forwarded(name, proxies) => {
                f.debug_tuple("ClientIp::Forwarded").field(name).field(proxies).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

    fn client_ip(peer: &'static str, forwarded: &[&'static str]) -> String {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        let proxies = TrustedProxies::new(proxies, move |_| Some(peer.parse().unwrap())).unwrap();
        let client_ip = ClientIp::forwarded(FORWARDED_FOR, proxies);
        let mut request = http::Request::new(());
        for line in forwarded {
            request.headers_mut().append("x-forwarded-for", line.parse().unwrap());
        }
        client_ip.of(&request.into_parts().0).unwrap().to_string()
    }

    #[test]
    fn only_listed_proxies_are_believed() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            // An address that the sender added is in front of the address that the proxy saw.
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["10.0.0.3"], "10.0.0.3"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, garbage"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["[::1"], "10.0.0.1"),
            ("10.0.0.1", &["[::1]x"], "10.0.0.1"),
            ("10.0.0.1", &["[::1]:+80"], "10.0.0.1"),
            ("10.0.0.1", &["[::1]:"], "10.0.0.1"),
            ("10.0.0.1", &["[203.0.113.9]:80"], "10.0.0.1"),
            ("10.0.0.1", &["[203.0.113.9]"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(client_ip(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_long_header_is_read_from_its_end() {
        let line: &'static str = Box::leak("10.0.0.2,".repeat(1000).into_boxed_str());
        assert_eq!(client_ip("10.0.0.1", &[line]), "10.0.0.1");
    }
}
