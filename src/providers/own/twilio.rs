//! Twilio webhooks.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use http::{Method, request::Parts};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    crypto::{
        mac::{Algorithm, Mac},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        encoding::{Encoding, MAX_TAG},
        form::Form,
        headers::{is_form, optional, required},
    },
    providers::{
        macros::registered,
        other_credentials,
        own::{
            keyring,
            twilio_keys::{SETTINGS, Settings, matching_key},
            twilio_url::{SignedUrls, body_hash},
        },
        policy::DeliveryPolicy,
    },
    scheme::public_url::PublicUrl,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

pub(crate) const SIGNATURE: &str = "x-twilio-signature";
const DELIVERY_ID: &str = "i-twilio-idempotency-token";

/// Twilio webhooks: HMAC-SHA1 of the URL and the form parameters.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::Twilio};
///
/// let url = PublicUrl::base("https://example.com")?;
/// let layer = SignatureLayer::new(Twilio::new("0123456789abcdef0123456789abcdef", url)?);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// | property | value |
/// |---|---|
/// | header | `x-twilio-signature: <base64>` |
/// | algorithm | HMAC-SHA1; the key is the account's auth token. See [`shared_key`](Self::shared_key) for HMAC-SHA256 |
/// | signed content | the URL and the form's parameters; see [below](Self#signed-content) |
/// | tolerance | none: a captured request can be sent again |
/// | delivery ID | `i-twilio-idempotency-token`, **not signed** |
/// | challenge | none |
///
/// Use it for messaging, voice, status callbacks, and the WebSocket handshakes of Twilio. The GET
/// of a WebSocket is signed like any other, over `wss://…`.
///
/// # Signed content
///
/// Twilio signs the URL that you gave it. The rest depends on the body:
///
/// - A form in a POST: each distinct pair of parameter name and value follows the URL. The pairs
///   are sorted by their bytes, without delimiters.
/// - Any other body: `bodySHA256` in the query must be the body's hash. Without it, the request is
///   rejected. `bodySHA256` may occur twice with the same value.
/// - No body: the signature covers only the URL, if the request is a GET or has no `bodySHA256`.
///
/// The verifier tries the URL as Twilio's documentation describes it and as Twilio's libraries do:
///
/// - with and without its port, or the default port of its scheme;
/// - with and without its user name and password.
///
/// # Behind a proxy
///
/// Configure the URL that you gave to Twilio; see [`PublicUrl`]. If a proxy strips a path prefix,
/// include the prefix in the [`base`](PublicUrl::base). If axum's `Router::nest` cuts the path, add
/// [`uri_from`](PublicUrl::uri_from). Do not use [`PublicUrl::fixed`] for JSON
/// and GETs: their query differs in each request.
///
/// # Limits of the scheme
///
/// The signed content has no delimiters. `Body=x&To=y` and `B=odyxToy` have the same signature, and
/// so have a parameter and the same text at the end of the URL. A router that matches exact paths,
/// and [`known_parameters`](Self::known_parameters), leave an attacker little room: a value can
/// still absorb the parameter after it, and `Body=xToy` can become `Body=x&To=y`.
///
/// The signature does not cover the order of parameters and their repetition: `To=a&To=b`,
/// `To=b&To=a` and `To=a&To=b&To=b` have the same signature. Do not let a handler depend on which
/// of several values comes first, or on how many there are.
///
/// # Secret
///
/// The auth token, in the Twilio Console: *Account Info* on the dashboard page → *Show*. ([Twilio](https://help.twilio.com/hc/en-us/articles/223136027-Auth-Tokens-and-How-to-Change-Them))
/// Twilio signs with the primary token. It signs with a secondary token only after you promote it. ([Twilio](https://www.twilio.com/docs/api/errors/57012.md))
/// The API returns the secret of a shared key when you create the key. ([Twilio](https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys))
///
/// # Settings
///
/// Pass the webhook's URL to `PublicUrl` exactly as Twilio has it. ([Twilio](https://www.twilio.com/docs/api/errors/57012.md))
///
/// # Not covered
///
/// Authy's callbacks: `X-Authy-Signature`, with the Authy application's API key. ([Twilio](https://www.twilio.com/docs/authy/validation.md))
///
/// # Evidence
///
/// Vendor vector: <https://www.twilio.com/docs/usage/security>, the tests of twilio-python, -node,
/// -java and -ruby.
///
#[doc = crate::providers::macros::page!(Twilio)]
#[derive(Clone)]
pub struct Twilio(pub(crate) Arc<Inner>);

registered! {
    Twilio = "twilio";
    policy: DeliveryPolicy::UNKNOWN;
    signature: "HMAC-SHA1 of URL and form, or of the URL with the body's SHA-256";
    "twilio": Secret url, p => Twilio::new(p.secrets, p.url.ok_or(ConfigError::UrlMissing)?);
}

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) url: PublicUrl,
    pub(crate) auth_tokens: Vec<Mac>,
    #[cfg(feature = "explain")]
    pub(crate) secrets: Vec<crate::crypto::secret::Secret>,
    pub(crate) shared_keys: Vec<SharedKey>,
    known_parameters: Option<Vec<String>>,
    legacy_query: bool,
    trailing_slash: bool,
}

