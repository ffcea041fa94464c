//! Rules that the declaration of a scheme must follow.

use crate::{
    crypto::mac::Algorithm,
    error::ConfigError,
    parse::{encoding::Encoding, timestamp::TimestampFormat},
    scheme::{
        component::{Component, SignatureSource, TimestampSource},
        declaration::Scheme,
        signature_format::SignatureFormat,
    },
    verifier::{
        challenge::{challenge::Challenge, response::is_token},
        first_contact::MAX_OTHERS,
    },
};

/// A predicate that returns `true` for a declaration that breaks the rule, and the error text.
type Rule = (fn(&Scheme) -> bool, &'static str);

/// The rules reject a declaration that seems to check something but does not, and a declaration by
/// which one signature could be valid for two requests.
const RULES: [Rule; 18] = [
    (
        |scheme| scheme.signs(Component::Time) && !scheme.has_time_in_head(),
        "the signed content has `Component::Time`, but no header has the timestamp; \
         set the header with `time`",
    ),
    (
        |scheme| scheme.signs_id() && scheme.delivery_id.is_none(),
        "the signed content has `Component::Id`, but no header has the id; \
         set the header with `delivery_id`",
    ),
    (
        |scheme| scheme.tolerance.is_some() && scheme.time.is_none(),
        "there is a tolerance but no timestamp; set the timestamp with `time`",
    ),
    (
        |scheme| scheme.has_time_in_signature() && !scheme.signature_format.has_time(),
        "the timestamp is in the signature header, but the signature format has none; \
         use a format with a timestamp",
    ),
    (
        |scheme| scheme.has_time_in_head() && !scheme.signs_time(),
        "the timestamp is not signed, so anyone who replays a request can change it; \
         add `Component::Time` to the signed content",
    ),
    (
        |scheme| {
            let is_of_many =
                matches!(scheme.source, SignatureSource::Headers(_) | SignatureSource::Lines(_));
            scheme.has_time_in_signature() && is_of_many
        },
        "the timestamp is in the signature header, but there can be several signature headers; \
         use one header, or `TimestampSource::Header`",
    ),
    (
        |scheme| scheme.signs(Component::Literal("")),
        "the signed content has an empty literal; remove it",
    ),
    (
        |scheme| scheme.signs(Component::Secret) && !scheme.algorithm.is_plain_hash(),
        "the signed content has `Component::Secret`, but only a plain hash has the secret there; \
         remove it",
    ),
    (
        |scheme| !scheme.signs(Component::Secret) && scheme.algorithm.is_plain_hash(),
        "a plain hash without the secret proves nothing; \
         add `Component::Secret` to the signed content",
    ),
    (
        Scheme::has_ambiguous_time,
        "the literal after `Component::Time` begins with a character that a timestamp can have; \
         use another literal",
    ),
    (
        |scheme| scheme.has_keyed_challenge() && scheme.algorithm != Algorithm::HmacSha256,
        "the response to the challenge is an HMAC-SHA256, but the scheme has another algorithm; \
         use `Scheme::hmac_sha256`",
    ),
    (
        |scheme| {
            let mut all = std::iter::once(scheme).chain(scheme.families).chain(scheme.legacy);
            scheme.has_keyed_challenge() && all.any(may_sign_token)
        },
        "the response to the challenge could be the signature of a request; \
         sign the body alone, or a literal that no challenge can have",
    ),
    (
        |scheme| {
            let is_url = |part: &Component| matches!(part, Component::Query | Component::Url);
            scheme.is_in_query() && scheme.signed_content.iter().any(is_url)
        },
        "the signature is in the query and would have to sign itself; \
         sign neither the query nor the URL",
    ),
    (
        |scheme| {
            let is_single = matches!(scheme.signature_format, SignatureFormat::Single { .. });
            scheme.is_in_query() && !is_single
        },
        "the signature is in the query, which has one without separators; \
         use `SignatureFormat::Single`",
    ),
    (
        |scheme| match scheme.signature_format {
            SignatureFormat::OptionalPrefix { prefix, separator } => {
                prefix.as_bytes().contains(&separator)
                    || separator.is_ascii_alphanumeric()
                    || b"+/=-_".contains(&separator)
            }
            _ => false,
        },
        "the separator of the signatures is a character that a signature or the prefix can have; \
         use another separator",
    ),
    (
        |scheme| scheme.is_in_query() && scheme.encoding == Encoding::Base64,
        "the signature is in the query, which is not decoded, and base64 needs escapes there; \
         use base64url or hexadecimal",
    ),
    (
        |scheme| {
            let mut all = std::iter::once(scheme).chain(scheme.families).chain(scheme.legacy);
            !scheme.first_contacts.is_empty() && all.any(Scheme::is_in_query)
        },
        "the signature is in the query, but only a request without a signature header can be a \
         first contact; use a header",
    ),
    (
        |scheme| !scheme.first_contacts.is_empty() && scheme.families.len() >= MAX_OTHERS,
        "there are too many families: expected at most 3 in a scheme with first contacts",
    ),
];

impl Scheme {
    /// Checks the declaration, and reports the first rule that it breaks.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        match RULES.into_iter().find(|(is_broken, _)| is_broken(self)) {
            Some((_, why)) => Err(ConfigError::SchemeInvalid { why }),
            None => Ok(()),
        }
    }

    fn signs(&self, part: Component) -> bool {
        self.signed_content.contains(&part)
    }

    const fn is_in_query(&self) -> bool {
        matches!(self.source, SignatureSource::Query(_))
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

    pub(crate) fn has_keyed_challenge(&self) -> bool {
        self.challenge.is_some_and(Challenge::is_keyed)
    }

    /// Returns `true` if the literal after the timestamp could be read as a part of the timestamp.
    ///
    /// `…:33` + `.5x` and `…:33.5` + `x` would have the same signature.
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

/// Returns `true` if the HMAC of a challenge's token could be a signature by this scheme.
///
/// A scheme that signs only the body is safe, because its verifier rejects a body that is a token.
fn may_sign_token(scheme: &Scheme) -> bool {
    scheme.algorithm == Algorithm::HmacSha256
        && scheme.signed_content != [Component::Body]
        && !scheme.signed_content.iter().any(never_in_token)
}

/// Returns `true` if no challenge token can contain this component.
fn never_in_token(part: &Component) -> bool {
    matches!(part, Component::Literal(text) if !is_token(text.as_bytes()))
}
