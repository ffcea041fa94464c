use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Method, request::Parts};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    crypto::{
        mac::{Algorithm, KeyMatch, Mac},
        secrets::IntoSecrets,
    },
    error::ConfigError,
    outcome::{field::Field, kind::RejectionKind, rejection::Rejection, verified::Verified},
    parse::{
        encoding::{Encoding, MAX_TAG},
        form::Form,
        headers::{optional, required},
    },
    providers::{
        apply, other_credentials,
        own::{
            keyring,
            twilio_url::{SignedUrls, body_hash},
        },
    },
    scheme::public_url::PublicUrl,
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

pub(crate) const SIGNATURE: &str = "x-twilio-signature";
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
const DELIVERY_ID: &str = "i-twilio-idempotency-token";

/// Twilio: messaging, voice, status callbacks, and WebSocket handshakes.
///
/// | | |
/// |---|---|
/// | header | `X-Twilio-Signature: <base64>` |
/// | algorithm | HMAC-SHA1, the account's auth token as it is; HMAC-SHA256 for a [shared key](Self::shared_key) that `X-Twilio-Webhooks-Signature-Settings` names |
/// | signed content | the URL that Twilio was given, then, for a POST of a form, each different pair of parameter name and value, sorted by their bytes, without delimiters. Any other body must be covered by `bodySHA256` in the query, and is refused without it. `bodySHA256` may be there twice with one value. A request without a body and without `bodySHA256` is covered by the URL alone, and so is each GET without a body |
/// | freshness | none: a captured request can be sent again |
/// | delivery id | `I-Twilio-Idempotency-Token`, **not signed** |
/// | challenge | none; a WebSocket's GET is signed like any other, over `wss://…` |
/// | status | 403 |
/// | body limit | 16 MiB; no maximum is documented |
/// | evidence | vendor vector: <https://www.twilio.com/docs/usage/security>, the tests of twilio-python, -node, -java and -ruby |
///
/// The URL is tried as Twilio's page has it and as its libraries do:
///
/// - with and without its port, or its scheme's default port;
/// - with and without its user name and password.
///
/// # Behind a proxy
///
/// Configure the URL that Twilio was given; see [`PublicUrl`]. Where a proxy strips a path prefix, put
/// the prefix into the [`base`](PublicUrl::base). For JSON and GETs do not use [`PublicUrl::fixed`]: the
/// query differs in each request.
///
/// ```
/// use tower_webhook::{PublicUrl, SignatureLayer, providers::Twilio};
///
/// let twilio = Twilio::new("the auth token", PublicUrl::base("https://example.com")?)?;
/// let layer = SignatureLayer::new(twilio);
/// # let _ = layer;
/// # Ok::<_, tower_webhook::ConfigError>(())
/// ```
///
/// # A limit of the scheme
///
/// There are no delimiters, so `Body=x&To=y` and `B=odyxToy` have one signature, and so have a
/// parameter and the end of the URL. A router that matches exact paths, and
/// [`known_parameters`](Self::known_parameters), leave an attacker little to shift: a value can
/// still swallow the parameter after it, and `Body=xToy` give rise to `Body=x&To=y`.
///
/// The order of parameters and their repetition are not signed: `To=a&To=b`, `To=b&To=a` and
/// `To=a&To=b&To=b` have one signature. Let no handler act on which of several values comes first, or
/// on how many there are.
#[derive(Clone)]
pub struct Twilio(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) url: PublicUrl,
    pub(crate) auth_tokens: Vec<Mac>,
    shared_keys: Vec<SharedKey>,
    known_parameters: Option<Vec<String>>,
    legacy_query: bool,
    trailing_slash: bool,
}

#[derive(Clone)]
struct SharedKey {
    id: String,
    sha1: Mac,
    sha256: Mac,
}

impl Twilio {
    /// The provider's name, the status of refusals and the body limit, for look-ups.
    pub const DEFAULTS: VerifierDefaults =
        apply::defaults("twilio").with_sensitive_headers(&[SIGNATURE]);

