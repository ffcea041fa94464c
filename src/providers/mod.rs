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

pub(crate) mod apply;
pub(crate) mod boxed;
pub(crate) mod catalogue;
pub(crate) mod credentials;
pub(crate) mod macros;
pub(crate) mod other_credentials;
pub(crate) mod own;
pub(crate) mod policies;
pub(crate) mod policy;
pub(crate) mod registry;
pub(crate) mod support;
pub(crate) mod unknown_provider;

pub use self::catalogue::{
    commerce, developer, identity, media, messaging, operations, payments, productivity, tokens,
};
#[doc(no_inline)]
pub use self::catalogue::{
    commerce::*, developer::*, identity::*, media::*, messaging::*, operations::*, payments::*,
    productivity::*, tokens::*,
};
pub use self::own::asana::{AsanaExchange, AsanaFuture, AsanaHook};
pub use self::own::token_exchange::{TokenExchange, TokenReceipt, WithTokenExchange};
#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use self::own::{discord::Discord, sendgrid::SendGrid, telnyx::Telnyx, wise::Wise};
pub use self::own::{
    keyring::{Ably, Pusher, Worldline},
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
pub use self::{
    boxed::{AnyState, BoxVerifier},
    credentials::CredentialKind,
    policy::DeliveryPolicy,
    registry::{Provider, all, by_name, delivery_policies},
    unknown_provider::UnknownProvider,
};
