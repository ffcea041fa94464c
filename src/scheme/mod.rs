//! Declarative signature schemes: data that describes how a provider signs its requests.
//!
//! Guide: [custom verifiers](crate::guide::custom_verifiers).
//!
//! ```
//! use tower_webhook::{SignatureLayer, scheme::Scheme};
//!
//! // hex HMAC-SHA256 of the body in one header
//! const ACME: Scheme = Scheme::hmac_sha256("x-acme-signature");
//!
//! let layer = SignatureLayer::new(ACME.verifier("s3cret-of-acme")?);
//! # let _ = layer;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```
//!
//! [`Scheme`] has an example with a timestamp.

#[cfg(feature = "asymmetric")]
pub(crate) mod asymmetric;
#[cfg(not(feature = "asymmetric"))]
#[path = "no_asymmetric.rs"]
pub(crate) mod asymmetric;
pub(crate) mod candidates;
pub(crate) mod check;
pub(crate) mod component;
pub(crate) mod constructors;
#[cfg(test)]
#[cfg(feature = "sign")]
mod cut_tests;
pub(crate) mod declaration;
pub(crate) mod describe;
pub(crate) mod edges;
#[cfg(feature = "explain")]
pub(crate) mod explain;
pub(crate) mod key;
#[cfg(feature = "explain")]
pub(crate) mod key_variants;
pub(crate) mod keys;
pub(crate) mod match_tags;
pub(crate) mod public_url;
pub(crate) mod signature;
pub(crate) mod signature_format;
pub(crate) mod signature_place;
pub(crate) mod signed_content;
pub(crate) mod state;
pub(crate) mod time;
#[cfg(feature = "explain")]
pub(crate) mod url_variants;
pub(crate) mod verification;
pub(crate) mod verifier;

pub use self::{
    component::{Component, DigestEncoding, TimestampSource},
    declaration::Scheme,
    describe::Description,
    key::SecretEncoding,
    keys::IntoKeys,
    signature_format::SignatureFormat,
    state::SchemeState,
    verifier::SchemeVerifier,
};
#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use crate::crypto::public_key::IntoPublicKeys;
pub use crate::{
    crypto::mac::Algorithm,
    parse::{encoding::Encoding, timestamp::TimestampFormat, tolerance::Tolerance},
    verifier::{
        challenge::challenge::Challenge,
        first_contact::{ContactField, FirstContact},
    },
};
