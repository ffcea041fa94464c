//! Results of a verification.

pub(crate) mod redact;
pub(crate) mod rejection;
pub(crate) mod verified;
