//! JSON Web Tokens under a secret, held to a plain reading of the same request.

#![no_main]

use std::{sync::LazyLock, time::Duration};

use arbitrary::Arbitrary;
use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use http::Method;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower_webhook::{
    PublicUrl, Verifier,
    providers::{FusionAuth, LiveKit, MessageBird, Monday, Netlify, Upstash, Vonage},
    scheme::Tolerance,
};
use tower_webhook_fuzz::{
    Edit, KEYS, NOW, add, edit, head, hmac_sha256, hmac_sha384, hmac_sha512, members, secret,
    trimmed, verify,
};

const URL: &str = "https://example.com/hook?a=1";
const LEEWAY: i64 = 7;
const AGE: i64 = 300;

struct Verifiers {
    fusionauth: FusionAuth,
    livekit: LiveKit,
    messagebird: MessageBird,
    monday: Monday,
    netlify: Netlify,
    upstash: Upstash,
    vonage: Vonage,
}

static VERIFIERS: LazyLock<Verifiers> = LazyLock::new(|| {
    let keys = || vec![secret(0), secret(1)];
    let url = || PublicUrl::fixed(URL).unwrap();
    let leeway = Duration::from_secs(LEEWAY.unsigned_abs());
    Verifiers {
        fusionauth: FusionAuth::new(keys()).unwrap(),
        livekit: LiveKit::new("key", keys()).unwrap().leeway(leeway),
        messagebird: MessageBird::new(keys(), url()).unwrap().leeway(leeway),
        monday: Monday::new(keys(), url()).unwrap().leeway(leeway),
        netlify: Netlify::new(keys()).unwrap(),
        upstash: Upstash::new(keys(), url()).unwrap().leeway(leeway),
        vonage: Vonage::new(keys()).unwrap().tolerance(Tolerance::seconds(AGE.unsigned_abs())),
    }
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    provider: u8,
    /// The key that signs, and the algorithm that does.
    key: u8,
    algorithm: u8,
    header: Option<&'a str>,
    claims: Vec<Claim<'a>>,
    /// Set if the claims that are right come first, without this one.
    right: Option<u8>,
    edits: Vec<Edit>,
    prefix: u8,
    body: &'a [u8],
    changed_body: Option<&'a [u8]>,
    is_get: bool,
}

#[derive(Arbitrary, Debug)]
struct Claim<'a> {
    name: u8,
    value: Content<'a>,
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    Right,
    Time(i16),
    Raw(&'a str),
    Text(&'a str),
    Empty,
    Padded,
}

fuzz_target!(|input: Input<'_>| {
    let _ = run(&input);
});

/// Place and claims of a provider's tokens.
struct Provider {
    header: &'static str,
    prefix: &'static str,
    issuer: Option<&'static str>,
    body: Option<(&'static str, char)>,
    url: Option<(&'static str, bool)>,
    times: &'static [&'static str],
    has_id: bool,
    has_all_algorithms: bool,
}

const fn provider(index: usize) -> Provider {
    let none = Provider {
        header: "authorization",
        prefix: "",
        issuer: None,
        body: None,
        url: None,
        times: &[],
        has_id: false,
        has_all_algorithms: false,
    };
    match index {
        0 => Provider {
            header: "x-fusionauth-signature-jwt",
            body: Some(("request_body_sha256", 'b')),
            has_all_algorithms: true,
            ..none
        },
        1 => Provider {
            issuer: Some("key"),
            body: Some(("sha256", 'b')),
            times: &["nbf", "exp"],
            ..none
        },
        2 => Provider {
            header: "messagebird-signature-jwt",
            issuer: Some("MessageBird"),
            body: Some(("payload_hash", 'h')),
            url: Some(("url_hash", true)),
            times: &["nbf", "exp"],
            has_id: true,
            has_all_algorithms: true,
            ..none
        },
        3 => Provider { url: Some(("aud", false)), times: &["exp"], ..none },
        4 => Provider {
            header: "x-webhook-signature",
            issuer: Some("netlify"),
            body: Some(("sha256", 'h')),
            ..none
        },
        5 => Provider {
            header: "upstash-signature",
            issuer: Some("Upstash"),
            body: Some(("body", 'u')),
            url: Some(("sub", false)),
            times: &["nbf", "exp"],
            has_id: true,
            ..none
        },
        _ => Provider {
            prefix: "Bearer ",
            issuer: Some("Vonage"),
            body: Some(("payload_hash", 'h')),
            times: &["iat"],
            has_id: true,
            ..none
        },
    }
}

const NAMES: [&str; 13] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sha256",
    "payload_hash",
    "url_hash",
    "request_body_sha256",
    "body",
    "x\\u0079z",
];
const HEADERS: [&str; 8] = [
    r#"{"alg":"HS256"}"#,
    r#"{"alg":"HS384"}"#,
    r#"{"alg":"HS512"}"#,
    r#"{"alg":"none"}"#,
    r#"{"alg":"RS256"}"#,
    r#"{"alg":"HS256","crit":["b64"]}"#,
    r#"{"typ":"JWT","kid":"1","alg":"HS256"}"#,
    r#"{"alg":"HS256","alg":"HS512"}"#,
];

fn hash(encoding: char, content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    match encoding {
        'b' => BASE64.encode(&digest),
        'h' => HEXLOWER_PERMISSIVE.encode(&digest),
        _ => BASE64URL_NOPAD.encode(&digest),
    }
}

/// Returns the right value of a claim as JSON.
fn right(of: &Provider, name: &str, body: &[u8]) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    match (name, of.body, of.url) {
        ("iss", ..) => quoted(of.issuer.unwrap_or("any")),
        ("exp", ..) => (NOW + 60).to_string(),
        ("iat" | "nbf", ..) => NOW.to_string(),
        (_, Some((claim, encoding)), _) if claim == name => quoted(&hash(encoding, body)),
        (_, _, Some((claim, true))) if claim == name => quoted(&hash('h', URL.as_bytes())),
        (_, _, Some((claim, false))) if claim == name => quoted(URL),
        _ => quoted("1"),
    }
}

