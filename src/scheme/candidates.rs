//! What a scheme finds in a request's head: signatures and the time.

use http::request::Parts;

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        encoding::MAX_TAG,
        headers::{credentials, optional, required},
        timestamp::Timestamp,
    },
    scheme::{
        asymmetric,
        declaration::{Scheme, SignatureSource, TimestampSource},
        signature_format::MAX_CANDIDATES,
    },
    verifier::first_contact::HeaderNames,
};

/// Sees a candidate's bytes, or `None` for one that cannot be decoded.
pub(crate) type VisitCandidate<'a> = dyn FnMut(Option<&[u8]>) -> Result<(), Rejection> + 'a;

impl SignatureSource {
    /// Returns them as the layer's defaults have them.
    pub(crate) const fn names(&self) -> HeaderNames {
        match self {
            Self::Authorization(_) => HeaderNames::One("authorization"),
            Self::Header(name) => HeaderNames::One(name),
            Self::Headers(names) => HeaderNames::Any(names),
        }
    }

    /// Returns all headers in which a signature may stand.
    pub(crate) const fn headers(&self) -> &[&'static str] {
        match self {
            Self::Authorization(_) => &["authorization"],
            Self::Header(name) => std::slice::from_ref(name),
            Self::Headers(names) => names,
        }
    }
}

impl Scheme {
    /// Calls `visit` with the value of each signature header.
    pub(crate) fn each_signature<'a>(
        &self,
        head: &'a Parts,
        visit: &mut dyn FnMut(&'a [u8]) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        match self.source {
            SignatureSource::Header(name) => visit(required(head, name)?),
            SignatureSource::Headers(names) => {
                let mut is_missing = true;
                for name in names {
                    if let Some(value) = optional(head, name)?.filter(|value| !value.is_empty()) {
                        is_missing = false;
                        visit(value)?;
                    }
                }
                if is_missing { Err(Rejection::missing(names[0])) } else { Ok(()) }
            }
            SignatureSource::Authorization(scheme) => visit(credentials(head, scheme)?),
        }
    }

    /// All headers in which a signature may stand.
    pub(crate) const fn signature_headers(&self) -> &[&'static str] {
        self.source.headers()
    }

    pub(crate) const fn signature_field(&self) -> &'static str {
        match self.source {
            SignatureSource::Authorization(_) => "authorization",
            SignatureSource::Header(name) => name,
            SignatureSource::Headers(names) => names[0],
        }
    }

    /// Calls `visit` with each candidate signature, `None` for one that cannot be decoded: beside a
    /// good one it is no reason to lose a genuine delivery.
    pub(crate) fn each_candidate(
        &self,
        head: &Parts,
        visit: &mut VisitCandidate<'_>,
    ) -> Result<(), Rejection> {
        if !self.algorithm.has_fixed_len() {
            return asymmetric::each_candidate(self, head, visit);
        }
        let mut buffer = [0; MAX_TAG];
        let tag = &mut buffer[..self.algorithm.tag_len()];
        self.each_signature(head, &mut |value| {
            for text in self.signature_format.candidates(value) {
                let is_readable = self.encoding.decode(text, tag).is_some();
                visit(is_readable.then_some(&*tag))?;
            }
            Ok(())
        })
    }

    /// Refuses a head without a candidate, or with so many that checking them is the attack.
    pub(crate) fn check_candidates(&self, head: &Parts) -> Result<(), Rejection> {
        let malformed = || Rejection::malformed(self.signature_field());
        let (mut count, mut is_readable) = (0, false);
        self.each_candidate(head, &mut |candidate| {
            count += 1;
            is_readable |= candidate.is_some();
            if count > MAX_CANDIDATES { Err(malformed()) } else { Ok(()) }
        })?;
        if is_readable { Ok(()) } else { Err(malformed()) }
    }

    /// The signed time's text, where it stands in the head.
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

    pub(crate) fn head_time(&self, head: &Parts) -> Result<Option<Timestamp>, Rejection> {
        let (Some(text), Some((_, format))) = (self.time_text(head)?, self.time) else {
            return Ok(None);
        };
        Timestamp::parse(text, format)
            .map(Some)
            .ok_or_else(|| self.blame_time(Rejection::new(RejectionKind::Malformed)))
    }

    pub(crate) fn blame_time(&self, rejection: Rejection) -> Rejection {
        match self.time {
            Some((TimestampSource::Header(name), _)) => rejection.in_header(name),
            Some((TimestampSource::Json(name), _)) => rejection.with_field(Field::json(name)),
            _ => rejection.in_header(self.signature_field()),
        }
    }
}
