//! Declaration of a signature scheme.

use std::iter;

use http::{HeaderName, StatusCode};

use crate::{
    crypto::{credentials::Credentials, mac::Algorithm, secret::Secret, secrets::Secrets},
    error::ConfigError,
    outcome::event_id::EventId,
    parse::{
        encoding::Encoding, headers::checked_name, timestamp::TimestampFormat, tolerance::Tolerance,
    },
    scheme::{
        component::{BodyDigest, Component, SignatureSource, TimestampSource},
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

/// Declaration of a signature scheme: independent choices that describe how a provider signs.
///
/// A scheme starts as a hex-encoded tag of the body in one header. Each setter changes one choice.
/// Guide: [custom verifiers](crate::guide::custom_verifiers).
///
/// ```
/// use tower_webhook::scheme::{
///     Component, Encoding, Scheme, SignatureFormat, TimestampFormat, TimestampSource, Tolerance,
/// };
///
/// // `x-acme: t=1700000000,v1=<base64>` over `<t>.<body>`, at most five minutes old
/// const ACME: Scheme = Scheme::hmac_sha256("x-acme")
///     .provider("acme")
///     .signature_format(SignatureFormat::pairs("t", "v1"))
///     .encoding(Encoding::Base64)
///     .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
///     .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
///     .tolerance(Tolerance::seconds(300));
/// assert!(ACME.verifier("s3cret-of-acme").is_ok());
/// ```
///
/// # Panics
///
/// Constructors and setters panic if a header name is not a lower-case header name. All of them are
/// `const`, so that a `const` scheme with such a name does not compile.
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
    pub(crate) is_digested: bool,
    pub(crate) takes_any_body: bool,
    pub(crate) time_may_be_absent: bool,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) first_contacts: &'static [FirstContact],
    pub(crate) required: &'static [(&'static str, &'static str)],
    pub(crate) families: &'static [Self],
    /// At most one scheme.
    pub(crate) legacy: &'static [Self],
    pub(crate) other_credentials: &'static Credentials,
}

impl Scheme {
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
            is_digested: false,
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

    /// Sets the provider's name, which appears in [`Verified`](crate::Verified).
    ///
    /// Without a name, the [replay key](crate::Verified::replay_key) depends on the oldest secret,
    /// to keep two senders apart. With a name and a signed ID, no rotation changes the key.
    pub const fn provider(mut self, name: &'static str) -> Self {
        self.defaults = self.defaults.with_provider(name);
        self
    }

    /// Sets the status of authentication failures, `403 Forbidden` by default.
    pub const fn status(mut self, status: StatusCode) -> Self {
        self.defaults = self.defaults.with_status(status);
        self
    }

