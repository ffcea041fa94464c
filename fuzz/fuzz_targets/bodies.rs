//! Signatures inside the body, and one of a body wrapped in JSON, held to a plain reading of the same
//! request.

#![no_main]

use std::{collections::HashMap, sync::LazyLock};

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use http::{Method, request::Parts};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};
use sha1::Sha1;
use sha2::{Digest, Sha512};
use tower_webhook::{
    Verifier,
    providers::{Adyen, BoxVerifier, Braintree, DropboxSign, Hygraph, Midtrans},
};
use tower_webhook_fuzz::{
    Edit, KEYS, NOW, add, base64, edit, head, hex, hmac_sha1, hmac_sha256, members, secret, verify,
};

const ADYEN: usize = 0;
const BRAINTREE: usize = 1;
const DROPBOX_SIGN: usize = 2;
const HYGRAPH: usize = 3;
const MIDTRANS: usize = 4;

static VERIFIERS: LazyLock<Vec<[BoxVerifier; 2]>> = LazyLock::new(|| {
    fn both<V: Verifier + Clone + 'static>(make: impl Fn(usize) -> V) -> [BoxVerifier; 2] {
        [BoxVerifier::new(make(1)), BoxVerifier::new(make(2))]
    }
    let keys = |count| (0..count).map(secret).collect::<Vec<_>>();
    let hex_keys = |count| KEYS[..count].iter().map(|key| hex(key.as_bytes())).collect::<Vec<_>>();
    vec![
        both(|count| Adyen::new(hex_keys(count)).unwrap()),
        both(|count| {
            let first = Braintree::new("k", secret(0)).unwrap();
            if count == 1 { first } else { first.key("l", secret(1)).unwrap() }
        }),
        both(|count| DropboxSign::new(keys(count)).unwrap()),
        both(|count| Hygraph::new(keys(count)).unwrap()),
        both(|count| Midtrans::new(keys(count)).unwrap()),
    ]
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: u8,
    is_rotating: bool,
    key: u8,
    texts: [&'a str; 8],
    /// Set if the second text is a number, `true` or `null` and no text.
    is_bare: u8,
    items: u8,
    swap: Option<(u8, u8)>,
    insert: Option<(u8, u8)>,
    edits: Vec<Edit>,
    raw: Option<&'a [u8]>,
    minutes: i16,
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

fn key_of(index: usize) -> &'static [u8] {
    KEYS[index].as_bytes()
}

/// Returns a text as JavaScript's `JSON.stringify` writes it.
fn stringified(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if u32::from(char) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => out.push(char),
        }
    }
    out + "\""
}

/// Returns the tag of a provider by primitives.
fn tag(provider: usize, key: &[u8], content: &[u8]) -> Vec<u8> {
    match provider {
        BRAINTREE => hmac_sha1(&Sha1::digest(key), &[content]),
        MIDTRANS => Sha512::digest([content, key].concat()).to_vec(),
        _ => hmac_sha256(key, &[content]),
    }
}

/// An object's members; `None` if one of these names stands there twice.
fn object(json: &[u8], names: &[&str]) -> Option<HashMap<String, Box<RawValue>>> {
    let members = members(json).ok()?;
    let is_once = |name: &&str| members.iter().filter(|(other, _)| other == name).count() <= 1;
    names.iter().all(is_once).then(|| members.into_iter().collect())
}

