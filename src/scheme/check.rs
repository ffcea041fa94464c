//! The rules that a declaration must keep.

use crate::{
    crypto::mac::Algorithm,
    error::ConfigError,
    parse::timestamp::TimestampFormat,
    scheme::{
        component::{Component, SignatureSource, TimestampSource},
        declaration::Scheme,
    },
    verifier::{
        challenge::{challenge::Challenge, response::is_token},
        first_contact::MAX_OTHERS,
    },
};

/// A rule, and what a declaration that breaks it is told.
type Rule = (fn(&Scheme) -> bool, &'static str);

/// A declaration that reads as if something were checked, and checks nothing, is refused. So is one that would let
/// one signature stand for two requests.
const RULES: [Rule; 11] = [
    (
        |scheme| scheme.signs(Component::Time) && !scheme.has_time_in_head(),
        "the signed content has `Component::Time`; say with `time` in which header it stands",
    ),
    (
        |scheme| scheme.signs_id() && scheme.delivery_id.is_none(),
        "the signed content has `Component::Id`; name its header with `delivery_id`",
    ),
    (
        |scheme| scheme.tolerance.is_some() && scheme.time.is_none(),
        "there is a tolerance but no time; say with `time` where it stands",
    ),
    (
        |scheme| scheme.has_time_in_signature() && !scheme.signature_format.has_time(),
        "the time stands in the signature's header, but its format has none",
    ),
    (
        |scheme| scheme.has_time_in_head() && !scheme.signs_time(),
        "there is a time that the signed content does not have; whoever replays a request can write it",
    ),
    (
        |scheme| {
            scheme.has_time_in_signature() && matches!(scheme.source, SignatureSource::Headers(_))
        },
        "the time stands in the signature's header, but there are several of them",
    ),
    (|scheme| scheme.signs(Component::Literal("")), "a literal of the signed content is empty"),
    (
        Scheme::has_ambiguous_time,
        "the literal after `Component::Time` could be the end of the time",
    ),
    (
        |scheme| scheme.has_keyed_challenge() && scheme.algorithm != Algorithm::HmacSha256,
        "the challenge is answered with an HMAC-SHA256, but the scheme signs otherwise",
    ),
    (
        |scheme| {
            let mut all = std::iter::once(scheme).chain(scheme.families).chain(scheme.legacy);
            scheme.has_keyed_challenge() && all.any(may_sign_token)
        },
        "the answer to the challenge could be a request's signature",
    ),
    (
        |scheme| !scheme.first_contacts.is_empty() && scheme.families.len() >= MAX_OTHERS,
        "a scheme with first contacts can have three families at most",
    ),
];

impl Scheme {
    /// Returns the first rule that the declaration breaks.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        match RULES.into_iter().find(|(is_broken, _)| is_broken(self)) {
            Some((_, why)) => Err(ConfigError::SchemeInvalid { why }),
            None => Ok(()),
        }
    }

    fn signs(&self, part: Component) -> bool {
        self.signed_content.contains(&part)
    }

    const fn has_time_in_signature(&self) -> bool {
        matches!(self.time, Some((TimestampSource::Signature, _)))
    }

    const fn has_time_in_head(&self) -> bool {
        matches!(self.time, Some((TimestampSource::Header(_) | TimestampSource::Signature, _)))
    }

    fn signs_time(&self) -> bool {
        let is_in_header = match self.time {
            Some((TimestampSource::Header(name), _)) => {
                self.signs(Component::Header(name)) || self.signs(Component::HttpDate(name))
            }
            _ => false,
        };
        is_in_header || self.signs(Component::Time)
    }

    fn has_keyed_challenge(&self) -> bool {
        self.challenge.is_some_and(Challenge::is_keyed)
    }

    /// `…:33` + `.5x` and `…:33.5` + `x` would be signed alike (T-32).
    fn has_ambiguous_time(&self) -> bool {
        let is_zoneless = matches!(self.time, Some((_, TimestampFormat::Rfc3339NoOffset)));
        self.signed_content.windows(2).any(|pair| match pair {
            [Component::Time, Component::Literal(literal)] => {
                literal.starts_with(|c: char| c.is_ascii_digit() || c == '.' && is_zoneless)
            }
            _ => false,
        })
    }
}

/// Returns whether the HMAC of a challenge could be a signature by this scheme. A body that is a challenge is
/// refused where the body is all that is signed.
fn may_sign_token(scheme: &Scheme) -> bool {
    scheme.algorithm == Algorithm::HmacSha256
        && scheme.signed_content != [Component::Body]
        && !scheme.signed_content.iter().any(never_in_token)
}

/// Whether no content with this part is a challenge that is answered with an HMAC.
fn never_in_token(part: &Component) -> bool {
    matches!(part, Component::Literal(text) if !is_token(text.as_bytes()))
}
