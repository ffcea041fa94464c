//! The verifier of a declared scheme.

use std::{fmt, sync::Arc, time::SystemTime};

#[cfg(feature = "asymmetric")]
use aws_lc_rs::digest::Digest;
use bytes::Bytes;
use http::{HeaderValue, Response, request::Parts};
use subtle::Choice;

use super::{
    Part, Scheme, SignatureSource, TimeSource,
    grammar::MAX_CANDIDATES,
    mac::{Mac, Tag, Verdict},
};
use crate::{
    ConfigError, Profile, PublicUrl, Rejection, RejectionKind, Secret, Verified, Verifier,
    config_error::MAX_SECRETS,
    encoding::MAX_TAG,
    handshake::{Handshake, is_token},
    head::{credentials, optional, required},
    json,
    time::{Clock, Timestamp},
};
#[cfg(feature = "asymmetric")]
use crate::{
    PublicKey,
    encoding::MAX_SIGNATURE,
    public_key::{Content, Message},
};

/// A [`Scheme`] with its secrets: the verifier of every provider that can be declared.
///
/// Cloning it is one reference count.
#[derive(Clone)]
pub struct SchemeVerifier(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    scheme: Scheme,
    keys: Keys,
    clock: Clock,
    url: Option<PublicUrl>,
}

/// Never both: a public key and a secret are no substitutes for each other.
#[derive(Clone)]
enum Keys {
    /// Keyed once, cloned for each request: that saves two compressions of the hash.
    Secret(Vec<Mac>),
    #[cfg(feature = "asymmetric")]
    Public(Vec<PublicKey>),
}

impl Keys {
    fn secret(&mut self) -> Option<&mut Vec<Mac>> {
        match self {
            Self::Secret(keys) => Some(keys),
            #[cfg(feature = "asymmetric")]
            Self::Public(_) => None,
        }
    }

    /// A public key signs nothing.
    fn first_mac(&self) -> Option<&Mac> {
        match self {
            Self::Secret(keys) => keys.first(),
            #[cfg(feature = "asymmetric")]
            Self::Public(_) => None,
        }
    }
}

const TAKES_PUBLIC_KEY: ConfigError = ConfigError::SchemeInvalid {
    why: "it signs with a private key, so a secret cannot verify it; \
          use `public_key_verifier` and `or_key`",
};

impl SchemeVerifier {
    pub(super) fn new(
        scheme: Scheme,
        secret: &Secret,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        Self::without_keys(scheme, Keys::Secret(Vec::new()), url)?.or_secret(secret.clone())
    }

    #[cfg(feature = "asymmetric")]
    pub(super) fn with_public_key(
        scheme: Scheme,
        key: PublicKey,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        Self::without_keys(scheme, Keys::Public(Vec::new()), url)?.or_key(key)
    }

    fn without_keys(
        scheme: Scheme,
        keys: Keys,
        url: Option<PublicUrl>,
    ) -> Result<Self, ConfigError> {
        scheme.check()?;
        if url.is_none() && scheme.template.contains(&Part::Url) {
            return Err(ConfigError::UrlMissing);
        }
        Ok(Self(Arc::new(Inner { scheme, keys, clock: Clock::default(), url })))
    }

    /// Accepts a further secret, for a rotation: the first stays the current one.
    ///
    /// Every secret is tried for every request, so that the time taken does not tell which matched.
    ///
    /// # Errors
    ///
    /// When the secret's text cannot be made a key by the scheme's rule, there are 16 already, or
    /// the scheme takes a public key in place of a secret.
    pub fn or_secret(mut self, secret: Secret) -> Result<Self, ConfigError> {
        let inner = Arc::make_mut(&mut self.0);
        let keys = inner.keys.secret().ok_or(TAKES_PUBLIC_KEY)?;
        if keys.len() == MAX_SECRETS {
            return Err(ConfigError::TooManySecrets);
        }
        let key = inner.scheme.key_rule.key(&secret)?;
        let mac = Mac::new(inner.scheme.algorithm, key.expose()).ok_or(TAKES_PUBLIC_KEY)?;
        keys.push(mac);
        Ok(self)
    }

