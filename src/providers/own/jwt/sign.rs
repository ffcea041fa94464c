//! Tokens as the providers make them, for tests.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderName, request::Parts};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{
    crypto::jwt::signed,
    outcome::{field::Field, rejection::Rejection},
    parse::{
        encoding::Encoding,
        json::{json_path, members},
    },
    providers::own::{
        jwt::{
            hashes::query_as_json,
            key::Material,
            rules::{Issuer, Place, Rules, UrlClaim},
            verifier::JwtVerifier,
        },
        shared_token::put,
    },
    sign::{
        json::quoted,
        sign::{Sign, Signing},
    },
};
#[cfg(feature = "asymmetric")]
use crate::{
    crypto::{jwt::message, mac::Algorithm},
    sign::sign::{MADE_UP_ID, no_private_key},
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
        let rules = self.0.rules;
        let claims = self.claims(head, body, with.time())?;
        let token = match self.0.keys.first().map(|key| &key.material) {
            Some(Material::Secret { macs, .. }) => {
                signed(macs.first().ok_or(Rejection::mismatch())?, &claims)
            }
            #[cfg(feature = "asymmetric")]
            Some(Material::Public(key)) => public_token(rules, key.algorithm(), &claims, with)?,
            None => return Err(Rejection::mismatch()),
        };
        let value = match rules.auth_scheme {
            "" => token,
            scheme => format!("{scheme} {token}"),
        };
        Ok(match rules.place {
            Place::Header(name) => {
                put(head, &HeaderName::from_static(name), value.as_bytes())?;
                None
            }
            Place::Body => Some(Bytes::from(value)),
            Place::Json(name) => {
                Some(Bytes::from(format!("{{{}:{}}}", quoted(name), quoted(&value))))
            }
        })
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
            #[cfg(feature = "fetched-keys")]
            Issuer::OneOf(names) => {
                claims.push(("iss", quoted(names.first().copied().unwrap_or_default())));
            }
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
        claims.extend(rules.is_true.iter().map(|name| (*name, "true".to_owned())));
        for (name, path) in rules.body_fields {
            let value = json_path(body, path).ok_or(Rejection::missing_in(Field::json(path)))?;
            claims.push((name, quoted(&value)));
        }
        let one_of = self.0.one_of.first().into_iter().flatten();
        claims.extend(one_of.map(|(name, value)| (*name, quoted(value))));
        claims.extend(self.0.claims.iter().map(|(name, value)| (*name, quoted(value))));
        if rules.has_id || rules.delivery_id == Some("jti") {
            let unique = Sha256::digest([body, format!("{time:?}").as_bytes()].concat());
            claims.push(("jti", quoted(&Encoding::Hex.encode(&unique[..16]))));
        }
        let event = self.event(body)?;
        claims.retain(|(name, _)| !event.contains_key(*name));
        let event = event.iter().map(|(name, value)| (&**name, value.clone()));
        claims.extend(event);
        let members: Vec<_> =
            claims.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        Ok(format!("{{{}}}", members.join(",")))
    }

    /// Returns the claims that a body is, if the token is in the body.
    fn event(&self, body: &[u8]) -> Result<BTreeMap<String, String>, Rejection> {
        let rules = self.0.rules;
        let mut event = BTreeMap::new();
        match (rules.place, rules.event_in) {
            (Place::Header(_), _) => {}
            (_, Some(name)) => {
                let text =
                    str::from_utf8(body).map_err(|_| Rejection::malformed_in(Field::Body))?;
                event.insert(name.to_owned(), quoted(text));
            }
            (_, None) => {
                let visit = &mut |name: Cow<'_, str>, value: &RawValue| {
                    event.insert(name.into_owned(), value.get().to_owned());
                    Ok(())
                };
                members(body, visit).map_err(|_| Rejection::malformed_in(Field::Body))?;
            }
        }
        Ok(event)
    }
}

/// Returns a token that is signed with the private key. The ID of the key is a made-up one.
#[cfg(feature = "asymmetric")]
fn public_token(
    rules: &Rules,
    algorithm: Algorithm,
    claims: &str,
    with: &Signing<'_>,
) -> Result<String, Rejection> {
    let name = match algorithm {
        Algorithm::EcdsaP256Sha256 => "ES256",
        Algorithm::Ed25519 => "EdDSA",
        _ => "RS256",
    };
    let kind = rules.types.first().unwrap_or(&"JWT");
    let header = format!(r#"{{"alg":"{name}","kid":"{MADE_UP_ID}","typ":"{kind}"}}"#);
    let message = message(&header, claims);
    let signature = with.jws_signature(algorithm, message.as_bytes()).ok_or_else(no_private_key)?;
    Ok(format!("{message}.{}", Encoding::Base64Url.encode(&signature)))
}
