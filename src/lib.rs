// The README links pages as files; here, where the first definition counts, they are modules.
#![doc = "[page]: troubleshooting\n[proxy]: behind_a_proxy\n"]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::too_many_lines)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod crypto;
#[cfg(feature = "delivery-log")]
#[cfg_attr(docsrs, doc(cfg(feature = "delivery-log")))]
pub mod delivery_log;
mod error;
pub mod layer;
pub mod observe;
mod outcome;
mod panic;
mod parse;
pub mod providers;
pub mod replay;
pub mod scheme;
#[cfg(feature = "sign")]
#[cfg_attr(docsrs, doc(cfg(feature = "sign")))]
pub mod sign;
#[cfg(feature = "tenants")]
#[cfg_attr(docsrs, doc(cfg(feature = "tenants")))]
pub mod tenants;
pub mod verifier;

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

#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use self::crypto::public_key::PublicKey;
#[doc(inline)]
pub use self::{
    crypto::{
        secret::Secret,
        secrets::{IntoSecrets, Secrets},
    },
    error::ConfigError,
    layer::{body::BufferedBody, layer::SignatureLayer, service::SignatureService},
    outcome::{
        kind::RejectionKind,
        rejection::Rejection,
        verified::{Unverified, Verified},
    },
    scheme::{declaration::Scheme, public_url::PublicUrl},
    verifier::{context::Context, outcome::Outcome, verifier::Verifier, verify::verify},
};
