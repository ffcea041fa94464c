//! Default settings of a verifier.

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

/// Settings that a layer takes from its verifier unless you set others.
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
    /// Default settings: provider `custom`, status `403 Forbidden`, and a body limit of 16 MiB.
    ///
    /// Most providers document no maximum, and some deliver files in JSON. The [byte
    /// budget](crate::SignatureLayer::byte_budget) bounds the memory of all unverified bodies
    /// together, so a limit that is too high costs little. A limit that is too low rejects
    /// authentic deliveries.
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

    /// Sets the provider's name, as it appears in [`Verified`](crate::Verified) and [`Rejection`].
    pub const fn with_provider(mut self, provider: &'static str) -> Self {
        self.provider = provider;
        self
    }

    /// Sets the status of every authentication failure.
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets the maximum length of the body, in bytes.
    pub const fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Sets the `WWW-Authenticate` header of every `401 Unauthorized` response, such as
    /// `Basic realm="webhooks"`. Some senders send their credentials only in response to it.
    pub const fn with_www_authenticate(mut self, challenge: &'static str) -> Self {
        self.www_authenticate = challenge;
        self
    }

    /// Sets the unsigned requests that the layer answers before verification, instead of those set
    /// before.
    ///
    /// The layer looks for them only in requests without any of `signature_headers`, the headers
    /// that may carry a signature. Pass an empty list of contacts for a verifier that answers them
    /// in [`Verifier::first_contact`](crate::Verifier::first_contact). If verifiers are combined,
    /// the first four with first contacts keep theirs.
    ///
    /// # Panics
    ///
    /// Panics if one of the headers is not a lower-case header name.
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

    /// Sets the unsigned challenge that the verifier answers, so that a lookup lets it through
    /// without the headers that it [requires](crate::layer::Requires) of other requests. If
    /// verifiers are combined, the first challenge counts.
    pub const fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Returns `true` if this request is the unsigned challenge.
    pub(crate) fn is_challenge(&self, head: &Parts) -> bool {
        self.challenge.is_some_and(|challenge| challenge.is_asked(head))
    }

    /// Marks the URL as secret: [events](crate::observe::Event::url) and the log show neither its
    /// path nor the values of its parameters.
    pub const fn with_secret_url(mut self) -> Self {
        self.secret_url = true;
        self
    }

    /// Sets the headers that hold a secret or a signature, instead of those set before. The log
    /// does not store them.
    ///
    /// # Panics
    ///
    /// Panics if one of them is not a lower-case header name.
    pub const fn with_sensitive_headers(mut self, names: &'static [&'static str]) -> Self {
        let mut at = 0;
        while at < names.len() {
            checked_name(names[at]);
            at += 1;
        }
        self.sensitive_headers = names;
        self
    }

    /// Sets the body fields that hold a secret or a signature, instead of those set before: members
    /// of JSON objects at any depth, or parameters of a form. The log does not store their values.
    pub const fn with_sensitive_fields(mut self, names: &'static [&'static str]) -> Self {
        self.sensitive_fields = names;
        self
    }

    pub(crate) const fn with_exchange(mut self, contacts: &'static [FirstContact]) -> Self {
        self.first_contacts = self.first_contacts.with_exchange(contacts);
        self
    }

    /// Returns the defaults that a user sets, with the first contacts of the source if `set` has
    /// none.
    pub(crate) const fn replaced_by(&self, mut set: Self) -> Self {
        if set.first_contacts.is_none() {
            set.first_contacts = self.first_contacts;
        } else {
            set.first_contacts = set.first_contacts.with_exchange(self.first_contacts.exchanged());
        }
        set
    }

    /// Returns `true` if rejections ask for credentials.
    fn asks(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && !self.www_authenticate.is_empty()
    }

    /// Combines the defaults of two verifiers that check the same request.
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

    /// Adds the details that a verifier's rejection lacks, and hides the path of a URL that is
    /// secret according to the defaults or to `has_secret_url`.
    pub(crate) fn complete(
        &self,
        rejection: Rejection,
        has_secret_url: impl FnOnce() -> bool,
    ) -> Rejection {
        rejection
            .with_provider(self.provider)
            .with_www_authenticate(self.www_authenticate)
            .with_secret_url(|| self.secret_url || has_secret_url())
    }

    /// Returns the parts of a request that these defaults mark as sensitive.
    pub fn sensitive_parts(&self) -> SensitiveParts {
        let parts = SensitiveParts::none();
        let parts = if self.secret_url { parts.url() } else { parts };
        let headers = self.sensitive_headers.iter().copied().map(HeaderName::from_static);
        let fields = self.sensitive_fields.iter().copied();
        fields.fold(headers.fold(parts, SensitiveParts::header), SensitiveParts::field)
    }

    /// Returns the provider's name.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        self.provider
    }

    /// Returns the status of every authentication failure.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the maximum length of the body, in bytes.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        self.body_limit
    }
}
