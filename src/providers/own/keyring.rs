//! Providers that name the key beside the signature.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};

use crate::{
    crypto::secrets::{IntoSecrets, each},
    error::ConfigError,
    outcome::rejection::Rejection,
    parse::{encoding::Encoding, headers::required},
    providers::macros::sign_as,
    scheme::{declaration::Scheme, verification::SchemeState, verifier::SchemeVerifier},
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        delegate::delegate_verifier, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Secrets by the id that a header names. The id is not signed and need not be: it only picks the
/// secret, and all of them are configured.
#[derive(Clone, Debug)]
struct Keyring {
    scheme: Scheme,
    header: &'static str,
    keys: Arc<Vec<Key>>,
}

#[derive(Clone, Debug)]
struct Key {
    id: String,
    verifier: SchemeVerifier,
    /// Where its secrets stand among those of all keys.
    indices: Vec<usize>,
}

/// Checks that a header can name this key. An empty id is often a variable that is not set.
pub(crate) fn check(id: &str) -> Result<(), ConfigError> {
    let why = if id.is_empty() {
        "it is empty; is the environment variable set?"
    } else if id.trim().len() != id.len() {
        "there is white space around it; trim it"
    } else if !id.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        "it has a character that cannot stand in the header"
    } else {
        return Ok(());
    };
    Err(ConfigError::IdInvalid { why })
}

impl Keyring {
    fn new(scheme: Scheme, header: &'static str) -> Self {
        Self { scheme, header, keys: Arc::default() }
    }

    fn with(mut self, id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
        check(id)?;
        let keys = Arc::make_mut(&mut self.keys);
        let present = keys.iter().map(|key| key.indices.len()).sum();
        let secrets = self.scheme.check_secrets(secrets.into_secrets()?, present)?;
        let indices = present..present + secrets.len();
        if let Some(key) = keys.iter_mut().find(|key| key.id == id) {
            each(&secrets, |secret| key.verifier.add_secret(secret))?;
            key.indices.extend(indices);
        } else {
            let verifier = self.scheme.verifier(secrets)?;
            keys.push(Key { id: id.to_owned(), verifier, indices: indices.collect() });
        }
        Ok(self)
    }

    fn key(&self, head: &Parts) -> Result<&Key, Rejection> {
        let id = required(head, self.header)?;
        let key = self.keys.iter().find(|key| key.id.as_bytes() == id);
        key.ok_or(Rejection::mismatch().in_header(self.header))
    }
}

impl Verifier for Keyring {
    type State = SchemeState;

    fn begin(&self, request: &Context<'_>) -> Result<SchemeState, Rejection> {
        self.key(request.head())?.verifier.begin(request)
    }

    fn update(&self, state: &mut SchemeState, chunk: &[u8]) {
        // What is hashed stands in the state: any key's verifier does it.
        if let Some(key) = self.keys.first() {
            key.verifier.update(state, chunk);
        }
    }

    fn finish(
        &self,
        state: &mut SchemeState,
        request: &Context<'_>,
        body: &Bytes,
    ) -> Result<Outcome, Rejection> {
        let key = self.key(request.head())?;
        let outcome = key.verifier.finish(state, request, body)?;
        let index = key.indices.get(outcome.verified().key_index()).copied();
        Ok(outcome.map(|verified| verified.with_key_index(index.unwrap_or_default())))
    }

    fn challenge(&self, request: &Context<'_>) -> Option<Result<Response<Bytes>, Rejection>> {
        // No challenge here is keyed, so any key's verifier answers it.
        self.keys.first()?.verifier.challenge(request)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.scheme.defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.scheme.sensitive_parts()
    }
}

#[cfg(feature = "sign")]
impl crate::sign::sign::Sign for Keyring {
    fn sign(
        &self,
        head: &mut Parts,
        body: &[u8],
        with: &crate::sign::sign::Signing<'_>,
    ) -> Result<Option<Bytes>, Rejection> {
        let first = self.keys.first().ok_or(Rejection::mismatch())?;
        crate::providers::own::shared_token::put(
            head,
            &http::HeaderName::from_static(self.header),
            first.id.as_bytes(),
        )?;
        first.verifier.sign(head, body, with)
    }
}

