//! The declaration of a scheme, and what contradicts itself in one.

use http::{HeaderName, StatusCode};

use crate::{
    crypto::{credentials::Credentials, mac::Algorithm, secret::Secret, secrets::Secrets},
    error::ConfigError,
    outcome::event_id::EventId,
    parse::{
        encoding::Encoding,
        headers::checked_name,
        timestamp::{TimestampFormat, Tolerance},
    },
    scheme::{
        component::{Component, SignatureSource, TimestampSource},
        key::SecretEncoding,
        signature_format::SignatureFormat,
    },
    verifier::{
        challenge::challenge::Challenge,
        defaults::VerifierDefaults,
        first_contact::{FirstContact, FirstContacts, MAX_OTHERS},
        sensitive::SensitiveParts,
    },
};

/// How a provider signs: independent choices, as data.
///
/// A scheme begins as a hex tag of the body in one header, and each method changes one choice. All
/// of them are `const`. A name that is not a lower-case header name stops the compiler when the
/// scheme is a `const`.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Scheme {
    pub(crate) defaults: VerifierDefaults,
    pub(crate) source: SignatureSource,
    pub(crate) signature_format: SignatureFormat,
    pub(crate) algorithm: Algorithm,
    pub(crate) encoding: Encoding,
    pub(crate) secret_encoding: SecretEncoding,
    pub(crate) signed_content: &'static [Component],
    pub(crate) time: Option<(TimestampSource, TimestampFormat)>,
    pub(crate) tolerance: Option<Tolerance>,
    pub(crate) delivery_id: Option<&'static str>,
    pub(crate) event_id: Option<EventId>,
    pub(crate) has_unique_content: bool,
    pub(crate) takes_any_body: bool,
    pub(crate) time_may_be_absent: bool,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) first_contacts: &'static [FirstContact],
    pub(crate) required: &'static [(&'static str, &'static str)],
    pub(crate) families: &'static [Self],
    /// One at most.
    pub(crate) legacy: &'static [Self],
    pub(crate) other_credentials: &'static Credentials,
}

