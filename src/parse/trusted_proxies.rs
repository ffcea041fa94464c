//! Proxies whose headers are trusted.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use http::request::Parts;
use ipnet::Ipv6Net;

use crate::error::ConfigError;

/// Proxies whose forwarding headers are trusted, for
/// [`ClientIp::forwarded`](crate::observe::ClientIp::forwarded) and
/// [`PublicUrl::forwarded`](crate::PublicUrl::forwarded).
///
/// A request comes from a listed proxy if the address of its connection is in one of the networks
/// (`10.0.0.0/8`, `fd00::/8`, `192.0.2.7`). The server inserts that address into an extension. With
/// axum:
///
/// ```
/// use std::net::SocketAddr;
/// use axum::extract::ConnectInfo;
/// use tower_webhook::layer::TrustedProxies;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8"], |head| {
///     let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
///     Some(peer.ip())
/// })?;
/// # let _ = proxies;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// With tonic, use `head.extensions.get::<TcpConnectInfo>()?.remote_addr().map(|peer| peer.ip())`.
#[derive(Clone)]
pub struct TrustedProxies {
    networks: Arc<[Ipv6Net]>,
    peer: Arc<Peer>,
}

pub(crate) type Peer = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl TrustedProxies {
    /// Trusts the proxies of these networks. `peer` returns the address of the connection.
    ///
    /// Do not read that address from a header: anyone can write one.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::NetworkInvalid`] if a network is malformed.
    pub fn new<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
        peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let networks = networks.into_iter().map(|network| parse(network.as_ref()));
        Ok(Self { networks: networks.collect::<Result<_, _>>()?, peer: Arc::new(peer) })
    }

    /// Returns the address of the connection.
    pub(crate) fn peer(&self, head: &Parts) -> Option<IpAddr> {
        (self.peer)(head)
    }

    /// Returns `true` if this is the address of a listed proxy.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&mapped(address)))
    }
}

/// Parses a network, or the address of a single proxy.
///
/// IPv4 addresses are kept in their IPv6-mapped form, so that both spellings of a peer's address
/// are equal.
///
/// `ipnet` also reads `010.0.0.1`, which other programs take for an octal number.
fn parse(text: &str) -> Result<Ipv6Net, ConfigError> {
    let network = || {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().ok()?;
        let (width, shift) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix: u8 = match prefix {
            Some(digits) => {
                digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??
            }
            None => width,
        };
        let is_prefix = prefix <= width;
        is_prefix.then(|| Ipv6Net::new(mapped(address), prefix + shift).ok())?
    };
    network().ok_or_else(|| ConfigError::NetworkInvalid { network: text.to_owned() })
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxies").field("networks", &self.networks).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_say() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.0.0.1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            // The whole address, and all but its last bit.
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::", false),
            ("2001:db8::1/127", "2001:db8::", true),
            ("2001:db8::1/127", "2001:db8::2", false),
        ] {
            let proxies = TrustedProxies::new([network], |_| None).unwrap();
            assert_eq!(proxies.contain(address.parse().unwrap()), expected, "{network} {address}");
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::/129",
            "a",
            "10.0.0.0/",
            "10.0.0.03",
            "10.0.0.03/32",
        ] {
            assert!(TrustedProxies::new([bad], |_| None).is_err(), "{bad}");
        }
    }
}
