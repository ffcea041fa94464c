// The README links pages as files; here, where the first definition counts, they are modules.
#![doc = "[page]: troubleshooting\n[proxy]: behind_a_proxy\n"]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod body;
mod budget;
mod challenge;
mod combine;
mod config_error;
mod context;
mod credentials;
mod deadline;
#[cfg(feature = "delivery-log")]
#[cfg_attr(docsrs, doc(cfg(feature = "delivery-log")))]
pub mod delivery_log;
mod drain;
mod encoding;
mod field;
mod first_contact;
mod form;
mod future;
mod gather;
mod head;
mod json;
pub mod layer;
mod make;
mod network;
pub mod observe;
mod outcome;
#[cfg(all(feature = "asymmetric", feature = "sign"))]
mod private_key;
pub mod providers;
#[cfg(feature = "asymmetric")]
mod public_key;
mod public_url;
mod read;
mod rejection;
pub mod replay;
mod requires;
pub mod scheme;
mod secret;
mod secrets;
mod sensitive;
mod service;
#[cfg(feature = "sign")]
#[cfg_attr(docsrs, doc(cfg(feature = "sign")))]
pub mod sign;
mod source;
#[cfg(feature = "tenants")]
#[cfg_attr(docsrs, doc(cfg(feature = "tenants")))]
pub mod tenants;
mod time;
#[cfg(doc)]
#[doc = "[proxy]: behind_a_proxy\n"]
#[doc = include_str!("../docs/403-at-3am.md")]
pub mod troubleshooting {}
#[cfg(doc)]
#[doc = include_str!("../docs/deliveries.md")]
pub mod deliveries {}
#[cfg(doc)]
#[doc = include_str!("../docs/behind-a-proxy.md")]
pub mod behind_a_proxy {}
mod verdict;
mod verified;
pub mod verifier;

#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use self::public_key::PublicKey;
#[doc(inline)]
pub use self::{
    body::BufferedBody,
    config_error::ConfigError,
    context::Context,
    layer::SignatureLayer,
    outcome::Outcome,
    public_url::PublicUrl,
    rejection::{Rejection, RejectionKind},
    scheme::Scheme,
    secret::Secret,
    secrets::{IntoSecrets, Secrets},
    service::SignatureService,
    verified::{Unverified, Verified},
    verifier::{Verifier, verify},
};
