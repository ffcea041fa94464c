//! Providers that sign with a JSON Web Token under a secret.

pub(crate) mod atlassian_connect;
pub(crate) mod claims;
#[cfg(feature = "explain")]
pub(crate) mod explain;
pub(crate) mod fusionauth;
pub(crate) mod livekit;
pub(crate) mod messagebird;
pub(crate) mod methods;
pub(crate) mod monday;
pub(crate) mod netlify;
pub(crate) mod rules;
#[cfg(feature = "sign")]
pub(crate) mod sign;
pub(crate) mod upstash;
pub(crate) mod verifier;
pub(crate) mod vonage;
