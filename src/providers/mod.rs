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
//! The feature `asymmetric` adds the types that verify with a public key: `AmazonSns`, `Bridge`, `Circle`,
//! `Discord`, `EBay`, `FalAi`, `Freshchat`, `Gemini`, `GitHubCopilot`, `GitHubSecretScanning`, `HighLevel`,
//! `IntegratedFinance`, `Postal`, `SendGrid`, `ShipStation`, `Telnyx`, `TokenIo`, `Turnkey`, `WeChatPay` and
//! `Wise`.
//!
//! The feature `fetched-keys` fetches the keys of `Circle`, `EBay`, `FalAi`, `FusionAuth`, `Gemini`,
//! `GitHubCopilot`, `GitHubSecretScanning`, `Postal`, `ShipStation` and `Turnkey`, and adds
//! `AtlassianConnectLifecycle`, `AzureEventGridEntra`, `BotFramework`, `Fireblocks`, `ForgeRemote`,
//! `GoogleChat`, `GooglePubSub`, `GoogleRisc`, `Kinde`, `MicrosoftGraphResourceData`, `NeonAuth`,
//! `OpenBanking`, `Plaid`, `SecurityEventTokens`, `SignInWithApple` and `TrueLayer`. The feature `certificates` fetches those of `AmazonSns` and `WeChatPay`, and adds
//! `Alexa`, `AppleAppStore` and `PayPal`. `Wix` needs `asymmetric` and `jwt`.
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
pub(crate) mod exchange;
#[cfg(feature = "fetched-keys")]
pub(crate) mod fetched;
pub(crate) mod macros;
pub(crate) mod named_scheme;
pub(crate) mod other_credentials;
pub(crate) mod own;
pub(crate) mod policy;
pub(crate) mod registration;
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
pub use self::exchange::asana::{AsanaExchange, AsanaFuture, AsanaHook};
pub use self::exchange::token_exchange::{TokenExchange, TokenReceipt, WithTokenExchange};
#[cfg(feature = "fetched-keys")]
#[cfg_attr(docsrs, doc(cfg(feature = "fetched-keys")))]
pub use self::fetched::{circle::CircleProduct, tokens::PlaidEnvironment};
pub use self::own::list::*;
pub use self::{
    boxed::{AnyState, BoxVerifier},
    credentials::CredentialKind,
    policy::DeliveryPolicy,
    registry::{Provider, all, by_name, delivery_policies},
    unknown_provider::UnknownProvider,
};