fn text(value: Option<&Box<RawValue>>) -> Option<String> {
    match serde_json::from_str(value?.get()).ok()? {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn one_of_keys(provider: usize, keys: usize, content: &[u8], found: &[u8]) -> Option<usize> {
    (0..keys).find(|index| tag(provider, key_of(*index), content) == found)
}

fn adyen(body: &[u8], keys: usize) -> Option<usize> {
    let body = object(body, &["notificationItems"])?;
    let items: Vec<Box<RawValue>> =
        serde_json::from_str(body.get("notificationItems")?.get()).ok()?;
    (1..=64).contains(&items.len()).then_some(())?;
    let mut last = 0;
    for item in items {
        let wrapper = object(item.get().as_bytes(), &["NotificationRequestItem"])?;
        let names = [
            "pspReference",
            "originalReference",
            "merchantAccountCode",
            "merchantReference",
            "amount",
            "eventCode",
            "success",
            "additionalData",
        ];
        let item = object(wrapper.get("NotificationRequestItem")?.get().as_bytes(), &names)?;
        let amount = object(item.get("amount")?.get().as_bytes(), &["value", "currency"])?;
        let data = object(item.get("additionalData")?.get().as_bytes(), &["hmacSignature"])?;
        let string = |value: Option<&Box<RawValue>>| match value.map(|value| value.get()) {
            None | Some("null") => Some(String::new()),
            Some(text) => serde_json::from_str(text).ok(),
        };
        let value = amount.get("value")?.get();
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.to_owned());
        let digits = value.strip_prefix('-').unwrap_or(&value);
        let is_integer = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        is_integer.then_some(())?;
        let success = match item.get("success")?.get() {
            "true" | "\"true\"" => "true",
            "false" | "\"false\"" => "false",
            _ => return None,
        };
        let texts = [
            string(item.get("pspReference"))?,
            string(item.get("originalReference"))?,
            string(item.get("merchantAccountCode"))?,
            string(item.get("merchantReference"))?,
            value,
            string(amount.get("currency"))?,
            string(item.get("eventCode"))?,
            success.to_owned(),
        ];
        let has_colon = |at: usize| at != 3 && texts[at].contains(':');
        (0..8).all(|at| !has_colon(at)).then_some(())?;
        let found = BASE64.decode(text(data.get("hmacSignature"))?.as_bytes()).ok()?;
        last = one_of_keys(ADYEN, keys, texts.join(":").as_bytes(), &found)?.max(last);
    }
    Some(last)
}

fn braintree(body: &[u8], keys: usize) -> Option<usize> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let decoded = |text: &[u8]| -> Vec<u8> {
        let spaced: Vec<u8> = text.iter().map(|it| if *it == b'+' { b' ' } else { *it }).collect();
        percent_encoding::percent_decode(&spaced).collect()
    };
    let pairs: Vec<_> = pairs
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            (decoded(&pair[..at]), decoded(pair.get(at + 1..).unwrap_or_default()))
        })
        .collect();
    let only = |name: &[u8]| {
        let found: Vec<_> = pairs.iter().filter(|(other, _)| other == name).collect();
        if let [(_, value)] = found[..] { Some(value.clone()) } else { None }
    };
    let payload = only(b"bt_payload").filter(|payload| !payload.is_empty())?;
    let signatures = only(b"bt_signature")?;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\n".contains(byte);
    payload.iter().all(is_base64).then_some(())?;
    let text = String::from_utf8(payload.clone()).ok()?;
    let bare = text.trim_end_matches('\n');
    let is_hex = bare.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it));
    (!is_hex || bare.len() < 20 || bare.len() > 32).then_some(())?;
    let signatures: Vec<_> = signatures.split(|byte| *byte == b'&').collect();
    let mut found = Vec::new();
    for (at, pair) in signatures.iter().enumerate() {
        let Some(bar) = pair.iter().position(|byte| *byte == b'|') else { continue };
        (at < 16).then_some(())?;
        for index in 0..keys {
            if pair[..bar] == [b"kl"[index]] {
                for payload in [payload.clone(), [&payload[..], b"\n"].concat()] {
                    let tag = tag(BRAINTREE, key_of(index), &payload);
                    if HEXLOWER_PERMISSIVE.decode(&pair[bar + 1..]).is_ok_and(|it| it == tag) {
                        found.push(index);
                    }
                }
            }
        }
    }
    found.into_iter().min()
}

fn dropbox_sign(body: &[u8], keys: usize) -> Option<usize> {
    let body = object(body, &["event"])?;
    let names = ["event_time", "event_type", "event_hash"];
    let event = object(body.get("event")?.get().as_bytes(), &names)?;
    let [time, kind, hash] = names.map(|name| text(event.get(name)));
    let (time, kind) = (time?, kind?);
    let is_time = time.len() == 10 && time.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_kind = kind.bytes().all(is_word) && kind.as_bytes()[0].is_ascii_alphabetic();
    (is_time && is_kind).then_some(())?;
    let found = HEXLOWER_PERMISSIVE.decode(hash?.as_bytes()).ok()?;
    one_of_keys(DROPBOX_SIGN, keys, (time + &kind).as_bytes(), &found)
}

