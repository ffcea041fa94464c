//! Candidate signatures in the head of a request.

use http::request::Parts;

use crate::{
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection},
    parse::{
        encoding::{MAX_SIGNATURE, MAX_TAG},
        headers::{credentials, lines, optional, raw_parameter, required},
    },
    scheme::{
        component::SignatureSource,
        declaration::Scheme,
        signature_format::{MAX_CANDIDATES, TimeText},
    },
    verifier::first_contact::HeaderNames,
};

/// Callback that receives the bytes of a candidate, or `None` if the candidate cannot be decoded.
pub(crate) type VisitCandidate<'a> = dyn FnMut(Option<&[u8]>) -> Result<(), Rejection> + 'a;

impl SignatureSource {
    /// Returns the names of the signature headers, in the form that the verifier's defaults hold.
    pub(crate) const fn names(&self) -> HeaderNames {
        match self {
            Self::Authorization(_) => HeaderNames::One("authorization"),
            Self::Header(name) | Self::Lines(name) => HeaderNames::One(name),
            Self::Headers(names) => HeaderNames::Any(names),
            Self::Query(_) => HeaderNames::Any(&[]),
        }
    }

    /// Returns all headers that can hold a signature.
    pub(crate) const fn headers(&self) -> &[&'static str] {
        match self {
            Self::Authorization(_) => &["authorization"],
            Self::Header(name) | Self::Lines(name) => std::slice::from_ref(name),
            Self::Headers(names) => names,
            Self::Query(_) => &[],
        }
    }

    /// Returns `true` if a request has a header or a parameter that can hold a signature.
    pub(crate) fn is_in(&self, head: &Parts) -> bool {
        match self {
            Self::Query(name) => raw_parameter(head, name)
                .map_or_else(|rejection| rejection.kind() != RejectionKind::Missing, |_| true),
            _ => self.headers().iter().any(|name| head.headers.contains_key(*name)),
        }
    }
}

impl Scheme {
    /// Calls `visit` with the value of each signature header.
    #[inline]
    pub(crate) fn each_signature<'a>(
        &self,
        head: &'a Parts,
        mut visit: impl FnMut(&'a [u8]) -> Result<(), Rejection>,
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
            SignatureSource::Lines(name) => {
                let mut is_missing = true;
                for value in lines(head, name) {
                    is_missing = false;
                    visit(value?)?;
                }
                if is_missing { Err(Rejection::missing(name)) } else { Ok(()) }
            }
            SignatureSource::Query(name) => visit(raw_parameter(head, name)?),
        }
    }

    /// Returns all headers that can hold a signature.
    pub(crate) const fn signature_headers(&self) -> &[&'static str] {
        self.source.headers()
    }

    /// Returns the name of the first header, or of the parameter, that can hold a signature.
    pub(crate) const fn signature_name(&self) -> &'static str {
        match self.source {
            SignatureSource::Authorization(_) => "authorization",
            SignatureSource::Header(name)
            | SignatureSource::Lines(name)
            | SignatureSource::Query(name) => name,
            SignatureSource::Headers(names) => names[0],
        }
    }

    /// Adds the place of the signature to a rejection.
    pub(crate) fn with_signature_field(&self, rejection: Rejection) -> Rejection {
        match self.source {
            SignatureSource::Query(name) => rejection.with_field(Field::query(name)),
            _ => rejection.in_header(self.signature_name()),
        }
    }

    /// Calls `visit` with each candidate signature, or with `None` for a candidate that cannot be
    /// decoded.
    ///
    /// An unreadable candidate beside a valid signature does not cause a rejection, so that no
    /// authentic delivery is lost.
    pub(crate) fn each_candidate(
        &self,
        head: &Parts,
        visit: &mut VisitCandidate<'_>,
    ) -> Result<(), Rejection> {
        let max = self.algorithm.tag_len();
        let (mut tag, mut signature) = ([0; MAX_TAG], [0; MAX_SIGNATURE + 2]);
        self.each_signature(head, |value| {
            let read = self.signature_format.read(value, |text| {
                if self.algorithm.has_fixed_len() {
                    let tag = &mut tag[..max];
                    let is_readable = self.encoding.decode(text, tag).is_some();
                    visit(is_readable.then_some(&*tag))
                } else {
                    visit(self.encoding.decode_up_to(max, text, &mut signature))
                }
            });
            read.map(|_| ())
        })
    }

    /// Reads the signature headers once: the candidate signatures, of which there are at most
    /// [`MAX_CANDIDATES`] and at least one that is readable, and the text of the timestamp.
    ///
    /// Without the limit, a sender could exhaust the server by the number of signatures to check.
    pub(crate) fn read_signatures<'a>(
        &self,
        head: &'a Parts,
    ) -> Result<(Received, TimeText<'a>), Rejection> {
        let malformed = || self.with_signature_field(Rejection::new(RejectionKind::Malformed));
        let len = self.algorithm.tag_len();
        let is_short = self.algorithm.has_fixed_len() && len <= MAX_KEPT;
        let (mut first, mut count, mut is_readable) = ([0; MAX_KEPT], 0, false);
        let mut time = TimeText::Absent;
        self.each_signature(head, |value| {
            time = self.signature_format.read(value, |text| {
                count += 1;
                if count > MAX_CANDIDATES {
                    return Err(malformed());
                }
                is_readable |= if is_short && count == 1 {
                    self.encoding.decode(text, &mut first[..len]).is_some()
                } else {
                    self.is_readable(text)
                };
                Ok(())
            })?;
            Ok(())
        })?;
        match (is_readable, count) {
            (false, _) => Err(malformed()),
            (true, 1) if is_short => Ok((Received::One(first), time)),
            (true, _) => Ok((Received::Several, time)),
        }
    }

    fn is_readable(&self, text: &[u8]) -> bool {
        let max = self.algorithm.tag_len();
        if self.algorithm.has_fixed_len() {
            return self.encoding.decode(text, &mut [0; MAX_TAG][..max]).is_some();
        }
        self.encoding.decode_up_to(max, text, &mut [0; MAX_SIGNATURE + 2]).is_some()
    }

    /// Checks the required headers, and returns the delivery ID.
    pub(crate) fn check_headers<'a>(&self, head: &'a Parts) -> Result<Option<&'a [u8]>, Rejection> {
        for (name, value) in self.required {
            if required(head, name)? != value.as_bytes() {
                return Err(Rejection::malformed(*name));
            }
        }
        self.id(head)
    }

    /// Returns the delivery ID.
    pub(crate) fn id<'a>(&self, head: &'a Parts) -> Result<Option<&'a [u8]>, Rejection> {
        match self.delivery_id {
            Some(name) => optional(head, name),
            None => Ok(None),
        }
    }
}

/// Longest tag, in bytes, that is kept from the head to the end of the body.
const MAX_KEPT: usize = 32;

/// The candidate signatures of a request.
pub(crate) enum Received {
    /// The only one, decoded. The algorithm says how many of the bytes count.
    One([u8; MAX_KEPT]),
    /// They are read again at the end of the body.
    Several,
}
