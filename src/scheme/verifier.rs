//! The verifier of a declared scheme.

use std::{fmt, iter, mem, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response, request::Parts};
use subtle::Choice;

use crate::{
    crypto::{
        mac::{Mac, Tag, Verdict},
        secret::Secret,
        secrets::{Secrets, each},
    },
    error::{ConfigError, MAX_SECRETS},
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        headers::{optional, required},
        json,
        timestamp::{Timestamp, TimestampFormat},
    },
    scheme::{
        asymmetric::{Content, PublicKeys},
        declaration::{Component, Scheme, TimestampSource},
        keys::AnyKeys,
        public_url::PublicUrl,
        signed_content::Side,
    },
    verifier::{
        challenge::{
            challenge::{Challenge, SignToken},
            response::is_token,
        },
        context::Context,
        defaults::VerifierDefaults,
        outcome::Outcome,
        sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// A [`Scheme`] with its secrets: the verifier of every provider that can be declared.
///
/// Cloning it is one reference count.
#[derive(Clone)]
pub struct SchemeVerifier(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) scheme: Scheme,
    pub(crate) keys: Keys,
    url: Option<PublicUrl>,
    /// Whether the body must begin, and end, with a byte that no URL has.
    open_sides: [bool; 2],
    /// Of the scheme's families, with the same secrets.
    families: Vec<SchemeVerifier>,
    /// Keyed though it may never be accepted: the secret's text is not kept.
    legacy: Option<SchemeVerifier>,
    accepts_legacy: bool,
    /// Tells a sender without a name from others, by its oldest secret: a rotation changes nothing until
    /// that secret is taken away.
    sender: Option<Tag>,
}

/// Never both: a public key and a secret are no substitutes for each other.
#[derive(Clone)]
pub(crate) enum Keys {
    #[cfg_attr(not(feature = "asymmetric"), expect(dead_code, reason = "it has no values"))]
    Public(PublicKeys),
    /// Keyed once, cloned for each request: that saves two compressions of the hash.
    Secret(Vec<Mac>),
}

impl Keys {
    /// None for public keys, which sign nothing.
    pub(crate) fn macs(&self) -> &[Mac] {
        match self {
            Self::Public(_) => &[],
            Self::Secret(macs) => macs,
        }
    }
}

pub(crate) const TAKES_PUBLIC_KEY: ConfigError = ConfigError::SchemeInvalid {
    why: "it signs with a private key, so a secret cannot verify it; \
          give its public key, a `PublicKey`",
};

impl SchemeVerifier {
    pub(crate) fn of_keys(
        scheme: Scheme,
        keys: AnyKeys,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        match keys {
            AnyKeys::Secrets(secrets) => Self::of_secrets(scheme, secrets, url),
            #[cfg(feature = "asymmetric")]
            AnyKeys::Public(keys) => Self::of_public_keys(scheme, keys, url),
        }
    }

    fn of_secrets(
        scheme: Scheme,
        secrets: Secrets,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        let mut verifier = Self::without_keys(scheme, Keys::Secret(Vec::new()), url)?;
        each(&scheme.check_secrets(secrets, 0)?, |secret| verifier.add_secret(secret))?;
        Ok(verifier)
    }

    pub(crate) fn without_keys(
        scheme: Scheme,
        keys: Keys,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        scheme.validate()?;
        if url.is_none() && scheme.signed_content.contains(&Component::Url) {
            return Err(ConfigError::UrlMissing);
        }
        let invalid = |why| ConfigError::SchemeInvalid { why };
        scheme.check_template(url.as_ref()).map_err(invalid)?;
        let open_sides = scheme.open_sides(url.as_ref());
        let family = |family: &Scheme| {
            let alone = Scheme { families: &[], legacy: &[], ..*family };
            Self::without_keys(alone, keys.clone(), url.clone())
        };
        let families = scheme.families.iter().map(family).collect::<Result<_, _>>()?;
        let legacy = scheme.legacy.first().map(family).transpose()?;
        Ok(Self(Arc::new(Inner {
            scheme,
            keys,
            url,
            open_sides,
            families,
            legacy,
            accepts_legacy: false,
            sender: None,
        })))
    }

