//! A plain reading of callbacks with an encrypted message, and of the header of NMI's gateway.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use http::{Method, request::Parts};
use percent_encoding::percent_decode;

use crate::{NOW, members, trimmed};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    WeCom,
    WeChat,
    DingTalk,
    Nmi,
    Sha512,
}

fn percent(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|it| if *it == b'+' { b' ' } else { *it }).collect();
    percent_decode(&spaced).collect()
}

/// The decoded pairs of a query.
fn pairs(head: &Parts) -> Vec<(Vec<u8>, Vec<u8>)> {
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        (percent(&pair[..at]), percent(pair.get(at + 1..).unwrap_or_default()))
    });
    pairs.collect()
}

/// The value of the only parameter of this name, which is not blank.
fn only(pairs: &[(Vec<u8>, Vec<u8>)], name: &str) -> Option<Vec<u8>> {
    let found: Vec<_> = pairs.iter().filter(|(other, _)| other == name.as_bytes()).collect();
    let [(_, value)] = found[..] else { return None };
    (!value.is_empty()).then(|| value.clone())
}

/// The media type; `None` for several headers.
fn media_type(head: &Parts) -> Option<Vec<u8>> {
    let values: Vec<_> = head.headers.get_all("content-type").iter().collect();
    let value = values.first().map_or(&b""[..], |value| value.as_bytes());
    let name = value.split(|byte| *byte == b';').next().unwrap_or_default();
    (values.len() < 2).then(|| name.trim_ascii().to_ascii_lowercase())
}

/// Reads the charsets of the media type, and returns `true` if all of them read ASCII as UTF-8 does.
fn is_ascii(head: &Parts) -> bool {
    let value = head.headers.get("content-type").map_or(&b""[..], |value| value.as_bytes());
    let lower = value.to_ascii_lowercase();
    let pairs = lower.split(|byte| *byte == b';').skip(1).map(|parameter| {
        let at = parameter.iter().position(|byte| *byte == b'=').unwrap_or(parameter.len());
        (&parameter[..at], parameter.get(at + 1..).unwrap_or_default())
    });
    let mut charsets = pairs.filter(|(name, _)| name.trim_ascii() == b"charset");
    charsets.all(|(_, charset)| {
        let charset = charset.trim_ascii();
        let names = ["utf-8", "us-ascii", "iso-8859-1"];
        let quoted = names.map(|name| format!("\"{name}\""));
        let is = |name: &str| charset == name.as_bytes();
        names.iter().any(|name| is(name)) || quoted.iter().any(|name| is(name))
    })
}

/// The rest of a text after blanks, as XML has them.
fn blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// A start tag: its name, its end `/`, and the text after it. A `>` in quotes does not end a tag.
fn start_tag(text: &str) -> Option<(&str, bool, &str)> {
    let text = text.strip_prefix('<').filter(|text| !text.starts_with(['!', '?', '/']))?;
    let mut quote = None;
    let end = text.char_indices().find_map(|(at, char)| {
        match (quote, char) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            _ => {}
        }
        None
    })?;
    let (inner, rest) = (&text[..end], &text[end + 1..]);
    let bare = inner.strip_suffix('/');
    let name = bare.unwrap_or(inner);
    let blank = name.find([' ', '\t', '\r', '\n']).unwrap_or(name.len());
    let is_plain = name[blank..].trim_ascii().is_empty() && !name[..blank].contains(':');
    is_plain.then_some((&name[..blank], bare.is_some(), rest))
}

/// The text after an end tag of this name.
fn end_tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (tag, rest) = text.strip_prefix("</")?.split_once('>')?;
    (tag.trim_end_matches([' ', '\t', '\r', '\n']) == name).then_some(rest)
}

/// The text of an element, without the marks of CDATA, and the text after it.
fn content(mut text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    loop {
        let at = text.find('<')?;
        (!text[..at].contains('&')).then_some(())?;
        content.push_str(&text[..at]);
        text = &text[at..];
        let Some(data) = text.strip_prefix("<![CDATA[") else { return Some((content, text)) };
        let (data, rest) = data.split_once("]]>")?;
        content.push_str(data);
        text = rest;
    }
}

/// The text after a declaration of XML 1.0 in UTF-8, or the whole text.
fn after_declaration(text: &str) -> Option<&str> {
    let Some(rest) = text.strip_prefix("<?xml") else { return Some(text) };
    let (declaration, rest) = rest.split_once("?>")?;
    let words: Vec<_> = declaration.split_ascii_whitespace().collect();
    let words: Vec<_> = words.iter().map(|it| it.replace('\'', "\"")).collect();
    let (version, others) = words.split_first()?;
    let is_other = |word: &String| match word.split_once('=') {
        Some(("encoding", value)) => value.to_lowercase() == "\"utf-8\"",
        Some(("standalone", value)) => value == "\"yes\"" || value == "\"no\"",
        _ => false,
    };
    let is_apart = declaration.starts_with([' ', '\t', '\r', '\n']);
    (is_apart && version == "version=\"1.0\"" && others.iter().all(is_other)).then_some(rest)
}

