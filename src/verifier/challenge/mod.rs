//! Endpoint-verification challenges of providers, and the responses to them.

#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod challenge;
pub(crate) mod response;
pub(crate) mod signed;
pub(crate) mod unsigned;
pub(crate) mod with_challenge;
