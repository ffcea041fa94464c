//! Signed timestamp of a scheme.

use http::request::Parts;

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        clock::Clock,
        headers::required,
        json,
        timestamp::{Timestamp, TimestampFormat},
    },
    scheme::{component::TimestampSource, declaration::Scheme},
};

impl Scheme {
    /// Returns the text of the signed timestamp, if it is in the head.
    pub(crate) fn time_text<'a>(&self, head: &'a Parts) -> Result<Option<&'a [u8]>, Rejection> {
        match self.time {
            None | Some((TimestampSource::Json(_), _)) => Ok(None),
            Some((TimestampSource::Header(name), _)) => required(head, name).map(Some),
            Some((TimestampSource::Signature, _)) => {
                let mut time = None;
                self.each_signature(head, &mut |value| {
                    time = self
                        .signature_format
                        .time(value)
                        .map_err(|_| Rejection::malformed(self.signature_field()))?;
                    Ok(())
                })?;
                Ok(time)
            }
        }
    }

    /// Returns the signed timestamp, if it is in the head.
    pub(crate) fn head_time(&self, head: &Parts) -> Result<Option<Timestamp>, Rejection> {
        let (Some(text), Some((_, format))) = (self.time_text(head)?, self.time) else {
            return Ok(None);
        };
        Timestamp::parse(text, format)
            .map(Some)
            .ok_or_else(|| self.with_time_field(Rejection::new(RejectionKind::Malformed)))
    }

    /// Adds the place of the timestamp to a rejection.
    pub(crate) fn with_time_field(&self, rejection: Rejection) -> Rejection {
        match self.time {
            Some((TimestampSource::Header(name), _)) => rejection.in_header(name),
            Some((TimestampSource::Json(name), _)) => rejection.with_field(Field::json(name)),
            _ => rejection.in_header(self.signature_field()),
        }
    }

    /// Checks a signed timestamp against the scheme's tolerance, and returns it.
    ///
    /// All schemes share this check, wherever their timestamp is.
    ///
    /// # Errors
    ///
    /// Returns an error if the timestamp is outside of the tolerance, or the clock is unreliable.
    pub(crate) fn judge_time(
        &self,
        time: Option<Timestamp>,
        clock: &Clock,
    ) -> Result<Option<Timestamp>, Rejection> {
        if let (Some(time), Some(tolerance)) = (time, self.judges()) {
            tolerance.judge(time, clock).map_err(|rejection| self.with_time_field(rejection))?;
        }
        Ok(time)
    }

    /// Checks the timestamp in the signed body, and returns it.
    ///
    /// For a scheme whose timestamp is in the head, this function returns `of_head`, which is
    /// already checked.
    ///
    /// # Errors
    ///
    /// Returns an error if the body lacks a required timestamp, or if its timestamp is malformed or
    /// outside of the tolerance.
    pub(crate) fn time_at_end(
        &self,
        of_head: Option<Timestamp>,
        body: &[u8],
        clock: &Clock,
    ) -> Result<Option<Timestamp>, Rejection> {
        let Some((TimestampSource::Json(field), format)) = self.time else { return Ok(of_head) };
        // A body that is not an object has no timestamp. The whole body is signed, so an attacker
        // cannot have removed one.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let time = match is_object || !self.time_may_be_absent {
            true => json_time(body, field, format)?,
            false => None,
        };
        if time.is_none() && !self.time_may_be_absent {
            return Err(Rejection::missing_in(Field::json(field)));
        }
        self.judge_time(time, clock)
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