    /// Creates a verifier with these auth tokens, the current one first, for webhooks that Twilio sends
    /// to this URL.
    ///
    /// # Errors
    ///
    /// As [`Secret::new`](crate::Secret::new), and when there are none or more than 16.
    pub fn new(auth_tokens: impl IntoSecrets, url: PublicUrl) -> Result<Self, ConfigError> {
        let auth_tokens = other_credentials::checked(auth_tokens, 0, Self::DEFAULTS.provider())?;
        Ok(Self(Arc::new(Inner {
            url,
            auth_tokens: auth_tokens.iter().map(|token| Mac::hmac_sha1(token.expose())).collect(),
            shared_keys: Vec::new(),
            known_parameters: None,
            legacy_query: false,
            trailing_slash: false,
        })))
    }

    /// Adds a shared key (a public beta of Twilio's). It verifies requests whose settings header names
    /// this key's id, by the algorithm named there, or by SHA-1 where none is. The algorithm's name may
    /// be in any case, and blanks may stand round it. Without the header, or where it names no key or
    /// an unknown one, the auth token decides, with SHA-1 alone. Source: <https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys>,
    /// twilio-python 9.13.0.
    ///
    /// During a rotation give the secrets of the id together, the current one first:
    /// [`Verified::key_index`] counts those of the id that the request names.
    ///
    /// # Errors
    ///
    /// When the id is empty or cannot stand in the header, as [`Secret::new`](crate::Secret::new), and when
    /// there are none or more than 16 of all shared keys.
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

    /// Refuses forms with a parameter that is not among these, so that part of a name or of the
    /// URL cannot be passed off as another parameter. Twilio adds parameters without notice, so
    /// keep the list up to date.
    #[must_use]
    pub fn known_parameters<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.update(|inner| inner.known_parameters = Some(names))
    }

    /// Also tries the other form of apostrophes in the query: each `'` as `%27` or, where the query has
    /// no `'`, each `%27` as `'`. Some of Twilio's signatures are made over the other form. twilio-node
    /// tries both by default.
    #[must_use]
    pub fn accept_legacy_query(self) -> Self {
        self.update(|inner| inner.legacy_query = true)
    }

    /// Also tries a WebSocket's URL with a slash at the end of its path.
    #[must_use]
    pub fn accept_trailing_slash(self) -> Self {
        self.update(|inner| inner.trailing_slash = true)
    }

    fn update(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Carried from the head to the end of the body.
#[doc(hidden)]
pub struct TwilioState {
    url: String,
    algorithm: Algorithm,
    signature: [u8; MAX_TAG],
}

impl Verifier for Twilio {
    type State = TwilioState;

    fn begin(&self, request: &Context<'_>) -> Result<TwilioState, Rejection> {
        let head = request.head();
        // Neither may be there twice (T-10).
        optional(head, DELIVERY_ID)?;
        is_form(head)?;
        let text = required(head, SIGNATURE)?;
        let (algorithm, _) = self.0.keys(head)?;
        let mut signature = [0; MAX_TAG];
        Encoding::Base64
            .decode(text, &mut signature[..algorithm.tag_len()])
            .ok_or(Rejection::malformed(SIGNATURE))?;
        Ok(TwilioState { url: self.0.url.resolve(head)?.into_owned(), algorithm, signature })
    }

    fn finish(
        &self,
        state: &mut TwilioState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let head = request.head();
        let parameters = self.0.signed_parameters(&state.url, head, body)?;
        let (_, keys) = self.0.keys(head)?;
        let signature = &state.signature[..state.algorithm.tag_len()];

        let forms =
            SignedUrls { legacy_query: self.0.legacy_query, trailing_slash: self.0.trailing_slash };
        let urls = forms.of(&state.url);
        let form = parameters.as_ref();
        // Every key is tried, and no more URLs than it takes: which of them was signed is no secret.
        let key_index =
            urls.iter().find_map(|url| matching_key(keys.clone(), url, form, signature));
        let key_index = key_index.ok_or_else(|| {
            let mismatch = Rejection::mismatch().with_secrets_tried(keys.clone().count());
            mismatch.with_signed_url(state.url.as_str())
        })?;

        let verified = Verified::new(Self::DEFAULTS.provider())
            .with_key_index(key_index)
            // It is the tag: one of them was found equal.
            .with_replay_material(signature);
        // A form is signed, but for the order of its parameters and where one ends.
        let verified = if parameters.is_none() { verified.with_signed_body() } else { verified };
        Ok(verified.with_unsigned_id(head, DELIVERY_ID).into())
    }

    fn defaults(&self) -> VerifierDefaults {
        Self::DEFAULTS
    }
}

/// Returns the index of the first key that made this signature of the URL and the form.
fn matching_key<'a>(
    keys: impl Iterator<Item = &'a Mac>,
    url: [&str; 5],
    form: Option<&Form>,
    signature: &[u8],
) -> Option<usize> {
    let mut matched = KeyMatch::new();
    for (index, key) in keys.enumerate() {
        let mut mac = key.clone();
        url.iter().for_each(|piece| mac.update(piece.as_bytes()));
        for (name, value) in form.into_iter().flat_map(Form::iter) {
            mac.update(name);
            mac.update(value);
        }
        matched.add(index, mac.finalize().matches(signature));
    }
    matched.accepted().ok()
}

