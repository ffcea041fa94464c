//! Providers, each with a type that is ready to use. [`by_name`] finds a provider by a name from
//! your configuration.
//!
//! Guide: [providers](crate::guide::providers).
//!
#![doc = include_str!("pages/catalogue.md")]
//!
//! *Tolerance* is the age up to which a signed timestamp is accepted. "None" means that a captured
//! request can be sent again at any time: use [replay protection](crate::replay). Types with
//! "nothing" prove the sender and not the body: anyone who sees one request can send any other.
//!
//! The feature `asymmetric` adds the types that verify with a public key: `Discord`, `SendGrid`,
//! `Telnyx` and `Wise`.
//!
//! Each type's page has an example, where the secret is found, and the source of its facts. The
//! same types are in modules by subject, for example [`payments`]. For providers that are missing,
//! see [the catalogue](crate::guide::providers#unsupported-providers).
//!
//! # Evidence
//!
//! *Vendor vector*: a test vector that the vendor publishes is recomputed in this crate's tests.
//! *Public vector*: the same, published by others. *Vendor's documentation* or *source*: read
//! there, without a vector. **Second-hand**: known only from other receivers. Try it with a real
//! delivery before you rely on it, and tell us.

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
#[doc(inline)]
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
    keyring::{Ably, Pusher},
    persona::{Persona, PersonaState},
    slack::Slack,
    twilio::{Twilio, TwilioState},
    worldpay::{Worldpay, WorldpayState},
    wsapi::Wsapi,
};
// rustdoc forgets the aliases of a type that it shows at another place, and keeps those of its
// re-export.
#[doc(alias = "ingenico")]
pub use self::own::keyring::Worldline;
#[doc(alias = "facebook")]
#[doc(alias = "instagram")]
#[doc(alias = "messenger")]
#[doc(alias = "whatsapp")]
pub use self::own::meta::Meta;
#[doc(alias = "api_key")]
#[doc(alias = "token")]
pub use self::own::shared_token::SharedToken;
#[doc(alias = "standard-webhooks")]
#[doc(alias = "svix")]
pub use self::own::standard_webhooks::StandardWebhooks;
#[doc(alias = "cisco")]
pub use self::own::webex_contact_center::WebexContactCenter;
#[doc(alias = "pubsubhubbub")]
pub use self::own::websub::WebSub;
pub use self::{
    boxed::{AnyState, BoxVerifier},
    credentials::CredentialKind,
    policy::DeliveryPolicy,
    registry::{Provider, all, by_name, delivery_policies},
    unknown_provider::UnknownProvider,
};
