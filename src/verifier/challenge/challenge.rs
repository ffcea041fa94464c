//! The declaration of a challenge.

use bytes::Bytes;
use http::{HeaderName, Method, Response, request::Parts};

use crate::{
    outcome::{kind::RejectionKind, rejection::Rejection},
    verifier::challenge::{response::SignToken, signed::Signed, unsigned::Unsigned},
};

/// An endpoint-verification challenge, and the response that the provider expects.
///
/// The handler never sees a challenge. A challenge is at most 256 bytes long, and the layer rejects
/// a malformed one with `400 Bad Request`. Text is sent back as `text/plain` with `nosniff`, so
/// that no browser runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// Unsigned: a GET with `crc_token` in the query. The response is
    /// `{"response_token":"sha256=<base64>"}`, with the HMAC-SHA256 of the token under the first
    /// secret. X sends it every day.
    ///
    /// Anyone can obtain the HMAC of a token they choose. To keep that from being usable as a
    /// request signature, a token has only letters, digits and `-._~+/=`. If the scheme signs only
    /// the body, a body of only these characters is rejected. A scheme that signs more than the
    /// body must have a literal that no token contains.
    CrcToken,
    /// Verified: a POST with `aeg-event-type: SubscriptionValidation`. The response is
    /// `{"validationResponse":"<code>"}`, with the text `data.validationCode` of the first event in
    /// the body as the code. Azure Event Grid sends it. The code is restricted as described for
    /// [`CrcToken`](Self::CrcToken).
    EventGrid,
    /// Unsigned: a GET with this header. The response is the header's value. Worldline sends it.
    Header(&'static str),
    /// Unsigned: a GET with `header`. The response is `{"<field>":"<value>"}`. Okta sends it. The
    /// value is restricted as described for [`CrcToken`](Self::CrcToken).
    HeaderToJson {
        /// Name of the header that carries the challenge.
        header: &'static str,
        /// Name of the field in the response.
        field: &'static str,
    },
    /// Unsigned: a HEAD request. The response is an empty `200 OK`, which reveals and proves
    /// nothing. Trello and Intercom send it.
    Head,
    /// Signed: a POST with `"event":"endpoint.url_validation"` and the text `payload.plainToken`.
    /// The response is `{"plainToken":…,"encryptedToken":"<hex>"}`, with the token and its
    /// HMAC-SHA256 under the first secret. Zoom sends it every three days. The token is restricted
    /// as described for [`CrcToken`](Self::CrcToken).
    PlainToken,
    /// Unsigned: a POST with this parameter in the query. The response is the parameter's value.
    /// The body is not read, and no such POST reaches the handler. Microsoft Graph sends it with
    /// `validationToken`.
    PostQuery(&'static str),
    /// Unsigned: a GET with this parameter in the query. The response is the parameter's value.
    /// Dropbox and Nylas send it.
    Query(&'static str),
    /// Signed: a POST whose `header` has this `value`. The response is the text in the body's
    /// `field`. Twitch sends it.
    SignedField {
        /// Name of the header that identifies a challenge.
        header: &'static str,
        /// Value of the header on a challenge.
        value: &'static str,
        /// Name of the field of the JSON body that holds the challenge.
        field: &'static str,
    },
    /// Signed: a POST whose body has this `value` in `field`. The response is the text in `header`.
    /// Front sends it.
    SignedHeader {
        /// Name of the header that carries the challenge.
        header: &'static str,
        /// Name of the field of the JSON body that identifies a challenge.
        field: &'static str,
        /// Text of the field on a challenge.
        value: &'static str,
    },
    /// Unsigned: an OPTIONS request with `WebHook-Request-Origin`. The response carries
    /// `WebHook-Allowed-Origin` if the origin is in this list, whatever its case, and is
    /// `404 Not Found` otherwise. CloudEvents senders send it; the origin of Azure Event Grid is
    /// `eventgrid.azure.net`. The response only permits a sender to deliver here. Every delivery is
    /// still verified.
    WebHookOrigins(&'static [&'static str]),
}

impl Challenge {
    /// Returns `true` if the response contains an HMAC-SHA256 under the secret.
    pub(crate) const fn is_keyed(self) -> bool {
        matches!(self, Self::CrcToken | Self::PlainToken)
    }

    /// Returns `true` if the name of its header can occur in a request.
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

    /// Returns the challenge if it is answered before verification.
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

    /// Returns the challenge if it is answered after verification.
    const fn signed(self) -> Option<Signed> {
        Some(match self {
            Self::EventGrid => Signed::EventGrid,
            Self::PlainToken => Signed::PlainToken,
            Self::SignedField { header, value, field } => Signed::Field { header, value, field },
            Self::SignedHeader { header, field, value } => Signed::Header { header, field, value },
            _ => return None,
        })
    }

    /// Returns `true` if a request with this head is this challenge, unsigned.
    pub(crate) fn is_asked(self, head: &Parts) -> bool {
        self.unsigned().is_some_and(|challenge| challenge.matches(head))
    }

    /// Returns the response to an unsigned challenge, or `None` for any other request, which is
    /// then verified.
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

    /// Returns the response to a signed challenge, or `None` for any other request, which is for
    /// the handler.
    ///
    /// It is called only after verification. The header of `SignedField` is not signed. An attacker
    /// who changes it on a captured request learns the text that the request's sender wrote, and
    /// keeps the request from the handler, which the attacker could also do by not sending the
    /// request.
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
        // A malformed challenge must not reach the handler.
        Some(challenge.answer(head, body, sign).ok_or_else(malformed))
    }
}

/// Returns the rejection of a challenge that is incomplete or malformed.
pub(crate) const fn malformed() -> Rejection {
    Rejection::new(RejectionKind::ChallengeMalformed)
}
