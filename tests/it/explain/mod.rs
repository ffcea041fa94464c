//! Causes of rejections.

#[cfg(feature = "sign")]
pub(crate) mod breakages;
#[cfg(feature = "sign")]
pub(crate) mod causes;
#[cfg(feature = "tracing")]
pub(crate) mod faults;
pub(crate) mod findings;
pub(crate) mod fixes;
#[cfg(feature = "tracing")]
pub(crate) mod server;
