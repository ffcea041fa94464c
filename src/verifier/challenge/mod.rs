//! Ownership challenges: how providers ask, and the answers.

#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod challenge;
pub(crate) mod response;
pub(crate) mod signed;
pub(crate) mod unsigned;
pub(crate) mod with_challenge;