fn sign(algorithm: usize, key: &[u8], message: &[u8]) -> Vec<u8> {
    match algorithm {
        0 => hmac_sha256(key, &[message]),
        1 => hmac_sha384(key, &[message]),
        _ => hmac_sha512(key, &[message]),
    }
}

fn run(input: &Input<'_>) -> Option<()> {
    let index = usize::from(input.provider) % 7;
    let of = provider(index);
    let mut claims = Vec::new();
    if let Some(without) = input.right {
        let names = NAMES.iter().take(12).enumerate();
        let names = names.filter(|(at, _)| *at != usize::from(without) % 16);
        claims
            .extend(names.map(|(_, name)| format!("\"{name}\":{}", right(&of, name, input.body))));
    }
    for claim in input.claims.iter().take(16) {
        let name = NAMES[usize::from(claim.name) % NAMES.len()];
        let value = match claim.value {
            Content::Right => right(&of, name, input.body),
            Content::Time(off) => NOW.checked_add_signed(off.into())?.to_string(),
            Content::Raw(text) => text.to_owned(),
            Content::Text(text) => Value::from(text).to_string(),
            Content::Empty => "\"\"".to_owned(),
            Content::Padded => right(&of, name, input.body).replacen("\"", "", 1).replace('"', "="),
        };
        claims.push(format!("\"{name}\":{value}"));
    }
    let claims = format!("{{{}}}", claims.join(","));
    let algorithm = usize::from(input.algorithm) % HEADERS.len();
    let header = input.header.unwrap_or(HEADERS[algorithm]);
    let encode = |text: &[u8]| BASE64URL_NOPAD.encode(text);
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let key = KEYS[usize::from(input.key) % 3].as_bytes();
    let signature = sign(if algorithm > 2 { 0 } else { algorithm }, key, message.as_bytes());
    let mut token = format!("{message}.{}", encode(&signature)).into_bytes();
    edit(&mut token, &input.edits);
    let prefix = ["", "Bearer ", "bearer  ", "Basic "][usize::from(input.prefix) % 4];
    let value = [prefix.as_bytes(), &token].concat();

    if has_keys(&token) || has_large_number(&token) {
        return None;
    }
    let method = if input.is_get { Method::GET } else { Method::POST };
    let mut head = head(method, b"/hook?a=1")?;
    add(&mut head, of.header, &value)?;
    let body = Bytes::copy_from_slice(input.changed_body.unwrap_or(input.body));
    let expected = expected(&of, index, &value, &body, input.is_get);
    let judged = judge(index, &head, &body);
    assert_eq!(judged.is_ok(), expected.is_some(), "{} {claims} {header} {judged:?}", of.header);
    if let Ok(verified) = judged {
        assert_eq!(verified.body_is_signed(), of.body.is_some());
        assert_eq!(verified.replay_key().is_some(), of.body.is_some());
        assert_eq!(Some(verified.key_index()), expected);
    }
    Some(())
}

