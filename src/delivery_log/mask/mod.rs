//! Masking of payloads.

#[expect(clippy::module_inception, reason = "the type of the module's name")]
pub(crate) mod mask;
pub(crate) mod text;