    /// Accepts a further public key, for a rotation: the first stays the current one.
    ///
    /// # Errors
    ///
    /// When the key is not of the scheme's algorithm, there are 16 already, or the scheme takes a
    /// secret in place of a public key.
    #[cfg(feature = "asymmetric")]
    #[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
    pub fn or_key(mut self, key: PublicKey) -> Result<Self, ConfigError> {
        let inner = Arc::make_mut(&mut self.0);
        if Mac::new(inner.scheme.algorithm, b"").is_some() {
            return Err(ConfigError::SchemeInvalid {
                why: "it is keyed by a secret, and whoever knows the public key could sign; \
                      use `verifier` and `or_secret`",
            });
        }
        match &mut inner.keys {
            Keys::Public(keys) if keys.len() < MAX_SECRETS => {
                if key.algorithm() != inner.scheme.algorithm {
                    return Err(ConfigError::PublicKeyInvalid {
                        why: "it is of another algorithm than the scheme's; \
                              is it this provider's key?",
                    });
                }
                keys.push(key);
                Ok(self)
            }
            _ => Err(ConfigError::TooManySecrets),
        }
    }

    /// Tells the time, in place of the system's clock: for tests.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).clock = Clock::new(now);
        self
    }

    #[cfg(feature = "sign")]
    pub(crate) fn scheme(&self) -> &Scheme {
        &self.0.scheme
    }

    /// The tag that a genuine request with this head and body has, under the first secret.
    #[cfg(feature = "sign")]
    pub(crate) fn tag(&self, head: &Parts, body: &[u8]) -> Result<Tag, Rejection> {
        let mut mac = self.0.keys.first_mac().cloned().ok_or(Rejection::mismatch())?;
        self.0.each_part(Side::BeforeBody, head, &mut |bytes| mac.update(bytes))?;
        mac.update(body);
        self.0.each_part(Side::AfterBody, head, &mut |bytes| mac.update(bytes))?;
        Ok(mac.finalize())
    }

    /// Changes the scheme in a way that leaves its keys as they are.
    pub(crate) fn map_scheme(mut self, change: impl FnOnce(Scheme) -> Scheme) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.scheme = change(inner.scheme);
        self
    }
}

/// Carried from the head to the end of the body.
pub struct SchemeState {
    signed: Signed,
    time: Option<Timestamp>,
}

/// The signed content so far.
#[cfg_attr(
    feature = "asymmetric",
    expect(clippy::large_enum_variant, reason = "a box would cost HMAC an allocation per request")
)]
enum Signed {
    Keyed(Keyed),
    #[cfg(feature = "asymmetric")]
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

/// What tells a delivery from every other, where no signed id does.
enum Identity {
    Tag(Tag),
    /// Of the signed content, not of the signature: ECDSA has more than one for the same content,
    /// and whoever captured one can write another.
    #[cfg(feature = "asymmetric")]
    Sha256(Digest),
}

impl Identity {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Tag(tag) => tag.as_bytes(),
            #[cfg(feature = "asymmetric")]
            Self::Sha256(digest) => digest.as_ref(),
        }
    }
}

impl Verifier for SchemeVerifier {
    type State = SchemeState;