    /// Every secret is tried for every request, so that the time taken does not tell which matched.
    pub(crate) fn add_secret(&mut self, secret: &Secret) -> Result<(), ConfigError> {
        let Inner { scheme, keys, families, legacy, sender, .. } = Arc::make_mut(&mut self.0);
        families.iter_mut().chain(legacy).try_for_each(|other| other.add_secret(secret))?;
        let Keys::Secret(macs) = keys else { return Err(TAKES_PUBLIC_KEY) };
        let key = scheme.secret_encoding.key(secret)?;
        let mac = Mac::new(scheme.algorithm, key.expose()).ok_or(TAKES_PUBLIC_KEY)?;
        // A look-up makes a verifier for each request, and most schemes have a name.
        *sender = scheme.numbers_without_a_name().then(|| {
            let mut mac = mac.clone();
            mac.update(b"tower-webhook sender");
            mac.finalize()
        });
        macs.push(mac);
        Ok(())
    }

    /// Calls `change` with the keys of each family, of the legacy, and of the scheme itself.
    #[cfg(feature = "asymmetric")]
    pub(crate) fn each_keys_mut(
        &mut self,
        change: &dyn Fn(&Scheme, &mut Keys) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let Inner { scheme, keys, families, legacy, .. } = Arc::make_mut(&mut self.0);
        families.iter_mut().chain(legacy).try_for_each(|other| other.each_keys_mut(change))?;
        change(scheme, keys)
    }

    /// Also accepts requests that are signed by the scheme's [legacy](Scheme::legacy) alone. Where a
    /// header of the scheme itself or of its families is present, it decides, so that nobody can choose
    /// the weaker way. The [`replay_key`](Verified::replay_key) is made as by the scheme itself, so that a
    /// captured delivery whose newer header was taken off is the same delivery.
    ///
    /// A scheme without a legacy stays as it is.
    #[must_use]
    pub fn accept_legacy(mut self) -> Self {
        Arc::make_mut(&mut self.0).accepts_legacy = true;
        self
    }

    /// The family whose header is there, the legacy where none is, or the scheme itself. Which one decides must not depend on what
    /// is in the header: a good signature of a weaker family is no way round a bad one.
    fn family(&self, head: &Parts) -> &Self {
        let inner = &*self.0;
        let is_named = |family: &&Self| {
            let mut names = family.0.scheme.signature_headers().iter();
            names.any(|name| head.headers.contains_key(*name))
        };
        let legacy = || inner.legacy.as_ref().filter(is_named);
        let weaker = || (inner.accepts_legacy && !is_named(&self)).then(legacy).flatten();
        inner.families.iter().find(is_named).or_else(weaker).unwrap_or(self)
    }

    /// Changes the scheme in a way that leaves its keys as they are.
    pub(crate) fn map_scheme(mut self, change: impl FnOnce(Scheme) -> Scheme) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.scheme = change(inner.scheme);
        self
    }
}

/// Carried from the head to the end of the body.
#[doc(hidden)]
pub struct SchemeState {
    signed: Signed,
    time: Option<Timestamp>,
}

/// The signed content so far.
enum Signed {
    Finished,
    Keyed(Keyed),
    Plain(Content),
}

struct Keyed {
    first: Mac,
    /// Empty, and so without an allocation, while there is one secret.
    rest: Vec<Mac>,
}

impl Keyed {
    fn update(&mut self, bytes: &[u8]) {
        self.first.update(bytes);
        for mac in &mut self.rest {
            mac.update(bytes);
        }
    }
}

