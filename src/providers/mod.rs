//! Providers, ready to use. Each type's page is one table: what is signed and how, and where that
//! is known from.
//!
//! They stand in modules by what people look for, and all of them here as well:
//! `providers::Stripe` is `providers::payments::Stripe`. [`by_name`] finds one by its id, for
//! gateways and for tenants that are configured from a file.
//!
//! With the feature `asymmetric` also these, which sign with a private key and are verified with a
//! public one:
//!
//! | type | signature | proves freshness |
//! |---|---|---|
//! | `Discord` | Ed25519 of time and body | 11 minutes |
//! | `SendGrid` | ECDSA P-256 of time and body | 26 hours and 24 minutes |
//! | `Telnyx` | Ed25519 of time and body | 5 minutes |
//! | `Wise` | RSA of the body | no |
//!
//! Where a page says that freshness is not proven, whoever captures one genuine request can send it
//! again.
//!
//! # Evidence
//!
//! *Vendor vector*: a test vector that the vendor publishes is recomputed in this crate's tests.
//! *Public vector*: likewise, published by others. *Vendor's documentation* or *source*: read there,
//! without a vector. **Second-hand**: known from other receivers only; try it with a real delivery
//! before you rely on it, and tell us.

pub mod commerce;
pub mod developer;
pub mod identity;
pub mod media;
pub mod messaging;
pub mod operations;
pub mod payments;
pub mod productivity;
pub mod tokens;

mod asana;
#[cfg(feature = "asymmetric")]
mod asymmetric;
mod azure_event_grid;
mod boxed;
mod credential_kind;
mod gitlab;
mod key_ids;
mod mailgun;
mod meta;
mod microsoft_graph;
#[cfg(feature = "multipart")]
mod multipart;
mod other_credentials;
mod persona;
mod policies;
mod policy;
mod registry;
mod shared_token;
mod slack;
mod standard_webhooks;
mod strava;
mod token_exchange;
mod twilio;
mod webex_contact_center;
mod websub;
mod worldpay;
mod wsapi;

pub use self::asana::{AsanaExchange, AsanaFuture, AsanaHook};
#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use self::asymmetric::{Discord, SendGrid, Telnyx, Wise};
pub use self::token_exchange::{TokenExchange, TokenReceipt, WithTokenExchange};
pub use self::{
    boxed::{AnyState, BoxVerifier},
    credential_kind::CredentialKind,
    policy::DeliveryPolicy,
    registry::{Provider, UnknownProvider, all, by_name, delivery_policies},
};
#[doc(no_inline)]
pub use self::{
    commerce::*, developer::*, identity::*, media::*, messaging::*, operations::*, payments::*,
    productivity::*, tokens::*,
};
pub use self::{
    key_ids::{Ably, Pusher, Worldline},
    meta::Meta,
    persona::{Persona, PersonaState},
    shared_token::SharedToken,
    slack::Slack,
    standard_webhooks::StandardWebhooks,
    twilio::{Twilio, TwilioState},
    webex_contact_center::WebexContactCenter,
    websub::WebSub,
    worldpay::{Worldpay, WorldpayState},
    wsapi::Wsapi,
};

/// The constructor and knobs of a provider around a [`SchemeVerifier`] in `self.0`: by its key (secrets
/// or `public_key`), by what it signs (`url`), and whether that is `timed`.
///
/// [`SchemeVerifier`]: crate::scheme::SchemeVerifier
macro_rules! scheme_methods {
    (timed) => {
        $crate::providers::scheme_methods!();
        $crate::providers::scheme_methods!(@timed);
    };
    (public_key, timed) => {
        $crate::providers::scheme_methods!(public_key);
        $crate::providers::scheme_methods!(@timed);
    };
    () => {
        $crate::providers::scheme_methods!(@defaults);

        /// Creates a verifier with these secrets, the current one first.
        ///
        /// # Errors
        ///
        /// When a secret's text is not in the provider's form (see the table above), or there are none or
        /// more than 16.
        pub fn new(secrets: impl $crate::IntoSecrets) -> Result<Self, $crate::ConfigError> {
            Self::SCHEME.verifier(secrets).map(Self)
        }
    };
    (url) => {
        $crate::providers::scheme_methods!(@defaults);

        /// Creates a verifier with these secrets, the current one first, for webhooks that the provider
        /// sends to this URL.
        ///
        /// # Errors
        ///
        /// When a secret's text is not in the provider's form (see the table above), or there are none or
        /// more than 16.
        pub fn new(
            secrets: impl $crate::IntoSecrets,
            url: $crate::PublicUrl,
        ) -> Result<Self, $crate::ConfigError> {
            Self::SCHEME.verifier_at(secrets, url).map(Self)
        }
    };
    (public_key) => {
        $crate::providers::scheme_methods!(@defaults);

        /// Creates a verifier with these public keys, the current one first.
        ///
        /// # Errors
        ///
        /// When a key is of another algorithm than the provider's, or there are none or more than 16.
        pub fn new(keys: impl $crate::public_key::IntoPublicKeys) -> Result<Self, $crate::ConfigError> {
            Self::SCHEME.verifier(keys.into_public_keys()).map(Self)
        }
    };
    (@defaults) => {
        /// The provider's name, the status of refusals and the body limit, for look-ups.
        pub const DEFAULTS: $crate::verifier::VerifierDefaults = Self::SCHEME.defaults();
    };
    (@timed) => {
        /// How far the signed time may be off, in place of the table's freshness.
        #[must_use]
        pub fn tolerance(self, tolerance: $crate::scheme::Tolerance) -> Self {
            Self(self.0.map_scheme(|scheme| scheme.tolerance(tolerance)))
        }
    };
}
use scheme_methods;

/// Signs as this part of the provider does.
macro_rules! sign_as {
    ($name:ident, $self:ident => $signer:expr) => {
        #[cfg(feature = "sign")]
        impl $crate::sign::Sign for $name {
            fn sign(
                &$self,
                head: &mut http::request::Parts,
                body: &[u8],
                with: &$crate::sign::Signing<'_>,
            ) -> Result<Option<bytes::Bytes>, $crate::Rejection> {
                $crate::sign::Sign::sign($signer, head, body, with)
            }
        }
    };
}
use sign_as;

/// Providers that are a scheme and nothing more, and the list of them for the registry.
macro_rules! providers {
    ($($(#[$doc:meta])* $name:ident ($($kind:ident),*) = $scheme:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name($crate::scheme::SchemeVerifier);

            impl $name {
                /// How it signs.
                pub const SCHEME: Scheme = $crate::providers::policy::applied($scheme);

                $crate::providers::scheme_methods!($($kind),*);
            }

            impl $crate::Verifier for $name {
                $crate::verifier::delegate_verifier!(self => self.0, $crate::scheme::SchemeState);
            }

            $crate::providers::sign_as!($name, self => &self.0);
        )*

        /// The schemes of this module's providers.
        pub(super) const SCHEMES: &[Scheme] = &[$($name::SCHEME),*];
    };
}
use providers;
