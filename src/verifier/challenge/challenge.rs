//! The declaration of a challenge.

use bytes::Bytes;
use http::{HeaderName, Method, Response, request::Parts};

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection},
    verifier::challenge::{response::SignToken, signed::Signed, unsigned::Unsigned},
};

/// How a provider asks whether an endpoint is its customer's, and what it wants to hear.
///
/// The handler sees no challenge. Challenges are at most 256 bytes long; what is recognised as one
/// and is out of form is answered with 400. Text goes back as `text/plain` with `nosniff`, so that
/// no browser runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// Unsigned: a GET with `crc_token` in the query is answered with
    /// `{"response_token":"sha256=<base64>"}`, its HMAC-SHA256 under the first secret. X asks so,
    /// every day.
    ///
    /// Whoever asks is told the HMAC of a token of his choice. So that this is never a request's
    /// signature, a token is made of letters, digits and `-._~+/=` only, and a body made of
    /// nothing else is refused where the scheme signs the body alone. A scheme that signs more must
    /// have a literal that is in no token.
    CrcToken,
    /// Verified: a POST with `aeg-event-type: SubscriptionValidation` is answered with
    /// `{"validationResponse":"<code>"}`, the code being the text `data.validationCode` of the first
    /// event in the body. Azure Event Grid asks so. A code is of the form that
    /// [`CrcToken`](Self::CrcToken) says of tokens.
    EventGrid,
    /// Unsigned: a GET with this header is answered with its value. Worldline asks so.
    Header(&'static str),
    /// Unsigned: a GET with `header` is answered with `{"<field>":"<value>"}`. Okta asks so. For the
    /// value holds what [`CrcToken`](Self::CrcToken) says of tokens.
    HeaderToJson {
        /// Where the challenge stands.
        header: &'static str,
        /// The answer's field.
        field: &'static str,
    },
    /// Unsigned: a HEAD is answered with an empty 200, which tells and proves nothing. Trello and
    /// Intercom ask so.
    Head,
    /// Signed: a POST with `"event":"endpoint.url_validation"` and the text `payload.plainToken` is
    /// answered with `{"plainToken":…,"encryptedToken":"<hex>"}`, the second being the HMAC-SHA256
    /// of the first under the first secret. Zoom asks so, every three days. For the token holds
    /// what [`CrcToken`](Self::CrcToken) says.
    PlainToken,
    /// Unsigned: a POST with this parameter in the query is answered with its value; the body is not
    /// read, and no such POST reaches the handler. Microsoft Graph asks so, with `validationToken`.
    PostQuery(&'static str),
    /// Unsigned: a GET with this parameter in the query is answered with its value. Dropbox and
    /// Nylas ask so.
    Query(&'static str),
    /// Signed: a POST on which `header` has this `value` is answered with the text in the body's
    /// `field`. Twitch asks so.
    SignedField {
        /// Tells a challenge from other requests.
        header: &'static str,
        /// The header's value on a challenge.
        value: &'static str,
        /// The field of the JSON body in which the challenge stands.
        field: &'static str,
    },
    /// Signed: a POST whose body's `field` is this `value` is answered with the text in `header`.
    /// Front asks so.
    SignedHeader {
        /// Where the challenge stands.
        header: &'static str,
        /// The field of the JSON body that tells a challenge from other requests.
        field: &'static str,
        /// The field's text on a challenge.
        value: &'static str,
    },
    /// Unsigned: an OPTIONS with `WebHook-Request-Origin` is answered with `WebHook-Allowed-Origin`
    /// where the origin is one of these, whatever its case, and with 404 otherwise. Senders of
    /// CloudEvents ask so: `eventgrid.azure.net` for Azure Event Grid. The answer only tells a sender
    /// that it may deliver here; whether a delivery is genuine is verified as ever.
    WebHookOrigins(&'static [&'static str]),
}

impl Challenge {
    /// Whether the answer needs a secret, and is an HMAC-SHA256 under it.
    pub(crate) const fn is_keyed(self) -> bool {
        matches!(self, Self::CrcToken | Self::PlainToken)
    }

    /// Returns whether the name of its header can be found in a request.
    pub(crate) fn has_lower_case_names(self) -> bool {
        match self {
            Self::Header(header)
            | Self::HeaderToJson { header, .. }
            | Self::SignedField { header, .. }
            | Self::SignedHeader { header, .. } => {
                HeaderName::from_lowercase(header.as_bytes()).is_ok()
            }
            _ => true,
        }
    }

    /// Returns the challenge where it is answered before verification.
    const fn unsigned(self) -> Option<Unsigned> {
        Some(match self {
            Self::CrcToken => Unsigned::CrcToken,
            Self::Head => Unsigned::Head,
            Self::Header(header) => Unsigned::Header(header),
            Self::HeaderToJson { header, field } => Unsigned::HeaderToJson { header, field },
            Self::PostQuery(parameter) => Unsigned::PostQuery(parameter),
            Self::Query(parameter) => Unsigned::Query(parameter),
            Self::WebHookOrigins(origins) => Unsigned::WebHookOrigins(origins),
            Self::EventGrid
            | Self::PlainToken
            | Self::SignedField { .. }
            | Self::SignedHeader { .. } => return None,
        })
    }

    /// Returns the challenge where it is answered after verification.
    const fn signed(self) -> Option<Signed> {
        Some(match self {
            Self::EventGrid => Signed::EventGrid,
            Self::PlainToken => Signed::PlainToken,
            Self::SignedField { header, value, field } => Signed::Field { header, value, field },
            Self::SignedHeader { header, field, value } => Signed::Header { header, field, value },
            _ => return None,
        })
    }

    /// Returns whether a request with this head asks so, without a signature.
    pub(crate) fn is_asked(self, head: &Parts) -> bool {
        self.unsigned().is_some_and(|challenge| challenge.matches(head))
    }

    /// Returns the answer to an unsigned challenge; `None` for every other request, which is verified.
    pub(crate) fn before_verification(
        self,
        head: &Parts,
        sign: Option<SignToken<'_>>,
    ) -> Option<Result<Response<Bytes>, Rejection>> {
        let challenge = self.unsigned().filter(|challenge| challenge.matches(head))?;
        if self.is_keyed() && sign.is_none() {
            return None;
        }
        let answer = challenge.answer(head, sign);
        Some(answer.map_err(Rejection::new))
    }

    /// Returns the answer to a signed challenge; `None` for every other request, which is the handler's.
    ///
    /// It is asked for after verification only. The header of `SignedField` is not signed, but
    /// whoever changes it on a captured request learns what that request's sender wrote, and
    /// keeps the request from the handler, which he could do by not sending it.
    pub(crate) fn after_verification(
        self,
        head: &Parts,
        body: &[u8],
        sign: Option<SignToken<'_>>,
    ) -> Option<Result<Response<Bytes>, Rejection>> {
        let is_asked = |it: &Signed| head.method == Method::POST && it.matches(head, body);
        let challenge = self.signed().filter(is_asked)?;
        if self.is_keyed() && sign.is_none() {
            return None;
        }
        // No challenge falls through to the handler.
        Some(challenge.answer(head, body, sign).ok_or_else(malformed))
    }
}

/// A challenge that is incomplete or out of form.
pub(crate) const fn malformed() -> Rejection {
    Rejection::new(RejectionKind::ChallengeMalformed)
}
