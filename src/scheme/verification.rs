//! Verification of requests by a declared scheme.

use std::mem;

use bytes::Bytes;
use http::{HeaderValue, Response, request::Parts};

use crate::{
    crypto::{mac::Tag, secret_hash::SecretHash},
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    scheme::{
        component::Component,
        signed_content::{self, Piece, Read, Side},
        state::{SchemeState, Signed},
        verifier::{Inner, Keys, SchemeVerifier},
    },
    verifier::{
        challenge::{
            challenge::Challenge,
            response::{SignToken, is_token},
        },
        context::Context,
        defaults::VerifierDefaults,
        delegate,
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

impl Verifier for SchemeVerifier {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        delegate::begin(self, request)
    }

    fn begin_in(
        &self,
        request: &Context<'_>,
        state: &mut Option<SchemeState>,
    ) -> Result<(), Rejection> {
        let head = request.head();
        let inner = &*self.family(head).0;
        let scheme = &inner.scheme;
        let (received, in_signature) = scheme.read_signatures(head)?;
        let id = scheme.check_headers(head)?;
        let text = scheme.time_text(head, in_signature)?;
        let time = match text {
            Some(text) => Some(scheme.judge_time(scheme.parse_time(text)?, request.clock())?),
            None => None,
        };
        let (signed, rest) = match &inner.keys {
            Keys::Secret(macs) => {
                // The constructor rejects an empty list of secrets.
                let Some((first, rest)) = macs.split_first() else {
                    return Err(Rejection::mismatch());
                };
                (Signed::Keyed(first.clone()), rest.to_vec())
            }
            Keys::Public(keys) => {
                (Signed::Plain(Box::new(keys.content(scheme.algorithm))), Vec::new())
            }
            Keys::Hashed(hashes) => (Signed::Hashed(hashes.clone()), Vec::new()),
        };
        // Nothing is dropped then, so the state is built where it stays.
        *state = None;
        let state = state.insert(SchemeState { signed, rest, received, time });
        let read = Read { id, time: text };
        if let Keys::Hashed(_) = inner.keys {
            inner.each_piece(Side::BeforeBody, head, read, state)?;
        } else {
            inner.each_part(Side::BeforeBody, head, read, |bytes| state.before_body(bytes))?;
        }
        if let Some(digest) = &inner.digest {
            state.digest_body(digest.clone());
        }
        // The components after the body are checked now, so that a malformed head is rejected
        // before the body is read.
        inner.each_part(Side::AfterBody, head, read, |_| {})
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        state.body(chunk);
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        delegate::finish(self, state, request, body)
    }

    fn finish_in(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
        proof: &mut Verified,
    ) -> Result<Option<Response<Bytes>>, Rejection> {
        let head = request.head();
        let inner = &*self.family(head).0;
        self.0.refuse_challenge_token(inner, body)?;
        inner.check_edges(body)?;
        let mut tag = Tag::empty();
        let key_index = match inner.match_keys(state, head, body, &mut tag) {
            Ok(key_index) => key_index,
            Err(rejection) => return Err(inner.name_url(rejection, head)),
        };
        let time = match state.time {
            Some(time) => Some(time),
            None => inner.scheme.body_time(body, request.clock())?,
        };
        let reply = match inner.scheme.challenge {
            Some(_) => inner.reply(head, body)?,
            None => None,
        };
        let id = inner.scheme.id(head)?;

        proof.set_provider(inner.scheme.defaults.provider);
        proof.set_key_index(key_index);
        proof.body_is_signed = true;
        proof.has_unique_content = inner.scheme.has_unique_content;
        // A family uses the event ID of the main scheme.
        proof.event_id = self.0.scheme.event_id;
        inner.identify(proof, id, &tag);
        if let Some(time) = time {
            time.record(proof);
        }
        if let Some(tag) = self.0.legacy_identity(inner, head, body) {
            proof.set_identity(tag.as_bytes());
        }
        Ok(reply)
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
    #[inline]
    pub(crate) fn check_edges(&self, body: &[u8]) -> Result<(), Rejection> {
        let [before, after] = self.open_sides;
        // An empty body would not separate two components of variable length.
        let is_empty = before && after && body.is_empty();
        let is_cut = is_empty
            || before && self.scheme.is_cut(body.iter())
            || after && self.scheme.is_cut(body.iter().rev())
            // Whoever extends a hash adds its padding, which ends with a length of eight bytes. The
            // first of them are zero.
            || self.is_extendable && body.contains(&0);
        if is_cut { Err(Rejection::malformed_in(Field::Body)) } else { Ok(()) }
    }

    /// Returns the index of the key that made a signature, and writes the tag that identifies the
    /// delivery.
    fn match_keys(
        &self,
        state: &mut SchemeState,
        head: &Parts,
        body: &[u8],
        tag: &mut Tag,
    ) -> Result<usize, Rejection> {
        let body = if state.end_of_body() { &[] } else { body };
        match (&state.signed, &self.keys) {
            (Signed::Keyed(_), Keys::Secret(_)) => {
                self.each_part(Side::AfterBody, head, Read::default(), |bytes| state.body(bytes))?;
                self.match_tags(state, head, tag)
            }
            (Signed::Plain(_), Keys::Public(keys)) => {
                let mut after_body = Vec::new();
                let add = |bytes: &[u8]| after_body.extend_from_slice(bytes);
                self.each_part(Side::AfterBody, head, Read::default(), add)?;
                match mem::replace(&mut state.signed, Signed::Finished) {
                    Signed::Plain(content) => {
                        let matched =
                            keys.match_content(&self.scheme, head, *content, body, &after_body);
                        let (key_index, of_content) = matched?;
                        *tag = of_content;
                        Ok(key_index)
                    }
                    _ => Err(Rejection::mismatch()),
                }
            }
            (Signed::Hashed(_), Keys::Hashed(_)) => {
                self.each_piece(Side::AfterBody, head, Read::default(), state)?;
                match mem::replace(&mut state.signed, Signed::Finished) {
                    Signed::Hashed(hashes) => {
                        let tags: Vec<_> = hashes.into_iter().map(SecretHash::finalize).collect();
                        self.match_each(&tags, head, tag)
                    }
                    _ => Err(Rejection::mismatch()),
                }
            }
            // The state of another verifier proves nothing, and neither does a state that is used
            // twice.
            _ => Err(Rejection::mismatch()),
        }
    }

    /// Adds the delivery's ID and its replay material to the proof.
    fn identify(&self, verified: &mut Verified, id: Option<&[u8]>, tag: &Tag) {
        let scheme = &self.scheme;
        let is_signed = scheme.signs_id();
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
            verified.delivery_id = Some(id);
            verified.delivery_id_is_signed = is_signed;
        }
    }

    /// Returns the replay material of a delivery with this signed ID, for a scheme without a name.
    ///
    /// The ID is not enough: another scheme without a name, and another sender of this scheme, can
    /// use the same IDs.
    #[cold]
    fn identity_without_a_name(&self, id: &[u8]) -> Vec<u8> {
        let Self { scheme, keys, sender, .. } = self;
        let [signature, name] = [scheme.signature_name(), scheme.delivery_id.unwrap_or("")];
        let sender = match (sender, keys) {
            (_, Keys::Public(keys)) => keys.oldest(),
            (sender, Keys::Secret(_) | Keys::Hashed(_)) => {
                sender.as_ref().map_or(&[][..], Tag::as_bytes)
            }
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
        if let Keys::Hashed(hashes) = &self.keys {
            return self.oldest_hash(hashes.last()?.clone(), head, body);
        }
        let mut mac = self.keys.macs().last()?.clone();
        self.each_part(Side::BeforeBody, head, Read::default(), |bytes| mac.update(bytes)).ok()?;
        self.scheme.each_body_part(body, |bytes| mac.update(bytes));
        self.each_part(Side::AfterBody, head, Read::default(), |bytes| mac.update(bytes)).ok()?;
        Some(mac.finalize())
    }

    /// Returns the plain hash of a request.
    fn oldest_hash(&self, mut hash: SecretHash, head: &Parts, body: &[u8]) -> Option<Tag> {
        let request =
            signed_content::Signed { head, url: self.url.as_ref(), read: Read::default() };
        let mut add = |piece: Piece<'_>| match piece {
            Piece::Bytes(bytes) => hash.update(bytes),
            Piece::Secret => hash.update_with_secret(),
        };
        self.scheme.each_piece(Side::BeforeBody, request, &mut add).ok()?;
        self.scheme.each_body_part(body, |bytes| add(Piece::Bytes(bytes)));
        self.scheme.each_piece(Side::AfterBody, request, &mut add).ok()?;
        Some(hash.finalize())
    }

    /// Returns the response to a signed challenge. It is not inlined: its temporaries would enlarge the
    /// frame of all other schemes.
    #[inline(never)]
    fn reply(&self, head: &Parts, body: &Bytes) -> Result<Option<Response<Bytes>>, Rejection> {
        let answer =
            self.answer_challenge(|challenge, sign| challenge.after_verification(head, body, sign));
        answer.transpose()
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
    #[cold]
    fn name_url(&self, rejection: Rejection, head: &Parts) -> Rejection {
        let is_mismatch = rejection.kind() == RejectionKind::SignatureMismatch;
        match self.scheme.url_text(head, self.url.as_ref()) {
            Some(url) if is_mismatch => rejection.with_signed_url(url),
            _ => rejection,
        }
    }

    /// Adds each component on this side of the body to the plain hashes.
    #[cold]
    fn each_piece(
        &self,
        side: Side,
        head: &Parts,
        read: Read<'_>,
        state: &mut SchemeState,
    ) -> Result<(), Rejection> {
        let request = signed_content::Signed { head, url: self.url.as_ref(), read };
        self.scheme.each_piece(side, request, &mut |piece| state.piece(piece))
    }

    /// Calls `sink` with the bytes of each component on this side of the body.
    #[inline]
    pub(crate) fn each_part(
        &self,
        side: Side,
        head: &Parts,
        read: Read<'_>,
        sink: impl FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        let request = signed_content::Signed { head, url: self.url.as_ref(), read };
        self.scheme.each_part(side, request, sink)
    }
}
