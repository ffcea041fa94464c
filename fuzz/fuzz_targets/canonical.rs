//! Signatures of forms, queries, headers and paths, held to a plain reading of the same request. The
//! target signs one request and sends another, which is accepted if and only if its reading has the
//! tag.

#![no_main]

use std::{borrow::Cow, sync::LazyLock};

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use http::{HeaderName, Method, request::Parts};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode;
use sha2::{Digest, Sha256};
use tower_webhook::{
    PublicUrl, Verifier,
    providers::{
        BoxVerifier, Contentful, Mandrill, MercadoPago, MessageBirdLegacy, Plivo, VonageSms,
    },
};
use tower_webhook_fuzz::{
    Edit, KEYS, NOW, add, base64, edit, head, hex, hmac_sha1, hmac_sha256, members, secret,
    trimmed, verify,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Mandrill,
    Plivo,
    Vonage,
    MessageBird,
    MercadoPago,
    Contentful,
}

const KINDS: [Kind; 6] = [
    Kind::Mandrill,
    Kind::Plivo,
    Kind::Vonage,
    Kind::MessageBird,
    Kind::MercadoPago,
    Kind::Contentful,
];

const ORIGIN: &str = "https://example.com";
const METHODS: [Method; 4] = [Method::POST, Method::GET, Method::PUT, Method::HEAD];
const TYPES: [&str; 4] =
    ["application/x-www-form-urlencoded", "application/json", "text/plain", "APPLICATION/JSON; a"];
const LIST: &str = "x-contentful-signed-headers";
const TIME: &str = "x-contentful-timestamp";
const TIMES: [&str; 6] =
    ["1700000000", "1700000000000", "1699999000", "1700000000001", "01700000000", "9"];

/// Pieces of paths, queries, forms and header values.
const PIECES: [&str; 40] = [
    "&",
    "=",
    "a",
    "b",
    "1",
    "_",
    "%26",
    "%3D",
    "+",
    "%2b",
    "%",
    "?",
    "/",
    ";",
    ":",
    ".",
    "sig=",
    "timestamp=1700000000",
    "timestamp=",
    "mandrill_events=",
    "mandrill_events",
    "[]",
    "data.id=",
    "data%2Eid=",
    "A",
    "1700000000",
    "1700000000000",
    "request-id:",
    ";request-id:r;",
    "&a=1",
    "&a=2",
    "%3B",
    "%C3%A9",
    "~",
    "%zz",
    "z;b:2",
    ";x-contentful-signed-headers:",
    "\"",
    "{\"a\":\"1\"}",
    " ",
];