fn judge(
    index: usize,
    head: &http::request::Parts,
    body: &Bytes,
) -> Result<tower_webhook::Verified, tower_webhook::Rejection> {
    fn of(
        verifier: &impl Verifier,
        head: &http::request::Parts,
        body: &Bytes,
    ) -> Result<tower_webhook::Verified, tower_webhook::Rejection> {
        verify(verifier, head, body)
    }
    let all = &*VERIFIERS;
    match index {
        0 => of(&all.fusionauth, head, body),
        1 => of(&all.livekit, head, body),
        2 => of(&all.messagebird, head, body),
        3 => of(&all.monday, head, body),
        4 => of(&all.netlify, head, body),
        5 => of(&all.upstash, head, body),
        _ => of(&all.vonage, head, body),
    }
}

/// Returns the key of an authentic request, by a plain reading.
fn expected(of: &Provider, index: usize, value: &[u8], body: &[u8], is_get: bool) -> Option<usize> {
    if value.len() > 8192 {
        return None;
    }
    let value = trimmed(value);
    let token = match of.prefix {
        "" => value,
        prefix => {
            let (scheme, rest) = value.split_at_checked(prefix.len())?;
            if !scheme.eq_ignore_ascii_case(prefix.as_bytes()) {
                return None;
            }
            rest.trim_ascii_start()
        }
    };
    let parts: Vec<_> = token.split(|byte| *byte == b'.').collect();
    let [header, claims, signature] = parts[..] else { return None };
    let decoded_header = BASE64URL_NOPAD.decode(header).ok()?;
    let header_members = members(&decoded_header).ok()?;
    let algorithms: Vec<_> = header_members.iter().filter(|(name, _)| name == "alg").collect();
    let [(_, named)] = algorithms[..] else { return None };
    let named: String = serde_json::from_str(named.get()).ok()?;
    let algorithm = ["HS256", "HS384", "HS512"].iter().position(|known| *known == named)?;
    if algorithm > 0 && !of.has_all_algorithms {
        return None;
    }
    let is_critical = |(name, value): &(String, Box<serde_json::value::RawValue>)| {
        name == "crit" && value.get() != "null"
    };
    if header_members.iter().any(is_critical) || !is_jose(&header_members) {
        return None;
    }
    let message = &token[..header.len() + 1 + claims.len()];
    let signature = BASE64URL_NOPAD.decode(signature).ok()?;
    let key =
        KEYS[..2].iter().position(|key| sign(algorithm, key.as_bytes(), message) == signature)?;
    let decoded = BASE64URL_NOPAD.decode(claims).ok()?;
    let claims = Claims(members(&decoded).ok()?);

    if let Some(issuer) = of.issuer
        && claims.text("iss").ok()?? != issuer
    {
        return None;
    }
    match of.url {
        Some((name, false)) if claims.text(name).ok()?? != URL => return None,
        Some((name, true)) => {
            let claimed = HEXLOWER_PERMISSIVE.decode(claims.text(name).ok()??.as_bytes()).ok()?;
            if claimed != *Sha256::digest(URL) {
                return None;
            }
        }
        _ => {}
    }
    if of.has_id && claims.text("jti").ok()??.is_empty() {
        return None;
    }
    let now = i64::try_from(NOW).unwrap();
    // The leeway of those that set none.
    let leeway = if [1, 2, 3, 5].contains(&index) { LEEWAY } else { 10 };
    let [issued, begin, end] = ["iat", "nbf", "exp"].map(|name| claims.time(name));
    let (issued, begin, end) = (issued.ok()?, begin.ok()?, end.ok()?);
    let is_there = |name: &&str| match *name {
        "iat" => issued.is_some(),
        "nbf" => begin.is_some(),
        _ => end.is_some(),
    };
    let is_late = end.is_some_and(|end| now > end + leeway);
    let is_early = begin.is_some_and(|begin| now < begin - leeway);
    let is_old = index == 6 && issued.is_some_and(|issued| (now - issued).abs() > AGE);
    if !of.times.iter().all(|name| is_there(name)) || is_late || is_early || is_old {
        return None;
    }
    let Some((name, encoding)) = of.body else { return Some(key) };
    let claimed = claims.text(name).ok()?.filter(|text| !text.is_empty());
    if index == 2 && (body.is_empty() != claimed.is_none()) {
        return None;
    }
    let Some(claimed) = claimed else { return (index == 2).then_some(key) };
    let claimed = match encoding {
        'b' => BASE64.decode(claimed.as_bytes()).ok()?,
        'h' => HEXLOWER_PERMISSIVE.decode(claimed.as_bytes()).ok()?,
        _ => {
            let bare = claimed.strip_suffix('=').unwrap_or(&claimed);
            BASE64URL_NOPAD.decode(bare.as_bytes()).ok()?
        }
    };
    let signed = match (index, is_get) {
        (6, true) if !body.is_empty() => return None,
        (6, true) => br#"{"a":"1"}"#,
        _ => body,
    };
    (claimed == *Sha256::digest(signed)).then_some(key)
}

