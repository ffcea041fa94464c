//! Components of the signed content, and the places of the signature and the timestamp.

use sha2::{Digest, Sha256, Sha512};

use crate::parse::encoding::Encoding;

/// Component of the signed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Component {
    /// The request body as received.
    Body,
    /// The SHA-256 digest of the request body as received.
    BodySha256(DigestEncoding),
    /// The SHA-512 digest of the request body as received.
    BodySha512(DigestEncoding),
    /// The value of this header.
    Header(&'static str),
    /// The value of this header, which must be an HTTP date such as
    /// `Tue, 14 Apr 2026 03:50:12 GMT`.
    ///
    /// The comma can be missing, and `UTC` can replace `GMT`. The age of the date is checked if
    /// [`Scheme::time`](crate::Scheme::time) names the same header. The date needs no literal
    /// between it and the body.
    HttpDate(&'static str),
    /// The request's host as received: the `Host` header, or `:authority` in HTTP/2.
    ///
    /// A proxy can replace it with another host.
    Host,
    /// The delivery's ID, which then counts as signed.
    Id,
    /// A fixed text.
    Literal(&'static str),
    /// The request method.
    Method,
    /// The request path as received, without the query. A router can remove the beginning of the
    /// path.
    Path,
    /// The request query as received, without the `?`. It is empty if the request has no query.
    Query,
    /// The secret itself, in a plain hash; see [`Scheme::plain_sha256`](crate::Scheme::plain_sha256).
    Secret,
    /// The text of the timestamp as received. It is never formatted again from the parsed value.
    Time,
    /// The URL that the provider was given; see
    /// [`Scheme::verifier_at`](crate::Scheme::verifier_at).
    Url,
}

/// Form of a digest in the signed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestEncoding {
    /// Standard base64 with padding.
    Base64,
    /// Hexadecimal in small letters.
    Hex,
    /// The bytes themselves.
    Raw,
}

impl DigestEncoding {
    /// Calls `visit` with a digest in this form.
    fn write(self, digest: &[u8], visit: impl FnOnce(&[u8])) {
        match self {
            Self::Base64 => visit(Encoding::Base64.encode(digest).as_bytes()),
            Self::Hex => visit(Encoding::Hex.encode(digest).as_bytes()),
            Self::Raw => visit(digest),
        }
    }
}

/// Digest of the part of a body that has arrived.
#[derive(Clone)]
pub(crate) struct BodyDigest {
    hash: BodyHash,
    form: DigestEncoding,
}

#[derive(Clone)]
enum BodyHash {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl BodyDigest {
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        match &mut self.hash {
            BodyHash::Sha256(hash) => hash.update(chunk),
            BodyHash::Sha512(hash) => hash.update(chunk),
        }
    }

    /// Calls `visit` with the digest in its form.
    pub(crate) fn finish(self, visit: impl FnOnce(&[u8])) {
        match self.hash {
            BodyHash::Sha256(hash) => self.form.write(&hash.finalize(), visit),
            BodyHash::Sha512(hash) => self.form.write(&hash.finalize(), visit),
        }
    }
}

impl Component {
    /// Returns `true` if this component covers the body.
    pub(crate) const fn is_body(self) -> bool {
        matches!(self, Self::Body | Self::BodySha256(_) | Self::BodySha512(_))
    }

    /// Returns the digest that this component is, or `None` for another component.
    pub(crate) fn body_digest(self) -> Option<BodyDigest> {
        let (hash, form) = match self {
            Self::BodySha256(form) => (BodyHash::Sha256(Sha256::new()), form),
            Self::BodySha512(form) => (BodyHash::Sha512(Sha512::new()), form),
            _ => return None,
        };
        Some(BodyDigest { hash, form })
    }
}

/// Returns `true` if this component exists and does not mark the end of the one next to it.
pub(crate) fn is_open(part: Option<&Component>) -> bool {
    part.is_some_and(|part| !matches!(part, Component::Literal(_)))
}

/// Place of the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureSource {
    /// The `Authorization` header, with this authentication scheme.
    Authorization(&'static str),
    /// This header.
    Header(&'static str),
    /// At least one of these headers. Several can be present during a rotation of secrets.
    Headers(&'static [&'static str]),
    /// This header, in one line or in several.
    Lines(&'static str),
    /// This parameter of the query.
    Query(&'static str),
}

/// Place of the timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampSource {
    /// A separate header.
    Header(&'static str),
    /// A top-level field of the JSON body, which holds a string or a number.
    ///
    /// It is read after the signature has been verified. A body without the field is rejected.
    Json(&'static str),
    /// The signature header, in the place that the signature format defines.
    Signature,
}
