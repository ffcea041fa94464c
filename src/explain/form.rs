//! Forms, written again in the styles of senders.
//!
//! A proxy that parses a form and writes it again keeps the names, the values and their order. The
//! characters that are escaped, and how, are those of the proxy.

#[cfg(test)]
mod tests;

/// Maximum number of bytes in a form.
const MAX_LEN: usize = 256 << 10;

/// Maximum number of texts.
const MAX_TEXTS: usize = 24;

/// Characters that are not escaped, besides letters and digits: those of URLSearchParams, Java and
/// Ruby.
const WHATWG: &str = "-._*";

/// RFC 3986, Python, Go and .NET.
const RFC_3986: &str = "-._~";

/// PHP.
const PHP: &str = "-._";

/// JavaScript's `encodeURIComponent`.
const JAVASCRIPT: &str = "-._~!'()*";

/// .NET's `HttpUtility`.
const DOT_NET: &str = "-._!()*";

/// Styles of writers, likeliest first: `true` if a space is `+`, and the characters that are not
/// escaped.
const WRITERS: [(bool, &str); 10] = [
    (true, WHATWG),
    (true, RFC_3986),
    (true, PHP),
    (false, RFC_3986),
    (false, JAVASCRIPT),
    (true, DOT_NET),
    (true, JAVASCRIPT),
    (false, PHP),
    (false, WHATWG),
    (false, DOT_NET),
];

/// Where an empty value has an `=`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Equals {
    AsReceived,
    Always,
    Never,
}

struct Pair {
    name: Vec<u8>,
    value: Vec<u8>,
    has_equals: bool,
}

/// Writes a form in the styles of senders, likeliest first, each with its style in words. Leaves out
/// the received text. Returns `None` if the body is not a form, or longer than 256 KiB.
pub(crate) fn rewrites(body: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let pairs = parse(body)?;
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for is_upper in [true, false] {
        for equals in [Equals::AsReceived, Equals::Always, Equals::Never] {
            for (plus, unescaped) in WRITERS {
                let text = write(&pairs, equals, plus, is_upper, unescaped);
                let is_new = text != body && texts.iter().all(|(_, other)| *other != text);
                if is_new && texts.len() < MAX_TEXTS {
                    texts.push((words(equals, plus, is_upper, unescaped), text));
                }
            }
        }
    }
    Some(texts)
}

fn parse(body: &[u8]) -> Option<Vec<Pair>> {
    if body.len() > MAX_LEN || !body.contains(&b'=') {
        return None;
    }
    body.split(|byte| *byte == b'&').map(pair).collect()
}

fn pair(text: &[u8]) -> Option<Pair> {
    let mut parts = text.splitn(2, |byte| *byte == b'=');
    let name = decoded(parts.next().filter(|_| !text.is_empty())?)?;
    let value = parts.next();
    Some(Pair { name, value: decoded(value.unwrap_or_default())?, has_equals: value.is_some() })
}

/// Returns the decoded bytes, or `None` if the text has a character that a form has not.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = text.iter().copied();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => return None,
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    Some(out)
}

fn write(pairs: &[Pair], equals: Equals, plus: bool, is_upper: bool, unescaped: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        out.extend((at > 0).then_some(b'&'));
        escape(&mut out, &pair.name, plus, is_upper, unescaped);
        let has_equals = match equals {
            _ if !pair.value.is_empty() => true,
            Equals::AsReceived => pair.has_equals,
            Equals::Always => true,
            Equals::Never => false,
        };
        out.extend(has_equals.then_some(b'='));
        escape(&mut out, &pair.value, plus, is_upper, unescaped);
    }
    out
}

fn escape(out: &mut Vec<u8>, bytes: &[u8], plus: bool, is_upper: bool, unescaped: &str) {
    let digits: &[u8; 16] = if is_upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let digit = |at: u8| digits.get(usize::from(at)).copied();
    for byte in bytes.iter().copied() {
        match byte {
            b' ' if plus => out.push(b'+'),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ if unescaped.as_bytes().contains(&byte) => out.push(byte),
            _ => out.extend([Some(b'%'), digit(byte >> 4), digit(byte & 0xf)].iter().flatten()),
        }
    }
}

fn words(equals: Equals, plus: bool, is_upper: bool, unescaped: &str) -> String {
    let space = if plus { "+" } else { "%20" };
    let case = if is_upper { "upper" } else { "lower" };
    let equals = match equals {
        Equals::AsReceived => "",
        Equals::Always => ", empty values with `=`",
        Equals::Never => ", empty values without `=`",
    };
    format!("a space as `{space}`, escapes in {case} case, `{unescaped}` unescaped{equals}")
}
