//! Callbacks with an encrypted message. Their signature is the SHA-1 of a token, a time, a nonce and
//! the message, sorted and joined without separators.
//!
//! The sender of another request could move the ends of the parts. The forms that are checked here
//! leave no other message that decrypts: the token has a fixed place, a time has a fixed length, a
//! nonce is too short to hold whole blocks of the cipher, and a message consists of whole blocks.
//! Time and nonce can still be exchanged for each other, so the time does not limit how long a replay
//! guard remembers a delivery.

use std::{fmt, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::request::Parts;
use sha2::{Digest, Sha256};

use crate::{
    crypto::{mac::Tag, secret_hash::SecretHash, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        clock::Clock,
        encoding::Encoding,
        form::Form,
        timestamp::{Timestamp, TimestampFormat},
        tolerance::Tolerance,
    },
    providers::own::content_keys::{ContentKeys, Key},
    verifier::context::Context,
};

pub(crate) const TIME: &str = "timestamp";
pub(crate) const NONCE: &str = "nonce";

/// Parameter with a signature of the time and the nonce alone.
pub(crate) const SHORT_SIGNATURE: &str = "signature";

/// Length of a SHA-1 hash in bytes.
const TAG_LEN: usize = 20;

/// Maximum length of a nonce. Three blocks of the cipher have 64 characters, and fewer do not stay
/// aligned in base64.
const MAX_NONCE: usize = 32;

/// Length of a block of the cipher, AES, in bytes.
const BLOCK: usize = 16;

/// The field of an encrypted message, and the message.
pub(crate) type Message = (Field, String);

/// The callback of a provider.
pub(crate) struct Rules {
    pub(crate) provider: &'static str,
    /// Names of the signature in the query. The first name in the query is used.
    pub(crate) signatures: &'static [&'static str],
    /// A parameter that must have exactly this value, because handlers read other text without it.
    pub(crate) mode: Option<(&'static str, &'static str)>,
    /// The forms of the time, and their numbers of digits.
    pub(crate) times: &'static [(TimestampFormat, usize)],
    /// Rejects a head whose message cannot be read, before the body is.
    pub(crate) head: fn(&Parts) -> Result<(), Rejection>,
    pub(crate) message: fn(&Parts, &[u8]) -> Result<Message, Rejection>,
}

/// The signed parts of a query, and the time.
struct Signed {
    time: Vec<u8>,
    nonce: Vec<u8>,
    signed_at: Option<SystemTime>,
}

impl Rules {
    /// Returns the time and the nonce of a query, if the time is within the tolerance.
    fn signed(
        &self,
        form: &Form<'_>,
        tolerance: Tolerance,
        clock: &Clock,
    ) -> Result<Signed, Rejection> {
        let [time, nonce] = [only(form, TIME)?, only(form, NONCE)?];
        let format = self.times.iter().find(|(_, digits)| time.len() == *digits);
        let parsed = format.and_then(|(format, _)| Timestamp::parse(time, *format));
        let parsed = parsed.ok_or(Rejection::malformed_in(Field::query(TIME)))?;
        if nonce.len() > MAX_NONCE || !nonce.iter().all(u8::is_ascii_alphanumeric) {
            return Err(Rejection::malformed_in(Field::query(NONCE)));
        }
        let judged = tolerance.judge(parsed, clock);
        let (signed_at, _) = judged.map_err(|why| why.with_field(Field::query(TIME)))?.times();
        Ok(Signed { time: time.to_vec(), nonce: nonce.to_vec(), signed_at })
    }

    fn message(&self, head: &Parts, body: &[u8]) -> Result<String, Rejection> {
        let (field, message) = (self.message)(head, body)?;
        match STANDARD.decode(&message) {
            Ok(blocks) if !blocks.is_empty() && blocks.len().is_multiple_of(BLOCK) => Ok(message),
            _ => Err(Rejection::malformed_in(field)),
        }
    }
}

/// Returns the parameter with this name, which must occur exactly once.
pub(crate) fn only<'a>(form: &'a Form<'_>, name: &'static str) -> Result<&'a [u8], Rejection> {
    form.only(name).map_err(|kind| Rejection::new(kind).with_field(Field::query(name)))
}

/// Returns the parameters of the query.
pub(crate) fn query(head: &Parts) -> Result<Form<'_>, Rejection> {
    let query = head.uri.query().unwrap_or_default();
    Form::parse(query.as_bytes()).ok_or(Rejection::malformed_in(Field::query("")))
}

/// Returns a parameter with a SHA-1 hash.
fn hash(form: &Form<'_>, name: &'static str) -> Result<Tag, Rejection> {
    let mut tag = [0; TAG_LEN];
    let decoded = Encoding::Hex.decode(only(form, name)?, &mut tag);
    decoded.map(|()| Tag::new(&tag)).ok_or(Rejection::malformed_in(Field::query(name)))
}

/// State of a verification, from the head to the end of the body.
#[doc(hidden)]
pub struct CallbackState {
    signed: Signed,
    signature: Tag,
}

impl fmt::Debug for CallbackState {
    /// Writes the type without the signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackState").finish_non_exhaustive()
    }
}

/// Verifier of a provider by its [`Rules`].
#[derive(Clone, Debug)]
pub(crate) struct EncryptedCallback {
    pub(crate) keys: ContentKeys,
    pub(crate) tolerance: Tolerance,
}

impl EncryptedCallback {
    pub(crate) fn new(
        rules: &Rules,
        tokens: impl IntoSecrets,
        tolerance: Tolerance,
    ) -> Result<Self, ConfigError> {
        let key = |secret: &_| Key::HashSorted(SecretHash::sha1(Clone::clone(secret)));
        Ok(Self { keys: ContentKeys::new(rules.provider, key, tokens)?, tolerance })
    }