    fn begin(&self, head: &Parts) -> Result<SchemeState, Rejection> {
        let Inner { scheme, keys, clock, .. } = &*self.0;
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
        if let (Some(time), Some(tolerance)) = (time, scheme.tolerance) {
            time.check(tolerance, clock).map_err(|rejection| scheme.blame_time(rejection))?;
        }
        let signed = match keys {
            Keys::Secret(keys) => {
                let mut keys = keys.iter().cloned();
                let mut keyed = Keyed {
                    // `new` has put one there.
                    first: keys.next().ok_or(Rejection::mismatch())?,
                    rest: keys.collect(),
                };
                self.0.each_part(Side::BeforeBody, head, &mut |bytes| keyed.update(bytes))?;
                Signed::Keyed(keyed)
            }
            #[cfg(feature = "asymmetric")]
            Keys::Public(_) => {
                let mut content = Content::new(scheme.algorithm);
                let mut add = |bytes: &[u8]| content.before_body(bytes);
                self.0.each_part(Side::BeforeBody, head, &mut add)?;
                Signed::Plain(content)
            }
        };
        // What follows the body is looked at now, so that a bad head costs no body.
        self.0.each_part(Side::AfterBody, head, &mut |_| {})?;
        Ok(SchemeState { signed, time })
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        match &mut state.signed {
            Signed::Keyed(keyed) => keyed.update(chunk),
            #[cfg(feature = "asymmetric")]
            Signed::Plain(content) => content.body(chunk),
        }
    }

    fn finish(
        &self,
        state: SchemeState,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let Inner { scheme, clock, .. } = &*self.0;
        if scheme.handshake.is_some_and(Handshake::is_keyed)
            && scheme.template == [Part::Body]
            && is_token(body)
        {
            // Anybody can have been told this signature.
            return Err(Rejection::mismatch());
        }
        let (key_index, identity) = match state.signed {
            Signed::Keyed(keyed) => {
                let (key_index, tag) = self.0.match_tags(keyed, head)?;
                (key_index, Identity::Tag(tag))
            }
            #[cfg(feature = "asymmetric")]
            Signed::Plain(content) => {
                let mut after_body = Vec::new();
                let mut add = |bytes: &[u8]| after_body.extend_from_slice(bytes);
                self.0.each_part(Side::AfterBody, head, &mut add)?;
                let message = content.finish(body, &after_body);
                let key_index = self.0.match_public_keys(&message, head)?;
                (key_index, Identity::Sha256(message.sha256))
            }
        };

        let mut verified = Verified::new(scheme.profile.provider).with_key_index(key_index);
        let time = match scheme.time {
            Some((TimeSource::Json(field), format)) => {
                let time = json_time(body, field, format)?.ok_or(Rejection::missing(field))?;
                if let Some(tolerance) = scheme.tolerance {
                    time.check(tolerance, clock)
                        .map_err(|rejection| scheme.blame_time(rejection))?;
                }
                Some(time)
            }
            _ => state.time,
        };
        if let Some(time) = time.and_then(Timestamp::to_system_time) {
            verified = verified.with_signed_at(time);
        }
        // A signed id tells one delivery from another; else the tag does, and always the one under
        // the first secret: whoever leaves out one of two signatures must not make a new delivery.
        let is_signed = scheme.template.contains(&Part::Id);
        let id = scheme.delivery_id.map(|name| optional(head, name)).transpose()?.flatten();
        verified = match id {
            Some(id) if is_signed => verified.with_identity(id),
            _ => verified.with_identity(identity.as_bytes()),
        };
        let verified = match id.and_then(|id| HeaderValue::from_bytes(id).ok()) {
            Some(id) => verified.with_delivery_id(id, is_signed),
            None => verified,
        };
        let key = self.0.keys.first_mac();
        Ok(verified.or_reply(|| scheme.handshake?.after_verification(head, body, key)))
    }

    fn handshake(&self, head: &Parts) -> Option<Result<Response<Bytes>, Rejection>> {
        self.0.scheme.handshake?.before_verification(head, self.0.keys.first_mac())
    }

    fn profile(&self) -> Profile {
        self.0.scheme.profile
    }
}

/// The time in a field of the body, a string or a number.
pub(crate) fn json_time(
    body: &[u8],
    field: &'static str,
    format: super::TimeFormat,
) -> Result<Option<Timestamp>, Rejection> {
    let time = match json::field(body, field) {
        Ok(None) => return Ok(None),
        Ok(Some(json::Value::Text(text))) => Timestamp::parse(text.as_bytes(), format),
        Ok(Some(json::Value::Number(text))) => Timestamp::parse(text.as_bytes(), format),
        Ok(Some(json::Value::Object(_) | json::Value::Other)) | Err(json::Malformed) => None,
    };
    time.map(Some).ok_or_else(|| Rejection::malformed(field))
}