impl Verifier for SchemeVerifier {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        let (head, clock) = (request.head(), request.clock());
        let inner = &*self.family(head).0;
        let Inner { scheme, keys, .. } = inner;
        scheme.check_candidates(head)?;
        for (name, value) in scheme.required {
            if required(head, name)? != value.as_bytes() {
                return Err(Rejection::malformed(*name));
            }
        }
        if let Some(name) = scheme.delivery_id {
            optional(head, name)?; // not twice (T-10)
        }
        let time = scheme.head_time(head)?;
        if let (Some(time), Some(tolerance)) = (time, scheme.judges()) {
            time.check(tolerance, clock).map_err(|rejection| scheme.blame_time(rejection))?;
        }
        let mut signed = match keys {
            Keys::Secret(macs) => {
                let mut macs = macs.iter().cloned();
                // `new` has put one there.
                let first = macs.next().ok_or(Rejection::mismatch())?;
                Signed::Keyed(Keyed { first, rest: macs.collect() })
            }
            Keys::Public(keys) => Signed::Plain(keys.content(scheme.algorithm)),
        };
        inner.each_part(Side::BeforeBody, head, &mut |bytes| match &mut signed {
            Signed::Keyed(keyed) => keyed.update(bytes),
            Signed::Plain(content) => content.before_body(bytes),
            Signed::Finished => {}
        })?;
        // What follows the body is looked at now, so that a bad head costs no body.
        inner.each_part(Side::AfterBody, head, &mut |_| {})?;
        Ok(SchemeState { signed, time })
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        match &mut state.signed {
            Signed::Keyed(keyed) => keyed.update(chunk),
            Signed::Plain(content) => content.body(chunk),
            Signed::Finished => {}
        }
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let (head, clock) = (request.head(), request.clock());
        let inner = &*self.family(head).0;
        let Inner { scheme, keys, .. } = inner;
        if self.0.scheme.challenge.is_some_and(Challenge::is_keyed)
            && scheme.signed_content == [Component::Body]
            && is_token(body)
        {
            // Anybody can have been told this signature.
            return Err(Rejection::mismatch());
        }
        let [before, after] = inner.open_sides;
        if before && after && body.is_empty() {
            // Nothing would stand between two parts of any length.
            return Err(Rejection::malformed_in(Field::Body));
        }
        if before && scheme.is_cut(body.iter()) || after && scheme.is_cut(body.iter().rev()) {
            // Its beginning could be the end of what stands before it (T-32).
            return Err(Rejection::malformed_in(Field::Body));
        }
        let signed = mem::replace(&mut state.signed, Signed::Finished);
        let (key_index, identity) = match (signed, keys) {
            (Signed::Keyed(keyed), Keys::Secret(_)) => inner.match_tags(keyed, head),
            (Signed::Plain(content), Keys::Public(keys)) => {
                let mut after_body = Vec::new();
                let mut add = |bytes: &[u8]| after_body.extend_from_slice(bytes);
                inner.each_part(Side::AfterBody, head, &mut add)?;
                keys.match_content(scheme, head, content, body, &after_body)
            }
            // A state of another verifier proves nothing to this one, nor does one a second time.
            _ => Err(Rejection::mismatch()),
        }
        .map_err(|rejection| inner.name_url(rejection, head))?;

        let mut verified = Verified::new(scheme.defaults.provider).with_key_index(key_index);
        // Every scheme signs it.
        verified = verified.with_signed_body().with_event_id(scheme.event_id);
        let time = match scheme.time {
            // No object has no time. All of it is signed, so nobody can have taken one away.
            Some((TimestampSource::Json(_), _))
                if scheme.time_may_be_absent && !body.trim_ascii_start().starts_with(b"{") =>
            {
                None
            }
            Some((TimestampSource::Json(field), format)) => {
                let time = json_time(body, field, format)?;
                if time.is_none() && !scheme.time_may_be_absent {
                    return Err(Rejection::missing_in(Field::json(field)));
                }
                if let (Some(time), Some(tolerance)) = (time, scheme.judges()) {
                    time.check(tolerance, clock)
                        .map_err(|rejection| scheme.blame_time(rejection))?;
                }
                time
            }
            _ => state.time,
        };
        if let Some(signed_at) = time.and_then(Timestamp::to_system_time) {
            verified = verified.with_signed_at(signed_at);
        }
        if let (Some(time), Some(tolerance)) = (time, scheme.judges())
            && let Some(valid_for) = time.valid_for(tolerance, clock)
        {
            verified = verified.with_valid_for(valid_for);
        }
        // A signed id tells one delivery from another; else the tag does, and always the one under
        // the oldest secret: whoever leaves out one of two signatures must not make a new delivery.
        let is_signed = scheme.signs_id();
        let id = scheme.delivery_id.map(|name| optional(head, name)).transpose()?.flatten();
        match id.filter(|_| is_signed) {
            Some(id) if scheme.numbers_without_a_name() => {
                // Another scheme without a name may number its deliveries alike, and another sender
                // of this scheme, too.
                let [signature, name] =
                    [scheme.signature_field(), scheme.delivery_id.unwrap_or("")];
                let sender = match (&inner.sender, keys) {
                    (_, Keys::Public(keys)) => keys.oldest(),
                    (sender, Keys::Secret(_)) => sender.as_ref().map_or(&[][..], Tag::as_bytes),
                };
                let named = [signature.as_bytes(), name.as_bytes(), sender, id].join(&0);
                verified.set_identity(&named);
            }
            Some(id) => verified.set_identity(id),
            None => verified.set_identity(identity.as_bytes()),
        }
        let is_legacy =
            self.0.legacy.as_ref().is_some_and(|legacy| std::ptr::eq(&raw const *legacy.0, inner));
        if let (true, Some(tag)) = (is_legacy && !is_signed, self.0.oldest_tag(head, body)) {
            // Whoever takes the newer header off a captured delivery must not make a new one.
            verified.set_identity(tag.as_bytes());
        }
        if scheme.has_unique_content {
            verified = verified.with_unique_content();
        }
        if let Some(id) = id.and_then(|id| HeaderValue::from_bytes(id).ok()) {
            verified = verified.with_delivery_id(id, is_signed);
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
}

/// The time in a field of the body, a string or a number.
pub(crate) fn json_time(
    body: &[u8],
    field: &'static str,
    format: TimestampFormat,
) -> Result<Option<Timestamp>, Rejection> {
    let time = match json::field(body, field) {
        Ok(None) => return Ok(None),
        Ok(Some(json::Value::Text(text))) => Timestamp::parse(text.as_bytes(), format),
        Ok(Some(json::Value::Number(text))) => Timestamp::parse(text.as_bytes(), format),
        Ok(Some(_)) | Err(json::Malformed) => None,
    };
    time.map(Some).ok_or_else(|| Rejection::malformed_in(Field::json(field)))
}

impl Inner {
    /// The tag of a request under the oldest secret. `None` with public keys, or without a part that is
    /// signed.
    fn oldest_tag(&self, head: &Parts, body: &[u8]) -> Option<Tag> {
        let mut mac = self.keys.macs().last()?.clone();
        self.each_part(Side::BeforeBody, head, &mut |bytes| mac.update(bytes)).ok()?;
        mac.update(body);
        self.each_part(Side::AfterBody, head, &mut |bytes| mac.update(bytes)).ok()?;
        Some(mac.finalize())
    }