/// Returns `true` for a name of ASCII without a prefix that XML allows.
fn is_name(name: &str) -> bool {
    let is_letter = |char: char| char.is_ascii_alphabetic() || char == '_';
    name.starts_with(is_letter)
        && name.chars().all(|char| is_letter(char) || char.is_ascii_digit() || "-.".contains(char))
}

/// The only `Encrypt` of a flat document.
fn encrypted(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?;
    let is_bad =
        |char: char| (char < ' ' && !"\t\r\n".contains(char)) || "\u{fffe}\u{ffff}".contains(char);
    (!text.chars().any(is_bad)).then_some(())?;
    (text.matches("]]>").count() == text.matches("<![CDATA[").count()).then_some(())?;
    let ("xml", false, mut text) = start_tag(blanks(after_declaration(text)?))? else {
        return None;
    };
    let mut found = None;
    loop {
        text = blanks(text);
        if let Some(rest) = end_tag(text, "xml") {
            return blanks(rest).is_empty().then_some(found)?;
        }
        let (name, is_empty, rest) = start_tag(text)?;
        is_name(name).then_some(())?;
        text = rest;
        if is_empty {
            (!name.eq_ignore_ascii_case("encrypt")).then_some(())?;
            continue;
        }
        let (value, rest) = content(text)?;
        text = end_tag(rest, name)?;
        if name == "Encrypt" {
            found.is_none().then_some(())?;
            found = Some(value);
        } else {
            (!name.eq_ignore_ascii_case("encrypt")).then_some(())?;
        }
    }
}

/// The signature, the time, the nonce and the message of a callback.
pub fn callback(kind: Kind, head: &Parts, body: &[u8]) -> Option<(Vec<u8>, [Vec<u8>; 3])> {
    let query = pairs(head);
    let has = |name: &str| query.iter().any(|(other, _)| other == name.as_bytes());
    let is_other = kind == Kind::DingTalk && !has("msg_signature") && has("signature");
    let name = if is_other { "signature" } else { "msg_signature" };
    let tag = HEXLOWER_PERMISSIVE.decode(&only(&query, name)?).ok()?;
    if kind == Kind::WeChat {
        (only(&query, "encrypt_type")? == b"aes").then_some(())?;
    }
    let (time, nonce) = (only(&query, "timestamp")?, only(&query, "nonce")?);
    let is_number = time.iter().all(u8::is_ascii_digit) && time[0] != b'0';
    let number: u64 = str::from_utf8(&time).ok().filter(|_| is_number)?.parse().ok()?;
    let unit = match time.len() {
        10 => 1,
        13 if kind == Kind::DingTalk => 1000,
        _ => return None,
    };
    (number.abs_diff(NOW * unit) <= 300 * unit).then_some(())?;
    (nonce.len() <= 32 && nonce.iter().all(u8::is_ascii_alphanumeric)).then_some(())?;
    let media_type = || media_type(head);
    let message = if kind == Kind::DingTalk {
        let is_json = media_type()? == b"application/json";
        (is_json || !head.headers.contains_key("content-type")).then_some(())?;
        is_ascii(head).then_some(())?;
        let members = members(body).ok()?.into_iter();
        let values: Vec<_> = members.filter(|(name, _)| name == "encrypt").collect();
        let [(_, value)] = &values[..] else { return None };
        serde_json::from_str::<String>(value.get()).ok()?.into_bytes()
    } else if kind == Kind::WeCom && head.method == Method::GET {
        body.is_empty().then(|| only(&query, "echostr"))??
    } else {
        let is_xml = [&b""[..], b"text/xml", b"application/xml"].contains(&&*media_type()?);
        let is_absent = !head.headers.contains_key("content-type");
        (head.method == Method::POST && is_xml && (is_absent || !media_type()?.is_empty()))
            .then_some(())?;
        is_ascii(head).then_some(())?;
        encrypted(body)?.into_bytes()
    };
    let blocks = BASE64.decode(&message).ok()?;
    // The decoder takes several texts with padding for one.
    (BASE64.encode(&blocks).into_bytes() == message).then_some(())?;
    (!blocks.is_empty() && blocks.len().is_multiple_of(16)).then_some(())?;
    Some((tag, [time, nonce, message]))
}

/// The candidates and the nonce of NMI's header.
pub fn nmi(head: &Parts) -> Option<(Vec<Vec<u8>>, Vec<u8>)> {
    let values: Vec<_> = head.headers.get_all("webhook-signature").iter().collect();
    let [value] = values[..] else { return None };
    let items: Vec<_> = trimmed(value.as_bytes()).split(|byte| *byte == b',').collect();
    let named = |name: &[u8]| -> Vec<&[u8]> {
        items.iter().filter_map(|item| item.strip_prefix(name)).collect()
    };
    let (times, tags) = (named(b"t="), named(b"s="));
    let [nonce] = times[..] else { return None };
    (tags.len() <= 16 && !nonce.contains(&b'.')).then_some(())?;
    let tags = tags.into_iter().filter_map(|tag| HEXLOWER_PERMISSIVE.decode(tag).ok());
    Some((tags.collect(), nonce.to_vec()))
}