/// Sees a candidate's bytes, or `None` for one that cannot be decoded.
type VisitCandidate<'a> = dyn FnMut(Option<&[u8]>) -> Result<(), Rejection> + 'a;

/// Which parts of the template.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    AfterBody,
    BeforeBody,
}

impl Inner {
    /// The index of the first secret that made a signature, and the tag under the first secret.
    fn match_tags(&self, mut keyed: Keyed, head: &Parts) -> Result<(usize, Tag), Rejection> {
        self.each_part(Side::AfterBody, head, &mut |bytes| keyed.update(bytes))?;

        let first = keyed.first.finalize();
        let rest: Vec<Tag> = keyed.rest.into_iter().map(Mac::finalize).collect();
        let tags = || std::iter::once(&first).chain(&rest);
        let mut verdict = Verdict::new();
        for (index, tag) in tags().enumerate() {
            let mut is_match = Choice::from(0);
            self.scheme.each_candidate(head, &mut |candidate| {
                if let Some(candidate) = candidate {
                    is_match |= tag.matches(candidate);
                }
                Ok(())
            })?;
            verdict.add(index, is_match);
        }
        let key_index = verdict.accepted().ok_or(Rejection::mismatch())?;
        Ok((key_index, first))
    }

    /// The index of the first public key whose owner made a signature. Nothing here is secret, so
    /// it stops at that one.
    #[cfg(feature = "asymmetric")]
    fn match_public_keys(&self, message: &Message<'_>, head: &Parts) -> Result<usize, Rejection> {
        let Keys::Public(keys) = &self.keys else { return Err(Rejection::mismatch()) };
        for (index, key) in keys.iter().enumerate() {
            let mut is_match = false;
            self.scheme.each_candidate(head, &mut |candidate| {
                is_match = is_match || candidate.is_some_and(|tag| key.verifies(message, tag));
                Ok(())
            })?;
            if is_match {
                return Ok(index);
            }
        }
        Err(Rejection::mismatch())
    }

