//! Results of verification: the types that all other modules share.

#[cfg(feature = "explain")]
pub(crate) mod cause;
pub(crate) mod event_id;
#[cfg(feature = "explain")]
pub(crate) mod explanation;
pub(crate) mod field;
pub(crate) mod kind;
pub(crate) mod redact;
pub(crate) mod rejection;
pub(crate) mod replay_answer;
pub(crate) mod replay_key;
pub(crate) mod response;
pub(crate) mod verified;
