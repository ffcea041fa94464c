//! Forwarding headers: whose address is believed, held to the crate `ipnet`, and which origin.

#![no_main]

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::LazyLock,
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, request::Parts};
use ipnet::{IpNet, Ipv6Net};
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    PublicUrl,
    layer::TrustedProxies,
    observe::ClientIp,
    scheme::{Component, Scheme, SchemeVerifier},
};
use tower_webhook_fuzz::{KEYS, add, head, hex, hmac_sha256, secret, trimmed, verify};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROXIES: [&str; 4] = ["10.0.0.0/8", "192.0.2.7", "fd00::/9", "::ffff:172.16.0.0/108"];
const HOSTS: [&str; 3] = ["a.example", "b.example:8443", "[2001:db8::7]"];

fn peer(head: &Parts) -> Option<IpAddr> {
    head.extensions.get().copied()
}

static CLIENT_IP: LazyLock<ClientIp> = LazyLock::new(|| {
    ClientIp::forwarded(FORWARDED_FOR, TrustedProxies::new(PROXIES, peer).unwrap())
});

static BY_URL: LazyLock<SchemeVerifier> = LazyLock::new(|| {
    let scheme = Scheme::hmac_sha256("x-signature").signed_content(&[
        Component::Url,
        Component::Literal("\n"),
        Component::Body,
    ]);
    let url = PublicUrl::forwarded(HOSTS, TrustedProxies::new(PROXIES, peer).unwrap()).unwrap();
    scheme.verifier_at(secret(0), url).unwrap()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    peer: Option<Address>,
    lines: Vec<Vec<Hop<'a>>>,
    network: &'a str,
    host: Vec<Host<'a>>,
    forwarded_host: Vec<Host<'a>>,
    proto: Vec<Proto<'a>>,
    authority: Option<u8>,
    target: &'a [u8],
    /// What the sender signs: which host, and by TLS or not.
    signed: (u8, bool),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Address {
    Any(IpAddr),
    Proxy(u8, u8),
    Mapped([u8; 4]),
}

#[derive(Arbitrary, Debug)]
enum Hop<'a> {
    Address { address: Address, style: u8, port: u16, blanks: u8 },
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Host<'a> {
    Known(u8),
    Upper(u8),
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Proto<'a> {
    Http,
    Https,
    Raw(&'a [u8]),
}

impl Address {
    fn get(self) -> IpAddr {
        match self {
            Self::Any(address) => address,
            Self::Mapped([a, b, c, d]) => {
                IpAddr::V6(Ipv6Addr::from_bits(u32::from_be_bytes([a, b, c, d]).into()))
                    .to_canonical()
            }
            Self::Proxy(which, last) => match which % 4 {
                0 => [10, 1, 2, last].into(),
                1 => [192, 0, 2, last].into(),
                2 => [0xfd00, 0, 0, 0, 0, 0, 0, last.into()].into(),
                _ => [0, 0, 0, 0, 0, 0xffff, 0xac10, last.into()].into(),
            },
        }
    }
}

impl Host<'_> {
    fn text(self) -> Vec<u8> {
        match self {
            Host::Known(which) => HOSTS[usize::from(which) % 3].into(),
            Host::Upper(which) => HOSTS[usize::from(which) % 3].to_uppercase().into(),
            Host::Raw(raw) => raw.to_vec(),
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    networks(input.network, input.peer.map_or([0; 4].into(), Address::get));
    let _ = address(&input);
    let _ = origin(&input);
});

/// One network for both families, as the crate under test keeps them.
fn network(text: &str) -> Option<Ipv6Net> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) if !prefix.is_empty() => (address, Some(prefix)),
        Some(_) => return None,
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = match prefix {
        Some(prefix) if prefix.contains('+') => return None,
        Some(prefix) => prefix.parse().ok()?,
        None => width,
    };
    match IpNet::new(address, prefix).ok()? {
        IpNet::V4(network) => {
            Ipv6Net::new(network.addr().to_ipv6_mapped(), network.prefix_len() + 96).ok()
        }
        IpNet::V6(network) => Some(network),
    }
}

fn contains(network: &Ipv6Net, address: IpAddr) -> bool {
    network.contains(&match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    })
}

fn is_proxy(address: IpAddr) -> bool {
    static NETWORKS: LazyLock<Vec<Ipv6Net>> =
        LazyLock::new(|| PROXIES.map(|text| network(text).unwrap()).to_vec());
    NETWORKS.iter().any(|network| contains(network, address))
}

fn networks(text: &str, peer: IpAddr) {
    let client_ip = TrustedProxies::new([text], move |_| Some(peer))
        .map(|proxies| ClientIp::forwarded(FORWARDED_FOR, proxies));
    let expected = network(text);
    assert_eq!(client_ip.is_ok(), expected.is_some(), "{text:?}");
    let (Ok(client_ip), Some(expected)) = (client_ip, expected) else { return };
    // Only a believed peer is asked further.
    let mut request = head(Method::GET, b"/").unwrap();
    request.headers.insert(FORWARDED_FOR, HeaderValue::from_static("203.0.113.9"));
    let is_believed = client_ip.of(&request) != Some(peer.to_canonical());
    let is_other = peer.to_canonical() != IpAddr::from([203, 0, 113, 9]);
    assert_eq!(is_believed, contains(&expected, peer) && is_other, "{text:?} {peer}");
}

