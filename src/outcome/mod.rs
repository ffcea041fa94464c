//! Results of verification: the types that all other modules share.

pub(crate) mod event_id;
pub(crate) mod field;
pub(crate) mod kind;
pub(crate) mod redact;
pub(crate) mod rejection;
pub(crate) mod replay_answer;
pub(crate) mod replay_key;
pub(crate) mod response;
pub(crate) mod verified;
