//! Candidate signatures in the head of a request.

use http::request::Parts;

use crate::{
    outcome::rejection::Rejection,
    parse::{
        encoding::{MAX_SIGNATURE, MAX_TAG},
        headers::{credentials, optional, required},
    },
    scheme::{component::SignatureSource, declaration::Scheme, signature_format::MAX_CANDIDATES},
    verifier::first_contact::HeaderNames,
};

/// Callback that receives the bytes of a candidate, or `None` if the candidate cannot be decoded.
pub(crate) type VisitCandidate<'a> = dyn FnMut(Option<&[u8]>) -> Result<(), Rejection> + 'a;

impl SignatureSource {
    /// Returns the names of the signature headers, in the form that the verifier's defaults hold.
    pub(crate) const fn names(&self) -> HeaderNames {
        match self {
            Self::Authorization(_) => HeaderNames::One("authorization"),
            Self::Header(name) => HeaderNames::One(name),
            Self::Headers(names) => HeaderNames::Any(names),
        }
    }

    /// Returns all headers that can hold a signature.
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

    /// Returns all headers that can hold a signature.
    pub(crate) const fn signature_headers(&self) -> &[&'static str] {
        self.source.headers()
    }

    /// Returns the header that a rejection names: the first one that can hold a signature.
    pub(crate) const fn signature_field(&self) -> &'static str {
        match self.source {
            SignatureSource::Authorization(_) => "authorization",
            SignatureSource::Header(name) => name,
            SignatureSource::Headers(names) => names[0],
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
        if !self.algorithm.has_fixed_len() {
            return self.each_candidate_of_any_length(head, visit);
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

    /// Calls `visit` with each candidate signature, for algorithms whose signatures vary in length.
    fn each_candidate_of_any_length(
        &self,
        head: &Parts,
        visit: &mut VisitCandidate<'_>,
    ) -> Result<(), Rejection> {
        let (mut buffer, max) = ([0; MAX_SIGNATURE + 2], self.algorithm.tag_len());
        self.each_signature(head, &mut |value| {
            let mut candidates = self.signature_format.candidates(value);
            candidates
                .try_for_each(|text| visit(self.encoding.decode_up_to(max, text, &mut buffer)))
        })
    }

    /// Checks the signatures, the required headers and the delivery ID in a head.
    pub(crate) fn check_head(&self, head: &Parts) -> Result<(), Rejection> {
        self.check_candidates(head)?;
        for (name, value) in self.required {
            if required(head, name)? != value.as_bytes() {
                return Err(Rejection::malformed(*name));
            }
        }
        if let Some(name) = self.delivery_id {
            optional(head, name)?; // rejects a repeated header
        }
        Ok(())
    }

    /// Checks that a head has a readable candidate, and at most [`MAX_CANDIDATES`].
    ///
    /// Without the limit, a sender could exhaust the server by the number of signatures to check.
    fn check_candidates(&self, head: &Parts) -> Result<(), Rejection> {
        let malformed = || Rejection::malformed(self.signature_field());
        let (mut count, mut is_readable) = (0, false);
        self.each_candidate(head, &mut |candidate| {
            count += 1;
            is_readable |= candidate.is_some();
            if count > MAX_CANDIDATES { Err(malformed()) } else { Ok(()) }
        })?;
        if is_readable { Ok(()) } else { Err(malformed()) }
    }
}