fn midtrans(body: &[u8], keys: usize) -> Option<usize> {
    let names = ["order_id", "status_code", "gross_amount", "signature_key"];
    let body = object(body, &names)?;
    let [order, status, amount, signature] = names.map(|name| text(body.get(name)));
    let (order, status, amount) = (order?, status?, amount?);
    let is_status = status.len() == 3 && status.parse::<u16>().is_ok_and(|it| it / 100 <= 5);
    let is_plain = status.bytes().all(|byte| byte.is_ascii_digit()) && !status.starts_with('0');
    let (whole, decimals) = amount.split_once('.')?;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let is_amount = is_digits(whole)
        && is_digits(decimals)
        && decimals.len() == 2
        && (whole == "0" || !whole.starts_with('0'));
    (is_status && is_plain && is_amount).then_some(())?;
    let found = HEXLOWER_PERMISSIVE.decode(signature?.as_bytes()).ok()?;
    one_of_keys(MIDTRANS, keys, (order + &status + &amount).as_bytes(), &found)
}

fn hygraph(value: &[u8], body: &[u8], keys: usize) -> Option<usize> {
    let parts: Vec<_> = str::from_utf8(value).ok()?.split(", ").collect();
    let [sign, environment, time] = parts[..] else { return None };
    let found = BASE64.decode(sign.strip_prefix("sign=")?.as_bytes()).ok()?;
    let (environment, time) = (environment.strip_prefix("env=")?, time.strip_prefix("t=")?);
    let is_plain = time.bytes().all(|byte| byte.is_ascii_digit());
    let millis: i64 = time.parse().ok().filter(|_| is_plain)?;
    (millis.to_string() == time).then_some(())?;
    let age = i64::try_from(NOW * 1000).ok()?.checked_sub(millis)?;
    (-300_000..=86_400_000).contains(&age).then_some(())?;
    let content = format!(
        r#"{{"Body":{},"EnvironmentName":{},"TimeStamp":{millis}}}"#,
        stringified(str::from_utf8(body).ok()?),
        stringified(environment),
    );
    one_of_keys(HYGRAPH, keys, content.as_bytes(), &found)
}

