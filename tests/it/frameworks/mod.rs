//! Servers and frameworks, over real sockets.

pub(crate) mod axum;
#[cfg(feature = "axum")]
pub(crate) mod axum_signed;
pub(crate) mod hyper;
pub(crate) mod raw_sockets;
pub(crate) mod tonic;
