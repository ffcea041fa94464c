//! Providers that send a key ID beside the signature.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};

#[cfg(feature = "explain")]
use crate::outcome::{cause::Cause, explanation::Finding};
use crate::{
    crypto::secrets::{IntoSecrets, each},
    error::ConfigError,
    outcome::rejection::Rejection,
    parse::{encoding::Encoding, headers::required},
    providers::{
        macros::{of_pairs, registered, sign_as},
        policy::DeliveryPolicy,
    },
    scheme::{declaration::Scheme, state::SchemeState, verifier::SchemeVerifier},
    verifier::{
        challenge::challenge::Challenge, context::Context, defaults::VerifierDefaults,
        delegate::delegate_verifier, outcome::Outcome, sensitive::SensitiveParts,
        verifier::Verifier,
    },
};

/// Secrets by key ID.
///
/// A header names the ID. The signature does not cover it and need not: the ID only selects one of
/// the configured secrets.
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
    /// Positions of this key's secrets among the secrets of all keys.
    indices: Vec<usize>,
}

/// Checks that the header can carry this key ID.
///
/// An empty ID is often an environment variable that is not set.
///
/// # Errors
///
/// Returns an error if the ID is empty, has whitespace around it, or contains a character other
/// than visible ASCII and the space.
pub(crate) fn check(id: &str) -> Result<(), ConfigError> {
    let why = if id.is_empty() {
        "it is empty; check that the environment variable is set"
    } else if id.trim().len() != id.len() {
        "there is whitespace around it; trim it"
    } else if !id.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        "it contains a character other than visible ASCII and the space"
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
        // The hashes are in the state, so the verifier of any key can update them.
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
        // No challenge here needs a secret, so the verifier of any key can respond.
        self.keys.first()?.verifier.challenge(request)
    }

    fn defaults(&self) -> VerifierDefaults {
        self.scheme.defaults()
    }

    fn sensitive_parts(&self) -> SensitiveParts {
        self.scheme.sensitive_parts()
    }

    #[cfg(feature = "explain")]
    fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
        let named = self.key(probe.head()).ok();
        for key in self.keys.iter() {
            if named.is_none_or(|named| named.id != key.id) {
                let finding = Finding::proven(Cause::KeyId).for_operator();
                let detail = format!("the secret is configured under the ID {:?}", key.id);
                probe.verifier(finding.with_detail(detail), &key.verifier);
            }
        }
        if let Some(named) = named {
            named.verifier.explain(probe);
        } else {
            let detail = "the request names an ID that is not configured";
            probe.clue(Finding::clue(Cause::KeyId).with_detail(detail));
        }
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
    ($($(#[$doc:meta])* $name:ident = $id:literal, $header:literal, $scheme:expr $(, $policy:expr)?;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = crate::providers::macros::page!($name)]
        #[derive(Clone, Debug)]
        pub struct $name(Keyring);

        registered! {
            $name = $id;
            policy: $crate::verifier::delegate::first!($($policy,)? DeliveryPolicy::UNKNOWN);
            signature: "HMAC-SHA256 of the body, with the key of an ID";
            $id: KeyIdAndSecret, p => of_pairs!($name, key, KeyIdAndSecret, p);
        }

        impl $name {
            /// The signature scheme, without the selection of the key.
            pub const SCHEME: Scheme = Self::POLICY.apply($scheme);

            /// Default layer settings for this provider: its name, the status of rejections and the
            /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
            pub const DEFAULTS: VerifierDefaults = Self::SCHEME.defaults();

            /// Creates a verifier with this key ID and its secrets, the current one first.
            ///
            /// A request with another key ID is rejected before its body is read.
            ///
            /// # Errors
            ///
            /// Returns an error if the ID is empty or contains a character that the header cannot
            /// carry, if a secret is invalid (see [`Secret::new`](crate::Secret::new)) or not in
            /// the provider's format, or if there are none or more than 16.
            pub fn new(id: &str, secrets: impl IntoSecrets) -> Result<Self, ConfigError> {
                Keyring::new(Self::SCHEME, $header).with(id, secrets).map(Self)
            }

            /// Adds a key, or secrets of a key that was added before.
            ///
            /// [`Verified::key_index`](crate::Verified::key_index) counts the secrets of all keys
            /// in the order in which they were added.
            ///
            /// # Errors
            ///
            /// Returns an error in the same cases as [`new`](Self::new), and if all keys together
            /// have more than 16 secrets.
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
    /// Ably webhooks: HMAC-SHA256 of the body, with the key of an ID.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Ably};
    ///
    /// let layer = SignatureLayer::new(Ably::new("xVLyHw.kGF3Ag", "made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-ably-signature: <base64>`, `x-ably-key: <key ID>` |
    /// | algorithm | HMAC-SHA256; the key is the part of the API key after the colon |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | none known |
    /// | challenge | none |
    ///
    /// - The key ID selects the secret. For the API key `xVLyHw.kGF3Ag:the-secret`, use
    ///   `Ably::new("xVLyHw.kGF3Ag", the_secret)?`.
    /// - Signing is an option in Ably, and documented for batched requests.
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: ably/docs
    /// `src/pages/docs/platform/integrations/webhooks/index.mdx`.
    Ably = "ably", "x-ably-key", Scheme::hmac_sha256("x-ably-signature")
        .encoding(Encoding::Base64);

    /// Pusher Channels webhooks: HMAC-SHA256 of the body, with the key of an ID.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Pusher};
    ///
    /// let layer = SignatureLayer::new(Pusher::new("made-up-app-key", "made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-pusher-signature: <hex>`, `x-pusher-key: <app key>` |
    /// | algorithm | HMAC-SHA256; the key is the app's secret |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | none known |
    /// | challenge | none |
    ///
    /// - The app key selects the secret.
    /// - The body has a `time_ms`. Pusher gives no rule for it, so it is not checked.
    ///
    /// # Evidence
    ///
    /// Vendor vector: pusher/pusher-http-go webhook tests.
    Pusher = "pusher", "x-pusher-key", Scheme::hmac_sha256("x-pusher-signature"),
        DeliveryPolicy::UNKNOWN
            .comes_again("https://docs.bird.com/pusher/channels/channels/webhooks/channels-webhook-timeouts-and-retries");

    /// Worldline Connect webhooks (formerly Ingenico): HMAC-SHA256 of the body, with the key of an
    /// ID.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Worldline};
    ///
    /// let layer = SignatureLayer::new(Worldline::new("made-up-key-id", "made-up-secret")?);
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | `x-gcs-signature: <base64>`, `x-gcs-keyid: <key ID>` |
    /// | algorithm | HMAC-SHA256; the key is the secret |
    /// | signed content | the body |
    /// | tolerance | none: a captured request can be sent again |
    /// | delivery ID | `id` in the body |
    /// | challenge | an unsigned GET with `x-gcs-webhooks-endpoint-verification`: the response is its value |
    ///
    /// - The key ID selects the secret.
    /// - The challenge does not reach the handler.
    ///
    /// # Evidence
    ///
    /// Vendor vector: Ingenico-ePayments/connect-sdk-go webhook tests.
    Worldline = "worldline", "x-gcs-keyid", Scheme::hmac_sha256("x-gcs-signature")
        .encoding(Encoding::Base64)
        .challenge(Challenge::Header("x-gcs-webhooks-endpoint-verification"));
}
