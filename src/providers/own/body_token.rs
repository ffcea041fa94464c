//! Providers that put a token into the body and sign nothing.

use std::sync::Arc;

use bytes::Bytes;

#[cfg(feature = "explain")]
use crate::providers::own::variants::probe_secrets;
use crate::{
    crypto::{secret::Secret, secrets::IntoSecrets},
    error::ConfigError,
    outcome::{rejection::Rejection, verified::Verified},
    providers::{
        macros::registered,
        other_credentials,
        own::{
            body_fields::{pick, text},
            shared_token::index_of,
        },
        policy::DeliveryPolicy,
    },
    verifier::{
        context::Context, defaults::VerifierDefaults, outcome::Outcome, verifier::Verifier,
    },
};

macro_rules! with_tokens {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $field:literal $(, $policy:expr)?;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = crate::providers::macros::page!($name)]
        #[derive(Clone, Debug)]
        pub struct $name(Arc<Vec<Secret>>);

        registered! {
            $name = $id;
            policy: $crate::verifier::delegate::first!($($policy,)? DeliveryPolicy::UNKNOWN);
            signature: "nothing: a token in the body";
            $id: Secret, p => $name::new(p.secrets);
        }

        impl $name {
            /// Default layer settings for this provider: its name, the status of rejections and the
            /// body limit. See [`SignatureLayer::defaults`](crate::SignatureLayer::defaults).
            pub const DEFAULTS: VerifierDefaults =
                Self::POLICY.defaults().with_sensitive_fields(&[$field]);

            /// Creates a verifier that expects one of these tokens.
            ///
            /// # Errors
            ///
            /// Returns an error if a token is invalid (see [`Secret::new`](crate::Secret::new)), or
            /// if there are none or more than 16.
            pub fn new(tokens: impl IntoSecrets) -> Result<Self, ConfigError> {
                let tokens = other_credentials::checked(tokens, 0, Self::DEFAULTS.provider())?;
                Ok(Self(Arc::new(tokens)))
            }
        }

        impl Verifier for $name {
            type State = ();

            fn begin(&self, _: &Context<'_>) -> Result<(), Rejection> {
                Ok(())
            }

            fn finish(
                &self,
                (): &mut (),
                _: &Context<'_>,
                body: &Bytes,
            ) -> Result<Outcome, Rejection> {
                let index = key_index(&self.0, body, $field)?;
                Ok(Verified::new(Self::DEFAULTS.provider()).with_key_index(index).into())
            }

            fn defaults(&self) -> VerifierDefaults {
                Self::DEFAULTS
            }

            #[cfg(feature = "explain")]
            fn explain(&self, probe: &mut crate::verifier::probe::Probe<'_>) {
                let credentials = other_credentials::of(Self::DEFAULTS.provider());
                probe_secrets(probe, &self.0, credentials, |token| Self(Arc::new(vec![token])));
            }
        }

        #[cfg(feature = "sign")]
        impl crate::sign::sign::Sign for $name {
            #[doc = concat!("Adds `", $field, "` to a JSON object.")]
            fn sign(
                &self,
                _: &mut http::request::Parts,
                body: &[u8],
                _: &crate::sign::sign::Signing<'_>,
            ) -> Result<Option<Bytes>, Rejection> {
                signed(&self.0, body, $field).map(Some)
            }
        }
    )*};
}

/// Returns the index of the token in this field.
fn key_index(tokens: &[Secret], body: &[u8], field: &'static str) -> Result<usize, Rejection> {
    let [token] = pick(body, [field])?;
    index_of(tokens, text(token, field)?.as_bytes())
}

/// Returns the body with the first token.
#[cfg(feature = "sign")]
fn signed(tokens: &[Secret], body: &[u8], field: &'static str) -> Result<Bytes, Rejection> {
    let token = tokens.first().and_then(|token| str::from_utf8(token.expose()).ok());
    let token = crate::sign::json::quoted(token.ok_or(Rejection::mismatch())?);
    let signed = crate::sign::json::with_member(body, field, &token);
    let malformed = Rejection::malformed_in(crate::outcome::field::Field::Body);
    signed.map(Bytes::from).ok_or(malformed)
}

with_tokens! {
    /// Figma webhooks: a token in the body, which proves the sender and not the rest of the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::Figma};
    ///
    /// let layer = SignatureLayer::new(Figma::new("made-up-passcode")?);
    /// # let _ = layer;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | none: the token is `passcode` in the body |
    /// | proves | that the sender knows the token; **nothing else about the body** |
    /// | delivery ID | none known |
    /// | challenge | none |
    ///
    /// - Figma signs nothing. Anyone who sees one request can send any other.
    /// - The token is in the body. The layer therefore reads the whole body, up to the body limit,
    ///   before anything is known about the sender.
    /// - Figma stops a webhook after a response with `400 Bad Request`: keep the default status of
    ///   rejections. ([Figma](https://developers.figma.com/docs/rest-api/webhooks-security))
    ///
    /// # Secret
    ///
    /// You choose it. Pass it as `passcode` when you create the webhook by the API.
    /// ([Figma](https://developers.figma.com/docs/rest-api/webhooks-security))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://developers.figma.com/docs/rest-api/webhooks-security>.
    Figma = "figma", "passcode";

    /// LiveChat webhooks: a token in the body, which proves the sender and not the rest of the body.
    ///
    /// ```
    /// use tower_webhook::{SignatureLayer, providers::LiveChat};
    ///
    /// let layer = SignatureLayer::new(LiveChat::new("made-up-secret-key")?);
    /// # let _ = layer;
    /// # Ok::<_, tower_webhook::ConfigError>(())
    /// ```
    ///
    /// | property | value |
    /// |---|---|
    /// | header | none: the token is `secret_key` in the body |
    /// | proves | that the sender knows the token; **nothing else about the body** |
    /// | delivery ID | none known |
    /// | challenge | none |
    ///
    /// - LiveChat signs nothing. Anyone who sees one request can send any other.
    /// - The token is in the body. The layer therefore reads the whole body, up to the body limit,
    ///   before anything is known about the sender.
    ///
    /// # Secret
    ///
    /// You choose it. Pass it as `secret_key` when you register the webhook.
    /// ([LiveChat](https://platform.text.com/docs/management/webhooks))
    ///
    /// # Evidence
    ///
    /// Vendor's documentation: <https://platform.text.com/docs/management/webhooks>.
    LiveChat = "live_chat", "secret_key";
}
