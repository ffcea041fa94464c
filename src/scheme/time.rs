//! Signed timestamp of a scheme.

use http::request::Parts;

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        clock::Clock,
        headers::required,
        json,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::{SignedTime, Tolerance},
    },
    scheme::{component::TimestampSource, declaration::Scheme, signature_format::TimeText},
};

impl Scheme {
    /// Returns the text of the signed timestamp, if it is in the head. `in_signature` is the one in
    /// the signature header.
    pub(crate) fn time_text<'a>(
        &self,
        head: &'a Parts,
        in_signature: TimeText<'a>,
    ) -> Result<Option<&'a [u8]>, Rejection> {
        match (self.time, in_signature) {
            (None | Some((TimestampSource::Json(_), _)), _) => Ok(None),
            (Some((TimestampSource::Header(name), _)), _) => required(head, name).map(Some),
            (Some((TimestampSource::Signature, _)), TimeText::Found(text)) => Ok(Some(text)),
            (Some((TimestampSource::Signature, _)), _) => {
                Err(self.with_signature_field(Rejection::new(RejectionKind::Malformed)))
            }
        }
    }

    /// Reads the text of the signed timestamp again, after the head has been checked.
    pub(crate) fn time_text_again<'a>(
        &self,
        head: &'a Parts,
    ) -> Result<Option<&'a [u8]>, Rejection> {
        let mut time = TimeText::Absent;
        if let Some((TimestampSource::Signature, _)) = self.time {
            self.each_signature(head, |value| {
                time = self.signature_format.read(value, |_| Ok::<_, Rejection>(()))?;
                Ok(())
            })?;
        }
        self.time_text(head, time)
    }

    /// Parses the signed timestamp in the head.
    pub(crate) fn parse_time(&self, text: &[u8]) -> Result<Timestamp, Rejection> {
        match self.time.and_then(|(_, format)| Timestamp::parse(text, format)) {
            Some(time) => Ok(time),
            None => Err(self.with_time_field(Rejection::new(RejectionKind::Malformed))),
        }
    }

    /// Adds the place of the timestamp to a rejection.
    pub(crate) fn with_time_field(&self, rejection: Rejection) -> Rejection {
        match self.time {
            Some((TimestampSource::Header(name), _)) => rejection.in_header(name),
            Some((TimestampSource::Json(name), _)) => rejection.with_field(Field::json(name)),
            _ => self.with_signature_field(rejection),
        }
    }

    /// Checks a signed timestamp against the scheme's tolerance.
    ///
    /// All schemes share this check, wherever their timestamp is.
    ///
    /// # Errors
    ///
    /// Returns an error if the timestamp is outside of the tolerance, or the clock is unreliable.
    pub(crate) fn judge_time(
        &self,
        time: Timestamp,
        clock: &Clock,
    ) -> Result<SignedTime, Rejection> {
        match self.judges().unwrap_or(Tolerance::DEFAULT).judge(time, clock) {
            Ok(time) => Ok(time),
            Err(rejection) => Err(self.with_time_field(rejection)),
        }
    }

    /// Checks the timestamp in the signed body, and returns it.
    ///
    /// # Errors
    ///
    /// Returns an error if the body lacks a required timestamp, or if its timestamp is malformed or
    /// outside of the tolerance.
    pub(crate) fn body_time(
        &self,
        body: &[u8],
        clock: &Clock,
    ) -> Result<Option<SignedTime>, Rejection> {
        let Some((TimestampSource::Json(field), format)) = self.time else { return Ok(None) };
        // A body that is not an object has no timestamp. The whole body is signed, so an attacker
        // cannot have removed one.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let time = match is_object || !self.time_may_be_absent {
            true => json_time(body, field, format)?,
            false => None,
        };
        match time {
            Some(time) => self.judge_time(time, clock).map(Some),
            None if self.time_may_be_absent => Ok(None),
            None => Err(Rejection::missing_in(Field::json(field))),
        }
    }
}

/// Returns the timestamp in a field of the body, which holds a string or a number.
fn json_time(
    body: &[u8],
    field: &'static str,
    format: TimestampFormat,
) -> Result<Option<Timestamp>, Rejection> {
    let time = match json::field(body, field) {
        Ok(None) => return Ok(None),
        Ok(Some(json::Value::Text(text))) => Timestamp::parse(text.as_bytes(), format),
        Ok(Some(json::Value::Number(text))) => Timestamp::parse(text.as_bytes(), format),
        Ok(Some(_)) | Err(json::Malformed) => None,
    };
    time.map(Some).ok_or_else(|| Rejection::malformed_in(Field::json(field)))
}
