//! The entries, and what their operations make of a base request.

use std::{collections::BTreeMap, fmt};

use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;

/// Operations on a request, and marks for those that are more than one request.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Op {
    SetHeader {
        name: String,
        value: String,
    },
    AppendHeader {
        name: String,
        value: String,
    },
    PrependHeader {
        name: String,
        value: String,
    },
    RemoveHeader {
        name: String,
    },
    SetHeaderHex {
        name: String,
        hex: String,
    },
    SetMethod {
        value: String,
    },
    SetUri {
        value: String,
    },
    SetBody {
        text: String,
    },
    SetBodyHex {
        hex: String,
    },
    AppendBodyHex {
        hex: String,
    },
    PrependBodyHex {
        hex: String,
    },
    TruncateBody {
        len: usize,
    },
    /// From the end where it is negative.
    FlipBodyBit {
        byte: isize,
        bit: u8,
    },
    SetNow {
        unix: u64,
    },
    SetSecrets {
        value: Vec<String>,
    },
    /// The whole request, as bytes on a socket.
    RawTcp {
        text: String,
    },
    SetTenant {
        value: String,
    },
    /// What one request does not say; a runner of its own knows what is meant.
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) category: String,
    pub(super) description: String,
    #[serde(rename = "request_mutation")]
    pub(super) ops: Vec<Op>,
    pub(super) expected_status: Value,
    #[serde(default, rename = "why")]
    _why: String,
    pub(super) level: Level,
    #[serde(default)]
    pub(super) body_must_not_be_kept: bool,
    /// One of the same class as the programme's own.
    #[serde(skip)]
    pub(super) is_sibling: bool,
    #[serde(default)]
    pub(super) replay_identity: Option<String>,
    #[serde(default, rename = "known_limit")]
    _known_limit: bool,
    #[serde(default, rename = "network_calls_expected")]
    _network_calls: u8,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    C,
    V,
    T,
    H,
    E,
}

/// A request and how it is verified.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(rename = "source")]
    _source: String,
    pub(super) method: String,
    pub(super) uri: String,
    headers: Vec<(String, String)>,
    /// The headers as bytes, once they have been changed.
    #[serde(skip)]
    pub(super) lines: Vec<(String, Vec<u8>)>,
    #[serde(rename = "body_utf8")]
    body_text: String,
    #[serde(skip)]
    pub(super) body: Vec<u8>,
    pub(super) now: u64,
    #[serde(rename = "tolerance_s")]
    _tolerance: u64,
    pub(super) secrets: Vec<String>,
    #[serde(rename = "config")]
    _config: Value,
}

fn file<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

pub(super) fn bad() -> Vec<Entry> {
    file(include_str!("../../../data/adversarial/bad.json"))
}

pub(super) fn good() -> Vec<Entry> {
    file(include_str!("../../../data/adversarial/good.json"))
}

pub(super) fn siblings() -> Vec<Entry> {
    let mut siblings: Vec<Entry> = file(include_str!("../../../data/adversarial/siblings.json"));
    siblings.iter_mut().for_each(|entry| entry.is_sibling = true);
    siblings
}

pub(super) fn all() -> Vec<Entry> {
    [bad(), good(), siblings()].concat()
}

pub(super) fn bases() -> BTreeMap<String, Case> {
    let mut bases: BTreeMap<String, Case> =
        file(include_str!("../../../data/adversarial/bases.json"));
    for case in bases.values_mut() {
        let lines = case.headers.iter();
        case.lines = lines.map(|(name, value)| (name.clone(), value.as_bytes().to_vec())).collect();
        case.body = case.body_text.clone().into_bytes();
    }
    bases
}

pub(super) fn base(provider: &str) -> Case {
    bases().remove(provider).unwrap_or_else(|| panic!("no base for {provider}"))
}