static VERIFIERS: LazyLock<Vec<[BoxVerifier; 2]>> = LazyLock::new(|| {
    let build = |kind: &Kind| {
        [vec![secret(0)], vec![secret(0), secret(1)]].map(|keys| {
            let url = PublicUrl::base(ORIGIN).unwrap();
            match kind {
                Kind::Mandrill => BoxVerifier::new(Mandrill::new(keys, url).unwrap()),
                Kind::Plivo => BoxVerifier::new(Plivo::new(keys, url).unwrap()),
                Kind::Vonage => BoxVerifier::new(VonageSms::hmac_sha256(keys).unwrap()),
                Kind::MessageBird => BoxVerifier::new(MessageBirdLegacy::new(keys).unwrap()),
                Kind::MercadoPago => BoxVerifier::new(MercadoPago::new(keys).unwrap()),
                Kind::Contentful => BoxVerifier::new(Contentful::new(keys, url).unwrap()),
            }
        })
    };
    KINDS.iter().map(build).collect()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: u8,
    is_rotating: bool,
    method: u8,
    media_type: u8,
    /// Set if the pieces of a form or a query stand between those that its provider needs.
    is_plain: bool,
    path: &'a [u8],
    query: &'a [u8],
    body: &'a [u8],
    headers: Vec<(u8, &'a [u8])>,
    time: u8,
    key: u8,
    content: u8,
    edits: Vec<Edit>,
    is_twice: bool,
    change: Option<(u8, &'a [u8])>,
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn pieces(of: &[u8]) -> Vec<u8> {
    of.iter().take(24).flat_map(|at| PIECES[usize::from(*at) % PIECES.len()].bytes()).collect()
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The decoded pairs of a form, in their order.
fn pairs(text: &[u8]) -> Pairs {
    let decode = |text: &[u8]| {
        let text: Vec<u8> =
            text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        Cow::from(percent_decode(&text)).into_owned()
    };
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (decode(&pair[..at]), decode(&pair[at + 1..])),
        None => (decode(pair), vec![]),
    });
    pairs.collect()
}

/// The only value of a header, without blanks; `None` when there are none or several.
fn only<'a>(head: &'a Parts, name: &str) -> Option<&'a [u8]> {
    let mut values = head.headers.get_all(name).iter();
    let value = trimmed(values.next()?.as_bytes());
    (values.next().is_none() && !value.is_empty()).then_some(value)
}

fn is_form(head: &Parts) -> bool {
    only(head, "content-type").is_some_and(|value| value.eq_ignore_ascii_case(TYPES[0].as_bytes()))
}

fn query(head: &Parts) -> &[u8] {
    head.uri.query().unwrap_or_default().as_bytes()
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn has_twice(pairs: &[(Vec<u8>, Vec<u8>)]) -> bool {
    pairs.iter().enumerate().any(|(at, (name, _))| pairs[..at].iter().any(|(it, _)| it == name))
}

/// A time in seconds or milliseconds, within so many of them; `None` when it is not.
fn is_near(text: &[u8], unit: u64, past: u64) -> bool {
    let is_number = text.iter().all(u8::is_ascii_digit) && !text.starts_with(b"0");
    let time =
        str::from_utf8(text).ok().filter(|_| is_number).and_then(|it| it.parse::<u64>().ok());
    let now = NOW * unit;
    time.is_some_and(|time| now.saturating_sub(time) <= past * unit && time <= now + 300 * unit)
}

/// Returns the signed texts of this request, one for each way to write them.
fn contents(kind: Kind, head: &Parts, body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let path = head.uri.path();
    match kind {
        Kind::Mandrill => {
            let target = [path.as_bytes(), b"?", query(head)].concat();
            let form = pairs(body);
            let [(name, value)] = &form[..] else { return None };
            let is_told_apart = !has(&target, b"mandrill_events");
            (is_form(head) && name == b"mandrill_events" && is_told_apart).then_some(())?;
            let url = format!("{ORIGIN}{}", head.uri.path_and_query()?);
            Some(vec![[url.as_bytes(), name, value].concat()])
        }
        Kind::Plivo => {
            let nonce = only(head, "x-plivo-signature-v3-nonce")?;
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            nonce.iter().all(is_plain).then_some(())?;
            let is_read_only = head.method == Method::GET || head.method == Method::HEAD;
            (body.is_empty() || (!is_read_only && is_form(head))).then_some(())?;
            let (mut query, mut form) = (pairs(query(head)), pairs(body));
            query.sort();
            form.sort();
            let query: Vec<_> = query.iter().map(|(n, v)| [n, &b"="[..], v].concat()).collect();
            let form: Vec<_> = form.iter().map(|(n, v)| [&n[..], v].concat()).collect();
            let mut text = format!("{ORIGIN}{path}").into_bytes();
            if !query.is_empty() || !form.is_empty() {
                text.push(b'?');
            }
            text.extend(query.join(&b"&"[..]));
            if !query.is_empty() && !form.is_empty() {
                text.push(b'.');
            }
            Some(vec![[&*text, &form.concat(), b".", nonce].concat()])
        }
        Kind::Vonage => {
            let mut pairs = parameters(head, body)?;
            let is_name = |(name, _): &(Vec<u8>, _)| !has(name, b"&") && !has(name, b"=");
            (!has_twice(&pairs) && pairs.iter().all(is_name)).then_some(())?;
            pairs.sort();
            let mut text = Vec::new();
            for (name, mut value) in pairs.into_iter().filter(|(name, _)| name != b"sig") {
                for byte in &mut value {
                    *byte = if b"&=".contains(byte) { b'_' } else { *byte };
                }
                text.extend([&b"&"[..], &name, b"=", &value].concat());
            }
            Some(vec![text])
        }
        Kind::MessageBird => {
            let time = only(head, "messagebird-request-timestamp")?;
            let mut decoded = pairs(query(head));
            (!has_twice(&decoded)).then_some(())?;
            decoded.sort();
            let escape = |text: &[u8]| -> String {
                let escape = |byte: &u8| match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                        char::from(*byte).to_string()
                    }
                    b' ' => "+".to_owned(),
                    _ => format!("%{byte:02X}"),
                };
                text.iter().map(escape).collect()
            };
            let written: Vec<_> =
                decoded.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
            let mut raw: Vec<_> = query(head).split(|byte| *byte == b'&').collect();
            raw.sort_by_key(|pair| pair.split(|byte| *byte == b'=').next().unwrap().to_vec());
            let texts = [written.join("&").into_bytes(), raw.join(&b"&"[..])];
            // It could be the URL of Bird.
            let start = texts[1].to_ascii_lowercase();
            let is_url = start.starts_with(b"http://") || start.starts_with(b"https://");
            (!is_url).then_some(())?;
            let content =
                |text: Vec<u8>| [time, b"\n", &text, b"\n", &Sha256::digest(body)].concat();
            Some(texts.map(content).into())
        }
        Kind::MercadoPago => {
            let (_, time) = signature_pairs(only(head, "x-signature")?)?;
            let ids = pairs(query(head));
            let ids: Vec<_> = ids.iter().filter(|(name, _)| name == b"data.id").collect();
            (ids.len() < 2).then_some(())?;
            let id = ids.first().map(|(_, id)| id.clone()).filter(|id| !id.is_empty());
            let count = head.headers.get_all("x-request-id").iter().count();
            (count < 2).then_some(())?;
            let request_id = only(head, "x-request-id");
            (!id.as_deref().is_some_and(|id| has(id, b";"))).then_some(())?;
            (!request_id.is_some_and(|id| has(id, b";"))).then_some(())?;
            let content = |id: Option<Vec<u8>>| {
                let mut text = Vec::new();
                if let Some(id) = id {
                    text.extend([b"id:", &*id, b";"].concat());
                }
                if let Some(id) = request_id {
                    text.extend([b"request-id:", id, b";"].concat());
                }
                [&*text, b"ts:", time, b";"].concat()
            };
            let lower = id.as_ref().map(|id| id.to_ascii_lowercase());
            Some(vec![content(lower), content(id)])
        }
        Kind::Contentful => contentful(head, body).map(|text| vec![text]),
    }
}