macro_rules! with_key_ids {
    ($($(#[$doc:meta])* $name:ident($header:literal) = $scheme:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(Keyring);

        impl $name {
            /// How it signs, without the choice of the key.
            pub const SCHEME: Scheme = $crate::providers::apply::applied($scheme);

            /// The provider's name, the status of refusals and the body limit, for look-ups.
            pub const DEFAULTS: VerifierDefaults = Self::SCHEME.defaults();

            /// Creates a verifier with the key of this id and its secrets, the current one first. A
            /// request that names another is refused before its body is read.
            ///
            /// # Errors
            ///
            /// When the id is empty or cannot stand in the header, as [`Secret::new`](crate::Secret::new), and
            /// when there are none or more than 16.
            pub fn new(id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
                Keyring::new(Self::SCHEME, $header).with(id, secrets).map(Self)
            }

            /// Accepts a further key, or further secrets of one that was named before.
            /// [`Verified::key_index`](crate::Verified::key_index) counts the secrets of all keys in the order in which they were given.
            ///
            /// # Errors
            ///
            /// As for [`new`](Self::new), and when there are more than 16 secrets of all keys.
            pub fn key(self, id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
                self.0.with(id, secrets).map(Self)
            }
        }

        impl Verifier for $name {
            delegate_verifier!(self => self.0, SchemeState);
        }

        sign_as!($name, self => &self.0);
    )*};
}

with_key_ids! {
    /// Ably.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Ably-Signature: <base64>` + `X-Ably-Key: <key id>`, which picks the secret |
    /// | algorithm | HMAC-SHA256; key: what follows the colon in the API key, as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor's documentation: ably/docs `src/pages/docs/platform/integrations/webhooks/index.mdx` |
    ///
    /// An API key `xVLyHw.kGF3Ag:the-secret` is `Ably::new("xVLyHw.kGF3Ag", the_secret)?`. Signing is
    /// an option there, and documented for batched requests.
    Ably("x-ably-key") = Scheme::hmac_sha256("x-ably-signature")
        .provider("ably")
        .encoding(Encoding::Base64);

    /// Pusher Channels.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-Pusher-Signature: <hex>` + `X-Pusher-Key: <app key>`, which picks the secret |
    /// | algorithm | HMAC-SHA256; key: the app's secret as it is |
    /// | signed content | the body |
    /// | freshness | none: the body has a `time_ms`, for which there is no rule |
    /// | delivery id | none known |
    /// | challenge | none |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | after a refusal | it comes again (<https://docs.bird.com/pusher/channels/channels/webhooks/channels-webhook-timeouts-and-retries>) |
    /// | evidence | vendor vector: pusher/pusher-http-go webhook tests |
    Pusher("x-pusher-key") = Scheme::hmac_sha256("x-pusher-signature").provider("pusher");

    /// Worldline Connect, once Ingenico.
    ///
    /// | | |
    /// |---|---|
    /// | header | `X-GCS-Signature: <base64>` + `X-GCS-KeyId: <key id>`, which picks the secret |
    /// | algorithm | HMAC-SHA256; key: the secret as it is |
    /// | signed content | the body |
    /// | freshness | none: a captured request can be sent again |
    /// | delivery id | in the body (`id`) |
    /// | challenge | the unsigned GET with `X-GCS-Webhooks-Endpoint-Verification` is answered with its value and does not reach the handler |
    /// | status | 403 |
    /// | body limit | 16 MiB; no maximum is documented |
    /// | evidence | vendor vector: Ingenico-ePayments/connect-sdk-go webhook tests |
    Worldline("x-gcs-keyid") = Scheme::hmac_sha256("x-gcs-signature")
        .provider("worldline")
        .encoding(Encoding::Base64)
        .challenge(Challenge::Header("x-gcs-webhooks-endpoint-verification"));
}
