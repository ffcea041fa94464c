//! A plain reading of the providers' challenges, by their index in the target `handshakes`.

use http::{Method, request::Parts};
use percent_encoding::percent_decode;

use crate::{KEYS, base64, hex, hmac_sha256, members, trimmed};

/// What the token of Meta's challenge must be.
pub const TOKEN: &str = "verify-token";
/// What a hub may ask about.
pub const TOPIC: &str = "https://a.example/feed?x=1&y=2";

/// What becomes of a request.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Answer(u16, Vec<u8>),
    /// It is the handler's.
    Handled,
    Refused,
}

use Outcome::{Answer, Handled, Refused};

/// The first parameter with this name, decoded.
fn parameter(request: &Parts, name: &str) -> Option<Vec<u8>> {
    let decode = |text: &[u8]| -> Vec<u8> {
        let blanks: Vec<u8> =
            text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&blanks).collect()
    };
    request.uri.query()?.as_bytes().split(|byte| *byte == b'&').find_map(|part| {
        if part.is_empty() {
            return None;
        }
        let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        let value = part.get(at + 1..).unwrap_or_default();
        (decode(&part[..at]) == name.as_bytes()).then(|| decode(value))
    })
}

fn is_token(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| {
        matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9') || b"-._~+/=".contains(byte)
    };
    !text.is_empty() && text.len() <= 256 && text.iter().all(is_letter)
}

fn echoed(text: &[u8]) -> Outcome {
    let is_text = !text.is_empty() && text.len() <= 256 && str::from_utf8(text).is_ok();
    if is_text { Answer(200, text.to_vec()) } else { Answer(400, vec![]) }
}

/// A text in the body; `None` also where it is there twice.
fn field(body: &[u8], path: &[&str]) -> Result<Option<String>, String> {
    let members = match members(body) {
        Ok(members) => members,
        Err(error) if error.contains("out of range") || error.contains("recursion") => {
            return Err(error);
        }
        Err(_) => return Ok(None),
    };
    let mut values = members.iter().filter(|(name, _)| name == path[0]);
    let (Some((_, value)), None) = (values.next(), values.next()) else { return Ok(None) };
    match path[1..] {
        [] => Ok(serde_json::from_str(value.get()).ok()),
        ref path => field(value.get().as_bytes(), path),
    }
}

/// An error where the plain reading does not know.
pub fn expected(
    index: usize,
    request: &Parts,
    body: &[u8],
    headers: &[&[u8]],
    is_signed: bool,
    is_marked: bool,
) -> Result<Outcome, String> {
    if index == 7 && !body.starts_with(b"{") && body.iter().any(|byte| b"{}[]<>\"".contains(byte)) {
        return Err("its beginning may be a piece of Twitch's time".to_owned());
    }
    let method = &request.method;
    let unsigned = match (index, method) {
        (0, &Method::GET) => {
            let part = |name| parameter(request, name).filter(|value| !value.is_empty());
            let parts = (part("hub.mode"), part("hub.verify_token"), part("hub.challenge"));
            Some(match parts {
                (Some(mode), Some(token), Some(challenge)) => {
                    if mode == b"subscribe" && token == TOKEN.as_bytes() {
                        echoed(&challenge)
                    } else {
                        Refused
                    }
                }
                _ => Answer(400, vec![]),
            })
        }
        (1, &Method::GET) => parameter(request, "crc_token").map(|token| {
            if !is_token(&token) {
                return Answer(400, vec![]);
            }
            let tag = base64(&hmac_sha256(KEYS[0].as_bytes(), &[&token]));
            Answer(200, format!(r#"{{"response_token":"sha256={tag}"}}"#).into_bytes())
        }),
        (2, &Method::GET) => parameter(request, "challenge").map(|text| echoed(&text)),
        (3, &Method::GET) => match headers {
            [] => None,
            [challenge] if is_token(trimmed(challenge)) => {
                let challenge = str::from_utf8(trimmed(challenge)).unwrap();
                Some(Answer(200, format!(r#"{{"verification":"{challenge}"}}"#).into_bytes()))
            }
            _ => Some(Answer(400, vec![])),
        },
        (4, &Method::POST) => parameter(request, "validationToken").map(|text| echoed(&text)),
        (8, &Method::GET) => parameter(request, "hub.mode").map(|mode| {
            if mode == b"denied" {
                return Answer(200, vec![]);
            }
            let topic = parameter(request, "hub.topic").unwrap_or_default();
            if mode != b"subscribe" || topic != TOPIC.as_bytes() {
                return Answer(404, vec![]);
            }
            echoed(&parameter(request, "hub.challenge").unwrap_or_default())
        }),
        (9, &Method::OPTIONS) => match headers {
            [] => None,
            [origin] if trimmed(origin).eq_ignore_ascii_case(b"eventgrid.azure.net") => {
                Some(Answer(200, vec![]))
            }
            [_] => Some(Answer(404, vec![])),
            _ => Some(Answer(400, vec![])),
        },
        (10, &Method::HEAD) => Some(Answer(200, vec![])),
        _ => None,
    };
    if let Some(outcome) = unsigned {
        return Ok(outcome);
    }
    let is_genuine = match index {
        // Its proof stands in the body: this target knows no right one.
        4 => false,
        1 => is_signed && !is_token(body),
        // A body that could be a challenge.
        _ => is_signed,
    };
    if !is_genuine {
        return Ok(Refused);
    }
    let is_short = body.len() <= 4096 && body.first() == Some(&b'{');
    let short = |path: &[&str]| if is_short { field(body, path) } else { Ok(None) };
    let is_post = method == Method::POST;
    let (is_challenge, challenge) = match index {
        5 => {
            (short(&["type"])?.as_deref() == Some("url_verification"), field(body, &["challenge"])?)
        }
        6 => (
            is_post && short(&["event"])?.as_deref() == Some("endpoint.url_validation"),
            field(body, &["payload", "plainToken"])?.filter(|token| is_token(token.as_bytes())),
        ),
        7 => (is_post && is_marked, field(body, &["challenge"])?),
        11 => (
            is_post && !headers.is_empty() && short(&["type"])?.as_deref() == Some("sync"),
            match headers {
                [challenge] => str::from_utf8(trimmed(challenge)).ok().map(str::to_owned),
                _ => None,
            },
        ),
        _ => (false, None),
    };
    if !is_challenge {
        return Ok(Handled);
    }
    let challenge = challenge.unwrap_or_default();
    Ok(match index {
        6 if !challenge.is_empty() => {
            let tag = hex(&hmac_sha256(KEYS[0].as_bytes(), &[challenge.as_bytes()]));
            let json = format!(r#"{{"plainToken":"{challenge}","encryptedToken":"{tag}"}}"#);
            Answer(200, json.into_bytes())
        }
        _ => echoed(challenge.as_bytes()),
    })
}
