//! Tokens as the providers make them, for tests.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, request::Parts};
use sha2::{Digest, Sha256};

use crate::{
    crypto::jwt::signed,
    outcome::rejection::Rejection,
    parse::encoding::Encoding,
    providers::own::{
        jwt::{
            rules::{Issuer, UrlClaim},
            verifier::{JwtVerifier, query_as_json},
        },
        shared_token::put,
    },
    sign::{
        json::quoted,
        sign::{Sign, Signing},
    },
};

/// Time in seconds for which a signed token is valid, if it expires.
const LIFETIME: u64 = 300;

impl Sign for JwtVerifier {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let claims = self.claims(head, body, with.time())?;
        let mac = self.0.keys.first().and_then(|key| key.macs.first());
        let token = signed(mac.ok_or(Rejection::mismatch())?, &claims);
        let rules = self.0.rules;
        let value = match rules.auth_scheme {
            "" => token,
            scheme => format!("{scheme} {token}"),
        };
        put(head, &HeaderName::from_static(rules.header), value.as_bytes()).map(|()| None)
    }
}

impl JwtVerifier {
    /// Returns the claims of a token for a request.
    fn claims(&self, head: &Parts, body: &[u8], time: SystemTime) -> Result<String, Rejection> {
        let rules = self.0.rules;
        let mut claims: Vec<(&str, String)> = Vec::new();
        match rules.issuer {
            Issuer::Any => {}
            Issuer::Is(name) => claims.push(("iss", quoted(name))),
            Issuer::KeyId => {
                let id = self.0.keys.first().map_or("", |key| &key.id);
                claims.push(("iss", quoted(id)));
            }
        }
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for name in rules.times {
            let time = if *name == "exp" { seconds + LIFETIME } else { seconds };
            claims.push((name, time.to_string()));
        }
        if rules.times == ["exp"] {
            claims.push(("iat", seconds.to_string()));
        }
        let url = match (self.signed_request(head)?, &self.0.url) {
            (Some(text), _) => Some(text),
            (None, Some(url)) => Some(url.resolve(head)?.into_owned()),
            (None, None) => None,
        };
        if let (Some(claim), Some(url)) = (rules.url, url) {
            claims.push((
                claim.name(),
                match claim {
                    UrlClaim::Equals(_) => quoted(&url),
                    UrlClaim::Sha256(_) => quoted(&Encoding::Hex.encode(&Sha256::digest(&url))),
                },
            ));
        }
        if let Some(claim) = rules.body
            && !(claim.is_absent_if_empty && body.is_empty())
        {
            let hash = match claim.is_of_query(head) {
                true => Sha256::digest(query_as_json(head)?),
                false => Sha256::digest(body),
            };
            claims.push((claim.name, quoted(&claim.encoding.encode(&hash))));
        }
        claims.extend(self.0.claims.iter().map(|(name, value)| (*name, quoted(value))));
        if rules.has_id {
            let unique = Sha256::digest([body, format!("{time:?}").as_bytes()].concat());
            claims.push(("jti", quoted(&Encoding::Hex.encode(&unique[..16]))));
        }
        let members: Vec<_> =
            claims.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        Ok(format!("{{{}}}", members.join(",")))
    }
}
