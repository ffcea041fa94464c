//! Hash slots of a Redis Cluster, and the nodes that serve them.

use redis::Value;

/// Number of hash slots of each cluster.
const SLOTS: u16 = 16_384;

/// Host and port of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Primary of each slot, and all nodes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Slots {
    /// First slot, last slot and primary, in order.
    ranges: Vec<(u16, u16, Node)>,
    replicas: Vec<Node>,
}

/// Returns the slot of a key: CRC-16/XMODEM of the key, or of its hash tag.
///
/// Source: <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>.
pub(crate) fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| Some(rest.split_once('}')?.0));
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    hashed.bytes().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    }) % SLOTS
}

impl Node {
    /// Reads the address in a redirection, such as `127.0.0.1:6381`.
    ///
    /// If the host is missing, it is that of the node that replied.
    pub(crate) fn of_redirection(address: &str, replied: &Self) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        Some(Self { host: host_or(host, replied)?, port: port.parse().ok()? })
    }

    /// Reads `[host, port, ..]`.
    fn of_reply(value: &Value, replied: &Self) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let host = match parts.first()? {
            Value::Nil => "",
            Value::BulkString(host) => std::str::from_utf8(host).ok()?,
            Value::SimpleString(host) => host,
            _ => return None,
        };
        let Value::Int(port) = parts.get(1)? else { return None };
        Some(Self { host: host_or(host, replied)?, port: u16::try_from(*port).ok()? })
    }
}

/// Returns the host, that of the node that replied if it is empty, or nothing if it is unknown.
fn host_or(host: &str, replied: &Node) -> Option<String> {
    match host {
        "" => Some(replied.host.clone()),
        "?" => None,
        host => Some(host.to_owned()),
    }
}

impl Slots {
    /// Reads the reply to `CLUSTER SLOTS`.
    ///
    /// Returns `None` unless it has a range of slots whose primary is known.
    pub(crate) fn of_reply(reply: &Value, replied: &Node) -> Option<Self> {
        let Value::Array(entries) = reply else { return None };
        let mut slots = Self::default();
        for entry in entries {
            let Value::Array(parts) = entry else { return None };
            let [Value::Int(first), Value::Int(last), primary, replicas @ ..] = parts.as_slice()
            else {
                return None;
            };
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            if let Some(primary) = Node::of_reply(primary, replied) {
                slots.ranges.push((first, last, primary));
            }
            slots.replicas.extend(replicas.iter().filter_map(|node| Node::of_reply(node, replied)));
        }
        // Nodes list the same ranges in different orders, and replies are compared.
        slots.ranges.sort_unstable_by_key(|(first, ..)| *first);
        (!slots.ranges.is_empty()).then_some(slots)
    }

    /// Returns the primary of a slot.
    pub(crate) fn primary(&self, slot: u16) -> Option<&Node> {
        let serves = |(first, last, _): &&(u16, u16, Node)| (*first..=*last).contains(&slot);
        self.ranges.iter().find(serves).map(|(.., primary)| primary)
    }

    /// Returns `true` if both name the same primaries. Nodes learn of a replica's failure at different
    /// times.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        self.ranges == other.ranges
    }

    /// Returns all nodes, some of them repeatedly.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.ranges.iter().map(|(.., primary)| primary).chain(&self.replicas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    /// The slots that `CLUSTER KEYSLOT` of Redis 7.0.15 returns.
    #[test]
    fn a_key_has_the_slot_that_redis_says() {
        for (key, expected) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("", 0),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("user1000", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("foo{bar", 15_278),
            ("tower-webhook:00ff", 3_629),
        ] {
            assert_eq!(slot(key), expected, "{key}");
        }
    }

    #[test]
    fn hosts_that_are_missing_are_those_that_replied() {
        let replied = node("10.0.0.9", 7_000);
        let entry = |first, last, host, port| {
            let address =
                Value::Array(vec![host, Value::Int(port), bulk("id"), Value::Array(vec![])]);
            Value::Array(vec![Value::Int(first), Value::Int(last), address])
        };
        let reply = Value::Array(vec![
            entry(8_192, 16_383, bulk("redis-2.example"), 7_002),
            entry(0, 4_095, Value::Nil, 7_001),
            entry(4_096, 8_191, bulk("?"), 7_003),
        ]);
        let slots = Slots::of_reply(&reply, &replied).unwrap();
        let primary = |slot| slots.primary(slot).cloned();
        for slot in [0, 4_095] {
            assert_eq!(primary(slot), Some(node("10.0.0.9", 7_001)));
        }
        for slot in [4_096, 8_191] {
            assert_eq!(primary(slot), None, "the node is unknown");
        }
        for slot in [8_192, 16_383] {
            assert_eq!(primary(slot), Some(node("redis-2.example", 7_002)));
        }
        assert_eq!(
            ["10.0.0.1:6381", ":6381", "fe80::1:6381", "?:6381", "nowhere", "x:99999"]
                .map(|address| Node::of_redirection(address, &replied)),
            [
                Some(node("10.0.0.1", 6_381)),
                Some(node("10.0.0.9", 6_381)),
                Some(node("fe80::1", 6_381)),
                None,
                None,
                None
            ]
        );
    }

    #[test]
    fn replies_that_are_not_slots_are_none() {
        let replied = node("10.0.0.9", 7_000);
        let wrong = [
            Value::Nil,
            bulk("OK"),
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(1)])]),
            Value::Array(vec![Value::Array(vec![Value::Int(-1), Value::Int(1), Value::Nil])]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(70_000), Value::Nil])]),
        ];
        for reply in wrong {
            assert_eq!(Slots::of_reply(&reply, &replied), None, "{reply:?}");
        }
    }
}
