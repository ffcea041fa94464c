//! Strict readers of values that a sender or a proxy wrote.

pub(crate) mod calendar;
pub(crate) mod client_ip;
pub(crate) mod clock;
pub(crate) mod encoding;
pub(crate) mod form;
pub(crate) mod headers;
pub(crate) mod json;
pub(crate) mod timestamp;
pub(crate) mod tolerance;
pub(crate) mod trusted_proxies;
pub(crate) mod url;
#[cfg(feature = "xml")]
pub(crate) mod xml;
