//! What a scheme finds in a request's head: signatures and the time.

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

    /// As [`each_candidate`](Self::each_candidate), for algorithms whose signatures have no one length.
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

    /// Refuses a head whose signatures, fixed headers or delivery id are out of form.
    pub(crate) fn check_head(&self, head: &Parts) -> Result<(), Rejection> {
        self.check_candidates(head)?;
        for (name, value) in self.required {
            if required(head, name)? != value.as_bytes() {
                return Err(Rejection::malformed(*name));
            }
        }
        if let Some(name) = self.delivery_id {
            optional(head, name)?; // not twice (T-10)
        }
        Ok(())
    }

    /// Refuses a head without a candidate, or with so many that checking them is the attack.
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