/// Returns `true` if the header may have a key, whose form is not read here.
fn has_keys(token: &[u8]) -> bool {
    let header = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let header = BASE64URL_NOPAD.decode(header).unwrap_or_default();
    let has = |text: &[u8]| header.windows(text.len()).any(|window| window == text);
    has(b"jwk") || has(b"x5c") || has(b"\\")
}

/// Returns `true` if a claim has a number that the reader here cannot hold.
fn has_large_number(token: &[u8]) -> bool {
    let claims = token.split(|byte| *byte == b'.').nth(1).unwrap_or_default();
    let claims = BASE64URL_NOPAD.decode(claims).unwrap_or_default();
    members(&claims).is_err_and(|why| why.contains("out of range"))
}

/// Returns `true` if the members that RFC 7515 gives a type have it.
fn is_jose(members: &[(String, Box<serde_json::value::RawValue>)]) -> bool {
    let texts =
        ["typ", "cty", "jku", "kid", "x5u", "x5t", "x5t#S256", "enc", "zip", "url", "nonce"];
    let mut seen = Vec::new();
    members.iter().all(|(name, value)| {
        let is_known = texts.contains(&&**name) || ["alg", "crit", "jwk", "x5c"].contains(&&**name);
        let is_first = !is_known || !seen.contains(name);
        seen.push(name.clone());
        let is_right = match &**name {
            "jwk" | "x5c" => value.get() == "null",
            name if texts.contains(&name) => {
                serde_json::from_str::<Option<String>>(value.get()).is_ok()
            }
            _ => serde_json::from_str::<Value>(value.get()).is_ok(),
        };
        is_first && is_right
    })
}

struct Claims(Vec<(String, Box<serde_json::value::RawValue>)>);

impl Claims {
    /// Returns the text of a claim, or an error for another type and for two of the name.
    fn one(&self, name: &str) -> Result<Option<&str>, ()> {
        let found: Vec<_> = self.0.iter().filter(|(known, _)| known == name).collect();
        match found[..] {
            [] => Ok(None),
            [(_, value)] => Ok(Some(value.get())),
            _ => Err(()),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, ()> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        serde_json::from_str(value).map(Some).map_err(drop)
    }

    fn time(&self, name: &str) -> Result<Option<i64>, ()> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = serde_json::from_str::<serde_json::Number>(text).is_ok();
        if !is_number || !is_plain(seconds) || !is_plain(fraction) {
            return Err(());
        }
        let seconds: i64 = seconds.parse().map_err(drop)?;
        // Milliseconds must fit, too.
        seconds.checked_mul(1000).map(|_| Some(seconds)).ok_or(())
    }
}