/// `<3 x a>` is `aaa`, quoted or not.
pub(super) fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let run = after.split_once('>').and_then(|(inside, after)| {
            let (count, what) = inside.split_once(" x ")?;
            Some((count.parse().ok()?, what.trim_matches('\''), after))
        });
        match run {
            Some((count, what, after)) => {
                out.push_str(&what.repeat(count));
                rest = after;
            }
            None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out + rest
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

impl Case {
    pub(super) fn set(&mut self, name: &str, value: &[u8]) {
        let at = self.lines.iter().position(|(n, _)| n.eq_ignore_ascii_case(name));
        self.lines.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        let at = at.unwrap_or(self.lines.len());
        self.lines.insert(at, (name.to_owned(), value.to_vec()));
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::SetHeader { name, value } => self.set(name, expanded(value).as_bytes()),
            Op::SetHeaderHex { name, hex } => self.set(name, &unhex(hex)),
            Op::AppendHeader { name, value } => {
                self.lines.push((name.clone(), expanded(value).into_bytes()));
            }
            Op::PrependHeader { name, value } => {
                self.lines.insert(0, (name.clone(), expanded(value).into_bytes()));
            }
            Op::RemoveHeader { name } => {
                let before = self.lines.len();
                self.lines.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
                assert_ne!(before, self.lines.len(), "there is no {name}");
            }
            Op::SetMethod { value } => self.method.clone_from(value),
            Op::SetUri { value } => self.uri = expanded(value),
            Op::SetBody { text } => self.body = expanded(text).into_bytes(),
            Op::SetBodyHex { hex } => self.body = unhex(hex),
            Op::AppendBodyHex { hex } => self.body.extend(unhex(hex)),
            Op::PrependBodyHex { hex } => self.body = [unhex(hex), self.body.clone()].concat(),
            Op::TruncateBody { len } => self.body.truncate(*len),
            Op::FlipBodyBit { byte, bit } => {
                let len = isize::try_from(self.body.len()).unwrap();
                let at = usize::try_from(byte.rem_euclid(len)).unwrap();
                self.body[at] ^= 1 << bit;
            }
            Op::SetNow { unix } => self.now = *unix,
            Op::SetSecrets { value } => self.secrets.clone_from(value),
            Op::RawTcp { .. } | Op::SetTenant { .. } | Op::Other => panic!("no change: {op:?}"),
        }
    }

    /// As a server would hand it on; `None` where no server would.
    pub(super) fn request<B>(&self, body: B) -> Option<Request<B>> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::from_bytes(self.method.as_bytes()).ok()?;
        *request.uri_mut() = self.uri.parse::<Uri>().ok()?;
        for (name, value) in &self.lines {
            let name = HeaderName::try_from(name).ok()?;
            request.headers_mut().append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(request)
    }

    /// As bytes on a connection of HTTP/1.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.uri).into_bytes();
        for (name, value) in &self.lines {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }

    pub(super) fn host(&self) -> &str {
        let host = self.lines.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        host.map_or("localhost", |(_, value)| std::str::from_utf8(value).unwrap())
    }
}

impl Entry {
    /// The request that it makes of its base, or of each base.
    pub(super) fn cases(&self) -> Vec<(String, Case)> {
        let mut bases = bases();
        if self.provider != "any" {
            bases.retain(|provider, _| *provider == self.provider);
        }
        assert!(!bases.is_empty(), "{self}: no base");
        for case in bases.values_mut() {
            self.ops.iter().for_each(|op| case.apply(op));
        }
        bases.into_iter().collect()
    }

    /// The statuses that it allows, where they are numbers.
    pub(super) fn statuses(&self) -> Vec<StatusCode> {
        let text = match &self.expected_status {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.split([';', ' ']).next().unwrap().to_owned(),
            other => panic!("{self}: {other}"),
        };
        text.split('|').map(|status| status.parse().unwrap()).collect()
    }

    /// Whether it writes what names a host.
    pub(super) fn names_a_host(&self) -> bool {
        self.ops.iter().any(|op| match op {
            Op::SetHeader { name, .. } => {
                let name = name.to_lowercase();
                name == "host" || name.contains("forwarded") || name.contains("original")
            }
            _ => false,
        })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.description)
    }
}
