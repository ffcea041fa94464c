//! Providers of the catalogue.

#[cfg(all(feature = "explain", feature = "jwt", feature = "md5", feature = "sign"))]
pub(crate) mod attacks;
#[cfg(feature = "sign")]
pub(crate) mod body_signatures;
pub(crate) mod callbacks;
pub(crate) mod canonical;
pub(crate) mod challenges;
#[cfg(feature = "sign")]
pub(crate) mod conformance;
#[cfg(feature = "sign")]
pub(crate) mod deliveries;
pub(crate) mod exchange;
pub(crate) mod facts;
pub(crate) mod forms;
#[cfg(feature = "jwt")]
pub(crate) mod jwt;
pub(crate) mod mailgun;
#[cfg(feature = "multipart")]
pub(crate) mod multipart;
#[cfg(feature = "asymmetric")]
pub(crate) mod peers;
pub(crate) mod registry;
#[cfg(feature = "sign")]
pub(crate) mod tokens;
pub(crate) mod twilio;
pub(crate) mod vectors;
