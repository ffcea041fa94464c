//! What some providers with code of their own share.

use http::request::Parts;
use subtle::Choice;

use crate::{
    crypto::secret::Secret,
    outcome::{kind::RejectionKind, rejection::Rejection},
    parse::form::Form,
    verifier::challenge::{challenge::malformed, response::text},
};

/// The challenge of a GET with `hub.mode=subscribe`, one of these tokens as `hub.verify_token`, and
/// `hub.challenge`.
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
