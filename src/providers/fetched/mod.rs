//! Providers whose public keys are fetched.

mod body_tokens;
#[cfg(feature = "certificates")]
mod chains;
pub(crate) mod circle;
mod detached;
pub(crate) mod ebay;
pub(crate) mod github;
pub(crate) mod key_sets;
pub(crate) mod keyless;
#[cfg(feature = "certificates")]
pub(crate) mod sns;
pub(crate) mod tokens;
#[cfg(feature = "certificates")]
mod wechat_pay;