    /// Calls `sink` with the bytes of each part on this side of the body.
    fn each_part(
        &self,
        side: Side,
        head: &Parts,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        let scheme = &self.scheme;
        let mut side_now = Side::BeforeBody;
        for (at, part) in scheme.template.iter().enumerate() {
            if *part == Part::Body {
                side_now = Side::AfterBody;
                continue;
            }
            if side_now != side {
                continue;
            }
            match *part {
                Part::Body => {}
                Part::Header(name) => {
                    let value = required(head, name)?;
                    self.check_end(side, at, value).ok_or(Rejection::malformed(name))?;
                    sink(value);
                }
                Part::Id => {
                    let name = scheme.delivery_id.unwrap_or_default();
                    let value = required(head, name)?;
                    self.check_end(side, at, value).ok_or(Rejection::malformed(name))?;
                    sink(value);
                }
                Part::Literal(text) => sink(text.as_bytes()),
                Part::Method => sink(head.method.as_str().as_bytes()),
                Part::Time => sink(scheme.time_text(head)?.unwrap_or_default()),
                Part::Url => {
                    let url = self.url.as_ref().ok_or(Rejection::new(RejectionKind::UnknownUrl))?;
                    sink(url.resolve(head)?.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// `None` when it cannot be told where this value ends: `a.b` + `.` + `c` and `a` + `.` +
    /// `b.c` would be signed alike (T-32).
    ///
    /// The body can hold any literal. So a part before it ends where the literal after the part
    /// first occurs, and a part after it begins where the literal before the part last occurs.
    fn check_end(&self, side: Side, at: usize, value: &[u8]) -> Option<()> {
        let neighbour = match side {
            Side::BeforeBody => at + 1,
            Side::AfterBody => at.checked_sub(1)?,
        };
        let literal = match self.scheme.template.get(neighbour) {
            Some(Part::Literal(literal)) => literal.as_bytes(),
            _ => return Some(()),
        };
        let is_ambiguous = match (literal, side) {
            ([], _) => false,
            ([byte], _) => value.contains(byte),
            (_, Side::BeforeBody) => (0..value.len())
                .any(|at| value[at..].iter().chain(literal).take(literal.len()).eq(literal)),
            (_, Side::AfterBody) => (1..=value.len())
                .any(|at| literal.iter().chain(value).skip(at).take(literal.len()).eq(literal)),
        };
        (!is_ambiguous).then_some(())
    }
}

impl Scheme {
    /// Calls `visit` with the value of each signature header.
    fn each_signature<'a>(
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

    pub(crate) const fn signature_field(&self) -> &'static str {
        match self.source {
            SignatureSource::Authorization(_) => "authorization",
            SignatureSource::Header(name) => name,
            SignatureSource::Headers(names) => names[0],
        }
    }

    #[cfg(feature = "sign")]
    pub(crate) const fn authorization_scheme(&self) -> Option<&'static str> {
        match self.source {
            SignatureSource::Authorization(name) => Some(name),
            _ => None,
        }
    }

    /// Calls `visit` with each candidate signature, `None` for one that cannot be decoded: beside a
    /// good one it is no reason to lose a genuine delivery.
    fn each_candidate(
        &self,
        head: &Parts,
        visit: &mut VisitCandidate<'_>,
    ) -> Result<(), Rejection> {
        #[cfg(feature = "asymmetric")]
        if !self.algorithm.has_fixed_len() {
            let (mut buffer, max) = ([0; MAX_SIGNATURE + 2], self.algorithm.tag_len());
            return self.each_signature(head, &mut |value| {
                self.grammar
                    .candidates(value)
                    .try_for_each(|text| visit(self.encoding.decode_up_to(max, text, &mut buffer)))
            });
        }
        let mut buffer = [0; MAX_TAG];
        let tag = &mut buffer[..self.algorithm.tag_len()];
        self.each_signature(head, &mut |value| {
            for text in self.grammar.candidates(value) {
                let is_readable = self.encoding.decode(text, tag).is_some();
                visit(is_readable.then_some(&*tag))?;
            }
            Ok(())
        })
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

    /// The signed time's text, where it stands in the head.
    fn time_text<'a>(&self, head: &'a Parts) -> Result<Option<&'a [u8]>, Rejection> {
        match self.time {
            None | Some((TimeSource::Json(_), _)) => Ok(None),
            Some((TimeSource::Header(name), _)) => required(head, name).map(Some),
            Some((TimeSource::Signature, _)) => {
                let mut time = None;
                self.each_signature(head, &mut |value| {
                    time = self
                        .grammar
                        .time(value)
                        .map_err(|_| Rejection::malformed(self.signature_field()))?;
                    Ok(())
                })?;
                Ok(time)
            }
        }
    }

    fn head_time(&self, head: &Parts) -> Result<Option<Timestamp>, Rejection> {
        let (Some(text), Some((_, format))) = (self.time_text(head)?, self.time) else {
            return Ok(None);
        };
        Timestamp::parse(text, format)
            .map(Some)
            .ok_or_else(|| self.blame_time(Rejection::new(RejectionKind::Malformed)))
    }

    fn blame_time(&self, rejection: Rejection) -> Rejection {
        rejection.with_field(match self.time {
            Some((TimeSource::Header(name) | TimeSource::Json(name), _)) => name,
            _ => self.signature_field(),
        })
    }
}

impl fmt::Debug for SchemeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SchemeVerifier");
        debug.field("scheme", &self.0.scheme);
        match &self.0.keys {
            Keys::Secret(keys) => debug.field("secrets", &keys.len()),
            #[cfg(feature = "asymmetric")]
            Keys::Public(keys) => debug.field("public_keys", &keys.len()),
        };
        debug.field("clock", &self.0.clock).field("url", &self.0.url).finish()
    }
}

impl fmt::Debug for SchemeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemeState").finish_non_exhaustive()
    }
}
