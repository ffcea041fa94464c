//! Declarative signature schemes: data that describes how a provider signs its requests.
//!
//! ```
//! use tower_webhook::{
//!     Secret, SignatureLayer,
//!     scheme::{Encoding, SignatureFormat, Component, Scheme, TimestampFormat, TimestampSource, Tolerance},
//! };
//!
//! // hex HMAC-SHA256 of the body in one header
//! const ACME: Scheme = Scheme::hmac_sha256("x-acme-signature");
//!
//! // `x-apex: t=1700000000,v1=<base64>` over `<t>.<body>`, at most five minutes old
//! const APEX: Scheme = Scheme::hmac_sha256("x-apex")
//!     .provider("apex")
//!     .signature_format(SignatureFormat::pairs("t", "v1"))
//!     .encoding(Encoding::Base64)
//!     .signed_content(&[Component::Time, Component::Literal("."), Component::Body])
//!     .time(TimestampSource::Signature, TimestampFormat::UnixSeconds)
//!     .tolerance(Tolerance::seconds(300));
//!
//! let layer = SignatureLayer::new(ACME.verifier(Secret::new("s3cret-of-acme")?)?);
//! let layer = SignatureLayer::new(APEX.verifier(Secret::new("s3cret-of-apex")?)?);
//! # let _ = layer;
//! # Ok::<_, tower_webhook::ConfigError>(())
//! ```

#[cfg(feature = "asymmetric")]
pub(crate) mod asymmetric;
#[cfg(not(feature = "asymmetric"))]
#[path = "no_asymmetric.rs"]
pub(crate) mod asymmetric;
pub(crate) mod candidates;
pub(crate) mod check;
pub(crate) mod component;
#[cfg(test)]
#[cfg(feature = "sign")]
mod cuts;
pub(crate) mod declaration;
pub(crate) mod describe;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod public_url;
pub(crate) mod signature;
pub(crate) mod signature_format;
pub(crate) mod signed_content;
pub(crate) mod time;
pub(crate) mod verification;
pub(crate) mod verifier;

pub use self::{
    component::{Component, TimestampSource},
    declaration::Scheme,
    describe::Description,
    key::SecretEncoding,
    keys::IntoKeys,
    signature_format::SignatureFormat,
    verification::SchemeState,
    verifier::SchemeVerifier,
};
#[cfg(feature = "asymmetric")]
#[cfg_attr(docsrs, doc(cfg(feature = "asymmetric")))]
pub use crate::crypto::public_key::IntoPublicKeys;
pub use crate::{
    crypto::mac::Algorithm,
    parse::{
        encoding::Encoding,
        timestamp::{TimestampFormat, Tolerance},
    },
    verifier::{
        challenge::challenge::Challenge,
        first_contact::{ContactField, FirstContact},
    },
};
