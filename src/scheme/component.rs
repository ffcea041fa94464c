//! Where the parts of a signature stand.

/// One part of the signed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Component {
    /// The body as received.
    Body,
    /// Another header's value.
    Header(&'static str),
    /// Another header's value, which must be an HTTP date such as `Tue, 14 Apr 2026 03:50:12 GMT`; the
    /// comma may be missing, and `UTC` stand for `GMT`. Its age is judged where [`Scheme::time`](crate::Scheme::time) names
    /// the same header. No literal is needed between it and the body.
    HttpDate(&'static str),
    /// The request's host as received: the `Host` header, or `:authority` of HTTP/2. A proxy may have written another
    /// one.
    Host,
    /// The delivery's id, which then counts as signed.
    Id,
    /// Fixed text.
    Literal(&'static str),
    /// The request's method.
    Method,
    /// The path of the request as received, without the query. A router may have cut its beginning.
    Path,
    /// The query of the request as received, without the `?`; empty where there is none.
    Query,
    /// The time's text as received, never a re-print of what was read from it.
    Time,
    /// The URL that the provider was given; see [`Scheme::verifier_at`](crate::Scheme::verifier_at).
    Url,
}

/// Where the signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureSource {
    /// `Authorization`, under this scheme.
    Authorization(&'static str),
    Header(&'static str),
    /// At least one of these; while secrets are rolled, several.
    Headers(&'static [&'static str]),
}

/// Where the time stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimestampSource {
    /// A header of its own.
    Header(&'static str),
    /// A top-level field of the JSON body, a string or a number. It is read after the signature
    /// has been found good. A body without the field is refused.
    Json(&'static str),
    /// The signature's own header, where its format says.
    Signature,
}
