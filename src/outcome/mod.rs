//! What was found out about a request: the vocabulary of everything else.

pub(crate) mod field;
pub(crate) mod rejection;
pub(crate) mod verified;
