//! Claims of a token whose signature is valid.

use std::{borrow::Cow, time::Duration};

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        clock::Clock,
        json::{self, Value},
        timestamp::{Timestamp, TimestampFormat},
        tolerance::Tolerance,
    },
    providers::own::jwt::rules::{Content, LEEWAY},
};

/// Event of a logout token.
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The claims, as JSON.
#[derive(Clone, Copy)]
pub(crate) struct Claims<'a>(pub(crate) &'a [u8]);

impl<'a> Claims<'a> {
    /// Returns the value of a claim, or `None` if there is none. A claim that occurs twice is
    /// rejected, because two readers could take different ones.
    pub(crate) fn value(self, name: &'static str) -> Result<Option<Value<'a>>, Rejection> {
        json::field(self.0, name).map_err(|_| malformed(name))
    }

    /// Returns the text of a claim, or `None` if there is none.
    pub(crate) fn text(self, name: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(name)),
        }
    }

    /// Returns the text of a claim that must be there.
    pub(crate) fn required(self, name: &'static str) -> Result<Cow<'a, str>, Rejection> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
    }

    /// Returns `true` if a claim that must be there has this value. `aud` may be a list with it (RFC
    /// 7519, section 4.1.3).
    pub(crate) fn has(self, name: &'static str, wanted: &str) -> Result<bool, Rejection> {
        let Some(Value::Array(list)) = self.value(name)?.filter(|_| name == "aud") else {
            return Ok(self.required(name)? == wanted);
        };
        let mut is_there = false;
        let visit = &mut |item| is_there |= matches!(item, Value::Text(text) if text == wanted);
        json::items(list.as_bytes(), visit).map_err(|_| malformed(name))?;
        Ok(is_there)
    }

    /// Checks that a claim is there, and has this type.
    pub(crate) fn check_content(
        self,
        name: &'static str,
        expected: Content,
    ) -> Result<(), Rejection> {
        match (self.value(name)?, expected) {
            (Some(Value::Text(text)), Content::Text | Content::TextOrObject)
                if !text.is_empty() =>
            {
                Ok(())
            }
            (Some(Value::Object(_)), Content::Object | Content::TextOrObject) => Ok(()),
            (Some(Value::Object(events)), Content::Events)
                if matches!(json::field(events.as_bytes(), LOGOUT), Ok(None)) =>
            {
                Ok(())
            }
            (None, _) => Err(missing(name)),
            _ => Err(malformed(name)),
        }
    }

    /// Returns the time of a claim, in whole seconds, or `None` if there is none.
    fn time(self, name: &'static str) -> Result<Option<Timestamp>, Rejection> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let Value::Number(text) = value else { return Err(malformed(name)) };
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        Timestamp::parse(seconds.as_bytes(), TimestampFormat::UnixSeconds)
            .filter(|_| fraction.bytes().all(|byte| byte.is_ascii_digit()))
            .map(Some)
            .ok_or_else(|| malformed(name))
    }

    /// Checks `exp`, `nbf` and `iat`, and records them in a proof.
    ///
    /// `exp` and `nbf` count wherever they are: they end what the sender meant (RFC 7519, section
    /// 4.1). Without a leeway, `exp` does not count, and `nbf` has the usual one. `iat` counts only if
    /// `age` limits it, because the standard gives it no meaning.
    pub(crate) fn check_times(
        self,
        required: &[&'static str],
        leeway: Option<Duration>,
        age: Option<Tolerance>,
        clock: &Clock,
    ) -> Result<Verified, Rejection> {
        let times = [self.time("iat")?, self.time("nbf")?, self.time("exp")?];
        let [issued, not_before, expires] = times;
        for name in required {
            let is_there = ["iat", "nbf", "exp"]
                .iter()
                .zip(times)
                .any(|(known, time)| time.is_some() && known == name);
            if !is_there {
                return Err(missing(name));
            }
        }
        let begins = issued.or(not_before);
        let mut verified = Verified::new("");
        if let Some(not_before) = not_before {
            let tolerance = Tolerance::new(Duration::MAX, leeway.unwrap_or(LEEWAY));
            tolerance.judge(not_before, clock).map_err(|why| why.with_field(Field::jwt("nbf")))?;
        }
        if let (Some(expires), Some(leeway)) = (expires, leeway) {
            let tolerance = Tolerance::new(leeway, Duration::MAX);
            let judged = tolerance.judge(expires, clock).map_err(|why| {
                // The age of the token says more than the time since it expired.
                let age = begins.and_then(|begins| Some(clock.millis().ok()? - begins.millis));
                let is_old = why.kind() == RejectionKind::TimestampStale;
                let why = match age.filter(|_| is_old) {
                    Some(age) => why.with_age_millis(age),
                    None => why,
                };
                why.with_field(Field::jwt("exp"))
            })?;
            judged.record(&mut verified);
        }
        if let (Some(age), Some(issued)) = (age, issued) {
            let judged =
                age.judge(issued, clock).map_err(|why| why.with_field(Field::jwt("iat")))?;
            let expires = verified.valid_for();
            judged.record(&mut verified);
            verified.valid_for = match (verified.valid_for(), expires) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        verified.signed_at = begins.and_then(Timestamp::to_system_time);
        Ok(verified)
    }
}

pub(crate) fn malformed(name: &'static str) -> Rejection {
    Rejection::malformed_in(Field::jwt(name))
}

pub(crate) fn missing(name: &'static str) -> Rejection {
    Rejection::missing_in(Field::jwt(name))
}