/// The parameters of a callback from Vonage, before they are sorted.
fn parameters(head: &Parts, body: &[u8]) -> Option<Pairs> {
    let is_json = || {
        let value = only(head, "content-type").unwrap_or_default();
        let value = value.split(|byte| *byte == b';').next().unwrap_or_default();
        value.trim_ascii().eq_ignore_ascii_case(b"application/json")
    };
    if head.method == Method::GET {
        return body.is_empty().then(|| pairs(query(head)));
    }
    (head.method == Method::POST).then_some(())?;
    if is_form(head) {
        return Some(pairs(body));
    }
    is_json().then_some(())?;
    let members = members(body).ok()?.into_iter();
    let texts = members.map(|(name, value)| {
        let value: String = serde_json::from_str(value.get()).ok()?;
        Some((name.into_bytes(), value.into_bytes()))
    });
    texts.collect()
}

fn contentful(head: &Parts, body: &[u8]) -> Option<Vec<u8>> {
    let target = head.uri.path_and_query()?.as_str();
    let mut parts = target.split('?');
    let (path, query) = (parts.next()?, parts.next().unwrap_or_default());
    parts.next().is_none().then_some(())?;
    let encode = |text: &str, kept: &str| -> String {
        let encode = |byte: u8| match char::from(byte) {
            char if char.is_ascii_alphanumeric() || kept.contains(char) => char.to_string(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(encode).collect()
    };
    const URI: &str = ";,/?:@&=+$-_.!~*'()#";
    let mut text = format!("{}\n{}", head.method, encode(path, URI));
    if !query.is_empty() {
        text.push('?');
        text.push_str(&encode(&encode(query, "-_.!~*'()"), URI));
    }
    let list = str::from_utf8(only(head, LIST)?).ok()?;
    let names: Vec<_> = list.split(',').collect();
    (names.windows(2).all(|two| two[0] < two[1]) && names.len() <= 64).then_some(())?;
    (names.contains(&LIST) && names.contains(&TIME)).then_some(())?;
    let mut line = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let is_name = HeaderName::try_from(*name).is_ok_and(|it| it.as_str() == *name);
        is_name.then_some(())?;
        let value = only(head, name)?;
        let next = names.get(at + 1).map(|next| format!(";{next}:"));
        let is_open = next.is_some_and(|next| has(value, next.as_bytes()));
        (!is_open && !has(value, format!(";{LIST}:").as_bytes())).then_some(())?;
        line.push([name.as_bytes(), b":", value].concat());
    }
    Some([text.as_bytes(), b"\n", &line.join(&b";"[..]), b"\n", body].concat())
}

/// The signatures and the time of `ts=…,v1=…`.
fn signature_pairs(value: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let items = value.split(|byte| *byte == b',');
    let items: Vec<_> = items.map(|item| item.strip_prefix(b" ").unwrap_or(item)).collect();
    let named = |name: &[u8]| -> Vec<_> {
        items.iter().filter_map(|item| item.strip_prefix(name)).collect()
    };
    let (tags, times) = (named(b"v1="), named(b"ts="));
    let [time] = times[..] else { return None };
    (tags.len() <= 16).then_some((tags, time))
}

/// The candidates of a request, decoded; `None` when it is not one, or when its time is off.
fn candidates(kind: Kind, head: &Parts, body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let hex = |text: &[u8]| HEXLOWER_PERMISSIVE.decode(text).ok();
    let base64 = |text: &[u8]| data_encoding::BASE64.decode(text).ok();
    match kind {
        Kind::Mandrill => Some(vec![base64(only(head, "x-mandrill-signature")?)?]),
        Kind::Plivo => {
            let items = only(head, "x-plivo-signature-v3")?.split(|byte| *byte == b',');
            let items: Vec<_> = items.map(|item| base64(item.trim_ascii())).collect();
            (items.len() <= 16).then(|| items.into_iter().flatten().collect())
        }
        Kind::Vonage => {
            let pairs = parameters(head, body)?;
            let value = |name: &[u8]| pairs.iter().find(|(it, _)| it == name).map(|(_, it)| &**it);
            is_near(value(b"timestamp")?, 1, 95_040).then_some(())?;
            Some(vec![hex(value(b"sig")?)?])
        }
        Kind::MessageBird => {
            is_near(only(head, "messagebird-request-timestamp")?, 1, 100).then_some(())?;
            Some(vec![base64(only(head, "messagebird-signature")?)?])
        }
        Kind::MercadoPago => {
            let (tags, time) = signature_pairs(only(head, "x-signature")?)?;
            let is_near = match time.len() {
                10 => is_near(time, 1, 300),
                13 => is_near(time, 1000, 300),
                _ => false,
            };
            is_near.then(|| tags.into_iter().filter_map(hex).collect())
        }
        Kind::Contentful => {
            is_near(only(head, TIME)?, 1000, 30).then_some(())?;
            Some(vec![hex(only(head, "x-contentful-signature")?)?])
        }
    }
}

fn tag(kind: Kind, key: &str, content: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Mandrill => hmac_sha1(key.as_bytes(), &[content]),
        _ => hmac_sha256(key.as_bytes(), &[content]),
    }
}

