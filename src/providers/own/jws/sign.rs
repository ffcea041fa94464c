//! Detached signatures as the providers make them, for tests.

use std::time::UNIX_EPOCH;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderName, header::CONTENT_TYPE, request::Parts};

use crate::{
    crypto::jws::DetachedJws,
    outcome::rejection::Rejection,
    parse::timestamp::TimestampFormat,
    providers::own::{
        jws::{
            rules::{Payload, Time, beginnings},
            verifier::JwsVerifier,
        },
        shared_token::put,
    },
    sign::{
        json::quoted,
        sign::{MADE_UP_ID, Sign, Signing, no_private_key},
    },
};

impl Sign for JwsVerifier {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let rules = self.0.rules;
        let mut algorithms = rules.algorithms.iter();
        let algorithm = algorithms.find(|algorithm| with.has_key_for(**algorithm));
        let algorithm = *algorithm.ok_or_else(no_private_key)?;
        let mut parameters = vec![("alg", quoted(algorithm.name())), ("kid", quoted(MADE_UP_ID))];
        for name in [rules.key_id, rules.delivery_id].into_iter().flatten() {
            let name = HeaderName::from_static(name);
            if !head.headers.contains_key(&name) {
                put(head, &name, MADE_UP_ID.as_bytes())?;
            }
        }
        for (name, value) in &self.0.parameters {
            parameters.push((name, quoted(value)));
        }
        let seconds = with.time().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let write = |head: &mut Parts, name: &'static str, format: TimestampFormat| {
            let name = HeaderName::from_static(name);
            if head.headers.contains_key(&name) {
                return Ok(());
            }
            put(head, &name, format.write(with.time()).as_bytes())
        };
        match rules.time {
            Some(Time::Parameter(name)) => parameters.push((name, seconds.to_string())),
            Some(Time::Header(name)) => write(head, name, TimestampFormat::UnixMillis)?,
            Some(Time::Named(name)) => {
                write(head, name, TimestampFormat::Rfc3339)?;
                let with_type = head.headers.contains_key(CONTENT_TYPE);
                let also = if with_type { ",content-type" } else { "" };
                parameters.push(("tl_headers", quoted(&format!("{name}{also}"))));
            }
            None => {}
        }
        let critical: Vec<_> = rules.extensions.iter().filter(|name| **name != "b64").collect();
        if !critical.is_empty() {
            let names: Vec<_> = critical.iter().map(|name| quoted(name)).collect();
            parameters.push(("crit", format!("[{}]", names.join(","))));
        }
        let members: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        let protected = URL_SAFE_NO_PAD.encode(format!("{{{}}}", members.join(",")));
        let text = format!("{protected}..AA");
        let not_one = Rejection::malformed(rules.header);
        let jws = DetachedJws::read(text.as_bytes()).ok_or(not_one)?;
        if let Some(place) = rules.time {
            place.of(&jws, head, false)?;
        }
        let payload = self.payload(&jws, head, body)?;
        let content = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload));
        let signature = with.sign_as(algorithm, content.as_bytes()).ok_or_else(no_private_key)?;
        let value = format!("{protected}..{}", URL_SAFE_NO_PAD.encode(signature));
        put(head, &HeaderName::from_static(rules.header), value.as_bytes()).map(|()| None)
    }
}

impl JwsVerifier {
    fn payload(
        &self,
        jws: &DetachedJws<'_>,
        head: &Parts,
        body: &[u8],
    ) -> Result<Vec<u8>, Rejection> {
        let rules = self.0.rules;
        match (rules.payload, rules.time, &self.0.url) {
            (Payload::Request, _, Some(url)) => {
                let mut beginnings = beginnings(jws, head, &url.resolve(head)?)?;
                Ok([&*beginnings.swap_remove(0), body].concat())
            }
            (Payload::TimeAndBody, Some(Time::Header(name)), _) => {
                let time = head.headers.get(name).map_or(&b""[..], |time| time.as_bytes());
                Ok([time, b".", URL_SAFE_NO_PAD.encode(body).as_bytes()].concat())
            }
            _ => Ok(body.to_vec()),
        }
    }
}
