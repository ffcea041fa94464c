//! Causes of rejections.

#[cfg(feature = "sign")]
pub(crate) mod breakages;
#[cfg(feature = "sign")]
pub(crate) mod causes;
pub(crate) mod findings;
pub(crate) mod server;