/// A request in its parts.
#[derive(Clone)]
struct Draft {
    method: Method,
    path: Vec<u8>,
    query: Vec<u8>,
    body: Vec<u8>,
    headers: Vec<(&'static str, Vec<u8>)>,
}

impl Draft {
    fn head(&self) -> Option<Parts> {
        let question: &[u8] = if self.query.is_empty() { b"" } else { b"?" };
        let target = [b"/", &*self.path, question, &self.query].concat();
        let mut head = head(self.method.clone(), &target)?;
        // A fragment ends it.
        (head.uri.to_string().as_bytes() == target).then_some(())?;
        self.headers.iter().try_for_each(|(name, value)| add(&mut head, name, value))?;
        Some(head)
    }

    /// Adds the parts that the provider always sends.
    fn complete(&mut self, kind: Kind, time: &str) {
        match kind {
            Kind::Mandrill => self.body.splice(..0, *b"mandrill_events=").for_each(drop),
            Kind::Plivo => self.headers.push(("x-plivo-signature-v3-nonce", time.into())),
            Kind::Vonage if self.method == Method::GET => {
                self.body.clear();
                self.query.extend([b"&timestamp=", time.as_bytes()].concat());
            }
            Kind::Vonage if self.headers[0].1 == TYPES[0].as_bytes() => {
                self.body.extend([b"&timestamp=", time.as_bytes()].concat());
            }
            Kind::Vonage => {
                let text = String::from_utf8_lossy(&self.body).into_owned();
                let text = serde_json::Value::from(text);
                self.body = format!(r#"{{"timestamp":"{time}","text":{text}}}"#).into_bytes();
            }
            Kind::MessageBird => self.headers.push(("messagebird-request-timestamp", time.into())),
            Kind::MercadoPago => {
                self.query.splice(..0, *b"data.id=").for_each(drop);
                self.headers.push(("x-signature", format!("ts={time}").into()));
            }
            Kind::Contentful => {
                self.headers.push((TIME, time.into()));
                let names = self.headers.iter().map(|(name, _)| *name).chain([LIST]);
                let mut names: Vec<_> = names.collect();
                names.sort_unstable();
                names.dedup();
                self.headers.push((LIST, names.join(",").into()));
            }
        }
    }

    /// Adds a signature in the provider's place.
    fn add_signature(&mut self, kind: Kind, tag: &[u8], edits: &[Edit], is_twice: bool) {
        let is_hex = matches!(kind, Kind::Vonage | Kind::MercadoPago | Kind::Contentful);
        let mut text = if is_hex { hex(tag) } else { base64(tag) }.into_bytes();
        edit(&mut text, edits);
        let name = match kind {
            Kind::Mandrill => "x-mandrill-signature",
            Kind::Plivo => "x-plivo-signature-v3",
            Kind::MessageBird => "messagebird-signature",
            Kind::Contentful => "x-contentful-signature",
            Kind::MercadoPago => {
                let header = self.headers.iter_mut().find(|(name, _)| *name == "x-signature");
                if let Some((_, value)) = header {
                    value.extend([b",v1=", &*text].concat());
                }
                return;
            }
            Kind::Vonage => {
                let is_get = self.method == Method::GET;
                let is_json = !is_get && self.body.starts_with(b"{");
                let place = if is_get { &mut self.query } else { &mut self.body };
                if is_json {
                    let member = [b"{\"sig\":\"", &*text, b"\","].concat();
                    place.splice(..1, member).for_each(drop);
                } else {
                    place.extend([b"&sig=", &*text].concat());
                }
                return;
            }
        };
        if is_twice && kind == Kind::Plivo {
            text = [&*text, b",", &text].concat();
        }
        self.headers.push((name, text));
    }
}

const NAMES: [&str; 5] = ["a", "b", "x-request-id", "x-contentful-topic", "z-last"];

fn run(input: &Input<'_>) -> Option<()> {
    let kind = KINDS[usize::from(input.kind) % KINDS.len()];
    let name_of = |at: u8| NAMES[usize::from(at) % NAMES.len()];
    let mut headers = vec![("content-type", TYPES[usize::from(input.media_type) % 4].into())];
    headers
        .extend(input.headers.iter().take(6).map(|(name, value)| (name_of(*name), pieces(value))));
    let mut draft = Draft {
        method: METHODS[usize::from(input.method) % METHODS.len()].clone(),
        path: pieces(input.path),
        query: pieces(input.query),
        body: pieces(input.body),
        headers,
    };
    if !input.is_plain {
        draft.complete(kind, TIMES[usize::from(input.time) % TIMES.len()]);
    }
    let signed = contents(kind, &draft.head()?, &draft.body);
    if let Some(signed) = signed {
        let content = &signed[usize::from(input.content) % signed.len()];
        let tag = tag(kind, KEYS[usize::from(input.key) % KEYS.len()], content);
        draft.add_signature(kind, &tag, &input.edits, input.is_twice);
    }
    if let Some((place, change)) = input.change {
        let change = pieces(change);
        let at = usize::from(place / 6);
        match place % 6 {
            0 => draft.path = change,
            1 => draft.query.extend(change),
            2 => draft.query = change,
            3 => draft.body.extend(change),
            4 => draft.headers.push((name_of(place / 6), change)),
            _ => {
                let count = draft.headers.len();
                draft.headers[at % count].1 = change;
            }
        }
    }
    let head = draft.head()?;
    let keys = &KEYS[..1 + usize::from(input.is_rotating)];
    let expected = (|| {
        let contents = contents(kind, &head, &draft.body)?;
        let candidates = candidates(kind, &head, &draft.body)?;
        keys.iter().position(|key| {
            let mut tags = contents.iter().map(|content| tag(kind, key, content));
            tags.any(|tag| candidates.contains(&tag))
        })
    })();

    let index = KINDS.iter().position(|it| *it == kind)?;
    let verifier = &VERIFIERS[index][usize::from(input.is_rotating)];
    let verdict = verify(verifier, &head, &Bytes::from(draft.body.clone()));
    let found = verdict.as_ref().ok().map(|verified| verified.key_index());
    assert_eq!(found, expected, "{kind:?} {head:?} {:?} {verdict:?}", draft.body);
    if let Ok(verified) = verdict {
        let covers = matches!(kind, Kind::Mandrill | Kind::MessageBird | Kind::Contentful);
        assert_eq!(verified.body_is_signed(), covers);
        assert_eq!(verified.provider(), verifier.defaults().provider());
    }
    Some(())
}
