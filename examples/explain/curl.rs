//! Requests as `curl` lines, quoted for Bash. Variables and commands in a line are not expanded.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Result,
    saved::{Saved, header},
};

/// Options of `curl` with a value, of one letter. `-G` has none: it is one of `FORMING`.
const SHORT: &[u8] = b"AbcCdDeEFGHKmoPQrtTuUwxXyYz";

/// Other options of `curl` with a value.
const LONG: &str = "--aws-sigv4 --cacert --capath --cert --ciphers --connect-timeout --connect-to \
    --cookie --cookie-jar --data --data-ascii --data-binary --data-raw --dump-header --header \
    --interface --json --key --limit-rate --max-redirs --max-time --noproxy --oauth2-bearer --output \
    --proxy --proxy-header --proxy-user --range --referer --request --request-target --resolve \
    --retry --retry-delay --retry-max-time --socks5 --socks5-hostname --stderr --tls-max --trace \
    --trace-ascii --unix-socket --url --user --user-agent --write-out";

/// Options of `curl` that form a body or a URL which the line does not show.
const FORMING: &str =
    "-F --form --form-string --data-urlencode -T --upload-file -G --get --url-query -K --config";

/// Parses the first command of the text.
pub(super) fn parse(text: &[u8]) -> Result<Saved> {
    let mut words = words(text)?.into_iter().skip(1);
    let (mut saved, mut urls, mut method) = (Saved::default(), Vec::new(), None);
    let (mut body, mut is_json) = (None::<Vec<u8>>, false);
    while let Some(word) = words.next() {
        let Some((name, attached)) = option(&word) else {
            urls.push(word);
            continue;
        };
        if FORMING.split(' ').any(|it| it == name) {
            Err(format!("the `curl` line has {name}, which does not show what is sent"))?;
        }
        if attached.is_none() {
            continue;
        }
        let value = attached.filter(|it| !it.is_empty()).map(<[u8]>::to_vec);
        let value = value.or_else(|| words.next());
        let value = value.ok_or_else(|| format!("{name} of the `curl` line has no value"))?;
        match &*name {
            "-X" | "--request" => method = Some(value),
            "--url" => urls.insert(0, value),
            "-u" | "--user" => {
                let value = format!("Basic {}", STANDARD.encode(value));
                saved.headers.push((b"authorization".to_vec(), value.into()));
            }
            "-H" | "--header" => match value.strip_suffix(b";").filter(|it| !it.contains(&b':')) {
                Some(name) => saved.headers.push((name.to_vec(), Vec::new())),
                None => saved.headers.extend(Some(header(&value)?).filter(|it| !it.1.is_empty())),
            },
            "-d" | "--data" | "--data-ascii" | "--data-binary" | "--data-raw" | "--json" => {
                if value.starts_with(b"@") && name != "--data-raw" {
                    Err(format!("{name} of the `curl` line has the name of a file, not a body"))?;
                }
                is_json |= name == "--json";
                let joint: &[u8] = if body.is_some() && name != "--json" { b"&" } else { b"" };
                body.get_or_insert_default().extend([joint, &value].concat());
            }
            _ => {}
        }
    }
    let is_url = |word: &&Vec<u8>| word.windows(3).any(|part| part == b"://");
    let url = urls.iter().find(is_url).or(urls.first()).ok_or("the `curl` line has no URL")?;
    saved.url = if is_url(&url) { url.clone() } else { [b"http://", &url[..]].concat() };
    let usual: &[u8] = if body.is_some() { b"POST" } else { b"GET" };
    saved.method = method.unwrap_or_else(|| usual.to_vec());
    if body.is_some() {
        let form = "application/x-www-form-urlencoded";
        saved.set_default("content-type", if is_json { "application/json" } else { form });
    }
    saved.body = body.unwrap_or_default();
    Ok(saved)
}

/// Returns the name of an option, and for one with a value what is attached to it, as in `-XPOST`.
fn option(word: &[u8]) -> Option<(String, Option<&[u8]>)> {
    let [b'-', letters @ ..] = word else { return None };
    let at = letters.iter().position(|letter| SHORT.contains(letter));
    if let Some(at) = at.filter(|_| !letters.starts_with(b"-")) {
        return Some((format!("-{}", char::from(letters[at])), letters.get(at + 1..)));
    }
    let name = String::from_utf8_lossy(word).into_owned();
    let takes_value = LONG.split(' ').any(|it| it == name);
    Some((name, takes_value.then_some(&[])))
}

