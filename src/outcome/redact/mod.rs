//! Redaction and escaping of text from requests, for events and logs.

pub(crate) mod names;
pub(crate) mod percent;
pub(crate) mod text;
pub(crate) mod url;