/// Returns a request that is right where the texts are, and its body.
fn request(input: &Input<'_>, provider: usize) -> Option<(Parts, Vec<u8>)> {
    let key = key_of(usize::from(input.key) % 3);
    let quoted = |text: &str| Value::from(text).to_string();
    let mut head = head(Method::POST, b"/")?;
    let form = "application/x-www-form-urlencoded";
    let media_type = if provider == BRAINTREE { form } else { "application/json" };
    add(&mut head, "content-type", media_type.as_bytes())?;
    let [a, b, c, d, e, ..] = input.texts;
    let digits = |text: &str| text.len().to_string();
    let body = match provider {
        ADYEN => {
            let [.., f, g, h] = input.texts;
            let success = h.len() % 2 == 0;
            let item = |at: u8| {
                let value = e.len() + usize::from(at);
                let content = format!("{a}:{b}:{c}:{d}:{value}:{f}:{g}:{success}");
                let tag = base64(&tag(ADYEN, key, content.as_bytes()));
                let [a, b, c, d, f, g] = [a, b, c, d, f, g].map(quoted);
                let (b, success, value) = match input.is_bare % 4 {
                    1 => ("null".to_owned(), format!("\"{success}\""), format!("\"{value}\"")),
                    2 => (b, format!("\"{success}\""), format!("{value}.0")),
                    _ => (b, success.to_string(), value.to_string()),
                };
                format!(
                    r#"{{"NotificationRequestItem":{{"pspReference":{a},"originalReference":{b},"merchantAccountCode":{c},"merchantReference":{d},"amount":{{"value":{value},"currency":{f}}},"eventCode":{g},"success":{success},"additionalData":{{"hmacSignature":"{tag}"}}}}}}"#
                )
            };
            let items: Vec<_> = (0..1 + input.items % 3).map(item).collect();
            format!(r#"{{"live":"false","notificationItems":[{}]}}"#, items.join(","))
        }
        BRAINTREE => {
            let is_base64 = |it: &char| it.is_ascii_alphanumeric() || "+/=\n".contains(*it);
            let payload: String = a.chars().filter(is_base64).collect();
            let payload = if b.is_empty() { "20f9f8ed05f77439fe955".to_owned() } else { payload };
            let signed =
                if input.is_bare % 2 == 1 { payload.clone() + "\n" } else { payload.clone() };
            let tag = hex(&tag(BRAINTREE, key, signed.as_bytes()));
            let public = if c.len() % 2 == 0 { "k" } else { "l" };
            let escaped: String = payload.bytes().map(|byte| format!("%{byte:02x}")).collect();
            format!("bt_signature={public}%7C{tag}&bt_payload={escaped}")
        }
        DROPBOX_SIGN => {
            let time = if a.is_empty() { "1700000000".to_owned() } else { a.to_owned() };
            let kind = if b.is_empty() { "signature_request_sent" } else { b };
            let tag = hex(&tag(DROPBOX_SIGN, key, (time.clone() + kind).as_bytes()));
            let [time, kind, c] = [&*time, kind, c].map(quoted);
            format!(
                r#"{{"event":{{"event_time":{time},"event_type":{kind},"event_hash":"{tag}"}},"a":{c}}}"#
            )
        }
        HYGRAPH => {
            let environment: String = b.chars().filter(|it| (' '..='~').contains(it)).collect();
            let minutes = i64::from(input.minutes) * 60_000;
            let time = (i64::try_from(NOW * 1000).ok()? + minutes).to_string();
            let (body, name) = (stringified(a), stringified(&environment));
            let content =
                format!(r#"{{"Body":{body},"EnvironmentName":{name},"TimeStamp":{time}}}"#);
            let tag = base64(&tag(HYGRAPH, key, content.as_bytes()));
            let mut value = format!("sign={tag}, env={environment}, t={time}").into_bytes();
            // The edits of the body are those of the header, half of the time.
            if input.items % 2 == 1 {
                edit(&mut value, &input.edits);
            }
            add(&mut head, "gcms-signature", &value)?;
            a.to_owned()
        }
        _ => {
            let status = if b.is_empty() { "200".to_owned() } else { digits(b) + c };
            let amount =
                if d.is_empty() { "15000.00".to_owned() } else { format!("{}{d}", d.len()) };
            let tag = hex(&tag(MIDTRANS, key, format!("{a}{status}{amount}").as_bytes()));
            let [a, status, amount] = [a, &*status, &*amount].map(quoted);
            format!(
                r#"{{"order_id":{a},"status_code":{status},"gross_amount":{amount},"signature_key":"{tag}"}}"#
            )
        }
    };
    Some((head, body.into_bytes()))
}

const INSERTS: [&str; 8] = [
    r#""hmacSignature":"","#,
    r#""event_hash":"","#,
    r#""order_id":"1","#,
    r#""notificationItems":[],"#,
    r#""success":true,"#,
    "bt_payload=YQ&",
    " ",
    r#"\u0065"#,
];

fn run(input: &Input<'_>) -> Option<()> {
    let provider = usize::from(input.provider) % VERIFIERS.len();
    let (head, mut body) = request(input, provider)?;
    if let Some((which, at)) = input.insert {
        // Behind a brace or a comma, where another member can stand.
        let places: Vec<_> = (0..body.len()).filter(|at| b"{,&".contains(&body[*at])).collect();
        if let Some(place) = places.get(usize::from(at) % places.len().max(1)) {
            let text = INSERTS[usize::from(which) % INSERTS.len()];
            body.splice(place + 1..=*place, text.bytes());
        }
    }
    if let Some((from, to)) = input.swap
        && !body.is_empty()
    {
        let len = body.len();
        body.swap(usize::from(from) % len, usize::from(to) % len);
    }
    if provider != HYGRAPH || input.items % 2 == 0 {
        edit(&mut body, &input.edits);
    }
    if let Some(raw) = input.raw {
        body = raw.to_vec();
    }
    let keys = 1 + usize::from(input.is_rotating);
    let expected = match provider {
        ADYEN => adyen(&body, keys),
        BRAINTREE => braintree(&body, keys),
        DROPBOX_SIGN => dropbox_sign(&body, keys),
        HYGRAPH => {
            let value = head.headers.get("gcms-signature")?.as_bytes();
            hygraph(tower_webhook_fuzz::trimmed(value), &body, keys)
        }
        _ => midtrans(&body, keys),
    };
    let verifier = &VERIFIERS[provider][usize::from(input.is_rotating)];
    let body = Bytes::from(body);
    let verdict = verify(verifier, &head, &body);
    let found = verdict.as_ref().ok().map(|verified| verified.key_index());
    assert_eq!(found, expected, "{provider} {head:?} {body:?} {verdict:?}");
    Some(())
}