#[derive(Clone)]
pub(crate) struct SharedKey {
    pub(crate) id: String,
    sha1: Mac,
    sha256: Mac,
}

impl Twilio {
    /// Default layer settings for this provider: its name, the status of rejections and the body
    /// limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
    pub const DEFAULTS: VerifierDefaults =
        Self::POLICY.defaults().with_sensitive_headers(&[SIGNATURE]);

    /// Creates a verifier with these auth tokens, the current one first, for webhooks that Twilio
    /// sends to this URL.
    ///
    /// # Errors
    ///
    /// Returns an error if a token is invalid (see [`Secret::new`](crate::crypto::secret::Secret::new)), not in
    /// Twilio's format or another credential of Twilio, or if there are none or more than 16.
    pub fn new(auth_tokens: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        let auth_tokens = other_credentials::checked(auth_tokens, 0, Self::DEFAULTS.provider())?;
        Ok(Self(Arc::new(Inner {
            url,
            auth_tokens: auth_tokens.iter().map(|token| Mac::hmac_sha1(token.expose())).collect(),
            #[cfg(feature = "explain")]
            secrets: auth_tokens,
            shared_keys: Vec::new(),
            known_parameters: None,
            legacy_query: false,
            trailing_slash: false,
        })))
    }

    /// Adds a shared key, which is a public beta of Twilio.
    ///
    /// The key verifies requests whose `X-Twilio-Webhooks-Signature-Settings` header has its ID.
    /// The same header names the algorithm, HMAC-SHA256 or HMAC-SHA1. If it names none, the key
    /// verifies HMAC-SHA1. The name of the algorithm may be in any case and may have blanks around
    /// it.
    ///
    /// If the header is absent, or has no key ID or an unknown one, the auth token verifies the
    /// request, and accepts only HMAC-SHA1. Source:
    /// <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>, twilio-python 9.13.0.
    ///
    /// During a rotation, pass all secrets of the ID together, the current one first:
    /// [`Verified::key_index`] counts the secrets of the ID in the request.
    ///
    /// # Errors
    ///
    /// Returns an error if the ID is empty or contains a character that the header cannot carry, if
    /// a secret is invalid (see [`Secret::new`](crate::crypto::secret::Secret::new)), or if there are none, or more
    /// than 16 of all shared keys.
    pub fn shared_key(
        mut self,
        id: impl Into<String>,
        secrets: impl IntoSecrets,
    ) -> Result<Self, ConfigError> {
        let id = id.into();
        keyring::check(&id)?;
        let keys = &mut Arc::make_mut(&mut self.0).shared_keys;
        let secrets = secrets.into_secrets()?.counted(keys.len())?;
        keys.extend(secrets.iter().map(|secret| SharedKey {
            id: id.clone(),
            sha1: Mac::hmac_sha1(secret.expose()),
            sha256: Mac::hmac_sha256(secret.expose()),
        }));
        Ok(self)
    }

