//! Signatures of Vonage SMS callbacks.

use bytes::Bytes;
use http::request::Parts;

use crate::{
    outcome::{field::Field, rejection::Rejection},
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    providers::own::vonage_sms::{Place, SIGNATURE, Signed, TIME, VonageSms},
    sign::{
        json::{quoted, with_member},
        query,
        sign::{Sign, Signing},
    },
};

impl Sign for VonageSms {
    /// Adds `sig`, and `timestamp` if it is not there, to the query of a GET, and to the form or the
    /// JSON object of a POST.
    fn sign(
        &self,
        head: &mut Parts,
        content: &[u8],
        with: &Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let place = Place::of(head)?;
        let mut parameters = place.parameters(head, content)?;
        let mut added = Vec::new();
        if !parameters.iter().any(|(name, _)| name == TIME.as_bytes()) {
            let time = TimestampFormat::UnixSeconds.write(with.time());
            parameters.push((TIME.as_bytes().to_vec(), time.clone().into_bytes()));
            added.push((TIME, time));
        }
        let signed = Signed::read(place, parameters)?;
        let tag = self.keys.tag(&[&signed.content])?;
        added.push((SIGNATURE, Encoding::Hex.encode(tag.as_bytes())));
        let mut body = content.to_vec();
        if place == Place::Json {
            for (name, value) in added {
                let value = quoted(&value);
                let object = with_member(&body, name, &value);
                body = object.ok_or(Rejection::malformed_in(Field::Body))?;
            }
            return Ok(Some(body.into()));
        }
        if place == Place::Query {
            query::put(head, &added)?;
            return Ok(None);
        }
        let added: Vec<_> = added.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let and: &[u8] = if body.is_empty() { b"" } else { b"&" };
        body.extend([and, added.join("&").as_bytes()].concat());
        Ok(Some(body.into()))
    }
}
