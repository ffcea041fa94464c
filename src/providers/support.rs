//! Helpers of several providers with code of their own.

use http::request::Parts;
use subtle::Choice;

use crate::{
    crypto::secret::Secret,
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::form::Form,
    verifier::{
        challenge::{challenge::malformed, response::text},
        first_contact::{ContactField, FirstContact},
    },
};

/// Returns the challenge of a GET with `hub.mode=subscribe`, one of these tokens as
/// `hub.verify_token`, and `hub.challenge`.
///
/// # Errors
///
/// Returns an error if a parameter is missing or malformed, or if mode or token is another one.
pub(crate) fn subscription(head: &Parts, tokens: &[Secret]) -> Result<String, Rejection> {
    let query = head.uri.query().unwrap_or_default();
    let form = Form::parse(query.as_bytes()).ok_or_else(malformed)?;
    let part = |name| form.first(name).filter(|value| !value.is_empty()).ok_or_else(malformed);
    let mode = part("hub.mode")?;
    let (token, challenge) = (part("hub.verify_token")?, part("hub.challenge")?);
    let mut is_known = Choice::from(0);
    for known in tokens {
        is_known |= known.ct_matches(token);
    }
    if !(bool::from(is_known) && mode == b"subscribe") {
        return Err(Rejection::new(RejectionKind::ChallengeFailed));
    }
    text(challenge).map(str::to_owned).ok_or_else(malformed)
}

/// Returns `true` if two strings are equal. Unlike `==`, it can be called in a constant.
pub(crate) const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Request that Marketing Cloud sends to a new callback.
pub(crate) const VERIFICATION_KEY: FirstContact = FirstContact::json(&[
    ("callbackId", ContactField::Token),
    ("verificationKey", ContactField::Token),
]);

/// Returns `true` if this is a UUID in lower case.
#[cfg(feature = "fetched-keys")]
pub(crate) fn is_uuid(id: &str) -> bool {
    let is_in_place = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    id.len() == 36 && id.bytes().enumerate().all(is_in_place)
}