    /// Sets the body fields that hold a secret; see [`VerifierDefaults::with_sensitive_fields`].
    pub const fn sensitive_fields(mut self, names: &'static [&'static str]) -> Self {
        self.defaults = self.defaults.with_sensitive_fields(names);
        self
    }

    /// Sets the maximum length of the body in bytes, 16 MiB by default.
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.defaults = self.defaults.with_body_limit(bytes);
        self
    }

    /// Sets how the key is derived from the secret string.
    pub const fn secret_encoding(mut self, rule: SecretEncoding) -> Self {
        self.secret_encoding = rule;
        self
    }

    /// Sets the components of the signed content, in order. Components before the body are hashed
    /// before it arrives.
    ///
    /// To keep requests unambiguous, the verifier enforces:
    ///
    /// - An ID, a header, and the path and query of a URL are rejected if they contain the literal
    ///   between them and the body.
    /// - Without a literal between them and the body, they must consist of bytes that a URL can
    ///   have, and the body must begin (or end) with a byte that no URL has, as JSON and XML do.
    ///   Another body is rejected. A [fixed](crate::PublicUrl::fixed) URL needs neither.
    /// - A number of seconds (milliseconds) without a literal next to it must have 10 (13) digits.
    /// - If a date touches the body, a component of variable length must not, unless a literal
    ///   separates them.
    /// - The method must be one of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS.
    /// - Two adjacent components of variable length are rejected when the verifier is built.
    ///
    /// # Panics
    ///
    /// Panics if the body or its digest is not there exactly once, because a signature that does not
    /// cover the body proves nothing about it, or if a component names a header that is not lower-case.
    pub const fn signed_content(mut self, parts: &'static [Component]) -> Self {
        let (mut at, mut bodies) = (0, 0);
        while at < parts.len() {
            if let Component::Header(name) | Component::HttpDate(name) = parts[at] {
                checked_name(name);
            }
            bodies += parts[at].is_body() as usize;
            at += 1;
        }
        assert!(bodies == 1, "the signed content needs the body exactly once");
        self.signed_content = parts;
        self
    }

    /// Sets the place and the format of the timestamp.
    pub const fn time(mut self, source: TimestampSource, format: TimestampFormat) -> Self {
        if let TimestampSource::Header(name) = source {
            checked_name(name);
        }
        self.time = Some((source, format));
        self
    }

    /// Sets the time tolerance, by default [`Tolerance::DEFAULT`]: 24 hours back, 5 minutes ahead.
    pub const fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Sets the header with the delivery's ID, optional unless [signed](Self::signed_content).
    pub const fn delivery_id(mut self, header: &'static str) -> Self {
        self.delivery_id = Some(checked_name(header));
        self
    }

    /// Declares that each delivery signs an ID in its body or a nonce, and also its timestamp.
    ///
    /// The [`ReplayLayer`](crate::replay::ReplayLayer) then guards deliveries whose timestamp is
    /// signed. Without it, and without a signed ID, two authentic deliveries in one second can be
    /// signed alike.
    pub const fn unique_content(mut self) -> Self {
        self.has_unique_content = true;
        self
    }

    /// Verifies the signature of the content's SHA-256 digest, which the algorithm hashes again.
    ///
    /// Only a scheme with a public key can have it.
    #[cfg(feature = "asymmetric")]
    pub(crate) const fn digested(mut self) -> Self {
        assert!(self.algorithm.takes_public_key(), "a MAC never covers the digest alone");
        self.is_digested = true;
        self
    }

    /// Accepts any body without a literal next to it. The provider's page states the risk.
    pub(crate) const fn takes_any_body(mut self) -> Self {
        self.takes_any_body = true;
        self
    }

    /// Sets the provider's challenge, to which the layer responds.
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

    /// Sets further schemes of the same sender and secret, each with headers of its own.
    ///
    /// They cover other products or newer versions. The first whose header is present verifies the
    /// request, whatever else it carries: list the stronger first. Nested families are ignored.
    ///
    /// A family without a name has the name of this scheme. Deliveries with the same
    /// [signed ID](Self::delivery_id) then have the same replay key, whichever family signed them. If
    /// products count their IDs apart from each other, give each family a name.
    /// A family without a provider's name or a tolerance has those of this scheme.
    pub const fn families(mut self, families: &'static [Self]) -> Self {
        self.families = families;
        self
    }

    /// Sets an older and weaker scheme of the same sender and secret.
    ///
    /// It applies after [`accept_legacy`](crate::scheme::SchemeVerifier::accept_legacy), to
    /// requests with its header and none of this scheme or its [families](Self::families).
    pub const fn legacy(mut self, legacy: &'static Self) -> Self {
        self.legacy = std::slice::from_ref(legacy);
        self
    }

    /// Sets the unsigned requests that are answered before verification, instead of earlier ones.
    pub const fn first_contacts(mut self, contacts: &'static [FirstContact]) -> Self {
        self.first_contacts = contacts;
        self
    }

    /// Sets headers that must have exactly these values.
    ///
    /// Use this for version headers. The values are not part of the signed content.
    pub const fn required(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        let mut at = 0;
        while at < headers.len() {
            checked_name(headers[at].0);
            at += 1;
        }
        self.required = headers;
        self
    }

    /// Returns the defaults for a layer: name, status, body limit, challenge and first contacts.
    pub const fn defaults(&self) -> VerifierDefaults {
        let mut defaults = self.defaults;
        if let SignatureSource::Query(_) = self.source {
            defaults = defaults.with_secret_url();
        }
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

    /// Returns the signature headers of the families and the legacy scheme, as far as they fit.
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

    /// Returns the parts of a request that hold a signature or a secret: the signature headers, and
    /// the parts that the [defaults](Self::defaults) name.
    pub fn sensitive_parts(&self) -> SensitiveParts {
        let families = self.families.iter().chain(self.legacy).flat_map(Self::signature_headers);
        let names = self.signature_headers().iter().chain(families).copied();
        let names = names.map(HeaderName::from_static);
        let parts = names.fold(self.defaults.sensitive_parts(), SensitiveParts::header);
        let mut all = iter::once(self).chain(self.families).chain(self.legacy);
        let is_in_query = all.any(|scheme| matches!(scheme.source, SignatureSource::Query(_)));
        if is_in_query { parts.url() } else { parts }
    }

    /// Returns the body's digest, if it is signed in place of the body.
    pub(crate) fn body_digest(&self) -> Option<BodyDigest> {
        self.signed_content.iter().find_map(|part| part.body_digest())
    }

    /// Returns `true` for a plain hash that anyone can extend, because no secret follows the body.
    pub(crate) fn is_extendable(&self) -> bool {
        let mut after_body = self.signed_content.iter().rev().take_while(|part| !part.is_body());
        self.algorithm.is_plain_hash()
            && self.signed_content.contains(&Component::Body)
            && !after_body.any(|part| *part == Component::Secret)
    }

    pub(crate) fn signs_id(&self) -> bool {
        self.signed_content.contains(&Component::Id)
    }

    /// Returns `true` if a signed ID identifies deliveries and the scheme has no provider's name.
    pub(crate) fn numbers_without_a_name(&self) -> bool {
        self.signs_id() && self.defaults.provider == VerifierDefaults::DEFAULT.provider
    }

    /// Sets the place of the event's ID in the body.
    pub(crate) const fn event_id(mut self, id: Option<EventId>) -> Self {
        self.event_id = id;
        self
    }

    /// Sets the credentials that users could paste instead of the secret.
    pub(crate) const fn other_credentials(mut self, others: &'static Credentials) -> Self {
        self.other_credentials = others;
        self
    }

    /// Checks and returns the secrets. The verifier already has `present` secrets.
    pub(crate) fn check_secrets(
        &self,
        secrets: Secrets,
        present: usize,
    ) -> Result<Vec<Secret>, ConfigError> {
        secrets.checked(present, self.defaults.provider, self.other_credentials)
    }

    /// Sets whether a body without the timestamp is accepted. Only for a timestamp in the body.
    pub(crate) const fn time_may_be_absent(mut self, may: bool) -> Self {
        self.time_may_be_absent = may;
        self
    }

    /// Returns how far the timestamp can be off, or `None` if there is no timestamp.
    pub(crate) const fn judges(&self) -> Option<Tolerance> {
        match (self.time, self.tolerance) {
            (None, _) => None,
            (Some(_), None) => Some(Tolerance::DEFAULT),
            (Some(_), set) => set,
        }
    }
}