    pub(crate) fn begin(
        &self,
        rules: &Rules,
        request: &Context<'_>,
    ) -> Result<CallbackState, Rejection> {
        let form = query(request.head())?;
        let is_there = |name: &&&'static str| form.first(name).is_some();
        let name = rules.signatures.iter().find(is_there).or(rules.signatures.first());
        let signature = hash(&form, name.copied().unwrap_or_default());
        if let Some((name, value)) = rules.mode
            && form.only(name) != Ok(value.as_bytes())
            && (signature.is_ok() || form.first(SHORT_SIGNATURE).is_some())
        {
            let why = Rejection::new(RejectionKind::BodyNotSigned);
            return Err(why.with_field(Field::query(name)));
        }
        let signature = signature?;
        let signed = rules.signed(&form, self.tolerance, request.clock())?;
        (rules.head)(request.head())?;
        Ok(CallbackState { signed, signature })
    }

    pub(crate) fn finish(
        &self,
        rules: &Rules,
        state: &CallbackState,
        head: &Parts,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let message = rules.message(head, body)?;
        let Signed { time, nonce, signed_at } = &state.signed;
        let content = [&**time, &**nonce, message.as_bytes()];
        // The encrypted message begins with random bytes, so it differs in each delivery. The other
        // parts can be cut anew, and the hash then depends on the place of each token.
        let mut verified = self.keys.verify(&[&content], &[state.signature])?.with_unique_content();
        verified = verified.with_replay_material(&Sha256::digest(&message));
        verified.signed_at = *signed_at;
        Ok(verified)
    }

    /// Verifies a request whose signature covers only the time and the nonce.
    #[cfg(feature = "xml")]
    pub(crate) fn check_short(
        &self,
        rules: &Rules,
        form: &Form<'_>,
        clock: &Clock,
    ) -> Result<(), Rejection> {
        let signature = hash(form, SHORT_SIGNATURE)?;
        let Signed { time, nonce, .. } = rules.signed(form, self.tolerance, clock)?;
        self.keys.verify(&[&[&*time, &*nonce]], &[signature]).map(drop)
    }
}

#[cfg(feature = "sign")]
impl EncryptedCallback {
    /// Adds the signature, the time and a nonce to the query of a request with an encrypted message.
    pub(crate) fn sign(
        &self,
        rules: &Rules,
        head: &mut Parts,
        body: &[u8],
        time: SystemTime,
    ) -> Result<Option<Bytes>, Rejection> {
        const NONCE_OF_TESTS: &str = "263014780";

        let malformed = || Rejection::malformed_in(Field::Url);
        let message = rules.message(head, body)?;
        let [(format, _), ..] = rules.times else { return Err(malformed()) };
        let [name, ..] = rules.signatures else { return Err(malformed()) };
        let time = format.write(time);
        let content = [time.as_bytes(), NONCE_OF_TESTS.as_bytes(), message.as_bytes()];
        let tag = Encoding::Hex.encode(self.keys.tag(&content)?.as_bytes());
        let mut added = vec![(*name, tag), (TIME, time), (NONCE, NONCE_OF_TESTS.to_owned())];
        added.extend(rules.mode.map(|(name, value)| (name, value.to_owned())));
        crate::sign::query::put(head, &added)?;
        Ok(None)
    }
}

/// Implements the methods and traits of a provider with an [`EncryptedCallback`] in `self.0`.
///
/// `challenge` responds to a request before it is verified.
macro_rules! encrypted_callback {
    ($type:ident $(, challenge $challenge:path)?) => {
        impl $type {
            /// Creates a verifier with these tokens, the current one first.
            ///
            /// # Errors
            ///
            /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or if
            /// there are none or more than 16.
            pub fn new(tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
                EncryptedCallback::new(&RULES, tokens, Self::POLICY.tolerance()).map(Self)
            }

            /// Sets how far the signed time may be off, instead of 5 minutes.
            #[must_use]
            pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
                self.0.tolerance = tolerance;
                self
            }
        }

        impl Verifier for $type {
            type State = CallbackState;

            fn begin(&self, request: &Context<'_>) -> Result<CallbackState, Rejection> {
                self.0.begin(&RULES, request)
            }

            fn finish(
                &self,
                state: &mut CallbackState,
                request: &Context<'_>,
                body: &Bytes,
            ) -> Result<Outcome, Rejection> {
                Ok(self.0.finish(&RULES, state, request.head(), body)?.into())
            }

            $(
                fn challenge(
                    &self,
                    request: &Context<'_>,
                ) -> Option<Result<http::Response<Bytes>, Rejection>> {
                    $challenge(&self.0, request)
                }
            )?

            fn defaults(&self) -> VerifierDefaults {
                Self::DEFAULTS
            }

            #[cfg(feature = "explain")]
            fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
                let Self(callback) = self;
                callback.keys.probe(probe, |keys| Self(EncryptedCallback { keys, ..callback.clone() }));
            }
        }

        #[cfg(feature = "sign")]
        impl crate::sign::sign::Sign for $type {
            /// Adds the signature, the time and a nonce to the query of a request with an encrypted
            /// message.
            fn sign(
                &self,
                head: &mut http::request::Parts,
                body: &[u8],
                with: &crate::sign::sign::Signing<'_>,
            ) -> Result<Option<Bytes>, Rejection> {
                self.0.sign(&RULES, head, body, with.time())
            }
        }
    };
}
pub(crate) use encrypted_callback;