    /// The index of the first secret that made a signature, and the tag under the oldest secret, which a
    /// rotation leaves as it is until that secret is taken away.
    fn match_tags(&self, mut keyed: Keyed, head: &Parts) -> Result<(usize, Tag), Rejection> {
        self.each_part(Side::AfterBody, head, &mut |bytes| keyed.update(bytes))?;

        let first = keyed.first.finalize();
        let rest: Vec<Tag> = keyed.rest.into_iter().map(Mac::finalize).collect();
        // Each candidate is read once, whatever the number of secrets.
        let mut matches = [Choice::from(0); MAX_SECRETS];
        self.scheme.each_candidate(head, &mut |candidate| {
            if let Some(candidate) = candidate {
                for (is_match, tag) in matches.iter_mut().zip(iter::once(&first).chain(&rest)) {
                    *is_match |= tag.matches(candidate);
                }
            }
            Ok(())
        })?;
        let mut verdict = Verdict::new();
        for (index, is_match) in matches.into_iter().take(1 + rest.len()).enumerate() {
            verdict.add(index, is_match);
        }
        let key_index = verdict.accepted()?;
        Ok((key_index, rest.last().copied().unwrap_or(first)))
    }

    /// Asks the scheme's challenge for an answer, with the first secret to sign it.
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

    /// Names the URL, or what of it is signed, in a mismatch.
    fn name_url(&self, rejection: Rejection, head: &Parts) -> Rejection {
        let is_mismatch = rejection.kind() == RejectionKind::SignatureMismatch;
        match self.scheme.url_text(head, self.url.as_ref()) {
            Some(url) if is_mismatch => rejection.with_signed_url(url),
            _ => rejection,
        }
    }

    pub(crate) fn each_part(
        &self,
        side: Side,
        head: &Parts,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        self.scheme.each_part(side, head, self.url.as_ref(), sink)
    }
}

impl fmt::Debug for SchemeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SchemeVerifier");
        debug.field("scheme", &self.0.scheme);
        match &self.0.keys {
            Keys::Secret(macs) => debug.field("secrets", &macs.len()),
            Keys::Public(keys) => debug.field("public_keys", &keys.len()),
        };
        debug.field("url", &self.0.url).finish()
    }
}

impl fmt::Debug for SchemeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemeState").finish_non_exhaustive()
    }
}
