//! What a layer takes from its verifier.

use http::{HeaderName, StatusCode, request::Parts};

use crate::{
    outcome::rejection::Rejection,
    parse::headers::checked_name,
    verifier::{
        challenge::challenge::Challenge,
        first_contact::{FirstContact, FirstContacts, HeaderNames, MAX_OTHERS},
        sensitive::SensitiveParts,
    },
};

/// What a layer takes from its verifier unless it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifierDefaults {
    pub(crate) provider: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) body_limit: usize,
    pub(crate) www_authenticate: &'static str,
    pub(crate) first_contacts: FirstContacts,
    challenge: Option<Challenge>,
    secret_url: bool,
    sensitive_headers: &'static [&'static str],
    sensitive_fields: &'static [&'static str],
}

impl VerifierDefaults {
    /// Provider `custom`, 403, 16 MiB.
    ///
    /// Most providers document no maximum, and some deliver files in JSON. The [byte
    /// budget](crate::SignatureLayer::byte_budget) bounds what all unverified bodies hold together, so
    /// a limit that is too high costs little; one that is too low refuses genuine deliveries.
    pub const DEFAULT: Self = Self {
        provider: "custom",
        status: StatusCode::FORBIDDEN,
        body_limit: 16 << 20,
        www_authenticate: "",
        first_contacts: FirstContacts::NONE,
        challenge: None,
        secret_url: false,
        sensitive_headers: &[],
        sensitive_fields: &[],
    };

    /// The provider's name, as it appears in [`Verified`](crate::Verified) and [`Rejection`].
    pub const fn with_provider(mut self, provider: &'static str) -> Self {
        self.provider = provider;
        self
    }

    /// The status of every verdict against a request.
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The longest body, in bytes.
    pub const fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Sets the `WWW-Authenticate` header of every 401, such as `Basic realm="webhooks"`: some senders
    /// show their credentials only in answer to it.
    pub const fn with_www_authenticate(mut self, challenge: &'static str) -> Self {
        self.www_authenticate = challenge;
        self
    }

    /// Sets the unsigned requests that are answered before verification, in place of those set before.
    /// They are looked for where none of these headers is there: those in which a signature stands. An empty
    /// list is for a verifier that answers by [`Verifier::first_contact`](crate::Verifier::first_contact). Of verifiers that are combined, the first four with first contacts keep theirs.
    ///
    /// # Panics
    ///
    /// When one is not a lower-case header name.
    pub const fn with_first_contacts(
        mut self,
        contacts: &'static [FirstContact],
        signature_headers: &'static [&'static str],
    ) -> Self {
        let mut at = 0;
        while at < signature_headers.len() {
            checked_name(signature_headers[at]);
            at += 1;
        }
        let signature = HeaderNames::Any(signature_headers);
        self.first_contacts = FirstContacts::new(contacts, signature, [&[]; MAX_OTHERS]);
        self
    }

    /// Names the unsigned challenge that the verifier answers, so that a look-up lets it through without the headers
    /// that it [requires](crate::layer::Requires) of other requests. Of verifiers that are combined, the first one's
    /// counts.
    pub const fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Returns whether this request is the unsigned challenge.
    pub(crate) fn is_challenge(&self, head: &Parts) -> bool {
        self.challenge.is_some_and(|challenge| challenge.is_asked(head))
    }

    /// Names the URL as secret: [events](crate::observe::Event::url) and the log show neither its
    /// path nor what its parameters are.
    pub const fn with_secret_url(mut self) -> Self {
        self.secret_url = true;
        self
    }

    /// Names the headers that hold a secret or a signature, in place of those named before. The log
    /// does not store them.
    ///
    /// # Panics
    ///
    /// When one is not a lower-case header name.
    pub const fn with_sensitive_headers(mut self, names: &'static [&'static str]) -> Self {
        let mut at = 0;
        while at < names.len() {
            checked_name(names[at]);
            at += 1;
        }
        self.sensitive_headers = names;
        self
    }

    /// Names the fields of the body that hold a secret or a signature, in place of those named
    /// before: members of JSON objects at any depth, or parameters of a form. The log does not store
    /// their values.
    pub const fn with_sensitive_fields(mut self, names: &'static [&'static str]) -> Self {
        self.sensitive_fields = names;
        self
    }

    pub(crate) const fn with_exchange(mut self, contacts: &'static [FirstContact]) -> Self {
        self.first_contacts = self.first_contacts.with_exchange(contacts);
        self
    }

    /// Returns the defaults that a user sets, with the first contacts of the source where those name none.
    pub(crate) const fn replaced_by(&self, mut set: Self) -> Self {
        if set.first_contacts.is_none() {
            set.first_contacts = self.first_contacts;
        } else {
            set.first_contacts = set.first_contacts.with_exchange(self.first_contacts.exchanged());
        }
        set
    }

    /// Whether refusals ask for credentials.
    fn asks(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && !self.www_authenticate.is_empty()
    }

    /// The defaults of two verifiers that both look at a request.
    pub(crate) fn and(mut self, second: &Self) -> Self {
        self.body_limit = self.body_limit.max(second.body_limit);
        self.secret_url |= second.secret_url;
        self.first_contacts = self.first_contacts.and(second.first_contacts);
        self.challenge = self.challenge.or(second.challenge);
        if !self.asks() && second.asks() {
            (self.status, self.www_authenticate) = (second.status, second.www_authenticate);
        } else if self.www_authenticate.is_empty() {
            self.www_authenticate = second.www_authenticate;
        }
        self
    }

    /// Fills in what a rejection of a verifier with these defaults does not say itself, and hides the path of a URL
    /// that is secret by the defaults or by these parts.
    pub(crate) fn complete(&self, rejection: Rejection, parts: &SensitiveParts) -> Rejection {
        rejection
            .with_provider(self.provider)
            .with_www_authenticate(self.www_authenticate)
            .with_secret_url(self.secret_url || parts.has_url())
    }

    /// Returns the parts of a request that this defaults names as sensitive.
    pub fn sensitive_parts(&self) -> SensitiveParts {
        let parts = SensitiveParts::none();
        let parts = if self.secret_url { parts.url() } else { parts };
        let headers = self.sensitive_headers.iter().copied().map(HeaderName::from_static);
        let fields = self.sensitive_fields.iter().copied();
        fields.fold(headers.fold(parts, SensitiveParts::header), SensitiveParts::field)
    }

    /// The provider's name.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// The status of every verdict against a request.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The longest body, in bytes.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        self.body_limit
    }
}