/// Splits the first command of the text into words, as Bash does.
fn words(mut rest: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word = None::<Vec<u8>>;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            // A line that begins with an option continues the command, even without a backslash.
            b'\n' if !rest.trim_ascii_start().starts_with(b"-") => break,
            b' ' | b'\t' | b'\r' | b'\n' => words.extend(word.take()),
            b';' | b'|' | b'&' => break,
            b'^' if matches!(rest.first(), Some(b'"' | b'\r' | b'\n')) => {
                Err("the `curl` line is quoted for cmd; copy the one for Bash")?;
            }
            b'\'' => rest = quoted(rest, b'\'', literal, word.get_or_insert_default())?,
            b'"' => rest = quoted(rest, b'"', in_double_quotes, word.get_or_insert_default())?,
            b'$' if rest.first() == Some(&b'\'') => {
                let quote = rest.get(1..).unwrap_or_default();
                rest = quoted(quote, b'\'', ansi_c, word.get_or_insert_default())?;
            }
            b'\\' => match rest {
                [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] => rest = after,
                [byte, after @ ..] => {
                    word.get_or_insert_default().push(*byte);
                    rest = after;
                }
                [] => {}
            },
            byte => word.get_or_insert_default().push(*byte),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads what follows a backslash into a word, and returns the rest.
type Escape = for<'a> fn(&'a [u8], &mut Vec<u8>) -> Result<&'a [u8]>;

/// Reads up to the closing quotation mark into a word, and returns the rest.
fn quoted<'a>(
    mut rest: &'a [u8],
    quote: u8,
    escape: Escape,
    word: &mut Vec<u8>,
) -> Result<&'a [u8]> {
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            byte if *byte == quote => return Ok(after),
            b'\\' => escape(after, word)?,
            byte => {
                word.push(*byte);
                after
            }
        };
    }
    Err("a quotation mark of the `curl` line is not closed".into())
}

fn literal<'a>(rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8]> {
    word.push(b'\\');
    Ok(rest)
}

fn in_double_quotes<'a>(rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8]> {
    match rest {
        [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] => Ok(after),
        [byte @ (b'"' | b'\\' | b'$' | b'`'), after @ ..] => {
            word.push(*byte);
            Ok(after)
        }
        _ => literal(rest, word),
    }
}

fn ansi_c<'a>(rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8]> {
    let Some((kind, after)) = rest.split_first() else { return Ok(rest) };
    word.push(match kind {
        b'a' => 7,
        b'b' => 8,
        b'e' | b'E' => 27,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' | b'\'' | b'"' | b'?' => *kind,
        b'0'..=b'7' => return byte(rest, 8, 3, word),
        b'x' => return byte(after, 16, 2, word),
        b'u' => return unicode(after, 4, word),
        b'U' => return unicode(after, 8, word),
        _ => return literal(rest, word),
    });
    Ok(after)
}

/// Reads a number of at least one digit.
fn number(rest: &[u8], radix: u32, max_digits: usize) -> Result<(u32, &[u8])> {
    let digit = |byte: &u8| char::from(*byte).to_digit(radix);
    let len = rest.iter().take(max_digits).take_while(|byte| digit(byte).is_some()).count();
    let (digits, rest) = rest.split_at(len);
    let value = digits.iter().filter_map(digit).fold(0, |value, digit| value * radix + digit);
    if len == 0 {
        Err("an escape of the `curl` line has no digits".into())
    } else {
        Ok((value, rest))
    }
}

fn byte<'a>(rest: &'a [u8], radix: u32, max: usize, word: &mut Vec<u8>) -> Result<&'a [u8]> {
    let (value, rest) = number(rest, radix, max)?;
    word.push(value.to_le_bytes()[0]);
    Ok(rest)
}

/// Reads a character. Browsers write those beyond U+FFFF as two surrogates.
fn unicode<'a>(rest: &'a [u8], max: usize, word: &mut Vec<u8>) -> Result<&'a [u8]> {
    let (mut value, mut rest) = number(rest, 16, max)?;
    let second = rest.strip_prefix(b"\\u").filter(|_| (0xd800..0xdc00).contains(&value));
    if let Some(second) = second
        && let (low @ 0xdc00..0xe000, after) = number(second, 16, 4)?
    {
        value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
        rest = after;
    }
    let char = char::from_u32(value).ok_or("an escape of the `curl` line is not a character")?;
    word.extend(char.encode_utf8(&mut [0; 4]).bytes());
    Ok(rest)
}
