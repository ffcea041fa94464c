//! Claims with the hash of a request's body, or about its URL.

use http::request::Parts;
use sha2::{Digest, Sha256};

use crate::{
    crypto::mac::Tag,
    outcome::{field::Field, rejection::Rejection},
    parse::{encoding::Encoding, form::Form},
    providers::own::jwt::{
        claims::{Claims, malformed},
        rules::{BodyClaim, UrlClaim},
    },
};

/// Checks that the token is for this URL. A token for another one could otherwise be sent here.
pub(crate) fn check_url(claim: UrlClaim, claims: Claims<'_>, url: &str) -> Result<(), Rejection> {
    let claimed = claims.required(claim.name())?;
    let is_same = match claim {
        UrlClaim::Equals(_) => claimed == url,
        UrlClaim::Sha256(name) => {
            let mut digest = [0; 32];
            let read = Encoding::Hex.decode(claimed.as_bytes(), &mut digest);
            read.ok_or_else(|| malformed(name))?;
            bool::from(Tag::new(&Sha256::digest(url)).matches(&digest))
        }
    };
    match is_same {
        true => Ok(()),
        false => Err(Rejection::mismatch().with_field(Field::jwt(claim.name()))),
    }
}

/// Returns the hash of the body that a token has, or `None` if it has none.
pub(crate) fn claimed_hash(
    claim: BodyClaim,
    claims: Claims<'_>,
) -> Result<Option<[u8; 32]>, Rejection> {
    let Some(text) = claims.text(claim.name)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let text = match claim.encoding {
        // Padding is optional there.
        Encoding::Base64Url => text.strip_suffix('=').unwrap_or(&text),
        _ => &text,
    };
    let mut hash = [0; 32];
    let read = claim.encoding.decode(text.as_bytes(), &mut hash);
    read.map(|()| Some(hash)).ok_or_else(|| malformed(claim.name))
}

/// Returns the parameters of the query as a JSON object without white space, in their order.
///
/// # Errors
///
/// Returns an error if a name occurs twice or if the query is not UTF-8: an object could not say so.
pub(crate) fn query_as_json(head: &Parts) -> Result<Vec<u8>, Rejection> {
    let malformed = || Rejection::malformed_in(Field::query(""));
    let query = head.uri.query().unwrap_or_default();
    let form = Form::parse(query.as_bytes()).ok_or_else(malformed)?;
    let mut json = serde_json::Map::new();
    let mut text = String::from("{");
    for (name, value) in form.iter() {
        let name = str::from_utf8(name).map_err(|_| malformed())?;
        let value = str::from_utf8(value).map_err(|_| malformed())?;
        if json.insert(name.to_owned(), serde_json::Value::Null).is_some() {
            return Err(malformed());
        }
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let comma = if text.len() > 1 { "," } else { "" };
        text.extend([comma, &quoted(name), ":", &quoted(value)]);
    }
    text.push('}');
    Ok(text.into_bytes())
}