    /// Rejects forms with a parameter that is not among these names.
    ///
    /// An attacker then cannot use a part of a name or of the URL as another parameter. Twilio adds
    /// parameters without notice, so keep the list up to date.
    #[must_use]
    pub fn known_parameters<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.update(|inner| inner.known_parameters = Some(names))
    }

    /// Also tries the URL with the other form of apostrophes in its query.
    ///
    /// Each `'` becomes `%27`. If the query has no `'`, each `%27` becomes `'`. Twilio makes some
    /// of its signatures over the other form. twilio-node tries both by default.
    #[must_use]
    pub fn accept_legacy_query(self) -> Self {
        self.update(|inner| inner.legacy_query = true)
    }

    /// Also tries the URL of a WebSocket with a slash at the end of its path.
    #[must_use]
    pub fn accept_trailing_slash(self) -> Self {
        self.update(|inner| inner.trailing_slash = true)
    }

    fn update(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// State of a verification, from the head to the end of the body.
#[doc(hidden)]
pub struct TwilioState {
    /// The signed URL, if it depends on the request.
    url: Option<String>,
    algorithm: Algorithm,
    signature: [u8; MAX_TAG],
}

impl Verifier for Twilio {
    type State = TwilioState;

    fn begin(&self, request: &Context<'_>) -> Result<TwilioState, Rejection> {
        let head = request.head();
        // Neither header may be repeated.
        optional(head, DELIVERY_ID)?;
        is_form(head)?;
        let text = required(head, SIGNATURE)?;
        let (algorithm, _) = self.0.keys(head)?;
        let mut signature = [0; MAX_TAG];
        Encoding::Base64
            .decode(text, &mut signature[..algorithm.tag_len()])
            .ok_or(Rejection::malformed(SIGNATURE))?;
        let url = match self.0.url.resolve(head)? {
            Cow::Borrowed(_) => None,
            Cow::Owned(url) => Some(url),
        };
        Ok(TwilioState { url, algorithm, signature })
    }

    fn finish(
        &self,
        state: &mut TwilioState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let head = request.head();
        let url = match &state.url {
            Some(url) => Cow::Borrowed(url.as_str()),
            None => self.0.url.resolve(head)?,
        };
        let parameters = self.0.signed_parameters(&url, head, body)?;
        let (_, keys) = self.0.keys(head)?;
        let signature = &state.signature[..state.algorithm.tag_len()];

        let Inner { legacy_query, trailing_slash, .. } = *self.0;
        let urls = SignedUrls { legacy_query, trailing_slash }.of(&url);
        let form = parameters.as_deref().unwrap_or_default();
        // Each URL is tried with all keys. The search stops at the signed URL, which is not secret.
        let key_index =
            urls.iter().find_map(|url| matching_key(keys.clone(), url, form, signature));
        let key_index = key_index.ok_or_else(|| {
            let mismatch = Rejection::mismatch().with_secrets_tried(keys.clone().count());
            mismatch.with_signed_url(&*url)
        })?;

        let verified = Verified::new(Self::DEFAULTS.provider())
            .with_key_index(key_index)
            // The signature equals the tag of a key.
            .with_replay_material(signature);
        // The signature of a form covers neither the order of its parameters nor their ends.
        let verified = if parameters.is_none() { verified.with_signed_body() } else { verified };
        Ok(verified.with_unsigned_id(head, DELIVERY_ID).into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        self.probe(probe);
    }
}

impl Inner {
    /// Returns the algorithm, and the keys that Twilio may have used with it.
    fn keys(
        &self,
        head: &Parts,
    ) -> Result<(Algorithm, impl Iterator<Item = &Mac> + Clone), Rejection> {
        let Settings { key: id, is_sha256 } = Settings::read(head)?;
        let is_named = move |key: &&SharedKey| id.is_some_and(|id| key.id.as_bytes() == id);
        let shared = self.shared_keys.iter().filter(is_named);
        let (algorithm, tokens) = match (shared.clone().next(), is_sha256) {
            (Some(_), true) => (Algorithm::HmacSha256, &[][..]),
            (Some(_), false) => (Algorithm::HmacSha1, &[][..]),
            // Another verifier may know the key, so the header is not malformed.
            (None, true) if id.is_some() => {
                return Err(Rejection::mismatch().in_header(SETTINGS));
            }
            // The auth token signs with SHA-1 only. The header is not signed and cannot choose.
            (None, true) => return Err(Rejection::malformed(SETTINGS)),
            (None, false) => (Algorithm::HmacSha1, &self.auth_tokens[..]),
        };
        let shared = shared.map(move |key| if is_sha256 { &key.sha256 } else { &key.sha1 });
        Ok((algorithm, shared.chain(tokens)))
    }

    /// Returns the text of the parameters that are part of the signed content, if there are any.
    ///
    /// A body that they do not cover must be covered by `bodySHA256`. Otherwise a signature over
    /// only the URL, taken from another request, would be valid with any body.
    pub(crate) fn signed_parameters(
        &self,
        url: &str,
        head: &Parts,
        body: &[u8],
    ) -> Result<Option<Vec<u8>>, Rejection> {
        let is_read_only = head.method == Method::GET || head.method == Method::HEAD;
        if is_form(head)? && !is_read_only && !body.is_empty() {
            let mut form = Form::parse(body).ok_or(Rejection::malformed_in(Field::Body))?;
            if let Some(known) = &self.known_parameters {
                let is_known = |(name, _): (&[u8], _)| known.iter().any(|k| k.as_bytes() == name);
                if !form.iter().all(is_known) {
                    return Err(Rejection::malformed_in(Field::Body));
                }
            }
            form.sort_and_dedup();
            // A blank pair adds nothing to the signed content: a form of blank pairs would match
            // any signature of the URL, and one more pair would match the signature of any form.
            // The sorted form has it first.
            let is_blank = |(name, value): (&[u8], &[u8])| name.is_empty() && value.is_empty();
            if form.iter().next().is_none_or(is_blank) {
                return Err(Rejection::new(RejectionKind::BodyNotSigned).with_field(Field::Body));
            }
            return Ok(Some(form.joined()));
        }
        if body.is_empty() && head.method == Method::GET {
            // The signature of the URL covers the whole request. Twilio moves the parameters of a
            // form into the query of a GET, and leaves the form's hash there.
            return Ok(None);
        }
        const UNCOVERED: Rejection = Rejection::new(RejectionKind::BodyNotSigned);
        let hash = match body_hash(url)? {
            None if body.is_empty() => return Ok(None),
            None => return Err(UNCOVERED.with_field(Field::query("bodySHA256"))),
            Some(hash) => hash,
        };
        let is_covered = hash.ct_eq(&Sha256::digest(body));
        bool::from(is_covered)
            .then_some(None)
            .ok_or(UNCOVERED.with_field(Field::query("bodySHA256")))
    }
}

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twilio")
            .field("url", &self.0.url)
            .field("auth_tokens", &self.0.auth_tokens.len())
            .field("shared_keys", &self.0.shared_keys.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TwilioState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioState").finish_non_exhaustive()
    }
}