fn address(input: &Input<'_>) -> Option<()> {
    let mut request = head(Method::POST, b"/")?;
    let mut all = Vec::new();
    for line in input.lines.iter().take(4) {
        let hops: Vec<Vec<u8>> = line.iter().take(20).map(write).collect();
        let line = hops.join(&b',');
        request.headers.append(FORWARDED_FOR, HeaderValue::from_bytes(&line).ok()?);
        all.extend(line.split(|byte| *byte == b',').map(<[u8]>::to_vec));
    }
    let mut expected = None;
    if let Some(peer) = input.peer.map(Address::get) {
        request.extensions.insert(peer);
        let mut address = peer.to_canonical();
        for hop in all.iter().rev().take(32) {
            let Some(before) = is_proxy(address).then(|| read(hop)).flatten() else { break };
            address = before;
        }
        expected = Some(address);
    }
    assert_eq!(CLIENT_IP.of(&request), expected, "{request:?}");
    Some(())
}

fn write(hop: &Hop<'_>) -> Vec<u8> {
    match *hop {
        Hop::Raw(raw) => raw.to_vec(),
        Hop::Address { address, style, port, blanks } => {
            let address = address.get();
            let text = match (style % 4, address) {
                (0, _) => address.to_string(),
                (1, _) => SocketAddr::new(address, port).to_string(),
                (2, _) => format!("[{address}]"),
                _ => format!("[{address}]:{port}"),
            };
            let blank = |bit: u8| if blanks & bit > 0 { " " } else { "" };
            format!("{}{text}{}", blank(1), blank(2)).into_bytes()
        }
    }
}

/// An address, perhaps in brackets if it is one of version 6, perhaps with a port.
fn read(hop: &[u8]) -> Option<IpAddr> {
    let hop = str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    if let Ok(address) = hop.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    if let Some(address) = bare.and_then(|bare| bare.parse::<Ipv6Addr>().ok()) {
        return Some(IpAddr::V6(address).to_canonical());
    }
    // The standard library reads a scope, which is nothing that crosses a network.
    let address = hop.parse::<SocketAddr>().ok().filter(|_| !hop.contains('%'))?;
    Some(address.ip().to_canonical())
}

fn origin(input: &Input<'_>) -> Option<()> {
    let target = [b"/", input.target].concat();
    let uri = match input.authority {
        Some(which) => [b"https://", HOSTS[usize::from(which) % 3].as_bytes(), &target].concat(),
        None => target,
    };
    let mut request = head(Method::POST, &uri)?;
    request.extensions.insert(input.peer?.get());
    let mut values = Vec::new();
    for (name, hosts) in [("host", &input.host), ("x-forwarded-host", &input.forwarded_host)] {
        let texts: Vec<_> = hosts.iter().take(2).map(|host| host.text()).collect();
        for text in &texts {
            add(&mut request, name, text)?;
        }
        values.push(texts);
    }
    let proto = |proto: &Proto<'_>| match *proto {
        Proto::Http => b"http".to_vec(),
        Proto::Https => b"https".to_vec(),
        Proto::Raw(raw) => raw.to_vec(),
    };
    let protos: Vec<_> = input.proto.iter().take(2).map(proto).collect();
    for proto in &protos {
        add(&mut request, "x-forwarded-proto", proto)?;
    }

    let (which, is_tls) = input.signed;
    let scheme = if is_tls { "https" } else { "http" };
    let path = request.uri.path_and_query()?.as_str();
    let url = format!("{scheme}://{}{path}", HOSTS[usize::from(which) % 3]);
    let tag = hmac_sha256(KEYS[0].as_bytes(), &[url.as_bytes(), b"\nbody"]);

    let expected = (|| {
        is_proxy(request.extensions.get().copied()?).then_some(())?;
        let only = |values: &[Vec<u8>]| match values {
            [] => Some(None),
            [value] => Some(Some(trimmed(value).to_vec())),
            _ => None,
        };
        let (host, forwarded) = (only(&values[0])?, only(&values[1])?);
        let authority = request.uri.authority().map(|authority| authority.as_str().into());
        let is_told_twice = host.is_some() && authority.is_some() && host != authority;
        (!is_told_twice).then_some(())?;
        let host: Vec<u8> = forwarded.or(host).or(authority)?;
        let host = HOSTS.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(&host))?;
        let protos: Vec<_> = protos.iter().map(|proto| trimmed(proto)).collect();
        let scheme = match protos[..] {
            [] | [b"https"] => "https",
            [b"http"] => "http",
            _ => return None,
        };
        Some(format!("{scheme}://{host}{path}"))
    })();
    add(&mut request, "x-signature", hex(&tag).as_bytes())?;
    let verdict = verify(&*BY_URL, &request, &Bytes::from_static(b"body"));
    assert_eq!(verdict.is_ok(), expected.as_ref() == Some(&url), "{request:?} {expected:?}");
    Some(())
}
