//! Networks of IP addresses, for lists of proxies.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use crate::error::ConfigError;

/// Addresses that share a prefix.
///
/// IPv4 addresses are kept in their IPv6-mapped form, so that both spellings of a peer's address
/// are equal.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    address: u128,
    prefix: u8,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let error = || ConfigError::NetworkInvalid { network: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error())?;
        let (bits, shift) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let prefix = match prefix {
            None => bits,
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().map_err(|_| error())?
            }
            Some(_) => return Err(error()),
        };
        if prefix > bits {
            return Err(error());
        }
        Ok(Self { address: mapped(address), prefix: prefix + shift })
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        mapped(address) & mask == self.address & mask
    }
}

fn mapped(address: IpAddr) -> u128 {
    let address: Ipv6Addr = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    address.to_bits()
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from_bits(self.address), self.prefix)
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
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), expected, "{network} {address}");
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
        ] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }
}
