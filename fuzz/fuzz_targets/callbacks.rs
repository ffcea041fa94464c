//! Callbacks with an encrypted message, NMI's nonce, and a signed digest, held to a plain reading of the
//! same request. The target signs a request and changes it. An accepted request has the message that was
//! signed, or one without any block of the cipher in common with it.

#![no_main]

use std::{
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use http::{Method, request::Parts};
use libfuzzer_sys::fuzz_target;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use tower_webhook::{
    Scheme, Verifier,
    providers::{BoxVerifier, DingTalk, NmiGateway, WeChat, WeCom},
    scheme::{Component, DigestEncoding},
};
use tower_webhook_fuzz::{
    Edit, KEYS, add, base64,
    callbacks::{Kind, callback, nmi},
    edit, head, hex, hmac_sha256, secret, trimmed, verify,
};

const KINDS: [Kind; 8] = [
    Kind::WeCom,
    Kind::WeChat,
    Kind::DingTalk,
    Kind::Nmi,
    Kind::Sha512,
    Kind::WeCom,
    Kind::WeChat,
    Kind::DingTalk,
];

const MEDIA_TYPES: [Option<&str>; 8] = [
    None,
    Some("text/xml"),
    Some("application/json"),
    None,
    Some("application/x-www-form-urlencoded"),
    Some("APPLICATION/JSON ; charset=utf-8"),
    Some("application/xml; charset=UTF-8"),
    Some("text/xml;charset=\"gbk\""),
];
const METHODS: [Method; 8] = [
    Method::POST,
    Method::POST,
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::POST,
    Method::POST,
    Method::GET,
];
const TIMES: [&str; 8] = [
    "1700000000",
    "1699999700",
    "1700000301",
    "1700000000000",
    "1699999700000",
    "1700000300001",
    "0170000000",
    "170000000",
];

/// Pieces of documents and queries.
const PIECES: [&str; 44] = [
    "<Encrypt>",
    "</Encrypt>",
    "<Encrypt/>",
    "<a>",
    "</a>",
    "<a/>",
    "<![CDATA[",
    "]]>",
    "<!-- -->",
    "<?xml version=\"1.0\"?>",
    "<?a?>",
    "&#97;",
    "<xml>",
    "</xml>",
    "<a b=\"c\">",
    "<a:b/>",
    " ",
    "\n",
    "\u{c}",
    ">",
    "<",
    "/",
    "\"",
    "'",
    "<!DOCTYPE xml>",
    "\u{feff}",
    "{",
    "\"encrypt\":\"YQ\",",
    "\\u0065",
    "null",
    "&",
    "timestamp=1700000000&",
    "nonce=1&",
    "msg_signature=&",
    "signature=1&",
    "echostr=a&",
    "%",
    "+",
    "]",
    "a",
    "<?xml version='1.0' encoding='utf-7'?>",
    "<encrypt>",
    "</encrypt>",
    "encrypt_type=raw&",
];

static VERIFIERS: LazyLock<Vec<[BoxVerifier; 2]>> = LazyLock::new(|| {
    const SHA512: Scheme = Scheme::hmac_sha256("x-signature")
        .provider("fuzz")
        .signed_content(&[Component::BodySha512(DigestEncoding::Base64)]);
    let build = |kind: &Kind| {
        [vec![secret(0)], vec![secret(0), secret(1)]].map(|keys| match kind {
            Kind::WeCom => BoxVerifier::new(WeCom::new(keys).unwrap()),
            Kind::WeChat => BoxVerifier::new(WeChat::new(keys).unwrap()),
            Kind::DingTalk => BoxVerifier::new(DingTalk::new(keys).unwrap()),
            Kind::Nmi => BoxVerifier::new(NmiGateway::new(keys).unwrap()),
            Kind::Sha512 => BoxVerifier::new(SHA512.verifier(keys).unwrap()),
        })
    };
    KINDS.iter().map(build).collect()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: u8,
    is_rotating: bool,
    key: u8,
    method: u8,
    media_type: u8,
    time: u8,
    nonce: &'a [u8],
    blocks: u8,
    seed: u8,
    layout: u8,
    order: u8,
    /// The parts that are changed, each with a bit.
    changes: u8,
    /// Other ends of the signed parts.
    recut: (u8, u8),
    tag_edits: Vec<Edit>,
    query_edits: Vec<Edit>,
    body_edits: Vec<Edit>,
    insert: Vec<(bool, u16, u8)>,
    raw: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

/// The tag of these parts, which are a time, a nonce and a message or body.
fn tag(kind: Kind, key: &str, [time, nonce, message]: [&[u8]; 3]) -> Vec<u8> {
    let key = key.as_bytes();
    match kind {
        Kind::Nmi => hmac_sha256(key, &[nonce, b".", message]),
        Kind::Sha512 => hmac_sha256(key, &[base64(&Sha512::digest(message)).as_bytes()]),
        _ => {
            let mut parts = [key, time, nonce, message];
            parts.sort();
            Sha1::digest(parts.concat()).to_vec()
        }
    }
}

/// Gives the signed parts other ends: the time, the nonce and the message stand in another order in
/// the same text.
fn recut(parts: &mut [Vec<u8>; 3], order: u8, nonce_len: u8) -> Option<()> {
    let mut sorted = parts.clone();
    sorted.sort();
    let text = sorted.concat();
    // Half of the nonces keep their length.
    let nonce = if nonce_len < 128 { parts[1].len() } else { usize::from(nonce_len) % 33 };
    let time = parts[0].len();
    let lens = [time, nonce, text.len().checked_sub(time + nonce)?];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut rest = &text[..];
    for at in orders[usize::from(order) % 6] {
        let (part, behind) = rest.split_at(lens[at]);
        parts[at] = part.to_vec();
        rest = behind;
    }
    Some(())
}

/// A body or a query with a message.
fn written(input: &Input<'_>, kind: Kind, message: &str) -> String {
    if kind == Kind::DingTalk {
        return match input.layout % 4 {
            0 => format!(r#"{{"encrypt":"{message}"}}"#),
            1 => format!(r#" {{ "a" : [1, {{"encrypt":""}}], "\u0065ncrypt" : "{message}" }} "#),
            2 => format!(r#"{{"encrypt":"{}","b":null}}"#, message.replace('/', r"\/")),
            _ => format!(r#"{{"Encrypt":"","encrypt":"{message}"}}"#),
        };
    }
    match input.layout % 5 {
        0 => format!("<xml><Encrypt>{message}</Encrypt></xml>"),
        1 => format!(
            "<xml>\n<ToUserName><![CDATA[a]]></ToUserName>\n<Encrypt><![CDATA[{message}]]></Encrypt>\n</xml>\n"
        ),
        2 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml ><a/><Encrypt\n>{message}</Encrypt ><b>c</b></xml>"
        ),
        3 => {
            let (start, end) = message.split_at(message.len() / 2);
            format!(
                "<xml><Encrypt>{start}<![CDATA[{end}]]></Encrypt><a><![CDATA[<Encrypt>b</Encrypt>]]></a></xml>"
            )
        }
        _ => format!("<xml><a b=\"c\"/><Encrypt>{message}</Encrypt></xml>"),
    }
}

/// The query of a callback.
fn query(input: &Input<'_>, kind: Kind, tag: &str, parts: &[String; 3]) -> Vec<u8> {
    let [time, nonce, message] = parts;
    let name =
        if kind == Kind::DingTalk && input.order & 8 > 0 { "signature" } else { "msg_signature" };
    let mut pairs =
        vec![format!("{name}={tag}"), format!("timestamp={time}"), format!("nonce={nonce}")];
    if input.order & 16 > 0 {
        pairs[2] = format!("no%6ece={nonce}");
    }
    if kind == Kind::WeCom && METHODS[usize::from(input.method) % 8] == Method::GET {
        pairs.push(format!("echostr={}", message.replace('+', "%2B").replace('=', "%3d")));
    }
    if kind == Kind::WeChat {
        pairs.push("encrypt_type=aes".to_owned());
    }
    let count = pairs.len();
    pairs.rotate_left(usize::from(input.order) % count);
    pairs.join("&").into_bytes()
}

/// Puts a piece into a text, behind a delimiter or anywhere.
fn insert(text: &mut Vec<u8>, at: u16, piece: u8) {
    let places: Vec<_> = (0..text.len()).filter(|at| b"<>{,&".contains(&text[*at])).collect();
    let at = usize::from(at);
    let place = match places.get(at / 2 % places.len().max(1)) {
        Some(place) => place + at % 2,
        None => at % (text.len() + 1),
    };
    text.splice(place..place, PIECES[usize::from(piece) % PIECES.len()].bytes());
}

/// The time, the nonce and the message that are signed. The blocks of a message are unlike one another.
fn signed_parts(input: &Input<'_>) -> [Vec<u8>; 3] {
    const LETTERS: &[u8] = b"0123456789ABCXYZabcfgxyz";
    let nonce = input.nonce.iter().take(33);
    let nonce = nonce.map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect();
    let block = |at| Sha256::digest([input.seed, at])[..16].to_vec();
    let message: Vec<_> = (0..1 + input.blocks % 8).flat_map(block).collect();
    [TIMES[usize::from(input.time) % 8].into(), nonce, base64(&message).into_bytes()]
}

/// The changed request, and the parts that were signed.
fn request(input: &Input<'_>, kind: Kind) -> Option<(Parts, Vec<u8>, [Vec<u8>; 3])> {
    let signed = signed_parts(input);
    let has_change = |bit: u8| input.changes & (1 << bit) > 0;
    // Most keys are the current one.
    let key = KEYS[usize::from(input.key % 8).saturating_sub(5)];
    let mut tag = hex(&tag(kind, key, signed.each_ref().map(Vec::as_slice))).into_bytes();
    if has_change(0) {
        edit(&mut tag, &input.tag_edits);
    }
    let mut parts = signed.clone();
    if has_change(1) {
        let (order, nonce_len) = input.recut;
        recut(&mut parts, order, nonce_len)?;
    }
    let [time, nonce, message] = &parts.map(|part| String::from_utf8_lossy(&part).into_owned());
    let method = METHODS[usize::from(input.method) % 8].clone();
    let is_callback = matches!(kind, Kind::WeCom | Kind::WeChat | Kind::DingTalk);
    let tag_text = String::from_utf8_lossy(&tag).into_owned();
    let mut query_text = b"a=1".to_vec();
    let mut body = message.clone().into_bytes();
    if is_callback {
        query_text = query(input, kind, &tag_text, &[time.clone(), nonce.clone(), message.clone()]);
        let is_echo = kind == Kind::WeCom && method == Method::GET;
        body = if is_echo { vec![] } else { written(input, kind, message).into_bytes() };
    }
    if has_change(2) {
        for (is_body, at, piece) in input.insert.iter().take(4) {
            insert(if *is_body { &mut body } else { &mut query_text }, *at, *piece);
        }
    }
    if has_change(3) {
        edit(&mut query_text, &input.query_edits);
    }
    if has_change(4) {
        edit(&mut body, &input.body_edits);
    }
    if has_change(5) && has_change(6) {
        body = input.raw.to_vec();
    }
    let uri = if is_callback { [b"/?", &*query_text].concat() } else { b"/".to_vec() };
    let mut head = head(method, &uri)?;
    let mut value = tag;
    if kind == Kind::Nmi {
        value = [b"t=", nonce.as_bytes(), b",s=", &value].concat();
        if has_change(3) {
            edit(&mut value, &input.query_edits);
        }
        insert_candidates(&mut value, input.order);
    }
    if !is_callback {
        let name = if kind == Kind::Nmi { "webhook-signature" } else { "x-signature" };
        add(&mut head, name, &value)?;
    }
    for _ in 0..u8::from(has_change(6)) + u8::from(has_change(7)) {
        if let Some(media_type) = MEDIA_TYPES[usize::from(input.media_type) % 8] {
            add(&mut head, "content-type", media_type.as_bytes())?;
        }
    }
    Some((head, body, signed))
}

/// Adds signatures that are wrong, or a second nonce.
fn insert_candidates(value: &mut Vec<u8>, order: u8) {
    let other = [b",s=", "0".repeat(64).as_bytes()].concat();
    match order {
        128..200 => value.extend(other.repeat(usize::from(order % 20))),
        200..220 => value.splice(..0, [&other[1..], b","].concat()).for_each(drop),
        220..230 => value.extend(b",t=1"),
        230..240 => value.extend(b",u=1"),
        _ => {}
    }
}

/// The candidates of a request and the parts that they have to sign, by a plain reading.
fn read(kind: Kind, head: &Parts, body: &[u8]) -> Option<(Vec<Vec<u8>>, [Vec<u8>; 3])> {
    match kind {
        Kind::Nmi => nmi(head).map(|(tags, nonce)| (tags, [vec![], nonce, body.to_vec()])),
        Kind::Sha512 => {
            let value = trimmed(head.headers.get("x-signature")?.as_bytes());
            let tag = HEXLOWER_PERMISSIVE.decode(value).ok()?;
            Some((vec![tag], [vec![], vec![], body.to_vec()]))
        }
        _ => callback(kind, head, body).map(|(tag, parts)| (vec![tag], parts)),
    }
}

/// Panics if an accepted message gives other text than the signed one when it is decrypted.
fn check_message(signed: &[u8], accepted: &[u8]) {
    if signed != accepted {
        let [signed, accepted] = [signed, accepted].map(|it| BASE64.decode(it).unwrap());
        let has = |block| signed.chunks(16).any(|other| other == block);
        assert!(!accepted.chunks(16).any(has), "{accepted:?} has a block of {signed:?}");
    }
}

fn run(input: &Input<'_>) -> Option<()> {
    let index = usize::from(input.kind) % KINDS.len();
    let kind = KINDS[index];
    let (head, body, signed) = request(input, kind)?;
    let keys = &KEYS[..1 + usize::from(input.is_rotating)];
    let reading = read(kind, &head, &body);
    let expected = reading.as_ref().and_then(|(tags, parts)| {
        let parts = parts.each_ref().map(Vec::as_slice);
        keys.iter().position(|key| tags.contains(&tag(kind, key, parts)))
    });
    let verifier = &VERIFIERS[index][usize::from(input.is_rotating)];
    let verdict = verify(verifier, &head, &Bytes::from(body.clone()));
    let found = verdict.as_ref().ok().map(|verified| verified.key_index());
    let text = String::from_utf8_lossy(&body);
    assert_eq!(found, expected, "{kind:?} {head:?} {text:?} {verdict:?}");
    let verified = verdict.ok()?;
    let (_, [time, nonce, message]) = reading?;
    let is_callback = matches!(kind, Kind::WeCom | Kind::WeChat | Kind::DingTalk);
    assert_eq!(verified.body_is_signed(), !is_callback);
    assert_eq!(verified.provider(), verifier.defaults().provider());
    if is_callback {
        check_message(&signed[2], &message);
        let unit = if time.len() == 13 { 1 } else { 1000 };
        let millis = String::from_utf8(time).ok()?.parse::<u64>().ok()? * unit;
        assert_eq!(verified.signed_at(), Some(UNIX_EPOCH + Duration::from_millis(millis)));
    } else {
        assert_eq!(message, signed[2]);
        assert!(kind != Kind::Nmi || nonce == signed[1]);
    }
    Some(())
}