impl Inner {
    /// The algorithm, and the keys that may have been used with it.
    fn keys(
        &self,
        head: &Parts,
    ) -> Result<(Algorithm, impl Iterator<Item = &Mac> + Clone), Rejection> {
        let malformed = || Rejection::malformed(SETTINGS);
        let settings = optional(head, SETTINGS)?.unwrap_or_default();
        let id = setting(settings, b"key");
        let is_sha256 = match setting(settings, b"algorithm") {
            None => false,
            Some(name) if name.eq_ignore_ascii_case(b"HMAC_SHA1") => false,
            Some(name) if name.eq_ignore_ascii_case(b"HMAC_SHA256") => true,
            Some(_) => return Err(malformed()),
        };
        let is_named = move |key: &&SharedKey| id.is_some_and(|id| key.id.as_bytes() == id);
        let shared = self.shared_keys.iter().filter(is_named);
        let (algorithm, tokens) = match (shared.clone().next(), is_sha256) {
            (Some(_), true) => (Algorithm::HmacSha256, &[][..]),
            (Some(_), false) => (Algorithm::HmacSha1, &[][..]),
            // A key that another Twilio of ours may know is no question of form.
            (None, true) if id.is_some() => {
                return Err(Rejection::mismatch().in_header(SETTINGS));
            }
            // The auth token signs with SHA-1 only: the header, which is not signed, cannot choose.
            (None, true) => return Err(malformed()),
            (None, false) => (Algorithm::HmacSha1, &self.auth_tokens[..]),
        };
        let shared = shared.map(move |key| if is_sha256 { &key.sha256 } else { &key.sha1 });
        Ok((algorithm, shared.chain(tokens)))
    }

    /// The parameters that are part of the signed content. A body that is not covered by them must
    /// be covered by `bodySHA256`: a signature over the URL alone, taken from another request,
    /// would otherwise carry any body (T-01, T-13).
    pub(crate) fn signed_parameters(
        &self,
        url: &str,
        head: &Parts,
        body: &[u8],
    ) -> Result<Option<Form>, Rejection> {
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
            // A blank pair adds nothing to what is signed: a form of them would go with any
            // signature of the URL, and one more with any form. Sorted, it is the first.
            let is_blank = |(name, value): (&[u8], &[u8])| name.is_empty() && value.is_empty();
            if form.iter().next().is_none_or(is_blank) {
                return Err(Rejection::new(RejectionKind::BodyNotSigned).with_field(Field::Body));
            }
            return Ok(Some(form));
        }
        if body.is_empty() && head.method == Method::GET {
            // The signature of the URL covers all there is. Twilio moves a form's parameters into the
            // query of a GET, and leaves the hash of the form there.
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

/// The first value of this setting that is not empty, without the blanks round it. What has no `=`
/// is passed over, as twilio-python does.
fn setting<'a>(settings: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    settings.split(|byte| *byte == b',').find_map(|setting| {
        let equals = setting.iter().position(|byte| *byte == b'=')?;
        let value = setting[equals + 1..].trim_ascii();
        let is_it = setting[..equals].trim_ascii().eq_ignore_ascii_case(name);
        (is_it && !value.is_empty()).then_some(value)
    })
}

pub(crate) fn is_form(head: &Parts) -> Result<bool, Rejection> {
    let content_type = optional(head, "content-type")?.unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    Ok(media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded"))
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
