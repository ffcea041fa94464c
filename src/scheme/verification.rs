//! Verification of requests by a declared scheme.

use std::{fmt, iter, mem};

use bytes::Bytes;
use http::{HeaderValue, Response, request::Parts};
use subtle::Choice;

use crate::{
    crypto::mac::{Algorithm, KeyMatch, Mac, Tag},
    error::MAX_SECRETS,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{headers::optional, timestamp::Timestamp},
    scheme::{
        asymmetric::Content,
        component::Component,
        signed_content::Side,
        verifier::{Inner, Keys, SchemeVerifier},
    },
    verifier::{
        challenge::{
            challenge::Challenge,
            response::{SignToken, is_token},
        },
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// State of a verification, from the head to the end of the body.
#[doc(hidden)]
pub struct SchemeState {
    signed: Signed,
    time: Option<Timestamp>,
}

/// Signed content that has been read so far.
enum Signed {
    Finished,
    Keyed(Keyed),
    Plain(Content),
}

struct Keyed {
    first: Mac,
    /// It is empty, and needs no allocation, while there is one secret.
    rest: Vec<Mac>,
}

impl Signed {
    fn before_body(&mut self, bytes: &[u8]) {
        match self {
            Self::Keyed(keyed) => keyed.update(bytes),
            Self::Plain(content) => content.before_body(bytes),
            Self::Finished => {}
        }
    }

    fn body(&mut self, chunk: &[u8]) {
        match self {
            Self::Keyed(keyed) => keyed.update(chunk),
            Self::Plain(content) => content.body(chunk),
            Self::Finished => {}
        }
    }
}

impl Keyed {
    fn update(&mut self, bytes: &[u8]) {
        self.first.update(bytes);
        for mac in &mut self.rest {
            mac.update(bytes);
        }
    }
}

impl Keys {
    /// Starts to read signed content with these keys.
    fn begin(&self, algorithm: Algorithm) -> Result<Signed, Rejection> {
        Ok(match self {
            Self::Secret(macs) => {
                let mut macs = macs.iter().cloned();
                // The constructor rejects an empty list of secrets.
                let first = macs.next().ok_or(Rejection::mismatch())?;
                Signed::Keyed(Keyed { first, rest: macs.collect() })
            }
            Self::Public(keys) => Signed::Plain(keys.content(algorithm)),
        })
    }
}

impl Verifier for SchemeVerifier {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        let head = request.head();
        let inner = &*self.family(head).0;
        inner.scheme.check_head(head)?;
        let time = inner.scheme.head_time(head)?;
        let time = inner.scheme.judge_time(time, request.clock())?;
        let mut signed = inner.keys.begin(inner.scheme.algorithm)?;
        inner.each_part(Side::BeforeBody, head, &mut |bytes| signed.before_body(bytes))?;
        // The components after the body are checked now, so that a malformed head is rejected
        // before the body is read.
        inner.each_part(Side::AfterBody, head, &mut |_| {})?;
        Ok(SchemeState { signed, time })
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        state.signed.body(chunk);
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let (head, clock) = (request.head(), request.clock());
        let inner = &*self.family(head).0;
        self.0.refuse_challenge_token(inner, body)?;
        inner.check_edges(body)?;
        let signed = mem::replace(&mut state.signed, Signed::Finished);
        let matched = inner.match_keys(signed, head, body);
        let (key_index, tag) = matched.map_err(|rejection| inner.name_url(rejection, head))?;
        let time = inner.scheme.time_at_end(state.time, body, clock)?;

        let mut verified = inner.proof(head, &tag)?.with_key_index(key_index);
        // A family uses the event ID of the main scheme.
        verified = verified.with_event_id(self.0.scheme.event_id);
        if let Some(time) = time {
            verified = time.record(verified, inner.scheme.judges(), clock);
        }
        if let Some(tag) = self.0.legacy_identity(inner, head, body) {
            verified.set_identity(tag.as_bytes());
        }
        let reply = || {
            inner.answer_challenge(|challenge, sign| challenge.after_verification(head, body, sign))
        };
        Outcome::Accept(verified).or_reply(reply)
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        let head = request.head();
        self.0.answer_challenge(|challenge, sign| challenge.before_verification(head, sign))
    }

    fn defaults(&self) -> VerifierDefaults {
        self.0.scheme.defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.0.scheme.sensitive_parts()
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.probe(probe);
    }
}

impl Inner {
    /// Rejects a body whose signature can be the response to a challenge, because anyone can obtain
    /// that response.
    fn refuse_challenge_token(&self, family: &Self, body: &[u8]) -> Result<(), Rejection> {
        let is_told = self.scheme.challenge.is_some_and(Challenge::is_keyed)
            && family.scheme.signed_content == [Component::Body]
            && is_token(body);
        if is_told { Err(Rejection::mismatch()) } else { Ok(()) }
    }

    /// Rejects a body whose beginning could be the end of the component before it, or whose end
    /// could be the beginning of the component after it.
    fn check_edges(&self, body: &[u8]) -> Result<(), Rejection> {
        let [before, after] = self.open_sides;
        // An empty body would not separate two components of variable length.
        let is_empty = before && after && body.is_empty();
        let is_cut = is_empty
            || before && self.scheme.is_cut(body.iter())
            || after && self.scheme.is_cut(body.iter().rev());
        if is_cut { Err(Rejection::malformed_in(Field::Body)) } else { Ok(()) }
    }

    /// Returns the index of the key that made a signature, and the tag that identifies the
    /// delivery.
    fn match_keys(
        &self,
        signed: Signed,
        head: &Parts,
        body: &[u8],
    ) -> Result<(usize, Tag), Rejection> {
        match (signed, &self.keys) {
            (Signed::Keyed(keyed), Keys::Secret(_)) => self.match_tags(keyed, head),
            (Signed::Plain(content), Keys::Public(keys)) => {
                let mut after_body = Vec::new();
                let mut add = |bytes: &[u8]| after_body.extend_from_slice(bytes);
                self.each_part(Side::AfterBody, head, &mut add)?;
                keys.match_content(&self.scheme, head, content, body, &after_body)
            }
            // The state of another verifier proves nothing, and neither does a state that is used
            // twice.
            _ => Err(Rejection::mismatch()),
        }
    }

    /// Returns the proof of a request with a valid signature, without its key index and timestamp.
    fn proof(&self, head: &Parts, tag: &Tag) -> Result<Verified, Rejection> {
        let scheme = &self.scheme;
        let verified = Verified::new(scheme.defaults.provider);
        let mut verified = verified.with_signed_body();
        if scheme.has_unique_content {
            verified = verified.with_unique_content();
        }
        let is_signed = scheme.signs_id();
        let id = scheme.delivery_id.map(|name| optional(head, name)).transpose()?.flatten();
        // A signed ID identifies a delivery. Without one, the tag under the oldest secret does: a
        // sender who omits one of two signatures must not create a new delivery.
        match id.filter(|_| is_signed) {
            Some(id) if scheme.numbers_without_a_name() => {
                verified.set_identity(&self.identity_without_a_name(id));
            }
            Some(id) => verified.set_identity(id),
            None => verified.set_identity(tag.as_bytes()),
        }
        if let Some(id) = id.and_then(|id| HeaderValue::from_bytes(id).ok()) {
            verified = verified.with_delivery_id(id, is_signed);
        }
        Ok(verified)
    }

    /// Returns the replay material of a delivery with this signed ID, for a scheme without a name.
    ///
    /// The ID is not enough: another scheme without a name, and another sender of this scheme, can
    /// use the same IDs.
    fn identity_without_a_name(&self, id: &[u8]) -> Vec<u8> {
        let Self { scheme, keys, sender, .. } = self;
        let [signature, name] = [scheme.signature_field(), scheme.delivery_id.unwrap_or("")];
        let sender = match (sender, keys) {
            (_, Keys::Public(keys)) => keys.oldest(),
            (sender, Keys::Secret(_)) => sender.as_ref().map_or(&[][..], Tag::as_bytes),
        };
        [signature.as_bytes(), name.as_bytes(), sender, id].join(&0)
    }

    /// Returns the replay material of a delivery that the legacy scheme accepted: the tag by the
    /// scheme itself.
    ///
    /// If an attacker removes the newer header from a captured delivery, the result must not be a
    /// new delivery.
    fn legacy_identity(&self, family: &Self, head: &Parts, body: &[u8]) -> Option<Tag> {
        let legacy = &*self.legacy.as_ref()?.0;
        let is_legacy = std::ptr::eq(legacy, family) && !family.scheme.signs_id();
        is_legacy.then(|| self.oldest_tag(head, body)).flatten()
    }

    /// Returns the tag of a request under the oldest secret.
    ///
    /// Returns `None` for public keys, and if a signed component is missing.
    fn oldest_tag(&self, head: &Parts, body: &[u8]) -> Option<Tag> {
        let mut mac = self.keys.macs().last()?.clone();
        self.each_part(Side::BeforeBody, head, &mut |bytes| mac.update(bytes)).ok()?;
        mac.update(body);
        self.each_part(Side::AfterBody, head, &mut |bytes| mac.update(bytes)).ok()?;
        Some(mac.finalize())
    }

    /// Returns the index of the first secret that made a signature, and the tag under the oldest
    /// secret.
    ///
    /// A rotation does not change that tag until the oldest secret is removed.
    fn match_tags(&self, mut keyed: Keyed, head: &Parts) -> Result<(usize, Tag), Rejection> {
        self.each_part(Side::AfterBody, head, &mut |bytes| keyed.update(bytes))?;

        let first = keyed.first.finalize();
        let rest: Vec<Tag> = keyed.rest.into_iter().map(Mac::finalize).collect();
        // Each candidate is decoded once for all secrets.
        let mut matches = [Choice::from(0); MAX_SECRETS];
        self.scheme.each_candidate(head, &mut |candidate| {
            if let Some(candidate) = candidate {
                for (is_match, tag) in matches.iter_mut().zip(iter::once(&first).chain(&rest)) {
                    *is_match |= tag.matches(candidate);
                }
            }
            Ok(())
        })?;
        let mut matched = KeyMatch::new();
        for (index, is_match) in matches.into_iter().take(1 + rest.len()).enumerate() {
            matched.add(index, is_match);
        }
        let key_index = matched.accepted()?;
        Ok((key_index, rest.last().copied().unwrap_or(first)))
    }

    /// Calls `answer` with the scheme's challenge and, if the keys are secrets, a function that
    /// signs with the first one.
    fn answer_challenge<T>(
        &self,
        answer: impl FnOnce(Challenge, Option<SignToken<'_>>) -> Option<T>,
    ) -> Option<T> {
        let challenge = self.scheme.challenge?;
        let Some(mac) = self.keys.macs().first() else { return answer(challenge, None) };
        let sign = |token: &[u8]| {
            let mut mac = mac.clone();
            mac.update(token);
            mac.finalize().as_bytes().to_vec()
        };
        answer(challenge, Some(&sign))
    }

    /// Adds the signed URL, or the signed parts of it, to a signature mismatch.
    fn name_url(&self, rejection: Rejection, head: &Parts) -> Rejection {
        let is_mismatch = rejection.kind() == RejectionKind::SignatureMismatch;
        match self.scheme.url_text(head, self.url.as_ref()) {
            Some(url) if is_mismatch => rejection.with_signed_url(url),
            _ => rejection,
        }
    }

    /// Calls `sink` with the bytes of each component on this side of the body.
    pub(crate) fn each_part(
        &self,
        side: Side,
        head: &Parts,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        self.scheme.each_part(side, head, self.url.as_ref(), sink)
    }
}

impl fmt::Debug for SchemeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemeState").finish_non_exhaustive()
    }
}