impl Scheme {
    /// The tag by HMAC-SHA1, in this header.
    pub const fn hmac_sha1(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha1, header)
    }

    /// The tag by HMAC-SHA256, in this header.
    pub const fn hmac_sha256(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha256, header)
    }

    /// The tag by HMAC-SHA384, in this header.
    pub const fn hmac_sha384(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha384, header)
    }

    /// The tag by HMAC-SHA512, in this header.
    pub const fn hmac_sha512(header: &'static str) -> Self {
        Self::new(Algorithm::HmacSha512, header)
    }

    pub(crate) const fn new(algorithm: Algorithm, header: &'static str) -> Self {
        Self {
            defaults: VerifierDefaults::DEFAULT,
            source: SignatureSource::Header(checked_name(header)),
            signature_format: SignatureFormat::Single { prefix: "" },
            algorithm,
            encoding: Encoding::Hex,
            secret_encoding: SecretEncoding::Text,
            signed_content: &[Component::Body],
            time: None,
            tolerance: None,
            delivery_id: None,
            event_id: None,
            has_unique_content: false,
            takes_any_body: false,
            time_may_be_absent: false,
            challenge: None,
            first_contacts: &[],
            required: &[],
            families: &[],
            legacy: &[],
            other_credentials: &Credentials::UNKNOWN,
        }
    }

    /// The provider's name, as it appears in [`Verified`](crate::Verified).
    ///
    /// The [replay key](crate::Verified::replay_key) of a scheme without a name depends on its oldest
    /// secret, so that two senders are kept apart. Where a scheme with a name signs an id, the key stays
    /// as it is through each rotation.
    pub const fn provider(mut self, name: &'static str) -> Self {
        self.defaults = self.defaults.with_provider(name);
        self
    }

    /// The status of refusals, 403 by default.
    pub const fn status(mut self, status: StatusCode) -> Self {
        self.defaults = self.defaults.with_status(status);
        self
    }

    /// Names the fields of the body that hold a secret; see [`VerifierDefaults::with_sensitive_fields`].
    pub const fn sensitive_fields(mut self, names: &'static [&'static str]) -> Self {
        self.defaults = self.defaults.with_sensitive_fields(names);
        self
    }

    /// The longest body in bytes, 16 MiB by default.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.defaults = self.defaults.with_body_limit(bytes);
        self
    }

    /// The signature stands in one or more of these headers: any match counts.
    ///
    /// # Panics
    ///
    /// When there is none, or one is not a lower-case header name.
    pub const fn headers(mut self, names: &'static [&'static str]) -> Self {
        assert!(!names.is_empty(), "a scheme needs a signature header");
        let mut at = 0;
        while at < names.len() {
            checked_name(names[at]);
            at += 1;
        }
        self.source = SignatureSource::Headers(names);
        self
    }

    /// The signature stands in `Authorization`, under this scheme: `Authorization: HMAC <tag>`.
    pub const fn authorization(mut self, scheme: &'static str) -> Self {
        self.source = SignatureSource::Authorization(scheme);
        self
    }

    /// The signature follows this prefix, as in `sha256=<tag>`.
    pub const fn prefix(self, prefix: &'static str) -> Self {
        self.signature_format(SignatureFormat::Single { prefix })
    }

    /// Sets the format of the signature header's value.
    pub const fn signature_format(mut self, format: SignatureFormat) -> Self {
        self.signature_format = format;
        self
    }

    /// How a signature is written.
    pub const fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// How the key is made of the secret's text.
    pub const fn secret_encoding(mut self, rule: SecretEncoding) -> Self {
        self.secret_encoding = rule;
        self
    }

    /// The signed content, part by part. Parts before the body are hashed before it arrives.
    ///
    /// No captured request can be cut into another one with the same signed content:
    ///
    /// - An id, a header, and the path and query of a URL are refused if they hold the literal between
    ///   them and the body.
    /// - Where no literal stands between them and the body, they must be of bytes that a URL may have,
    ///   and the body must begin (or end) with a byte that no URL has, as JSON and XML do. Another
    ///   body is refused. A [fixed](crate::PublicUrl::fixed) URL needs neither.
    /// - A time in seconds or milliseconds without a literal beside it must have 10 or 13 digits.
    /// - A date and a part of any length cannot both stand beside the body without a literal.
    /// - A method must be one of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS.
    /// - Two parts of any length side by side are refused when the verifier is built.
    ///
    /// # Panics
    ///
    /// When the body is not there exactly once: a signature that does not cover the body proves
    /// nothing about it.
    pub const fn signed_content(mut self, parts: &'static [Component]) -> Self {
        let (mut at, mut bodies) = (0, 0);
        while at < parts.len() {
            if let Component::Header(name) | Component::HttpDate(name) = parts[at] {
                checked_name(name);
            }
            bodies += matches!(parts[at], Component::Body) as usize;
            at += 1;
        }
        assert!(bodies == 1, "the signed content needs the body exactly once");
        self.signed_content = parts;
        self
    }

    /// Where the time stands and how it is written. It may be off by [`Tolerance::DEFAULT`], unless
    /// [`tolerance`](Self::tolerance) sets another bound.
    pub const fn time(mut self, source: TimestampSource, format: TimestampFormat) -> Self {
        if let TimestampSource::Header(name) = source {
            checked_name(name);
        }
        self.time = Some((source, format));
        self
    }

    /// How far the time may be off, in place of [`Tolerance::DEFAULT`].
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// The header with the delivery's id. It must be there if the [signed content](Self::signed_content) has
    /// it, and may be absent otherwise.
    pub const fn delivery_id(mut self, header: &'static str) -> Self {
        self.delivery_id = Some(checked_name(header));
        self
    }

    /// Says that what is signed holds something of each delivery's own beside the time: an id in the
    /// body, or a nonce. The [`ReplayLayer`](crate::replay::ReplayLayer) then guards deliveries whose
    /// time is signed.
    ///
    /// Without it, and without a signed id, two genuine deliveries of one second can be signed alike.
    pub const fn unique_content(mut self) -> Self {
        self.has_unique_content = true;
        self
    }

    /// A provider whose page says what is not guarded: of bodies that are neither JSON nor XML, where
    /// no literal stands beside them.
    pub(crate) const fn takes_any_body(mut self) -> Self {
        self.takes_any_body = true;
        self
    }

    /// How the provider asks whether an endpoint is its customer's; the layer answers.
    ///
    /// # Panics
    ///
    /// When it names a header that is not a lower-case header name.
    pub const fn challenge(mut self, challenge: Challenge) -> Self {
        match challenge {
            Challenge::Header(header)
            | Challenge::HeaderToJson { header, .. }
            | Challenge::SignedField { header, .. }
            | Challenge::SignedHeader { header, .. } => {
                checked_name(header);
            }
            _ => {}
        }
        self.challenge = Some(challenge);
        self
    }

    /// Sets further ways in which the same sender signs with the same secret, in headers of their own: for
    /// other products, or newer versions. A request with one of their headers is verified by the first
    /// scheme that has it, whatever else the request carries, so name the stronger one first. Families of
    /// families are not looked at.
    pub const fn families(mut self, families: &'static [Self]) -> Self {
        self.families = families;
        self
    }

    /// Sets an older and weaker scheme that the same sender uses with the same secret. It counts once
    /// [`SchemeVerifier::accept_legacy`](crate::scheme::SchemeVerifier::accept_legacy) is called, for requests that have its header and none of this
    /// scheme or of its [families](Self::families).
    pub const fn legacy(mut self, legacy: &'static Self) -> Self {
        self.legacy = std::slice::from_ref(legacy);
        self
    }

    /// Sets the unsigned requests that are answered before verification, in place of those set before.
    pub const fn first_contacts(mut self, contacts: &'static [FirstContact]) -> Self {
        self.first_contacts = contacts;
        self
    }

    /// Headers that must have exactly these values, such as a version that the signature is made by.
    ///
    /// They pick a way to sign, which is fixed here; they are not signed for it.
    ///
    /// # Panics
    ///
    /// When a name is not a lower-case header name.
    pub const fn required(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        let mut at = 0;
        while at < headers.len() {
            checked_name(headers[at].0);
            at += 1;
        }
        self.required = headers;
        self
    }

    /// The provider's name, the status of refusals, the body limit and the first contacts.
    pub const fn defaults(&self) -> VerifierDefaults {
        let mut defaults = self.defaults;
        if let Some(challenge) = self.challenge {
            defaults = defaults.with_challenge(challenge);
        }
        if !self.first_contacts.is_empty() {
            let others = self.other_headers();
            defaults.first_contacts =
                FirstContacts::new(self.first_contacts, self.source.names(), others);
        }
        defaults
    }

    /// Returns the signature headers of the families and of the legacy, where all of them have room.
    const fn other_headers(&self) -> [&'static [&'static str]; MAX_OTHERS] {
        let mut names: [&[&str]; MAX_OTHERS] = [&[]; MAX_OTHERS];
        let mut at = 0;
        while at < self.families.len() && at < MAX_OTHERS {
            names[at] = self.families[at].source.headers();
            at += 1;
        }
        if at < MAX_OTHERS && !self.legacy.is_empty() {
            names[at] = self.legacy[0].source.headers();
        }
        names
    }

    /// Returns the parts of a request that hold a signature or a secret: the signature's headers, and
    /// what the [profile](Self::defaults) names.
    pub fn sensitive_parts(&self) -> SensitiveParts {
        let families = self.families.iter().chain(self.legacy).flat_map(Self::signature_headers);
        let names = self.signature_headers().iter().chain(families).copied();
        let names = names.map(HeaderName::from_static);
        names.fold(self.defaults.sensitive_parts(), SensitiveParts::header)
    }

    pub(crate) fn signs_id(&self) -> bool {
        self.signed_content.contains(&Component::Id)
    }

    /// Returns whether deliveries are known by an id alone, without a provider's name.
    pub(crate) fn numbers_without_a_name(&self) -> bool {
        self.signs_id() && self.defaults.provider == VerifierDefaults::DEFAULT.provider
    }

    /// Says where bodies have the id of their event.
    pub(crate) const fn event_id(mut self, id: Option<EventId>) -> Self {
        self.event_id = id;
        self
    }

    /// Sets what people may paste in place of the secret.
    pub(crate) const fn other_credentials(mut self, others: &'static Credentials) -> Self {
        self.other_credentials = others;
        self
    }

    /// Returns the secrets, checked; `present` of them a verifier has already.
    pub(crate) fn check_secrets(
        &self,
        secrets: Secrets,
        present: usize,
    ) -> Result<Vec<Secret>, ConfigError> {
        secrets.checked(present, self.defaults.provider, self.other_credentials)
    }

    /// A body without the time is accepted, and has none. Of a time in the body alone.
    pub(crate) const fn time_may_be_absent(mut self, may: bool) -> Self {
        self.time_may_be_absent = may;
        self
    }

    /// How far the time may be off. `None` where none is signed.
    pub(crate) const fn judges(&self) -> Option<Tolerance> {
        match (self.time, self.tolerance) {
            (None, _) => None,
            (Some(_), None) => Some(Tolerance::DEFAULT),
            (Some(_), set) => set,
        }
    }
}
